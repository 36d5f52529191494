"""HTTP in: opportunities, quotes, contracts, accounts."""

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
from pydantic import BaseModel, ConfigDict, Field

from sales_svc import domain, handlers, store
from sales_svc.domain import Contract, Opportunity, Quote

router = make_router(prefix="/v1", tags=["sales"])
# Numbers come as strings: a JSON number may have been a float on its way.
Exact = Annotated[Decimal, Field(strict=False, max_digits=20, decimal_places=6, allow_inf_nan=False)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewOpportunity(Body):
    name: Name
    company: Name | None = None
    country: Country | None = None
    owner: Name | None = None
    value: Money | None = None
    channel: Code | None = None
    source: Name | None = None


class ToStage(Body):
    stage: Code


class Loss(Body):
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


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


class Signature(Body):
    signed_by: Name


class OpportunityView(BaseModel):
    id: UUID
    flow_id: UUID
    lead_id: UUID | None
    name: str
    company: str | None
    country: str | None
    owner: str | None
    stage: str
    probability: int
    value: Money | None
    channel: str | None
    source: str | None
    stage_since: datetime
    lost_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, opportunity: Opportunity) -> "OpportunityView":
        return cls(**{name: getattr(opportunity, name) for name in cls.model_fields})


class StageChangeView(BaseModel):
    from_stage: str
    to_stage: str
    seconds_in_stage: int
    changed_at: datetime


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
        _, tax, gross = domain.totals(quote.lines)
        given: dict[str, Any] = {name: getattr(quote, name) for name in cls.model_fields if name not in ("tax", "gross")}
        return cls(**given, tax=tax, gross=gross)


class ContractView(BaseModel):
    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    quote_id: UUID
    number: str
    state: str
    document: str
    document_sha256: str
    signed_by: str | None
    signed_at: datetime | None
    version: int
    created_at: datetime

    @classmethod
    def of(cls, contract: Contract) -> "ContractView":
        return cls(**{name: getattr(contract, name) for name in cls.model_fields})


class AccountView(BaseModel):
    id: UUID
    name: str
    country: str
    created_at: datetime


@router.post("/opportunities", status_code=201, dependencies=[scope("opportunities:write")])
async def create_opportunity(body: NewOpportunity, tx: Tx) -> OpportunityView:
    """Open a deal without a lead; it begins a flow of its own."""
    return OpportunityView.of(
        await handlers.open_opportunity(tx, **{name: getattr(body, name) for name in type(body).model_fields})
    )


@router.get("/opportunities", dependencies=[scope("opportunities:read")])
async def list_opportunities(
    conn: Conn,
    page: PageArgs,
    flow_id: UUID | None = None,
    stage: str | None = None,
    owner: str | None = None,
    lead_id: UUID | None = None,
) -> Page[OpportunityView]:
    """Deals in the order they were opened."""
    rows = await store.list_opportunities(
        conn, flow_id=flow_id, stage=stage, owner=owner, lead_id=lead_id, after=page.after, limit=page.limit + 1
    )
    return page.of([OpportunityView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/opportunities/{opportunity_id}", dependencies=[scope("opportunities:read")])
async def get_opportunity(opportunity_id: UUID, conn: Conn) -> OpportunityView:
    """One deal."""
    return OpportunityView.of(await store.get_opportunity(conn, opportunity_id))


@router.get("/opportunities/{opportunity_id}/history", dependencies=[scope("opportunities:read")])
async def get_history(opportunity_id: UUID, conn: Conn) -> list[StageChangeView]:
    """Every move with the time spent in the stage before it."""
    await store.get_opportunity(conn, opportunity_id)
    changes = await store.list_stage_changes(conn, opportunity_id)
    return [StageChangeView(**{name: getattr(change, name) for name in StageChangeView.model_fields}) for change in changes]


@router.post("/opportunities/{opportunity_id}/stage", dependencies=[scope("opportunities:write")])
async def move_stage(opportunity_id: UUID, body: ToStage, tx: Tx) -> OpportunityView:
    """Move along the pipeline: qualification, discovery, proposal, negotiation, commit."""
    return OpportunityView.of(await handlers.move_stage(tx, opportunity_id, body.stage))


@router.post("/opportunities/{opportunity_id}/lose", dependencies=[scope("opportunities:write")])
async def lose(opportunity_id: UUID, body: Loss, tx: Tx) -> OpportunityView:
    """Close the deal as lost, with the reason."""
    return OpportunityView.of(await handlers.lose(tx, opportunity_id, body.reason))


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
    rows = await store.list_quotes(conn, flow_id=flow_id, opportunity_id=opportunity_id, after=page.after, limit=page.limit + 1)
    return page.of([QuoteView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/quotes/{quote_id}", dependencies=[scope("quotes:read")])
async def get_quote(quote_id: UUID, conn: Conn) -> QuoteView:
    """One quote."""
    return QuoteView.of(await store.get_quote(conn, quote_id))


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


@router.post("/quotes/{quote_id}/contract", status_code=201, dependencies=[scope("contracts:write")])
async def draw_up_contract(quote_id: UUID, tx: Tx) -> ContractView:
    """Draw up the contract of an accepted quote; asked again, it is the same one."""
    return ContractView.of(await handlers.draw_up_contract(tx, quote_id))


@router.get("/contracts", dependencies=[scope("contracts:read")])
async def list_contracts(conn: Conn, page: PageArgs, flow_id: UUID | None = None) -> Page[ContractView]:
    """Contracts in the order they were drawn up."""
    rows = await store.list_contracts(conn, flow_id=flow_id, after=page.after, limit=page.limit + 1)
    return page.of([ContractView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/contracts/{contract_id}", dependencies=[scope("contracts:read")])
async def get_contract(contract_id: UUID, conn: Conn) -> ContractView:
    """One contract with its text."""
    return ContractView.of(await store.get_contract(conn, contract_id))


@router.post("/contracts/{contract_id}/sign", dependencies=[scope("contracts:write")])
async def sign_contract(contract_id: UUID, body: Signature, tx: Tx) -> ContractView:
    """Sign: both parties are bound, and the deal is won."""
    return ContractView.of(await handlers.sign_contract(tx, contract_id, body.signed_by))


@router.get("/accounts", dependencies=[scope("accounts:read")])
async def list_accounts(conn: Conn, page: PageArgs) -> Page[AccountView]:
    """Companies that were named on an opportunity or a quote."""
    rows = await store.list_accounts(conn, after=page.after, limit=page.limit + 1)
    return page.of([AccountView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/accounts/{account_id}", dependencies=[scope("accounts:read")])
async def get_account(account_id: UUID, conn: Conn) -> AccountView:
    """One company."""
    return AccountView(**dict(await store.get_account(conn, account_id)))


def _line(number: int, line: NewLine, currency: str) -> Line:
    try:
        return domain.price_line(line_id=new_id(), currency=currency, **line.model_dump())
    except Invalid as error:
        raise Invalid(error.reason, field=f"lines.{number}.{error.field}") from error
