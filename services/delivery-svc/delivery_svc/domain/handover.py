"""Hand-overs: what the customer got, part by part; with the last one the delivery is complete.

Each part is worth what the line is worth with it less what it is worth without it, so that parts add up to the line to the cent.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound
from ltc_contracts.events import DeliveryCompleted, DeliveryHandedOver, DeliveryProgressed, Event, HandedLine
from ltc_contracts.money import Money

from delivery_svc.domain.delivery import CompletedBeforePlanned, CompletedInTheFuture, Delivery, move, require_open
from delivery_svc.domain.plan import NONE, Plan, PlannedLine, end_steps, hand


class HandoverNotFound(NotFound):
    """The delivery has no such hand-over."""

    def __init__(self, handover_id: UUID) -> None:
        super().__init__(f"this delivery has no hand-over {handover_id}", field="handover_id")


class LineNotInDelivery(Invalid):
    """The delivery has no such line (any more), or it was named twice."""

    def __init__(self, line_id: UUID) -> None:
        super().__init__(f"line {line_id} is not in this delivery, or named twice", field="lines")


class TooMuchHandedOver(DomainError):
    """More than is left and the allowance lets pass."""

    def __init__(self, line: PlannedLine, quantity: Decimal) -> None:
        most = max(Decimal(0), Decimal(0) if line.closed else line.most)
        super().__init__(f"at most {_plain(most)} of {line.line.sku} can be handed over, got {_plain(quantity)}", field="lines")
        self.most = most

    def members(self) -> dict[str, str]:
        return {"most": _plain(self.most)}


class ShortBeyondAllowance(DomainError):
    """A line cannot be closed while more is missing than its allowance lets pass, nor while nothing of it was delivered.

    What was paid in advance is never short: change the order, so that the rest is credited.
    """

    def __init__(self, line: PlannedLine, *, prepaid: bool) -> None:
        most = Decimal(0) if prepaid or not line.handed_over else line.short
        super().__init__(
            f"{_plain(line.left)} of {line.line.sku} would be missing, {_plain(most)} may be; deliver them, or change the order",
            field="lines",
        )


class NoSuchOpenStep(Invalid):
    """The line has no such step that hands over and is open."""

    def __init__(self, step_id: UUID) -> None:
        super().__init__(f"no open step {step_id} of this line hands over", field="step_id")


class ShipsComplete(DomainError):
    """The customer takes everything in one hand-over, or nothing."""

    def __init__(self, order_number: str) -> None:
        super().__init__(f"order {order_number} is handed over whole: name every line with all that is left", field="lines")


class NothingHandedOver(Invalid):
    """A hand-over without anything is none."""

    def __init__(self) -> None:
        super().__init__("name at least one line with a quantity", field="lines")


class HandoverInTheFuture(Invalid):
    """A hand-over is a fact, so it lies behind us."""

    def __init__(self, at: datetime, now: datetime) -> None:
        super().__init__(f"{at.isoformat()} is after now, {now.isoformat()}", field="handed_over_at")


class HandoverBeforePlanned(Invalid):
    """Nothing is handed over before the delivery exists."""

    def __init__(self, at: datetime, created_at: datetime) -> None:
        super().__init__(f"{at.isoformat()} is before the delivery was planned, {created_at.isoformat()}", field="handed_over_at")


@dataclass(frozen=True, slots=True)
class Part:
    """So much of a line. `final`: nothing more of it comes, within the allowance. `step_id` is done before the line's other steps."""

    line_id: UUID
    quantity: Decimal
    final: bool = False
    step_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedPart:
    """A part as it was handed over; `delivered_before` is what the customer had of the line by then."""

    line_id: UUID
    quantity: Decimal
    delivered_before: Decimal
    net: Money
    final: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """One hand-over. `last`: nothing was left after it."""

    id: UUID
    delivery_id: UUID
    number: int
    handed_over_at: datetime
    net: Money
    last: bool
    note: str | None
    recorded_by: str
    recorded_at: datetime
    parts: tuple[HandedPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Handing:
    """What was decided: delivery and plan as they are then, the hand-over, and what is told."""

    delivery: Delivery
    plan: Plan
    handover: Handover
    events: list[Event]


def hand_over(
    delivery: Delivery,
    plan: Plan,
    parts: Sequence[Part],
    *,
    handover_id: UUID,
    at: datetime | None,
    now: datetime,
    by: str,
    note: str | None = None,
    proof_sha256: str | None = None,
) -> Handing:
    """The customer got these parts.

    Raises `WrongTransition`, `HandoverInTheFuture`, `HandoverBeforePlanned`, `NothingHandedOver`, `LineNotInDelivery`,
    `NoSuchOpenStep`, `TooMuchHandedOver`, `ShortBeyondAllowance`, `ShipsComplete`.
    """
    require_open(delivery, "hand over")
    moment = at or now
    if moment > now:
        raise HandoverInTheFuture(moment, now)
    if moment < delivery.created_at:
        raise HandoverBeforePlanned(moment, delivery.created_at)
    moment = moment.astimezone(UTC)
    if not parts:
        raise NothingHandedOver
    told: list[HandedLine] = []
    made: list[HandedPart] = []
    seen: set[UUID] = set()
    for part in parts:
        line = plan.line(part.line_id)
        if line is None or line.id in seen:
            raise LineNotInDelivery(part.line_id)
        seen.add(line.id)
        plan, handed = _hand_part(delivery, plan, line, part)
        told.append(_told(line, handed))
        made.append(handed)
    if delivery.ship_complete and not plan.complete:
        raise ShipsComplete(delivery.order_number)
    net = Money.total((part.net for part in made), delivery.net.currency)
    last_at = max(delivery.last_handed_over_at or moment, moment)
    number = delivery.handovers + 1
    handover = Handover(
        id=handover_id,
        delivery_id=delivery.id,
        number=number,
        handed_over_at=moment,
        net=net,
        last=plan.complete,
        note=note,
        recorded_by=by,
        recorded_at=now,
        parts=tuple(made),
    )
    event = DeliveryHandedOver(
        delivery_id=delivery.id,
        handover_id=handover_id,
        number=number,
        order_id=delivery.order_id,
        order_number=delivery.order_number,
        customer=delivery.customer,
        lines=tuple(told),
        net=net,
        payment_terms_days=delivery.payment_terms_days,
        invoicing=delivery.invoicing,
        promised_on=delivery.promised_on,
        handed_over_at=moment,
        last=plan.complete,
        proof_sha256=proof_sha256,
    )
    delivery = replace(delivery, handovers=number, last_handed_over_at=last_at)
    delivery = move(delivery, "completed" if plan.complete else "in_progress", "hand over", now)
    delivery, then = follow(delivery, plan, now, note=note)
    return Handing(delivery=delivery, plan=plan, handover=handover, events=[event, *then])


def follow(delivery: Delivery, plan: Plan, now: datetime, *, note: str | None = None) -> tuple[Delivery, list[Event]]:
    """What quantities say of the whole: how much is done, or that everything is. One further event, one further version.

    On time means: by the end of the day (UTC) of the latest promise. That is the day the event carries as `promised_on`; every
    version is kept and published, so that OTIF can be measured against each.
    """
    delivery = replace(delivery, version=delivery.version + 1, updated_at=now, note=note or delivery.note)
    if not plan.complete:
        progressed = DeliveryProgressed(delivery_id=delivery.id, order_id=delivery.order_id, percent=plan.percent, note=note)
        return replace(delivery, percent=plan.percent), [progressed]
    moment = delivery.last_handed_over_at or now
    on_time = moment.date() <= delivery.promised_on
    surplus = [line.surplus for line in plan.lines]
    completed = DeliveryCompleted(
        delivery_id=delivery.id,
        order_id=delivery.order_id,
        order_number=delivery.order_number,
        customer=delivery.customer,
        lines=plan.ordered,
        net=delivery.net,
        payment_terms_days=delivery.payment_terms_days,
        promised_on=delivery.promised_on,
        completed_at=moment,
        on_time=on_time,
        parts_told=True,
        handovers=delivery.handovers,
        handed=_money(delivery, (line.handed_net for line in plan.lines)),
        short=_money(delivery, (-each for each in surplus if each < 0)),
        beyond=_money(delivery, (each for each in surplus if each > 0)),
        changes=delivery.changes,
    )
    return replace(delivery, percent=Decimal(100), completed_at=moment, on_time=on_time), [completed]


def everything_left(plan: Plan) -> tuple[Part, ...]:
    """All that is still to be handed over, in one go."""
    return tuple(Part(line.id, line.left) for line in plan.wanted if line.left)


def require_completion_time(delivery: Delivery, at: datetime | None, now: datetime) -> None:
    """Raises `CompletedInTheFuture`, `CompletedBeforePlanned`."""
    if at is not None and at > now:
        raise CompletedInTheFuture(at, now)
    if at is not None and at < delivery.created_at:
        raise CompletedBeforePlanned(at, delivery.created_at)


def require_may_be_short(delivery: Delivery, line: PlannedLine) -> None:
    """What is left of a line may be missing for good. Raises `ShortBeyondAllowance`."""
    if line.left > line.short or not line.handed_over or delivery.invoicing == "on_confirmation":
        raise ShortBeyondAllowance(line, prepaid=delivery.invoicing == "on_confirmation")


def _hand_part(delivery: Delivery, plan: Plan, line: PlannedLine, part: Part) -> tuple[Plan, HandedPart]:
    if part.quantity > line.most or line.closed:
        raise TooMuchHandedOver(line, part.quantity)
    mine = (step for step in plan.steps if step.line_id == line.id and step.hands_over and step.open)
    if part.step_id is not None and part.step_id not in {step.id for step in mine}:
        raise NoSuchOpenStep(part.step_id)
    net = line.worth(line.held + part.quantity) - line.worth(line.held)
    handed = HandedPart(line_id=line.id, quantity=part.quantity, delivered_before=line.held, net=net, final=part.final)
    plan = hand(plan, line.id, part.quantity, first=part.step_id)
    after = replace(line, handed_over=line.handed_over + part.quantity, handed_net=line.handed_net + net.amount)
    if part.final and after.left:
        require_may_be_short(delivery, after)
        after = replace(after, closed=True)
    plan = plan.with_line(after)
    return (plan if after.left else end_steps(plan, line.id)), handed


def _told(line: PlannedLine, part: HandedPart) -> HandedLine:
    told = line.line.model_dump() | {"quantity": part.quantity, "net": part.net, "delivered_before": part.delivered_before}
    return HandedLine.model_validate(told)


def _money(delivery: Delivery, amounts: Iterable[Decimal]) -> Money:
    return Money.of(sum(amounts, NONE), delivery.net.currency)


def _plain(quantity: Decimal) -> str:
    return format(quantity.normalize(), "f")
