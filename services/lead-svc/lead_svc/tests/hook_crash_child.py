"""Run by tests in a process of its own: a lead-svc that is killed (SIGKILL) between keeping a delivery and working on it.

`python -m lead_svc.tests.hook_crash_child KEY BODY`: the delivery comes in over HTTP. Settings come from the environment.
"""

import asyncio
import os
import signal
import sys
from typing import Any

import httpx

from lead_svc.app import create_app
from lead_svc.handlers import hooks


async def _die(*_: Any, **__: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(path: str, body: str) -> None:
    """Take the delivery until killed."""
    hooks.settle_item = _die  # it is kept and committed; nothing is made of it
    app = create_app()
    await app.state.runtime.db.open()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as platform:
        await platform.post(path, content=body.encode())


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
