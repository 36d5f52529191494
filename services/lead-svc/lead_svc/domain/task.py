"""Follow-up tasks: something is to be done for a lead, by somebody, by a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition

Type = Literal["call", "email", "meeting", "todo"]
Priority = Literal["low", "normal", "high", "urgent"]
State = Literal["open", "done", "cancelled"]
TRANSITIONS: dict[tuple[State, str], State] = {
    ("open", "change"): "open",
    ("open", "complete"): "done",
    ("open", "cancel"): "cancelled",
    ("cancelled", "resume"): "open",
}


class OwnersTask(DomainError):
    """The first response is the owner's task; who shall do it is given the lead."""


@dataclass(frozen=True, slots=True)
class Task:
    """`assignee` None: it is the owner's of the lead, whoever that is. `clock_id` is of the task of a first response."""

    id: UUID
    lead_id: UUID
    clock_id: UUID | None
    type: Type
    priority: Priority
    title: str
    note: str | None
    assignee: str | None
    due_at: datetime
    state: State
    outcome: str | None
    cancel_reason: str | None
    overdue_at: datetime | None
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    closed_by: str | None
    closed_at: datetime | None


def change(task: Task, given: Mapping[str, Any], now: datetime) -> Task:
    """With what is given; put off, it is not overdue any more. The same: nothing changed. Raises `WrongTransition`, `OwnersTask`."""
    state = _turn(task, "change")
    fixed = given.keys() & {"assignee", "due_at"}
    if task.clock_id is not None and fixed:
        raise OwnersTask("the first response is due by the policy, and the owner's of the lead", field=min(fixed))
    made = replace(task, **given)
    if made == task:
        return task
    late = made.overdue_at if made.due_at == task.due_at else None
    return replace(made, state=state, overdue_at=late, version=task.version + 1, updated_at=now)


def complete(task: Task, outcome: str | None, by: str, now: datetime) -> Task:
    """Done; it stays with who did it."""
    return replace(
        task,
        state=_turn(task, "complete"),
        outcome=outcome,
        assignee=task.assignee or by,
        closed_by=by,
        closed_at=now,
        version=task.version + 1,
        updated_at=now,
    )


def cancel(task: Task, reason: str, by: str, now: datetime) -> Task:
    """Not to be done any more, with the reason."""
    return replace(
        task,
        state=_turn(task, "cancel"),
        cancel_reason=reason,
        closed_by=by,
        closed_at=now,
        version=task.version + 1,
        updated_at=now,
    )


def resume(task: Task, now: datetime) -> Task:
    """A merge that ended it was undone."""
    return replace(
        task,
        state=_turn(task, "resume"),
        cancel_reason=None,
        closed_by=None,
        closed_at=None,
        version=task.version + 1,
        updated_at=now,
    )


def _turn(task: Task, move: str) -> State:
    state = TRANSITIONS.get((task.state, move))
    if state is None:
        raise WrongTransition("the task", task.state, move)
    return state
