"""Run by tests in a process of its own: a sender that is killed (SIGKILL) at an exact place.

`python -m ltc_chassis.tests.mail_crash_child before|after`: before the text leaves, or after the server took it and before that is
written down. Settings come from the environment.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from ltc_chassis import mailroom
from ltc_chassis.mailroom import store
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.tests.echo.app import create_app


async def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(place: str) -> None:
    """Send until killed."""
    if place == "before":
        store.begin_handover = _die
    else:
        store.settle = _die
    runtime = create_app(ChassisSettings()).state.runtime
    await runtime.db.open()
    await mailroom.sender().work(runtime)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
