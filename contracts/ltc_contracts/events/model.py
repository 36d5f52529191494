"""The base of every event, and the parts that several events share."""

from datetime import date
from decimal import Decimal
from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PlainSerializer, WithJsonSchema

from ltc_contracts.money import Money

# Exact numbers travel as strings: a JSON number may have been a float on its way.
Exact = Annotated[
    Decimal,
    Field(max_digits=20, decimal_places=6, allow_inf_nan=False),
    PlainSerializer(lambda value: format(value, "f"), return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "pattern": r"^-?[0-9]{1,14}(\.[0-9]{1,6})?$"}),
]
Name = Annotated[str, Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(max_length=2000)]
Code = Annotated[str, Field(min_length=1, max_length=64)]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2")]
Percent = Annotated[Exact, Field(ge=0, le=100)]
TaxCategory = Literal["S", "Z", "E", "AE"]


# Values of a company's own fields, by the field's key; a list is a choice of several. Personal ones are not carried.
Custom = Annotated[
    dict[Code, str | int | bool | list[str] | None], Field(max_length=200, description="the company's own fields, by key")
]
ClickIds = Annotated[dict[Code, Annotated[str, Field(max_length=500)]], Field(max_length=10)]


class Part(BaseModel):
    """A value inside an event. Frozen; readers ignore what a later minor version adds."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Part):
    """One fact. `TOPIC` and `VERSION` name its contract; `SUBJECT` is the field that holds the aggregate's id.

    An event whose `OF_A_FLOW` is False belongs to no single journey; its key is its subject.
    """

    TOPIC: ClassVar[str]
    VERSION: ClassVar[str] = "1.0"
    SUBJECT: ClassVar[str]
    OF_A_FLOW: ClassVar[bool] = True

    @property
    def subject(self) -> str:
        return str(getattr(self, self.SUBJECT))

    @classmethod
    def type_name(cls) -> str:
        """CloudEvents type: `ltc.lead.qualified.v1`."""
        return f"ltc.{cls.TOPIC}.v{cls.VERSION.partition('.')[0]}"

    @classmethod
    def dataschema(cls) -> str:
        return f"/schemas/{cls.TOPIC}/{cls.VERSION}.json"


class Contact(Part):
    """The person to talk to. Personal data: carried only on events whose reader needs to reach them."""

    name: Name | None = None
    email: Annotated[str, Field(max_length=254)] | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None


class Touch(Part):
    """One contact with a campaign before or at capture. Everything in it but the time was said by a browser: untrusted."""

    occurred_at: AwareDatetime
    channel: Code | None = None
    source: Name | None = None
    medium: Name | None = None
    campaign: Name | None = None
    term: Name | None = None
    content: Name | None = None
    page: Annotated[str, Field(max_length=500)] | None = None
    referrer: Annotated[str, Field(max_length=500)] | None = None
    click_ids: ClickIds = Field(default_factory=dict)


class Customer(Part):
    """The party that buys and is billed."""

    customer_id: UUID
    name: Name
    country: Country
    vat_id: Annotated[str, Field(max_length=20)] | None = None
    email: Annotated[str, Field(max_length=254)] | None = None


class Line(Part):
    """A priced line, unchanged from quote to invoice. `net` is quantity x price / base quantity less discount, rounded."""

    line_id: UUID
    sku: Code
    description: Name
    quantity: Annotated[Exact, Field(gt=0)]
    unit_price: Money
    base_quantity: Annotated[Exact, Field(gt=0)] = Decimal(1)
    discount_percent: Percent = Decimal(0)
    tax_category: TaxCategory = "S"
    tax_rate: Percent
    net: Money


class TaxSubtotal(Part):
    """Tax per category and rate, computed on the sum of the rounded lines (EN 16931 BG-23)."""

    category: TaxCategory
    rate: Percent
    base: Money
    tax: Money


Day = Annotated[date, Field(description="calendar day, UTC")]
