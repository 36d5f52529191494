"""HTTP in: opportunities."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Code, Country, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body
from sales_svc.domain.opportunity import Opportunity
from sales_svc.handlers import opportunities as handlers
from sales_svc.store import opportunities

router = make_router(prefix="/v1", tags=["opportunities"])


class NewOpportunity(Body):
    name: Name
    company: Name | None = None
    country: Country | None = None
    owner: Name | None = None
    value: Money | None = None
    channel: Code | None = None
    source: Name | None = None


class ToStage(Body):
    stage: Code


class Loss(Body):
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


class OpportunityView(BaseModel):
    id: UUID
    flow_id: UUID
    lead_id: UUID | None
    account_id: UUID | None
    contact_id: UUID | None
    name: str
    company: str | None
    country: str | None
    owner: str | None
    stage: str
    probability: int
    value: Money | None
    channel: str | None
    source: str | None
    stage_since: datetime
    lost_reason: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, opportunity: Opportunity) -> "OpportunityView":
        return cls(**{name: getattr(opportunity, name) for name in cls.model_fields})


class StageChangeView(BaseModel):
    from_stage: str
    to_stage: str
    seconds_in_stage: int
    changed_at: datetime


@router.post("/opportunities", status_code=201, dependencies=[scope("opportunities:write")])
async def create_opportunity(body: NewOpportunity, tx: Tx) -> OpportunityView:
    """Open a deal without a lead; it begins a flow of its own."""
    return OpportunityView.of(
        await handlers.open_opportunity(tx, **{name: getattr(body, name) for name in type(body).model_fields})
    )


@router.get("/opportunities", dependencies=[scope("opportunities:read")])
async def list_opportunities(
    conn: Conn,
    page: PageArgs,
    flow_id: UUID | None = None,
    stage: str | None = None,
    owner: str | None = None,
    lead_id: UUID | None = None,
) -> Page[OpportunityView]:
    """Deals in the order they were opened."""
    rows = await opportunities.list_opportunities(
        conn, flow_id=flow_id, stage=stage, owner=owner, lead_id=lead_id, after=page.after, limit=page.limit + 1
    )
    return page.of([OpportunityView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/opportunities/{opportunity_id}", dependencies=[scope("opportunities:read")])
async def get_opportunity(opportunity_id: UUID, conn: Conn) -> OpportunityView:
    """One deal."""
    return OpportunityView.of(await opportunities.get_opportunity(conn, opportunity_id))


@router.get("/opportunities/{opportunity_id}/history", dependencies=[scope("opportunities:read")])
async def get_history(opportunity_id: UUID, conn: Conn) -> list[StageChangeView]:
    """Every move with the time spent in the stage before it."""
    await opportunities.get_opportunity(conn, opportunity_id)
    changes = await opportunities.list_stage_changes(conn, opportunity_id)
    return [StageChangeView(**{name: getattr(change, name) for name in StageChangeView.model_fields}) for change in changes]


@router.post("/opportunities/{opportunity_id}/stage", dependencies=[scope("opportunities:write")])
async def move_stage(opportunity_id: UUID, body: ToStage, tx: Tx) -> OpportunityView:
    """Move along the pipeline: qualification, discovery, proposal, negotiation, commit."""
    return OpportunityView.of(await handlers.move_stage(tx, opportunity_id, body.stage))


@router.post("/opportunities/{opportunity_id}/lose", dependencies=[scope("opportunities:write")])
async def lose(opportunity_id: UUID, body: Loss, tx: Tx) -> OpportunityView:
    """Close the deal as lost, with the reason."""
    return OpportunityView.of(await handlers.lose(tx, opportunity_id, body.reason))
