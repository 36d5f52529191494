"""Run by a test in a process of its own: a lead-svc that is killed (SIGKILL) in the middle of an erasure.

`python -m lead_svc.tests.erasure_crash_child`: everything is emptied, nothing is committed. Settings come from the environment.
"""

import asyncio
import os
import signal
from typing import Any

from ltc_chassis.timers import run_until_idle

from lead_svc.app import create_app
from lead_svc.store import privacy
from lead_svc.tests.persons import ERASE


async def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    """Erase until killed."""
    privacy.mark_erased = _die
    runtime = create_app().state.runtime
    await runtime.db.open()
    await run_until_idle(runtime, ERASE)


if __name__ == "__main__":
    asyncio.run(main())
