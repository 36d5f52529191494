"""Facts published by sales-svc."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Country, Custom, Customer, Day, Event, Line, Name, Percent, Text
from ltc_contracts.money import Money

Probability = Annotated[int, Field(ge=0, le=100, description="per cent")]
Lines = Annotated[tuple[Line, ...], Field(min_length=1, max_length=500)]
Products = Annotated[tuple[Code, ...], Field(max_length=100, description="SKUs")]
Roles = Annotated[tuple[Code, ...], Field(min_length=1, max_length=20)]
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
    """The deal moved, with the stage it left and the time spent there. `skipped` are stages that it passed over."""

    TOPIC: ClassVar[str] = "opportunity.stage_changed"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "opportunity_id"

    opportunity_id: UUID
    from_stage: Code
    to_stage: Code
    probability: Probability
    seconds_in_stage: Annotated[int, Field(ge=0)]
    # 1.1
    pipeline: Code | None = None
    backward: bool = False
    skipped: Annotated[tuple[Code, ...], Field(max_length=30)] = ()


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


class ActivityLogged(Event):
    """Somebody was in touch with a customer, or did a task: of what type and who, never the content. On a deal's flow, if it has one."""

    TOPIC: ClassVar[str] = "activity.logged"
    SUBJECT: ClassVar[str] = "activity_id"

    activity_id: UUID
    type: Code
    by: Name
    account_id: UUID | None = None
    opportunity_id: UUID | None = None


class QuoteApprovalRequested(Event):
    """An offer exceeds the seller's authority; these roles have to approve it, one after the other."""

    TOPIC: ClassVar[str] = "quote.approval_requested"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    net: Money
    discount_percent: Annotated[Percent, Field(description="below list price")]
    roles: Roles
    requested_by: Name


class QuoteApproved(Event):
    """Everybody who had to approve the offer did, `waited_seconds` after it was asked for."""

    TOPIC: ClassVar[str] = "quote.approved"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    net: Money
    discount_percent: Annotated[Percent, Field(description="below list price")]
    roles: Roles
    waited_seconds: Annotated[int, Field(ge=0)]


class QuoteSent(Event):
    """A priced version is with the customer."""

    TOPIC: ClassVar[str] = "quote.sent"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    lines: Lines
    net: Money
    valid_until: Day
    # 1.1
    list_net: Annotated[Money | None, Field(description="the same at list prices")] = None
    discount_percent: Annotated[Percent | None, Field(description="below list price")] = None
    recurring: Annotated[tuple[Code, ...], Field(max_length=3, description="periods of what is paid again and again")] = ()
    custom: Custom = Field(default_factory=dict)


class QuoteAccepted(Event):
    """The customer accepted this version; every other version is superseded."""

    TOPIC: ClassVar[str] = "quote.accepted"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    net: Money
    # 1.1
    via: Annotated[Literal["api", "link"] | None, Field(description="told to us, or by the customer online")] = None


class QuoteRejected(Event):
    """A no to an offer: the customer's, which ends this version, or an approver's, which sends it back to the seller."""

    TOPIC: ClassVar[str] = "quote.rejected"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    net: Money
    by: Literal["customer", "approver"]
    reason: Text | None = None


class QuoteExpired(Event):
    """The last day of an offer has passed without an answer."""

    TOPIC: ClassVar[str] = "quote.expired"
    SUBJECT: ClassVar[str] = "quote_id"

    quote_id: UUID
    opportunity_id: UUID
    number: Code
    quote_version: Annotated[int, Field(ge=1)]
    net: Money
    valid_until: Day


class ContractSigned(Event):
    """Both parties are bound. Carries the whole priced deal; the order takes its lines unchanged.

    `document_sha256` is of the UTF-8 bytes of the contract's canonical text: parties, priced lines, totals, terms and clauses.
    `pdf_sha256` is of the very bytes of the PDF that was signed.
    """

    TOPIC: ClassVar[str] = "contract.signed"
    VERSION: ClassVar[str] = "1.1"
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
    # 1.1
    pdf_sha256: Sha256 | None = None
    contract_version: Annotated[int, Field(ge=1)] | None = None
    owner: Name | None = None
    starts_on: Day | None = None
    ends_on: Day | None = None
    auto_renew: bool = False
    renewal_months: Annotated[int, Field(ge=1, le=120)] | None = None
    notice_days: Annotated[int, Field(ge=0, le=730)] | None = None


class ContractRenewalDue(Event):
    """The day until which notice can be given comes near: `days_before` it. Told once for each reminder and term."""

    TOPIC: ClassVar[str] = "contract.renewal_due"
    SUBJECT: ClassVar[str] = "contract_id"

    contract_id: UUID
    number: Code
    opportunity_id: UUID
    customer: Name
    owner: Name | None = None
    net: Money
    term: Annotated[int, Field(ge=1, description="1 for the first term, one more with each renewal")]
    ends_on: Day
    notice_by: Day
    days_before: Annotated[int, Field(ge=0, le=3650)]
    auto_renew: bool


class CommissionAccrued(Event):
    """A rep will earn `amount` once the deal's cash is in: on signature, or again when a credited invoice is replaced."""

    TOPIC: ClassVar[str] = "commission.accrued"
    SUBJECT: ClassVar[str] = "commission_id"

    commission_id: UUID
    contract_id: UUID
    opportunity_id: UUID
    rep: Name
    plan: Code
    plan_version: Annotated[int, Field(ge=1)]
    base: Money
    rate: Percent
    amount: Money
    accrued_after: Money


class CommissionVested(Event):
    """A rep has earned `amount`, in proportion to the cash collected net of tax; `vested_after` is what is earned by now."""

    TOPIC: ClassVar[str] = "commission.vested"
    SUBJECT: ClassVar[str] = "commission_id"

    commission_id: UUID
    contract_id: UUID
    opportunity_id: UUID
    rep: Name
    plan: Code
    plan_version: Annotated[int, Field(ge=1)]
    amount: Money
    accrued_after: Money
    vested_after: Money


class CommissionClawedBack(Event):
    """Taken back: `vested`, what was earned and may vest again; `accrued`, what can never be earned any more."""

    TOPIC: ClassVar[str] = "commission.clawed_back"
    SUBJECT: ClassVar[str] = "commission_id"

    commission_id: UUID
    contract_id: UUID
    opportunity_id: UUID
    rep: Name
    plan: Code
    plan_version: Annotated[int, Field(ge=1)]
    part: Literal["vested", "accrued"]
    cause: Literal["refund", "credit", "cancellation"]
    amount: Money
    accrued_after: Money
    vested_after: Money
