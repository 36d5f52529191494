"""A lead and its statuses (RULES 1)."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition
from ltc_contracts.events import Contact, Event, LeadCaptured, LeadDisqualified, LeadEngaged, LeadQualified, LeadScored
from ltc_contracts.money import Money

from lead_svc.domain.fields import values_of
from lead_svc.domain.score import Facts, Score

Status = Literal["new", "contacted", "nurturing", "qualified", "converted", "disqualified"]
Via = Literal["api", "csv", "form", "webhook", "event"]
Reason = Literal["score", "high_intent", "person"]

TRANSITIONS: dict[tuple[Status, str], Status] = {
    ("new", "qualify"): "qualified",
    ("contacted", "qualify"): "qualified",
    ("nurturing", "qualify"): "qualified",
    ("new", "disqualify"): "disqualified",
    ("contacted", "disqualify"): "disqualified",
    ("nurturing", "disqualify"): "disqualified",
    ("new", "touch"): "contacted",
    ("contacted", "touch"): "contacted",
    ("nurturing", "touch"): "nurturing",
    ("qualified", "touch"): "qualified",
    ("converted", "touch"): "converted",
    ("qualified", "convert"): "converted",
}
CONTACTS = {"reply", "meeting"}


class DuplicateLead(DomainError):
    """The external reference is known already."""


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody who may buy. `contact` is personal: it leaves the service only on `lead.qualified`."""

    id: UUID
    flow_id: UUID
    status: Status
    captured_via: Via
    channel: str
    source: str
    campaign: str | None
    company: str | None
    country: str | None
    industry: str | None
    company_size: int | None
    website: str | None
    external_ref: str | None
    contact: Contact | None
    attributes: dict[str, str]
    estimated_value: Money | None
    owner: str | None
    disqualified_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def facts(self) -> Facts:
        email = self.contact.email if self.contact else None
        return Facts(self.industry, self.company_size, self.country, self.website, email, values_of(self))

    @property
    def is_open(self) -> bool:
        return (self.status, "qualify") in TRANSITIONS


def captured(lead: Lead) -> LeadCaptured:
    """The event of a new lead; nothing personal is on it."""
    return LeadCaptured(
        lead_id=lead.id,
        captured_via=lead.captured_via,
        channel=lead.channel,
        source=lead.source,
        campaign=lead.campaign,
        company=lead.company,
        country=lead.country,
        external_ref=lead.external_ref,
    )


def scored(lead: Lead, score: Score) -> LeadScored:
    """What the score is now."""
    return LeadScored(
        lead_id=lead.id, fit=score.fit, engagement=score.engagement, band=score.band, rule_version=score.rule_version
    )


def engage(lead: Lead, activity: str, now: datetime) -> tuple[Lead, list[Event]]:
    """The lead did something; a reply or a meeting means that it was contacted."""
    status = _turn(lead, "touch") if activity in CONTACTS else lead.status
    engaged = replace(lead, status=status, version=lead.version + 1, updated_at=now)
    return engaged, [LeadEngaged(lead_id=lead.id, activity=activity)]


def qualify(lead: Lead, score: Score, reason: Reason, owner: str | None, now: datetime) -> tuple[Lead, list[Event]]:
    """Worth a seller's time; the event carries what sales needs to begin."""
    qualified = replace(lead, status=_turn(lead, "qualify"), owner=owner or lead.owner, version=lead.version + 1, updated_at=now)
    event = LeadQualified(
        lead_id=lead.id,
        reason=reason,
        channel=lead.channel,
        source=lead.source,
        campaign=lead.campaign,
        company=lead.company,
        country=lead.country,
        contact=lead.contact,
        external_ref=lead.external_ref,
        fit=score.fit,
        engagement=score.engagement,
        estimated_value=lead.estimated_value,
        owner=qualified.owner,
    )
    return qualified, [event]


def disqualify(lead: Lead, reason: str, now: datetime) -> tuple[Lead, list[Event]]:
    """Not pursued further, with the reason."""
    gone = replace(lead, status=_turn(lead, "disqualify"), disqualified_reason=reason, version=lead.version + 1, updated_at=now)
    return gone, [LeadDisqualified(lead_id=lead.id, reason=reason)]


def convert(lead: Lead, now: datetime) -> Lead | None:
    """Sales works on it; None when it was converted already."""
    if lead.status == "converted":
        return None
    return replace(lead, status=_turn(lead, "convert"), version=lead.version + 1, updated_at=now)


def _turn(lead: Lead, move: str) -> Status:
    status = TRANSITIONS.get((lead.status, move))
    if status is None:
        raise WrongTransition("the lead", lead.status, move)
    return status


def blank(**given: Any) -> Lead:
    """A new lead of these facts; what is not given is unknown."""
    empty: dict[str, Any] = dict.fromkeys(
        (
            *("campaign", "company", "country", "industry", "company_size", "website", "external_ref", "contact"),
            *("estimated_value", "owner", "disqualified_reason"),
        )
    )
    return Lead(**{**empty, "status": "new", "attributes": {}, "version": 1, **given})
