"""How a product is delivered: rules per SKU, as versions that hold from a day on, and the working calendars they count days on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events import Line
from ltc_rules.calendar import Calendar

from delivery_svc.domain import working_days
from delivery_svc.domain.plan import NONE, Allowance, Kind, PlannedLine, Step

Match = Literal["exact", "prefix", "default"]
MOST_RULES, MOST_CALENDARS, MOST_STEPS = 500, 100, 20
_WHOLE = Decimal(100)
_SMALLEST = Decimal("0.000001")


class FulfilmentRuleNotFound(NotFound):
    """There is no such fulfilment rule."""


class CalendarNotFound(NotFound):
    """There is no such working calendar."""


@dataclass(frozen=True, slots=True)
class StepSpec:
    """A step of a rule: it takes so many working `days`. `share` is a milestone's part of the line's quantity, in per cent."""

    kind: Kind
    name: str | None = None
    days: int = 0
    share: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One version of a rule: of an exact SKU, of all that begin with a prefix, or of all others."""

    code: str
    version: int
    match: Match
    pattern: str | None
    valid_from: date
    steps: tuple[StepSpec, ...]
    over_percent: Decimal = NONE
    under_percent: Decimal = NONE
    charge_over: bool = False
    calendar: str | None = None
    active: bool = True


def check(rule: Rule) -> None:
    """Raises `Invalid` for a rule that no line could be delivered by."""
    if (rule.pattern is None) != (rule.match == "default"):
        raise Invalid("an exact SKU or a prefix is named, for all others nothing is", field="pattern")
    kinds = [step.kind for step in rule.steps]
    if not kinds or len(kinds) > MOST_STEPS:
        raise Invalid(f"a line has 1 to {MOST_STEPS} steps", field="steps")
    if "period" in kinds and len(kinds) > 1:
        raise Invalid("a service for a period is one step", field="steps")
    if kinds[-1] == "production":
        raise Invalid("what was produced is shipped or installed then", field="steps")
    if "production" in kinds[1:]:
        raise Invalid("production comes first", field="steps")
    if any(a == "milestone" != b for a, b in pairwise(kinds)):
        raise Invalid("milestones come last", field="steps")
    milestones = [step for step in rule.steps if step.kind == "milestone"]
    if any((step.share is not None) != (step.kind == "milestone") for step in rule.steps):
        raise Invalid("milestones have a share of the line's quantity, other steps have none", field="steps")
    if milestones and sum((step.share or NONE for step in milestones), NONE) != _WHOLE:
        raise Invalid("the shares of milestones add up to 100", field="steps")
    if any(not step.share for step in milestones):
        raise Invalid("a milestone is a share of the line", field="steps")
    others = [kind for kind in kinds if kind != "milestone"]
    if len(set(others)) < len(others):
        raise Invalid("each kind of step but milestones comes once", field="steps")


@dataclass(frozen=True, slots=True)
class Book:
    """The rules in force on a day, and the calendars. Ids are drawn from `new_id`."""

    rules: Sequence[Rule]
    calendars: Mapping[str, Calendar]
    today: date
    new_id: Callable[[], UUID] = field(compare=False)

    def rule_of(self, sku: str, *, of_a_period: bool = False) -> Rule | None:
        """The rule of this very SKU, else that of the longest prefix, else that of all others. A service for a period is no "other"."""
        fitting = [rule for rule in self.rules if _fits(rule, sku)]
        if of_a_period:
            fitting = [rule for rule in fitting if rule.match != "default"]
        return max(fitting, key=lambda rule: (rule.match == "exact", len(rule.pattern or ""), rule.code), default=None)

    def line(self, line: Line, position: int, *, of_a_period: bool, prepaid: bool) -> PlannedLine:
        """A line with what its rule says of it now. What is paid in advance is paid as ordered, so nothing more is charged."""
        rule = self.rule_of(line.sku, of_a_period=of_a_period)
        if rule is None:
            return PlannedLine(line=line, position=position)
        allowance = Allowance(
            over_percent=rule.over_percent, under_percent=rule.under_percent, charge_over=rule.charge_over and not prepaid
        )
        return PlannedLine(line=line, position=position, allowance=allowance, rule=rule.code, rule_version=rule.version)

    def specs(self, sku: str, *, of_a_period: bool) -> tuple[StepSpec, ...]:
        rule = self.rule_of(sku, of_a_period=of_a_period)
        if rule is not None:
            return rule.steps
        return (StepSpec("period"),) if of_a_period else (StepSpec("shipment"),)

    def calendar(self, sku: str) -> Calendar:
        """That of the rule, else the one called `default`, else weekdays."""
        rule = self.rule_of(sku)
        named = self.calendars.get(rule.calendar) if rule and rule.calendar else None
        return named or self.calendars.get("default") or working_days.WEEKDAYS

    def chain(
        self, line: Line, quantity: Decimal, *, behind: int, promised_on: date, period_until: date | None, number: int = 1
    ) -> tuple[Step, ...]:
        """The steps that deliver so much of a line: its chain of that `number`, in positions `behind` those that it has, done by the day
        promised or as soon as possible."""
        specs = self.specs(line.sku, of_a_period=period_until is not None)
        end = period_until if period_until is not None and specs[-1].kind == "period" else promised_on
        days = schedule([spec.days for spec in specs], self.calendar(line.sku), self.today, end)
        if specs[-1].kind == "period":
            days = [end]
        return tuple(
            Step(
                id=self.new_id(),
                line_id=line.line_id,
                position=behind + place,
                kind=spec.kind,
                name=spec.name,
                hands_over=spec.kind == "milestone" or place == len(specs),
                days=spec.days,
                chain=number,
                quantity=part,
                planned_on=day,
            )
            for place, (spec, part, day) in enumerate(zip(specs, _shares(specs, quantity), days, strict=True), start=1)
        )

    def earliest(self, lines: Sequence[tuple[Line, bool]]) -> date:
        """The first day by which all of these can be delivered when work on them begins today; `True`: for a period."""
        days = [self.today]
        for line, of_a_period in lines:
            takes = [spec.days for spec in self.specs(line.sku, of_a_period=of_a_period)]
            days.append(forward(takes, self.calendar(line.sku), self.today)[-1])
        return max(days)


def schedule(takes: Sequence[int], calendar: Calendar, start: date, end: date) -> list[date]:
    """When each step is done: counted back from the last, which is done by `end`; if that began before `start`, on from `start`.

    `takes` are working days per step.
    """
    back = [working_days.on_or_before(calendar, end)]
    for days in reversed(takes[1:]):
        back.insert(0, working_days.earlier(calendar, back[0], days))
    return back if working_days.earlier(calendar, back[0], takes[0]) >= start else forward(takes, calendar, start)


def forward(takes: Sequence[int], calendar: Calendar, start: date) -> list[date]:
    """When each step is done when the first begins at `start`."""
    day, on = working_days.on_or_after(calendar, start), []
    for days in takes:
        day = working_days.later(calendar, day, days)
        on.append(day)
    return on


def _fits(rule: Rule, sku: str) -> bool:
    if rule.match == "default":
        return True
    return sku == rule.pattern if rule.match == "exact" else sku.startswith(rule.pattern or "")


def _shares(specs: Sequence[StepSpec], quantity: Decimal) -> list[Decimal]:
    """The line's quantity per step; the last milestone has what rounding leaves."""
    shares, rest = [], quantity
    for spec in specs:
        if spec.share is None:
            shares.append(quantity)
            continue
        exact = quantity * spec.share / _WHOLE
        part = rest if spec is specs[-1] else min(exact, exact.quantize(_SMALLEST, rounding=ROUND_DOWN))
        shares.append(part)
        rest -= part
    return shares
