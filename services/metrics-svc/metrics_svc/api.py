"""HTTP out: KPIs, flows, conservation."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.ids import drawn_at
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import NotFound
from ltc_contracts.money import minor_units, round_half_up
from pydantic import BaseModel

from metrics_svc import store
from metrics_svc.domain import STAGES
from metrics_svc.registry import DIMENSIONS, Kpi, registry

router = make_router(prefix="/v1", tags=["metrics"])
Dimension = Literal["channel", "source", "campaign", "owner", "team", "region", "product", "segment", "country"]
_DISAGREEMENTS = 20
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class KpiView(BaseModel):
    name: str
    version: int
    unit: str
    definition: str
    dimensions: list[str]


class KpiRow(BaseModel):
    """`key` is the dimension's value (`all` without one), `name` the part of the KPI; null where nothing was counted."""

    key: str
    name: str
    value: str | None


class KpiAnswer(BaseModel):
    name: str
    version: int
    unit: str
    definition: str
    window: tuple[datetime, datetime]
    as_of: datetime
    known_at: datetime
    by: str | None
    rows: list[KpiRow]


class KpiEvent(BaseModel):
    id: UUID
    topic: str
    flow_id: UUID | None
    subject: str
    kind: str
    occurred_at: datetime
    recorded_at: datetime
    net: Decimal | None
    gross: Decimal | None
    currency: str | None


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


class DisagreeingEvent(BaseModel):
    id: UUID
    topic: str
    subject: str


class Disagreement(BaseModel):
    """A part of a residual: `what` is wrong, by how much, and the events that say so (fifty at most)."""

    flow_id: UUID
    currency: str
    what: str
    amount: str
    events: list[DisagreeingEvent]


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


class ConservationRow(BaseModel):
    """What each step hands over, per currency. A step not taken yet is in transit; `residual` is disagreement.

    Net up to `invoiced`, with tax from `gross` on: gross = paid + credited + written_off + open, and `paid` is what still settles something;
    what had settled what was taken back since is `on_account`. What completed deliveries handed over is what was ordered less what
    was `short`, and with what went `beyond` it: replacements, and what is charged of more. `delivered` is without what was `returned`.
    """

    currency: str
    flows: int
    quoted: str
    contracted: str
    ordered: str
    delivered: str
    invoiced: str
    gross: str
    paid: str
    open: str
    cancelled: str
    returned: str
    credited: str
    written_off: str
    refunded: str
    on_account: str
    in_transit_to_order: str
    in_transit_to_delivery: str
    in_transit_to_invoice: str
    in_transit_to_credit: str
    short: str
    beyond: str
    residual: str


class CashRow(BaseModel):
    currency: str
    received: str
    refunded: str
    allocated: str
    unapplied: str


class ConservationView(BaseModel):
    as_of: datetime
    known_at: datetime
    currencies: list[ConservationRow]
    cash: list[CashRow]
    disagreements: list[Disagreement]


@router.get("/kpis", dependencies=[scope("kpis:read")])
async def list_kpis() -> list[KpiView]:
    """The registry: every KPI with its definition."""
    return [
        KpiView(name=kpi.name, version=kpi.version, unit=kpi.unit, definition=kpi.definition, dimensions=list(DIMENSIONS))
        for kpi in registry().values()
    ]


@router.get("/kpis/{name}", dependencies=[scope("kpis:read")])
async def get_kpi(
    name: str,
    conn: Conn,
    now: Now,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    as_of: Moment | None = None,
    known_at: Moment | None = None,
    by: Dimension | None = None,
) -> KpiAnswer:
    """A KPI for a window, as of a business time, as known at a recorded time, in total or by a dimension."""
    kpi = _kpi(name)
    window = (start or await store.first_occurred_at(conn) or _BEGINNING, end or as_of or now)
    moments = {"as_of": as_of or now, "known_at": known_at or now}
    rows = await store.kpi_view(conn, kpi.sql, start=window[0], end=window[1], by=by or "", **moments)
    return KpiAnswer(
        name=kpi.name,
        version=kpi.version,
        unit=kpi.unit,
        definition=kpi.definition,
        window=window,
        by=by,
        rows=[KpiRow(key=row["key"], name=row["name"], value=_value(kpi, row)) for row in rows],
        **moments,
    )


@router.get("/kpis/{name}/events", dependencies=[scope("kpis:read")])
async def list_kpi_events(
    name: str,
    conn: Conn,
    now: Now,
    page: PageArgs,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to")] = None,
    known_at: Moment | None = None,
) -> Page[KpiEvent]:
    """The events behind a number."""
    rows = await store.kpi_events_view(
        conn,
        _kpi(name).kinds,
        start=start or _BEGINNING,
        end=end or now,
        known_at=known_at or now,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([KpiEvent(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/flows", dependencies=[scope("flows:read")])
async def list_flows(
    conn: Conn, page: PageArgs, stage: str | None = None, q: Annotated[str | None, Query(max_length=100)] = None
) -> Page[FlowRow]:
    """Journeys; `q` finds them by a business number (order, invoice, quote) or any id."""
    if q:
        found = await store.find_flows(conn, q.strip())
        rows = [row for flow in found for row in await store.list_flows_view(conn, stage=stage, after=_before(flow), limit=1)]
    else:
        rows = await store.list_flows_view(conn, stage=stage, after=page.after, limit=page.limit + 1)
    views = [
        FlowRow(flow_id=row["flow_id"], stage=_furthest(row["kinds"]), began_at=row["began_at"], latest_at=row["latest_at"])
        for row in rows
    ]
    return page.of(views, key=lambda view: view.flow_id)


@router.get("/flows/{flow_id}", dependencies=[scope("flows:read")])
async def get_flow(flow_id: UUID, conn: Conn, now: Now) -> FlowView:
    """One journey: every event with its service, times and trace, and the stages reached."""
    events = await store.flow_events_view(conn, flow_id)
    if not events:
        raise NotFound(f"no flow {flow_id}")
    stages = [Reached(stage=row["kind"], reached_at=row["reached_at"]) for row in await store.flow_stages_view(conn, flow_id)]
    residual = await store.flow_residual(conn, flow_id, now, now)
    wrong = await _disagreements(conn, flow_id, now, now) if residual else []
    return FlowView(
        flow_id=flow_id,
        stage=_furthest([reached.stage for reached in stages]) if stages else None,
        stages=stages,
        residual=f"{residual:.2f}",
        disagreements=wrong,
        journey=[_step(row) for row in events],
    )


@router.get("/conservation", dependencies=[scope("kpis:read")])
async def get_conservation(conn: Conn, now: Now, as_of: Moment | None = None, known_at: Moment | None = None) -> ConservationView:
    """Quoted = ordered = delivered = invoiced = paid + credited + written off + open, over every flow; the residual must be 0.00.

    Where it is not, the twenty greatest disagreements are named with their events; `GET /v1/flows/{flow_id}` names those of one flow.
    """
    return await conservation(conn, as_of or now, known_at or now)


async def conservation(conn: Connection, as_of: datetime, known_at: datetime) -> ConservationView:
    """Also shown on the live page."""
    rows, wrong = [], False
    for row in await store.conservation_view(conn, as_of, known_at):
        wrong = wrong or bool(row["residual"])
        amounts = {name: _amount(row[name], row["currency"]) for name in dict(row) if name not in ("currency", "flows")}
        rows.append(ConservationRow(currency=row["currency"], flows=row["flows"], **amounts))
    cash = [
        CashRow(
            currency=row["currency"],
            received=_amount(row["received"], row["currency"]),
            refunded=_amount(row["refunded"], row["currency"]),
            allocated=_amount(row["allocated"], row["currency"]),
            unapplied=_amount(row["received"] - row["refunded"] - row["allocated"], row["currency"]),
        )
        for row in await store.cash_view(conn, as_of, known_at)
    ]
    disagreements = await _disagreements(conn, None, as_of, known_at) if wrong else []
    return ConservationView(as_of=as_of, known_at=known_at, currencies=rows, cash=cash, disagreements=disagreements)


async def _disagreements(conn: Connection, flow_id: UUID | None, as_of: datetime, known_at: datetime) -> list[Disagreement]:
    return [
        Disagreement.model_validate({**dict(row), "amount": _amount(row["amount"], row["currency"])})
        for row in await store.disagreements_view(conn, flow_id, as_of, known_at, _DISAGREEMENTS)
    ]


def _kpi(name: str) -> Kpi:
    found = registry().get(name)
    if found is None:
        raise NotFound(f"no KPI '{name}'; there are {', '.join(registry())}")
    return found


def _value(kpi: Kpi, row: Any) -> str | None:
    value = row["value"]
    if value is None:
        return None
    return _amount(value, row["name"]) if kpi.unit == "money" else str(value)


def _amount(value: Decimal, currency: str) -> str:
    return str(round_half_up(Decimal(value), minor_units(currency)))


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
