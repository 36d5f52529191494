"""Examples of how a lead is answered and nurtured; see golden."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ltc_contracts import events as e

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]


def steps(lead: UUID, flow: UUID, other: UUID, other_flow: UUID, about: tuple[UUID, UUID], uid: Any, start: datetime) -> Steps:
    """Each with who acts, on which day, on which flow, at which version, and by which event; `about`: account and opportunity."""
    return [
        (
            e.LeadFirstResponded(
                lead_id=lead, activity="call", by="Darcel Schlecht", policy="standard", policy_version=1, started_at=start,
                due_at=start + timedelta(hours=1), business_minutes=42, target_minutes=60, within_target=True,
            ),
            "lead", 0.6, flow, 2, None,
        ),
        (
            e.LeadSlaBreached(
                lead_id=other, escalation="first_response", level=1, escalate_to="Team lead", owner="Darcel Schlecht", policy="standard",
                policy_version=1, started_at=start, due_at=start + timedelta(hours=1), target_minutes=60,
            ),
            "lead", 0.7, other_flow, 1, None,
        ),
        (
            e.ActivityLogged(
                activity_id=uid(15), type="call", by="Darcel Schlecht", account_id=about[0], opportunity_id=about[1]
            ),
            "sales", 2, flow, 1, None,
        ),
        (
            e.NurtureEnrolled(enrolment_id=uid(7, 20), lead_id=lead, journey="welcome", version=1, how="rule"),
            "lead", 0.5, flow, 2, None,
        ),
        (
            e.NurtureStepSent(enrolment_id=uid(7, 20), lead_id=lead, journey="welcome", version=1, step="hello"),
            "lead", 0.6, flow, 2, None,
        ),
        (
            e.NurtureEnded(enrolment_id=uid(7, 20), lead_id=lead, journey="welcome", version=1, reason="qualified", mails=1),
            "lead", 1, flow, 3, "lead.qualified",
        ),
    ]  # fmt: skip
