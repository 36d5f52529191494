"""Run by a test in a process of its own: a delivery-svc that is killed (SIGKILL) after it told of a breach and before that is committed.

Settings come from the environment.
"""

import asyncio
import os
import signal
from typing import Any

from ltc_chassis.timers import run_until_idle

from delivery_svc.app import create_app
from delivery_svc.store import ticket_clocks
from delivery_svc.tests.desk import timer


async def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main() -> None:
    """Tell until killed: the mail is posted and the notice written, nothing is committed."""
    ticket_clocks.save_clock = _die
    runtime = create_app().state.runtime
    await runtime.db.open()
    await run_until_idle(runtime, timer("tell-tickets"))


if __name__ == "__main__":
    asyncio.run(main())
