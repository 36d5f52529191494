"""HTTP in: the approval policy, and approvals asked for, given and refused."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Code, Name, Text
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.quote_shapes import Percent, QuoteView
from sales_svc.api.shapes import Body, Exact, IfMatch, Version
from sales_svc.domain.approval import Level, Policy, Round, current
from sales_svc.handlers import approvals as handlers
from sales_svc.store import approvals, quotes

router = make_router(prefix="/v1", tags=["approvals"])
Configurer = Annotated[Principal, scope("approvals:configure")]
Writer = Annotated[Principal, scope("quotes:write")]
Approver = Annotated[Principal, scope("quotes:approve")]
Reader = Annotated[Principal, scope("quotes:read")]


class LevelBody(Body):
    """A role's authority; null is no limit. The first level is everybody's and names no approvers."""

    role: Code
    approvers: Annotated[list[Name], Field(default_factory=list, max_length=100)]
    max_discount_percent: Percent | None = None
    max_line_discount_percent: Percent | None = None
    min_margin_percent: Annotated[Exact, Field(ge=-1000, le=100, decimal_places=2)] | None = None
    max_amounts: Annotated[list[Money], Field(default_factory=list, max_length=200)]


class PolicyBody(Body):
    """The levels ascend. None: nothing needs approval."""

    levels: Annotated[list[LevelBody], Field(max_length=20)]
    version: Version | None = None


class PolicyView(BaseModel):
    version: int
    levels: list[LevelBody]

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        return cls(version=policy.version, levels=[LevelBody(**level.model_dump()) for level in policy.levels])


class PolicyVersion(PolicyView):
    set_by: str
    set_at: datetime


class StepView(BaseModel):
    """`reasons`: why the level below does not suffice."""

    position: int
    role: str
    approvers: list[str]
    reasons: list[str]
    state: str
    decided_by: str | None
    decided_at: datetime | None
    comment: str | None


class RoundView(BaseModel):
    """One request; `waits_for` is the position of the step that is next, null when none is."""

    round: int
    policy_version: int
    requested_by: str
    requested_at: datetime
    net: Money
    discount_percent: Exact
    line_discount_percent: Exact
    margin_percent: Exact | None
    waits_for: int | None
    steps: list[StepView]

    @classmethod
    def of(cls, found: Round) -> "RoundView":
        waiting = current(found)
        figures = ("net", "discount_percent", "line_discount_percent", "margin_percent")
        return cls(
            **{name: getattr(found, name) for name in ("round", "policy_version", "requested_by", "requested_at")},
            **{name: getattr(found.figures, name) for name in figures},
            waits_for=waiting.position if waiting else None,
            steps=[StepView(**{name: getattr(step, name) for name in StepView.model_fields}) for step in found.steps],
        )


class NeedView(BaseModel):
    """A role that has to approve, with why."""

    role: str
    approvers: list[str]
    reasons: list[str]


class ApprovalView(BaseModel):
    """`needed` is what sending this version as it is would take by the present policy."""

    state: str
    needed: list[NeedView]
    rounds: list[RoundView]


class WaitingView(BaseModel):
    """An offer that waits for the caller."""

    quote_id: UUID
    opportunity_id: UUID
    number: str
    net: Money
    role: str
    reasons: list[str]
    requested_by: str
    requested_at: datetime


class Comment(Body):
    comment: Text | None = None


class Reason(Body):
    reason: Annotated[str, Field(min_length=1, max_length=2000)]


@router.get("/approval-policy", dependencies=[scope("quotes:read")])
async def get_policy(conn: Conn, version: Annotated[int | None, Query(ge=1, le=2_000_000_000)] = None) -> PolicyView:
    """Who may offer what; version 0 where the company has no policy."""
    return PolicyView.of(await approvals.get_policy(conn, version))


@router.put("/approval-policy", dependencies=[scope("approvals:configure")])
async def set_policy(body: PolicyBody, tx: Tx, caller: Configurer, if_match: IfMatch) -> PolicyView:
    """A new version; offers that were approved stay so."""
    levels = [Level(**{**level.model_dump(), "max_amounts": tuple(level.max_amounts)}) for level in body.levels]
    expected = body.version if body.version is not None else if_match
    return PolicyView.of(await handlers.set_policy(tx, levels, by=caller.subject, expected=expected))


@router.get("/approval-policy/versions", dependencies=[scope("quotes:read")])
async def list_policies(
    conn: Conn, before: Annotated[int | None, Query(ge=1, lt=2**31)] = None, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> list[PolicyVersion]:
    """Versions, the latest first, with who set them and when."""
    rows = await approvals.list_policies(conn, before=before, limit=limit)
    return [PolicyVersion(**dict(row)) for row in rows]


@router.get("/approvals", dependencies=[scope("quotes:read")])
async def list_waiting(conn: Conn, page: PageArgs, caller: Reader) -> Page[WaitingView]:
    """Offers that wait for the caller's approval."""
    rows: Sequence[Any] = await approvals.list_waiting(conn, caller.subject, after=page.after, limit=page.limit + 1)
    shown = [WaitingView(**{**dict(row), "net": Money.of(row["net"], row["currency"])}) for row in rows]
    return page.of(shown, key=lambda view: view.quote_id)


@router.get("/quotes/{quote_id}/approval", dependencies=[scope("quotes:read")])
async def get_approval(quote_id: UUID, conn: Conn, caller: Reader) -> ApprovalView:
    """What approval this version needs and why, and what was asked and decided so far."""
    quote = await quotes.get_quote(conn, quote_id)
    needed = await handlers.needed_for(conn, quote, caller.subject) if quote.state in ("draft", "pending_approval") else []
    rounds = await approvals.list_rounds(conn, quote_id)
    return ApprovalView(
        state=quote.state,
        needed=[NeedView(role=level.role, approvers=list(level.approvers), reasons=reasons) for level, reasons in needed],
        rounds=[RoundView.of(each) for each in rounds],
    )


@router.post("/quotes/{quote_id}/approval", dependencies=[scope("quotes:write")])
async def request_approval(quote_id: UUID, tx: Tx, caller: Writer) -> RoundView:
    """Ask for approval of the draft as it is."""
    _, made = await handlers.request_approval(tx, quote_id, by=caller.subject)
    return RoundView.of(made)


@router.post("/quotes/{quote_id}/approval/approve", dependencies=[scope("quotes:approve")])
async def approve(quote_id: UUID, tx: Tx, caller: Approver, body: Comment | None = None) -> QuoteView:
    """Approve the step that waits for the caller; nobody approves their own."""
    comment = body.comment if body else None
    return QuoteView.of(await handlers.decide(tx, quote_id, "approve", by=caller.subject, comment=comment))


@router.post("/quotes/{quote_id}/approval/disapprove", dependencies=[scope("quotes:approve")])
async def disapprove(quote_id: UUID, body: Reason, tx: Tx, caller: Approver) -> QuoteView:
    """Send the offer back to its author, with the reason."""
    return QuoteView.of(await handlers.decide(tx, quote_id, "disapprove", by=caller.subject, comment=body.reason))
