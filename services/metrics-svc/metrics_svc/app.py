"""metrics-svc: every stream in; KPIs, flows and conservation out."""

from fastapi import FastAPI
from ltc_chassis.app import Service, build

from metrics_svc import api, consumers, live
from metrics_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. Events in by `consumers`, answers out by `api`, the page in the browser by `live`."""
    return build(
        Service(
            name="metrics",
            package="metrics_svc",
            settings=settings or Settings(),
            routers=[api.router, live.router, live.entrance],
            consumers=consumers.consumers,
        )
    )
