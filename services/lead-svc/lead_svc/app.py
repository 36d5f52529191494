"""lead-svc: capture, import, score, protect, qualify."""

from fastapi import FastAPI
from ltc_chassis import custom_fields
from ltc_chassis.app import Service, build

from lead_svc import api, consumers, timers
from lead_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. HTTP in by `api`, events in by `consumers`, time in by `timers`."""
    return build(
        Service(
            name="lead",
            package="lead_svc",
            settings=settings or Settings(),
            routers=[*api.ROUTERS, custom_fields.routes(entities=("lead",))],
            consumers=consumers.consumers,
            timers=[*timers.TIMERS, *timers.ERRANDS],
            mails=True,
        )
    )
