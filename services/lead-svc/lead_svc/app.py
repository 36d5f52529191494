"""lead-svc: capture, import, score, protect, qualify."""

from fastapi import FastAPI
from ltc_chassis import custom_fields
from ltc_chassis.app import Service, build

from lead_svc import consumers, timers
from lead_svc.api import (
    assignment,
    campaigns,
    changes,
    disqualification,
    duplicate_scans,
    duplicates,
    feedback,
    imports,
    journeys,
    leads,
    nurture,
    nurture_public,
    predictive,
    protection,
    scores,
    segments,
    visits,
    what_if,
)
from lead_svc.settings import Settings


def create_app(settings: Settings | None = None) -> FastAPI:
    """START HERE. HTTP in by `api`, events in by `consumers`, time in by `timers`."""
    return build(
        Service(
            name="lead",
            package="lead_svc",
            settings=settings or Settings(),
            routers=[
                leads.router,
                imports.router,
                changes.router,
                segments.router,
                custom_fields.routes(entities=("lead",)),
                protection.router,
                duplicates.router,
                duplicate_scans.router,
                assignment.router,
                campaigns.router,
                what_if.router,  # before the versions of rules, whose paths it would meet
                scores.router,
                disqualification.router,
                visits.router,
                visits.public,
                predictive.router,
                journeys.router,
                nurture.router,
                nurture_public.router,
                feedback.router,
            ],
            consumers=consumers.consumers,
            timers=timers.TIMERS,
            mails=True,
        )
    )
