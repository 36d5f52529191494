"""The rules of a deal until it is signed (RULES 2 and 4). Pure: time and ids come in as arguments."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import (
    ContractSigned,
    Customer,
    Event,
    Line,
    OpportunityLost,
    OpportunityOpened,
    OpportunityStageChanged,
    OpportunityWon,
    QuoteAccepted,
    QuoteSent,
)
from ltc_contracts.events.model import TaxCategory
from ltc_contracts.money import Money

QuoteState = Literal["draft", "sent", "accepted", "rejected", "expired", "superseded"]
ContractState = Literal["draft", "signed"]
CLOSED = {"won": 100, "lost": 0}
CLAUSES = (("scope", 1), ("delivery", 1), ("payment", 1), ("liability", 1))

QUOTE_TRANSITIONS: dict[tuple[QuoteState, str], QuoteState] = {
    ("draft", "send"): "sent",
    ("sent", "accept"): "accepted",
    ("sent", "reject"): "rejected",
    ("sent", "expire"): "expired",
    ("draft", "supersede"): "superseded",
    ("sent", "supersede"): "superseded",
}
CONTRACT_TRANSITIONS: dict[tuple[ContractState, str], ContractState] = {("draft", "sign"): "signed"}


class QuoteExpired(DomainError):
    """The offer's last day has passed."""


class DealClosed(DomainError):
    """The opportunity is won or lost; nothing more can be offered or moved."""


class DocumentChanged(DomainError):
    """The contract's text is not the one its digest was made of."""


@dataclass(frozen=True, slots=True)
class Stage:
    """A step of a pipeline; `probability` in per cent."""

    code: str
    position: int
    probability: int


@dataclass(frozen=True, slots=True)
class Opportunity:
    """A deal that is worked on; `stage` is a pipeline's stage, or won, or lost."""

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

    @property
    def is_open(self) -> bool:
        return self.stage not in CLOSED


@dataclass(frozen=True, slots=True)
class StageChange:
    """One move, with the time spent before it."""

    from_stage: str
    to_stage: str
    seconds_in_stage: int
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Quote:
    """One priced version of an offer."""

    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    number: str
    quote_version: int
    state: QuoteState
    customer: Customer
    lines: tuple[Line, ...]
    net: Money
    valid_until: date
    payment_terms_days: int
    requested_on: date | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Contract:
    """A document that binds once it is signed; the digest covers parties, lines, totals and terms."""

    id: UUID
    flow_id: UUID
    opportunity_id: UUID
    quote_id: UUID
    number: str
    state: ContractState
    document: str
    document_sha256: str
    signed_by: str | None
    signed_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


def opened(opportunity: Opportunity) -> OpportunityOpened:
    """The event of a new opportunity."""
    return OpportunityOpened(
        opportunity_id=opportunity.id,
        lead_id=opportunity.lead_id,
        name=opportunity.name,
        company=opportunity.company,
        owner=opportunity.owner,
        stage=opportunity.stage,
        probability=opportunity.probability,
        value=opportunity.value,
        channel=opportunity.channel,
        source=opportunity.source,
    )


def move(opportunity: Opportunity, stage: Stage, now: datetime) -> tuple[Opportunity, StageChange | None, list[Event]]:
    """To another stage of the pipeline; to the same one nothing happens."""
    _require_open(opportunity, "move")
    if stage.code == opportunity.stage:
        return opportunity, None, []
    change = _change(opportunity, stage.code, now)
    moved = replace(opportunity, stage=stage.code, probability=stage.probability, stage_since=now, **_touched(opportunity, now))
    event = OpportunityStageChanged(
        opportunity_id=opportunity.id,
        from_stage=change.from_stage,
        to_stage=change.to_stage,
        probability=stage.probability,
        seconds_in_stage=change.seconds_in_stage,
    )
    return moved, change, [event]


def lose(opportunity: Opportunity, reason: str, now: datetime) -> tuple[Opportunity, StageChange, list[Event]]:
    """A loss needs a reason (RULES 2)."""
    _require_open(opportunity, "lose")
    change = _change(opportunity, "lost", now)
    lost = replace(opportunity, stage="lost", probability=0, stage_since=now, lost_reason=reason, **_touched(opportunity, now))
    event = OpportunityLost(
        opportunity_id=opportunity.id,
        reason=reason,
        stage=opportunity.stage,
        value=opportunity.value,
        owner=opportunity.owner,
        opened_at=opportunity.created_at,
    )
    return lost, change, [event]


def price_line(
    *,
    line_id: UUID,
    sku: str,
    description: str,
    quantity: Decimal,
    unit_price: Decimal,
    currency: str,
    base_quantity: Decimal = Decimal(1),
    discount_percent: Decimal = Decimal(0),
    tax_category: TaxCategory = "S",
    tax_rate: Decimal,
) -> Line:
    """Net = quantity x (price / base quantity) less discount, rounded before anything is summed (EN 16931, RULES 4)."""
    if tax_category != "S" and tax_rate != 0:
        raise Invalid(f"tax category {tax_category} has the rate 0", field="tax_rate")
    price = Money.of(unit_price, currency)
    exact = quantity * price.amount / base_quantity * (100 - discount_percent) / 100
    return Line(
        line_id=line_id,
        sku=sku,
        description=description,
        quantity=quantity,
        unit_price=price,
        base_quantity=base_quantity,
        discount_percent=discount_percent,
        tax_category=tax_category,
        tax_rate=tax_rate,
        net=Money.rounded(exact, currency),
    )


def totals(lines: Sequence[Line]) -> tuple[Money, Money, Money]:
    """Net, tax and gross: tax per category and rate on the sum of rounded lines; totals are exact sums."""
    currency = lines[0].net.currency
    bases: dict[tuple[str, Decimal], Money] = {}
    for line in lines:
        key = (line.tax_category, line.tax_rate)
        bases[key] = bases.get(key, Money.zero(currency)) + line.net
    net = Money.total((line.net for line in lines), currency)
    tax = Money.total((Money.rounded(base.amount * rate / 100, currency) for (_, rate), base in bases.items()), currency)
    return net, tax, net + tax


def require_customer_fits(customer: Customer, lines: Iterable[Line]) -> None:
    """Reverse charge needs the buyer's VAT id (RULES 4)."""
    if any(line.tax_category == "AE" for line in lines) and not customer.vat_id:
        raise Invalid("reverse charge (AE) needs the customer's VAT id", field="customer.vat_id")


def require_offerable(opportunity: Opportunity) -> None:
    """Only an open deal takes offers."""
    _require_open(opportunity, "quote")


def send(quote: Quote, now: datetime) -> tuple[Quote, list[Event]]:
    """The priced version goes to the customer."""
    _require_valid(quote, now)
    sent = _turn(quote, "send", now)
    event = QuoteSent(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        lines=quote.lines,
        net=quote.net,
        valid_until=quote.valid_until,
    )
    return sent, [event]


def accept(quote: Quote, others: Sequence[Quote], now: datetime) -> tuple[Quote, list[Quote], list[Event]]:
    """Accepting one version supersedes every other open one; returns it, the superseded, and the event."""
    accepted = _turn(quote, "accept", now)
    _require_valid(quote, now)
    event = QuoteAccepted(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        net=quote.net,
    )
    return accepted, supersede([other for other in others if other.id != quote.id], now), [event]


def supersede(quotes: Iterable[Quote], now: datetime) -> list[Quote]:
    """Those that were open are superseded; the others stay as they are and are not returned."""
    return [_turn(quote, "supersede", now) for quote in quotes if (quote.state, "supersede") in QUOTE_TRANSITIONS]


def reject(quote: Quote, now: datetime) -> Quote:
    return _turn(quote, "reject", now)


def expire(quote: Quote, now: datetime) -> Quote:
    return _turn(quote, "expire", now)


def draw_up(quote: Quote) -> tuple[str, str]:
    """The contract's canonical text and its SHA-256."""
    if quote.state != "accepted":
        raise WrongTransition(f"quote {quote.number}", quote.state, "contract")
    net, tax, gross = totals(quote.lines)
    document: dict[str, Any] = {
        "quote": {"number": quote.number, "version": quote.quote_version},
        "customer": quote.customer.model_dump(mode="json"),
        "lines": [line.model_dump(mode="json") for line in quote.lines],
        "totals": {"net": str(net.amount), "tax": str(tax.amount), "gross": str(gross.amount), "currency": net.currency},
        "payment_terms_days": quote.payment_terms_days,
        "requested_on": quote.requested_on.isoformat() if quote.requested_on else None,
        "clauses": [{"name": name, "version": version} for name, version in CLAUSES],
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text, _digest(text)


def sign(
    contract: Contract, quote: Quote, opportunity: Opportunity, signed_by: str, now: datetime
) -> tuple[Contract, Opportunity, StageChange, list[Event]]:
    """Both parties are bound and the deal is won, in one move; refused when the text is not the one that was priced."""
    state = CONTRACT_TRANSITIONS.get((contract.state, "sign"))
    if state is None:
        raise WrongTransition(f"contract {contract.number}", contract.state, "sign")
    _require_open(opportunity, "sign")
    if _digest(contract.document) != contract.document_sha256 or draw_up(quote)[1] != contract.document_sha256:
        raise DocumentChanged(f"contract {contract.number} does not match its digest; draw it up again")
    signed = replace(contract, state=state, signed_by=signed_by, signed_at=now, **_touched(contract, now))
    change = _change(opportunity, "won", now)
    won = replace(opportunity, stage="won", probability=100, stage_since=now, value=quote.net, **_touched(opportunity, now))
    events: list[Event] = [
        ContractSigned(
            contract_id=contract.id,
            number=contract.number,
            opportunity_id=opportunity.id,
            quote_id=quote.id,
            customer=quote.customer,
            lines=quote.lines,
            net=quote.net,
            payment_terms_days=quote.payment_terms_days,
            requested_on=quote.requested_on,
            document_sha256=contract.document_sha256,
            signed_by=signed_by,
            signed_at=now,
        ),
        OpportunityWon(
            opportunity_id=opportunity.id,
            contract_id=contract.id,
            value=quote.net,
            owner=opportunity.owner,
            opened_at=opportunity.created_at,
        ),
    ]
    return signed, won, change, events


def account_key(name: str) -> str:
    """The form in which two spellings of a company are the same: case, spaces and full stops do not count."""
    return " ".join(name.casefold().replace(".", "").split())


def _require_open(opportunity: Opportunity, move_name: str) -> None:
    if not opportunity.is_open:
        raise DealClosed(f"the opportunity is {opportunity.stage}; '{move_name}' is not possible any more")


def _require_valid(quote: Quote, now: datetime) -> None:
    if now.date() > quote.valid_until:
        raise QuoteExpired(f"quote {quote.number} was valid until {quote.valid_until}; make a new version")


def _turn(quote: Quote, move_name: str, now: datetime) -> Quote:
    state = QUOTE_TRANSITIONS.get((quote.state, move_name))
    if state is None:
        raise WrongTransition(f"quote {quote.number}", quote.state, move_name)
    return replace(quote, state=state, **_touched(quote, now))


def _change(opportunity: Opportunity, to: str, now: datetime) -> StageChange:
    return StageChange(opportunity.stage, to, max(int((now - opportunity.stage_since).total_seconds()), 0), now)


def _touched(row: Opportunity | Quote | Contract, now: datetime) -> dict[str, Any]:
    return {"version": row.version + 1, "updated_at": now}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
