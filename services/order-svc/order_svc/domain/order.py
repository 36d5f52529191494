"""The order: the state of the deal between signature and cash.

Facts reach an order on five topics, in any order and more than once. So every function here takes a fact that came late or
again as nothing new (no changes), and refuses only what contradicts a decision already taken (`WrongTransition`).
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, NotFound, NotYet, WrongTransition
from ltc_contracts.events import (
    ContractSigned,
    Customer,
    Event,
    Line,
    OrderCancellationRequested,
    OrderCancelled,
    OrderClosed,
    OrderConfirmed,
    OrderFulfilled,
    OrderReceived,
)
from ltc_contracts.money import CurrencyMismatch, Money

State = Literal["received", "confirmed", "in_progress", "cancelling", "fulfilled", "closed", "cancelled"]
CancellationState = Literal["requested", "granted", "refused"]

# From `cancelling` an order goes back to where it was (refused) or is cancelled (granted); what happens then follows from there.
TRANSITIONS: dict[State, frozenset[State]] = {
    "received": frozenset({"confirmed"}),
    "confirmed": frozenset({"in_progress", "fulfilled", "cancelling", "cancelled"}),
    "in_progress": frozenset({"fulfilled", "cancelling", "cancelled"}),
    "cancelling": frozenset({"confirmed", "in_progress", "cancelled"}),
    "fulfilled": frozenset({"closed"}),
    "closed": frozenset(),
    "cancelled": frozenset(),
}
DELIVERED: frozenset[State] = frozenset({"fulfilled", "closed"})


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
class Order:
    """The head of an order; its lines never change and stay beside it. `collected` is None until an invoice is paid."""

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
    promised_on: date | None = None
    percent_delivered: Decimal = Decimal(0)
    delivery_id: UUID | None = None
    collected: Money | None = None
    cancellation: Cancellation | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def paid(self) -> bool:
        return self.collected is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change of state, under the version it made, with the event that announces it (returning from `cancelling` has none)."""

    version: int
    from_state: State | None
    to_state: State
    changed_at: datetime
    reason: str | None = None
    event: Event | None = None


Decision = tuple[Order, list[Change]]


def format_number(year: int, drawn: int) -> str:
    """`O-2026-000042`."""
    return f"O-{year:04d}-{drawn:06d}"


def promise_day(requested_on: date | None, today: date, rule: PromiseRule) -> date:
    """The requested day when it leaves us our lead time, else the first day that does."""
    earliest = today + timedelta(days=rule.lead_days)
    return requested_on if requested_on is not None and requested_on >= earliest else earliest


def receive(contract: ContractSigned, *, order_id: UUID, flow_id: UUID, number: str, now: datetime) -> Decision:
    """A signed contract becomes an order with the contract's lines, unchanged."""
    order = Order(
        id=order_id,
        flow_id=flow_id,
        version=1,
        number=number,
        state="received",
        contract_id=contract.contract_id,
        customer=contract.customer,
        net=contract.net,
        payment_terms_days=contract.payment_terms_days,
        requested_on=contract.requested_on,
        created_at=now,
        updated_at=now,
    )
    event = OrderReceived(
        order_id=order.id,
        number=order.number,
        contract_id=order.contract_id,
        customer=order.customer,
        lines=contract.lines,
        net=order.net,
        requested_on=order.requested_on,
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
    )
    return _move(replace(order, promised_on=promised_on), "confirmed", "confirm", now, event=event)


def progress(order: Order, percent: Decimal, now: datetime) -> Decision:
    """Delivery has begun or went on. Progress never goes back, and says nothing new about an order that is decided.

    `delivery.cancelled` means that nothing was delivered, so progress is also the answer to a cancellation request: refused.
    """
    if order.state in DELIVERED or order.state == "cancelled":
        return order, []
    if order.state == "in_progress" and percent <= order.percent_delivered:
        return order, []
    order, changes = _refuse_cancellation(order, "delivery has begun", now)
    order = _touch(replace(order, percent_delivered=max(order.percent_delivered, percent)), now)
    if order.state != "in_progress":
        order, begun = _move(order, "in_progress", "progress", now)
        changes += begun
    return order, changes


def fulfil(order: Order, delivery_id: UUID, now: datetime) -> Decision:
    """Everything was delivered. A cancellation still undecided is refused by reality; an order already paid closes at once."""
    if order.state in DELIVERED:
        return order, []
    order, refused = _refuse_cancellation(order, "everything was delivered", now)
    order = replace(order, delivery_id=delivery_id, percent_delivered=Decimal(100))
    event = OrderFulfilled(order_id=order.id, number=order.number, delivery_id=delivery_id)
    order, fulfilled = _move(order, "fulfilled", "fulfil", now, event=event)
    order, closed = _close_when_done(order, now)
    return order, refused + fulfilled + closed


def settle(order: Order, gross: Money, now: datetime) -> Decision:
    """An invoice of this order was paid in full: remember the money; a fulfilled order closes. Call once per invoice.

    Money is a fact in every state. What comes after `closed` adds to `collected` and closes nothing twice.
    """
    if gross.currency != order.net.currency:
        raise CurrencyMismatch(f"order {order.number} is in {order.net.currency}, paid were {gross}", field="currency")
    order = _touch(replace(order, collected=gross if order.collected is None else order.collected + gross), now)
    return _close_when_done(order, now)


def request_cancellation(order: Order, reason: str, now: datetime) -> Decision:
    """The customer wants out; delivery decides. Asking again before the answer changes nothing."""
    if order.state == "cancelling":
        return order, []
    asked = Cancellation(state="requested", reason=reason, requested_at=now, return_to=order.state)
    event = OrderCancellationRequested(order_id=order.id, number=order.number, reason=reason)
    return _move(replace(order, cancellation=asked), "cancelling", "cancel", now, reason=reason, event=event)


def cancel(order: Order, reason: str, now: datetime) -> Decision:
    """Delivery says that nothing was and nothing will be delivered."""
    if order.state == "cancelled":
        return order, []
    asked = order.cancellation
    if asked is not None and asked.state == "requested":
        order = replace(order, cancellation=replace(asked, state="granted", decided_at=now))
    event = OrderCancelled(order_id=order.id, number=order.number, reason=reason, net=order.net)
    return _move(order, "cancelled", "cancel", now, reason=reason, event=event)


def _refuse_cancellation(order: Order, why: str, now: datetime) -> Decision:
    if order.state != "cancelling" or order.cancellation is None:
        return order, []
    refused = replace(order.cancellation, state="refused", decided_at=now)
    return _move(replace(order, cancellation=refused), refused.return_to, "refuse", now, reason=f"cancellation refused: {why}")


def _close_when_done(order: Order, now: datetime) -> Decision:
    if order.state != "fulfilled" or order.collected is None:
        return order, []
    event = OrderClosed(order_id=order.id, number=order.number, collected=order.collected)
    return _move(order, "closed", "close", now, event=event)


def _move(
    order: Order, to: State, move: str, now: datetime, *, reason: str | None = None, event: Event | None = None
) -> Decision:
    if to not in TRANSITIONS[order.state]:
        raise WrongTransition(f"order {order.number}", order.state, move)
    moved = _touch(replace(order, state=to), now)
    change = Change(version=moved.version, from_state=order.state, to_state=to, changed_at=now, reason=reason, event=event)
    return moved, [change]


def _touch(order: Order, now: datetime) -> Order:
    return replace(order, version=order.version + 1, updated_at=now)
