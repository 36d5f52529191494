"""Returns: what the customer sent back. It is credited, and delivered again only if it is replaced while the delivery is open."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import DeliveryProgressed, DeliveryReturned, Event, ReturnedLine
from ltc_contracts.money import Money

from delivery_svc.domain.delivery import OPEN, Delivery, touch
from delivery_svc.domain.handover import LineNotInDelivery
from delivery_svc.domain.plan import Plan, PlannedLine, Step

Treatment = Literal["restock", "scrap"]


class ReturnBeyondHeld(DomainError):
    """Nobody sends back more than they have."""

    def __init__(self, line: PlannedLine, quantity: Decimal) -> None:
        self.held = format(line.held.normalize(), "f")
        super().__init__(f"the customer has {self.held} of {line.line.sku}, got {quantity:f}", field="lines")

    def members(self) -> dict[str, str]:
        return {"held": self.held}


class ReplacementNeedsOrder(DomainError):
    """Nothing is delivered any more where a delivery (or a line that was closed short) has ended."""

    def __init__(self, order_number: str) -> None:
        super().__init__(
            f"nothing more is delivered for order {order_number}; place an order for the replacement", field="replace"
        )


class ReturnInTheFuture(Invalid):
    """A return is a fact, so it lies behind us."""

    def __init__(self, at: datetime, now: datetime) -> None:
        super().__init__(f"{at.isoformat()} is after now, {now.isoformat()}", field="returned_at")


class ReturnBeforePlanned(Invalid):
    """Nothing comes back before it was planned."""

    def __init__(self, at: datetime, created_at: datetime) -> None:
        super().__init__(f"{at.isoformat()} is before the delivery was planned, {created_at.isoformat()}", field="returned_at")


@dataclass(frozen=True, slots=True)
class Back:
    """So much of a line came back, to be sold again or not."""

    line_id: UUID
    quantity: Decimal
    treatment: Treatment


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnedPart:
    """As it was taken back; `delivered_before` is what the customer had of the line by then."""

    line_id: UUID
    quantity: Decimal
    delivered_before: Decimal
    treatment: Treatment
    net: Money


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsReturn:
    """One return. `replace`: it is delivered again."""

    id: UUID
    delivery_id: UUID
    returned_at: datetime
    reason: str
    replace: bool
    net: Money
    recorded_by: str
    recorded_at: datetime
    parts: tuple[ReturnedPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Returning:
    """What was decided."""

    delivery: Delivery
    plan: Plan
    goods_return: GoodsReturn
    events: list[Event]


def take_back(
    delivery: Delivery,
    plan: Plan,
    parts: Sequence[Back],
    steps_for: Callable[[PlannedLine, Decimal], Sequence[Step]],
    *,
    return_id: UUID,
    reason: str,
    at: datetime | None,
    now: datetime,
    by: str,
    again: bool = False,
) -> Returning:
    """These parts came back. `again`: they are delivered once more, by the steps that `steps_for` makes.

    Raises `WrongTransition`, `ReturnInTheFuture`, `ReturnBeforePlanned`, `LineNotInDelivery`, `ReturnBeyondHeld`, `ReplacementNeedsOrder`.
    """
    if delivery.state == "cancelled":
        raise WrongTransition(f"the delivery of order {delivery.order_number}", delivery.state, "return")
    moment = at or now
    if moment > now:
        raise ReturnInTheFuture(moment, now)
    if moment < delivery.created_at:
        raise ReturnBeforePlanned(moment, delivery.created_at)
    made: list[ReturnedPart] = []
    told: list[ReturnedLine] = []
    for part in parts:
        line = plan.line(part.line_id)
        if line is None or any(each.line_id == line.id for each in made):
            raise LineNotInDelivery(part.line_id)
        if part.quantity > line.held:
            raise ReturnBeyondHeld(line, part.quantity)
        if again and (delivery.state not in OPEN or line.closed):
            raise ReplacementNeedsOrder(delivery.order_number)
        net = line.worth(line.held) - line.worth(line.held - part.quantity)
        back = ReturnedPart(
            line_id=line.id, quantity=part.quantity, delivered_before=line.held, net=net, treatment=part.treatment
        )
        made.append(back)
        told.append(
            ReturnedLine.model_validate(line.line.model_dump() | {name: getattr(back, name) for name in ReturnedPart.__slots__})
        )
        after = replace(
            line,
            returned=line.returned + part.quantity,
            replaced=line.replaced + (part.quantity if again else Decimal(0)),
        )
        plan = plan.with_line(after)
        if after.left > line.left:
            plan = replace(plan, steps=(*plan.steps, *steps_for(after, after.left - line.left)))
    net = Money.total((part.net for part in made), delivery.net.currency)
    goods_return = GoodsReturn(
        id=return_id,
        delivery_id=delivery.id,
        returned_at=moment.astimezone(UTC),
        reason=reason,
        replace=again,
        net=net,
        recorded_by=by,
        recorded_at=now,
        parts=tuple(made),
    )
    event = DeliveryReturned(
        delivery_id=delivery.id,
        return_id=return_id,
        order_id=delivery.order_id,
        order_number=delivery.order_number,
        customer=delivery.customer,
        lines=tuple(told),
        net=net,
        invoicing=delivery.invoicing,
        reason=reason,
        returned_at=goods_return.returned_at,
    )
    delivery, events = touch(delivery, now), [event]
    if delivery.state in OPEN and plan.percent != delivery.percent:
        delivery = touch(replace(delivery, percent=plan.percent), now)
        progressed = DeliveryProgressed(delivery_id=delivery.id, order_id=delivery.order_id, percent=plan.percent)
        return Returning(delivery=delivery, plan=plan, goods_return=goods_return, events=[*events, progressed])
    return Returning(delivery=delivery, plan=plan, goods_return=goods_return, events=[*events])
