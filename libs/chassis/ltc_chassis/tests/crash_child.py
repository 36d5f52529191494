"""Run by tests in a process of its own: an echo service that is killed (SIGKILL) at an exact place.

`python -m ltc_chassis.tests.crash_child relay|consumer|none <suffix>`; settings come from the environment.
"""

import asyncio
import os
import signal
import sys
from typing import Any

from aiokafka import AIOKafkaConsumer

from ltc_chassis import outbox
from ltc_chassis.tests.echo.app import create_app, event_types


async def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(place: str, suffix: str) -> None:
    """Run the service until it is killed."""
    if place == "relay":
        outbox.delete = _die  # the broker has confirmed, the rows are still there
    if place == "consumer":
        AIOKafkaConsumer.commit = _die  # the database has committed, the offset is not
    pinged, noted = event_types(suffix)
    app = create_app(pinged=pinged, noted=noted)
    async with app.router.lifespan_context(app):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
