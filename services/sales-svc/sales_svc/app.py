"""sales-svc: from a qualified lead to a signed contract."""

from fastapi import FastAPI
from ltc_chassis import custom_fields, letterhead
from ltc_chassis.app import Service, build

from sales_svc import api, consumers, timers
from sales_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. HTTP in by `api`, events in by `consumers`, time in by `timers`."""
    return build(
        Service(
            name="sales",
            package="sales_svc",
            settings=settings or Settings(),
            routers=[
                *api.ROUTERS,
                custom_fields.routes(entities=("account", "opportunity", "quote")),
                letterhead.routes(),
            ],
            consumers=consumers.consumers,
            timers=timers.TIMERS,
            mails=True,
        )
    )
