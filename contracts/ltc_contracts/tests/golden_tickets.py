"""Examples of tickets: one about the delivered order, one that was about the same; see golden."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from ltc_contracts import events as e


def steps(
    ticket: UUID, other: UUID, order: UUID, customer: UUID, flow: UUID, other_flow: UUID, start: datetime
) -> list[tuple[e.Event, str, float, UUID | None, int, str | None]]:
    """Each with who acts, on which day, on which flow, at which version, and the cause."""
    own: dict[str, Any] = {"ticket_id": ticket, "number": "T-2026-000001"}
    desk: dict[str, Any] = {"priority": "high", "queue": "default"}
    policy: dict[str, Any] = {"policy": "standard", "policy_version": 1}
    opened = start + timedelta(26)
    return [
        (
            e.TicketOpened(
                **own,
                **desk,
                channel="mail",
                customer_id=customer,
                order_id=order,
                response_due_at=opened + timedelta(hours=4),
                resolution_due_at=opened + timedelta(days=2),
            ),
            *("delivery", 26, flow, 1, None),
        ),
        (e.TicketAssigned(**own, queue="default", assignee="anna", automatic=True), "delivery", 26.01, flow, 2, None),
        (
            e.TicketEscalated(
                **own,
                **desk,
                **policy,
                clock="first_response",
                level=1,
                due_at=opened + timedelta(hours=4),
                assignee="anna",
                escalate_to="petra",
                target_minutes=240,
            ),
            *("delivery", 26.2, flow, 2, None),
        ),
        (
            e.TicketResponded(**own, **desk, **policy, by="anna", business_minutes=270, target_minutes=240, within_target=False),
            *("delivery", 26.25, flow, 3, None),
        ),
        (
            e.TicketResolved(
                **own,
                **desk,
                **policy,
                by="anna",
                customer_id=customer,
                order_id=order,
                reopened=0,
                business_minutes=600,
                target_minutes=960,
                within_target=True,
            ),
            *("delivery", 27, flow, 4, None),
        ),
        (e.TicketReopened(**own, reopened=1), "delivery", 28, flow, 5, None),
        (
            e.TicketMerged(ticket_id=other, number="T-2026-000002", into_id=ticket, into_number="T-2026-000001", by="anna"),
            *("delivery", 28.1, other_flow, 2, None),
        ),
    ]
