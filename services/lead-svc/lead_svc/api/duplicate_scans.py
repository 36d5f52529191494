"""HTTP in: scans of all leads for duplicates."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.duplicate_scan import Member, Scan
from lead_svc.handlers import duplicate_scans as handlers
from lead_svc.store import duplicate_scans as store

router = make_router(prefix="/v1/duplicate-scans", tags=["duplicates"])
_MEMBERS = 100
Kinds = Annotated[list[Literal["email", "phone", "domain", "name"]], Field(min_length=1, max_length=4)]


class NewScan(BaseModel):
    """What leads are compared by; `likeness` is the share of trigrams that alike names have."""

    model_config = ConfigDict(extra="forbid")
    kinds: Kinds = ["email", "phone", "domain", "name"]
    likeness: Annotated[Decimal, Field(ge=Decimal("0.7"), le=1, decimal_places=2)] = Decimal("0.7")


class ScanView(BaseModel):
    """`state` is running, done or cancelled; `total` and `processed` count keys of leads."""

    id: UUID
    kinds: list[str]
    likeness: str
    state: str
    total: int
    processed: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, scan: Scan) -> "ScanView":
        same = {name: getattr(scan, name) for name in cls.model_fields if name not in ("kinds", "likeness")}
        return cls(**same, kinds=list(scan.kinds), likeness=str(scan.likeness))


class MemberView(BaseModel):
    """A lead, why it is in the group, and how sure that is: 1 for the same address, 0.9 the same phone, 0.5 the same domain only."""

    lead_id: UUID
    matched_on: list[str]
    likeness: str

    @classmethod
    def of(cls, member: Member) -> "MemberView":
        return cls(lead_id=member.lead_id, matched_on=sorted(member.matched_on), likeness=str(member.likeness))


class GroupView(BaseModel):
    """Leads that may be one, the surest 100 of `size`; `likeness` is that of the least sure one."""

    id: UUID
    size: int
    likeness: str
    matched_on: list[str]
    leads: list[MemberView]


@router.post("", status_code=202, dependencies=[scope("leads:merge")])
async def start_scan(body: NewScan, tx: Tx, caller: Annotated[Principal, scope("leads:merge")]) -> ScanView:
    """Look for duplicates among all leads, in the background; one scan at a time."""
    return ScanView.of(await handlers.start(tx, body.kinds, body.likeness, caller.subject))


@router.get("", dependencies=[scope("leads:read")])
async def list_scans(conn: Conn, page: PageArgs) -> Page[ScanView]:
    """Scans in the order in which they began."""
    rows = await store.list_scans(conn, after=page.after, limit=page.limit + 1)
    return page.of([ScanView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/{scan_id}", dependencies=[scope("leads:read")])
async def get_scan(scan_id: UUID, conn: Conn) -> ScanView:
    """How far a scan is."""
    return ScanView.of(await store.get_scan(conn, scan_id))


@router.post("/{scan_id}/cancel", dependencies=[scope("leads:merge")])
async def cancel_scan(scan_id: UUID, tx: Tx) -> ScanView:
    """Stop it; what it found so far can be read."""
    return ScanView.of(await handlers.cancel(tx, scan_id))


@router.get("/{scan_id}/groups", dependencies=[scope("leads:read")])
async def list_groups(scan_id: UUID, conn: Conn, page: PageArgs) -> Page[GroupView]:
    """What was found so far; leads that were merged since are left out."""
    await store.get_scan(conn, scan_id)
    rows = await store.list_groups(conn, scan_id, after=page.after, limit=page.limit + 1)
    members = await store.members_of(conn, scan_id, [row["id"] for row in rows], _MEMBERS)
    views = [
        GroupView(
            id=row["id"],
            size=row["size"],
            likeness=str(row["likeness"]),
            matched_on=sorted({kind for member in members[row["id"]] for kind in member.matched_on}),
            leads=[MemberView.of(member) for member in members[row["id"]]],
        )
        for row in rows
    ]
    return page.of(views, key=lambda view: view.id)
