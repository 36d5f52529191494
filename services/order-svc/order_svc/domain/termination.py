"""The end of a subscription: wished with notice, withdrawn, by its terms."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.events import OwedPart, SubscriptionCancellationWithdrawn, SubscriptionCancelled, SubscriptionEnded

from order_svc.domain import proration
from order_svc.domain import subscription as rules
from order_svc.domain.proration import Credit
from order_svc.domain.subscription import Step, Subscription

CancelAt = Literal["period_end", "notice"]


def cancel(subscription: Subscription, at: CancelAt, reason: str, now: datetime, *, by: str | None = None) -> Step:
    """It ends with the first period that ends after the notice, or with the notice: then the unused rest is credited.

    One that is paused, or has not begun, ends at once.
    """
    today = now.date()
    if subscription.state in ("scheduled", "paused"):
        return _end_at_once(subscription, reason, now, by=by)
    asked = rules.move(subscription, "cancel")
    noticed = today + timedelta(days=subscription.notice_days)
    ends_on = noticed if at == "notice" else subscription.rhythm.period(noticed).last
    if subscription.ends_on is not None:
        ends_on = min(ends_on, subscription.ends_on)
    asked = replace(asked, ends_on=ends_on, cancel_reason=reason)
    event = SubscriptionCancelled(**rules.named(asked), ends_on=ends_on, reason=reason)
    return rules.told(asked, now, today, [("cancelled", event)], reason=reason, by=by)


def withdraw(subscription: Subscription, reason: str, now: datetime, *, by: str | None = None) -> Step:
    """It goes on after all, to the end of its terms where it has one."""
    kept = rules.move(subscription, "withdraw cancellation")
    kept = replace(kept, ends_on=rules.end_of_terms(kept.rhythm, kept.starts_on, kept.terms), cancel_reason=None)
    event = SubscriptionCancellationWithdrawn(**rules.named(kept), reason=reason)
    return rules.told(kept, now, now.date(), [("cancellation_withdrawn", event)], reason=reason, by=by)


def end(subscription: Subscription, now: datetime) -> Step:
    """The day after its last: what was charged beyond it is credited, and is told as what is left."""
    assert subscription.ends_on is not None
    day = rules.day_after(subscription.ends_on)
    ended = rules.move(subscription, "end")
    unused = {} if subscription.state == "paused" else rules.not_served(subscription, day)
    return close(ended, unused, last_day(subscription), day, now)


def last_day(subscription: Subscription) -> date | None:
    """The last day of service of one that ends; None where there was none."""
    until = subscription.charged_until
    if until is None or until < subscription.starts_on:
        return None
    return until if subscription.ends_on is None else min(until, subscription.ends_on)


def owed(credit: Credit, charged: Sequence[tuple[UUID, Credit]]) -> tuple[OwedPart, ...]:
    """Of which orders what is left at the end is taken back, by tax category and rate: the latest first, each no more than it charged.

    `charged` are the orders that stand, the latest first, with what each charged less the credit it used.
    """
    parts: list[OwedPart] = []
    left = dict(credit)
    for order_id, cost in charged:
        for (category, rate), amount in cost.items():
            part = min(left.get((category, rate), amount - amount), amount)
            if part.amount > 0:
                left[category, rate] = left[category, rate] - part
                parts.append(OwedPart(order_id=order_id, tax_category=category, tax_rate=Decimal(format(rate, "f")), net=part))
    return tuple(parts)


def tell_owed(step: Step, charged: Sequence[tuple[UUID, Credit]]) -> Step:
    """The same with what is owed on the event that tells of the end."""
    parts = owed(step.subscription.credit, charged)
    return replace(
        step,
        facts=tuple(
            replace(fact, event=fact.event.model_copy(update={"owed": parts}))
            if isinstance(fact.event, SubscriptionEnded)
            else fact
            for fact in step.facts
        ),
    )


def _end_at_once(subscription: Subscription, reason: str, now: datetime, *, by: str | None) -> Step:
    served_until = last_day(subscription)
    ended = replace(rules.move(subscription, "cancel"), ends_on=served_until, cancel_reason=reason)
    event = SubscriptionCancelled(**rules.named(ended), ends_on=served_until, reason=reason)
    asked = rules.told(ended, now, now.date(), [("cancelled", event)], reason=reason, by=by)
    over = close(asked.subscription, {}, served_until, now.date(), now, by=by)
    return replace(over, facts=(*asked.facts, *over.facts))


def close(
    ended: Subscription, unused: Credit, served_until: date | None, day: date, now: datetime, *, by: str | None = None
) -> Step:
    """It is over; `unused` is what was charged beyond it."""
    ended = replace(ended, credit=proration.with_credit(ended.credit, unused), pending=None)
    event = SubscriptionEnded(
        **rules.named(ended),
        ended_on=served_until,
        cause="terms" if ended.cancel_reason is None else "cancelled",
        credited=proration.total(unused, ended.currency),
        credit_left=ended.balance,
        reason=ended.cancel_reason,
    )
    ended, moved = rules.revenue(ended, "churn", day)
    return rules.told(ended, now, day, [("ended", event), *moved], reason=ended.cancel_reason, by=by)
