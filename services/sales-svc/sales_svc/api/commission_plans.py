"""HTTP in: commission plans, who sells under them, what is agreed for one deal, and a trial of a plan over past deals."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Code, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, Exact
from sales_svc.domain.commission_plan import Assignment, Period, Plan, Share, Tier
from sales_svc.domain.commission_trial import Outcome
from sales_svc.handlers import commission_plans as handlers
from sales_svc.store import commission_plans, opportunities

router = make_router(prefix="/v1", tags=["commission"])
_CONFIGURE = "commissions:configure"
Configurer = Annotated[Principal, scope(_CONFIGURE)]
Seller = Annotated[Principal, scope("opportunities:write")]
Percent = Annotated[Exact, Field(ge=0, le=100, decimal_places=4)]


class TierBody(Body):
    """What lies above `above`, in the plan's currency and period, earns `rate` per cent."""

    above: Annotated[Exact, Field(gt=0)]
    rate: Percent


class ShareBody(Body):
    """`rep` null is the deal's owner."""

    rep: Name | None = None
    percent: Annotated[Exact, Field(gt=0, le=100, decimal_places=4)]


class PlanBody(Body):
    name: Name
    rate: Percent
    tiers: Annotated[list[TierBody], Field(default_factory=list, max_length=20)]
    period: Period | None = None
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    products: Annotated[list[Code], Field(default_factory=list, max_length=500)]
    pipelines: Annotated[list[Code], Field(default_factory=list, max_length=100)]
    splits: Annotated[list[ShareBody], Field(default_factory=list, max_length=20)]

    def plan(self, code: str, valid_from: datetime) -> Plan:
        return Plan(
            code=code,
            version=1,
            name=self.name,
            rate=self.rate,
            tiers=tuple(Tier(tier.above, tier.rate) for tier in self.tiers),
            period=self.period,
            currency=self.currency,
            products=frozenset(self.products),
            pipelines=frozenset(self.pipelines),
            splits=_shares(self.splits),
            valid_from=valid_from,
        )


class NewPlan(PlanBody):
    """`valid_from` null: from now on."""

    code: Code
    valid_from: Moment | None = None


class PlanView(BaseModel):
    id: UUID
    code: str
    version: int
    name: str
    rate: Decimal
    tiers: list[TierBody]
    period: str | None
    currency: str | None
    products: list[str]
    pipelines: list[str]
    splits: list[ShareBody]
    valid_from: datetime
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, plan_id: UUID, plan: Plan, by: str, at: datetime) -> "PlanView":
        return cls(
            id=plan_id,
            code=plan.code,
            version=plan.version,
            name=plan.name,
            rate=plan.rate,
            tiers=[TierBody(above=tier.above, rate=tier.rate) for tier in plan.tiers],
            period=plan.period,
            currency=plan.currency,
            products=sorted(plan.products),
            pipelines=sorted(plan.pipelines),
            splits=[ShareBody(rep=share.rep, percent=share.percent) for share in plan.splits],
            valid_from=plan.valid_from,
            created_by=by,
            created_at=at,
        )


class NewAssignment(Body):
    rep: Name
    plan: Code
    valid_from: Moment | None = None


class End(Body):
    """`valid_until` null: from now on."""

    valid_until: Moment | None = None


class AssignmentView(BaseModel):
    id: UUID
    rep: str
    plan: str
    valid_from: datetime
    valid_until: datetime | None
    created_by: str
    created_at: datetime
    ended_by: str | None

    @classmethod
    def of(cls, assignment: Assignment) -> "AssignmentView":
        return cls(**{name: getattr(assignment, name) for name in cls.model_fields})


class Split(Body):
    """No shares: the plan's own splits count again."""

    shares: Annotated[list[ShareBody], Field(max_length=20)]


class SplitView(Split):
    """`version` 0: nothing was agreed for this deal."""

    version: int
    created_by: str | None
    created_at: datetime | None


class Trial(PlanBody):
    """A plan as it might be. `reps` null: those who sold under `code` when they signed."""

    code: Code
    since: Moment
    until: Moment
    reps: Annotated[list[Name], Field(max_length=1000)] | None = None


class OutcomeView(BaseModel):
    """Booked now, and what the changed plan would have booked; `difference` is of what is accrued."""

    rep: str
    currency: str
    deals: int
    accrued: Money
    vested: Money
    accrued_then: Money
    vested_then: Money
    difference: Money

    @classmethod
    def of(cls, outcome: Outcome) -> "OutcomeView":
        given = {name: getattr(outcome, name) for name in cls.model_fields if name != "difference"}
        return cls(**given, difference=outcome.accrued_then - outcome.accrued)


@router.post("/commission-plans", status_code=201, dependencies=[scope(_CONFIGURE)])
async def add_plan(body: NewPlan, tx: Tx, caller: Configurer) -> PlanView:
    """A new plan, or the next version of one; deals signed before are not touched."""
    plan_id, plan = await handlers.add_plan(tx, body.plan(body.code, body.valid_from or tx.now), caller.subject)
    return PlanView.of(plan_id, plan, caller.subject, tx.now)


@router.get("/commission-plans", dependencies=[scope("commissions:read")])
async def list_plans(conn: Conn, page: PageArgs, code: Code | None = None) -> Page[PlanView]:
    """Every version of every plan, with who made it."""
    rows = await commission_plans.list_plans(conn, code=code, after=page.after, limit=page.limit + 1)
    return page.of([PlanView.of(*row) for row in rows], key=lambda view: view.id)


@router.post("/commission-plans/try", dependencies=[scope(_CONFIGURE)])
async def try_plan(body: Trial, tx: Tx) -> list[OutcomeView]:
    """What deals signed in a span of time would have earned under a changed plan, by rep. Nothing is kept."""
    outcomes = await handlers.try_out(tx.conn, body.plan(body.code, body.since), body.since, body.until, body.reps)
    return [OutcomeView.of(outcome) for outcome in outcomes]


@router.post("/commission-assignments", status_code=201, dependencies=[scope(_CONFIGURE)])
async def assign(body: NewAssignment, tx: Tx, caller: Configurer) -> AssignmentView:
    """A rep sells under a plan from a moment on."""
    return AssignmentView.of(await handlers.assign(tx, body.rep, body.plan, body.valid_from or tx.now, caller.subject))


@router.get("/commission-assignments", dependencies=[scope(_CONFIGURE)])
async def list_assignments(conn: Conn, page: PageArgs, rep: Name | None = None, plan: Code | None = None) -> Page[AssignmentView]:
    """Who sells, or sold, under which plan."""
    rows = await commission_plans.list_assignments(conn, rep=rep, plan=plan, after=page.after, limit=page.limit + 1)
    return page.of([AssignmentView.of(row) for row in rows], key=lambda view: view.id)


@router.post("/commission-assignments/{assignment_id}/end", dependencies=[scope(_CONFIGURE)])
async def end_assignment(assignment_id: UUID, tx: Tx, caller: Configurer, body: End | None = None) -> AssignmentView:
    """The rep no longer sells under the plan."""
    until = body.valid_until if body and body.valid_until else tx.now
    return AssignmentView.of(await handlers.end_assignment(tx, assignment_id, until, caller.subject))


@router.put("/opportunities/{opportunity_id}/commission-split", dependencies=[scope("opportunities:write")])
async def agree_split(opportunity_id: UUID, body: Split, tx: Tx, caller: Seller) -> SplitView:
    """Who shares in this deal, instead of what the plan says."""
    version = await handlers.agree_split(tx, opportunity_id, _shares(body.shares), caller.subject)
    return SplitView(shares=body.shares, version=version, created_by=caller.subject, created_at=tx.now)


@router.get("/opportunities/{opportunity_id}/commission-split", dependencies=[scope("opportunities:read")])
async def get_split(opportunity_id: UUID, conn: Conn) -> SplitView:
    """What is agreed for this deal."""
    await opportunities.get_opportunity(conn, opportunity_id)
    version, shares, by, at = await commission_plans.get_split(conn, opportunity_id)
    bodies = [ShareBody(rep=share.rep, percent=share.percent) for share in shares]
    return SplitView(shares=bodies, version=version, created_by=by, created_at=at)


def _shares(bodies: list[ShareBody]) -> tuple[Share, ...]:
    return tuple(Share(body.rep, body.percent) for body in bodies)
