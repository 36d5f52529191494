"""Failed attempts: somebody went there and could not hand over. The next attempt is planned, and promised where that is later."""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import DeliveryFailed, Event

from delivery_svc.domain import delivery as deliveries
from delivery_svc.domain.delivery import Delivery, require_open, touch
from delivery_svc.domain.plan import OPEN_STEP, Plan

Why = Literal["absent", "refused", "address", "damaged", "not_ready", "other"]
_TOLD = {
    "absent": "nobody was there to receive it",
    "refused": "it was not accepted",
    "address": "the address was not found",
    "damaged": "it was damaged on its way",
    "not_ready": "the place was not ready",
    "other": "it could not be handed over",
}


class AttemptInTheFuture(Invalid):
    """An attempt is a fact, so it lies behind us."""

    def __init__(self, at: datetime, now: datetime) -> None:
        super().__init__(f"{at.isoformat()} is after now, {now.isoformat()}", field="failed_at")


class AttemptBeforePlanned(Invalid):
    """Nobody goes there before the delivery exists."""

    def __init__(self, at: datetime, created_at: datetime) -> None:
        super().__init__(f"{at.isoformat()} is before the delivery was planned, {created_at.isoformat()}", field="failed_at")


class NextAttemptInThePast(Invalid):
    """The next attempt lies before us."""

    def __init__(self, day: date, today: date) -> None:
        super().__init__(f"{day} is before today, {today}", field="next_attempt_on")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One failed attempt."""

    id: UUID
    delivery_id: UUID
    number: int
    code: Why
    note: str | None
    failed_at: datetime
    next_attempt_on: date | None
    recorded_by: str
    recorded_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """What was decided."""

    delivery: Delivery
    plan: Plan
    attempt: Attempt
    events: list[Event]


def fail(
    delivery: Delivery,
    plan: Plan,
    code: Why,
    *,
    attempt_id: UUID,
    at: datetime | None,
    next_attempt_on: date | None,
    now: datetime,
    by: str,
    note: str | None = None,
) -> Failing:
    """It was not handed over. The next attempt moves what was planned before it, and a promise that it cannot keep.

    It says nothing of whether the order can still be cancelled: the customer has nothing more than before.
    Raises `WrongTransition`, `AttemptInTheFuture`, `AttemptBeforePlanned`, `NextAttemptInThePast`.
    """
    require_open(delivery, "attempt")
    moment = at or now
    if moment > now:
        raise AttemptInTheFuture(moment, now)
    if moment < delivery.created_at:
        raise AttemptBeforePlanned(moment, delivery.created_at)
    if next_attempt_on is not None and next_attempt_on < now.date():
        raise NextAttemptInThePast(next_attempt_on, now.date())
    attempt = Attempt(
        id=attempt_id,
        delivery_id=delivery.id,
        number=delivery.attempts + 1,
        code=code,
        note=note,
        failed_at=moment.astimezone(UTC),
        next_attempt_on=next_attempt_on,
        recorded_by=by,
        recorded_at=now,
    )
    event = DeliveryFailed(
        delivery_id=delivery.id,
        attempt_id=attempt.id,
        attempt=attempt.number,
        order_id=delivery.order_id,
        code=code,
        note=note,
        failed_at=attempt.failed_at,
        next_attempt_on=next_attempt_on,
    )
    delivery = touch(replace(delivery, attempts=attempt.number), now)
    promised: list[Event] = []
    if next_attempt_on is not None:
        moved = [
            replace(step, planned_on=next_attempt_on)
            for step in plan.steps
            if step.hands_over and step.kind != "period" and step.state in OPEN_STEP and step.planned_on < next_attempt_on
        ]
        plan = plan.with_steps(moved)
        if next_attempt_on > delivery.promised_on:
            delivery, promised = deliveries.promise(delivery, next_attempt_on, now, reason=_TOLD[code])
    return Failing(delivery=delivery, plan=plan, attempt=attempt, events=[event, *promised])
