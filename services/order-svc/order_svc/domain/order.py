"""The order: the state of the deal between signature and cash.

Facts reach an order on many topics, in any order and more than once. So every function here takes a fact that came late or
again as nothing new (no changes), and refuses only what contradicts a decision already taken (`WrongTransition`).
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, NotFound, NotYet, WrongTransition
from ltc_contracts.events import (
    Customer,
    Event,
    Line,
    OrderConfirmed,
    OrderReceived,
)
from ltc_contracts.money import Money

from order_svc.domain.placement import Invoicing, Placement, Source

State = Literal["received", "held", "confirmed", "in_progress", "cancelling", "fulfilled", "closed", "cancelled"]
CancellationState = Literal["requested", "granted", "refused"]
HoldReason = Literal["validation", "credit", "stock", "manual"]

# From `cancelling` an order goes back to where it was (refused) or is cancelled (granted); what happens then follows from there.
TRANSITIONS: dict[State, frozenset[State]] = {
    "received": frozenset({"held", "confirmed"}),
    # Held for another reason is held anew; nobody was promised anything yet, so it is cancelled without asking delivery.
    "held": frozenset({"held", "confirmed", "cancelled"}),
    "confirmed": frozenset({"in_progress", "fulfilled", "cancelling", "cancelled"}),
    "in_progress": frozenset({"fulfilled", "cancelling", "cancelled"}),
    "cancelling": frozenset({"confirmed", "in_progress", "cancelled"}),
    "fulfilled": frozenset({"closed"}),
    "closed": frozenset(),
    "cancelled": frozenset(),
}
DELIVERED: frozenset[State] = frozenset({"fulfilled", "closed"})
# Bound, so that it weighs on the customer's credit until it is invoiced.
BOUND: frozenset[State] = frozenset({"confirmed", "in_progress", "cancelling", "fulfilled"})


class OrderNotFound(NotFound):
    """No order has this id."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"no order {order_id}")


class OrderNotKnownYet(NotYet):
    """A fact about an order came before the contract that makes it."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"order {order_id} is not known yet")


class NoPromiseRule(DomainError):
    """No rule says how long a delivery takes on this day."""

    def __init__(self, day: date) -> None:
        super().__init__(f"no promise rule is in force on {day}")


class ChangePending(DomainError):
    """A change of the order is being decided; one at a time."""

    def __init__(self, order: "Order") -> None:
        super().__init__(f"order {order.number} waits for delivery's answer to a change; ask again when it is decided")
        self.change_id = order.change.id if order.change else None

    def members(self) -> dict[str, Any]:
        return {"change_id": str(self.change_id)}


@dataclass(frozen=True, slots=True)
class PromiseRule:
    """How many days we need from confirmation to delivery."""

    lead_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """The customer's (last) wish to get out, and what became of it. `return_to` is the state to go back to when refused."""

    state: CancellationState
    reason: str
    requested_at: datetime
    return_to: State
    decided_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why the order waits before we bind ourselves, and since when. `wish` is why a person (`by`) wants it to; else checks did it."""

    reasons: tuple[HoldReason, ...]
    detail: str
    since: datetime
    wish: str | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingChange:
    """What the order shall become, asked of delivery and not answered yet; `net` and `gross` are what it would be worth then."""

    id: UUID
    requested_at: datetime
    reason: str
    net: Money
    gross: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestones:
    """When things happened, by the times of the events that told it; the earliest of each, so that their order of arrival is nothing."""

    confirmed_at: datetime | None = None
    promised_at: datetime | None = None
    delivered_at: datetime | None = None
    invoiced_at: datetime | None = None
    paid_at: datetime | None = None
    cancelled_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """The head of an order; its lines stay beside it, and `lines_version` counts what they were. `collected` is None until an invoice is paid;
    then it is the money of the paid invoices less what was credited or refunded of it since.

    `gross`, `invoiced` (`invoiced_net` without tax) and `credited` are what it is worth, was claimed and was taken back;
    `reduced` (`reduced_net`) is what of that was taken back because the order was changed, so that it may be claimed anew.
    `handed_net` is the worth of the `handovers` that were told, of `handovers_told` in all (None: not told in parts, or not yet);
    `unpaid` counts the invoices that claim something still (below zero: paid before they were told).
    `waived` are checks that a person took the risk of. `lines_changed_at` is when delivery granted the last change.
    """

    id: UUID
    flow_id: UUID
    version: int
    number: str
    state: State
    contract_id: UUID
    customer: Customer
    net: Money
    payment_terms_days: int
    requested_on: date | None
    source: Source = "contract"
    external_ref: str | None = None
    invoicing: Invoicing = "on_delivery"
    ship_complete: bool = False
    subscription_id: UUID | None = None
    period_from: date | None = None
    period_until: date | None = None
    gross: Money
    invoiced: Money
    invoiced_net: Money
    credited: Money
    reduced: Money
    reduced_net: Money
    handed_net: Money
    handovers: int = 0
    handovers_told: int | None = None
    unpaid: int = 0
    hold: Hold | None = None
    waived: frozenset[HoldReason] = frozenset()
    milestones: Milestones = Milestones()
    promised_on: date | None = None
    percent_delivered: Decimal = Decimal(0)
    delivery_id: UUID | None = None
    collected: Money | None = None
    cancellation: Cancellation | None = None
    lines_version: int = 1
    lines_changed_at: datetime | None = None
    change: PendingChange | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def paid(self) -> bool:
        return self.collected is not None

    @property
    def settled(self) -> bool:
        """What the customer got (or paid for in advance) is invoiced, all of it, and nothing of it is open; in whatever order it was told."""
        if self.collected is None or self.unpaid != 0 or self.change is not None:
            return False
        if self.handovers_told is not None:
            if self.handovers < self.handovers_told:
                return False
            if self.invoicing == "on_delivery":
                return self.handed_net <= self.invoiced_net
            # Paid in advance: what is handed over beyond it replaces what came back, and is invoiced as well.
            if self.net < self.handed_net:
                return self.handed_net <= self.invoiced_net - self.reduced_net
        return self.net <= self.invoiced_net - self.reduced_net


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of state, under the version it made, with the event that announces it (returning from `cancelling` has none).

    `by` is who did it, where a person did.
    """

    version: int
    from_state: State | None
    to_state: State
    changed_at: datetime
    reason: str | None = None
    by: str | None = None
    event: Event | None = None


Decision = tuple[Order, list[Change]]


def format_number(year: int, drawn: int) -> str:
    """`O-2026-000042`."""
    return f"O-{year:04d}-{drawn:06d}"


def promise_day(requested_on: date | None, today: date, rule: PromiseRule) -> date:
    """The requested day when it leaves us our lead time, else the first day that does."""
    earliest = today + timedelta(days=rule.lead_days)
    return requested_on if requested_on is not None and requested_on >= earliest else earliest


def receive(placement: Placement, *, order_id: UUID, flow_id: UUID, number: str, now: datetime) -> Decision:
    """What was placed becomes an order with its lines, unchanged."""
    nothing = Money.zero(placement.net.currency)
    order = Order(
        id=order_id,
        flow_id=flow_id,
        version=1,
        number=number,
        state="received",
        contract_id=placement.contract_id,
        customer=placement.customer,
        net=placement.net,
        payment_terms_days=placement.payment_terms_days or 0,
        requested_on=placement.requested_on,
        source=placement.source,
        external_ref=placement.external_ref,
        invoicing=placement.invoicing,
        ship_complete=placement.ship_complete,
        subscription_id=placement.subscription_id,
        period_from=placement.period_from,
        period_until=placement.period_until,
        gross=placement.gross,
        invoiced=nothing,
        invoiced_net=nothing,
        credited=nothing,
        reduced=nothing,
        reduced_net=nothing,
        handed_net=nothing,
        created_at=now,
        updated_at=now,
    )
    event = OrderReceived(
        order_id=order.id,
        number=order.number,
        contract_id=order.contract_id,
        customer=order.customer,
        lines=placement.lines,
        net=order.net,
        requested_on=order.requested_on,
        source=order.source,
        external_ref=order.external_ref,
        invoicing=order.invoicing,
        ship_complete=order.ship_complete,
        subscription_id=order.subscription_id,
        period_from=order.period_from,
        period_until=order.period_until,
    )
    return order, [Change(version=1, from_state=None, to_state="received", changed_at=now, event=event)]


def confirm(order: Order, lines: tuple[Line, ...], rule: PromiseRule, now: datetime) -> Decision:
    """We bind ourselves to deliver by a day."""
    promised_on = promise_day(order.requested_on, now.date(), rule)
    event = OrderConfirmed(
        order_id=order.id,
        number=order.number,
        contract_id=order.contract_id,
        customer=order.customer,
        lines=lines,
        net=order.net,
        payment_terms_days=order.payment_terms_days,
        requested_on=order.requested_on,
        promised_on=promised_on,
        source=order.source,
        external_ref=order.external_ref,
        invoicing=order.invoicing,
        ship_complete=order.ship_complete,
        subscription_id=order.subscription_id,
        period_from=order.period_from,
        period_until=order.period_until,
    )
    times = replace(order.milestones, confirmed_at=now)
    return move(replace(order, promised_on=promised_on, milestones=times), "confirmed", "confirm", now, event=event)


def move(
    order: Order,
    to: State,
    verb: str,
    now: datetime,
    *,
    reason: str | None = None,
    by: str | None = None,
    event: Event | None = None,
) -> Decision:
    """The change of state with its event. Raises `WrongTransition`."""
    if to not in TRANSITIONS[order.state]:
        raise WrongTransition(f"order {order.number}", order.state, verb)
    moved = touch(replace(order, state=to), now)
    change = Change(version=moved.version, from_state=order.state, to_state=to, changed_at=now, reason=reason, by=by, event=event)
    return moved, [change]


def touch(order: Order, now: datetime) -> Order:
    """Its next version."""
    return replace(order, version=order.version + 1, updated_at=now)
