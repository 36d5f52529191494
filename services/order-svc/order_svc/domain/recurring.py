"""The calendar of what comes again: periods that never drift, and what a period's price is per month."""

from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Context, Decimal, localcontext
from typing import Literal

from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

Unit = Literal["day", "week", "month", "quarter", "year"]
_DAYS: dict[str, int] = {"day": 1, "week": 7}
_MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12}
# How many periods of one unit twelve months have: a year of 365 days and 52 weeks, whatever the calendar says.
_PER_YEAR: dict[str, int] = {"day": 365, "week": 52, "month": 12, "quarter": 4, "year": 1}
_LONGEST_YEARS = 10
_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Interval:
    """How long a period is: `count` times `unit`."""

    unit: Unit
    count: int = 1

    @property
    def months(self) -> int:
        """0 for an interval that is measured in days."""
        return _MONTHS.get(self.unit, 0) * self.count

    @property
    def days(self) -> int:
        """0 for an interval that is measured in months."""
        return _DAYS.get(self.unit, 0) * self.count


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `first` to `last`, both included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Where periods begin: every interval from `anchor` on, before it as well.

    In intervals of months they begin on `anchor_day`, in shorter months on the last day. Each is counted from the anchor, never
    from the one before, so that the 31st comes back after February.
    """

    interval: Interval
    anchor: date
    anchor_day: int

    @classmethod
    def beginning(cls, interval: Interval, starts_on: date, anchor_day: int | None) -> "Rhythm":
        """The rhythm of a subscription: its anchor is the day on which it starts, or `anchor_day` of that month."""
        require_sound(interval, anchor_day)
        return cls(interval, starts_on, anchor_day or starts_on.day)

    def start(self, number: int) -> date:
        """The first day of a period; 0 is the one that begins in the month, or on the day, of the anchor."""
        if not self.interval.months:
            return self.anchor + timedelta(days=number * self.interval.days)
        return _day_of(_month(self.anchor) + number * self.interval.months, self.anchor_day)

    def number(self, day: date) -> int:
        """Which period a day lies in."""
        if not self.interval.months:
            return (day - self.anchor).days // self.interval.days
        number = (_month(day) - _month(self.anchor)) // self.interval.months
        return number if self.start(number) <= day else number - 1

    def period(self, day: date) -> Period:
        """The whole period in which a day lies."""
        number = self.number(day)
        return Period(self.start(number), self.start(number + 1) - timedelta(days=1))


def require_sound(interval: Interval, anchor_day: int | None) -> None:
    """Raises `Invalid` for a period beyond ten years, and for a day of the month where periods are counted in days."""
    if interval.months > 12 * _LONGEST_YEARS or interval.days > 365 * _LONGEST_YEARS:
        raise Invalid(f"a period has at most {_LONGEST_YEARS} years", field="interval")
    if anchor_day is not None and not interval.months:
        raise Invalid("a period of days or weeks begins on no day of the month", field="anchor_day")


def monthly(net: Money, interval: Interval) -> Money:
    """What a period's price is per month (MRR), rounded half up once, to the minor unit.

    A year has 12 months, 4 quarters, 52 weeks or 365 days. Raises `Invalid` for what is too large to be money.
    """
    with localcontext(_EXACT):
        return Money.rounded(net.amount * _PER_YEAR[interval.unit] / Decimal(12 * interval.count), net.currency)


def _month(day: date) -> int:
    return day.year * 12 + day.month - 1


def _day_of(month: int, day: int) -> date:
    year, zero_based = divmod(month, 12)
    return date(year, zero_based + 1, min(day, monthrange(year, zero_based + 1)[1]))
