"""HTTP in: the sales policy, reps and their teams, and leads that are held back."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Name
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, ChangeView, IfMatch, Version
from sales_svc.handlers import opening
from sales_svc.handlers import pipelines as handlers
from sales_svc.store import changes, held_leads, policy, reps
from sales_svc.store.held_leads import HeldLead
from sales_svc.store.policy import Policy
from sales_svc.store.reps import Rep

router = make_router(prefix="/v1", tags=["sales policy"])
Admin = Annotated[Principal, scope("pipelines:configure")]
Decider = Annotated[Principal, scope("opportunities:assign")]
Days = Annotated[int, Field(ge=0, le=3650)]


class PolicyBody(Body):
    """A next step due within `due_days` is amber; so is a deal without one for its first `young_days`; reports warn below
    `small_sample` deals."""

    due_days: Days
    young_days: Days
    small_sample: Annotated[int, Field(ge=0, le=10_000)]
    version: Version | None = None


class PolicyView(BaseModel):
    version: int
    due_days: int
    young_days: int
    small_sample: int
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, rules: Policy) -> "PolicyView":
        return cls(**{name: getattr(rules, name) for name in cls.model_fields})


class RepBody(Body):
    """`email` is where the rep is told what customers say to offers."""

    team: Name | None = None
    manager: Name | None = None
    region: Name | None = None
    active: bool = True
    email: Annotated[str, Field(max_length=254)] | None = None
    version: Version | None = None


class RepView(BaseModel):
    id: UUID
    name: str
    team: str | None
    manager: str | None
    region: str | None
    active: bool
    email: str | None
    version: int

    @classmethod
    def of(cls, rep: Rep) -> "RepView":
        return cls(**{name: getattr(rep, name) for name in cls.model_fields})


class HeldLeadView(BaseModel):
    """`rep` qualified the lead; `other_rep` has the open deal. `deal` is what it would be opened with."""

    id: UUID
    lead_id: UUID
    flow_id: UUID
    account_id: UUID
    opportunity_id: UUID
    contact_id: UUID | None
    rep: str
    other_rep: str
    deal: dict[str, Any]
    state: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, held: HeldLead) -> "HeldLeadView":
        return cls(**{name: getattr(held, name) for name in cls.model_fields})


class Opening(Body):
    owner: Name


@router.get("/sales-policies", dependencies=[scope("pipelines:read")])
async def list_policies(conn: Conn) -> list[PolicyView]:
    """Every version, the latest first: it is the one that counts; at most 200."""
    return [PolicyView.of(row) for row in await policy.list_policies(conn)]


@router.put("/sales-policies")
async def set_policy(body: PolicyBody, tx: Tx, caller: Admin, if_match: IfMatch) -> PolicyView:
    """The next version; it counts at once."""
    expected = body.version if body.version is not None else if_match
    return PolicyView.of(await handlers.set_policy(tx, body.model_dump(exclude={"version"}), caller.subject, expected=expected))


@router.get("/reps", dependencies=[scope("opportunities:read")])
async def list_reps(conn: Conn, page: PageArgs, team: str | None = None) -> Page[RepView]:
    """Who sells, in which team."""
    rows = await reps.list_reps(conn, team, page.after, page.limit + 1)
    return page.of([RepView.of(row) for row in rows], key=lambda view: view.id)


@router.put("/reps/{name}")
async def put_rep(name: Name, body: RepBody, tx: Tx, caller: Admin, if_match: IfMatch) -> RepView:
    """Enter a rep, or change what is known of one (that needs the version that was read). Deals keep the team they have."""
    expected = body.version if body.version is not None else if_match
    given = body.model_dump(exclude={"version"})
    return RepView.of(await handlers.put_rep(tx, name, given, caller.subject, expected=expected))


@router.get("/reps/{name}/changes", dependencies=[scope("opportunities:read")])
async def list_changes(name: Name, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed what of a rep."""
    rep = await reps.get_rep(conn, name)
    rows = await changes.list_changes(conn, "rep", rep.id, after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/held-leads", dependencies=[scope("opportunities:read")])
async def list_held_leads(
    conn: Conn,
    page: PageArgs,
    state: Literal["waiting", "attached", "opened"] | None = None,
    account_id: UUID | None = None,
    rep: str | None = None,
) -> Page[HeldLeadView]:
    """Leads of customers with whom another rep has an open deal; `rep` is either of the two."""
    rows = await held_leads.list_held_leads(
        conn, state=state, account_id=account_id, rep=rep, after=page.after, limit=page.limit + 1
    )
    return page.of([HeldLeadView.of(row) for row in rows], key=lambda view: view.id)


@router.post("/held-leads/{held_id}/attach")
async def attach(held_id: UUID, tx: Tx, caller: Decider) -> HeldLeadView:
    """The lead belongs to the deal that is open."""
    return HeldLeadView.of(await opening.decide_held_lead(tx, held_id, caller.subject, owner=None))


@router.post("/held-leads/{held_id}/open")
async def open_after_all(held_id: UUID, body: Opening, tx: Tx, caller: Decider) -> HeldLeadView:
    """A deal of its own after all, with this owner."""
    return HeldLeadView.of(await opening.decide_held_lead(tx, held_id, caller.subject, owner=body.owner))
