"""HTTP in: leads that are not pursued, for good or for now, the reasons for it, and what became of a lead."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import NotFound
from ltc_contracts.events.model import Code, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, model_validator

from lead_svc.api.leads import LeadView, get_lead
from lead_svc.domain.disqualification import Kind, Reason, folded
from lead_svc.handlers import disqualification as handlers
from lead_svc.store import disqualification as store
from lead_svc.store import feedback, leads, outcomes

router = make_router(prefix="/v1", tags=["disqualification"])
Text = Annotated[str, Field(min_length=1, max_length=2000, pattern=r"\S")]
WaitDays = Annotated[int, Field(ge=0, le=3650)]
SalesReasons = Annotated[list[Name], Field(max_length=50)]
Writer = Annotated[Principal, scope("leads:write")]
Keeper = Annotated[Principal, scope("leads:configure")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Decision(Body):
    """`code` is of the list of reasons, `reason` in a person's words; one of them at least."""

    code: Code | None = None
    reason: Text | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.code is None and self.reason is None:
            raise ValueError("a code of the list or a reason in words is needed")
        return self


class Recycling(Body):
    """`code` is a reason of kind recycle; `wait_days` is its own unless another is named."""

    code: Code = "not_now"
    reason: Text | None = None
    wait_days: WaitDays | None = None


class NewReason(Body):
    """`wait_days` is of kind recycle; so are `sales_reasons`, the reasons of a lost opportunity that send its lead back."""

    code: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    kind: Kind
    label: Name
    wait_days: WaitDays | None = None
    sales_reasons: SalesReasons = []


class ReasonChange(Body):
    """What is left out stays; `version` is the one that was read."""

    version: Annotated[int, Field(ge=1)]
    label: Name | None = None
    wait_days: WaitDays | None = None
    sales_reasons: SalesReasons | None = None
    active: bool | None = None


class ReasonView(BaseModel):
    code: str
    kind: Kind
    label: str
    wait_days: int | None
    sales_reasons: list[str]
    active: bool
    version: int

    @classmethod
    def of(cls, reason: Reason) -> "ReasonView":
        return cls(**asdict(reason))


class VersionView(BaseModel):
    version: int
    body: dict[str, Any]
    changed_by: str
    changed_at: datetime


class ReasonHistoryView(BaseModel):
    reason: ReasonView
    versions: list[VersionView]


class OpportunityView(BaseModel):
    opportunity_id: UUID
    state: Literal["open", "won", "lost"]
    reason: str | None
    opened_at: datetime
    closed_at: datetime | None


class DisqualificationView(BaseModel):
    """`returns_at` is when a recycled lead is nurtured again; `ended_at` when it was, or when sales took it up after all."""

    code: str
    kind: Kind
    reason: str
    from_status: str
    opportunity_id: UUID | None
    decided_by: str
    decided_at: datetime
    returns_at: datetime | None
    ended_at: datetime | None


class OutcomeView(BaseModel):
    """How far the lead got and when, first; `lost_at` is empty while it may still be won. `collected` is cash net of refunds.

    At most 200 of each list: opportunities the oldest first, decisions the newest first.
    """

    lead_id: UUID
    status: str
    qualified_at: datetime | None = None
    converted_at: datetime | None = None
    won_at: datetime | None = None
    lost_at: datetime | None = None
    collected: list[Money]
    opportunities: list[OpportunityView]
    disqualifications: list[DisqualificationView]


@router.post("/leads/{lead_id}/disqualify", dependencies=[scope("leads:write")])
async def disqualify(lead_id: UUID, body: Decision, tx: Tx, caller: Writer) -> LeadView:
    """The lead is not pursued, with the reason; one of kind recycle brings it back after its wait, junk says that it never was one."""
    await handlers.disqualify(tx, lead_id, body.code, body.reason, caller.subject)
    return await get_lead(lead_id, tx.conn, tx.now)


@router.post("/leads/{lead_id}/recycle", dependencies=[scope("leads:write")])
async def recycle(lead_id: UUID, tx: Tx, caller: Writer, body: Recycling | None = None) -> LeadView:
    """Sales rejects the lead for now, or it was given up too early: after a wait it is nurtured again, on the same flow."""
    wanted = body or Recycling()
    await handlers.recycle(tx, lead_id, wanted.code, wanted.reason, wanted.wait_days, caller.subject)
    return await get_lead(lead_id, tx.conn, tx.now)


@router.get("/leads/{lead_id}/outcome", dependencies=[scope("leads:read")])
async def get_outcome(lead_id: UUID, conn: Conn) -> OutcomeView:
    """What became of a lead: qualified, converted, won or lost, its opportunities, and each time that it was not pursued."""
    lead = await leads.get_lead(conn, lead_id)
    return OutcomeView(
        lead_id=lead_id,
        status=lead.status,
        **dict(await outcomes.find_outcome(conn, lead_id) or {}),
        collected=await feedback.collected_of(conn, lead_id),
        opportunities=[OpportunityView(**dict(row)) for row in await outcomes.list_opportunities(conn, lead_id)],
        disqualifications=[
            DisqualificationView(**{name: getattr(row, name) for name in DisqualificationView.model_fields})
            for row in await store.list_disqualifications(conn, lead_id)
        ],
    )


class CountView(BaseModel):
    """`value` is null for leads without one."""

    value: str | None
    leads: int
    qualified: int
    converted: int
    won: int
    lost: int


@router.get("/outcomes", dependencies=[scope("leads:read")])
async def count_outcomes(conn: Conn, by: Literal["source", "channel", "campaign", "country"] = "source") -> list[CountView]:
    """How many leads came and what became of them, by source or otherwise; the 200 largest."""
    return [CountView(**dict(row)) for row in await outcomes.count_by(conn, by)]


@router.get("/disqualification-reasons", dependencies=[scope("leads:read")])
async def list_reasons(conn: Conn) -> list[ReasonView]:
    """The list to choose from, archived ones too."""
    return [ReasonView.of(reason) for reason in await store.list_reasons(conn)]


@router.get("/disqualification-reasons/{code}", dependencies=[scope("leads:read")])
async def get_reason(code: str, conn: Conn) -> ReasonHistoryView:
    """One reason with its versions, the newest first."""
    reason = await store.find_reason(conn, code)
    if reason is None:
        raise NotFound(f"no reason '{code}'")
    versions = [VersionView(**dict(row)) for row in await store.list_versions(conn, code)]
    return ReasonHistoryView(reason=ReasonView.of(reason), versions=versions)


@router.post("/disqualification-reasons", status_code=201, dependencies=[scope("leads:configure")])
async def add_reason(body: NewReason, tx: Tx, caller: Keeper) -> ReasonView:
    """One more reason to choose from."""
    reason = Reason(body.code, body.kind, body.label, body.wait_days, folded(body.sales_reasons), True, 1)
    return ReasonView.of(await handlers.add_reason(tx, reason, caller.subject))


@router.patch("/disqualification-reasons/{code}", dependencies=[scope("leads:configure")])
async def change_reason(code: str, body: ReasonChange, tx: Tx, caller: Keeper) -> ReasonView:
    """Word it otherwise, let it wait longer, archive it; what was decided by it stays as it was."""
    change: dict[str, Any] = body.model_dump(exclude={"version"}, exclude_none=True)
    if body.sales_reasons is not None:
        change["sales_reasons"] = folded(body.sales_reasons)
    return ReasonView.of(await handlers.change_reason(tx, code, body.version, change, caller.subject))
