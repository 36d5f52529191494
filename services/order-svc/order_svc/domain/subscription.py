"""The subscription: an agreement that makes an order for each of its periods.

Every verb (`renewal`, `amendment`, `suspension`, `termination`, `lapse`) returns a `Step`: the subscription after it, what is told of it, and
what is to be ordered. Days are business days (UTC); what is due on a day is due as it begins. Money is without tax; a subscription's credit
is what was charged beyond what is served.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound, WrongTransition
from ltc_contracts.events import Customer, Event, Line, SubscriptionRevenueMoved
from ltc_contracts.events.subscription import Movement
from ltc_contracts.money import Money

from order_svc.domain import lines as arithmetic
from order_svc.domain import proration
from order_svc.domain.placement import Invoicing
from order_svc.domain.proration import Bill, Credit
from order_svc.domain.recurring import Interval, Period, Rhythm, monthly

State = Literal["scheduled", "active", "paused", "cancelling", "ended"]
Kind = Literal["renewal", "resume", "change"]

# Of a paused one nothing is served any more, so it ends at once, as does one that has not begun.
TRANSITIONS: dict[State, dict[str, State]] = {
    "scheduled": {"start": "active", "cancel": "ended"},
    "active": {
        "renew": "active",
        "change": "active",
        "pause": "paused",
        "cancel": "cancelling",
        "end": "ended",
        "lapse": "paused",
    },
    "paused": {"resume": "active", "cancel": "ended", "end": "ended", "lapse": "paused"},
    "cancelling": {"renew": "cancelling", "withdraw cancellation": "active", "end": "ended", "lapse": "ended"},
    "ended": {"lapse": "ended"},
}
SERVED: frozenset[State] = frozenset({"active", "cancelling"})
EARLIEST_START_DAYS = 366
LATEST_START_DAYS = 3660


class SubscriptionNotFound(NotFound):
    """No subscription has this id."""

    def __init__(self, subscription_id: UUID) -> None:
        super().__init__(f"no subscription {subscription_id}")


class SubscriptionRefReused(DomainError):
    """The reference names another subscription already: the same system started it with other content."""

    def __init__(self, external_ref: str, number: str) -> None:
        super().__init__(f"'{external_ref}' is subscription {number} already, with other content", field="external_ref")
        self.number = number


class SubscriptionBehind(DomainError):
    """More periods are due than can be ordered while a caller waits; the timer is at it. Try again later."""

    def __init__(self, number: str) -> None:
        super().__init__(f"subscription {number} has periods that are due and not ordered yet; try again later")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Other lines from a day on: the first of a period."""

    lines: tuple[Line, ...]
    effective_on: date
    reason: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """`charged_until` is the last day that was charged (None before the start), `ends_on` the last of service, where it is known.

    `net` of its lines is the price of a whole period; `mrr` is what it is per month while it is served, else nothing.
    """

    id: UUID
    flow_id: UUID
    version: int
    number: str
    state: State
    source: str
    external_ref: str
    contract_id: UUID | None = None
    customer: Customer
    lines: tuple[Line, ...]
    rhythm: Rhythm
    starts_on: date
    ends_on: date | None
    terms: int | None
    notice_days: int
    invoicing: Invoicing
    payment_terms_days: int | None
    mrr: Money
    credit: Credit
    charged_until: date | None = None
    pending: Pending | None = None
    cancel_reason: str | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def currency(self) -> str:
        return self.lines[0].net.currency

    @property
    def net(self) -> Money:
        return net_of(self.lines)

    @property
    def balance(self) -> Money:
        return proration.total(self.credit, self.currency)

    @property
    def next_on(self) -> date | None:
        """The day on which something is due by itself: its start, the next period, its end."""
        if self.state == "ended":
            return None
        if self.state == "scheduled":
            return self.starts_on
        assert self.charged_until is not None
        end = None if self.ends_on is None else day_after(self.ends_on)
        if self.state == "paused":
            return end
        renewal = day_after(self.charged_until)
        return renewal if end is None else min(renewal, end)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase:
    """What is to be ordered, for which days. `without` is the credit there would be if nothing were served from its first day on."""

    kind: Kind
    period: Period
    bill: Bill
    external_ref: str
    without: Credit


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One thing that happened, under the version it made. Without an event it is of interest here only."""

    version: int
    what: str
    effective_on: date
    changed_at: datetime
    event: Event | None = None
    reason: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """The subscription afterwards, what happened, and what is to be ordered for it."""

    subscription: Subscription
    facts: tuple[Fact, ...]
    purchase: Purchase | None = None

    def ordered_as(self, order_id: UUID) -> "Step":
        """The same with the order's id on the events that tell of it."""
        return replace(
            self,
            facts=tuple(
                replace(fact, event=fact.event.model_copy(update={"order_id": order_id}))
                if fact.event is not None and "order_id" in type(fact.event).model_fields
                else fact
                for fact in self.facts
            ),
        )


def format_number(year: int, drawn: int) -> str:
    """`S-2026-000042`."""
    return f"S-{year:04d}-{drawn:06d}"


def day_after(day: date) -> date:
    return day + timedelta(days=1)


def day_before(day: date) -> date:
    return day - timedelta(days=1)


def beginning_of(day: date) -> datetime:
    """The instant at which a business day begins."""
    return datetime.combine(day, time(), UTC)


def net_of(lines: Sequence[Line]) -> Money:
    """The price of a whole period. Raises `Invalid` for more than money can be."""
    return Money.of(Money.total((line.net for line in lines), lines[0].net.currency).amount, lines[0].net.currency)


# Days of a period at most, by which the end of all terms is bounded before it is counted.
_MOST_DAYS = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}
LONGEST_DAYS = 100 * 366


def require_sound(customer: Customer, lines: Sequence[Line], interval: Interval) -> None:
    """Raises `Invalid` for lines that nobody could invoice, of several currencies, or beyond what money can be."""
    if len({line.net.currency for line in lines}) > 1:
        raise Invalid("all lines of a subscription are in one currency", field="lines")
    net = net_of(lines)
    fault = arithmetic.fault(customer, lines, net)
    if fault is not None:
        raise Invalid(fault, field="lines")
    monthly(net, interval)


def agree(
    *,
    subscription_id: UUID,
    flow_id: UUID,
    number: str,
    source: str,
    external_ref: str,
    contract_id: UUID | None,
    customer: Customer,
    lines: tuple[Line, ...],
    interval: Interval,
    starts_on: date | None,
    anchor_day: int | None,
    terms: int | None,
    notice_days: int,
    invoicing: Invoicing,
    payment_terms_days: int | None,
    now: datetime,
    by: str | None = None,
) -> Step:
    """A subscription that begins on a day, today or else; `terms` periods long, or until it is cancelled. Raises `Invalid`."""
    today = now.date()
    starts_on = starts_on or today
    if not today - timedelta(days=EARLIEST_START_DAYS) <= starts_on <= today + timedelta(days=LATEST_START_DAYS):
        raise Invalid(
            f"it starts at most {EARLIEST_START_DAYS} days ago and {LATEST_START_DAYS} days from today", field="starts_on"
        )
    rhythm = Rhythm.beginning(interval, starts_on, anchor_day)
    if terms is not None and terms * interval.count * _MOST_DAYS[interval.unit] > LONGEST_DAYS:
        raise Invalid(f"it ends within {LONGEST_DAYS // 366} years", field="terms")
    require_sound(customer, lines, interval)
    currency = lines[0].net.currency
    subscription = Subscription(
        id=subscription_id,
        flow_id=flow_id,
        version=0,
        number=number,
        state="scheduled",
        source=source,
        external_ref=external_ref,
        contract_id=contract_id,
        customer=customer,
        lines=lines,
        rhythm=rhythm,
        starts_on=starts_on,
        ends_on=end_of_terms(rhythm, starts_on, terms),
        terms=terms,
        notice_days=notice_days,
        invoicing=invoicing,
        payment_terms_days=payment_terms_days,
        mrr=Money.zero(currency),
        credit={},
        created_at=now,
        updated_at=now,
    )
    return told(subscription, now, starts_on, [("agreed", None)], by=by)


def end_of_terms(rhythm: Rhythm, starts_on: date, terms: int | None) -> date | None:
    """The last day of so many periods, of which the first may be shorter."""
    return None if terms is None else day_before(rhythm.start(rhythm.number(starts_on) + terms))


def told(
    subscription: Subscription,
    now: datetime,
    effective_on: date,
    happened: Sequence[tuple[str, Event | None]],
    *,
    reason: str | None = None,
    by: str | None = None,
    ordered: Purchase | None = None,
) -> Step:
    """The step of what happened, each under a version of its own."""
    facts = tuple(
        Fact(version=version, what=what, effective_on=effective_on, changed_at=now, event=event, reason=reason, by=by)
        for version, (what, event) in enumerate(happened, start=subscription.version + 1)
    )
    after = replace(subscription, version=subscription.version + len(facts), updated_at=now)
    return Step(subscription=after, facts=facts, purchase=ordered)


def revenue(subscription: Subscription, kind: Movement | None, day: date) -> tuple[Subscription, list[tuple[str, Event | None]]]:
    """The movement to what it is per month now; nothing when that is the same. Without a kind it went on, for more or for less."""
    before = subscription.mrr
    serves = subscription.state in SERVED
    after = monthly(subscription.net, subscription.rhythm.interval) if serves else Money.zero(subscription.currency)
    if after == before:
        return subscription, []
    event = SubscriptionRevenueMoved(
        subscription_id=subscription.id,
        customer_id=subscription.customer.customer_id,
        kind=kind or ("expansion" if before < after else "contraction"),
        mrr_before=before,
        mrr_after=after,
        delta=after - before,
        effective_on=day,
    )
    return replace(subscription, mrr=after), [("revenue_moved", event)]


def purchase(subscription: Subscription, kind: Kind, first: date) -> tuple[Subscription, Purchase]:
    """Charge the days from `first` to the end of the period, or of the subscription, using its credit."""
    whole = subscription.rhythm.period(first)
    last = whole.last if subscription.ends_on is None else min(whole.last, subscription.ends_on)
    part = Period(first, last)
    charged = proration.bill(proration.for_days(subscription.lines, whole, part), subscription.credit, subscription.currency)
    ordered = Purchase(
        kind=kind,
        period=part,
        bill=charged,
        external_ref=reference(subscription, kind, first),
        without=subscription.credit,
    )
    return replace(subscription, credit=charged.left, charged_until=last), ordered


def reference(subscription: Subscription, kind: Kind, first: date) -> str:
    """What the order is called: a period has one, ever; what comes between has the version that made it."""
    return f"{subscription.id}/{first}" + ("" if kind == "renewal" else f"/{kind}-{subscription.version + 1}")


def not_served(subscription: Subscription, first: date) -> Credit:
    """What was charged for the days from `first` on, in the period that is charged last."""
    assert subscription.charged_until is not None
    if first > subscription.charged_until:
        return {}
    whole = subscription.rhythm.period(first)
    return proration.unused(subscription.lines, whole, Period(first, subscription.charged_until))


def move(subscription: Subscription, verb: str) -> Subscription:
    """The state to which a verb leads. Raises `WrongTransition`."""
    state = subscription.state
    if verb not in TRANSITIONS[state]:
        raise WrongTransition(f"subscription {subscription.number}", state, verb)
    return replace(subscription, state=TRANSITIONS[state][verb])


def named(subscription: Subscription) -> dict[str, Any]:
    """What every event of a subscription says first."""
    return {
        "subscription_id": subscription.id,
        "number": subscription.number,
        "customer_id": subscription.customer.customer_id,
    }
