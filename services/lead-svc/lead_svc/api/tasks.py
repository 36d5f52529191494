"""HTTP in: follow-up tasks, and the desks at which people are reminded."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events.model import Name
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from lead_svc.domain.desk import Desk, Kind
from lead_svc.domain.task import Priority, State, Type
from lead_svc.handlers import follow_up as handlers
from lead_svc.store import desks
from lead_svc.store import tasks as store
from lead_svc.store.tasks import Owned

router = make_router(prefix="/v1", tags=["tasks"])
Caller = Annotated[Principal, scope("leads:write")]
Reader = Annotated[Principal, scope("leads:read")]
Admin = Annotated[Principal, scope("leads:configure")]
Title = Annotated[str, Field(min_length=1, max_length=200)]
Words = Annotated[str, Field(min_length=1, max_length=2000)]
Version = Annotated[int, Field(ge=1, description="the version that was read")]
Minutes = Annotated[int, Field(ge=1, le=525_600, description="of the assignee's business hours")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTask(Body):
    """Due at a moment (the next one at which the assignee is there), or after so much of his time. Without an assignee it is the
    owner's of the lead, whoever that is then."""

    lead_id: UUID
    type: Type = "todo"
    priority: Priority = "normal"
    title: Title
    note: Words | None = None
    assignee: Name | None = None
    due_at: AwareDatetime | None = None
    due_in_minutes: Minutes | None = None


class TaskChange(Body):
    """What is not named stays; null clears a note or an assignee."""

    version: Version
    title: Title | None = None
    note: Words | None = None
    priority: Priority | None = None
    assignee: Name | None = None
    due_at: AwareDatetime | None = None
    due_in_minutes: Minutes | None = None


class Completion(Body):
    outcome: Words | None = None
    version: Version | None = None


class Cancellation(Body):
    reason: Words
    version: Version | None = None


class TaskView(BaseModel):
    """`assignee` is who is to do it: by name, or as the owner of the lead (`by_ownership`); null while the lead is in the pool."""

    id: UUID
    lead_id: UUID
    type: str
    priority: str
    title: str
    note: str | None
    assignee: str | None
    by_ownership: bool
    first_response: bool
    due_at: datetime
    overdue: bool
    state: str
    outcome: str | None
    cancel_reason: str | None
    version: int
    created_by: str
    created_at: datetime
    closed_by: str | None
    closed_at: datetime | None

    @classmethod
    def of(cls, owned: Owned) -> "TaskView":
        task = owned.task
        made = {"assignee", "by_ownership", "first_response", "overdue"}
        return cls(
            **{name: getattr(task, name) for name in cls.model_fields if name not in made},
            assignee=task.assignee or owned.owner,
            by_ownership=task.assignee is None,
            first_response=task.clock_id is not None,
            overdue=task.overdue_at is not None and task.state == "open",
        )


class DeskBody(Body):
    """`subject` is who leads a team; `calendar` as in business hours: timezone, week, country, extra_holidays, exceptions."""

    subject: Name | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    calendar: Annotated[dict[str, Any], Field(max_length=10)] | None = None
    version: Annotated[int, Field(ge=1, description="the version that was read; none for a new one")] | None = None


class DeskView(BaseModel):
    """How a rep, the lead of a team or a queue is reached, and when somebody is there."""

    kind: str
    name: str
    version: int
    subject: str | None
    email: str | None
    calendar: dict[str, Any] | None
    changed_by: str
    changed_at: datetime

    @classmethod
    def of(cls, desk: Desk) -> "DeskView":
        return cls(**{name: getattr(desk, name) for name in cls.model_fields})


class DesksView(BaseModel):
    """`next` names the desk to go on after."""

    items: list[DeskView]
    next: str | None


@router.post("/tasks", status_code=201)
async def add_task(body: NewTask, tx: Tx, caller: Caller) -> TaskView:
    """Something is to be done for a lead."""
    given = body.model_dump(exclude={"lead_id", "due_in_minutes"})
    made = await handlers.add_task(tx, body.lead_id, business_minutes=body.due_in_minutes, by=caller.subject, **given)
    return TaskView.of(made)


@router.get("/tasks")
async def list_tasks(
    conn: Conn,
    page: PageArgs,
    caller: Reader,
    mine: bool = False,
    assignee: Annotated[str | None, Query(max_length=200)] = None,
    lead_id: UUID | None = None,
    state: State | None = None,
    due_before: AwareDatetime | None = None,
    nobodys: Annotated[bool, Query(description="those of leads that nobody has")] = False,
) -> Page[TaskView]:
    """Tasks in the order in which they were made; `mine` are the caller's."""
    rows = await store.list_tasks(
        conn,
        whose=caller.subject if mine else assignee,
        lead_id=lead_id,
        state=state,
        due_before=due_before,
        nobodys=nobodys,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([TaskView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/tasks/{task_id}", dependencies=[scope("leads:read")])
async def get_task(task_id: UUID, conn: Conn) -> TaskView:
    """One task."""
    return TaskView.of(await store.get_task(conn, task_id))


@router.patch("/tasks/{task_id}", dependencies=[scope("leads:write")])
async def change_task(task_id: UUID, body: TaskChange, tx: Tx) -> TaskView:
    """Put off, given to somebody else, worded otherwise."""
    given = {name: getattr(body, name) for name in body.model_fields_set - {"version", "due_at", "due_in_minutes"}}
    for name in ("title", "priority"):
        if name in given and given[name] is None:
            raise Invalid("cannot be cleared", field=name)
    changed = await handlers.change_task(
        tx, task_id, given, due_at=body.due_at, business_minutes=body.due_in_minutes, expected=body.version
    )
    return TaskView.of(changed)


@router.post("/tasks/{task_id}/complete")
async def complete_task(task_id: UUID, tx: Tx, caller: Caller, body: Completion | None = None) -> TaskView:
    """Done: a call, mail or meeting is an activity of the lead by that, and perhaps the first response to it."""
    body = body or Completion()
    return TaskView.of(await handlers.complete_task(tx, task_id, body.outcome, caller.subject, expected=body.version))


@router.post("/tasks/{task_id}/cancel")
async def cancel_task(task_id: UUID, body: Cancellation, tx: Tx, caller: Caller) -> TaskView:
    """Not to be done any more."""
    return TaskView.of(await handlers.cancel_task(tx, task_id, body.reason, caller.subject, expected=body.version))


@router.put("/desks/{kind}/{name}")
async def put_desk(kind: Kind, name: Name, body: DeskBody, tx: Tx, caller: Admin) -> DeskView:
    """Where a rep, the lead of a team or a queue is reminded, and the hours in which somebody is there."""
    desk = Desk(kind, name, 0, body.subject, body.email, body.calendar, caller.subject, tx.now)
    return DeskView.of(await handlers.put_desk(tx, desk, expected=body.version))


@router.get("/desks", dependencies=[scope("leads:read")])
async def list_desks(
    conn: Conn,
    after: Annotated[str | None, Query(max_length=300, description="`next` of the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> DesksView:
    """By kind and name."""
    kind, _, name = (after or "").partition("/")
    rows = await desks.list_desks(conn, after=(kind, name) if after else None, limit=limit + 1)
    shown = rows[:limit]
    return DesksView(
        items=[DeskView.of(row) for row in shown], next=f"{shown[-1].kind}/{shown[-1].name}" if len(rows) > limit else None
    )


@router.get("/desks/{kind}/{name}/changes", dependencies=[scope("leads:read")])
async def list_desk_changes(kind: Kind, name: Name, conn: Conn) -> list[DeskView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    found = await desks.list_versions(conn, kind, name)
    if not found:
        raise NotFound(f"no desk '{kind}/{name}'")
    return [DeskView.of(desk) for desk in found]
