"""Run by a test in a process of its own, which is killed (SIGKILL) while it imports. Settings come from the environment."""

import asyncio

from ltc_chassis.runtime import Runtime
from ltc_chassis.timers import run_until_idle

from lead_svc.app import create_app
from lead_svc.tests.builders import timer


async def main() -> None:
    """Import whatever waits."""
    runtime: Runtime = create_app().state.runtime
    await runtime.db.open()
    await run_until_idle(runtime, timer("import-rows"))


if __name__ == "__main__":
    asyncio.run(main())
