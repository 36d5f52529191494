"""HTTP in: the pipeline of past days, and what changed between two of them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.inputs import Day
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.money import Money
from pydantic import BaseModel

from sales_svc.domain.forecast import Grouping
from sales_svc.store import snapshots

router = make_router(prefix="/v1", tags=["snapshots"])
Movement = Literal["new", "joined", "won", "lost", "left", "moved", "value_changed"]
Limit = Annotated[int, Query(ge=1, le=500)]


class SnapshotView(BaseModel):
    """How every open deal stood at the end of the day (UTC)."""

    day: date
    taken_at: datetime
    open: int


class SumView(BaseModel):
    """Open deals of a day of one key and currency; `value` null: without a value."""

    key: str | None
    deals: int
    value: Money | None
    weighted: Money | None


class MovementSum(BaseModel):
    """`before` at the beginning, `after` at the end, of closed deals when they were closed; null where there is no value."""

    kind: Movement
    deals: int
    before: Money | None
    after: Money | None
    advanced: int | None


class Bridge(BaseModel):
    """opening + new + joined - won - lost - left + changed = closing, in one currency; won and lost as they stood before."""

    currency: str
    opening: Money
    new: Money
    joined: Money
    won: Money
    lost: Money
    left: Money
    changed: Money
    closing: Money


class Comparison(BaseModel):
    begin: date
    end: date
    movements: list[MovementSum]
    bridges: list[Bridge]


class MovedDeal(BaseModel):
    opportunity_id: UUID
    kind: Movement
    owner: str | None
    before_stage: str | None
    after_stage: str | None
    before: Money | None
    after: Money | None


@router.get("/snapshots", dependencies=[scope("forecasts:read")])
async def list_snapshots(conn: Conn, before: date | None = None, limit: Limit = 50) -> list[SnapshotView]:
    """The days that have one, the latest first; `before` goes on."""
    return [SnapshotView(**dict(row)) for row in await snapshots.list_snapshots(conn, before, limit)]


@router.get("/snapshots/{day}", dependencies=[scope("forecasts:read")])
async def get_snapshot(
    day: Day,
    conn: Conn,
    by: Grouping = "stage",
    owner: str | None = None,
    team: str | None = None,
    pipeline: str | None = None,
) -> list[SumView]:
    """Open deals of a day, summed up; at most 10,000 rows."""
    await _require(conn, day)
    rows = await snapshots.sums(conn, day, by, {"owner": owner, "team": team, "pipeline": pipeline})
    return [
        SumView(
            key=row["key"],
            deals=row["deals"],
            value=_money(row["value"], row["currency"]),
            weighted=_money(row["weighted"], row["currency"]),
        )
        for row in rows
    ]


@router.get("/snapshots/{begin}/changes/{end}", dependencies=[scope("forecasts:read")])
async def compare(
    begin: Day, end: Day, conn: Conn, owner: str | None = None, team: str | None = None, pipeline: str | None = None
) -> Comparison:
    """What became of the pipeline between the ends of two days: new, won, lost, moved, value changed. It adds up."""
    await _require(conn, begin, end)
    filters = {"owner": owner, "team": team, "pipeline": pipeline}
    rows = await snapshots.count_movements(conn, begin, end, filters)
    opening, closing = [
        {row["currency"]: row["value"] for row in await snapshots.sums(conn, day, "none", filters) if row["currency"]}
        for day in (begin, end)
    ]
    movements = [
        MovementSum(
            kind=row["kind"],
            deals=row["deals"],
            before=_money(row["before"], row["before_currency"]),
            after=_money(row["after"], row["after_currency"]),
            advanced=row["advanced"] if row["kind"] == "moved" else None,
        )
        for row in rows
    ]
    currencies = sorted({*opening, *closing, *(row[n] for row in rows for n in ("before_currency", "after_currency") if row[n])})
    return Comparison(
        begin=begin,
        end=end,
        movements=movements,
        bridges=[_bridge(currency, opening, closing, movements) for currency in currencies],
    )


@router.get("/snapshots/{begin}/changes/{end}/deals", dependencies=[scope("forecasts:read")])
async def list_moved(
    begin: Day,
    end: Day,
    kind: Movement,
    conn: Conn,
    page: PageArgs,
    owner: str | None = None,
    team: str | None = None,
    pipeline: str | None = None,
) -> Page[MovedDeal]:
    """The deals behind a number of the comparison."""
    await _require(conn, begin, end)
    filters = {"owner": owner, "team": team, "pipeline": pipeline}
    rows = await snapshots.list_movements(conn, begin, end, filters, kind=kind, after=page.after, limit=page.limit + 1)
    views = [
        MovedDeal(
            **{name: row[name] for name in ("opportunity_id", "kind", "owner", "before_stage", "after_stage")},
            before=_money(row["before_amount"], row["before_currency"]),
            after=_money(row["after_amount"], row["after_currency"]),
        )
        for row in rows
    ]
    return page.of(views, key=lambda view: view.opportunity_id)


async def _require(conn: Connection, *days: date) -> None:
    for day in days:
        if not await snapshots.has_snapshot(conn, day):
            raise NotFound(f"no snapshot of {day}")
    if len(days) == 2 and days[0] >= days[1]:
        raise Invalid("the first day comes before the second", field="end")


def _bridge(currency: str, opening: dict[str, Any], closing: dict[str, Any], movements: Sequence[MovementSum]) -> Bridge:
    def total(side: str, kind: str) -> Money:
        amounts = [getattr(each, side) for each in movements if each.kind == kind]
        return Money.total((money for money in amounts if money is not None and money.currency == currency), currency)

    entered = {kind: total("after", kind) for kind in ("new", "joined")}
    gone = {kind: total("before", kind) for kind in ("won", "lost", "left")}
    return Bridge(
        currency=currency,
        opening=Money.of(opening.get(currency, 0), currency),
        **entered,
        **gone,
        changed=total("after", "value_changed") - total("before", "value_changed"),
        closing=Money.of(closing.get(currency, 0), currency),
    )


def _money(amount: Any, currency: str | None) -> Money | None:
    return None if currency is None else Money.of(amount, currency)
