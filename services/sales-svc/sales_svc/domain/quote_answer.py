"""What a customer said to an offer, and links to say it by. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError

# So long after the last day a link still shows what became of the offer.
READABLE_DAYS = 30


class LinkRevoked(DomainError):
    """The link was taken back by the company that sent it."""

    kind = "gone"


class DocumentChanged(DomainError):
    """The customer was shown another document than the one that would be accepted."""


@dataclass(frozen=True, slots=True)
class Answer:
    """By whom and from where. By link: the typed name, the link, and the digest of the document that was on the page."""

    via: Literal["api", "link"]
    by: str | None = None
    name: str | None = None
    reason: str | None = None
    link_id: UUID | None = None
    address: str | None = None
    user_agent: str | None = None
    pdf_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class QuoteLink:
    """A way in for the customer of one quote."""

    id: UUID
    quote_id: UUID
    created_by: str
    created_at: datetime
    expires_at: datetime
    mailed_to: str | None
    opened_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None


def expires_at(valid_until: date) -> datetime:
    """When a link to an offer is good for nothing any more."""
    return datetime.combine(valid_until + timedelta(days=1 + READABLE_DAYS), time(), UTC)


def require_not_revoked(link: QuoteLink) -> None:
    if link.revoked_at is not None:
        raise LinkRevoked("this link was taken back; ask for a new one")
