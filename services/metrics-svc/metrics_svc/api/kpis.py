"""KPIs: the registry, answers, and the events behind them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import NotFound
from pydantic import BaseModel

from metrics_svc.domain.kpi import DIMENSIONS, Kpi
from metrics_svc.domain.milestone import in_minor_units
from metrics_svc.store import facts, kpis
from metrics_svc.store.kpis import registry

router = make_router(prefix="/v1", tags=["metrics"])
Dimension = Literal["channel", "source", "campaign", "owner", "team", "region", "product", "segment", "country"]
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
    window = (start or await facts.first_occurred_at(conn) or _BEGINNING, end or as_of or now)
    moments = {"as_of": as_of or now, "known_at": known_at or now}
    rows = await kpis.kpi_view(conn, kpi.sql, start=window[0], end=window[1], by=by or "", **moments)
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
    rows = await kpis.kpi_events_view(
        conn,
        _kpi(name).kinds,
        start=start or _BEGINNING,
        end=end or now,
        known_at=known_at or now,
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([KpiEvent(**dict(row)) for row in rows], key=lambda view: view.id)


def _kpi(name: str) -> Kpi:
    found = registry().get(name)
    if found is None:
        raise NotFound(f"no KPI '{name}'; there are {', '.join(registry())}")
    return found


def _value(kpi: Kpi, row: Any) -> str | None:
    value = row["value"]
    if value is None:
        return None
    return in_minor_units(value, row["name"]) if kpi.unit == "money" else str(value)
