"""A lead and its statuses (RULES 1)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, WrongTransition
from ltc_contracts.events import (
    Contact,
    Event,
    LeadCaptured,
    LeadDisqualified,
    LeadEngaged,
    LeadQualified,
    LeadRecycled,
    LeadScored,
    Touch,
)
from ltc_contracts.money import Money
from ltc_rules.custom_fields import JSON, FieldDef, public

from lead_svc.domain.disqualification import Disqualification, Kind
from lead_svc.domain.disqualification import Reason as Listed
from lead_svc.domain.fields import values_of
from lead_svc.domain.score import Facts, Score

Status = Literal["new", "contacted", "nurturing", "qualified", "converted", "disqualified", "junk", "merged"]
Via = Literal["api", "csv", "form", "webhook", "event"]
Reason = Literal["score", "high_intent", "person"]
Outcome = Literal["converted", "won", "lost"]

# RULES 1: new -> contacted -> nurturing -> qualified -> converted; disqualified and junk need a reason. A lead that is recycled waits
# as disqualified and returns to nurturing. It follows sales from anywhere: an opportunity that is worked on is a fact.
TRANSITIONS: dict[tuple[Status, str], Status] = {
    ("new", "touch"): "contacted",
    ("contacted", "touch"): "contacted",
    ("nurturing", "touch"): "nurturing",
    ("qualified", "touch"): "qualified",
    ("converted", "touch"): "converted",
    ("disqualified", "touch"): "disqualified",
    ("junk", "touch"): "junk",
    ("new", "nurture"): "nurturing",
    ("contacted", "nurture"): "nurturing",
    ("nurturing", "nurture"): "nurturing",
    ("new", "qualify"): "qualified",
    ("contacted", "qualify"): "qualified",
    ("nurturing", "qualify"): "qualified",
    ("new", "disqualify"): "disqualified",
    ("contacted", "disqualify"): "disqualified",
    ("nurturing", "disqualify"): "disqualified",
    ("new", "junk"): "junk",
    ("contacted", "junk"): "junk",
    ("nurturing", "junk"): "junk",
    ("disqualified", "junk"): "junk",
    ("new", "recycle"): "disqualified",
    ("contacted", "recycle"): "disqualified",
    ("nurturing", "recycle"): "disqualified",
    ("qualified", "recycle"): "disqualified",
    ("converted", "recycle"): "disqualified",
    ("disqualified", "recycle"): "disqualified",
    ("junk", "recycle"): "disqualified",
    ("disqualified", "return"): "nurturing",
    ("new", "convert"): "converted",
    ("contacted", "convert"): "converted",
    ("nurturing", "convert"): "converted",
    ("qualified", "convert"): "converted",
    ("disqualified", "convert"): "converted",
    ("junk", "convert"): "converted",
    ("new", "merge"): "merged",
    ("contacted", "merge"): "merged",
    ("nurturing", "merge"): "merged",
    ("qualified", "merge"): "merged",
    ("converted", "merge"): "merged",
    ("disqualified", "merge"): "merged",
    ("junk", "merge"): "merged",
}
CONTACTS = {"reply", "meeting"}


class DuplicateLead(DomainError):
    """The external reference is known already."""


class LeadErased(DomainError):
    """The person was erased at their own wish; nothing can be added to what is left."""

    kind = "gone"


@dataclass(frozen=True, slots=True)
class Lead:
    """Somebody who may buy. `contact` is personal: it leaves the service only on `lead.qualified`.

    `classified` names the facts that a rule has set and nobody has given; `custom` are the company's own fields, as they are kept.
    """

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
    # The lead that it became part of; the lead that it was found to be like when it came in.
    merged_into: UUID | None = None
    duplicate_of: UUID | None = None
    region: str | None = None
    channel_group: str | None = None
    segments: tuple[str, ...] = ()
    classified: frozenset[str] = frozenset()
    custom: Mapping[str, JSON] = field(default_factory=dict)
    # The person was erased: the lead is nobody's, and nothing is done with it any more.
    erased_at: datetime | None = None

    @property
    def facts(self) -> Facts:
        email = self.contact.email if self.contact else None
        return Facts(self.industry, self.company_size, self.country, self.website, email, values_of(self))

    @property
    def is_open(self) -> bool:
        return self.erased_at is None and (self.status, "qualify") in TRANSITIONS


def require_known(lead: Lead) -> None:
    """Raise `LeadErased` for a lead whose person was erased."""
    if lead.erased_at is not None:
        raise LeadErased(f"the person of the lead {lead.id} was erased; whoever comes again is a new lead")


def captured(lead: Lead, touches: tuple[Touch, ...], own: Iterable[FieldDef], partner: str | None = None) -> LeadCaptured:
    """The event of a new lead; nothing personal is on it. `own` are the company's fields, `partner` is the name of who sent it."""
    return LeadCaptured(
        lead_id=lead.id,
        captured_via=lead.captured_via,
        channel=lead.channel,
        source=lead.source,
        campaign=lead.campaign,
        company=lead.company,
        country=lead.country,
        external_ref=lead.external_ref,
        industry=lead.industry,
        region=lead.region,
        channel_group=lead.channel_group,
        segments=lead.segments,
        partner=partner,
        touches=touches,
        duplicate_of=lead.duplicate_of,
        custom=public(own, lead.custom),
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


def contact(lead: Lead, now: datetime) -> Lead:
    """We called or wrote; a lead that we had contacted before stays as it is."""
    status = _turn(lead, "touch")
    return lead if status == lead.status else replace(lead, status=status, version=lead.version + 1, updated_at=now)


def nurture(lead: Lead, now: datetime) -> Lead:
    """The lead entered a journey."""
    return replace(lead, status=_turn(lead, "nurture"), version=lead.version + 1, updated_at=now)


def qualify(
    lead: Lead,
    score: Score,
    reason: Reason,
    owner: str | None,
    now: datetime,
    own: Iterable[FieldDef],
    chance: Decimal | None = None,
) -> tuple[Lead, list[Event]]:
    """Worth a seller's time; the event carries what sales needs to begin. `own` are the company's fields, `chance` of conversion is
    per cent."""
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
        predictive=chance,
        industry=lead.industry,
        company_size=lead.company_size,
        website=lead.website,
        region=lead.region,
        segments=lead.segments,
        captured_at=lead.created_at,
        custom=public(own, lead.custom),
    )
    return qualified, [event]


def disqualify(lead: Lead, reason: Listed, text: str, returns_at: datetime | None, now: datetime) -> tuple[Lead, list[Event]]:
    """Not pursued further, or not for now, with the reason; `returns_at` is of one that recycles."""
    moves: dict[Kind, str] = {"disqualified": "disqualify", "junk": "junk", "recycle": "recycle"}
    gone = replace(
        lead, status=_turn(lead, moves[reason.kind]), disqualified_reason=text, version=lead.version + 1, updated_at=now
    )
    event = LeadDisqualified(lead_id=lead.id, reason=text, code=reason.code, kind=reason.kind, returns_at=returns_at)
    return gone, [event]


def settled(lead: Lead, outcome: Outcome, reason: Listed, now: datetime) -> tuple[Lead, list[Event]]:
    """A lead that comes with its history is where it got to. What sales had of it was another system's, and is not told again."""
    if outcome == "lost":
        return disqualify(lead, reason, "lost before it was imported", None, now)
    return replace(lead, status=_turn(lead, "convert"), version=lead.version + 1, updated_at=now), []


def come_back(lead: Lead, waited: Disqualification, now: datetime) -> tuple[Lead, list[Event]]:
    """The wait is over: the lead is nurtured again, and nobody's."""
    back = replace(
        lead, status=_turn(lead, "return"), disqualified_reason=None, owner=None, version=lead.version + 1, updated_at=now
    )
    return back, [LeadRecycled(lead_id=lead.id, code=waited.code, reason=waited.reason, disqualified_at=waited.decided_at)]


def convert(lead: Lead, now: datetime) -> Lead | None:
    """Sales works on it; None when it was converted already."""
    if lead.status == "converted":
        return None
    return replace(lead, status=_turn(lead, "convert"), disqualified_reason=None, version=lead.version + 1, updated_at=now)


def _turn(lead: Lead, move: str) -> Status:
    status = TRANSITIONS.get((lead.status, move))
    if status is None:
        raise WrongTransition("the lead", lead.status, move)
    return status


def blank(**given: Any) -> Lead:
    """A new lead of these facts; what is not given is unknown."""
    return Lead(**{**_UNKNOWN, "attributes": {}, **given})


_UNKNOWN: dict[str, Any] = {
    **dict.fromkeys(("campaign", "company", "country", "industry", "company_size", "website", "external_ref", "contact")),
    **dict.fromkeys(("estimated_value", "owner", "disqualified_reason")),
    "status": "new",
    "version": 1,
}
