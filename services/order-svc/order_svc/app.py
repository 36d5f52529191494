"""order-svc as an application."""

from fastapi import FastAPI
from ltc_chassis.app import Service, build

from order_svc import api, consumers, timers
from order_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. order-svc: HTTP in by `api`, events in by `consumers`, time in by `timers`."""
    return build(
        Service(
            name="order",
            package="order_svc",
            settings=settings or Settings(),
            routers=[*api.ROUTERS],
            consumers=consumers.consumers,
            timers=timers.TIMERS,
        )
    )
