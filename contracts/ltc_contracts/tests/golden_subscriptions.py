"""The examples of a subscription: 31.00 a month from 1 March, upgraded for a day more by the day, paused, resumed and ended; see golden."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.money import Money


def _line(line_id: UUID, amount: str) -> tuple[e.Line, ...]:
    price = Money.of(amount, "EUR")
    return (
        e.Line(
            line_id=line_id, sku="CARE", description="Pump care", quantity=Decimal(1), unit_price=price, tax_rate=Decimal(22), net=price
        ),
    )  # fmt: skip


def steps(
    subscription: UUID, line: UUID, order: UUID, customer: UUID, contract: UUID, flow: UUID, start: datetime
) -> list[tuple[e.Event, str, float, UUID | None, int, str | None]]:
    """Each with who acts, on which day, on which flow, at which version, and the cause."""
    own: dict[str, Any] = {"subscription_id": subscription, "number": "S-2026-000001", "customer_id": customer}
    eur = {amount: Money.of(amount, "EUR") for amount in ("0.00", "2.00", "21.00", "31.00", "60.00", "62.00", "-62.00")}
    first, more = _line(line, "31.00"), _line(line, "62.00")
    days = {day: (day - start.date()).days for day in (date(2026, 3, 1), date(2026, 3, 11), date(2026, 4, 1), date(2026, 4, 16))}
    d1, d2, d3, d4 = days.values()
    return [
        (
            e.SubscriptionStarted(
                **own, contract_id=contract, lines=first, net=eur["31.00"], interval_unit="month", interval_count=1,
                invoicing="on_confirmation", starts_on=date(2026, 3, 1), ends_on=None, period_until=date(2026, 3, 31), order_id=order,
                ordered=eur["31.00"],
            ),
            "order", d1, flow, 2, None,
        ),
        (
            e.SubscriptionRevenueMoved(
                subscription_id=subscription, customer_id=customer, kind="churn", mrr_before=eur["62.00"], mrr_after=eur["0.00"],
                delta=eur["-62.00"], effective_on=date(2026, 4, 16),
            ),
            "order", d4, flow, 8, None,
        ),
        (
            e.SubscriptionChanged(
                **own, effective_on=date(2026, 3, 11), before=first, lines=more, net=eur["62.00"], credited=eur["0.00"],
                charged=eur["21.00"], credit_used=eur["0.00"], ordered=eur["21.00"], credit_left=eur["0.00"], order_id=order,
                reason="a second pump", changed_by="Darcel Schlecht",
            ),
            "order", d2, flow, 4, None,
        ),
        (
            e.SubscriptionRenewed(
                **own, term=2, period_from=date(2026, 4, 1), period_until=date(2026, 4, 30), charged=eur["62.00"],
                credit_used=eur["2.00"], ordered=eur["60.00"], credit_left=eur["0.00"], order_id=order,
            ),
            "order", d3, flow, 6, None,
        ),
        (
            e.SubscriptionPaused(
                **own, effective_on=date(2026, 4, 16), credited=eur["31.00"], credit_left=eur["31.00"], reason="the plant stands still"
            ),
            "order", d4, flow, 7, None,
        ),
        (
            e.SubscriptionResumed(
                **own, effective_on=date(2026, 4, 16), period_until=date(2026, 4, 30), charged=eur["31.00"], credit_used=eur["31.00"],
                ordered=eur["0.00"], credit_left=eur["0.00"], order_id=order,
            ),
            "order", d4 + 0.1, flow, 9, None,
        ),
        (
            e.SubscriptionCancelled(**own, ends_on=date(2026, 4, 30), reason="the plant is sold"),
            "order", d4 + 0.2, flow, 11, None,
        ),
        (
            e.SubscriptionCancellationWithdrawn(**own, reason="the buyer keeps it"),
            "order", d4 + 0.3, flow, 12, None,
        ),
        (
            e.SubscriptionOrderLapsed(
                **own, order_id=order, order_number="O-2026-000003", period_from=date(2026, 4, 16), period_until=date(2026, 4, 30),
                stops_on=date(2026, 4, 16), credit_before=eur["0.00"], credit_left=eur["31.00"],
            ),
            "order", d4 + 14, flow, 13, None,
        ),
        (
            e.SubscriptionEnded(
                **own, ended_on=date(2026, 4, 30), cause="cancelled", credited=eur["0.00"], credit_left=eur["0.00"],
                reason="the plant is sold", owed=(),
            ),
            "order", d4 + 15, flow, 14, None,
        ),
    ]  # fmt: skip
