"""HTTP in: what was done with a lead, and everything that is known of it in one log."""

import base64
import binascii
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import Invalid
from ltc_contracts.events.model import Code
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.api.leads import LeadView, get_lead
from lead_svc.domain.activity_log import Direction, Entry, Type
from lead_svc.domain.score import Activity
from lead_svc.handlers import activity_log as handlers
from lead_svc.handlers import leads as lead_handlers
from lead_svc.store import activity_log as store
from lead_svc.store import leads

router = make_router(prefix="/v1", tags=["activities"])
Caller = Annotated[Principal, scope("leads:write")]


class NewEntry(BaseModel):
    """Either `activity`, what the lead did by its name in the scoring rule; or `type`, what was done with it, with its words.

    `direction` of a call or a mail: outbound is us, inbound is the lead. `occurred_at` may lie in the past.
    """

    model_config = ConfigDict(extra="forbid")

    activity: Code | None = None
    type: Type | None = None
    direction: Direction | None = None
    occurred_at: Moment | None = None
    subject: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    note: Annotated[str, Field(min_length=1, max_length=5000)] | None = None
    outcome: Annotated[str, Field(min_length=1, max_length=200)] | None = None


class EntryView(BaseModel):
    """What was written down, by whom and when; `task_id` is the task that was done by it."""

    id: UUID
    type: str
    direction: str | None
    subject: str | None
    note: str | None
    outcome: str | None
    task_id: UUID | None
    occurred_at: datetime
    recorded_by: str
    recorded_at: datetime

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        return cls(**{name: getattr(entry, name) for name in cls.model_fields})


class EngagedView(LeadView):
    """The lead as it is then, and what was written down of people's work with it."""

    logged: EntryView | None


class LineView(BaseModel):
    """One line: `kind` says what happened, `what` the particulars of its kind; `recorded_at` and `by` where they are known."""

    kind: str
    occurred_at: datetime
    recorded_at: datetime | None
    by: str | None
    what: dict[str, Any]


class TimelineView(BaseModel):
    """The newest first. `last` is the last call, mail or meeting, so that nobody follows up twice."""

    lead_id: UUID
    last: EntryView | None
    items: list[LineView]
    next: str | None


@router.post("/leads/{lead_id}/activities", status_code=201, dependencies=[scope("leads:write")])
async def add_activity(lead_id: UUID, body: NewEntry, tx: Tx, caller: Caller) -> EngagedView:
    """Something was done with the lead, by it or by us: it is scored again, protected for longer, and answered, as the rules say."""
    if (body.activity is None) == (body.type is None):
        raise Invalid("give either `activity` or `type`", field="type")
    logged = None
    if body.type is not None:
        words = body.model_dump(exclude={"activity", "type", "occurred_at"})
        made = await handlers.log(tx, lead_id, type=body.type, occurred_at=body.occurred_at, by=caller.subject, **words)
        logged = EntryView.of(made.entry)
    elif body.activity is not None:
        if body.direction or body.subject or body.note or body.outcome:
            raise Invalid("words and a direction need a `type`", field="type")
        activity = Activity(body.activity, body.occurred_at or tx.now)
        await lead_handlers.add_activity(tx, lead_id, activity, by=caller.subject)
    return EngagedView(**(await get_lead(lead_id, tx.conn, tx.now)).model_dump(), logged=logged)


@router.get("/leads/{lead_id}/timeline", dependencies=[scope("leads:read")])
async def get_timeline(
    lead_id: UUID,
    conn: Conn,
    cursor: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> TimelineView:
    """Everything that happened to a lead and who did it, newest first; of a merged lead that of the one it became part of."""
    lead = await leads.get_lead(conn, lead_id)
    living = lead.merged_into or lead.id
    rows = await store.timeline(conn, living, before=_decode(cursor) if cursor else None, limit=limit + 1)
    last = await store.find_last(conn, living)
    shown = rows[:limit]
    return TimelineView(
        lead_id=living,
        last=EntryView.of(last) if last else None,
        items=[
            LineView(**{name: row[name] for name in ("kind", "by", "recorded_at", "what")}, occurred_at=row["at"])
            for row in shown
        ],
        next=_encode(shown[-1]["at"], shown[-1]["key"]) if len(rows) > limit else None,
    )


def _encode(at: datetime, key: str) -> str:
    return base64.urlsafe_b64encode(f"{at.isoformat()}|{key}".encode()).decode().rstrip("=")


def _decode(cursor: str) -> tuple[datetime, str]:
    try:
        at, _, key = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
        moment = datetime.fromisoformat(at)
    except (ValueError, binascii.Error) as error:
        raise Invalid("this is not a cursor of ours", field="cursor") from error
    if moment.tzinfo is None or "\x00" in key:
        raise Invalid("this is not a cursor of ours", field="cursor")
    return moment, key
