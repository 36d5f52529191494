"""The delivery of one order: a promise to the customer, the work, and its end; or its cancellation before it began.

A delivery is either completed or cancelled, never both: whoever locks it first decides. News from the order that comes
late or again changes nothing; people who ask for what is no longer possible get `WrongTransition`.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound, NotYet, WrongTransition
from ltc_contracts.events import (
    Customer,
    DeliveryCancelled,
    DeliveryCompleted,
    DeliveryProgressed,
    DeliveryPromised,
    Event,
    Line,
    OrderConfirmed,
)
from ltc_contracts.money import Money

State = Literal["planned", "in_progress", "completed", "cancelled"]
CancellationState = Literal["granted", "refused"]

# A delivery of one step goes from planned to completed. Nothing leads from in_progress to cancelled: cancelling is free only
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
    """One version of the day promised."""

    version: int
    promised_on: date
    promised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The head of a delivery; its lines never change and stay beside it, as do earlier promises. `note` is the last one given."""

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
    percent: Decimal = Decimal(0)
    note: str | None = None
    completed_at: datetime | None = None
    on_time: bool | None = None
    cancellation: Cancellation | None = None
    created_at: datetime
    updated_at: datetime


Decision = tuple[Delivery, list[Event]]


def plan(order: OrderConfirmed, *, delivery_id: UUID, flow_id: UUID, now: datetime) -> Decision:
    """A confirmed order is to be delivered; its promised day is the first promise."""
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
        promised_on=order.promised_on,
        promise_version=1,
        created_at=now,
        updated_at=now,
    )
    return delivery, [_promised(delivery)]


def promise(delivery: Delivery, promised_on: date, now: datetime) -> Decision:
    """Promise another day, as a new version. The day already promised is no new promise. Raises `PromiseInThePast`."""
    if delivery.state not in OPEN:
        raise WrongTransition(_name(delivery), delivery.state, "promise")
    if promised_on < now.date():
        raise PromiseInThePast(promised_on, now.date())
    if promised_on == delivery.promised_on:
        return delivery, []
    delivery = _touch(replace(delivery, promised_on=promised_on, promise_version=delivery.promise_version + 1), now)
    return delivery, [_promised(delivery)]


def progress(delivery: Delivery, percent: Decimal, note: str | None, now: datetime) -> Decision:
    """Work went on, or began (also at 0 %). 100 % does not complete. The same report again changes nothing.

    Raises `ProgressGoesBack`.
    """
    begun = _move(delivery, "in_progress", "progress", now)
    if percent < delivery.percent:
        raise ProgressGoesBack(delivery.percent, percent)
    if delivery.state == "in_progress" and percent == delivery.percent and note in (None, delivery.note):
        return delivery, []
    event = DeliveryProgressed(delivery_id=delivery.id, order_id=delivery.order_id, percent=percent, note=note)
    return replace(begun, percent=percent, note=note or delivery.note), [event]


def complete(delivery: Delivery, lines: tuple[Line, ...], completed_at: datetime | None, now: datetime) -> Decision:
    """The customer has everything. On time means: by the end of the day (UTC) of the latest promise.

    That is the day the event carries as `promised_on`; every version is kept and published, so that OTIF can be measured
    against each. Raises `CompletedInTheFuture`, `CompletedBeforePlanned`.
    """
    done = _move(delivery, "completed", "complete", now)
    moment = completed_at or now
    if moment > now:
        raise CompletedInTheFuture(moment, now)
    if moment < delivery.created_at:
        raise CompletedBeforePlanned(moment, delivery.created_at)
    moment = moment.astimezone(UTC)
    on_time = moment.date() <= delivery.promised_on
    event = DeliveryCompleted(
        delivery_id=delivery.id,
        order_id=delivery.order_id,
        order_number=delivery.order_number,
        customer=delivery.customer,
        lines=lines,
        net=delivery.net,
        payment_terms_days=delivery.payment_terms_days,
        promised_on=delivery.promised_on,
        completed_at=moment,
        on_time=on_time,
    )
    return replace(done, percent=Decimal(100), completed_at=moment, on_time=on_time), [event]


def decide_cancellation(delivery: Delivery, reason: str, requested_at: datetime, now: datetime) -> Decision:
    """The customer wants out: granted before anything has begun, else refused, on record. After the end it is too late."""
    decided = delivery.cancellation
    if delivery.state not in OPEN or (decided is not None and requested_at <= decided.requested_at):
        return delivery, []
    if delivery.state == "in_progress":
        refused = Cancellation(state="refused", reason=reason, requested_at=requested_at, decided_at=now)
        return _touch(replace(delivery, cancellation=refused), now), []
    granted = Cancellation(state="granted", reason=reason, requested_at=requested_at, decided_at=now)
    event = DeliveryCancelled(delivery_id=delivery.id, order_id=delivery.order_id, reason=reason)
    return replace(_move(delivery, "cancelled", "cancel", now), cancellation=granted), [event]


def _promised(delivery: Delivery) -> DeliveryPromised:
    return DeliveryPromised(
        delivery_id=delivery.id,
        order_id=delivery.order_id,
        promised_on=delivery.promised_on,
        promise_version=delivery.promise_version,
    )


def _move(delivery: Delivery, to: State, move: str, now: datetime) -> Delivery:
    if to not in TRANSITIONS[delivery.state]:
        raise WrongTransition(_name(delivery), delivery.state, move)
    return _touch(replace(delivery, state=to), now)


def _touch(delivery: Delivery, now: datetime) -> Delivery:
    return replace(delivery, version=delivery.version + 1, updated_at=now)


def _name(delivery: Delivery) -> str:
    return f"the delivery of order {delivery.order_number}"
