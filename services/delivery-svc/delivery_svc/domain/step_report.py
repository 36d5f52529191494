"""Work on a delivery that hands nothing over: what people report of a step, and lines that end short."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound
from ltc_contracts.events import DeliveryProgressed, Event

from delivery_svc.domain.delivery import Delivery, move, require_open
from delivery_svc.domain.handover import LineNotInDelivery, follow, require_may_be_short
from delivery_svc.domain.plan import OPEN_STEP, Plan, advance, end_steps
from delivery_svc.domain.plan import move as move_step


class StepNotFound(NotFound):
    """The delivery has no such step."""

    def __init__(self, step_id: UUID) -> None:
        super().__init__(f"no step {step_id}")


class StepHandsOver(DomainError):
    """What the customer gets is told by a hand-over, never by the step alone."""

    def __init__(self, kind: str) -> None:
        super().__init__(f"this {kind} is what hands over; record a hand-over", field="step_id")


class StepHasEnded(DomainError):
    """Nothing more is done for a step that is done or cancelled."""

    def __init__(self, state: str) -> None:
        super().__init__(f"the step is {state}", field="step_id")


class StepGoesBack(DomainError):
    """Less was reported than is already done."""

    def __init__(self, done: Decimal, reported: Decimal) -> None:
        super().__init__(f"{done:f} are done already, got {reported:f}", field="done")


def report(
    delivery: Delivery, plan: Plan, step_id: UUID, done: Decimal, note: str | None, now: datetime
) -> tuple[Delivery, Plan, list[Event]]:
    """So much of a step is done in all; 0: it has begun. From here on cancellation is refused. The same again changes nothing.

    Raises `WrongTransition`, `StepNotFound`, `StepHandsOver`, `StepHasEnded`, `StepGoesBack`, `Invalid` for more than the step is of.
    """
    require_open(delivery, "progress")
    step = next((step for step in plan.steps if step.id == step_id), None)
    if step is None:
        raise StepNotFound(step_id)
    if step.hands_over:
        raise StepHandsOver(step.kind)
    if done > step.quantity:
        raise Invalid(f"the step is of {step.quantity.normalize():f}, got {done.normalize():f}", field="done")
    if done < step.done:
        raise StepGoesBack(step.done, done)
    if done == step.done and step.state != "planned":
        return delivery, plan, []
    if step.state not in OPEN_STEP:
        raise StepHasEnded(step.state)
    after = advance(step, done - step.done) if done else move_step(step, "in_progress")
    delivery = replace(move(delivery, "in_progress", "progress", now), note=note or delivery.note)
    event = DeliveryProgressed(delivery_id=delivery.id, order_id=delivery.order_id, percent=delivery.percent, note=note)
    return delivery, plan.with_steps([after]), [event]


def close_line(delivery: Delivery, plan: Plan, line_id: UUID, now: datetime) -> tuple[Delivery, Plan, list[Event]]:
    """What is missing of a line is never delivered, if its allowance lets that pass; when nothing is left the delivery completes.

    Raises `WrongTransition`, `LineNotInDelivery`, `ShortBeyondAllowance`.
    """
    require_open(delivery, "close a line")
    line = plan.line(line_id)
    if line is None:
        raise LineNotInDelivery(line_id)
    if not line.left:
        return delivery, plan, []
    require_may_be_short(delivery, line)
    plan = end_steps(plan.with_line(replace(line, closed=True)), line.id)
    if plan.complete:
        delivery = replace(move(delivery, "completed", "close a line", now), version=delivery.version)
    delivery, events = follow(delivery, plan, now)
    return delivery, plan, events
