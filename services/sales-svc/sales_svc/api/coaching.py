"""HTTP in: how a rep's deals go through the stages, against the team's."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated

from fastapi import Query
from ltc_chassis.api import Conn, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.errors import NotFound
from ltc_contracts.events.model import Name
from pydantic import BaseModel

from sales_svc.domain.coaching import Reached, Step, steps
from sales_svc.domain.forecast import percent
from sales_svc.store import coaching, pipelines, policy, reps

router = make_router(prefix="/v1", tags=["coaching"])
_MOST_REPS = 200


class StepView(BaseModel):
    """Deals that reached the stage and those that went on (after the last one: were won), in per cent; days in it, as seconds.

    `note` warns of too few deals.
    """

    stage: str
    reached: int
    went_on: int
    conversion: Decimal | None
    stays: int
    mean_seconds: int | None
    median_seconds: int | None
    note: str | None

    @classmethod
    def of(cls, step: Step, small: int) -> "StepView":
        return cls(
            stage=step.stage,
            reached=step.reached,
            went_on=step.went_on,
            conversion=step.conversion,
            stays=step.stay.stays if step.stay else 0,
            mean_seconds=step.stay.mean if step.stay else None,
            median_seconds=step.stay.median if step.stay else None,
            note=f"fewer than {small} deals: no more than a hint" if step.small else None,
        )


class Column(BaseModel):
    """`difference` is the rep's conversion less the team's, in percentage points per stage; null where either is unknown."""

    rep: str | None
    deals: int
    won: int
    won_of_all: Decimal | None
    steps: list[StepView]
    difference: list[Decimal | None]


class CoachingView(BaseModel):
    """Deals that were opened in the window, wherever they are now. `team` is null when all reps are compared with each other."""

    pipeline: str
    team: str | None
    begin: date | None
    end: date | None
    whole: Column
    reps: list[Column]


@router.get("/reports/coaching", dependencies=[scope("forecasts:read")])
async def get_coaching(
    conn: Conn,
    pipeline: Annotated[str | None, Query(description="without, the one that new deals take")] = None,
    rep: Annotated[Name | None, Query(description="one rep; without, all of them")] = None,
    team: str | None = None,
    begin: Day | None = None,
    end: Day | None = None,
) -> CoachingView:
    """Per rep the conversion per stage against the team (the rep's own, unless one is named); at most 200 reps."""
    way = await (pipelines.get_default(conn) if pipeline is None else pipelines.get_latest(conn, pipeline))
    if rep is not None and team is None:
        team = await reps.team_of(conn, rep)
    first = datetime.combine(begin, time(), UTC) if begin else None
    after = datetime.combine(end + timedelta(days=1), time(), UTC) if end and end < date.max else None
    small = (await policy.get_policy(conn)).small_sample
    of_team = await coaching.reached(conn, way.code, begin=first, until=after, team=team)
    stays = await coaching.stays(conn, way.code, begin=first, until=after, team=team)
    own, own_stays = of_team, stays
    if rep is not None:
        # A rep keeps the deals that were won in another team.
        own = await coaching.reached(conn, way.code, begin=first, until=after, team=None, owner=rep)
        own_stays = await coaching.stays(conn, way.code, begin=first, until=after, team=None, owner=rep)
        if rep not in own:
            raise NotFound(f"no deals of '{rep}' in this window")
    codes = [stage.code for stage in way.stages]
    everything = [some for of_one in of_team.values() for some in of_one]
    whole = steps(codes, everything, stays.get("", {}), small_sample=small)
    columns = [
        _column(name, own[name], steps(codes, own[name], own_stays.get(name, {}), small_sample=small), whole, small)
        for name in [name for name in own if name is not None][:_MOST_REPS]
    ]
    return CoachingView(
        pipeline=way.code, team=team, begin=begin, end=end, whole=_column(None, everything, whole, whole, small), reps=columns
    )


def _column(rep: str | None, deals: Sequence[Reached], made: Sequence[Step], whole: Sequence[Step], small: int) -> Column:
    number, won = sum(some.deals for some in deals), sum(some.deals for some in deals if some.won)
    return Column(
        rep=rep,
        deals=number,
        won=won,
        won_of_all=percent(won, number),
        steps=[StepView.of(step, small) for step in made],
        difference=[
            None if mine.conversion is None or theirs.conversion is None else mine.conversion - theirs.conversion
            for mine, theirs in zip(made, whole, strict=True)
        ],
    )
