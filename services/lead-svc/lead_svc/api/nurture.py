"""HTTP in: leads in journeys, consent, addresses that get nothing, and answers that came by mail."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events.model import Code, Name, Text
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.consent import Consent, Purpose, Why, address_hash
from lead_svc.handlers import consent as consents
from lead_svc.handlers import nurture_entry as handlers
from lead_svc.handlers import nurture_reactions as reactions
from lead_svc.store import consent as consent_store
from lead_svc.store import journeys, leads
from lead_svc.store import nurture as store
from lead_svc.store.nurture import Delivery, Enrolment

router = make_router(prefix="/v1", tags=["nurture"])
Writer = Annotated[Principal, scope("journeys:write")]
Recorder = Annotated[Principal, scope("consents:write")]
Receiver = Annotated[Principal, scope("mails:receive")]
Email = Annotated[str, Field(min_length=3, max_length=254)]
MessageId = Annotated[str, Field(min_length=3, max_length=998)]


class NotActive(DomainError):
    """No version of the journey takes leads at the moment."""


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewEnrolments(Body):
    lead_ids: Annotated[list[UUID], Field(min_length=1, max_length=1000)]


class EnrolmentAnswer(BaseModel):
    """The enrolment, or why the lead does not enter: not_open, no_address, no_consent, suppressed, running, before, no_lead."""

    lead_id: UUID
    enrolment_id: UUID | None
    refusal: str | None


class EnrolmentView(BaseModel):
    """`position` counts the steps from 0; `ended_by` says why it is over."""

    id: UUID
    journey: str
    version: int
    lead_id: UUID
    how: str
    enrolled_by: str
    enrolled_at: datetime
    state: Literal["running", "ended"]
    held: bool
    position: int
    due_at: datetime
    mails: int
    ended_by: str | None
    ended_at: datetime | None

    @classmethod
    def of(cls, enrolment: Enrolment) -> "EnrolmentView":
        given = {name: getattr(enrolment, name) for name in cls.model_fields if name != "journey"}
        return cls(**given, journey=enrolment.code)


class DeliveryView(BaseModel):
    """A mail of a journey and how it was taken up."""

    id: UUID
    enrolment_id: UUID
    step: str
    mail_id: UUID
    message_id: str
    outcome: str
    posted_at: datetime
    sent_at: datetime | None
    opened_at: datetime | None
    opened_by_bot: datetime | None
    clicked_at: datetime | None
    clicked_by_bot: datetime | None
    replied_at: datetime | None
    unsubscribed_at: datetime | None

    @classmethod
    def of(cls, delivery: Delivery) -> "DeliveryView":
        return cls(**{name: getattr(delivery, name) for name in cls.model_fields})


class NurtureView(BaseModel):
    """What a lead was and is in, and its mails; the newest 200 of each."""

    enrolments: list[EnrolmentView]
    mails: list[DeliveryView]


class NewConsent(Body):
    """What the person said yes or no to, in the words they saw and their version, where, and the proof (`ip`, `user_agent`, `form`,
    `ticket`). `ad_sharing` is being told to ad platforms by hashed address or phone. A no is for all leads with the address."""

    given: bool
    wording: Annotated[str, Field(min_length=1, max_length=2000)]
    source: Name
    said_at: Moment | None = None
    purpose: Purpose = "marketing"
    wording_version: Code | None = None
    evidence: Annotated[dict[Code, Text], Field(max_length=20)] = {}


class ConsentView(BaseModel):
    id: UUID
    lead_id: UUID
    purpose: str
    given: bool
    said_at: datetime
    wording: str
    source: str
    evidence: dict[str, str]
    recorded_by: str
    recorded_at: datetime
    wording_version: str | None

    @classmethod
    def of(cls, consent: Consent) -> "ConsentView":
        return cls(**{name: getattr(consent, name) for name in cls.model_fields})


class NewSuppression(Body):
    email: Email
    why: Literal["unsubscribed", "bounced", "complained", "by_hand"] = "by_hand"
    source: Name = "operator"


class Address(Body):
    email: Email


class SuppressionView(BaseModel):
    """Whether an address gets nothing; the address itself is not kept."""

    suppressed: bool
    why: Why | None = None
    source: str | None = None
    by: str | None = None
    at: datetime | None = None


class NewReply(Body):
    """A mail that came in, as a mailbox reader or an inbound service tells it; its text is not needed and not kept.

    `auto_reply`: out of office and the like (Auto-Submitted). Of a bounce `from` may be the mail server.
    """

    model_config = ConfigDict(extra="forbid", populate_by_name=True)
    kind: Literal["reply", "auto_reply", "bounce", "complaint"] = "reply"
    sender: Annotated[str, Field(alias="from", min_length=1, max_length=254)]
    message_id: MessageId
    in_reply_to: MessageId | None = None
    references: Annotated[list[MessageId], Field(max_length=200)] = []
    received_at: Moment | None = None


class ReplyView(BaseModel):
    """Whom it was from, as far as that is known, and by what: the Message-ID it answers, or the address."""

    lead_id: UUID | None
    matched_by: str | None
    fresh: bool


@router.post("/journeys/{code}/enrolments", dependencies=[scope("journeys:write")])
async def enrol(code: str, body: NewEnrolments, tx: Tx, caller: Writer) -> list[EnrolmentAnswer]:
    """Leads enter the journey's active version by hand, up to 1,000 at once; per lead what came of it."""
    journey = await journeys.get_journey(tx.conn, code)
    version = await journeys.find_active(tx.conn, journey.id)
    if version is None:
        raise NotActive("activate a version first")
    answers = await handlers.enrol(tx, version, body.lead_ids, "by_hand", caller.subject)
    return [
        EnrolmentAnswer(
            lead_id=lead_id,
            enrolment_id=answer if isinstance(answer, UUID) else None,
            refusal=None if isinstance(answer, UUID) else answer,
        )
        for lead_id, answer in ((lead_id, answers[lead_id]) for lead_id in dict.fromkeys(body.lead_ids))
    ]


@router.get("/journeys/{code}/enrolments", dependencies=[scope("journeys:read")])
async def list_enrolments(
    code: str, conn: Conn, page: PageArgs, state: Literal["running", "ended"] | None = None
) -> Page[EnrolmentView]:
    """Who is and was in a journey, in the order of entry."""
    journey = await journeys.get_journey(conn, code)
    rows = await store.list_enrolments(conn, journey_id=journey.id, state=state, after=page.after, limit=page.limit + 1)
    return page.of([EnrolmentView.of(row) for row in rows], key=lambda view: view.id)


@router.post("/enrolments/{enrolment_id}/end", dependencies=[scope("journeys:write")])
async def end(enrolment_id: UUID, tx: Tx) -> EnrolmentView:
    """Take a lead out of a journey; mails that have not left are taken back."""
    return EnrolmentView.of(await handlers.end(tx, enrolment_id))


@router.get("/leads/{lead_id}/nurture", dependencies=[scope("journeys:read")])
async def nurture_of(lead_id: UUID, conn: Conn) -> NurtureView:
    """The journeys of a lead, and its mails with what became of them."""
    await leads.get_lead(conn, lead_id)
    enrolments = await store.list_enrolments(conn, lead_id=lead_id, after=None, limit=200)
    mails = await store.list_deliveries(conn, lead_id=lead_id)
    return NurtureView(
        enrolments=[EnrolmentView.of(each) for each in enrolments], mails=[DeliveryView.of(each) for each in mails]
    )


@router.post("/leads/{lead_id}/consents", status_code=201, dependencies=[scope("consents:write")])
async def record_consent(lead_id: UUID, body: NewConsent, tx: Tx, caller: Recorder) -> ConsentView:
    """A person agreed to something, or withdrew it; the latest word counts."""
    return ConsentView.of(
        await consents.record(
            tx,
            lead_id,
            given=body.given,
            said_at=body.said_at,
            wording=body.wording,
            source=body.source,
            evidence=body.evidence,
            by=caller.subject,
            purpose=body.purpose,
            wording_version=body.wording_version,
        )
    )


@router.get("/leads/{lead_id}/consents", dependencies=[scope("consents:read")])
async def list_consents(lead_id: UUID, conn: Conn) -> list[ConsentView]:
    """Everything a person said about it, the latest first, at most 200."""
    await leads.get_lead(conn, lead_id)
    return [ConsentView.of(each) for each in await consent_store.list_consents(conn, lead_id)]


@router.post("/mail-suppressions", dependencies=[scope("consents:write")])
async def suppress(body: NewSuppression, tx: Tx, caller: Recorder) -> SuppressionView:
    """An address gets no marketing mail any more; its leads leave their journeys."""
    hashed = await consents.suppress_address(tx, body.email, why=body.why, source=body.source, by=caller.subject)
    return await _suppression(tx.conn, hashed)


@router.post("/mail-suppressions/look-up", dependencies=[scope("consents:read")])
async def look_up(body: Address, tx: Tx) -> SuppressionView:
    """Whether an address gets nothing. A POST, so that addresses stand in no log of paths."""
    return await _suppression(tx.conn, _hash(body.email))


@router.post("/mail-suppressions/lift", dependencies=[scope("consents:write")])
async def lift(body: Address, tx: Tx, caller: Recorder) -> SuppressionView:
    """The person asked for mails again; each lead still needs its consent."""
    hashed = _hash(body.email)
    await consent_store.lift_suppression(tx.conn, hashed, by=caller.subject, now=tx.now)
    return await _suppression(tx.conn, hashed)


@router.post("/mail-replies", dependencies=[scope("mails:receive")])
async def take_reply(body: NewReply, tx: Tx, caller: Receiver) -> ReplyView:
    """A mail came in: a reply ends the lead's journeys and counts for its score. The same Message-ID again changes nothing."""
    answers = [*([body.in_reply_to] if body.in_reply_to else []), *body.references]
    found = await reactions.answered(
        tx,
        kind=body.kind,
        message_id=body.message_id,
        answers=answers,
        sender=body.sender,
        received_at=body.received_at,
        by=caller.subject,
    )
    return ReplyView(**found._asdict())


async def _suppression(conn: Conn, hashed: bytes) -> SuppressionView:
    found = await consent_store.find_suppression(conn, hashed)
    if found is None:
        return SuppressionView(suppressed=False)
    return SuppressionView(suppressed=True, why=found.why, source=found.source, by=found.by, at=found.at)


def _hash(email: str) -> bytes:
    hashed = address_hash(email)
    if hashed is None:
        raise Invalid("this is not an e-mail address", field="email")
    return hashed
