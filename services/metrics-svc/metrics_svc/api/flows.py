"""Journeys: found by a number, and each with every event, service, time and trace."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.ids import drawn_at
from ltc_contracts.errors import NotFound
from pydantic import BaseModel

from metrics_svc.api.conservation import Disagreement, disagreements
from metrics_svc.domain.journey import STAGES
from metrics_svc.store import conservation, flows

router = make_router(prefix="/v1", tags=["metrics"])


class Reached(BaseModel):
    stage: str
    reached_at: datetime


class Step(BaseModel):
    """`queue_ms`: from the broker to us. `hop_ms`: from the causing event to this one. Both wall time."""

    event_id: UUID
    topic: str
    service: str
    subject: str
    number: str | None
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    causation_id: UUID | None
    trace_id: str | None
    queue_ms: float
    hop_ms: float | None


class FlowView(BaseModel):
    """`disagreements` make up the residual; none where it is 0.00."""

    flow_id: UUID
    stage: str | None
    stages: list[Reached]
    residual: str
    disagreements: list[Disagreement]
    journey: list[Step]


class FlowRow(BaseModel):
    flow_id: UUID
    stage: str
    began_at: datetime
    latest_at: datetime


@router.get("/flows", dependencies=[scope("flows:read")])
async def list_flows(
    conn: Conn, page: PageArgs, stage: str | None = None, q: Annotated[str | None, Query(max_length=100)] = None
) -> Page[FlowRow]:
    """Journeys; `q` finds them by a business number (order, invoice, quote) or any id."""
    if q:
        found = await flows.find_flows(conn, q.strip())
        rows = [row for flow in found for row in await flows.list_flows_view(conn, stage=stage, after=_before(flow), limit=1)]
    else:
        rows = await flows.list_flows_view(conn, stage=stage, after=page.after, limit=page.limit + 1)
    views = [
        FlowRow(flow_id=row["flow_id"], stage=_furthest(row["kinds"]), began_at=row["began_at"], latest_at=row["latest_at"])
        for row in rows
    ]
    return page.of(views, key=lambda view: view.flow_id)


@router.get("/flows/{flow_id}", dependencies=[scope("flows:read")])
async def get_flow(flow_id: UUID, conn: Conn, now: Now) -> FlowView:
    """One journey: every event with its service, times and trace, and the stages reached."""
    events = await flows.flow_events_view(conn, flow_id)
    if not events:
        raise NotFound(f"no flow {flow_id}")
    stages = [Reached(stage=row["kind"], reached_at=row["reached_at"]) for row in await flows.flow_stages_view(conn, flow_id)]
    residual = await conservation.flow_residual(conn, flow_id, now, now)
    wrong = await disagreements(conn, flow_id, now, now) if residual else []
    return FlowView(
        flow_id=flow_id,
        stage=_furthest([reached.stage for reached in stages]) if stages else None,
        stages=stages,
        residual=f"{residual:.2f}",
        disagreements=wrong,
        journey=[_step(row) for row in events],
    )


def _furthest(kinds: list[str]) -> str:
    reached = [stage for stage in STAGES if stage in kinds]
    return reached[-1] if reached else "lead"


def _before(flow_id: UUID) -> UUID:
    return UUID(int=flow_id.int - 1)


def _step(row: Any) -> Step:
    decided, caused = drawn_at(row["id"]), drawn_at(row["causation_id"]) if row["causation_id"] else None
    hop = (decided - caused).total_seconds() * 1000 if decided and caused else None
    return Step(
        event_id=row["id"],
        topic=row["topic"],
        service=row["source"].strip("/").removesuffix("-svc"),
        subject=row["subject"],
        number=row["number"],
        sequence=row["sequence"],
        occurred_at=row["occurred_at"],
        recorded_at=row["recorded_at"],
        causation_id=row["causation_id"],
        trace_id=row["trace_id"],
        queue_ms=max((row["ingested_at"] - row["published_at"]).total_seconds() * 1000, 0.0),
        hop_ms=hop,
    )
