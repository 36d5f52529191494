"""Facts published by sales-svc."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Country, Custom, Customer, Day, Event, Line, Name, Text
from ltc_contracts.money import Money

Probability = Annotated[int, Field(ge=0, le=100, description="per cent")]
Lines = Annotated[tuple[Line, ...], Field(min_length=1, max_length=500)]
Products = Annotated[tuple[Code, ...], Field(max_length=100, description="SKUs")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class OpportunityOpened(Event):
    """A deal is worked on."""

    TOPIC: ClassVar[str] = "opportunity.opened"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "opportunity_id"

    opportunity_id: UUID
    lead_id: UUID | None = None
    name: Name
    company: Name | None = None
    owner: Name | None = None
    stage: Code
    probability: Probability
    value: Money | None = None
    channel: Code | None = None
    source: Name | None = None
    # 1.1
    account_id: UUID | None = None
    pipeline: Code | None = None
    team: Name | None = None
    region: Name | None = None
    segment: Code | None = None
    campaign: Name | None = None
    products: Products = ()
    country: Country | None = None
    external_ref: Name | None = None
    expected_close_on: Day | None = None
    custom: Custom = Field(default_factory=dict)


class OpportunityStageChanged(Event):
    """The deal moved, with the stage it left and the time spent there."""

    TOPIC: ClassVar[str] = "opportunity.stage_changed"
    SUBJECT: ClassVar[str] = "opportunity_id"

    opportunity_id: UUID
    from_stage: Code
    to_stage: Code
    probability: Probability
    seconds_in_stage: Annotated[int, Field(ge=0)]


class OpportunityWon(Event):
    """The deal is won: its contract is signed."""

    TOPIC: ClassVar[str] = "opportunity.won"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "opportunity_id"

    opportunity_id: UUID
    contract_id: UUID
    value: Money
    owner: Name | None = None
    opened_at: AwareDatetime
    # 1.1
    account_id: UUID | None = None
    pipeline: Code | None = None
    team: Name | None = None
    region: Name | None = None
    segment: Code | None = None
    campaign: Name | None = None
    products: Products = ()
    reason: Text | None = None
    competitors: Annotated[tuple[Name, ...], Field(max_length=20)] = ()


class OpportunityLost(Event):
    """The deal is lost, with the reason."""

    TOPIC: ClassVar[str] = "opportunity.lost"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "opportunity_id"

    opportunity_id: UUID
    reason: Text
    stage: Code
    value: Money | None = None
    owner: Name | None = None
    opened_at: AwareDatetime
    # 1.1
    account_id: UUID | None = None
    pipeline: Code | None = None
    team: Name | None = None
    region: Name | None = None
    segment: Code | None = None
    campaign: Name | None = None
    products: Products = ()
    competitors: Annotated[tuple[Name, ...], Field(max_length=20)] = ()


class QuoteSent(Event):
    """A priced version is with the customer."""

    TOPIC: ClassVar[str] = "quote.sent"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    lines: Lines
    net: Money
    valid_until: Day


class QuoteAccepted(Event):
    """The customer accepted this version; every other version is superseded."""

    TOPIC: ClassVar[str] = "quote.accepted"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    net: Money


class ContractSigned(Event):
    """Both parties are bound. Carries the whole priced deal; the order takes its lines unchanged."""

    TOPIC: ClassVar[str] = "contract.signed"
    SUBJECT: ClassVar[str] = "contract_id"

    contract_id: UUID
    number: Code
    opportunity_id: UUID
    quote_id: UUID
    customer: Customer
    lines: Lines
    net: Money
    payment_terms_days: Annotated[int, Field(ge=0, le=365)]
    requested_on: Day | None = None
    document_sha256: Sha256
    signed_by: Name
    signed_at: AwareDatetime
