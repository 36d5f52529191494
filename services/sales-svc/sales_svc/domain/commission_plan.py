"""Commission plans: a rate, tiers by what was attained in the period, and shares between reps. A version is never edited."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid

Period = Literal["month", "quarter", "year"]
_MONTHS: dict[Period, int] = {"month": 1, "quarter": 3, "year": 12}
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Tier:
    """What lies above `above` (net signed by the rep in the period, in the plan's currency) earns `rate` per cent."""

    above: Decimal
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Share:
    """`percent` of a deal counts for `rep`; None is the deal's owner."""

    rep: str | None
    percent: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """One version. Empty `products` and `pipelines` mean all; `currency` and `period` are those of the tiers."""

    code: str
    version: int
    name: str
    rate: Decimal
    tiers: tuple[Tier, ...]
    period: Period | None
    currency: str | None
    products: frozenset[str]
    pipelines: frozenset[str]
    splits: tuple[Share, ...]
    valid_from: datetime

    def pays(self, sku: str, pipeline: str) -> bool:
        """Whether a line of a deal in this pipeline earns by this plan."""
        return (not self.products or sku in self.products) and (not self.pipelines or pipeline in self.pipelines)

    @property
    def rank(self) -> tuple[bool, bool, str]:
        """The narrower plan comes first: by product, then by pipeline, then by code."""
        return (not self.products, not self.pipelines, self.code)

    def earned(self, attained: Decimal, base: Decimal, currency: str) -> Fraction:
        """Exact commission on `base` for a rep who attained `attained` in the period before it.

        Each part of the base earns the rate of the tier it lies in. A deal in another currency than the tiers' earns the
        plan's own rate.
        """
        if not self.tiers or currency != self.currency:
            return Fraction(base) * Fraction(self.rate) / 100
        floors = [Decimal(0), *(tier.above for tier in self.tiers)]
        rates = [self.rate, *(tier.rate for tier in self.tiers)]
        ceilings: list[Decimal | None] = [*floors[1:], None]
        total = Fraction(0)
        for floor, ceiling, rate in zip(floors, ceilings, rates, strict=True):
            top = attained + base if ceiling is None else min(attained + base, ceiling)
            total += Fraction(max(top - max(attained, floor), Decimal(0))) * Fraction(rate) / 100
        return total


@dataclass(frozen=True, slots=True)
class Assignment:
    """A rep sells under a plan from `valid_from` until before `valid_until`; who made it, and who ended it."""

    id: UUID
    rep: str
    plan: str
    valid_from: datetime
    valid_until: datetime | None
    created_by: str
    created_at: datetime
    ended_by: str | None

    def covers(self, moment: datetime) -> bool:
        return self.valid_from <= moment and (self.valid_until is None or moment < self.valid_until)


def require_sound(plan: Plan) -> None:
    """Raises `Invalid` with the field that breaks a rule."""
    if plan.tiers and (plan.period is None or plan.currency is None):
        raise Invalid("tiers need the period and the currency in which attainment is counted", field="period")
    if not plan.tiers and plan.period is not None:
        raise Invalid("a period without tiers has no meaning", field="period")
    for number, tier in enumerate(plan.tiers):
        if tier.above <= (plan.tiers[number - 1].above if number else 0):
            raise Invalid("each tier begins above the one before it, the first above zero", field=f"tiers.{number}.above")
    require_whole(plan.splits, field="splits")


def require_whole(shares: Sequence[Share], *, field: str) -> None:
    """Shares add up to 100 %, and nobody is named twice. No shares: everything is the owner's."""
    if not shares:
        return
    names = [share.rep for share in shares]
    if len(set(names)) != len(names):
        raise Invalid("a rep is named twice", field=field)
    if sum(share.percent for share in shares) != HUNDRED:
        raise Invalid("shares add up to 100 per cent", field=field)


def shares_of(plan: Plan, agreed: Sequence[Share], owner: str) -> list[tuple[str, Decimal]]:
    """Who gets which per cent of a deal: what was agreed for the deal goes before the plan's splits. Names are distinct."""
    merged: dict[str, Decimal] = {}
    for share in agreed or plan.splits or (Share(None, HUNDRED),):
        name = share.rep or owner
        merged[name] = merged.get(name, Decimal(0)) + share.percent
    return list(merged.items())


def in_force(versions: Iterable[Plan], moment: datetime) -> list[Plan]:
    """Of each plan the version that is valid at a moment."""
    latest: dict[str, Plan] = {}
    for plan in versions:
        if plan.valid_from <= moment and (plan.code not in latest or latest[plan.code].valid_from <= plan.valid_from):
            latest[plan.code] = plan
    return sorted(latest.values(), key=lambda plan: plan.rank)


def period_of(day: date, period: Period) -> tuple[date, date]:
    """First day of the period a day lies in, and first day of the next one."""
    months = _MONTHS[period]
    first = (day.month - 1) // months * months
    return date(day.year, first + 1, 1), date(day.year + (first + months) // 12, (first + months) % 12 + 1, 1)
