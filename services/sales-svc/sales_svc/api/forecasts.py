"""HTTP in: forecast, what people say, quotas and attainment."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid
from ltc_contracts.events.model import Name, Text
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from sales_svc.api.shapes import Body, IfMatch, Version
from sales_svc.domain.forecast import Call, Expectation, Grouping, Kind, Part, expectations, percent
from sales_svc.domain.period import period_of
from sales_svc.domain.pipeline import Category
from sales_svc.handlers import forecasts as handlers
from sales_svc.store import forecasts

router = make_router(prefix="/v1", tags=["forecast"])
Caller = Annotated[Principal, scope("forecasts:write")]
Planner = Annotated[Principal, scope("forecasts:configure")]
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class PartView(BaseModel):
    """One category in one currency (null: deals without a value, which only count). `closed` is what was won in the period."""

    category: Literal["pipeline", "best_case", "commit", "closed"]
    currency: str | None
    deals: int
    value: Money | None
    weighted: Money | None

    @classmethod
    def of(cls, part: Part) -> "PartView":
        money = [Money.of(each, part.currency) if part.currency else None for each in (part.value, part.weighted)]
        return cls(category=part.category, currency=part.currency, deals=part.deals, value=money[0], weighted=money[1])


class CallView(BaseModel):
    """What a person says that a category will bring; no value: taken back."""

    period: str
    kind: Kind
    name: str
    category: Category
    currency: str
    value: Money | None
    note: str | None
    created_by: str
    created_at: datetime

    @classmethod
    def of(cls, call: Call) -> "CallView":
        value = None if call.amount is None else Money.of(call.amount, call.currency)
        names = ("period", "kind", "name", "category", "currency", "note", "created_by", "created_at")
        return cls(**{name: getattr(call, name) for name in names}, value=value)


class ExpectationView(BaseModel):
    """`forecast` is the sum of value times probability over open deals; `expected` is closed plus commit, or what was called."""

    currency: str
    closed: Money
    forecast: Money
    commit: Money
    called: Money | None
    expected: Money

    @classmethod
    def of(cls, made: Expectation) -> "ExpectationView":
        names = ("currency", "closed", "commit", "called", "expected")
        return cls(**{name: getattr(made, name) for name in names}, forecast=made.weighted)


class GroupView(BaseModel):
    key: str | None
    parts: list[PartView]
    calls: list[CallView]
    expectations: list[ExpectationView]


class ForecastView(BaseModel):
    """`undated`: open deals that nobody said when they will close, which no period has. Currencies are never added up."""

    period: str | None
    by: Grouping
    groups: list[GroupView]
    total: list[ExpectationView]
    undated: int


class NewCall(Body):
    """Without a value the computed one counts again, in the currency that is named."""

    category: Category
    value: Money | None = None
    currency: Currency | None = None
    note: Text | None = None


class NewQuota(Body):
    """`version` is the one that was read; none for the first."""

    value: Money
    version: Version | None = None


class QuotaView(BaseModel):
    period: str
    kind: Kind
    name: str
    value: Money
    version: int


class QuotaVersion(QuotaView):
    created_by: str
    created_at: datetime


class AttainmentView(BaseModel):
    """`attainment` is won of quota, `covered` won plus weighted open deals of quota, both in per cent; null without a quota."""

    name: str
    currency: str
    quota: Money | None
    quota_version: int | None
    won: Money
    weighted: Money
    attainment: Decimal | None
    covered: Decimal | None


@router.get("/forecast", dependencies=[scope("forecasts:read")])
async def get_forecast(
    conn: Conn,
    by: Grouping = "owner",
    period: str | None = None,
    owner: str | None = None,
    team: str | None = None,
    pipeline: str | None = None,
) -> ForecastView:
    """Open deals that are expected to close in the period (every open one, without a period), and what was won in it."""
    window = period_of(period) if period else None
    filters = {"owner": owner, "team": team, "pipeline": pipeline}
    bounds = (window.begin, window.until) if window else (None, None)
    parts = await forecasts.forecast(conn, by=by, begin=bounds[0], until=bounds[1], filters=filters)
    calls: list[Call] = []
    if window and by in ("owner", "team") and pipeline is None:
        calls = await forecasts.latest_calls(conn, window.code, "rep" if by == "owner" else "team")
        calls = [call for call in calls if call.amount is not None]
        wanted = owner if by == "owner" else team
        calls = [call for call in calls if wanted in (None, call.name)]
    by_key: dict[str | None, tuple[list[Part], list[Call]]] = {}
    for part in parts:
        by_key.setdefault(part.key, ([], []))[0].append(part)
    for made in calls:
        by_key.setdefault(made.name, ([], []))[1].append(made)
    groups = [_group(key, *by_key[key]) for key in sorted(by_key, key=lambda key: (key is None, key or ""))]
    undated = await forecasts.count_undated(conn, filters)
    total = [ExpectationView.of(each) for each in expectations(parts, ())]
    return ForecastView(period=period, by=by, groups=groups, total=total, undated=undated)


@router.post("/forecast/{period}/{kind}/{name}/calls", status_code=201)
async def call(period: str, kind: Kind, name: Name, body: NewCall, tx: Tx, caller: Caller) -> CallView:
    """Say what a category of a rep or a team will bring in the period; every word is kept, the latest counts."""
    currency = body.value.currency if body.value else body.currency
    if currency is None or (body.value and body.currency not in (None, body.value.currency)):
        raise Invalid("name the currency, that of the value if there is one", field="currency")
    made = await handlers.call(
        *(tx, period_of(period), kind, name, body.category),
        currency=currency,
        value=body.value,
        note=body.note,
        by=caller.subject,
    )
    return CallView.of(made)


@router.get("/forecast/{period}/{kind}/{name}/calls", dependencies=[scope("forecasts:read")])
async def list_calls(period: str, kind: Kind, name: Name, conn: Conn, page: PageArgs) -> Page[CallView]:
    """Everything that was said, with who and when, in its order."""
    rows = await forecasts.list_calls(
        conn, period=period_of(period).code, kind=kind, name=name, after=page.after, limit=page.limit + 1
    )
    ids = page.of([_Identified(id=identifier, call=CallView.of(made)) for identifier, made in rows], key=lambda row: row.id)
    return Page(items=[row.call for row in ids.items], next=ids.next)


@router.put("/quotas/{period}/{kind}/{name}")
async def set_quota(period: str, kind: Kind, name: Name, body: NewQuota, tx: Tx, caller: Planner, if_match: IfMatch) -> QuotaView:
    """What a rep or a team should win in the period; one per currency, every version is kept."""
    expected = body.version if body.version is not None else if_match
    window = period_of(period)
    version = await handlers.set_quota(tx, window, kind, name, body.value, caller.subject, expected=expected)
    return QuotaView(period=window.code, kind=kind, name=name, value=body.value, version=version)


@router.get("/quotas/{period}/{kind}", dependencies=[scope("forecasts:read")])
async def list_quotas(period: str, kind: Kind, conn: Conn) -> list[QuotaVersion]:
    """Every version with who and when, the latest of each first; at most 5,000."""
    window = period_of(period)
    names = ("name", "version", "created_by", "created_at")
    return [
        QuotaVersion(
            period=window.code, kind=kind, value=Money.of(row["amount"], row["currency"]), **{name: row[name] for name in names}
        )
        for row in await forecasts.list_quotas(conn, window.code, kind)
    ]


@router.get("/attainment/{period}/{kind}", dependencies=[scope("forecasts:read")])
async def get_attainment(period: str, kind: Kind, conn: Conn) -> list[AttainmentView]:
    """Quota and what was won, per rep or team and currency; at most 5,000."""
    rows = await forecasts.attainment(conn, period_of(period), kind)
    return [
        AttainmentView(
            name=row["name"],
            currency=row["currency"],
            quota=None if row["quota"] is None else Money.of(row["quota"], row["currency"]),
            quota_version=row["version"],
            won=Money.of(row["won"], row["currency"]),
            weighted=Money.of(row["weighted"], row["currency"]),
            attainment=percent(row["won"], row["quota"] or 0),
            covered=percent(row["won"] + row["weighted"], row["quota"] or 0),
        )
        for row in rows
    ]


class _Identified(BaseModel):
    id: UUID
    call: CallView


def _group(key: str | None, parts: Sequence[Part], calls: Sequence[Call]) -> GroupView:
    return GroupView(
        key=key,
        parts=[PartView.of(part) for part in parts],
        calls=[CallView.of(call) for call in calls],
        expectations=[ExpectationView.of(made) for made in expectations(parts, calls)],
    )
