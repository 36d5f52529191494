"""HTTP in: a proposed scoring rule is tried over the past before it begins."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.events.model import Code, Country, Name
from pydantic import BaseModel, ConfigDict, Field

from lead_svc.api.scores import RuleBody
from lead_svc.domain.lead import Status
from lead_svc.domain.score import Band, Rule
from lead_svc.domain.what_if import Change, WhatIf
from lead_svc.handlers import what_if as handlers
from lead_svc.store import what_if as store

router = make_router(prefix="/v1/score-rules", tags=["scores"])


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Population(Body):
    """Which leads; all of them when nothing is said. `captured_until` is the first moment that is out; `when` is a condition."""

    captured_from: Moment | None = None
    captured_until: Moment | None = None
    status: Annotated[list[Status], Field(min_length=1, max_length=10)] | None = None
    channel: Code | None = None
    source: Name | None = None
    campaign: Name | None = None
    country: Country | None = None
    when: dict[str, Any] | None = None


class Proposal(Body):
    """The whole proposed rule; it is compared with the one in force at `as_of` (now, unless said)."""

    rule: RuleBody
    population: Population = Population()
    as_of: Moment | None = None


class RunView(BaseModel):
    """`matrix` counts leads by band before and after; `newly` would have qualified at some time until then and have not; `listed` of the
    leads for whom something changes have a line (100,000 at most). processed <= total, `matched` are of the population."""

    id: UUID
    state: Literal["waiting", "running", "done"]
    as_of: datetime
    base_version: str
    population: dict[str, Any]
    rule: dict[str, Any]
    total: int
    processed: int
    matched: int
    matrix: dict[str, dict[str, int]]
    changed_band: int
    newly: int
    no_longer: int
    listed: int
    created_by: str
    created_at: datetime
    finished_at: datetime | None

    @classmethod
    def of(cls, run: WhatIf) -> "RunView":
        given: dict[str, Any] = {name: getattr(run, name) for name in cls.model_fields if hasattr(run, name)}
        changed = sum(count for before, row in run.matrix.items() for after, count in row.items() if before != after)
        return cls(**{**given, "rule": dict(run.rule.body), "population": dict(run.population), "changed_band": changed})


class ChangeView(BaseModel):
    """`qualifies_at` is when the proposed rule would first have qualified the lead."""

    lead_id: UUID
    from_band: Band
    to_band: Band
    from_total: str
    to_total: str
    newly: bool
    no_longer: bool
    qualifies_at: datetime | None

    @classmethod
    def of(cls, change: Change) -> "ChangeView":
        totals = {"from_total": str(change.from_total), "to_total": str(change.to_total)}
        return cls(**{**{name: getattr(change, name) for name in cls.model_fields}, **totals})


@router.post("/what-if", status_code=202, dependencies=[scope("leads:configure")])
async def propose(body: Proposal, tx: Tx, caller: Annotated[Principal, scope("leads:configure")]) -> RunView:
    """Try a rule over past activities, without any effect. It runs in the background; ask for progress and result by the id."""
    population = body.population.model_dump(mode="json", exclude_none=True)
    rule = Rule("proposed", body.rule.kept())
    return RunView.of(await handlers.propose(tx, rule, population, body.as_of or tx.now, caller.subject))


@router.get("/what-if", dependencies=[scope("leads:read")])
async def list_runs(conn: Conn, page: PageArgs) -> Page[RunView]:
    """Runs of the last 90 days, the oldest first."""
    rows = await store.list_runs(conn, after=page.after, limit=page.limit + 1)
    return page.of([RunView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/what-if/{run_id}", dependencies=[scope("leads:read")])
async def get_run(run_id: UUID, conn: Conn) -> RunView:
    """How far a run is, and what it found so far."""
    return RunView.of(await store.get_run(conn, run_id))


@router.get("/what-if/{run_id}/leads", dependencies=[scope("leads:read")])
async def list_changes(
    run_id: UUID,
    conn: Conn,
    page: PageArgs,
    from_band: Annotated[Band | None, Query(alias="from")] = None,
    to_band: Annotated[Band | None, Query(alias="to")] = None,
    newly: bool | None = None,
) -> Page[ChangeView]:
    """The leads for whom something would change."""
    await store.get_run(conn, run_id)
    rows = await store.list_changes(
        conn, run_id, from_band=from_band, to_band=to_band, newly=newly, after=page.after, limit=page.limit + 1
    )
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.lead_id)
