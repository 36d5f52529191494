"""KPIs: the registry, answers, and the events behind them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Depends, Query
from fastapi.exceptions import RequestValidationError
from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import NotFound
from pydantic import BaseModel

from metrics_svc.domain.kpi import Kpi
from metrics_svc.domain.milestone import in_minor_units
from metrics_svc.domain.window import PERIODS, Bucket, Named, Period, buckets, named
from metrics_svc.store import cells, facts, kpis

router = make_router(prefix="/v1", tags=["metrics"])
Dimension = Literal["channel", "source", "campaign", "rep", "owner", "team", "region", "product", "segment", "country"]
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_MOST_PERIODS = 120


class KpiView(BaseModel):
    """`version` answers when none is asked for. `dimensions` and `periods` are what it can be asked `by`."""

    name: str
    version: int
    versions: list[int]
    unit: str
    definition: str
    dimensions: list[str]
    periods: list[str]


class KpiRow(BaseModel):
    """`key` is the dimension's value (`all` without one), `name` the part of the KPI; null where nothing was counted."""

    period: str | None = None
    key: str
    name: str
    value: str | None


class PeriodView(BaseModel):
    """A period, or the part of it that lies in the window; both ends are inside."""

    label: str
    window: tuple[datetime, datetime]


class KpiAnswer(BaseModel):
    name: str
    version: int
    unit: str
    definition: str
    window: tuple[datetime, datetime]
    as_of: datetime
    known_at: datetime
    by: str | None
    periods: list[PeriodView] = []
    rows: list[KpiRow]


class KpiEvent(BaseModel):
    """`kind` is the milestone that the event is; null for a promise, which is none."""

    id: UUID
    topic: str
    flow_id: UUID | None
    subject: str
    kind: str | None
    occurred_at: datetime
    recorded_at: datetime
    net: Decimal | None
    gross: Decimal | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """A KPI asked for, with everything that has a default filled in. A state at the end of a window is as of that end."""

    kpi: Kpi
    start: datetime
    end: datetime
    as_of: datetime
    known_at: datetime
    dimension: Dimension | None = None
    period: Period | None = None

    @property
    def within(self) -> dict[str, Any]:
        return {**self._moments(self.start, self.end), "by": self.dimension or ""}

    def during(self, bucket: Bucket) -> dict[str, Any]:
        """The same of one period."""
        return {**self._moments(bucket.start, bucket.end), "by": self.dimension or ""}

    def _moments(self, start: datetime, end: datetime) -> dict[str, datetime]:
        as_of = min(self.as_of, end) if self.kpi.at_end else self.as_of
        return {"start": start, "end": end, "as_of": as_of, "known_at": self.known_at}


async def question(
    name: str,
    conn: Conn,
    now: Now,
    start: Annotated[Moment | None, Query(alias="from")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="The last moment that is inside.")] = None,
    until: Annotated[Moment | None, Query(description="The first moment that is outside, instead of `to`.")] = None,
    window: Annotated[Named | None, Query(description="Instead of `from` and `to`; today is the day of `as_of`, in UTC.")] = None,
    as_of: Moment | None = None,
    known_at: Moment | None = None,
    by: Annotated[
        list[Dimension | Period] | None, Query(max_length=2, description="A dimension, a period, or one of each.")
    ] = None,
    version: Annotated[int | None, Query(ge=1, le=1000)] = None,
) -> Question:
    """What the callers of a KPI may say of it."""
    kpi = _kpi(name, version)
    dimensions = [each for each in by or () if each not in PERIODS]
    periods = [each for each in by or () if each in PERIODS]
    if len(dimensions) > 1 or len(periods) > 1:
        raise _refused("by", "one dimension and one period at most")
    if dimensions and dimensions[0] not in kpi.dimensions:
        raise _refused(
            "by", f"nothing tells {kpi.name} by {dimensions[0]}; it is known by {', '.join((*kpi.dimensions, *PERIODS))}"
        )
    if (window is not None) + (start is not None or end is not None or until is not None) > 1 or (end and until):
        raise _refused("window", "a window has a name, or `from` and either `to` or `until`")
    if window is not None:
        start, end = named(window, as_of or now)
    last = (until - datetime.resolution) if until else end or as_of or now
    if start and start > last:
        raise _refused("from", "the window ends before it begins")
    moments = (as_of or now, known_at or now)
    first = start or await facts.first_occurred_at(conn, *moments) or _BEGINNING
    return Question(kpi, first, last, *moments, *_by(dimensions, periods))


def _by(dimensions: list[Any], periods: list[Any]) -> tuple[Dimension | None, Period | None]:
    return next(iter(dimensions), None), next(iter(periods), None)


Asked = Annotated[Question, Depends(question)]


@router.get("/kpis", dependencies=[scope("kpis:read")])
async def list_kpis() -> list[KpiView]:
    """The registry: every KPI with its definition, its versions, and what it can be cut by."""
    return [
        KpiView(
            name=kpi.name,
            version=kpi.version,
            versions=sorted(kpis.versions()[kpi.name]),
            unit=kpi.unit,
            definition=kpi.definition,
            dimensions=list(kpi.dimensions),
            periods=list(PERIODS),
        )
        for kpi in kpis.registry().values()
    ]


@router.get("/kpis/{name}", dependencies=[scope("kpis:read")])
async def get_kpi(asked: Asked, conn: Conn) -> KpiAnswer:
    """A KPI for a window, as of a business time, as known at a recorded time, in total or by a dimension, a period or both.

    What had happened by `as_of` and was written down by `known_at` counts: of a past `known_at` no later event changes anything.
    """
    return await answer(conn, asked)


async def answer(conn: Connection, asked: Question) -> KpiAnswer:
    """Also shown on the live page."""
    found: list[KpiRow] = []
    parts: list[Bucket] = []
    if asked.period is None:
        found = _rows(asked.kpi, await kpis.kpi_view(conn, asked.kpi.sql, **asked.within), None)
    else:
        cut = buckets(asked.start, min(asked.end, asked.as_of), asked.period, _MOST_PERIODS)
        if cut is None:
            raise _refused("by", f"more than {_MOST_PERIODS} periods; ask for a shorter window, or for longer periods")
        parts = cut
        for part in parts:
            found += _rows(asked.kpi, await kpis.kpi_view(conn, asked.kpi.sql, **asked.during(part)), part.label)
    return KpiAnswer(
        name=asked.kpi.name,
        version=asked.kpi.version,
        unit=asked.kpi.unit,
        definition=asked.kpi.definition,
        window=(asked.start, asked.end),
        as_of=asked.as_of,
        known_at=asked.known_at,
        by=asked.dimension,
        periods=[PeriodView(label=part.label, window=(part.start, part.end)) for part in parts],
        rows=found,
    )


@router.get("/kpis/{name}/events", dependencies=[scope("kpis:read")])
async def list_kpi_events(
    asked: Asked, conn: Conn, page: PageArgs, key: Annotated[str | None, Query(max_length=300)] = None
) -> Page[KpiEvent]:
    """The events behind a number, or behind the cells of one `key`: alone, they give the same again.

    The number is asked for as it was; of one period, by the `window` that the answer tells of it.
    """
    rows = await cells.cell_events_view(
        conn, asked.kpi.evidence, **asked.within, key=key if asked.dimension else None, after=page.after, limit=page.limit + 1
    )
    return page.of([KpiEvent(**dict(row)) for row in rows], key=lambda view: view.id)


def _kpi(name: str, version: int | None) -> Kpi:
    of_it = kpis.versions().get(name)
    if of_it is None:
        raise NotFound(f"no KPI '{name}'; there are {', '.join(kpis.registry())}")
    found = of_it.get(version or max(of_it))
    if found is None:
        raise NotFound(f"no version {version} of '{name}'; there are {', '.join(str(each) for each in sorted(of_it))}")
    return found


def _refused(field: str, reason: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("query", field), "msg": reason, "input": None}])


def _rows(kpi: Kpi, found: list[Any], period: str | None) -> list[KpiRow]:
    return [KpiRow(period=period, key=row["key"], name=row["name"], value=_value(kpi, row)) for row in found]


def _value(kpi: Kpi, row: Any) -> str | None:
    value = row["value"]
    if value is None:
        return None
    return in_minor_units(value, row["name"]) if kpi.unit == "money" else str(value)
