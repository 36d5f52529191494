"""The delivery of one order: a promise to the customer, the work, and its end; or its cancellation before it began.

What is handed over of it is in `handover`, the plan of it in `plan`.

A delivery is either completed or cancelled, never both: whoever locks it first decides. News from the order that comes
late or again changes nothing; people who ask for what is no longer possible get `WrongTransition`.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound, NotYet, WrongTransition
from ltc_contracts.events import (
    Customer,
    DeliveryCancelled,
    DeliveryProgressed,
    DeliveryPromised,
    Event,
    OrderConfirmed,
)
from ltc_contracts.money import Money

State = Literal["planned", "in_progress", "completed", "cancelled"]
CancellationState = Literal["granted", "refused"]
Invoicing = Literal["on_delivery", "on_confirmation"]

# A delivery of one hand-over goes from planned to completed. Nothing leads from in_progress to cancelled: cancelling is free only
# before anything is delivered, and work that has begun counts as such, also at 0 %.
TRANSITIONS: dict[State, frozenset[State]] = {
    "planned": frozenset({"in_progress", "completed", "cancelled"}),
    "in_progress": frozenset({"in_progress", "completed"}),
    "completed": frozenset(),
    "cancelled": frozenset(),
}
OPEN: frozenset[State] = frozenset({"planned", "in_progress"})


class DeliveryNotFound(NotFound):
    """No delivery has this id."""

    def __init__(self, delivery_id: UUID) -> None:
        super().__init__(f"no delivery {delivery_id}")


class DeliveryNotKnownYet(NotYet):
    """A fact about an order came before its confirmation."""

    def __init__(self, order_id: UUID) -> None:
        super().__init__(f"no delivery is planned for order {order_id} yet")


class ProgressGoesBack(DomainError):
    """Less was reported than is already done."""

    def __init__(self, percent: Decimal, reported: Decimal) -> None:
        super().__init__(f"{percent:f} % are done already, got {reported:f} %", field="percent")


class ProgressIsCounted(DomainError):
    """Once something is handed over, how much is done follows from the quantities and is not set by hand."""

    def __init__(self, order_number: str) -> None:
        super().__init__(f"what is delivered of order {order_number} is counted from its hand-overs by now", field="percent")


class PromiseInThePast(Invalid):
    """Nobody can keep a promise for a day that is over."""

    def __init__(self, promised_on: date, today: date) -> None:
        super().__init__(f"{promised_on} is before today, {today}", field="promised_on")


class CompletedInTheFuture(Invalid):
    """A completion is a fact, so it lies behind us."""

    def __init__(self, completed_at: datetime, now: datetime) -> None:
        super().__init__(f"{completed_at.isoformat()} is after now, {now.isoformat()}", field="completed_at")


class CompletedBeforePlanned(Invalid):
    """A delivery cannot end before it exists."""

    def __init__(self, completed_at: datetime, created_at: datetime) -> None:
        super().__init__(
            f"{completed_at.isoformat()} is before the delivery was planned, {created_at.isoformat()}", field="completed_at"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancellation:
    """What was decided on the customer's (last) request."""

    state: CancellationState
    reason: str
    requested_at: datetime
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """One version of the day promised; `reason` is why it was another one than before, as the customer is told."""

    version: int
    promised_on: date
    promised_at: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The head of a delivery; its plan (lines, steps, hand-overs) stays beside it, as do earlier promises. `note` is the last one given.

    `version` counts events: each has one of its own; `changes` counts the changes of the order that were granted.
    """

    id: UUID
    flow_id: UUID
    version: int
    order_id: UUID
    order_number: str
    state: State
    customer: Customer
    net: Money
    payment_terms_days: int
    promised_on: date
    promise_version: int
    invoicing: Invoicing = "on_delivery"
    ship_complete: bool = False
    period_from: date | None = None
    period_until: date | None = None
    handovers: int = 0
    changes: int = 0
    attempts: int = 0
    last_handed_over_at: datetime | None = None
    percent: Decimal = Decimal(0)
    note: str | None = None
    completed_at: datetime | None = None
    on_time: bool | None = None
    cancellation: Cancellation | None = None
    created_at: datetime
    updated_at: datetime


Decision = tuple[Delivery, list[Event]]


def plan(order: OrderConfirmed, *, delivery_id: UUID, flow_id: UUID, now: datetime, promised_on: date | None = None) -> Decision:
    """A confirmed order is to be delivered; its promised day (or a later one that is said) is the first promise."""
    delivery = Delivery(
        id=delivery_id,
        flow_id=flow_id,
        version=1,
        order_id=order.order_id,
        order_number=order.number,
        state="planned",
        customer=order.customer,
        net=order.net,
        payment_terms_days=order.payment_terms_days,
        promised_on=promised_on or order.promised_on,
        promise_version=1,
        invoicing=order.invoicing,
        ship_complete=order.ship_complete,
        period_from=order.period_from,
        period_until=order.period_until,
        created_at=now,
        updated_at=now,
    )
    return delivery, [_promised(delivery)]


def promise(delivery: Delivery, promised_on: date, now: datetime, *, reason: str | None = None) -> Decision:
    """Promise another day, as a new version, for a `reason` that the customer is told. The day already promised is no new promise.

    Raises `PromiseInThePast`.
    """
    require_open(delivery, "promise")
    if promised_on < now.date():
        raise PromiseInThePast(promised_on, now.date())
    if promised_on == delivery.promised_on:
        return delivery, []
    was = delivery.promised_on
    delivery = touch(replace(delivery, promised_on=promised_on, promise_version=delivery.promise_version + 1), now)
    return delivery, [_promised(delivery, was=was, reason=reason)]


def progress(delivery: Delivery, percent: Decimal, note: str | None, now: datetime) -> Decision:
    """Work went on, or began (also at 0 %). 100 % does not complete. The same report again changes nothing.

    Raises `ProgressGoesBack`, `ProgressIsCounted`.
    """
    begun = move(delivery, "in_progress", "progress", now)
    if delivery.handovers:
        raise ProgressIsCounted(delivery.order_number)
    if percent < delivery.percent:
        raise ProgressGoesBack(delivery.percent, percent)
    if delivery.state == "in_progress" and percent == delivery.percent and note in (None, delivery.note):
        return delivery, []
    event = DeliveryProgressed(delivery_id=delivery.id, order_id=delivery.order_id, percent=percent, note=note)
    return replace(begun, percent=percent, note=note or delivery.note), [event]


def decide_cancellation(
    delivery: Delivery, reason: str, requested_at: datetime, now: datetime, *, made: bool = False
) -> Decision:
    """The customer wants out: granted before anything has begun or was `made` for them, else refused, on record.

    After the end it is too late.
    """
    decided = delivery.cancellation
    if delivery.state not in OPEN or (decided is not None and requested_at <= decided.requested_at):
        return delivery, []
    if delivery.state == "in_progress" or made:
        refused = Cancellation(state="refused", reason=reason, requested_at=requested_at, decided_at=now)
        return touch(replace(delivery, cancellation=refused), now), []
    granted = Cancellation(state="granted", reason=reason, requested_at=requested_at, decided_at=now)
    event = DeliveryCancelled(delivery_id=delivery.id, order_id=delivery.order_id, reason=reason)
    return replace(move(delivery, "cancelled", "cancel", now), cancellation=granted), [event]


def _promised(delivery: Delivery, *, was: date | None = None, reason: str | None = None) -> DeliveryPromised:
    return DeliveryPromised(
        delivery_id=delivery.id,
        order_id=delivery.order_id,
        promised_on=delivery.promised_on,
        promise_version=delivery.promise_version,
        was=was,
        reason=reason,
    )


def require_open(delivery: Delivery, verb: str) -> None:
    """Raises `WrongTransition` for a delivery that has ended."""
    if delivery.state not in OPEN:
        raise WrongTransition(_name(delivery), delivery.state, verb)


def move(delivery: Delivery, to: State, verb: str, now: datetime) -> Delivery:
    """Its next version, in another state. Raises `WrongTransition`."""
    if to not in TRANSITIONS[delivery.state]:
        raise WrongTransition(_name(delivery), delivery.state, verb)
    return touch(replace(delivery, state=to), now)


def touch(delivery: Delivery, now: datetime) -> Delivery:
    """Its next version."""
    return replace(delivery, version=delivery.version + 1, updated_at=now)


def _name(delivery: Delivery) -> str:
    return f"the delivery of order {delivery.order_number}"
