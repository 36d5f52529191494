"""Other lines for a subscription, up or down: assessed first, at once by the day or with the next period."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Literal

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Event, Line, SubscriptionChanged
from ltc_contracts.money import Money

from order_svc.domain import proration
from order_svc.domain import subscription as rules
from order_svc.domain.proration import Bill
from order_svc.domain.recurring import Period, monthly
from order_svc.domain.subscription import Pending, Purchase, Step, Subscription

When = Literal["now", "renewal"]


class AssessmentOutdated(DomainError):
    """What was shown counts for another day than today; have it assessed again."""

    def __init__(self, day: date) -> None:
        super().__init__(f"it would count from {day} by now; have it assessed again", field="effective_on")


class NoFurtherPeriod(DomainError):
    """The subscription ends before another period begins."""

    def __init__(self, number: str, ends_on: date) -> None:
        super().__init__(f"subscription {number} ends on {ends_on}; no period begins after that", field="when")


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a change would do. `unused` and `rest` are the same days by the old and the new lines; `credited` and `charged` their parts
    by line: what becomes less, and what comes on top. `bill` is the order at once, None where nothing comes on top."""

    effective_on: date
    unused: Money
    rest: Money
    credited: Money
    charged: Money
    bill: Bill | None
    step: Step

    @property
    def due_now(self) -> Money:
        return Money.zero(self.charged.currency) if self.bill is None else self.bill.net

    @property
    def credit_used(self) -> Money:
        return self.charged - self.due_now


def assess(
    subscription: Subscription,
    lines: tuple[Line, ...],
    when: When,
    now: datetime,
    *,
    reason: str | None = None,
    by: str | None = None,
) -> Assessment:
    """What becomes of it by these lines, with the step that does it. Raises `Invalid`, `NoFurtherPeriod`, `WrongTransition`.

    A change replaces the one that waits for the next period; the lines as they are, with the next period, take that back.
    """
    changed = rules.move(subscription, "change")
    rules.require_sound(subscription.customer, lines, subscription.rhythm.interval)
    if lines[0].net.currency != subscription.currency:
        raise Invalid(f"the subscription is in {subscription.currency}", field="lines")
    if lines == subscription.lines and (when == "now" or subscription.pending is None):
        raise Invalid("these are its lines already", field="lines")
    return _at_once(changed, lines, now, reason, by) if when == "now" else _with_renewal(changed, lines, now, reason, by)


def _at_once(
    subscription: Subscription, lines: tuple[Line, ...], now: datetime, reason: str | None, by: str | None
) -> Assessment:
    today, currency = now.date(), subscription.currency
    assert subscription.charged_until is not None
    part = Period(today, subscription.charged_until)
    difference = proration.difference(subscription.lines, lines, subscription.rhythm.period(today), part)
    credit = proration.with_credit(subscription.credit, difference.credits)
    bill = proration.bill(difference.charges, credit, currency)
    changed = replace(subscription, lines=lines, pending=None, credit=bill.left)
    credited = proration.total(difference.credits, currency)
    event = _event(subscription, changed, today, credited, bill.charged, bill.used, reason, by)
    ordered = None
    if bill.lines:
        ordered = Purchase(
            kind="change",
            period=part,
            bill=bill,
            external_ref=rules.reference(subscription, "change", today),
            without=proration.with_credit(subscription.credit, rules.not_served(subscription, today)),
        )
    changed, moved = rules.revenue(changed, None, today)
    return Assessment(
        effective_on=today,
        unused=difference.worth_before,
        rest=difference.worth_after,
        credited=credited,
        charged=bill.charged,
        bill=bill if bill.lines else None,
        step=rules.told(changed, now, today, [("changed", event), *moved], reason=reason, by=by, ordered=ordered),
    )


def _with_renewal(
    subscription: Subscription, lines: tuple[Line, ...], now: datetime, reason: str | None, by: str | None
) -> Assessment:
    assert subscription.charged_until is not None
    day, nothing = rules.day_after(subscription.charged_until), Money.zero(subscription.currency)
    if subscription.ends_on is not None and day > subscription.ends_on:
        raise NoFurtherPeriod(subscription.number, subscription.ends_on)
    taken_back = lines == subscription.lines
    pending = None if taken_back else Pending(lines=lines, effective_on=day, reason=reason, by=by)
    what = "change_taken_back" if taken_back else "change_scheduled"
    return Assessment(
        effective_on=day,
        unused=nothing,
        rest=nothing,
        credited=nothing,
        charged=nothing,
        bill=None,
        step=rules.told(replace(subscription, pending=pending), now, day, [(what, None)], reason=reason, by=by),
    )


def apply_pending(subscription: Subscription, day: date) -> tuple[Subscription, list[tuple[str, Event | None]]]:
    """The lines that wait for this day count; nothing of what is charged already is touched."""
    pending = subscription.pending
    if pending is None or day < pending.effective_on:
        return subscription, []
    changed, nothing = replace(subscription, lines=pending.lines, pending=None), Money.zero(subscription.currency)
    event = _event(subscription, changed, day, nothing, nothing, nothing, pending.reason, pending.by)
    return changed, [("changed", event)]


def monthly_after(subscription: Subscription, lines: Sequence[Line]) -> Money:
    """What it will be per month by these lines."""
    return monthly(rules.net_of(lines), subscription.rhythm.interval)


def _event(
    subscription: Subscription,
    changed: Subscription,
    day: date,
    credited: Money,
    charged: Money,
    used: Money,
    reason: str | None,
    by: str | None,
) -> SubscriptionChanged:
    return SubscriptionChanged(
        **rules.named(changed),
        effective_on=day,
        before=subscription.lines,
        lines=changed.lines,
        net=changed.net,
        credited=credited,
        charged=charged,
        credit_used=used,
        ordered=charged - used,
        credit_left=changed.balance,
        reason=reason,
        changed_by=by,
    )
