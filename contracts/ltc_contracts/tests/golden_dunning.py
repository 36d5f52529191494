"""Examples of dunning: a final demand, a promise that was broken, and the end; see golden."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.money import Money

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]


def steps(invoice: UUID, order: UUID, customer: UUID, flow: UUID, uid: Any, start: datetime) -> Steps:
    """Each with who acts, on which day, on which flow, at which version, and by which event."""
    about: dict[str, Any] = {"invoice_id": invoice, "number": "INV-2026-000001", "order_id": order}
    promise: dict[str, Any] = {**about, "promise_id": uid(11, 1), "open": Money.of("6527.81", "EUR")}
    taken = e.DunningStepTaken(
        **about,
        customer_id=customer,
        step="final",
        kind="final",
        policy="standard",
        policy_version=2,
        open=Money.of("6527.81", "EUR"),
        fee=Money.of("15.00", "EUR"),
        charges=(),
        interest=Money.of("48.29", "EUR"),
        days_overdue=30,
        hold_orders=True,
        taken_on=date(2026, 4, 20),
    )
    return [
        (taken, "billing", 100, flow, 7, None),
        (e.PaymentPromised(**promise, promised_on=date(2026, 4, 27)), "billing", 101, flow, 7, None),
        (e.PaymentPromiseBroken(**promise, promised_on=date(2026, 4, 27)), "billing", 108, flow, 7, None),
        (
            e.DunningEnded(**about, customer_id=customer, held_orders=True, ended_on=date(2026, 4, 30)),
            *("billing", 110, flow, 8, None),
        ),
    ]
