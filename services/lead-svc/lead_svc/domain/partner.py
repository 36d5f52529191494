"""Partners who send leads, the codes by which they are known, and what a partner may know of its referrals."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid

from lead_svc.domain.lead import Status

SIGNS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Of a code: Crockford's base 32, in which nothing is taken for anything else. Ten of them are 50 bits."""
LENGTH = 10
MOST_CODES = 50
State = Literal["open", "qualified", "converted", "closed"]
_ALIKE = str.maketrans("OIL", "011")
_GAPS = re.compile(r"[\s-]+")
_STATES: Mapping[Status, State] = {
    "new": "open",
    "contacted": "open",
    "nurturing": "open",
    "qualified": "qualified",
    "converted": "converted",
    "disqualified": "closed",
    "junk": "closed",
    "merged": "closed",
}


class PartnerExists(DomainError):
    """Another partner has this name, or its system this token."""


class TooManyCodes(DomainError):
    """A partner has so many codes at a time; let one expire first."""


class NoPartner(DomainError):
    """The token is of no partner's system that may register leads."""

    kind = "forbidden"


class AlreadyKnown(DomainError):
    """Somebody works on this person or company, or another partner registered it. Neither who nor since when is told."""


class DuplicateReferral(DomainError):
    """The partner registered a lead under this reference before."""

    def __init__(self, referral_id: UUID) -> None:
        super().__init__("you registered a lead under this reference before", field="reference")
        self.referral_id = referral_id

    def members(self) -> dict[str, Any]:
        return {"referral_id": str(self.referral_id)}


@dataclass(frozen=True, slots=True)
class Partner:
    """Who sends leads, without commission. `subject` is that of its own system's token; `exclusive_days`: how long what it registered
    is kept from other partners."""

    id: UUID
    name: str
    territory: str | None
    notes: str | None
    subject: str | None
    exclusive_days: int
    active: bool
    version: int
    created_by: str
    created_at: datetime
    updated_by: str
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class PartnerCode:
    """By this a capture says who sent it, until it expires."""

    id: UUID
    partner_id: UUID
    code: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Introduced:
    """By whom a lead came: a partner, and the code that said so (None: the partner's own system)."""

    partner_id: UUID
    name: str
    code_id: UUID | None
    reference: str | None = None


@dataclass(frozen=True, slots=True)
class Referral:
    """A lead that a partner sent; `status` is of the lead that it is part of by now."""

    id: UUID
    lead_id: UUID
    reference: str | None
    company: str | None
    status: Status
    referred_at: datetime

    @property
    def state(self) -> State:
        """How far it came, as the partner may know it."""
        return _STATES[self.status]


def normal_code(text: str) -> str:
    """As codes are compared: without gaps and hyphens, in capitals, O as 0, I and L as 1."""
    return _GAPS.sub("", text).upper().translate(_ALIKE)


def shown_code(code: str) -> str:
    """For people: in two halves."""
    return f"{code[:5]}-{code[5:]}"


def usable(code: PartnerCode, partner: Partner, now: datetime) -> Introduced:
    """Who sent it. Raises `Invalid` where the code counts no more."""
    if not partner.active:
        raise Invalid("the partner of this code is one no more", field="partner_code")
    if code.expires_at is not None and code.expires_at <= now:
        raise Invalid("this code has expired", field="partner_code")
    return Introduced(partner.id, partner.name, code.id)


def differences(before: Partner, after: Partner) -> dict[str, list[Any]]:
    """What a change changed: name to [before, after]."""
    names = [each.name for each in fields(Partner) if each.name not in ("version", "updated_by", "updated_at")]
    return {
        name: [getattr(before, name), getattr(after, name)] for name in names if getattr(before, name) != getattr(after, name)
    }
