"""What a production that is ready later than needed means for the promise.

A day is promised anew only when what comes after the production cannot be done by the promised day any more. The new day has some
days in hand, so an MES that corrects its expectation by hours or a day is heard and nobody is written to again; and it is never
earlier than the one that was promised.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from ltc_rules.calendar import Calendar

from delivery_svc.domain import working_days
from delivery_svc.domain.plan import OPEN_STEP, Plan, Step

_INSTANT = timedelta.resolution


class Patience(NamedTuple):
    """`tolerance`: so much past the day on which it is needed is no slip; `in_hand`: working days that a new promise has to spare."""

    tolerance: timedelta
    in_hand: int


class Slip(NamedTuple):
    """`plan` with the line's open steps moved; `promised_on` is the day to promise, None when the promise can be kept."""

    plan: Plan
    promised_on: date | None


def ready_on(ready_at: datetime, calendar: Calendar, tolerance: timedelta) -> date:
    """The first working day (UTC) on which what is ready then is there; midnight is the end of a day."""
    return working_days.on_or_after(calendar, (ready_at - tolerance - _INSTANT).astimezone(UTC).date())


def slip(plan: Plan, step_id: UUID, ready_at: datetime, promised_on: date, calendar: Calendar, patience: Patience) -> Slip:
    """The plan and the promise when a production step is ready at that moment; ready in time, or early, changes nothing."""
    step = next(each for each in plan.steps if each.id == step_id)
    ready = ready_on(ready_at, calendar, patience.tolerance)
    days = working_days.between(calendar, step.planned_on, ready)
    if days == 0:
        return Slip(plan, None)
    moved = _moved(plan, step, days, calendar)
    if _end(moved, step) <= promised_on:
        return Slip(moved, None)
    moved = _moved(plan, step, days + patience.in_hand, calendar)
    return Slip(moved, _end(moved, step))


def _moved(plan: Plan, step: Step, days: int, calendar: Calendar) -> Plan:
    """The step and what comes after it in its chain."""
    return plan.with_steps(
        [
            replace(each, planned_on=working_days.later(calendar, each.planned_on, days))
            for each in plan.steps
            if (each.line_id, each.chain) == (step.line_id, step.chain)
            and step.position <= each.position
            and (each.state in OPEN_STEP or each.position == step.position)
        ]
    )


def _end(plan: Plan, step: Step) -> date:
    """When the line is done: by what is still to do of it, the step itself included."""
    return max(
        each.planned_on
        for each in plan.steps
        if each.line_id == step.line_id and (each.state in OPEN_STEP or each.position == step.position)
    )
