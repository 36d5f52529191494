"""Run by a test in a process of its own: an order-svc that is killed (SIGKILL) while a timer works, before it commits.

`python -m order_svc.tests.crash_child late|held|subscriptions`: the order is written and told of, nothing is committed. Settings come from the
environment, the business time with `LTC_CLOCK`.
"""

import asyncio
import os
import signal
import sys

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer, run_until_idle

from order_svc.app import create_app
from order_svc.timers import TIMERS


async def main(which: str) -> None:
    """Work until killed."""
    timer = {"held": TIMERS[0], "late": TIMERS[1], "subscriptions": TIMERS[2]}[which]

    async def work_and_die(tx: Transaction) -> int:
        await timer.work(tx)
        await tx.flush()
        os.kill(os.getpid(), signal.SIGKILL)
        return 0

    runtime = create_app().state.runtime
    await runtime.db.open()
    await run_until_idle(runtime, Timer(timer.name, work_and_die))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
