"""HTTP in: invoices (read only; they are made by hand-overs, or from drafts)."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.money import Money
from pydantic import BaseModel

from billing_svc.domain.invoice import Invoice, PaymentState
from billing_svc.domain.occasion import Cause, InvoiceLine
from billing_svc.domain.reference import payment_reference
from billing_svc.store import invoices as store

router = make_router(prefix="/v1", tags=["invoices"])
NUMBER = r"^[A-Za-z0-9-]{1,64}$"


class InvoiceView(BaseModel):
    """`state` is the document's; `payment_state` and `overdue` are derived from amounts and dates. `cause_id` is what it invoices.

    `next_due_on`: it is paid in instalments, and the oldest that is open falls due then. While it is `disputed` nobody is
    reminded of it. `payment_reference` is what the payer quotes (RF, ISO 11649).
    """

    id: UUID
    flow_id: UUID
    number: str
    payment_reference: str
    state: Literal["draft", "final", "void"]
    payment_state: PaymentState
    overdue: bool
    disputed: bool
    order_id: UUID
    delivery_id: UUID
    cause: Cause
    cause_id: UUID
    customer: Customer
    lines: list[InvoiceLine]
    taxes: list[TaxSubtotal]
    net: Money
    tax: Money
    gross: Money
    paid: Money
    credited: Money
    written_off: Money
    open: Money
    issued_on: date
    due_on: date
    next_due_on: date | None
    paid_on: date | None
    voided_on: date | None
    version: int

    @classmethod
    def of(cls, invoice: Invoice, today: date) -> "InvoiceView":
        given: dict[str, Any] = {
            name: getattr(invoice, name) for name in cls.model_fields if name not in ("overdue", "payment_reference")
        }
        return cls(**given, payment_reference=payment_reference(invoice.number), overdue=invoice.is_overdue(today))


@router.get("/invoices", dependencies=[scope("invoices:read")])
async def list_invoices(
    conn: Conn,
    now: Now,
    page: PageArgs,
    flow_id: UUID | None = None,
    number: Annotated[str | None, Query(pattern=NUMBER)] = None,
    order_id: UUID | None = None,
    payment_state: PaymentState | None = None,
    overdue: bool | None = None,
    disputed: bool | None = None,
) -> Page[InvoiceView]:
    """Invoices in the order they were issued."""
    rows = await store.list_invoices(
        conn,
        flow_id=flow_id,
        number=number,
        order_id=order_id,
        payment_state=payment_state,
        overdue=overdue,
        disputed=disputed,
        today=now.date(),
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([InvoiceView.of(row, now.date()) for row in rows], key=lambda view: view.id)


@router.get("/invoices/{invoice_id}", dependencies=[scope("invoices:read")])
async def get_invoice(invoice_id: UUID, conn: Conn, now: Now) -> InvoiceView:
    """One invoice with what is open on it."""
    return InvoiceView.of(await store.get_invoice(conn, invoice_id), now.date())
