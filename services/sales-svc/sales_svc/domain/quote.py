"""The rules of quotes: versions, prices (RULES 2 and 4). Pure: time and ids come in as arguments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import Customer, Event, Line, QuoteAccepted, QuoteSent
from ltc_contracts.events.model import TaxCategory
from ltc_contracts.money import Money

QuoteState = Literal["draft", "sent", "accepted", "rejected", "expired", "superseded"]
QUOTE_TRANSITIONS: dict[tuple[QuoteState, str], QuoteState] = {
    ("draft", "send"): "sent",
    ("sent", "accept"): "accepted",
    ("sent", "reject"): "rejected",
    ("sent", "expire"): "expired",
    ("draft", "supersede"): "superseded",
    ("sent", "supersede"): "superseded",
    # Until the contract is signed another version may be accepted instead.
    ("accepted", "supersede"): "superseded",
}


class QuoteExpired(DomainError):
    """The offer's last day has passed."""


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
    """Accepting one version supersedes every other, also one accepted before; returns it, the superseded, and the event."""
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
    """Those that were open or accepted are superseded; the others stay as they are and are not returned."""
    return [_turn(quote, "supersede", now) for quote in quotes if (quote.state, "supersede") in QUOTE_TRANSITIONS]


def reject(quote: Quote, now: datetime) -> Quote:
    return _turn(quote, "reject", now)


def expire(quote: Quote, now: datetime) -> Quote:
    return _turn(quote, "expire", now)


def _require_valid(quote: Quote, now: datetime) -> None:
    if now.date() > quote.valid_until:
        raise QuoteExpired(f"quote {quote.number} was valid until {quote.valid_until}; make a new version")


def _turn(quote: Quote, move_name: str, now: datetime) -> Quote:
    state = QUOTE_TRANSITIONS.get((quote.state, move_name))
    if state is None:
        raise WrongTransition(f"quote {quote.number}", quote.state, move_name)
    return replace(quote, state=state, **_touched(quote, now))


def _touched(quote: Quote, now: datetime) -> dict[str, Any]:
    return {"version": quote.version + 1, "updated_at": now}
