"""metrics-svc: every stream in; KPIs, flows and conservation out."""

from fastapi import FastAPI
from ltc_chassis.app import Service, build

from metrics_svc import consumers
from metrics_svc.api import conservation, flows, kpis, live
from metrics_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. Events in by `consumers`, answers and the page in the browser out by `api`."""
    return build(
        Service(
            name="metrics",
            package="metrics_svc",
            settings=settings or Settings(),
            routers=[kpis.router, flows.router, conservation.router, live.router, live.entrance],
            consumers=consumers.consumers,
        )
    )
