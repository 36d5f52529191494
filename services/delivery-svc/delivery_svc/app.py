"""delivery-svc as an application."""

from fastapi import FastAPI
from ltc_chassis.app import Service, build

from delivery_svc import api, consumers, timers
from delivery_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. delivery-svc: HTTP in by `api`, events in by `consumers`, time in by `timers`."""
    return build(
        Service(
            name="delivery",
            package="delivery_svc",
            settings=settings or Settings(),
            routers=[*api.ROUTERS],
            consumers=consumers.consumers,
            timers=timers.TIMERS,
            mails=True,
        )
    )
