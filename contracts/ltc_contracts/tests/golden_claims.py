"""Examples of claims that are not held on to: a dispute that was rejected, money taken off an invoice, a write-off, a void; see golden."""

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


def given_up(invoice: UUID, payment: UUID, order: UUID, flow: UUID, other: UUID, uid: Any) -> Steps:
    """Money taken off an invoice, a write-off that is recovered, a void; as `steps`."""
    about: dict[str, Any] = {"invoice_id": invoice, "number": "INV-2026-000001", "order_id": order}
    given_up: dict[str, Any] = {"invoice_id": uid(10, 7), "number": "INV-2026-000003", "order_id": uid(10, 8)}
    return [
        (
            e.PaymentUnapplied(
                **about, unapplication_id=uid(10, 2), payment_id=payment, amount=Money.of("500.00", "EUR"),
                open_after=Money.of("5027.81", "EUR"), reason="it was for another invoice", received_on=date(2026, 3, 3),
                unapplied_on=date(2026, 3, 18), credit_id=None,
            ),
            "billing", 72, flow, 8, None,
        ),
        (
            e.InvoiceWrittenOff(
                **given_up, write_off_id=uid(10, 3), cause="bad_debt", amount=Money.of("122.00", "EUR"), tax=Money.of("22.00", "EUR"),
                open_after=Money.of("0.00", "EUR"), reason="insolvent", written_off_on=date(2026, 6, 30),
            ),
            "billing", 176, other, 2, None,
        ),
        (
            e.InvoiceRecovered(
                **given_up, recovery_id=uid(10, 4), cause="payment", amount=Money.of("122.00", "EUR"), tax=Money.of("22.00", "EUR"),
                recovered_on=date(2026, 9, 1),
            ),
            "billing", 239, other, 4, "invoice.written_off",
        ),
        (
            e.InvoiceVoided(
                invoice_id=uid(10, 5), number="INV-2026-000002", order_id=uid(10, 6), net=Money.of("100.00", "EUR"),
                tax=Money.of("22.00", "EUR"), gross=Money.of("122.00", "EUR"), reason="issued to the wrong company",
                voided_on=date(2026, 3, 2),
            ),
            "billing", 56, other, 2, None,
        ),
        (
            e.PaymentDeclined(
                **about, attempt_id=uid(10, 12), provider="stripe", hard=True, reason="stolen_card", declined_on=date(2026, 3, 17)
            ),
            "billing", 71, flow, 1, None,
        ),
    ]  # fmt: skip
