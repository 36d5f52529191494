"""HTTP in: disputes of invoices."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from billing_svc.api.credits import Body, CreditedLine, Reason, wanted_lines
from billing_svc.domain.dispute import Category, Dispute, State
from billing_svc.handlers import disputes as handlers
from billing_svc.store import disputes as store

router = make_router(prefix="/v1", tags=["disputes"])
Writer = Annotated[Principal, scope("disputes:write")]


class NewDispute(Body):
    """Without an amount (gross) the whole invoice, or what is claimed of it still."""

    category: Category
    reason: Reason
    amount: Money | None = None


class Upholding(Body):
    """What is credited. Without lines all that is left, which only a dispute of the whole can mean."""

    resolution: Reason
    lines: Annotated[list[CreditedLine], Field(min_length=1, max_length=500)] | None = None


class Rejection(Body):
    resolution: Reason


class DisputeView(BaseModel):
    """`amount` is gross. `credit_id`: the credit note of an upheld dispute."""

    id: UUID
    invoice_id: UUID
    number: str
    order_id: UUID
    category: Category
    reason: str
    amount: Money
    whole: bool
    opened_by: str
    opened_on: date
    state: State
    credit_id: UUID | None
    resolution: str | None
    resolved_by: str | None
    resolved_on: date | None

    @classmethod
    def of(cls, dispute: Dispute) -> "DisputeView":
        given: dict[str, Any] = {name: getattr(dispute, name) for name in cls.model_fields}
        return cls(**given)


@router.post("/invoices/{invoice_id}/disputes", status_code=201)
async def open_dispute(invoice_id: UUID, body: NewDispute, tx: Tx, caller: Writer) -> DisputeView:
    """The customer does not accept it: no reminder, no fee and no call that it is overdue until that is resolved.

    400: more than the invoice claims, another currency. 404: no such invoice. 409: disputed already, void, all taken back.
    """
    dispute = await handlers.open_dispute(
        tx, invoice_id, category=body.category, amount=body.amount, reason=body.reason, by=caller.subject
    )
    return DisputeView.of(dispute)


@router.post("/disputes/{dispute_id}/uphold", dependencies=[scope("credits:write")])
async def uphold_dispute(dispute_id: UUID, body: Upholding, tx: Tx, caller: Writer) -> DisputeView:
    """The customer is right: a credit note is made of it, which needs the right to credit as well.

    400: as for a credit note, or more than is disputed. 409: resolved already, nothing left to credit.
    """
    invoice_id = (await store.get_dispute(tx.conn, dispute_id)).invoice_id
    wanted = None if body.lines is None else await wanted_lines(tx.conn, invoice_id, body.lines)
    return DisputeView.of(
        await handlers.uphold_dispute(tx, dispute_id, resolution=body.resolution, wanted=wanted, by=caller.subject)
    )


@router.post("/disputes/{dispute_id}/reject")
async def reject_dispute(dispute_id: UUID, body: Rejection, tx: Tx, caller: Writer) -> DisputeView:
    """The invoice is owed as it is. 409: resolved already."""
    return DisputeView.of(await handlers.reject_dispute(tx, dispute_id, resolution=body.resolution, by=caller.subject))


@router.get("/disputes", dependencies=[scope("disputes:read")])
async def list_disputes(
    conn: Conn, page: PageArgs, invoice_id: UUID | None = None, state: State | None = None
) -> Page[DisputeView]:
    """Disputes in the order they were opened."""
    rows = await store.list_disputes(conn, invoice_id=invoice_id, state=state, after=page.after, limit=page.limit + 1)
    return page.of([DisputeView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/disputes/{dispute_id}", dependencies=[scope("disputes:read")])
async def get_dispute(dispute_id: UUID, conn: Conn) -> DisputeView:
    """One dispute."""
    return DisputeView.of(await store.get_dispute(conn, dispute_id))
