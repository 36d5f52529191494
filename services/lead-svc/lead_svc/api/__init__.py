"""HTTP in, a module per part; `ROUTERS` is all of it in the order in which it is documented."""

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

ROUTERS = (
    leads.router,
    imports.router,
    changes.router,
    segments.router,
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
)
