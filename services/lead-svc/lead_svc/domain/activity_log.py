"""What people write down that they did with a lead, and what of it counts for the score."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid

Type = Literal["call", "email", "meeting", "note"]
Direction = Literal["outbound", "inbound"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing done. `activity_id` is what the lead did in it, which is scored; `task_id` the task that was done by it."""

    id: UUID
    lead_id: UUID
    activity_id: UUID | None
    task_id: UUID | None
    type: Type
    direction: Direction | None
    subject: str | None
    note: str | None
    outcome: str | None
    occurred_at: datetime
    recorded_by: str
    recorded_at: datetime

    def scored(self, activity_id: UUID) -> "Entry":
        """With what the lead did in it."""
        return replace(self, activity_id=activity_id)


def check(entry: Entry) -> None:
    """Raises `Invalid`."""
    if entry.occurred_at > entry.recorded_at:
        raise Invalid("what has not happened yet is a task", field="occurred_at")
    if entry.type in ("call", "email") and entry.direction is None:
        raise Invalid("say who began: outbound is us, inbound is the lead", field="direction")
    if entry.type == "note" and entry.direction is not None:
        raise Invalid("a note has no direction", field="direction")


def engagement(entry: Entry) -> str | None:
    """What the lead did in it, by its name in the scoring rule; None where only we did something."""
    if entry.type == "meeting":
        return "meeting"
    if entry.direction == "inbound":
        return "reply" if entry.type == "email" else "call"
    return None
