"""HTTP in: the public pool, and the protection of a rep's work."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.api.leads import LeadView, views
from lead_svc.domain.protection import Lease, Policy
from lead_svc.handlers import assignment
from lead_svc.handlers import protection as handlers
from lead_svc.store import leads, protection

router = make_router(prefix="/v1", tags=["protection"])
_ASSIGN = "leads:assign"
Days = Annotated[int, Field(ge=0, le=3650)]
Caller = Annotated[Principal, scope("leads:claim")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Claim(Body):
    """`rep` is the caller unless another one is named, which needs the scope leads:assign."""

    rep: Name | None = None


class NewPolicy(Body):
    """`qualifying` are the activities that extend; days are of 24 hours."""

    version: Code
    valid_from: Moment
    protection_days: Annotated[int, Field(ge=1, le=3650)]
    extension_days: Days
    limit_days: Annotated[int, Field(ge=1, le=3650)]
    cooling_off_days: Days
    max_held: Annotated[int, Field(ge=1, le=1_000_000)]
    qualifying: Annotated[list[Code], Field(max_length=100)]


class PolicyView(NewPolicy):
    created_by: str
    created_at: datetime


class LeaseView(BaseModel):
    """`until` moves with activity, never beyond `limit_at`; `ended_by` is expired, released, qualified or disqualified."""

    id: UUID
    lead_id: UUID
    owner: str
    policy: str
    claimed_at: datetime
    until: datetime
    limit_at: datetime
    ended_at: datetime | None
    ended_by: str | None

    @classmethod
    def of(cls, lease: Lease) -> "LeaseView":
        return cls(**{name: getattr(lease, name) for name in cls.model_fields})


class ProtectionView(BaseModel):
    """`current` protects at this moment; `history` is every lease that touched the lead, newest first, at most 200."""

    current: LeaseView | None
    history: list[LeaseView]


@router.post("/leads/{lead_id}/claim", status_code=201, dependencies=[scope("leads:claim")])
async def claim(lead_id: UUID, tx: Tx, caller: Caller, body: Claim | None = None) -> LeaseView:
    """Take a lead from the pool: it and its duplicates are protected for a while. Of two at once, one wins."""
    rep = body.rep if body and body.rep else caller.subject
    if rep != caller.subject:
        caller.require(_ASSIGN)
        return LeaseView.of(await assignment.give(tx, lead_id, rep, caller.subject))
    return LeaseView.of((await handlers.claim(tx, lead_id, rep)).lease)


@router.post("/leads/{lead_id}/release", dependencies=[scope("leads:claim")])
async def release(lead_id: UUID, tx: Tx, caller: Caller) -> LeaseView:
    """Hand a lead back to the pool before its time."""
    for_others = bool(caller.scopes & {_ASSIGN, "*"})
    return LeaseView.of(await handlers.hand_back(tx, lead_id, caller.subject, for_others=for_others))


@router.get("/leads/{lead_id}/protection", dependencies=[scope("leads:read")])
async def get_protection(lead_id: UUID, conn: Conn, now: Now) -> ProtectionView:
    """Who works on a lead, and who did: everybody sees it, so that nobody follows up twice."""
    await leads.get_lead(conn, lead_id)
    found = await protection.list_leases(conn, lead_id)
    current = [lease for lease in found if lease.ended_at is None and not lease.is_due(now)]
    return ProtectionView(current=LeaseView.of(current[0]) if current else None, history=[LeaseView.of(lease) for lease in found])


@router.get("/leases", dependencies=[scope("leads:read")])
async def list_leases(owner: Annotated[str, Field(max_length=200)], conn: Conn, page: PageArgs) -> Page[LeaseView]:
    """What a rep holds."""
    rows = await protection.list_leases_of(conn, owner, after=page.after, limit=page.limit + 1)
    return page.of([LeaseView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/pool", dependencies=[scope("leads:read")])
async def list_pool(conn: Conn, now: Now, page: PageArgs) -> Page[LeadView]:
    """Open leads that nobody holds, in the order of capture."""
    rows = await protection.list_pool(conn, now=now, after=page.after, limit=page.limit + 1)
    return page.of(await views(conn, rows, now), key=lambda view: view.id)


@router.get("/protection-policies", dependencies=[scope("leads:read")])
async def list_policies(conn: Conn) -> list[PolicyView]:
    """Every version of the rule, the latest to begin first."""
    return [PolicyView(**dict(row)) for row in await protection.list_policies(conn)]


@router.post("/protection-policies", status_code=201, dependencies=[scope("leads:configure")])
async def add_policy(body: NewPolicy, tx: Tx, caller: Annotated[Principal, scope("leads:configure")]) -> PolicyView:
    """A new version of the rule from a moment on; leases that run keep the one they began under."""
    policy = Policy(**body.model_dump(exclude={"valid_from"}))
    await handlers.add_policy(tx, policy, body.valid_from, caller.subject)
    return PolicyView(**body.model_dump(), created_by=caller.subject, created_at=tx.now)
