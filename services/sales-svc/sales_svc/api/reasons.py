"""HTTP in: the lists of reasons and competitors, and the report of what was won and lost."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.events.model import Code, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, ChangeView, IfMatch, Version
from sales_svc.domain.forecast import percent
from sales_svc.domain.outcome import Competitor, Outcome, Reason
from sales_svc.handlers import reasons as handlers
from sales_svc.store import changes, outcomes, policy

router = make_router(prefix="/v1", tags=["win and loss"])
Admin = Annotated[Principal, scope("pipelines:configure")]
Key = Literal["reason", "competitor", "product", "owner", "team", "pipeline", "region", "segment", "campaign", "source"]


class ReasonBody(Body):
    """An inactive reason closes no more deals; those it closed keep it."""

    label: Name
    position: Annotated[int, Field(ge=0, le=10_000)] = 0
    active: bool = True
    version: Version | None = None


class ReasonView(BaseModel):
    outcome: Outcome
    code: str
    label: str
    position: int
    active: bool
    version: int

    @classmethod
    def of(cls, reason: Reason) -> "ReasonView":
        return cls(**{name: getattr(reason, name) for name in cls.model_fields})


class CompetitorBody(Body):
    active: bool = True
    version: Version | None = None


class CompetitorView(BaseModel):
    id: UUID
    name: str
    active: bool
    version: int

    @classmethod
    def of(cls, competitor: Competitor) -> "CompetitorView":
        return cls(**{name: getattr(competitor, name) for name in cls.model_fields})


class Closed(BaseModel):
    """Deals and their value, one entry per currency."""

    deals: int = 0
    value: list[Money] = Field(default_factory=list)


class WinLossRow(BaseModel):
    """`win_rate` is won of won and lost, in per cent; `small`: too few deals to tell anything by."""

    key: str | None
    won: Closed
    lost: Closed
    win_rate: Decimal | None
    small: bool


class WinLossView(BaseModel):
    """By competitor or product a deal counts for each of its own, so the rows may add up to more than the total."""

    by: Key
    rows: list[WinLossRow]
    total: WinLossRow


@router.get("/outcome-reasons", dependencies=[scope("opportunities:read")])
async def list_reasons(conn: Conn, outcome: Outcome | None = None) -> list[ReasonView]:
    """Why deals are won or lost; at most 500."""
    return [ReasonView.of(row) for row in await outcomes.list_reasons(conn, outcome)]


@router.put("/outcome-reasons/{outcome}/{code}")
async def put_reason(outcome: Outcome, code: Code, body: ReasonBody, tx: Tx, caller: Admin, if_match: IfMatch) -> ReasonView:
    """A reason more, or a change of one (that needs the version that was read)."""
    expected = body.version if body.version is not None else if_match
    given = body.model_dump(exclude={"version"})
    return ReasonView.of(await handlers.put_reason(tx, outcome, code, given, caller.subject, expected=expected))


@router.get("/outcome-reasons/{outcome}/{code}/changes", dependencies=[scope("opportunities:read")])
async def list_changes(outcome: Outcome, code: Code, conn: Conn, page: PageArgs) -> Page[ChangeView]:
    """Who changed a reason."""
    rows = await changes.list_changes(conn, "outcome_reason", f"{outcome}.{code}", after=page.after, limit=page.limit + 1)
    return page.of([ChangeView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/competitors", dependencies=[scope("opportunities:read")])
async def list_competitors(conn: Conn, page: PageArgs) -> Page[CompetitorView]:
    """Who sells against us."""
    rows = await outcomes.list_competitors(conn, page.after, page.limit + 1)
    return page.of([CompetitorView.of(row) for row in rows], key=lambda view: view.id)


@router.put("/competitors/{name}")
async def put_competitor(name: Name, body: CompetitorBody, tx: Tx, caller: Admin, if_match: IfMatch) -> CompetitorView:
    """A competitor more, or a change of one, also how it is spelled (that needs the version that was read)."""
    expected = body.version if body.version is not None else if_match
    given = body.model_dump(exclude={"version"})
    return CompetitorView.of(await handlers.put_competitor(tx, name, given, caller.subject, expected=expected))


@router.get("/reports/win-loss", dependencies=[scope("forecasts:read")])
async def win_loss(
    conn: Conn,
    by: Key = "reason",
    begin: Day | None = None,
    end: Day | None = None,
    owner: str | None = None,
    team: str | None = None,
    pipeline: str | None = None,
) -> WinLossView:
    """Deals closed from `begin` to `end` (both days included, UTC), by what they were closed with; at most 10,000 parts."""
    first, after = _bounds(begin, end)
    filters = {"owner": owner, "team": team, "pipeline": pipeline}
    rows = await outcomes.win_loss(conn, by, begin=first, until=after, filters=filters)
    # Everything once, whatever a deal counts for.
    whole = await outcomes.win_loss(conn, "none", begin=first, until=after, filters=filters)
    small = (await policy.get_policy(conn)).small_sample
    by_key: dict[str | None, list[Any]] = {}
    for row in rows:
        by_key.setdefault(row["key"], []).append(row)
    return WinLossView(
        by=by,
        rows=[_row(key, mine, small) for key, mine in by_key.items()],
        total=_row(None, whole, small),
    )


def _bounds(begin: date | None, end: date | None) -> tuple[datetime | None, datetime | None]:
    return (
        datetime.combine(begin, time(), UTC) if begin else None,
        datetime.combine(end + timedelta(days=1), time(), UTC) if end and end < date.max else None,
    )


def _row(key: str | None, rows: Sequence[Any], small: int) -> WinLossRow:
    won, lost = (_closed([row for row in rows if row["won"] is outcome]) for outcome in (True, False))
    closed = won.deals + lost.deals
    return WinLossRow(key=key, won=won, lost=lost, win_rate=percent(won.deals, closed), small=closed < small)


def _closed(rows: Sequence[Any]) -> Closed:
    values = [Money.of(row["value"], row["currency"]) for row in rows if row["currency"]]
    return Closed(deals=sum(row["deals"] for row in rows), value=sorted(values, key=lambda money: money.currency))
