"""HTTP in: policies of the first response, the clocks of leads, and how well they are kept."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events.model import Code, Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.domain.first_response import Policy, Step
from lead_svc.handlers import follow_up as handlers
from lead_svc.store import leads
from lead_svc.store import response as store

router = make_router(prefix="/v1", tags=["first response"])
Admin = Annotated[Principal, scope("leads:configure")]
Minutes = Annotated[int, Field(ge=0, le=525_600, description="of business hours")]
_LONGEST = timedelta(days=400)


class StepBody(BaseModel):
    """So long after the target: whom to tell (rep, the lead of his team, or a queue; nobody's leads go to the queue), by mail or not;
    `to_pool` takes the lead back to the public pool."""

    model_config = ConfigDict(extra="forbid")

    after_minutes: Minutes = 0
    to: Literal["rep", "team", "queue"] | None = None
    queue: Name | None = None
    mail: bool = True
    to_pool: bool = False


class PolicyBody(BaseModel):
    """The smaller `priority` is asked first. `condition` is over fields of a lead, band, segments, status, owner."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    condition: dict[str, Any]
    target_minutes: Annotated[int, Field(ge=1, le=525_600, description="of business hours")]
    warn_percent: Annotated[int, Field(ge=1, le=99, description="of the target, when the owner is warned")] | None = None
    calendar: Annotated[dict[str, Any], Field(max_length=10)]
    steps: Annotated[list[StepBody], Field(max_length=10)] = []
    on_return: bool = False
    active: bool = True


class PolicyChange(PolicyBody):
    version: Annotated[int, Field(ge=1, description="the version that was read; none for a new one")] | None = None


class PolicyView(PolicyBody):
    code: str
    version: int

    @classmethod
    def of(cls, policy: Policy) -> "PolicyView":
        same = {name: getattr(policy, name) for name in cls.model_fields if name != "steps"}
        return cls(**same, steps=[StepBody(**_step(step)) for step in policy.steps])


class PolicyVersionView(PolicyView):
    created_by: str
    created_at: datetime


class NoticeView(BaseModel):
    """What was told: level 0 is the warning, 1 the target, more are the further steps. `mailed` is false where no address is known."""

    level: int
    due_at: datetime
    told_at: datetime
    escalate_to: str | None
    owner: str | None
    mailed: bool
    to_pool: bool


class ClockView(BaseModel):
    """One wait for a first response."""

    id: UUID
    policy: str
    policy_version: int
    why: str
    state: str
    started_at: datetime
    due_at: datetime
    breached: bool
    responded_at: datetime | None
    responded_by: str | None
    activity: str | None
    business_minutes: int | None
    within_target: bool | None
    dropped_by: str | None
    notices: list[NoticeView]


class BreachView(BaseModel):
    """A lead that nobody got back to in time; `trouble` is what keeps it from being escalated, if anything does."""

    id: UUID
    lead_id: UUID
    policy: str
    policy_version: int
    started_at: datetime
    due_at: datetime
    owner: str | None
    team: str | None
    trouble: str | None


class ReportLine(BaseModel):
    """`within_target_share` is of those that were responded to or are late by now; minutes are of business hours."""

    key: str | None
    started: int
    responded: int
    within_target: int
    within_target_share: str | None
    breaches_open: int
    median_minutes: str | None
    p90_minutes: str | None


class ReportView(BaseModel):
    since: datetime
    until: datetime
    by: str
    lines: list[ReportLine]


@router.put("/sla-policies/{code}")
async def put_policy(code: Code, body: PolicyChange, tx: Tx, caller: Admin) -> PolicyView:
    """Enter a policy or its next version; clocks that run keep the version that they started under."""
    given = body.model_dump(exclude={"version", "steps"})
    policy = Policy(code=code, version=0, steps=tuple(Step(**step.model_dump()) for step in body.steps), **given)
    return PolicyView.of(await handlers.put_policy(tx, policy, caller.subject, expected=body.version))


@router.get("/sla-policies", dependencies=[scope("leads:read")])
async def list_policies(conn: Conn) -> list[PolicyView]:
    """As they are now, in the order in which they are asked; at most 200."""
    return [PolicyView.of(policy) for policy in await store.list_policies(conn)]


@router.get("/sla-policies/{code}/versions", dependencies=[scope("leads:read")])
async def list_policy_versions(code: Code, conn: Conn) -> list[PolicyVersionView]:
    """Every version with who wrote it, the newest first; at most 200."""
    found = await store.list_versions(conn, code)
    if not found:
        raise NotFound(f"no policy '{code}'")
    return [PolicyVersionView(**dict(row)) for row in found]


@router.get("/leads/{lead_id}/first-response", dependencies=[scope("leads:read")])
async def get_first_response(lead_id: UUID, conn: Conn, now: Now) -> list[ClockView]:
    """The lead's waits for a first response, the oldest first, with what was told of each; at most 200."""
    lead = await leads.get_lead(conn, lead_id)
    clocks = await store.list_clocks(conn, [lead.merged_into or lead.id])
    notices: dict[UUID, list[NoticeView]] = {clock.id: [] for clock in clocks}
    for row in await store.list_notices(conn, list(notices)):
        told = dict(row)
        notices[told.pop("clock_id")].append(NoticeView(**told))
    made = {"breached", "notices"}
    return [
        ClockView(
            **{name: getattr(clock, name) for name in ClockView.model_fields if name not in made},
            breached=clock.within_target is False or (clock.state == "running" and clock.due_at <= now),
            notices=notices[clock.id],
        )
        for clock in clocks
    ]


@router.get("/sla-breaches", dependencies=[scope("leads:read")])
async def list_breaches(conn: Conn, now: Now, page: PageArgs) -> Page[BreachView]:
    """Leads that nobody has got back to and should have, in the order in which they began to wait."""
    rows = await store.list_breached(conn, now, after=page.after, limit=page.limit + 1)
    return page.of([BreachView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/sla-report", dependencies=[scope("leads:read")])
async def report(
    conn: Conn,
    now: Now,
    since: Annotated[Moment | None, Query(description="30 days before `until` unless given")] = None,
    until: Annotated[Moment | None, Query(description="now unless given")] = None,
    by: Literal["rep", "team", "policy", "all"] = "all",
) -> ReportView:
    """How soon leads that came in the period were responded to: the share in time, median and 90th percentile; at most 1000 lines."""
    until = until or now
    since = since or until - timedelta(days=30)
    if not since < until <= since + _LONGEST:
        raise Invalid(f"a period of at most {_LONGEST.days} days", field="since")
    rows = await store.report(conn, since=since, until=until, by=by, now=now)
    return ReportView(since=since, until=until, by=by, lines=[_line(row) for row in rows])


def _line(row: Any) -> ReportLine:
    share = None if not row["judged"] else f"{Decimal(row['within']) / Decimal(row['judged']):.4f}"
    return ReportLine(
        key=row["key"],
        started=row["started"],
        responded=row["responded"],
        within_target=row["within"],
        within_target_share=share,
        breaches_open=row["breaches_open"],
        median_minutes=None if row["median"] is None else f"{row['median']:.1f}",
        p90_minutes=None if row["p90"] is None else f"{row['p90']:.1f}",
    )


def _step(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in StepBody.model_fields}
