"""HTTP in: activities and tasks."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Name
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, Edit, IfMatch, TouchView
from sales_svc.domain.activity import Activity, Type
from sales_svc.handlers import activities as handlers
from sales_svc.store import activities

router = make_router(prefix="/v1", tags=["activities"])
Writer = Annotated[Principal, scope("activities:write")]
Subject = Annotated[str, Field(min_length=1, max_length=300)]
Words = Annotated[str, Field(max_length=20_000)]


class NewActivity(Body):
    """On an account, an opportunity or a contact. `assignee` (you, unless named) and `due_at` are a task's.

    `by` is you unless another one is named, which needs the scope activities:assign.
    """

    type: Type
    subject: Subject
    body: Words | None = None
    account_id: UUID | None = None
    opportunity_id: UUID | None = None
    contact_id: UUID | None = None
    occurred_at: Moment | None = None
    assignee: Name | None = None
    due_at: Moment | None = None
    by: Name | None = None


class ActivityEdit(Edit):
    subject: Subject | None = None
    body: Words | None = None
    assignee: Name | None = None
    due_at: Moment | None = None


class ActivityView(BaseModel):
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
    overdue: bool
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, activity: Activity, now: datetime) -> "ActivityView":
        given = {name: getattr(activity, name) for name in cls.model_fields if name != "overdue"}
        return cls(**given, overdue=activity.is_overdue(now))


class Warning_(BaseModel):
    """Somebody else met this customer on the same day."""

    reason: str
    last_touch: TouchView


class LoggedView(ActivityView):
    """`warning` names who met the customer before, where that was another rep on the same day."""

    warning: Warning_ | None = None


@router.post("/activities", status_code=201)
async def log(body: NewActivity, tx: Tx, caller: Writer) -> LoggedView:
    """Log a call, e-mail, meeting or note, or give a task."""
    if body.by is not None and body.by != caller.subject:
        caller.require("activities:assign")
    activity, last = await handlers.log(tx, **{**body.model_dump(), "by": body.by or caller.subject})
    warning = None
    if last is not None:
        reason = f"{last.by} was in touch with this customer on the same day ({last.type})"
        warning = Warning_(reason=reason, last_touch=TouchView.of(last))
    return LoggedView(**ActivityView.of(activity, tx.now).model_dump(), warning=warning)


@router.get("/activities", dependencies=[scope("activities:read")])
async def list_activities(
    conn: Conn,
    now: Now,
    page: PageArgs,
    account_id: UUID | None = None,
    opportunity_id: UUID | None = None,
    contact_id: UUID | None = None,
    type: Type | None = None,
    by: str | None = None,
) -> Page[ActivityView]:
    """What was written down last comes first."""
    filters = {"account_id": account_id, "opportunity_id": opportunity_id, "contact_id": contact_id, "type": type, "by": by}
    rows = await activities.list_activities(conn, filters=filters, after=page.after, limit=page.limit + 1)
    return page.of([ActivityView.of(row, now) for row in rows], key=lambda view: view.id)


@router.get("/tasks", dependencies=[scope("activities:read")])
async def list_tasks(
    conn: Conn,
    now: Now,
    page: PageArgs,
    assignee: str | None = None,
    account_id: UUID | None = None,
    opportunity_id: UUID | None = None,
    state: Literal["open", "overdue", "done"] | None = None,
) -> Page[ActivityView]:
    """Tasks in the order in which they were given."""
    rows = await activities.list_tasks(
        conn,
        assignee=assignee,
        account_id=account_id,
        opportunity_id=opportunity_id,
        done=None if state is None else state == "done",
        due_until=now if state == "overdue" else None,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([ActivityView.of(row, now) for row in rows], key=lambda view: view.id)


@router.get("/activities/{activity_id}", dependencies=[scope("activities:read")])
async def get_activity(activity_id: UUID, conn: Conn, now: Now) -> ActivityView:
    """One activity."""
    return ActivityView.of(await activities.get_activity(conn, activity_id), now)


@router.patch("/activities/{activity_id}", dependencies=[scope("activities:write")])
async def change_activity(activity_id: UUID, body: ActivityEdit, tx: Tx, if_match: IfMatch) -> ActivityView:
    """Change its words, or who does a task until when. Needs the version that was read."""
    expected = body.version if body.version is not None else if_match
    given = body.given("subject")
    return ActivityView.of(await handlers.change_activity(tx, activity_id, given, expected=expected), tx.now)


@router.post("/activities/{activity_id}/complete")
async def complete(activity_id: UUID, tx: Tx, caller: Writer) -> ActivityView:
    """The task is done."""
    return ActivityView.of(await handlers.complete(tx, activity_id, caller.subject), tx.now)


@router.post("/activities/{activity_id}/reopen", dependencies=[scope("activities:write")])
async def reopen(activity_id: UUID, tx: Tx) -> ActivityView:
    """The task is not done after all."""
    return ActivityView.of(await handlers.reopen(tx, activity_id), tx.now)
