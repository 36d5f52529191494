"""Run by tests in a process of its own: a lead-svc that is killed (SIGKILL) while it nurtures.

`python -m lead_svc.tests.nurture_crash_child posting|sending`: before a step commits, or after the mail server took the mail and
before that is written down. Settings come from the environment.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from ltc_chassis import mailroom
from ltc_chassis.mailroom import store
from ltc_chassis.timers import run_until_idle

from lead_svc.app import create_app
from lead_svc.store import nurture
from lead_svc.tests.journeys import ENTER, STEPS


async def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(place: str) -> None:
    """Enter, step and send until killed."""
    if place == "posting":
        nurture.save_progress = _die  # the mail and its delivery are written, nothing is committed
    else:
        store.settle = _die
    runtime = create_app().state.runtime
    await runtime.db.open()
    for timer in (ENTER, STEPS, mailroom.sender()):
        await run_until_idle(runtime, timer)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
