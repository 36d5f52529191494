"""Windows by name, and the periods of a window. All in UTC; an end is the last microsecond that is still inside. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal, get_args

Period = Literal["day", "week", "month", "quarter", "year"]
Named = Literal[
    "today", "yesterday", "last_7_days", "last_30_days", "last_90_days", "last_365_days",
    "this_week", "last_week", "this_month", "last_month", "this_quarter", "last_quarter", "this_year", "last_year",
]  # fmt: skip
PERIODS: tuple[Period, ...] = get_args(Period)
_INSIDE = timedelta(microseconds=1)
_LAST_DAYS = {"last_7_days": 7, "last_30_days": 30, "last_90_days": 90, "last_365_days": 365}


@dataclass(frozen=True, slots=True)
class Bucket:
    """A period, or the part of it that lies in the window."""

    label: str
    start: datetime
    end: datetime


def named(name: Named, now: datetime) -> tuple[datetime, datetime]:
    """From and to, both inside. `last_n_days` are n days up to now; a period that is not over yet has its end in the future."""
    if name in _LAST_DAYS:
        return now - timedelta(days=_LAST_DAYS[name]), now
    which, _, period = name.partition("_")
    if not period:
        which, period = {"today": "this", "yesterday": "last"}[name], "day"
    kind: Period = next(each for each in PERIODS if each == period)
    begun = _begin(now, kind)
    if which == "last":
        return _begin(begun - _INSIDE, kind), begun - _INSIDE
    return begun, _next(begun, kind) - _INSIDE


def buckets(start: datetime, end: datetime, period: Period, most: int) -> list[Bucket] | None:
    """The periods that the window touches, cut to it; None when there are more than `most`."""
    found = list(islice(_walk(start, end, period), most + 1))
    return found if len(found) <= most else None


def _walk(start: datetime, end: datetime, period: Period) -> Iterator[Bucket]:
    at = _begin(start, period)
    while at <= end:
        following = _next(at, period)
        yield Bucket(_LABEL[period](at), max(at, start), min(following - _INSIDE, end))
        at = following


def _begin(at: datetime, period: Period) -> datetime:
    day = at.replace(hour=0, minute=0, second=0, microsecond=0)
    match period:
        case "day":
            return day
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return day.replace(month=3 * ((day.month - 1) // 3) + 1, day=1)
        case "year":
            return day.replace(month=1, day=1)


def _next(begun: datetime, period: Period) -> datetime:
    # Further than the period is long and less than two of them.
    days = {"day": 1, "week": 7, "month": 32, "quarter": 93, "year": 367}[period]
    return _begin(begun + timedelta(days=days), period)


_LABEL: dict[Period, Callable[[datetime], str]] = {
    "day": lambda at: f"{at:%Y-%m-%d}",
    "week": lambda at: f"{at:%G-W%V}",
    "month": lambda at: f"{at:%Y-%m}",
    "quarter": lambda at: f"{at.year}-Q{(at.month - 1) // 3 + 1}",
    "year": lambda at: f"{at:%Y}",
}
