"""HTTP in: what a wish would do to an order is assessed here, shown, and confirmed."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Line
from ltc_contracts.events.model import Exact
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field

from order_svc.api.checkout import CartLine
from order_svc.api.orders import OrderView, Reason, view_of
from order_svc.domain.assessment import Effects, Wish
from order_svc.domain.change import AssessmentNotFound, Change, State
from order_svc.handlers import changes as handlers
from order_svc.store import changes as store
from order_svc.store import orders

router = make_router(prefix="/v1", tags=["changes"])
Writer = Annotated[Principal, scope("orders:write")]
_Lines = Annotated[list[UUID], Field(max_length=500)]


class CancelWish(BaseModel):
    """The customer wants out: of these lines, or, without any, of the whole; as far as nothing is delivered of it."""

    model_config = ConfigDict(extra="forbid")
    wish: Literal["cancel"]
    line_ids: _Lines = Field(default_factory=list)
    reason: Reason

    def of_order(self) -> Wish:
        return Wish(kind="cancel", line_ids=tuple(self.line_ids))


class Quantity(BaseModel):
    """How much of a line there shall be in all, what is delivered included."""

    model_config = ConfigDict(extra="forbid")
    line_id: UUID
    quantity: Annotated[Exact, Field(gt=0)]


class ChangeWish(BaseModel):
    """Other quantities, lines dropped, lines added (priced as in a checkout), another day; what is not named stays."""

    model_config = ConfigDict(extra="forbid")
    wish: Literal["change"]
    quantities: Annotated[list[Quantity], Field(max_length=500)] = Field(default_factory=list)
    dropped: _Lines = Field(default_factory=list)
    added: Annotated[list[CartLine], Field(max_length=500)] = Field(default_factory=list)
    requested_on: Day | None = None
    reason: Reason

    def of_order(self) -> Wish:
        quantities: dict[UUID, Decimal] = {each.line_id: each.quantity for each in self.quantities}
        if len(quantities) < len(self.quantities):
            raise Invalid("a line has one quantity", field="quantities")
        return Wish(
            kind="change",
            quantities=quantities,
            dropped=tuple(self.dropped),
            added=tuple(line.line() for line in self.added),
            requested_on=self.requested_on,
        )


class AssessmentView(BaseModel):
    """What a wish does, and what became of it. It can be confirmed while the state is `assessed`, if `allowed`.

    `valid_for_version` is the version of the order that was looked at; a later one is as good unless the outcome would be another.
    """

    id: UUID
    order_id: UUID
    state: State | Literal["expired"]
    allowed: bool
    wish: Wish
    reason: str
    valid_for_version: int
    expires_at: datetime
    effects: Effects
    assessed_by: str
    assessed_at: datetime
    confirmed_by: str | None
    requested_at: datetime | None
    decided_at: datetime | None
    decision: Annotated[str | None, Field(description="why it was refused")]

    @classmethod
    def of(cls, change: Change, now: datetime) -> "AssessmentView":
        return cls(
            id=change.id,
            order_id=change.order_id,
            state="expired" if change.state == "assessed" and now >= change.expires_at else change.state,
            allowed=change.effects.allowed,
            wish=change.wish,
            reason=change.reason,
            valid_for_version=change.order_version,
            expires_at=change.expires_at,
            effects=change.effects,
            assessed_by=change.assessed_by,
            assessed_at=change.assessed_at,
            confirmed_by=change.confirmed_by,
            requested_at=change.requested_at,
            decided_at=change.decided_at,
            decision=change.decision,
        )


class LinesChangeView(BaseModel):
    """One change of the lines that was confirmed: who wished it and why, before and after; `lines_version` is the one it made.

    While it is `requested`, and when it was `refused`, `after` is what was wished.
    """

    change_id: UUID
    state: State
    reason: str
    by: str | None
    requested_at: datetime | None
    decided_at: datetime | None
    decision: str | None
    lines_version: int | None
    before: tuple[Line, ...]
    after: tuple[Line, ...]
    net_before: Money
    net: Money

    @classmethod
    def of(cls, change: Change) -> "LinesChangeView":
        after = change.effects.after if change.lines is None else change.lines
        return cls(
            change_id=change.id,
            state=change.state,
            reason=change.reason,
            by=change.confirmed_by,
            requested_at=change.requested_at,
            decided_at=change.decided_at,
            decision=change.decision,
            lines_version=change.lines_version,
            before=change.effects.before,
            after=after,
            net_before=change.effects.net_before,
            net=Money.total((line.net for line in after), change.effects.net.currency),
        )


@router.post("/orders/{order_id}/assessments", status_code=201)
async def assess(
    order_id: UUID, body: Annotated[CancelWish | ChangeWish, Field(discriminator="wish")], tx: Tx, caller: Writer
) -> AssessmentView:
    """What a wish would do to lines, dates, invoices, credit and worth, and whether it is allowed. Nothing changes by it."""
    change = await handlers.assess(tx, order_id, body.of_order(), body.reason, by=caller.subject)
    return AssessmentView.of(change, tx.now)


@router.get("/orders/{order_id}/assessments/{assessment_id}", dependencies=[scope("orders:read")])
async def get_assessment(order_id: UUID, assessment_id: UUID, conn: Conn, now: Now) -> AssessmentView:
    """What was shown, and what became of it."""
    change = await store.get_change(conn, assessment_id)
    if change is None or change.order_id != order_id:
        raise AssessmentNotFound(assessment_id)
    return AssessmentView.of(change, now)


@router.post("/orders/{order_id}/assessments/{assessment_id}/confirm", status_code=202)
async def confirm(order_id: UUID, assessment_id: UUID, tx: Tx, caller: Writer) -> OrderView:
    """The customer wants it as shown. Delivery decides; read the order for the answer. An order that is held is changed at once."""
    order = await handlers.confirm(tx, order_id, assessment_id, by=caller.subject)
    return await view_of(tx.conn, order)


@router.get("/orders/{order_id}/changes", dependencies=[scope("orders:read")])
async def list_changes(order_id: UUID, conn: Conn, page: PageArgs) -> Page[LinesChangeView]:
    """The versions of the lines: every change that was confirmed, who wished it and why, before and after."""
    order = await orders.get_order(conn, order_id)
    found = await store.list_confirmed(conn, order.id, after=page.after, limit=page.limit + 1)
    return page.of([LinesChangeView.of(change) for change in found], key=lambda view: view.change_id)
