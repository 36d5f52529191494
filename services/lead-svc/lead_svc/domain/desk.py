"""Where a rep, the lead of a team or a queue is reached, and when somebody is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from ltc_contracts.errors import Invalid
from ltc_rules.calendar import Calendar, calendar_of

Kind = Literal["rep", "team", "queue"]
QUEUE = "default"


@dataclass(frozen=True, slots=True)
class Desk:
    """`name` is a rep's subject, a team or a queue; `subject` of a team is who leads it. Without a calendar somebody is always there."""

    kind: Kind
    name: str
    version: int
    subject: str | None
    email: str | None
    calendar: Mapping[str, Any] | None
    changed_by: str
    changed_at: datetime

    @property
    def called(self) -> str:
        """Whom it reaches, as it is told."""
        return self.subject or self.name


def check(desk: Desk) -> None:
    """Raises `Invalid` naming the attribute."""
    if (desk.kind == "team") != (desk.subject is not None):
        raise Invalid("a team names who leads it, and only a team does", field="subject")
    if desk.calendar is not None:
        calendar_of(desk.calendar)


def due(calendar: Calendar | None, now: datetime, *, due_at: datetime | None, business_minutes: int | None) -> datetime:
    """When a task is due: at a moment, or the next one at which its assignee is there, or after so much of the assignee's time.

    Raises `Invalid` for both or neither.
    """
    if (due_at is None) == (business_minutes is None):
        raise Invalid("give `due_at` or `due_in_minutes` (of business hours)", field="due_at")
    if due_at is not None:
        return due_at if calendar is None else calendar.next_opening(due_at)
    within = timedelta(minutes=business_minutes or 0)
    return now + within if calendar is None else calendar.add_business(now, within)
