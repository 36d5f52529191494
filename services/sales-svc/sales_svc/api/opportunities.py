"""HTTP in: opportunities, their team, moves and checklist."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.inputs import Day, Moment
from ltc_contracts.events.model import Code, Country, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, ChangeView, CustomValues, Edit, Exact, IfMatch, Search, TouchView, Version
from sales_svc.domain.activity import Touch
from sales_svc.domain.light import Light, bounds, light_of
from sales_svc.domain.opportunity import Member, Opportunity
from sales_svc.domain.pipeline import Category
from sales_svc.handlers import opening, outcomes
from sales_svc.handlers import opportunities as handlers
from sales_svc.handlers.opening import NewDeal
from sales_svc.store import activities, changes, merged_leads, opportunities, policy
from sales_svc.store.merged_leads import Belonging
from sales_svc.store.policy import Policy

router = make_router(prefix="/v1", tags=["opportunities"])
Writer = Annotated[Principal, scope("opportunities:write")]
Step = Annotated[str, Field(min_length=1, max_length=500)]
Products = Annotated[list[Code], Field(max_length=100)]
Competitors = Annotated[list[Name], Field(max_length=20)]
_BACKDATE = "opportunities:backdate"


class MemberBody(Body):
    """`share` of the deal in per cent, where it is split; what is not given away is the owner's."""

    member: Name
    role: Code
    share: Annotated[Exact, Field(ge=0, le=100)] | None = None

    @classmethod
    def of(cls, member: Member) -> "MemberBody":
        return cls(member=member.member, role=member.role, share=member.share)

    def kept(self) -> Member:
        return Member(self.member, self.role, self.share)


Members = Annotated[list[MemberBody], Field(max_length=50)]


class NewOpportunity(Body):
    """`occurred_at` is when a deal of the past began; it needs the scope opportunities:backdate."""

    name: Name
    company: Name | None = None
    country: Country | None = None
    account_id: UUID | None = None
    contact_id: UUID | None = None
    owner: Name | None = None
    team: Name | None = None
    value: Money | None = None
    channel: Code | None = None
    source: Name | None = None
    region: Name | None = None
    segment: Code | None = None
    campaign: Name | None = None
    products: Products = Field(default_factory=list)
    external_ref: Name | None = None
    expected_close_on: Day | None = None
    next_step: Step | None = None
    next_step_due: Moment | None = None
    category: Category | None = None
    pipeline: Code | None = None
    stage: Code | None = None
    custom: CustomValues = Field(default_factory=dict)
    members: Members = Field(default_factory=list)
    occurred_at: Moment | None = None
    despite_other_rep: bool = False


class OpportunityEdit(Edit):
    """`category` overrides how the forecast counts the deal; null leaves it to its stage."""

    name: Name | None = None
    account_id: UUID | None = None
    contact_id: UUID | None = None
    owner: Name | None = None
    team: Name | None = None
    value: Money | None = None
    region: Name | None = None
    segment: Code | None = None
    campaign: Name | None = None
    products: Products = Field(default_factory=list)
    expected_close_on: Day | None = None
    next_step: Step | None = None
    next_step_due: Moment | None = None
    category: Category | None = None
    competitors: Competitors = Field(default_factory=list)
    custom: CustomValues = Field(default_factory=dict)


class Members_(Body):
    members: Members
    version: Version | None = None


class ToStage(Body):
    stage: Code
    occurred_at: Moment | None = None


class Loss(Body):
    """A code of the list, or a reason in words (which finds its code where it says just that); competitors are of their list."""

    reason: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    reason_code: Code | None = None
    competitors: Competitors = Field(default_factory=list)
    occurred_at: Moment | None = None


class WinReason(Body):
    reason: Annotated[str, Field(min_length=1, max_length=2000)] | None = None
    reason_code: Code | None = None
    competitors: Competitors = Field(default_factory=list)


class ToPipeline(Body):
    """`stage` is the one to go on in; without it the deal keeps its own, if the pipeline has it."""

    pipeline: Code
    stage: Code | None = None


class OpportunityView(BaseModel):
    """`light`: green, the next step lies ahead; amber, due soon, or a young deal has none; red, overdue, or none.

    `last_touch` is who met the customer last about this deal. `living_lead_id` is the lead that its own is part of since a merge,
    `linked` the other open deals of that lead: there should be one.
    """

    id: UUID
    flow_id: UUID
    lead_id: UUID | None
    living_lead_id: UUID | None = None
    linked: list[UUID] = Field(default_factory=list)
    account_id: UUID | None
    contact_id: UUID | None
    name: str
    company: str | None
    country: str | None
    owner: str | None
    team: str | None
    members: list[MemberBody] = Field(default_factory=list)
    pipeline: str
    pipeline_version: int
    stage: str
    probability: int
    value: Money | None
    channel: str | None
    source: str | None
    region: str | None
    segment: str | None
    campaign: str | None
    products: list[str]
    external_ref: str | None
    expected_close_on: date | None
    next_step: str | None
    next_step_due: datetime | None
    light: Light | None
    last_touch: TouchView | None = None
    category: str | None
    stage_since: datetime
    seconds_in_stage: int | None
    opened_at: datetime
    closed_at: datetime | None
    lost_reason: str | None
    won_reason: str | None
    reason_code: str | None
    competitors: list[str]
    custom: dict[str, Any]
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(
        cls,
        opportunity: Opportunity,
        now: datetime,
        rules: Policy,
        members: Sequence[Member] = (),
        touch: Touch | None = None,
        belonging: Belonging | None = None,
    ) -> "OpportunityView":
        made = {"members", "light", "seconds_in_stage", "last_touch", "living_lead_id", "linked"}
        given: dict[str, Any] = {name: getattr(opportunity, name) for name in cls.model_fields if name not in made}
        return cls(
            **given,
            members=[MemberBody.of(member) for member in members],
            light=light_of(opportunity, rules.light, now),
            last_touch=TouchView.of(touch) if touch else None,
            living_lead_id=belonging.living_lead_id if belonging else None,
            linked=list(belonging.linked) if belonging else [],
            seconds_in_stage=max(int((now - opportunity.stage_since).total_seconds()), 0) if opportunity.is_open else None,
        )


class StageChangeView(BaseModel):
    from_stage: str
    to_stage: str
    seconds_in_stage: int
    changed_at: datetime
    backward: bool
    by: str | None


@router.post("/opportunities", status_code=201)
async def create_opportunity(body: NewOpportunity, tx: Tx, caller: Writer) -> OpportunityView:
    """Open a deal without a lead; it begins a flow of its own. Refused when another rep has one with the customer."""
    _may_backdate(caller, body.occurred_at)
    given = {name: getattr(body, name) for name in type(body).model_fields if name != "despite_other_rep"}
    given |= {"products": tuple(body.products), "members": tuple(member.kept() for member in body.members)}
    made = await opening.open_opportunity(tx, NewDeal(**given), caller.subject, despite_other_rep=body.despite_other_rep)
    return await _view(tx, made)


@router.get("/opportunities", dependencies=[scope("opportunities:read")])
async def list_opportunities(
    conn: Conn,
    now: Now,
    page: PageArgs,
    flow_id: UUID | None = None,
    lead_id: UUID | None = None,
    account_id: UUID | None = None,
    stage: str | None = None,
    pipeline: str | None = None,
    owner: str | None = None,
    team: str | None = None,
    member: str | None = None,
    state: Literal["open", "closed"] | None = None,
    light: Light | None = None,
    q: Search | None = None,
) -> Page[OpportunityView]:
    """Deals in the order they were written down; `light` shows open ones; `q` looks at name and company."""
    rules = await policy.get_policy(conn)
    filters: dict[str, Any] = {
        "flow_id": flow_id,
        "lead_id": lead_id,
        "account_id": account_id,
        "stage": stage,
        "pipeline": pipeline,
    }
    filters |= {"owner": owner, "team": team, "member": member, "open": None if state is None else state == "open"}
    within = bounds(light, rules.light, now) if light else None
    rows = await opportunities.list_opportunities(
        conn, filters=filters, text=q, light=within, after=page.after, limit=page.limit + 1
    )
    return page.of(await _views(conn, rows, now, rules), key=lambda view: view.id)


@router.get("/opportunities/{opportunity_id}", dependencies=[scope("opportunities:read")])
async def get_opportunity(opportunity_id: UUID, conn: Conn, now: Now, response: Response) -> OpportunityView:
    """One deal."""
    found = await opportunities.get_opportunity(conn, opportunity_id)
    response.headers["ETag"] = f'"{found.version}"'
    return (await _views(conn, [found], now, await policy.get_policy(conn)))[0]


@router.patch("/opportunities/{opportunity_id}")
async def change_opportunity(
    opportunity_id: UUID, body: OpportunityEdit, tx: Tx, caller: Writer, if_match: IfMatch
) -> OpportunityView:
    """Change some fields of an open deal; null empties one. Needs the version that was read."""
    given = body.given()
    given |= {name: tuple(given[name]) for name in ("products", "competitors") if name in given}
    expected = body.version if body.version is not None else if_match
    return await _view(tx, await handlers.change_opportunity(tx, opportunity_id, given, caller.subject, expected=expected))


@router.put("/opportunities/{opportunity_id}/members")
async def set_members(opportunity_id: UUID, body: Members_, tx: Tx, caller: Writer, if_match: IfMatch) -> OpportunityView:
    """Who works on the deal with its owner, all at once, and how it is split."""
    members = [member.kept() for member in body.members]
    expected = body.version if body.version is not None else if_match
    return await _view(tx, await handlers.set_members(tx, opportunity_id, members, caller.subject, expected=expected))


@router.get("/opportunities/{opportunity_id}/history", dependencies=[scope("opportunities:read")])
async def get_history(opportunity_id: UUID, conn: Conn) -> list[StageChangeView]:
    """Every move with the time spent in the stage before it; at most 1,000."""
    await opportunities.get_opportunity(conn, opportunity_id)
    moves = await opportunities.list_stage_changes(conn, opportunity_id)
    return [StageChangeView(**{name: getattr(move, name) for name in StageChangeView.model_fields}) for move in moves]


@router.get("/opportunities/{opportunity_id}/changes", dependencies=[scope("opportunities:read")])
async def list_changes(opportunity_id: UUID, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed what, and when."""
    await opportunities.get_opportunity(conn, opportunity_id)
    rows = await changes.list_changes(conn, "opportunity", opportunity_id, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


@router.post("/opportunities/{opportunity_id}/stage")
async def move_stage(opportunity_id: UUID, body: ToStage, tx: Tx, caller: Writer) -> OpportunityView:
    """Move along the pipeline. Forwards the criteria of every stage that is left or skipped are checked; backwards is free."""
    _may_backdate(caller, body.occurred_at)
    return await _view(
        tx, await handlers.move_stage(tx, opportunity_id, body.stage, caller.subject, occurred_at=body.occurred_at)
    )


@router.post("/opportunities/{opportunity_id}/pipeline")
async def change_pipeline(opportunity_id: UUID, body: ToPipeline, tx: Tx, caller: Writer) -> OpportunityView:
    """Go on under another pipeline, or under the latest version of its own."""
    return await _view(tx, await handlers.change_pipeline(tx, opportunity_id, body.pipeline, body.stage, caller.subject))


@router.post("/opportunities/{opportunity_id}/lose")
async def lose(opportunity_id: UUID, body: Loss, tx: Tx, caller: Writer) -> OpportunityView:
    """Close the deal as lost, with the reason."""
    _may_backdate(caller, body.occurred_at)
    return await _view(tx, await outcomes.lose(tx, opportunity_id, caller.subject, **body.model_dump()))


@router.post("/opportunities/{opportunity_id}/win-reason")
async def give_win_reason(opportunity_id: UUID, body: WinReason, tx: Tx, caller: Writer) -> OpportunityView:
    """Why the deal is won: before the signature, so that the event tells it, or after it, for the report."""
    return await _view(tx, await outcomes.give_win_reason(tx, opportunity_id, caller.subject, **body.model_dump()))


async def _view(tx: Tx, opportunity: Opportunity) -> OpportunityView:
    return (await _views(tx.conn, [opportunity], tx.now, await policy.get_policy(tx.conn)))[0]


async def _views(conn: Connection, rows: Sequence[Opportunity], now: datetime, rules: Policy) -> list[OpportunityView]:
    ids = [row.id for row in rows]
    teams, touches = await opportunities.members_of(conn, ids), await activities.last_touches_of_opportunities(conn, ids)
    together = await merged_leads.belonging_of(conn, ids)
    return [OpportunityView.of(row, now, rules, teams.get(row.id, ()), touches.get(row.id), together.get(row.id)) for row in rows]


def _may_backdate(caller: Principal, occurred_at: datetime | None) -> None:
    if occurred_at is not None:
        caller.require(_BACKDATE)
