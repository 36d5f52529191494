"""Facts published by lead-svc."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Contact, Country, Custom, Day, Event, Exact, Name, Part, Text, Touch
from ltc_contracts.money import Money

Score = Annotated[Exact, Field(ge=-1000, le=1000)]


class LeadCaptured(Event):
    """A new lead is known; its flow begins."""

    TOPIC: ClassVar[str] = "lead.captured"
    VERSION: ClassVar[str] = "1.2"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    captured_via: Literal["api", "csv", "form", "webhook", "event"]
    channel: Code
    source: Name
    campaign: Name | None = None
    company: Name | None = None
    country: Country | None = None
    external_ref: Name | None = None
    # 1.1
    industry: Code | None = None
    region: Name | None = None
    segments: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    partner: Name | None = None
    touches: Annotated[tuple[Touch, ...], Field(max_length=100, description="oldest first; first and last are among them")] = ()
    duplicate_of: UUID | None = None
    custom: Custom = Field(default_factory=dict)
    # 1.2
    channel_group: Code | None = None


class LeadChanged(Event):
    """What is known of the lead changed, or the segments it belongs to; carries how it is now. Nothing personal is on it."""

    TOPIC: ClassVar[str] = "lead.changed"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    changed: Annotated[tuple[Name, ...], Field(max_length=300, description="names of what changed, as custom.<key>")]
    company: Name | None = None
    country: Country | None = None
    industry: Code | None = None
    company_size: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    region: Name | None = None
    channel_group: Code | None = None
    segments: Annotated[tuple[Code, ...], Field(max_length=50, description="the most important first")] = ()
    custom: Custom = Field(default_factory=dict)


class LeadEngaged(Event):
    """The lead did something that shows interest (a form, a visit to the pricing page, a demo request, a reply)."""

    TOPIC: ClassVar[str] = "lead.engaged"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    activity: Code


class LeadScored(Event):
    """The lead's score changed, by rule; fit does not decay, engagement does and is stated as of the event's time."""

    TOPIC: ClassVar[str] = "lead.scored"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    fit: Score
    engagement: Score
    band: Literal["cold", "warm", "hot"]
    rule_version: Code


class LeadQualified(Event):
    """The lead is worth a seller's time. Carries what sales needs to begin, so that nobody calls back."""

    TOPIC: ClassVar[str] = "lead.qualified"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    reason: Literal["score", "high_intent", "person"]
    channel: Code
    source: Name
    campaign: Name | None = None
    company: Name | None = None
    country: Country | None = None
    contact: Contact | None = None
    external_ref: Name | None = None
    fit: Score
    engagement: Score
    estimated_value: Money | None = None
    owner: Name | None = None
    # 1.1
    industry: Code | None = None
    company_size: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    website: Annotated[str, Field(max_length=500)] | None = None
    region: Name | None = None
    segments: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    predictive: Annotated[Exact, Field(ge=0, le=100, description="chance of conversion, per cent")] | None = None
    captured_at: AwareDatetime | None = None
    custom: Custom = Field(default_factory=dict)


class LeadDisqualified(Event):
    """The lead is not pursued further, with the reason; one of kind recycle is nurtured again at `returns_at`."""

    TOPIC: ClassVar[str] = "lead.disqualified"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    reason: Text
    # 1.1
    code: Code | None = None
    kind: Literal["disqualified", "junk", "recycle"] = "disqualified"
    returns_at: AwareDatetime | None = None


class LeadRecycled(Event):
    """The lead is nurtured again after it was rejected; it may qualify anew, on the same flow."""

    TOPIC: ClassVar[str] = "lead.recycled"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    code: Code
    reason: Text
    disqualified_at: AwareDatetime


class LeadAssigned(Event):
    """A rep works on the lead and is protected: until a moment that activity moves, never beyond the limit.

    `how` claimed: a protection began, whoever decided it: `by` is rep (took it from the pool), manager (for somebody else) or rule
    (assignment by territory). It is no third value of `how`, since a reader of 1.0 would refuse a value it does not know.
    """

    TOPIC: ClassVar[str] = "lead.assigned"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    owner: Name
    how: Literal["claimed", "extended"]
    protected_until: AwareDatetime
    limit_at: AwareDatetime
    # 1.1
    by: Code | None = None
    territory: Code | None = None


class MergedLead(Part):
    """A lead that was found to be the same person or company as another; its flow ends here, unless the merge is undone."""

    lead_id: UUID
    flow_id: UUID


class LeadMerged(Event):
    """Leads became one, `lead_id`: whatever hung on the merged ones hangs on it now. `status` is what it is now."""

    TOPIC: ClassVar[str] = "lead.merged"
    SUBJECT: ClassVar[str] = "lead_id"

    merge_id: UUID
    lead_id: UUID
    merged: Annotated[tuple[MergedLead, ...], Field(min_length=1, max_length=100)]
    status: Code
    owner: Name | None = None


class LeadUnmerged(Event):
    """A merge was undone: `restored` are leads of their own again, with what had hung on them. `status` is that of `lead_id`."""

    TOPIC: ClassVar[str] = "lead.unmerged"
    SUBJECT: ClassVar[str] = "lead_id"

    merge_id: UUID
    lead_id: UUID
    restored: Annotated[tuple[MergedLead, ...], Field(min_length=1, max_length=100)]
    status: Code
    owner: Name | None = None


class LeadReleased(Event):
    """The lead is back in the public pool: its protection is over, or it was handed back by `owner`."""

    TOPIC: ClassVar[str] = "lead.released"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    owner: Name
    reason: Literal["expired", "released"]


class LeadTouched(Event):
    """After its capture the lead came back by way of a channel: one more touch that attribution counts."""

    TOPIC: ClassVar[str] = "lead.touched"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    touch_id: UUID
    touch: Touch


class NurtureEnrolled(Event):
    """The lead entered a journey: from now on it is written to, step by step, until the journey ends for it."""

    TOPIC: ClassVar[str] = "nurture.enrolled"
    SUBJECT: ClassVar[str] = "enrolment_id"

    enrolment_id: UUID
    lead_id: UUID
    journey: Code
    version: Annotated[int, Field(ge=1)]
    how: Literal["rule", "by_hand"]


class NurtureStepSent(Event):
    """The mail server took the mail of a step; whether it was read, `lead.engaged` tells. Nothing personal is on it."""

    TOPIC: ClassVar[str] = "nurture.step_sent"
    SUBJECT: ClassVar[str] = "enrolment_id"

    enrolment_id: UUID
    lead_id: UUID
    journey: Code
    version: Annotated[int, Field(ge=1)]
    step: Code


class NurtureEnded(Event):
    """The journey is over for the lead: finished, or before its end, as by a reply, qualification or unsubscription."""

    TOPIC: ClassVar[str] = "nurture.ended"
    SUBJECT: ClassVar[str] = "enrolment_id"

    enrolment_id: UUID
    lead_id: UUID
    journey: Code
    version: Annotated[int, Field(ge=1)]
    reason: Annotated[Code, Field(description="finished, reply, qualified, unsubscribed, ...: the list may grow")]
    mails: Annotated[int, Field(ge=0, description="that were posted to the lead in it")]


class CampaignSpendRecorded(Event):
    """What a campaign cost on a day, as one source says. A correction is the whole amount again, with a higher revision.

    The sum of `change` over all events is the sum of the latest amounts, in whatever order they come.
    """

    TOPIC: ClassVar[str] = "campaign.spend_recorded"
    SUBJECT: ClassVar[str] = "campaign_id"
    OF_A_FLOW: ClassVar[bool] = False

    campaign_id: UUID
    campaign: Name
    channel: Code
    day: Day
    spend_source: Annotated[Code, Field(description="who says so: an ad platform, or a person")]
    amount: Money
    change: Annotated[Money, Field(description="amount less what was told before; negative when corrected downwards")]
    clicks: Annotated[int, Field(ge=0)] | None = None
    impressions: Annotated[int, Field(ge=0)] | None = None
    revision: Annotated[int, Field(ge=1)]


class PersonErased(Event):
    """A person's data was erased in lead-svc; readers erase theirs that hangs on these leads, or flows. Nothing personal is on it."""

    TOPIC: ClassVar[str] = "person.erased"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "erasure_id"

    erasure_id: UUID
    lead_ids: Annotated[tuple[UUID, ...], Field(max_length=10_000)]
    # 1.1
    flow_ids: Annotated[
        tuple[UUID, ...], Field(max_length=10_000, description="of these leads, for who knows flows and no leads")
    ] = ()


class LeadFirstResponded(Event):
    """A rep got back to the lead for the first time; the time it took is measured in business hours."""

    TOPIC: ClassVar[str] = "lead.first_responded"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    activity: Code
    by: Name | None = None
    policy: Code
    policy_version: Annotated[int, Field(ge=1)]
    started_at: AwareDatetime
    due_at: AwareDatetime
    business_minutes: Annotated[int, Field(ge=0, description="whole minutes of business hours from the start to the response")]
    target_minutes: Annotated[int, Field(ge=1)]
    within_target: bool


class LeadSlaBreached(Event):
    """Nobody got back to the lead in the time that the policy allows; each level of escalation is told once."""

    TOPIC: ClassVar[str] = "lead.sla_breached"
    SUBJECT: ClassVar[str] = "lead_id"

    lead_id: UUID
    escalation: Literal["first_response"]
    level: Annotated[int, Field(ge=1, le=10)]
    escalate_to: Name | None = None
    owner: Name | None = None
    policy: Code
    policy_version: Annotated[int, Field(ge=1)]
    started_at: AwareDatetime
    due_at: Annotated[AwareDatetime, Field(description="when this level was due")]
    target_minutes: Annotated[int, Field(ge=1, description="of business hours, for the first response")]
