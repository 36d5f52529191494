"""Bodies and views of quotes."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Day
from ltc_contracts.events import Customer, Line, TaxSubtotal
from ltc_contracts.events.model import Code, Country, Name, TaxCategory, Text
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, Exact, Version
from sales_svc.domain.catalogue import Period
from sales_svc.domain.line import subtotals, totals
from sales_svc.domain.position import Item, Payment, Wanted
from sales_svc.domain.quote import Quote
from sales_svc.domain.quote_answer import REMIND_DAYS_BEFORE
from sales_svc.domain.quote_difference import Difference
from sales_svc.handlers.quote_links import Recipient
from sales_svc.handlers.quotes import Content

Language = Literal["en", "zh"]
Percent = Annotated[Exact, Field(ge=0, le=100)]
Amount = Annotated[Exact, Field(ge=0)]


class NewCustomer(Body):
    name: Name
    country: Country
    vat_id: Annotated[str, Field(max_length=20)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None


class NewLine(Body):
    """With `unit_price` it is the seller's own price, and needs a description and a tax rate unless the SKU is in the catalogue.

    Without, the catalogue prices the SKU. `periods` is the term of what is paid each period; 12 months unless given. Use is only
    an estimate unless `committed`. `unit_cost` is ours, per base quantity.
    """

    sku: Code
    description: Name | None = None
    quantity: Annotated[Exact, Field(gt=0)]
    unit_price: Amount | None = None
    base_quantity: Annotated[Exact, Field(gt=0)] = Decimal(1)
    discount_percent: Percent = Decimal(0)
    tax_category: TaxCategory | None = None
    tax_rate: Percent | None = None
    kind: Payment | None = None
    period: Period | None = None
    periods: Annotated[int, Field(ge=1, le=120)] | None = None
    meter: Code | None = None
    unit: Code | None = None
    committed: bool = False
    unit_cost: Amount | None = None

    def wanted(self) -> Wanted:
        return Wanted(**{name: getattr(self, name) for name in type(self).model_fields})


class NewQuote(Body):
    """`discount_percent` or `discount_amount` is off the whole offer. `region` and `segment` null: those of the deal."""

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    customer: NewCustomer
    lines: Annotated[list[NewLine], Field(min_length=1, max_length=500)]
    valid_until: Day | None = None
    payment_terms_days: Annotated[int, Field(ge=0, le=365)] = 30
    requested_on: Day | None = None
    discount_percent: Percent = Decimal(0)
    discount_amount: Annotated[Exact, Field(gt=0)] | None = None
    language: Language = "en"
    contact: Name | None = None
    address: Annotated[list[Annotated[str, Field(min_length=1, max_length=120)]], Field(default_factory=list, max_length=6)]
    introduction: Text = ""
    terms: Annotated[str, Field(max_length=8000)] = ""
    price_book: Code | None = None
    region: Name | None = None
    segment: Code | None = None
    custom: Annotated[dict[str, Any], Field(default_factory=dict, max_length=200)]

    def content(self) -> Content:
        given = {name: getattr(self, name) for name in NewQuote.model_fields}
        return Content(
            **{
                **given,
                "customer": Customer(customer_id=new_id(), **self.customer.model_dump()),
                "lines": tuple(line.wanted() for line in self.lines),
                "address": tuple(self.address),
            }
        )


class ChangedQuote(NewQuote):
    """The whole content as it shall be; `version` is the one that was read, unless If-Match says it."""

    version: Version | None = None


class Copy(Body):
    valid_until: Day | None = None


class Rejection(Body):
    reason: Text | None = None


class NewLink(Body):
    """`email` null: nobody is mailed, hand the link over. `remind_days_before` the last day a reminder is mailed; null: none."""

    email: Annotated[str, Field(min_length=3, max_length=254)] | None = None
    name: Name | None = None
    remind_days_before: Annotated[int, Field(ge=0, le=90)] | None = REMIND_DAYS_BEFORE

    def recipient(self) -> Recipient:
        return Recipient(self.email, self.name, self.remind_days_before)


class Addressee(NewLink):
    email: Annotated[str, Field(min_length=3, max_length=254)]


class Acceptance(Body):
    """`name`: who of the customer's said so; `order_reference`: the customer's own number for the order."""

    name: Name | None = None
    order_reference: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class Send(Body):
    """`supersede`: earlier versions are no longer offers. Each recipient gets a link to the offer by mail, with the PDF."""

    supersede: bool = False
    recipients: Annotated[list[Addressee], Field(default_factory=list, max_length=10)]


class Recurring(BaseModel):
    """What is paid each period, all positions together."""

    period: Period
    net: Money


class QuoteView(BaseModel):
    """`net`, `tax` and `gross` are what is committed to over the term; `discount_of_list` is in per cent below list prices.

    `viewed_at` is when the customer first looked at it by a link.
    """

    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    number: str
    quote_version: int
    state: str
    customer: Customer
    contact: str | None
    address: list[str]
    language: str
    items: list[Item]
    lines: list[Line]
    list_net: Money
    discount_percent: Exact
    discount_amount: Money | None
    discount_of_list: Exact
    net: Money
    tax: Money
    gross: Money
    taxes: list[TaxSubtotal]
    once: Money
    recurring: list[Recurring]
    cost: Money | None
    margin_percent: Exact | None
    valid_until: date
    payment_terms_days: int
    requested_on: date | None
    introduction: str
    terms: str
    price_book: str | None
    custom: dict[str, Any]
    created_by: str | None
    edited_by: str | None
    copied_from: UUID | None
    sent_at: datetime | None
    viewed_at: datetime | None
    closed_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, quote: Quote) -> "QuoteView":
        _, tax, gross = totals(quote.lines)
        made = ("tax", "gross", "taxes", "once", "recurring")
        given: dict[str, Any] = {name: getattr(quote, name) for name in cls.model_fields if name not in made}
        currency = quote.net.currency
        periods = dict.fromkeys(item.period for item in quote.items if item.period is not None)
        return cls(
            **given,
            tax=tax,
            gross=gross,
            taxes=list(subtotals(quote.lines)),
            once=Money.total((item.total for item in quote.items if item.period is None), currency),
            recurring=[
                Recurring(period=period, net=Money.total((item.net for item in quote.items if item.period == period), currency))
                for period in periods
            ],
        )


class ItemChangeView(BaseModel):
    """`changes`: field to [before, after]."""

    sku: str
    description: str
    changes: dict[str, list[Any]]


class DifferenceView(BaseModel):
    head: dict[str, list[Any]]
    added: list[Item]
    removed: list[Item]
    changed: list[ItemChangeView]

    @classmethod
    def of(cls, found: Difference) -> "DifferenceView":
        changed = [
            ItemChangeView(sku=each.after.sku, description=each.after.description, changes=each.changes) for each in found.changed
        ]
        return cls(head=found.head, added=list(found.added), removed=list(found.removed), changed=changed)
