"""Whether a person may be written to, or told to ad platforms: consent per lead, and addresses that get nothing whatever any lead says."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from lead_svc.domain.identity import normal_email

# To be written to; to be told to ad platforms by hashed address or phone; that the notice of what is done with personal data was read.
Purpose = Literal["marketing", "ad_sharing", "privacy"]
Why = Literal["unsubscribed", "bounced", "complained", "by_hand", "erased"]


@dataclass(frozen=True, slots=True)
class Consent:
    """One thing a person said about a purpose: yes or no, when, to which words and where, and who wrote it down. The latest counts."""

    id: UUID
    lead_id: UUID
    purpose: Purpose
    given: bool
    said_at: datetime
    wording: str
    source: str
    evidence: dict[str, str]
    recorded_by: str
    recorded_at: datetime
    wording_version: str | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that gets no marketing mail. Only its hash is kept, so it may outlast the person's data."""

    address_hash: bytes
    why: Why
    source: str
    by: str
    at: datetime


def address_hash(email: str | None) -> bytes | None:
    """What an address is recognised by once it is forgotten: SHA-256 of its normal form; None when it is no address."""
    normal = normal_email(email) if email else None
    return None if normal is None else hashlib.sha256(normal.encode()).digest()
