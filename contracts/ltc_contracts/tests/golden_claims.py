"""Examples of claims that are not held on to: a dispute that was rejected; see golden."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.money import Money

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]


def steps(invoice: UUID, payment: UUID, order: UUID, flow: UUID, uid: Any, start: datetime) -> Steps:
    """Each with who acts, on which day, on which flow, at which version, and by which event."""
    about: dict[str, Any] = {"invoice_id": invoice, "number": "INV-2026-000001", "order_id": order}
    dispute: dict[str, Any] = {**about, "dispute_id": uid(10, 1), "amount": Money.of("366.00", "EUR")}
    opened = date(2026, 3, 12)
    return [
        (
            e.InvoiceDisputed(**dispute, category="quality", whole=False, reason="the hotline did not answer", opened_on=opened),
            *("billing", 66, flow, 6, None),
        ),
        (
            e.InvoiceDisputeResolved(
                **dispute, outcome="rejected", reason="the log shows every call", opened_on=opened, resolved_on=date(2026, 3, 16)
            ),
            *("billing", 70, flow, 7, None),
        ),
    ]
