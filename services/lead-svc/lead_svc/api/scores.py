"""HTTP in: why a score is what it is, who ranks highest, and versions of the scoring rule."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Moment
from ltc_contracts.errors import Invalid
from ltc_contracts.events.model import Code, Country
from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator

from lead_svc.api.leads import LeadView, views
from lead_svc.api.predictive import ManualView
from lead_svc.domain.lead import Lead
from lead_svc.domain.predictive import Chance
from lead_svc.domain.score import Band, Rule, score, words
from lead_svc.handlers import predictive
from lead_svc.handlers import scores as handlers
from lead_svc.store import leads
from lead_svc.store import predictive as store_predictive
from lead_svc.store import scores as store

router = make_router(prefix="/v1", tags=["scores"])
_FARTHEST = timedelta(days=3650)
_MOST_EXAMINED = 2000
_STEP = 200


def _number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


# Kept as JSON numbers, exactly as given: two decimal places survive a float's shortest form.
Number = PlainSerializer(_number, return_type=int | float)
Points = Annotated[Decimal, Field(ge=-100, le=100, decimal_places=2), Number]
Cap = Annotated[Decimal, Field(gt=0, le=1000, decimal_places=2), Number]
Threshold = Annotated[Decimal, Field(ge=-1000, le=1000, decimal_places=2), Number]
Days = Annotated[Decimal, Field(ge=Decimal("0.01"), le=36500, decimal_places=2), Number]
Domain = Annotated[str, Field(min_length=3, max_length=253, pattern=r"^[^@\s]+\.[^@\s]+$")]
At = Annotated[
    datetime | None, Query(description="a moment with its offset, at most ten years from now; now when it is left out")
]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Industries(Strict):
    points: Points
    targets: Annotated[list[Code], Field(max_length=500)]


class Size(Strict):
    """`from` is a number of people."""

    points: Points
    from_: Annotated[int, Field(ge=0, le=100_000_000, alias="from")]


class Region(Strict):
    points: Points
    targets: Annotated[list[Country], Field(max_length=300)]


class FreeMail(Strict):
    points: Points
    domains: Annotated[list[Domain], Field(max_length=5000)]


class NoWebsite(Strict):
    points: Points


class OwnCondition(Strict):
    """Points for what a company looks for itself: `when` is a condition over a lead's fields, its own and `attributes.<column>`."""

    code: Code
    label: Annotated[str, Field(min_length=1, max_length=100)]
    points: Points
    when: dict[str, Any]


class Weight(Strict):
    """What an activity counts, and after how many days half of it; `label` is how people call it ("a demo request")."""

    points: Points
    half_life_days: Days
    group: Code
    label: Annotated[str, Field(min_length=1, max_length=100)] | None = None


class Thresholds(Strict):
    """A lead qualifies by fit and engagement together, or at once by one of the activities of high intent."""

    fit: Threshold
    engagement: Threshold
    high_intent: Annotated[list[Code], Field(max_length=50)] = []


class Bands(Strict):
    """Where warm and hot begin; below is cold."""

    warm: Threshold
    hot: Threshold


class RuleBody(Strict):
    """The whole rule. Every group of activities has a cap, either way; `fit_cap` bounds fit."""

    industries: Industries
    size: Size
    region: Region
    free_mail: FreeMail
    no_website: NoWebsite
    conditions: Annotated[list[OwnCondition], Field(max_length=100)] | None = None
    fit_cap: Cap | None = None
    activities: Annotated[dict[Code, Weight], Field(max_length=200)]
    caps: Annotated[dict[Code, Cap], Field(max_length=50)]
    qualify: Thresholds
    bands: Bands

    def kept(self) -> dict[str, Any]:
        """As it is kept: what was not said is not there."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class NewRule(Strict):
    version: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    valid_from: Moment
    rule: RuleBody

    @field_validator("version")
    @classmethod
    def _not_a_path_of_ours(cls, version: str) -> str:
        if version == "what-if":
            raise ValueError("this name is taken")
        return version


class RuleView(BaseModel):
    """One version; it is in force from `valid_from` until the next one begins."""

    version: str
    valid_from: datetime
    rule: dict[str, Any]
    created_by: str
    created_at: datetime


class ItemView(BaseModel):
    """`points` by rule, `counted` after decay. `text` says the same in words."""

    part: str
    what: str
    group: str
    points: str
    counted: str
    age_days: str | None
    text: str


class EffectView(BaseModel):
    """What one column adds to the log-odds, beside the average lead."""

    column: str
    value: str
    log_odds: float
    text: str


class ChanceView(BaseModel):
    """`percent` follows from `log_odds`, which are `average` and the effects together. The strongest effects come first."""

    percent: str
    log_odds: float
    average: float
    model_version: int
    effects: list[EffectView]

    @classmethod
    def of(cls, chance: Chance) -> "ChanceView":
        effects = [
            EffectView(column=each.column, value=each.value, log_odds=each.log_odds, text=each.text) for each in chance.effects
        ]
        return cls(
            percent=str(chance.percent),
            log_odds=chance.log_odds,
            average=chance.average,
            model_version=chance.model_version,
            effects=effects,
        )


class ScoreView(BaseModel):
    """The score as of a moment, by the rule in force then. Fit is judged by what is known of the lead today.

    `predictive` is what the model in use today says, `manual` what a person says instead.
    """

    as_of: datetime
    fit: str
    engagement: str
    total: str
    band: str
    rule_version: str
    items: list[ItemView]
    predictive: ChanceView | None
    manual: ManualView | None


class RankingView(BaseModel):
    """Highest first. `exact` is false when a new rule is not yet applied to all, or more leads had to be looked at than a request may."""

    as_of: datetime
    items: list[LeadView]
    examined: int
    exact: bool


@router.get("/leads/{lead_id}/score", dependencies=[scope("leads:read")])
async def explain_score(lead_id: UUID, conn: Conn, now: Now, as_of: At = None) -> ScoreView:
    """Why the score is what it is, item by item; engagement decays up to now, or up to the moment asked for."""
    moment = _moment(as_of, now)
    lead = await leads.get_lead(conn, lead_id)
    rule = await leads.get_rule(conn, moment)
    done = await leads.list_activities(conn, lead_id)
    result = score(lead.facts, done, rule, moment)
    chance = (await predictive.chances_of(conn, [(lead, done)], moment)).get(lead_id)
    manual = (await store_predictive.manual_of(conn, [lead_id], moment)).get(lead_id)
    items = [
        ItemView(
            part=item.part,
            what=item.what,
            group=item.group,
            points=str(item.points),
            counted=str(item.counted),
            age_days=None if item.age_days is None else str(item.age_days),
            text=words(item, rule),
        )
        for item in result.items
    ]
    return ScoreView(
        as_of=moment,
        fit=str(result.fit),
        engagement=str(result.engagement),
        total=str(result.fit + result.engagement),
        band=result.band,
        rule_version=result.rule_version,
        items=items,
        predictive=ChanceView.of(chance) if chance else None,
        manual=ManualView.of(manual) if manual else None,
    )


@router.get("/lead-ranking", dependencies=[scope("leads:read")])
async def rank(
    conn: Conn, now: Now, limit: Annotated[int, Query(ge=1, le=100)] = 20, open_only: bool = True, band: Band | None = None
) -> RankingView:
    """The leads with the highest score at this moment. Each is computed anew; the rest is passed over as it cannot be higher."""
    rule = await leads.get_rule(conn, now)
    best: list[tuple[Decimal, Lead]] = []
    after: tuple[Decimal, UUID] | None = None
    examined, exact = 0, False
    while examined < _MOST_EXAMINED and not exact:
        rows = await store.list_by_ceiling(conn, open_only=open_only, after=after, limit=_STEP)
        done = await leads.activities_of(conn, [lead.id for _, lead in rows])
        for _, lead in rows:
            result = score(lead.facts, done[lead.id], rule, now)
            if band is None or result.band == band:
                best.append((result.fit + result.engagement, lead))
        best = sorted(best, key=lambda each: (-each[0], each[1].id))[:limit]
        examined += len(rows)
        if len(rows) < _STEP:
            exact = True
        else:
            after = (rows[-1][0], rows[-1][1].id)
            exact = len(best) == limit and best[-1][0] > after[0]
    exact = exact and await store.is_current(conn, rule.version)
    items = await views(conn, [lead for _, lead in best], now)
    return RankingView(as_of=now, items=items, examined=examined, exact=exact)


@router.get("/score-rules", dependencies=[scope("leads:read")])
async def list_rules(conn: Conn) -> list[RuleView]:
    """Every version of the rule, the latest to begin first."""
    return [RuleView(**dict(row)) for row in await store.list_rules(conn)]


@router.get("/score-rules/{version}", dependencies=[scope("leads:read")])
async def get_rule(version: str, conn: Conn) -> RuleView:
    """One version."""
    return RuleView(**dict(await store.get_rule_version(conn, version)))


@router.post("/score-rules", status_code=201, dependencies=[scope("leads:configure")])
async def add_rule(body: NewRule, tx: Tx, caller: Annotated[Principal, scope("leads:configure")]) -> RuleView:
    """A new version from a moment on; it is never edited. Every lead is scored by it then."""
    rule = Rule(body.version, body.rule.kept())
    await handlers.add_rule(tx, rule, body.valid_from, caller.subject)
    return RuleView(
        version=body.version, valid_from=body.valid_from, rule=dict(rule.body), created_by=caller.subject, created_at=tx.now
    )


def _moment(as_of: datetime | None, now: datetime) -> datetime:
    if as_of is None:
        return now
    if as_of.tzinfo is None:
        raise Invalid("must have an offset, as 2026-01-31T12:00:00Z", field="as_of")
    if abs(as_of - now) > _FARTHEST:
        raise Invalid("must be within ten years of now", field="as_of")
    return as_of
