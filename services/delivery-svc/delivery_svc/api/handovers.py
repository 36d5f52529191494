"""HTTP in: what the customer got, part by part."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Exact
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain.handover import Handover, Part
from delivery_svc.handlers import handovers as handlers
from delivery_svc.store import deliveries, plans

router = make_router(prefix="/v1", tags=["hand-overs"])
Writer = Annotated[Principal, scope("deliveries:write")]
Note = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class PartBody(BaseModel):
    """So much of a line. `final`: what is missing then is never delivered, if the line's allowance lets that pass.

    `step_id` is the step that is done by it (a milestone), where it is not the first one that is open.
    """

    model_config = ConfigDict(extra="forbid")
    line_id: UUID
    quantity: Annotated[Exact, Field(gt=0)]
    final: bool = False
    step_id: UUID | None = None


class HandoverBody(BaseModel):
    """Without lines: all that is left. `handed_over_at`: now, if not said."""

    model_config = ConfigDict(extra="forbid")
    lines: Annotated[list[PartBody] | None, Field(min_length=1, max_length=500)] = None
    handed_over_at: Moment | None = None
    note: Note | None = None
    proof_id: Annotated[UUID | None, Field(description="a file of this delivery that proves it")] = None


class HandedPartView(BaseModel):
    """A part of a line; `delivered_before` is what the customer had of it by then."""

    line_id: UUID
    quantity: Exact
    delivered_before: Exact
    net: Money
    final: bool


class HandoverView(BaseModel):
    """One hand-over. `last`: nothing was left after it."""

    id: UUID
    delivery_id: UUID
    number: int
    lines: list[HandedPartView]
    net: Money
    handed_over_at: datetime
    last: bool
    note: str | None
    recorded_by: str
    recorded_at: datetime

    @classmethod
    def of(cls, handover: Handover) -> "HandoverView":
        same = {name: getattr(handover, name) for name in cls.model_fields if name != "lines"}
        names = HandedPartView.model_fields
        return cls(**same, lines=[HandedPartView(**{name: getattr(part, name) for name in names}) for part in handover.parts])


class HandoversView(BaseModel):
    """Hand-overs of a delivery by number; `next` is what to ask for `after`."""

    items: list[HandoverView]
    next: int | None


@router.post("/deliveries/{delivery_id}/handovers", status_code=201)
async def hand_over(delivery_id: UUID, tx: Tx, caller: Writer, body: HandoverBody | None = None) -> HandoverView:
    """The customer got these parts. With the last one the delivery is complete; what was handed over is invoiced."""
    body = body or HandoverBody()
    parts = None if body.lines is None else [Part(each.line_id, each.quantity, each.final, each.step_id) for each in body.lines]
    made = await handlers.hand_over(
        tx, delivery_id, parts, at=body.handed_over_at, by=caller.subject, note=body.note, proof_id=body.proof_id
    )
    return HandoverView.of(made)


@router.get("/deliveries/{delivery_id}/handovers", dependencies=[scope("deliveries:read")])
async def list_handovers(
    delivery_id: UUID,
    conn: Conn,
    after: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> HandoversView:
    """What the customer got, and when."""
    await deliveries.get_delivery(conn, delivery_id)
    found = await plans.list_handovers(conn, delivery_id, after=after, limit=limit + 1)
    items = [HandoverView.of(each) for each in found[:limit]]
    return HandoversView(items=items, next=items[-1].number if len(found) > limit else None)
