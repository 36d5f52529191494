"""HTTP in: quotes."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, Line
from ltc_contracts.events.model import Code, Country, Name, TaxCategory, Text
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, Exact
from sales_svc.domain.quote import Quote, price_line, totals
from sales_svc.handlers import quotes as handlers
from sales_svc.store import quotes

router = make_router(prefix="/v1", tags=["quotes"])


class NewCustomer(Body):
    name: Name
    country: Country
    vat_id: Annotated[str, Field(max_length=20)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None


class NewLine(Body):
    sku: Code
    description: Name
    quantity: Annotated[Exact, Field(gt=0)]
    unit_price: Annotated[Exact, Field(ge=0)]
    base_quantity: Annotated[Exact, Field(gt=0)] = Decimal(1)
    discount_percent: Annotated[Exact, Field(ge=0, le=100)] = Decimal(0)
    tax_category: TaxCategory = "S"
    tax_rate: Annotated[Exact, Field(ge=0, le=100)]


class NewQuote(Body):
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    customer: NewCustomer
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=500)]
    valid_until: date | None = None
    payment_terms_days: Annotated[int, Field(ge=0, le=365)] = 30
    requested_on: date | None = None


class Rejection(Body):
    reason: Text | None = None


class QuoteView(BaseModel):
    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    number: str
    quote_version: int
    state: str
    customer: Customer
    lines: list[Line]
    net: Money
    tax: Money
    gross: Money
    valid_until: date
    payment_terms_days: int
    requested_on: date | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, quote: Quote) -> "QuoteView":
        _, tax, gross = totals(quote.lines)
        given: dict[str, Any] = {name: getattr(quote, name) for name in cls.model_fields if name not in ("tax", "gross")}
        return cls(**given, tax=tax, gross=gross)


@router.post("/opportunities/{opportunity_id}/quotes", status_code=201, dependencies=[scope("quotes:write")])
async def draft_quote(opportunity_id: UUID, body: NewQuote, tx: Tx) -> QuoteView:
    """Price the next version of the offer."""
    lines = tuple(_line(number, line, body.currency) for number, line in enumerate(body.lines))
    customer = Customer(customer_id=new_id(), **body.customer.model_dump())
    quote = await handlers.draft_quote(
        tx,
        opportunity_id,
        customer=customer,
        lines=lines,
        valid_until=body.valid_until,
        payment_terms_days=body.payment_terms_days,
        requested_on=body.requested_on,
    )
    return QuoteView.of(quote)


@router.get("/quotes", dependencies=[scope("quotes:read")])
async def list_quotes(
    conn: Conn, page: PageArgs, flow_id: UUID | None = None, opportunity_id: UUID | None = None
) -> Page[QuoteView]:
    """Quotes in the order they were made."""
    rows = await quotes.list_quotes(conn, flow_id=flow_id, opportunity_id=opportunity_id, after=page.after, limit=page.limit + 1)
    return page.of([QuoteView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/quotes/{quote_id}", dependencies=[scope("quotes:read")])
async def get_quote(quote_id: UUID, conn: Conn) -> QuoteView:
    """One quote."""
    return QuoteView.of(await quotes.get_quote(conn, quote_id))


@router.post("/quotes/{quote_id}/send", dependencies=[scope("quotes:write")])
async def send_quote(quote_id: UUID, tx: Tx) -> QuoteView:
    """Send the offer to the customer."""
    return QuoteView.of(await handlers.send_quote(tx, quote_id))


@router.post("/quotes/{quote_id}/accept", dependencies=[scope("quotes:write")])
async def accept_quote(quote_id: UUID, tx: Tx) -> QuoteView:
    """The customer accepts this version; the others are superseded."""
    return QuoteView.of(await handlers.accept_quote(tx, quote_id))


@router.post("/quotes/{quote_id}/reject", dependencies=[scope("quotes:write")])
async def reject_quote(quote_id: UUID, tx: Tx, body: Rejection | None = None) -> QuoteView:  # noqa: ARG001 - read by OpenAPI
    """The customer does not take this version."""
    return QuoteView.of(await handlers.reject_quote(tx, quote_id))


def _line(number: int, line: NewLine, currency: str) -> Line:
    try:
        return price_line(line_id=new_id(), currency=currency, **line.model_dump())
    except Invalid as error:
        raise Invalid(error.reason, field=f"lines.{number}.{error.field}") from error
