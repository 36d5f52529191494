"""HTTP in: duplicates of a lead, the policy for them at capture, merging and its undo."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Code
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.duplicates import DuplicatePolicy
from lead_svc.domain.merge import Field as LeadField
from lead_svc.handlers import duplicates as handlers
from lead_svc.handlers import merge as merging
from lead_svc.handlers.merge import Done
from lead_svc.store import duplicates, leads, merge

router = make_router(prefix="/v1", tags=["duplicates"])
MOST = 200
_NEVER_REFUSES = Literal["allow", "link"]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DuplicateView(BaseModel):
    """Another lead of the same person or company, and by what it is recognised: email, phone, domain, name."""

    lead_id: UUID
    matched_on: list[str]


class DuplicatesView(BaseModel):
    """`more`: there are others beyond the first 200."""

    items: list[DuplicateView]
    total: int
    more: bool


class NewDuplicatePolicy(Body):
    """What happens to a new lead that shares one of these with a known one; `likeness` is the share of trigrams that alike names have."""

    version: Code
    valid_from: Moment
    email: Literal["allow", "link", "refuse", "merge"]
    phone: Literal["allow", "link", "refuse"]
    domain: _NEVER_REFUSES
    name: _NEVER_REFUSES
    likeness: Annotated[Decimal, Field(ge=Decimal("0.7"), le=1, decimal_places=2)] = Decimal("0.7")


class DuplicatePolicyView(NewDuplicatePolicy):
    created_by: str
    created_at: datetime


class MergeRequest(Body):
    """`into` survives. It keeps what it knows and takes what it lacks; of the fields in `take` it takes what the merged lead knows."""

    into: UUID
    take: Annotated[list[LeadField], Field(max_length=20)] = []


class MergeView(BaseModel):
    """`merged_id` is part of `survivor_id`, unless the merge was undone."""

    id: UUID
    survivor_id: UUID
    merged_id: UUID
    merged_by: str
    merged_at: datetime
    undone_by: str | None
    undone_at: datetime | None


class LeadState(BaseModel):
    id: UUID
    flow_id: UUID
    status: str
    owner: str | None
    merged_into: UUID | None
    version: int


class DoneView(BaseModel):
    """Both leads as they are now."""

    id: UUID
    survivor: LeadState
    merged: LeadState

    @classmethod
    def of(cls, done: Done) -> "DoneView":
        survivor, merged = (
            LeadState(**{name: getattr(lead, name) for name in LeadState.model_fields}) for lead in (done.survivor, done.merged)
        )
        return cls(id=done.id, survivor=survivor, merged=merged)


@router.get("/leads/{lead_id}/duplicates", dependencies=[scope("leads:read")])
async def list_duplicates(lead_id: UUID, conn: Conn, now: Now) -> DuplicatesView:
    """Leads that are the same person or company, by e-mail, phone, domain or nearly the same name; the first 200."""
    await leads.get_lead(conn, lead_id)
    return await find_duplicates(conn, lead_id, now)


async def find_duplicates(conn: Conn, lead_id: UUID, now: datetime) -> DuplicatesView:
    """For callers who may read leads."""
    policy = await duplicates.get_policy(conn, now)
    found = await duplicates.duplicates_of(conn, lead_id, likeness=float(policy.likeness), per_key=MOST + 2)
    items = [DuplicateView(lead_id=other, matched_on=kinds) for other, kinds in list(found.items())[:MOST]]
    return DuplicatesView(items=items, total=len(found), more=len(found) > MOST)


@router.get("/duplicate-policies", dependencies=[scope("leads:read")])
async def list_policies(conn: Conn) -> list[DuplicatePolicyView]:
    """Every version of the policy, the latest to begin first."""
    return [DuplicatePolicyView(**dict(row)) for row in await duplicates.list_policies(conn)]


@router.post("/duplicate-policies", status_code=201, dependencies=[scope("leads:configure")])
async def add_policy(
    body: NewDuplicatePolicy, tx: Tx, caller: Annotated[Principal, scope("leads:configure")]
) -> DuplicatePolicyView:
    """A new version of the policy from a moment on."""
    await handlers.add_policy(tx, DuplicatePolicy(**body.model_dump(exclude={"valid_from"})), body.valid_from, caller.subject)
    return DuplicatePolicyView(**body.model_dump(), created_by=caller.subject, created_at=tx.now)


@router.post("/leads/{lead_id}/merge", dependencies=[scope("leads:merge")])
async def merge_lead(lead_id: UUID, body: MergeRequest, tx: Tx, caller: Annotated[Principal, scope("leads:merge")]) -> DoneView:
    """The lead becomes part of another one, with its touches, activities, leases, tasks and deals. It can be undone for a day."""
    return DoneView.of(await merging.merge_leads(tx, lead_id, body.into, body.take, caller.subject))


@router.get("/merges", dependencies=[scope("leads:read")])
async def list_merges(conn: Conn, page: PageArgs, lead_id: UUID | None = None) -> Page[MergeView]:
    """Merges, of one lead on either side if it is given, in the order in which they were done."""
    rows = await merge.list_merges(conn, lead_id=lead_id, after=page.after, limit=page.limit + 1)
    return page.of([MergeView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.post("/merges/{merge_id}/undo", dependencies=[scope("leads:merge")])
async def undo_merge(merge_id: UUID, tx: Tx, caller: Annotated[Principal, scope("leads:merge")]) -> DoneView:
    """Both leads are as they were, within 24 hours and unless something that came later prevents it; the answer says what."""
    return DoneView.of(await merging.undo(tx, merge_id, caller.subject))
