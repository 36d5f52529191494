"""HTTP in: invoices by hand, from a draft to the final document."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Day
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.events.model import TaxCategory
from ltc_contracts.money import Money
from pydantic import BaseModel, Field, StringConstraints

from billing_svc.api.credits import Body
from billing_svc.api.invoices import InvoiceView
from billing_svc.domain.amounts import line_net
from billing_svc.domain.document_print import Language
from billing_svc.domain.draft import Content, Draft, State, figures
from billing_svc.domain.occasion import InvoiceLine
from billing_svc.handlers import drafts as handlers
from billing_svc.store import drafts as store

router = make_router(prefix="/v1/invoice-drafts", tags=["invoices by hand"])
Writer = Annotated[Principal, scope("drafts:write")]
Issuer = Annotated[Principal, scope("invoices:write")]
# Strings, since a JSON number may have been a float on its way.
Count = Annotated[str, Field(pattern=r"^[0-9]{1,9}(\.[0-9]{1,6})?$")]
Price = Annotated[str, Field(pattern=r"^[0-9]{1,12}(\.[0-9]{1,4})?$", description="in the currency of the draft")]
Percentage = Annotated[str, Field(pattern=r"^[0-9]{1,3}(\.[0-9]{1,4})?$")]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]
Sku = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64, pattern=r"^[^\x00]*$")]


class NewCustomer(Body):
    customer_id: UUID
    name: Words
    country: Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
    vat_id: Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[^\x00]*$")] | None = None
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")] | None = None


class DraftLine(Body):
    """Its net is quantity x price / base quantity less discount, rounded half up to the minor unit."""

    sku: Sku
    description: Words
    quantity: Count
    unit_price: Price
    base_quantity: Count = "1"
    discount_percent: Percentage = "0"
    tax_category: TaxCategory = "S"
    tax_rate: Percentage


class NewDraft(Body):
    """Due on a day, or so many days after it is issued. `parent_flow_id`: the journey that it belongs beside."""

    customer: NewCustomer
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    lines: Annotated[list[DraftLine], Field(min_length=1, max_length=500)]
    due_on: Day | None = None
    payment_terms_days: Annotated[int, Field(ge=0, le=3650)] = 30
    parent_flow_id: UUID | None = None


class RevisedDraft(NewDraft):
    """All of it; `version` is the one that was read."""

    version: Annotated[int, Field(ge=1, lt=2**31)]


class Finalisation(Body):
    """`version` is the one that was read: nobody finalises what they have not seen."""

    version: Annotated[int, Field(ge=1, lt=2**31)]


class DraftView(BaseModel):
    """What it comes to is computed as on the invoice (EN 16931)."""

    id: UUID
    state: State
    customer: Customer
    currency: str
    lines: list[InvoiceLine]
    net: Money
    taxes: list[TaxSubtotal]
    tax: Money
    gross: Money
    due_on: date | None
    payment_terms_days: int
    parent_flow_id: UUID | None
    invoice_id: UUID | None
    created_by: str
    changed_by: str
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, draft: Draft) -> "DraftView":
        content, sums = draft.content, figures(draft)
        return cls(
            id=draft.id,
            state=draft.state,
            customer=content.customer,
            currency=content.currency,
            lines=list(content.lines),
            net=sums.net,
            taxes=list(sums.taxes),
            tax=sums.tax,
            gross=sums.gross,
            due_on=content.due_on,
            payment_terms_days=content.payment_terms_days,
            parent_flow_id=draft.parent_flow_id,
            invoice_id=draft.invoice_id,
            created_by=draft.created_by,
            changed_by=draft.changed_by,
            version=draft.version,
            created_at=draft.created_at,
            updated_at=draft.updated_at,
        )


@router.post("", status_code=201, dependencies=[scope("drafts:write")])
async def write_draft(body: NewDraft, tx: Tx, caller: Writer) -> DraftView:
    """Begin an invoice by hand: it has no number and claims nothing until it is final. 400: a figure that could not be invoiced."""
    draft = await handlers.write_draft(tx, _content(body), parent_flow_id=body.parent_flow_id, by=caller.subject)
    return DraftView.of(draft)


@router.get("", dependencies=[scope("drafts:read")])
async def list_drafts(conn: Conn, page: PageArgs, state: State | None = None) -> Page[DraftView]:
    """Drafts in the order in which they were begun, also those that are final or discarded."""
    rows = await store.list_drafts(conn, state=state, after=page.after, limit=page.limit + 1)
    return page.of([DraftView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/{draft_id}", dependencies=[scope("drafts:read")])
async def get_draft(draft_id: UUID, conn: Conn) -> DraftView:
    """One draft with what it comes to."""
    return DraftView.of(await store.get_draft(conn, draft_id))


@router.put("/{draft_id}", dependencies=[scope("drafts:write")])
async def revise_draft(draft_id: UUID, body: RevisedDraft, tx: Tx, caller: Writer) -> DraftView:
    """Say something else, whole. 404: no such draft. 409: it is final or discarded, or was changed since it was read."""
    revised = await handlers.revise_draft(
        tx, draft_id, _content(body), version=body.version, parent_flow_id=body.parent_flow_id, by=caller.subject
    )
    return DraftView.of(revised)


@router.get("/{draft_id}/document", dependencies=[scope("drafts:read")], response_class=Response)
async def preview_draft(draft_id: UUID, conn: Conn, now: Now, language: Language | None = None) -> Response:
    """How the invoice would look if it were issued now, as PDF marked as a draft. 409: it is due on a day that is over."""
    pdf = await handlers.print_draft(conn, draft_id, language, now)
    headers = {
        "Content-Disposition": 'inline; filename="draft.pdf"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


@router.post("/{draft_id}/discard", dependencies=[scope("drafts:write")])
async def discard_draft(draft_id: UUID, tx: Tx, caller: Writer) -> DraftView:
    """It will never be an invoice. 404: no such draft. 409: it is final or discarded already."""
    return DraftView.of(await handlers.discard_draft(tx, draft_id, by=caller.subject))


@router.post("/{draft_id}/finalise", status_code=201, dependencies=[scope("invoices:write")])
async def finalise_draft(draft_id: UUID, body: Finalisation, tx: Tx, caller: Issuer) -> InvoiceView:
    """The invoice, with its number, once. From now on it never changes: correct it by a credit note, or void it.

    404: no such draft. 409: it is final or discarded, was changed since it was read, or is due on a day that is over.
    """
    invoice = await handlers.finalise_draft(tx, draft_id, version=body.version, by=caller.subject)
    return InvoiceView.of(invoice, tx.now.date())


def _content(body: NewDraft) -> Content:
    lines = tuple(_line(line, place, body.currency) for place, line in enumerate(body.lines))
    customer = Customer.model_validate(body.customer.model_dump())
    return Content(customer, lines, body.due_on, body.payment_terms_days)


def _line(line: DraftLine, place: int, currency: str) -> InvoiceLine:
    """Raises `Invalid` with the field."""
    where = f"lines.{place}"
    if Decimal(line.quantity) == 0 or Decimal(line.base_quantity) == 0:
        raise Invalid("a quantity is above zero", field=where)
    if max(Decimal(line.discount_percent), Decimal(line.tax_rate)) > 100:
        raise Invalid("a percentage is at most 100", field=where)
    try:
        made = InvoiceLine(
            line_id=new_id(),
            sku=line.sku,
            description=line.description,
            quantity=Decimal(line.quantity),
            unit_price=Money.of(line.unit_price, currency),
            base_quantity=Decimal(line.base_quantity),
            discount_percent=Decimal(line.discount_percent),
            tax_category=line.tax_category,
            tax_rate=Decimal(line.tax_rate),
            net=Money.zero(currency),
        )
        return made.model_copy(update={"net": line_net(made)})
    except Invalid as error:
        raise Invalid(error.reason, field=error.field if error.field == "currency" else where) from error
