"""HTTP in: tickets, what is said in them, and what happens to them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query, Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.mailroom import check_address
from ltc_contracts.events.model import Code, Name
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain.ticket import Channel, Comment, Language, Move, Priority, State, Ticket
from delivery_svc.handlers import ticket_links
from delivery_svc.handlers import tickets as handlers
from delivery_svc.store import ticket_clocks as clocks_store
from delivery_svc.store import tickets as store

router = make_router(prefix="/v1", tags=["tickets"])
Writer = Annotated[Principal, scope("tickets:write")]
# NUL is the one character that PostgreSQL's text cannot hold.
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=50_000, pattern=r"^[^\x00]*$")]
_ONE_LINE = r"^[^\x00-\x1f\x7f\u0085\u2028\u2029]*$"
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300, pattern=_ONE_LINE)]
Short = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_ONE_LINE)]
Version = Annotated[int, Field(ge=1, description="the version that was read")]


def _address(text: str) -> str:
    check_address(text, field="requester_email")
    return text


Address = Annotated[str, StringConstraints(strip_whitespace=True, max_length=254), AfterValidator(_address)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewTicket(Body):
    """What a customer wants. `external_ref` names it in another system: the same again is the same ticket."""

    subject: Line
    text: Words
    queue: Code = "default"
    priority: Priority = "normal"
    language: Language = "en"
    requester_name: Short | None = None
    requester_email: Address | None = None
    customer_id: UUID | None = None
    order_id: UUID | None = None
    order_number: Short | None = None
    external_ref: Short | None = None


class TicketChange(Body):
    """What is not given stays. An order brings its customer, unless another is given."""

    version: Version
    subject: Line | None = None
    queue: Code | None = None
    priority: Priority | None = None
    language: Language | None = None
    requester_name: Short | None = None
    requester_email: Address | None = None
    customer_id: UUID | None = None
    order_id: UUID | None = None


class NewComment(Body):
    """`public` goes to the customer, by mail where an address is known; `author` says whose words they are (a call that was noted)."""

    text: Words
    public: bool = True
    author: Literal["agent", "customer"] = "agent"
    then: Annotated[Move | None, Field(description="what the ticket does afterwards")] = None
    version: Version | None = None


class Assignment(Body):
    """Null puts it back."""

    assignee: Name | None
    version: Version | None = None


class MoveBody(Body):
    move: Move
    version: Version | None = None


class MergeBody(Body):
    into_id: UUID
    version: Version | None = None


class TicketView(BaseModel):
    """A ticket. `due_at` is the next target that its clocks reach, `close_at` when a resolved one cannot be opened again any more."""

    id: UUID
    flow_id: UUID
    number: str
    state: State
    channel: Channel
    priority: Priority
    queue: str
    assignee: str | None
    subject: str
    requester_name: str | None
    requester_email: str | None
    language: Language
    customer_id: UUID | None
    order_id: UUID | None
    order_number: str | None
    external_ref: str | None
    parent_id: UUID | None
    merged_into: UUID | None
    reopened: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    responded_at: datetime | None
    resolved_at: datetime | None
    close_at: datetime | None
    closed_at: datetime | None
    due_at: datetime | None
    version: int

    @classmethod
    def of(cls, ticket: Ticket) -> "TicketView":
        return cls(**{name: getattr(ticket, name) for name in cls.model_fields})


class CommentView(BaseModel):
    """`told_to` is the ticket that it was said to, where that was merged into this one."""

    id: UUID
    ticket_id: UUID
    told_to: UUID | None
    author: str
    by: str | None
    public: bool
    channel: Channel
    text: str
    created_at: datetime

    @classmethod
    def of(cls, comment: Comment) -> "CommentView":
        return cls(**{name: getattr(comment, name) for name in cls.model_fields})


class SaidView(BaseModel):
    """The comment and the ticket it is part of: another one that follows, when the customer comes back too late."""

    ticket: TicketView
    comment: CommentView


class NoticeView(BaseModel):
    """What was told: level 0 is the warning, 1 the target, more are the further steps."""

    level: int
    due_at: datetime
    told_at: datetime
    escalate_to: str | None
    mailed: bool


class ClockView(BaseModel):
    """A clock of business time; `used_seconds` is what it had counted when it last rested."""

    kind: str
    state: str
    policy: str
    policy_version: int
    target_minutes: int
    started_at: datetime
    used_seconds: int
    running_since: datetime | None
    due_at: datetime | None
    business_minutes: int | None
    within_target: bool | None
    ended_at: datetime | None
    notices: list[NoticeView]


class ChangeView(BaseModel):
    """Who did what."""

    id: UUID
    move: str
    by: str
    at: datetime
    version: int
    detail: dict[str, Any]


class LinkView(BaseModel):
    """Whoever has it may read what was said in public, and answer, until it expires."""

    url: str
    expires_at: datetime


class CountsView(BaseModel):
    """How many tickets are in each state."""

    queue: str | None
    states: dict[str, int]


@router.post("/tickets", status_code=201)
async def open_ticket(body: NewTicket, tx: Tx, caller: Writer, response: Response) -> TicketView:
    """A ticket is opened; 200 and the one that is there, when its external reference is known."""
    ticket, comment = await handlers.open_ticket(tx, handlers.Wanted(**body.model_dump(), channel="api"), caller.subject)
    if comment is None:
        response.status_code = 200
    return TicketView.of(ticket)


@router.get("/tickets", dependencies=[scope("tickets:read")])
async def list_tickets(
    conn: Conn,
    page: PageArgs,
    queue: Annotated[str | None, Query(max_length=64)] = None,
    assignee: Annotated[str | None, Query(max_length=200)] = None,
    nobodys: Annotated[bool, Query(description="those that nobody has")] = False,
    state: Annotated[list[State] | None, Query(max_length=6)] = None,
    priority: Priority | None = None,
    order_id: UUID | None = None,
    customer_id: UUID | None = None,
    requester: Annotated[str | None, Query(max_length=254)] = None,
    number: Annotated[str | None, Query(max_length=40)] = None,
    due_before: AwareDatetime | None = None,
) -> Page[TicketView]:
    """Tickets in the order in which they were opened."""
    wanted = {
        "queue": queue,
        "assignee": assignee,
        "nobodys": nobodys,
        "states": state,
        "priority": priority,
        "order_id": order_id,
        "customer_id": customer_id,
        "requester": requester,
        "number": number,
    }
    found = await store.list_tickets(conn, wanted, due_before=due_before, after=page.after, limit=page.limit + 1)
    return page.of([TicketView.of(ticket) for ticket in found], key=lambda view: view.id)


@router.get("/tickets/counts", dependencies=[scope("tickets:read")])
async def count_tickets(conn: Conn, queue: Annotated[str | None, Query(max_length=64)] = None) -> CountsView:
    """How many there are in each state, of a queue or of all."""
    return CountsView(queue=queue, states=dict(await store.count_states(conn, queue)))


@router.get("/tickets/{ticket_id}", dependencies=[scope("tickets:read")])
async def get_ticket(ticket_id: UUID, conn: Conn) -> TicketView:
    """One ticket."""
    return TicketView.of(await store.get_ticket(conn, ticket_id))


@router.patch("/tickets/{ticket_id}")
async def change_ticket(ticket_id: UUID, body: TicketChange, tx: Tx, caller: Writer) -> TicketView:
    """Other words, queue, priority, person or order; clocks follow queue and priority."""
    given = {name: getattr(body, name) for name in body.model_fields_set - {"version"}}
    return TicketView.of(await handlers.change(tx, ticket_id, given, caller.subject, expected=body.version))


@router.post("/tickets/{ticket_id}/comments", status_code=201)
async def comment(ticket_id: UUID, body: NewComment, tx: Tx, caller: Writer) -> SaidView:
    """An answer, a note to colleagues, or what the customer said on another way."""
    if body.author == "customer":
        ticket, said = await handlers.reply(tx, ticket_id, body.text, who=None, by=caller.subject, channel="api")
        if body.then is not None:
            ticket = await handlers.move(tx, ticket.id, body.then, caller.subject)
    else:
        ticket, said = await handlers.answer(
            tx, ticket_id, body.text, caller.subject, public=body.public, then=body.then, expected=body.version
        )
    return SaidView(ticket=TicketView.of(ticket), comment=CommentView.of(said))


@router.get("/tickets/{ticket_id}/comments", dependencies=[scope("tickets:read")])
async def list_comments(ticket_id: UUID, conn: Conn, page: PageArgs, public_only: bool = False) -> Page[CommentView]:
    """What was said, the oldest first."""
    await store.get_ticket(conn, ticket_id)
    found = await store.list_comments(conn, ticket_id, public_only=public_only, after=page.after, limit=page.limit + 1)
    return page.of([CommentView.of(each) for each in found], key=lambda view: view.id)


@router.post("/tickets/{ticket_id}/assign")
async def assign(ticket_id: UUID, body: Assignment, tx: Tx, caller: Writer) -> TicketView:
    """Give it to an agent, or put it back."""
    return TicketView.of(await handlers.assign(tx, ticket_id, body.assignee, caller.subject, expected=body.version))


@router.post("/tickets/{ticket_id}/move")
async def move(ticket_id: UUID, body: MoveBody, tx: Tx, caller: Writer) -> TicketView:
    """Wait for the customer, put on hold, resume, resolve, reopen, close."""
    return TicketView.of(await handlers.move(tx, ticket_id, body.move, caller.subject, expected=body.version))


@router.post("/tickets/{ticket_id}/merge")
async def merge(ticket_id: UUID, body: MergeBody, tx: Tx, caller: Writer) -> TicketView:
    """It is about the same as another: that one goes on with everything that was said. Returns the other."""
    return TicketView.of(await handlers.merge(tx, ticket_id, body.into_id, caller.subject, expected=body.version))


@router.post("/tickets/{ticket_id}/link", dependencies=[scope("tickets:write")])
async def make_link(ticket_id: UUID, tx: Tx) -> LinkView:
    """The address of the page on which its customer reads and answers it. Every answer by mail has one."""
    url, expires_at = ticket_links.address_of(tx, await store.get_ticket(tx.conn, ticket_id))
    return LinkView(url=url, expires_at=expires_at)


@router.get("/tickets/{ticket_id}/clocks", dependencies=[scope("tickets:read")])
async def list_clocks(ticket_id: UUID, conn: Conn) -> list[ClockView]:
    """The clocks of the first response and of the resolution, with what was told of them."""
    await store.get_ticket(conn, ticket_id)
    clocks = await clocks_store.list_clocks(conn, [ticket_id])
    notices = await clocks_store.list_notices(conn, [clock.id for clock in clocks])
    made = {"used_seconds", "notices"}
    return [
        ClockView(
            **{name: getattr(clock, name) for name in ClockView.model_fields if name not in made},
            used_seconds=int(clock.used.total_seconds()),
            notices=[NoticeView(**_without(row, "clock_id")) for row in notices if row["clock_id"] == clock.id],
        )
        for clock in clocks
    ]


@router.get("/tickets/{ticket_id}/history", dependencies=[scope("tickets:read")])
async def list_changes(ticket_id: UUID, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who did what and when, the oldest first."""
    await store.get_ticket(conn, ticket_id)
    rows = await store.list_changes(conn, ticket_id, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView(**dict(row)) for row in rows], key=lambda view: view.id)


def _without(row: Any, name: str) -> dict[str, Any]:
    return {key: value for key, value in dict(row).items() if key != name}
