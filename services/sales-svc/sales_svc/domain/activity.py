"""The rules of activities: what was done with a customer, tasks that are to be done, and who was there last."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid, WrongTransition
from ltc_contracts.events import ActivityLogged

Type = Literal["call", "email", "meeting", "note", "task"]
# Those in which the customer meets us; a note or a task is ours alone.
TOUCHES: tuple[Type, ...] = ("call", "email", "meeting")
TASK_TRANSITIONS: dict[tuple[str, str], str] = {("open", "complete"): "done", ("done", "reopen"): "open"}
ERASED = "erased"


@dataclass(frozen=True, slots=True)
class Activity:
    """One thing done, or a task. `occurred_at` of a task is when it was given; `by` is who did or gave it."""

    id: UUID
    type: Type
    subject: str
    body: str | None
    account_id: UUID | None
    opportunity_id: UUID | None
    contact_id: UUID | None
    by: str
    occurred_at: datetime
    assignee: str | None
    due_at: datetime | None
    done_at: datetime | None
    done_by: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def state(self) -> str:
        """Of a task: open or done."""
        return "open" if self.done_at is None else "done"

    def is_overdue(self, now: datetime) -> bool:
        return self.due_at is not None and self.done_at is None and self.due_at <= now


@dataclass(frozen=True, slots=True)
class Touch:
    """When somebody of us met the customer last, how, and who."""

    type: str
    by: str
    at: datetime


def check(activity: Activity) -> None:
    """Raises `Invalid` for what hangs on nothing, lies in the future, or mixes up tasks with what was done."""
    if activity.account_id is None and activity.opportunity_id is None and activity.contact_id is None:
        raise Invalid("name the account, the opportunity or the contact", field="account_id")
    if activity.occurred_at > activity.created_at:
        raise Invalid("what has not happened yet is a task", field="occurred_at")
    if activity.type == "task" and activity.due_at is None:
        raise Invalid("a task is due at some moment", field="due_at")
    if activity.type != "task" and (activity.due_at is not None or activity.assignee is not None):
        raise Invalid("only a task has somebody to do it and a due moment", field="type")


def doubled(activity: Activity, last: Touch | None) -> Touch | None:
    """The last touch, where another rep met the same customer on the same day (UTC): two should know of each other."""
    if last is None or activity.type not in TOUCHES or last.by == activity.by:
        return None
    return last if last.at.date() == activity.occurred_at.date() else None


def change(activity: Activity, given: Mapping[str, Any], now: datetime) -> Activity:
    """With the given fields; what was done stays where it is, only its words change. The same: nothing changed."""
    made = replace(activity, **given)
    if made == activity:
        return activity
    check(made)
    return replace(made, version=activity.version + 1, updated_at=now)


def complete(activity: Activity, by: str, now: datetime) -> tuple[Activity, ActivityLogged]:
    """The task is done."""
    _require(activity, "complete")
    done = replace(activity, done_at=now, done_by=by, version=activity.version + 1, updated_at=now)
    return done, logged(done)


def reopen(activity: Activity, now: datetime) -> Activity:
    """The task is not done after all."""
    _require(activity, "reopen")
    return replace(activity, done_at=None, done_by=None, version=activity.version + 1, updated_at=now)


def logged(activity: Activity) -> ActivityLogged:
    """The event of something done: its type and who, never the content."""
    return ActivityLogged(
        activity_id=activity.id,
        type=activity.type,
        by=activity.done_by or activity.by,
        account_id=activity.account_id,
        opportunity_id=activity.opportunity_id,
    )


def _require(activity: Activity, move: str) -> None:
    if activity.type != "task":
        raise Invalid("only a task is done or not", field="type")
    if (activity.state, move) not in TASK_TRANSITIONS:
        raise WrongTransition("the task", activity.state, move)
