"""HTTP in: credit notes. Those of returns, changes and cancellations are made by events; these are made by people."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from billing_svc.api.invoices import NUMBER
from billing_svc.domain.credit_note import CreditCause, CreditNote, Wanted
from billing_svc.domain.occasion import InvoiceLine
from billing_svc.handlers import credits as handlers
from billing_svc.store import credits as store
from billing_svc.store import invoices

router = make_router(prefix="/v1", tags=["credit notes"])
# NUL is the one character that PostgreSQL's text cannot hold.
Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class CreditedLine(Body):
    """A line of the invoice, and how much of it, net, in the invoice's currency; without an amount all that is left."""

    line_id: UUID
    # A string, since a JSON number may have been a float on its way.
    net: Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$")] | None = None


class NewCredit(Body):
    """Without lines the whole invoice, or what is left of it."""

    reason: Reason
    lines: Annotated[list[CreditedLine], Field(min_length=1, max_length=500)] | None = None


class CreditView(BaseModel):
    """`cause_id` is of the return or the change, or the cancelled order. `released` had been paid and is on account since."""

    id: UUID
    flow_id: UUID
    number: str
    invoice_id: UUID
    invoice_number: str
    order_id: UUID
    cause: CreditCause
    cause_id: UUID | None
    customer: Customer
    lines: list[InvoiceLine]
    taxes: list[TaxSubtotal]
    net: Money
    tax: Money
    gross: Money
    released: Money
    reason: str
    credited_on: date

    @classmethod
    def of(cls, note: CreditNote) -> "CreditView":
        given: dict[str, Any] = {name: getattr(note, name) for name in cls.model_fields}
        return cls(**given)


@router.post("/invoices/{invoice_id}/credits", status_code=201, dependencies=[scope("credits:write")])
async def credit_invoice(invoice_id: UUID, body: NewCredit, tx: Tx) -> CreditView:
    """Take back an invoice, or a part of it. What was paid of it becomes credit on account.

    400: more than is left of a line, no such line, nothing named. 404: no such invoice. 409: everything is credited already.
    """
    wanted = None if body.lines is None else await wanted_lines(tx.conn, invoice_id, body.lines)
    return CreditView.of(await handlers.credit_by_hand(tx, invoice_id, reason=body.reason, wanted=wanted))


@router.get("/credits", dependencies=[scope("credits:read")])
async def list_credits(
    conn: Conn,
    page: PageArgs,
    flow_id: UUID | None = None,
    order_id: UUID | None = None,
    invoice_id: UUID | None = None,
    number: Annotated[str | None, Query(pattern=NUMBER)] = None,
) -> Page[CreditView]:
    """Credit notes in the order they were made."""
    rows = await store.list_credits(
        conn,
        flow_id=flow_id,
        order_id=order_id,
        invoice_id=invoice_id,
        number=number,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([CreditView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/credits/{credit_id}", dependencies=[scope("credits:read")])
async def get_credit(credit_id: UUID, conn: Conn) -> CreditView:
    """One credit note."""
    return CreditView.of(await store.get_credit(conn, credit_id))


async def wanted_lines(conn: Conn, invoice_id: UUID, lines: list[CreditedLine]) -> list[Wanted]:
    """As the domain takes them. Raises `Invalid` for an amount that is none in the invoice's currency, with the field."""
    currency = (await invoices.get_invoice(conn, invoice_id)).gross.currency
    wanted = []
    for place, line in enumerate(lines):
        try:
            net = None if line.net is None else Money.of(Decimal(line.net), currency)
        except Invalid as error:
            raise Invalid(error.reason, field=f"lines.{place}.net") from error
        wanted.append(Wanted(line.line_id, net, field=f"lines.{place}"))
    return wanted
