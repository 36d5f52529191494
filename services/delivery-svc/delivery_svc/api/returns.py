"""HTTP in: what came back, and what could not be handed over."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day, Moment
from ltc_contracts.events.model import Exact
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain.attempt import Attempt, Why
from delivery_svc.domain.goods_return import Back, GoodsReturn, Treatment
from delivery_svc.handlers import returns as handlers
from delivery_svc.store import deliveries
from delivery_svc.store import returns as store

router = make_router(prefix="/v1", tags=["returns and failed attempts"])
Writer = Annotated[Principal, scope("deliveries:write")]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class BackBody(BaseModel):
    """So much of a line, to be sold again or not."""

    model_config = ConfigDict(extra="forbid")
    line_id: UUID
    quantity: Annotated[Exact, Field(gt=0)]
    treatment: Treatment = "restock"


class ReturnBody(BaseModel):
    """`replace`: it is delivered again, while the delivery is open. `returned_at`: now, if not said."""

    model_config = ConfigDict(extra="forbid")
    lines: Annotated[list[BackBody], Field(min_length=1, max_length=500)]
    reason: Note
    returned_at: Moment | None = None
    replace: bool = False


class ReturnedPartView(BaseModel):
    """A part of a line; `delivered_before` is what the customer had of it by then."""

    line_id: UUID
    quantity: Exact
    delivered_before: Exact
    treatment: Treatment
    net: Money


class ReturnView(BaseModel):
    """What came back, and what it was worth."""

    id: UUID
    delivery_id: UUID
    lines: list[ReturnedPartView]
    net: Money
    reason: str
    replace: bool
    returned_at: datetime
    recorded_by: str
    recorded_at: datetime

    @classmethod
    def of(cls, made: GoodsReturn) -> "ReturnView":
        same = {name: getattr(made, name) for name in cls.model_fields if name != "lines"}
        names = ReturnedPartView.model_fields
        return cls(**same, lines=[ReturnedPartView(**{name: getattr(part, name) for name in names}) for part in made.parts])


class AttemptBody(BaseModel):
    """Why it was not handed over. `next_attempt_on`: the next working day, if not said, unless the customer refused it."""

    model_config = ConfigDict(extra="forbid")
    code: Why
    note: Note | None = None
    failed_at: Moment | None = None
    next_attempt_on: Day | None = None


class AttemptView(BaseModel):
    """A failed attempt."""

    id: UUID
    delivery_id: UUID
    number: int
    code: Why
    note: str | None
    failed_at: datetime
    next_attempt_on: date | None
    recorded_by: str
    recorded_at: datetime

    @classmethod
    def of(cls, made: Attempt) -> "AttemptView":
        return cls(**{name: getattr(made, name) for name in cls.model_fields})


class AttemptsView(BaseModel):
    """Failed attempts by number; `next` is what to ask for `after`."""

    items: list[AttemptView]
    next: int | None


@router.post("/deliveries/{delivery_id}/returns", status_code=201)
async def take_back(delivery_id: UUID, body: ReturnBody, tx: Tx, caller: Writer) -> ReturnView:
    """The customer sent something back, at most what they have, also after everything was delivered."""
    parts = [Back(each.line_id, each.quantity, each.treatment) for each in body.lines]
    made = await handlers.take_back(
        tx, delivery_id, parts, reason=body.reason, at=body.returned_at, by=caller.subject, again=body.replace
    )
    return ReturnView.of(made)


@router.get("/deliveries/{delivery_id}/returns", dependencies=[scope("deliveries:read")])
async def list_returns(delivery_id: UUID, conn: Conn, page: PageArgs) -> Page[ReturnView]:
    """What came back, in the order in which it was recorded."""
    await deliveries.get_delivery(conn, delivery_id)
    found = await store.list_returns(conn, delivery_id, after=page.after, limit=page.limit + 1)
    return page.of([ReturnView.of(each) for each in found], key=lambda view: view.id)


@router.post("/deliveries/{delivery_id}/attempts", status_code=201)
async def record_attempt(delivery_id: UUID, body: AttemptBody, tx: Tx, caller: Writer) -> AttemptView:
    """Somebody went there and could not hand over. The next attempt is planned, and promised where it is later than was promised."""
    made = await handlers.record_attempt(
        tx,
        delivery_id,
        body.code,
        at=body.failed_at,
        next_attempt_on=body.next_attempt_on,
        note=body.note,
        by=caller.subject,
    )
    return AttemptView.of(made)


@router.get("/deliveries/{delivery_id}/attempts", dependencies=[scope("deliveries:read")])
async def list_attempts(
    delivery_id: UUID,
    conn: Conn,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> AttemptsView:
    """Attempts that failed."""
    await deliveries.get_delivery(conn, delivery_id)
    found = await store.list_attempts(conn, delivery_id, after=after, limit=limit + 1)
    items = [AttemptView.of(each) for each in found[:limit]]
    return AttemptsView(items=items, next=items[-1].number if len(found) > limit else None)
