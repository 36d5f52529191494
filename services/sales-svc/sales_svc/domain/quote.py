"""The rules of quotes: versions, and the way from draft over approval to the customer's answer (RULES 2).

Pure: time and ids come in as arguments.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import Customer, Event, Line, QuoteAccepted, QuoteRejected, QuoteSent
from ltc_contracts.events import QuoteExpired as Expired
from ltc_contracts.money import Money, round_half_up

from sales_svc.domain.position import Item

QuoteState = Literal["draft", "pending_approval", "approved", "sent", "accepted", "rejected", "expired", "superseded"]
QUOTE_TRANSITIONS: dict[tuple[QuoteState, str], QuoteState] = {
    ("draft", "change"): "draft",
    ("draft", "request_approval"): "pending_approval",
    ("draft", "send"): "sent",
    ("pending_approval", "approve"): "approved",
    ("pending_approval", "disapprove"): "draft",
    # What was changed is not what was approved.
    ("pending_approval", "change"): "draft",
    ("approved", "change"): "draft",
    ("approved", "send"): "sent",
    ("sent", "accept"): "accepted",
    ("sent", "reject"): "rejected",
    ("sent", "expire"): "expired",
    ("draft", "supersede"): "superseded",
    ("pending_approval", "supersede"): "superseded",
    ("approved", "supersede"): "superseded",
    ("sent", "supersede"): "superseded",
    # Until the contract is signed another version may be accepted instead.
    ("accepted", "supersede"): "superseded",
}


class QuoteExpired(DomainError):
    """The offer's last day has passed."""


@dataclass(frozen=True, slots=True)
class Quote:
    """One priced version of an offer.

    `items` are what a customer reads, `lines` what is committed to and flows on. `discount_percent` or `discount_amount` is the
    document's own discount, already in items and lines. `contact` and `address` are whom it is written to. `edited_by` made it
    what it is now. `viewed_at` is when somebody first looked at it by a link. `custom` holds the company's own fields.
    """

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
    items: tuple[Item, ...] = ()
    language: str = "en"
    contact: str | None = None
    address: tuple[str, ...] = ()
    introduction: str = ""
    terms: str = ""
    price_book: str | None = None
    discount_percent: Decimal = Decimal(0)
    discount_amount: Money | None = None
    created_by: str | None = None
    edited_by: str | None = None
    copied_from: UUID | None = None
    sent_at: datetime | None = None
    closed_reason: str | None = None
    viewed_at: datetime | None = None
    custom: Mapping[str, Any] = field(default_factory=dict)

    @property
    def list_net(self) -> Money:
        """What the same commitment costs at list prices."""
        return Money.total((item.list_total for item in self.items), self.net.currency) if self.items else self.net

    @property
    def cost(self) -> Money | None:
        """What it costs us, if that is known of every committed item."""
        costs = [item.cost for item in self.items if item.committed]
        known = [cost for cost in costs if cost is not None]
        return Money.total(known, self.net.currency) if known and len(known) == len(costs) else None

    @property
    def discount_of_list(self) -> Decimal:
        """How far below list it is, in per cent to two places; 0 where it is not."""
        return percent_off(self.list_net, self.net)

    @property
    def margin_percent(self) -> Decimal | None:
        """(net - cost) / net in per cent to two places; null where cost is not known or nothing is paid."""
        if self.cost is None or not self.net.amount:
            return None
        return round_half_up((self.net.amount - self.cost.amount) * 100 / self.net.amount, 2)


def percent_off(full: Money, net: Money) -> Decimal:
    """The discount that leads from `full` to `net`, in per cent to two places, at least 0."""
    if full.amount <= 0:
        return Decimal(0)
    return max(round_half_up((full.amount - net.amount) * 100 / full.amount, 2), Decimal(0))


def require_customer_fits(customer: Customer, lines: Iterable[Line]) -> None:
    """Reverse charge needs the buyer's VAT id (RULES 4)."""
    if any(line.tax_category == "AE" for line in lines) and not customer.vat_id:
        raise Invalid("reverse charge (AE) needs the customer's VAT id", field="customer.vat_id")


def change(quote: Quote, now: datetime, **content: Any) -> Quote:
    """Another content for what is not sent yet; what was approved needs approval again. Raises `WrongTransition`."""
    return replace(turn(quote, "change", now), **content)


def send(quote: Quote, now: datetime, *, custom: Mapping[str, Any] | None = None) -> tuple[Quote, list[Event]]:
    """The priced version goes to the customer; `custom` are the company's own fields that may travel."""
    _require_valid(quote, now)
    sent = replace(turn(quote, "send", now), sent_at=now)
    event = QuoteSent(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        lines=quote.lines,
        net=quote.net,
        valid_until=quote.valid_until,
        list_net=quote.list_net,
        discount_percent=quote.discount_of_list,
        recurring=tuple(sorted({item.period for item in quote.items if item.period is not None})),
        custom=dict(custom or {}),
    )
    return sent, [event]


def accept(
    quote: Quote, others: Sequence[Quote], now: datetime, *, via: Literal["api", "link"] = "api"
) -> tuple[Quote, list[Quote], list[Event]]:
    """Accepting one version supersedes every other open one; returns it, the superseded, and the event."""
    accepted = turn(quote, "accept", now)
    _require_valid(quote, now)
    event = QuoteAccepted(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        net=quote.net,
        via=via,
    )
    return accepted, supersede([other for other in others if other.id != quote.id], now), [event]


def supersede(quotes: Iterable[Quote], now: datetime) -> list[Quote]:
    """Those that were open are superseded; the others stay as they are and are not returned."""
    return [turn(quote, "supersede", now) for quote in quotes if (quote.state, "supersede") in QUOTE_TRANSITIONS]


def reject(quote: Quote, now: datetime, *, reason: str | None = None) -> tuple[Quote, list[Event]]:
    """The customer does not take it."""
    rejected = replace(turn(quote, "reject", now), closed_reason=reason)
    return rejected, [rejection(quote, "customer", reason)]


def rejection(quote: Quote, by: Literal["customer", "approver"], reason: str | None) -> QuoteRejected:
    """The event of a no, whoever said it."""
    return QuoteRejected(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        net=quote.net,
        by=by,
        reason=reason,
    )


def expire(quote: Quote, now: datetime) -> tuple[Quote, list[Event]]:
    """Nobody answered in time."""
    event = Expired(
        quote_id=quote.id,
        opportunity_id=quote.opportunity_id,
        number=quote.number,
        quote_version=quote.quote_version,
        net=quote.net,
        valid_until=quote.valid_until,
    )
    return turn(quote, "expire", now), [event]


def turn(quote: Quote, move_name: str, now: datetime) -> Quote:
    """One move of the table. Raises `WrongTransition`."""
    state = QUOTE_TRANSITIONS.get((quote.state, move_name))
    if state is None:
        raise WrongTransition(f"quote {quote.number}", quote.state, move_name)
    return replace(quote, state=state, version=quote.version + 1, updated_at=now)


def _require_valid(quote: Quote, now: datetime) -> None:
    if now.date() > quote.valid_until:
        raise QuoteExpired(f"quote {quote.number} was valid until {quote.valid_until}; make a new version")
