"""HTTP in: leads and their scores."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import new_id
from ltc_chassis.inputs import Moment
from ltc_contracts.events import Contact
from ltc_contracts.events.model import Code, Country, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lead_svc.api.duplicates import DuplicatesView, find_duplicates
from lead_svc.api.own_fields import OwnFilter
from lead_svc.api.visits import NewTouch
from lead_svc.domain.duplicates import PossibleDuplicate, as_given
from lead_svc.domain.lead import Lead, blank
from lead_svc.domain.predictive import Chance, Manual
from lead_svc.domain.score import Activity, Band, Score, score
from lead_svc.handlers import leads, predictive
from lead_svc.handlers.capture import Arrival, capture_lead
from lead_svc.store import leads as store
from lead_svc.store import predictive as store_predictive
from lead_svc.store import scores

router = make_router(prefix="/v1", tags=["leads"])


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewContact(Body):
    name: Name | None = None
    email: Annotated[str, Field(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")] | None = None
    phone: Annotated[str, Field(max_length=40)] | None = None


class NewActivity(Body):
    activity: Code
    occurred_at: Moment | None = None


# The company's own fields by key; what a value may be is decided by their definitions.
Own = Annotated[dict[Code, Any], Field(max_length=200)]


class NewLead(Body):
    """A `partner_code` says who sent it; then channel and source are `partner` unless they are given."""

    channel: Code
    source: Name
    campaign: Name | None = None
    company: Name | None = None
    country: Country | None = None
    industry: Code | None = None
    company_size: Annotated[int, Field(ge=0, le=100_000_000)] | None = None
    website: Annotated[str, Field(max_length=500)] | None = None
    external_ref: Name | None = None
    contact: NewContact | None = None
    estimated_value: Money | None = None
    activities: Annotated[list[NewActivity], Field(max_length=50)] = Field(default_factory=list)
    region: Name | None = None
    channel_group: Code | None = None
    custom: Own = Field(default_factory=dict)
    visitor_id: UUID | None = None
    touches: Annotated[list[NewTouch], Field(max_length=100)] = Field(default_factory=list)
    partner_code: Annotated[str, Field(min_length=1, max_length=64)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _by_partner(cls, given: Any) -> Any:
        if isinstance(given, dict) and given.get("partner_code"):
            return {"channel": "partner", "source": "partner", **given}
        return given

    def arrival(self, now: datetime) -> Arrival:
        """The lead on its way in."""
        facts = {name: getattr(self, name) for name in _FACTS}
        lead = blank(
            **facts,
            id=new_id(),
            flow_id=new_id(),
            captured_via="api",
            contact=Contact(name=self.contact.name, email=self.contact.email, phone=self.contact.phone) if self.contact else None,
            created_at=now,
            updated_at=now,
        )
        done = [Activity(each.activity, each.occurred_at or now) for each in self.activities]
        touches = [each.touch() for each in self.touches]
        return Arrival(lead, done, touches, self.visitor_id, partner_code=self.partner_code)


_FACTS = [name for name in NewLead.model_fields if name not in ("activities", "contact", "visitor_id", "touches", "partner_code")]


class Qualification(Body):
    owner: Name | None = None


class LeadView(BaseModel):
    """A lead with its score as of now. `predictive` is the model's chance of conversion in per cent (not in the reply to its capture),
    `manual` a person's, which counts instead."""

    id: UUID
    flow_id: UUID
    status: str
    captured_via: str
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
    merged_into: UUID | None
    duplicate_of: UUID | None
    fit: str
    engagement: str
    band: str
    rule_version: str
    predictive: str | None
    manual: str | None
    version: int
    created_at: datetime
    region: str | None
    channel_group: str | None
    segments: list[str]
    custom: dict[str, Any]

    @classmethod
    def of(cls, lead: Lead, result: Score, chance: Chance | None = None, manual: Manual | None = None) -> "LeadView":
        given: dict[str, Any] = {name: getattr(lead, name) for name in cls.model_fields if hasattr(lead, name)}
        numbers = {
            "fit": str(result.fit),
            "engagement": str(result.engagement),
            "predictive": str(chance.percent) if chance else None,
            "manual": str(manual.value) if manual else None,
        }
        return cls(**given, **numbers, band=result.band, rule_version=result.rule_version)


class CapturedView(LeadView):
    """`possible_duplicates` is null for callers who may not read leads: nothing is told of what was found."""

    possible_duplicates: DuplicatesView | None


@router.post("/leads", status_code=201, dependencies=[scope("leads:write")])
async def create_lead(body: NewLead, tx: Tx, caller: Annotated[Principal, scope("leads:write")]) -> CapturedView:
    """Capture a lead; its flow begins. What it may be a duplicate of is told to those only who may read leads."""
    arrival = body.arrival(tx.now)
    reads = bool(caller.scopes & {"leads:read", "*"})
    try:
        lead = await capture_lead(tx, arrival)
    except PossibleDuplicate as refusal:
        raise refusal.told() if reads else refusal  # noqa: B904 - it is the same refusal, with its members
    if not reads:
        lead = as_given(lead)
    view = LeadView.of(lead, score(lead.facts, arrival.activities, await store.get_rule(tx.conn, tx.now), tx.now))
    found = await find_duplicates(tx.conn, lead.merged_into or lead.id, tx.now) if reads else None
    return CapturedView(**view.model_dump(), possible_duplicates=found)


@router.get("/leads", dependencies=[scope("leads:read")])
async def list_leads(
    conn: Conn,
    now: Now,
    page: PageArgs,
    flow_id: UUID | None = None,
    status: str | None = None,
    source: str | None = None,
    external_ref: str | None = None,
    band: Band | None = None,
    segment: str | None = None,
    custom: OwnFilter = None,
) -> Page[LeadView]:
    """Leads in the order of capture; `custom.<key>=<value>` finds those whose own field has the value.

    Of a band, only those that are in it now: a page of them may be short, `next` tells the end.
    """
    if band is not None:
        rows = await scores.list_in_band(
            conn,
            band,
            flow_id=flow_id,
            status=status,
            source=source,
            external_ref=external_ref,
            segment=segment,
            custom=custom,
            after=page.after,
            limit=page.limit + 1,
        )
        shown = page.of(await views(conn, rows, now), key=lambda view: view.id)
        return Page(items=[view for view in shown.items if view.band == band], next=shown.next)
    rows = await store.list_leads(
        conn,
        flow_id=flow_id,
        status=status,
        source=source,
        external_ref=external_ref,
        segment=segment,
        custom=custom,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of(await views(conn, rows, now), key=lambda view: view.id)


async def views(conn: Conn, rows: Sequence[Lead], now: datetime) -> list[LeadView]:
    """Leads with their scores as of now."""
    rule, done = await store.get_rule(conn, now), await store.activities_of(conn, [row.id for row in rows])
    chances = await predictive.chances_of(conn, [(row, done[row.id]) for row in rows], now)
    manual = await store_predictive.manual_of(conn, [row.id for row in rows], now)
    return [LeadView.of(row, score(row.facts, done[row.id], rule, now), chances.get(row.id), manual.get(row.id)) for row in rows]


@router.get("/leads/{lead_id}", dependencies=[scope("leads:read")])
async def get_lead(lead_id: UUID, conn: Conn, now: Now) -> LeadView:
    """One lead with its score as of now."""
    return (await views(conn, [await store.get_lead(conn, lead_id)], now))[0]


@router.post("/leads/{lead_id}/qualify", dependencies=[scope("leads:write")])
async def qualify(lead_id: UUID, tx: Tx, body: Qualification | None = None) -> LeadView:
    """A person hands the lead to sales."""
    await leads.qualify(tx, lead_id, body.owner if body else None)
    return await get_lead(lead_id, tx.conn, tx.now)
