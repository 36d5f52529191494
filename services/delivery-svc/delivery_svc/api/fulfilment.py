"""HTTP in: how products are delivered, and the working calendars. Each is written as a version, and all versions are kept."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Path
from ltc_chassis.api import Conn, Now, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.events.model import Percent
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain.fulfilment import MOST_STEPS, CalendarNotFound, FulfilmentRuleNotFound, Match, Rule, StepSpec
from delivery_svc.domain.plan import Kind
from delivery_svc.handlers import fulfilment as handlers
from delivery_svc.store import fulfilment as store

router = make_router(prefix="/v1", tags=["fulfilment"])
Admin = Annotated[Principal, scope("deliveries:configure")]
Known = Annotated[int | None, Field(ge=1, description="the version that was read; none for a new one")]
InPath = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]*$")]
Sku = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]
CalendarCode = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class StepBody(Body):
    """A step, with the working days it takes; `share`: a milestone's part of the line, in per cent."""

    kind: Kind
    name: Title | None = None
    days: Annotated[int, Field(ge=0, le=1000)] = 0
    share: Percent | None = None


class RuleBody(Body):
    """Steps in their order: production, shipment, installation, milestones; or one period. `match` says of which SKUs.

    `over_percent` and `under_percent` are how much more or less than ordered may be delivered; `charge_over`: what is more is charged.
    """

    match: Match
    pattern: Sku | None = None
    valid_from: Day
    steps: Annotated[list[StepBody], Field(min_length=1, max_length=MOST_STEPS)]
    over_percent: Percent = Decimal(0)
    under_percent: Percent = Decimal(0)
    charge_over: bool = False
    calendar: CalendarCode | None = None
    active: bool = True


class RuleChange(RuleBody):
    version: Known = None


class RuleView(RuleBody):
    valid_from: date
    code: str
    version: int

    @classmethod
    def of(cls, rule: Rule) -> "RuleView":
        same = {name: getattr(rule, name) for name in cls.model_fields if name != "steps"}
        return cls(
            **same, steps=[StepBody(**{name: getattr(step, name) for name in StepBody.model_fields}) for step in rule.steps]
        )


class RuleVersionView(RuleView):
    changed_by: str
    changed_at: datetime


class CalendarBody(Body):
    """`calendar`: timezone, week, country, subdivision, extra_holidays, exceptions; a day counts if it has hours at all."""

    name: Title
    calendar: Annotated[dict[str, Any], Field(max_length=10)]


class CalendarChange(CalendarBody):
    version: Known = None


class CalendarView(CalendarBody):
    code: str
    version: int


class CalendarVersionView(CalendarView):
    changed_by: str
    changed_at: datetime


@router.put("/fulfilment-rules/{code}")
async def put_rule(code: InPath, body: RuleChange, tx: Tx, caller: Admin) -> RuleView:
    """How products are delivered that are ordered from a day on. What is planned already keeps its plan."""
    given = body.model_dump(exclude={"version", "steps"})
    rule = Rule(code=code, version=0, steps=tuple(StepSpec(**step.model_dump()) for step in body.steps), **given)
    return RuleView.of(await handlers.put_rule(tx, rule, caller.subject, expected=body.version))


@router.get("/fulfilment-rules", dependencies=[scope("deliveries:read")])
async def list_rules(conn: Conn, now: Now, on: Day | None = None) -> list[RuleView]:
    """The rules in force on a day; today, if none is said."""
    return [RuleView.of(rule) for rule in await store.list_rules_in_force(conn, on or now.date())]


@router.get("/fulfilment-rules/{code}/changes", dependencies=[scope("deliveries:read")])
async def list_rule_changes(code: InPath, conn: Conn) -> list[RuleVersionView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    rows = await store.list_rule_versions(conn, code)
    if not rows:
        raise FulfilmentRuleNotFound(f"there is no fulfilment rule '{code}'")
    return [
        RuleVersionView(
            **RuleView.of(store.rule_of(row)).model_dump(), changed_by=row["changed_by"], changed_at=row["changed_at"]
        )
        for row in rows
    ]


@router.put("/working-calendars/{code}")
async def put_calendar(code: InPath, body: CalendarChange, tx: Tx, caller: Admin) -> CalendarView:
    """The days on which somebody works. The one called `default` is taken where a rule names none."""
    version, kept = await handlers.put_calendar(tx, code, body.name, body.calendar, caller.subject, expected=body.version)
    return CalendarView(code=code, version=version, name=body.name, calendar=kept)


@router.get("/working-calendars", dependencies=[scope("deliveries:read")])
async def list_calendars(conn: Conn) -> list[CalendarView]:
    """The latest versions; at most 100."""
    return [CalendarView(**dict(row)) for row in await store.list_calendars(conn)]


@router.get("/working-calendars/{code}/changes", dependencies=[scope("deliveries:read")])
async def list_calendar_changes(code: InPath, conn: Conn) -> list[CalendarVersionView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    rows = await store.list_calendar_versions(conn, code)
    if not rows:
        raise CalendarNotFound(f"there is no working calendar '{code}'")
    return [CalendarVersionView(**dict(row)) for row in rows]
