"""What a customer said to an offer, and links to say it by. Pure."""

import hashlib
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid

from sales_svc.domain.quote import Quote

# So long after the last day a link still shows what became of the offer.
READABLE_DAYS = 30
# A page that is looked at again and again is one look.
SAME_LOOK = timedelta(minutes=10)
MOST_LINKS = 50
MOST_QUESTIONS = 20
REMIND_DAYS_BEFORE = 3  # where the seller names no other day
# What a link shows. "withdrawn" is the link's end, the others are the offer's.
LinkState = Literal["open", "accepted", "rejected", "expired", "superseded", "withdrawn"]
CONSENT = {
    "en": "I may bind {customer}, and I accept this quote and its terms on its behalf.",
    "zh": "本人有权代表{customer}作出承诺，并代表其接受本报价及其条款。",
}


class LinkRevoked(DomainError):
    """The link was taken back by the company that sent it."""

    kind = "gone"


class DocumentChanged(DomainError):
    """The customer was shown another document than the one that would be accepted."""


class NotAnOffer(DomainError):
    """Only what is sent and still valid can be looked at by a link."""


class TooManyLinks(DomainError):
    """An offer has as many links as one may have."""


class TooManyQuestions(DomainError):
    """So many questions came by this link that the telephone is the better way."""


@dataclass(frozen=True, slots=True)
class Answer:
    """By whom and from where. By link: the typed name, the link, the sentence that was ticked, and the digest of the document
    that was on the page. `order_reference` is the customer's own number for the order.
    """

    via: Literal["api", "link"]
    by: str | None = None
    name: str | None = None
    reason: str | None = None
    link_id: UUID | None = None
    address: str | None = None
    user_agent: str | None = None
    pdf_sha256: str | None = None
    role: str | None = None
    email: str | None = None
    order_reference: str | None = None
    consent: str | None = None


@dataclass(frozen=True, slots=True)
class QuoteLink:
    """A way in for the customer of one quote. `opened_at` is the first look, `looks` counts those some minutes apart."""

    id: UUID
    quote_id: UUID
    created_by: str
    created_at: datetime
    expires_at: datetime
    mailed_to: str | None
    opened_at: datetime | None = None
    revoked_at: datetime | None = None
    revoked_by: str | None = None
    name: str | None = None
    remind_on: date | None = None
    reminded_at: datetime | None = None
    last_opened_at: datetime | None = None
    looks: int = 0


def expires_at(valid_until: date) -> datetime:
    """When a link to an offer is good for nothing any more."""
    return datetime.combine(valid_until + timedelta(days=1 + READABLE_DAYS), time(), UTC)


def remind_on(valid_until: date, days_before: int | None, today: date) -> date | None:
    """The day to remind of an offer; None where nobody wants it, or the day is not ahead."""
    if days_before is None:
        return None
    day = valid_until - timedelta(days=days_before)
    return day if day > today else None


def require_not_revoked(link: QuoteLink) -> None:
    if link.revoked_at is not None:
        raise LinkRevoked("this link was taken back; ask for a new one")


def require_open(quote: Quote, today: date) -> None:
    """Raises `NotAnOffer`."""
    if quote.state != "sent" or today > quote.valid_until:
        raise NotAnOffer(f"quote {quote.number} is {quote.state}, valid until {quote.valid_until}; a link is for an open offer")


def state_of(quote: Quote, link: QuoteLink, today: date) -> LinkState:
    """What a link shows on a day. An offer is over with its last day (UTC), whether the clock has said so yet or not."""
    if link.revoked_at is not None:
        return "withdrawn"
    if quote.state == "sent":
        return "open" if today <= quote.valid_until else "expired"
    if quote.state == "accepted" or quote.state == "rejected" or quote.state == "expired" or quote.state == "superseded":
        return quote.state
    raise NotAnOffer(f"quote {quote.number} is {quote.state}; it was never sent")


def consent_of(language: str, customer: str) -> str:
    """What a customer ticks, in words."""
    return CONSENT.get(language, CONSENT["en"]).format(customer=customer)


def one_line(text: str, field: str) -> str:
    """What was typed into a field of one line. Raises `Invalid` where it holds line breaks or other control characters."""
    cleaned = text.strip()
    if not cleaned.isprintable():
        raise Invalid("on one line, please", field=field)
    return cleaned


def some_lines(text: str, field: str) -> str:
    """What was typed into a larger field: something to read, with line breaks at most. Raises `Invalid`."""
    cleaned = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not cleaned or not cleaned.replace("\n", "").replace("\t", "").isprintable():
        raise Invalid("write some words, please", field=field)
    return cleaned


def digest_of(text: str) -> str:
    """By which the same question is known again."""
    return hashlib.sha256(text.encode()).hexdigest()
