"""HTTP in: money that goes back, and money that is taken off an invoice."""

from datetime import date
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.money import Money
from pydantic import BaseModel

from billing_svc.api.credits import Body, Reason
from billing_svc.api.payments import PaymentView, Reference, payment_views
from billing_svc.domain.refund import Refund, State
from billing_svc.handlers import payments as cash
from billing_svc.handlers import refunds as handlers
from billing_svc.handlers.refunds import Execution
from billing_svc.store import refunds as store

router = make_router(prefix="/v1", tags=["refunds"])
Payer = Annotated[Principal, scope("refunds:write")]
Executor = Annotated[Principal, scope("refunds:execute")]
Applier = Annotated[Principal, scope("payments:write")]


class Unapplication(Body):
    """Without an amount all that the payment settles of the invoice."""

    invoice_id: UUID
    amount: Money | None = None
    reason: Reason


class NewRefund(Body):
    """Of credit on account, or with `invoice_id` of what the payment settles of that invoice."""

    amount: Money
    reason: Reason
    invoice_id: UUID | None = None


class RefundExecution(Body):
    """The reference of the bank or the provider under which the money left; the day is today unless said."""

    reference: Reference
    executed_on: Day | None = None


class DoneRefund(NewRefund, RefundExecution):
    """Money that is gone already: a refund of the provider, a debit that was returned."""


class RefundView(BaseModel):
    """`requested` is set aside. `invoice_id`: what the money had settled."""

    id: UUID
    payment_id: UUID
    amount: Money
    invoice_id: UUID | None
    number: str | None
    order_id: UUID | None
    reason: str
    state: State
    requested_by: str
    requested_on: date
    reference: str | None
    executed_by: str | None
    executed_on: date | None

    @classmethod
    def of(cls, refund: Refund) -> "RefundView":
        given: dict[str, Any] = {name: getattr(refund, name) for name in cls.model_fields}
        return cls(**given)


@router.post("/payments/{payment_id}/unapply")
async def unapply_payment(payment_id: UUID, body: Unapplication, tx: Tx, caller: Applier) -> PaymentView:
    """Take a payment off an invoice, or a part of it: credit on account again, and the invoice is owed again.

    400: more than it settles, another currency. 404: no such payment or invoice. 409: nothing of it settles the invoice.
    """
    payment = await cash.unapply_payment(
        tx, payment_id, body.invoice_id, amount=body.amount, reason=body.reason, by=caller.subject
    )
    return (await payment_views(tx.conn, [payment]))[0]


@router.post("/payments/{payment_id}/refunds", status_code=201)
async def request_refund(payment_id: UUID, body: NewRefund, tx: Tx, caller: Payer) -> RefundView:
    """Set money aside to go back.

    400: another currency, more than settles the invoice. 404: no such payment or invoice. 409: more than is left.
    """
    refund = await handlers.request_refund(
        tx, payment_id, amount=body.amount, invoice_id=body.invoice_id, executed=None, reason=body.reason, by=caller.subject
    )
    return RefundView.of(refund)


@router.post("/payments/{payment_id}/refunds/done", status_code=201)
async def record_refund(payment_id: UUID, body: DoneRefund, tx: Tx, caller: Executor) -> RefundView:
    """Money went back already. As for a request; 409 also: the reference has executed another refund."""
    executed = Execution(body.reference, body.executed_on)
    refund = await handlers.request_refund(
        tx, payment_id, amount=body.amount, invoice_id=body.invoice_id, executed=executed, reason=body.reason, by=caller.subject
    )
    return RefundView.of(refund)


@router.post("/refunds/{refund_id}/execute")
async def execute_refund(refund_id: UUID, body: RefundExecution, tx: Tx, caller: Executor) -> RefundView:
    """The money left. 400: a day before the request or to come. 409: executed or withdrawn, the reference has executed another refund."""
    executed = Execution(body.reference, body.executed_on)
    return RefundView.of(await handlers.execute_refund(tx, refund_id, executed, by=caller.subject))


@router.post("/refunds/{refund_id}/withdraw", dependencies=[scope("refunds:write")])
async def withdraw_refund(refund_id: UUID, tx: Tx) -> RefundView:
    """It does not go back: credit on account again. 409: executed or withdrawn."""
    return RefundView.of(await handlers.withdraw_refund(tx, refund_id))


@router.get("/refunds", dependencies=[scope("refunds:read")])
async def list_refunds(
    conn: Conn, page: PageArgs, payment_id: UUID | None = None, state: State | None = None
) -> Page[RefundView]:
    """Refunds in the order they were asked for."""
    rows = await store.list_refunds(conn, payment_id=payment_id, state=state, after=page.after, limit=page.limit + 1)
    return page.of([RefundView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/refunds/{refund_id}", dependencies=[scope("refunds:read")])
async def get_refund(refund_id: UUID, conn: Conn) -> RefundView:
    """One refund."""
    return RefundView.of(await store.get_refund(conn, refund_id))
