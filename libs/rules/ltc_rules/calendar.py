"""Business hours: the time in which somebody is there to answer, by weekday, time zone, public holidays and exceptions."""

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import holidays
from ltc_contracts.errors import Invalid

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_FURTHEST = 366 * 20  # days that are looked through before a calendar is said to be never open
_MOST_SPANS, _MOST_DATES = 10, 1000
_DAY = timedelta(days=1)


class Span(NamedTuple):
    """From `start` to `end` of one day, local time; an `end` of 00:00 is midnight, the end of the day."""

    start: time
    end: time


class NeverOpen(Invalid):
    """The calendar has no working hours (any more)."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """`week` holds the spans per weekday (0 is Monday). Public holidays of `country` (ISO 3166-1) and `subdivision` and the
    `extra_holidays` are closed; `exceptions` are the whole truth of their day: half days, working Saturdays, or none.

    Raises `Invalid` naming the attribute; a week without hours is refused.
    """

    timezone: str
    week: Mapping[int, Sequence[Span]]
    country: str | None = None
    subdivision: str | None = None
    extra_holidays: frozenset[date] = frozenset()
    exceptions: Mapping[date, Sequence[Span]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _zone(self.timezone)
        if not any(self.week.values()):
            raise NeverOpen("a week needs working hours", field="week")
        for weekday, spans in self.week.items():
            if weekday not in range(7):
                raise Invalid("weekdays are 0 (Monday) to 6", field="week")
            _check_spans(spans, f"week.{DAYS[weekday]}")
        for day, spans in self.exceptions.items():
            _check_spans(spans, f"exceptions.{day}")
        if len(self.exceptions) > _MOST_DATES or len(self.extra_holidays) > _MOST_DATES:
            raise Invalid(f"at most {_MOST_DATES} dates", field="exceptions")
        if self.subdivision is not None and self.country is None:
            raise Invalid("needs its country", field="subdivision")
        if self.country is not None:
            _holidays(self.country, self.subdivision, 2024)

    def add_business(self, start: datetime, duration: timedelta) -> datetime:
        """The first moment at which `duration` of working time has passed since `start` (aware); in UTC.

        The inverse of `business_between`. Nothing to add: `start` itself. Raises `NeverOpen` when 20 years do not suffice.
        """
        start = start.astimezone(UTC)
        if duration <= timedelta(0):
            return start
        for opens, closes in self._open_from(start):
            if closes - opens >= duration:
                return opens + duration
            duration -= closes - opens
        raise NeverOpen("there is not so much working time in the next 20 years", field="week")

    def business_between(self, a: datetime, b: datetime) -> timedelta:
        """How much working time lies between two (aware) moments; none when `b` is not after `a`."""
        a, b = a.astimezone(UTC), b.astimezone(UTC)
        total = timedelta(0)
        if b <= a:
            return total
        for opens, closes in self._open_from(a, until=b):
            if opens >= b:
                break
            total += min(closes, b) - opens
        return total

    def is_working(self, moment: datetime) -> bool:
        """Whether somebody is there; the first instant of a span is, the last is not."""
        moment = moment.astimezone(UTC)
        return any(opens <= moment for opens, _ in self._open_from(moment, until=moment))

    def next_opening(self, moment: datetime) -> datetime:
        """`moment` itself when somebody is there, else when the next span begins; in UTC. Raises `NeverOpen`."""
        for opens, _ in self._open_from(moment.astimezone(UTC)):
            return opens
        raise NeverOpen("there are no working hours in the next 20 years", field="week")

    def open_between(self, a: datetime, b: datetime) -> list[tuple[datetime, datetime]]:
        """The open intervals between two (aware) moments, in UTC, cut to them, in order."""
        a, b = a.astimezone(UTC), b.astimezone(UTC)
        return [(opens, min(closes, b)) for opens, closes in self._open_from(a, until=b) if opens < b] if a < b else []

    def spans_of(self, day: date) -> Sequence[Span]:
        """The hours of one day, local time."""
        if day in self.exceptions:
            return self.exceptions[day]
        if day in self.extra_holidays or (self.country and day in _holidays(self.country, self.subdivision, day.year)):
            return ()
        return self.week.get(day.weekday(), ())

    def _open_from(self, moment: datetime, *, until: datetime | None = None) -> Iterator[tuple[datetime, datetime]]:
        """The open intervals that end after `moment`, cut to begin not before it; in UTC, in order, never overlapping."""
        zone = _zone(self.timezone)
        # A day earlier: a span before midnight may, where clocks are set back, end after it.
        day = _local_day(moment, zone) - _DAY
        last = day + _FURTHEST * _DAY if until is None else _local_day(until, zone) + _DAY
        cursor = moment
        while day <= last:
            for span in self.spans_of(day):
                opens, closes = _bounds(day, span, zone)
                opens = max(opens, cursor)
                if closes > opens:  # a span within the hour that is skipped is none
                    yield opens, closes
                    cursor = closes
            day += _DAY


def calendar_of(body: Any) -> Calendar:
    """From JSON: `{"timezone": "Europe/Berlin", "week": {"mon": [["09:00", "17:00"]]}, "country": "DE", "subdivision": "BY",
    "extra_holidays": ["2026-12-24"], "exceptions": {"2026-12-31": [["09:00", "12:00"]]}}`. Raises `Invalid` naming the place."""
    if not isinstance(body, Mapping):
        raise Invalid("must be an object", field="calendar")
    unknown = set(body) - {"timezone", "week", "country", "subdivision", "extra_holidays", "exceptions"}
    if unknown:
        raise Invalid("no such attribute of a calendar", field=str(min(map(str, unknown)))[:60])
    week = _mapping(body.get("week"), "week")
    for name in week:
        if name not in DAYS:
            raise Invalid(f"weekdays are {', '.join(DAYS)}", field="week")
    dates = body.get("extra_holidays") or []
    if not isinstance(dates, list) or len(dates) > _MOST_DATES:
        raise Invalid(f"must be a list of at most {_MOST_DATES} days", field="extra_holidays")
    exceptions = _mapping(body.get("exceptions") or {}, "exceptions")
    return Calendar(
        timezone=_text(body.get("timezone"), "timezone"),
        week={DAYS.index(name): _spans(spans, f"week.{name}") for name, spans in week.items()},
        country=None if body.get("country") is None else _text(body["country"], "country"),
        subdivision=None if body.get("subdivision") is None else _text(body["subdivision"], "subdivision"),
        extra_holidays=frozenset(_date(text, "extra_holidays") for text in dates),
        exceptions={_date(text, "exceptions"): _spans(spans, f"exceptions.{text}") for text, spans in exceptions.items()},
    )


def json_of(calendar: Calendar) -> dict[str, Any]:
    """The form that `calendar_of` reads."""
    return {
        "timezone": calendar.timezone,
        "week": {DAYS[day]: _shown(spans) for day, spans in sorted(calendar.week.items()) if spans},
        "country": calendar.country,
        "subdivision": calendar.subdivision,
        "extra_holidays": [day.isoformat() for day in sorted(calendar.extra_holidays)],
        "exceptions": {day.isoformat(): _shown(spans) for day, spans in sorted(calendar.exceptions.items())},
    }


def _bounds(day: date, span: Span, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """A span of a day as instants. An hour that occurs twice counts twice; one that is skipped does not exist."""
    ends_on = day + _DAY if span.end == time(0) else day
    opens = _instant(datetime.combine(day, span.start), zone, last=False)
    return opens, _instant(datetime.combine(ends_on, span.end), zone, last=span.end != time(0))


def _instant(local: datetime, zone: ZoneInfo, *, last: bool) -> datetime:
    """A local time in UTC; of one that occurs twice the first or the last, of one that is skipped the moment of the change."""
    early, late = (local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    if early <= late:
        return late if last else early
    before, after = late, early
    offset = before.astimezone(zone).utcoffset()
    while after - before > timedelta.resolution:
        middle = before + (after - before) // 2
        before, after = (middle, after) if middle.astimezone(zone).utcoffset() == offset else (before, middle)
    return after


def _check_spans(spans: Sequence[Span], at: str) -> None:
    if len(spans) > _MOST_SPANS:
        raise Invalid(f"at most {_MOST_SPANS} spans a day", field=at)
    for span in spans:
        if span.end != time(0) and span.end <= span.start:
            raise Invalid("a span ends after it begins, on the same day (00:00 is midnight)", field=at)
    for before, after in pairwise(spans):
        if before.end == time(0) or after.start < before.end:
            raise Invalid("spans come in order and do not overlap", field=at)


def _local_day(moment: datetime, zone: ZoneInfo) -> date:
    return moment.astimezone(zone).date()


@functools.lru_cache(maxsize=1000)
def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise Invalid("is no time zone of the IANA list, as Europe/Berlin", field="timezone") from error


@functools.lru_cache(maxsize=1000)
def _holidays(country: str, subdivision: str | None, year: int) -> frozenset[date]:
    """The public holidays of a year (library `holidays`, which follows each country's law)."""
    supported = holidays.list_supported_countries(include_aliases=False)
    if country not in supported:
        raise Invalid("is no country whose holidays are known (ISO 3166-1, two letters)", field="country")
    if subdivision is not None and subdivision not in supported[country]:
        raise Invalid(f"is no part of {country}; there are {', '.join(supported[country]) or 'none'}", field="subdivision")
    return frozenset(holidays.country_holidays(country, subdiv=subdivision, years=year))


def _spans(given: Any, at: str) -> tuple[Span, ...]:
    if not isinstance(given, list) or not all(isinstance(pair, list | tuple) and len(pair) == 2 for pair in given):
        raise Invalid('must be a list of ["09:00", "17:00"]', field=at[:60])
    return tuple(Span(_time(start, at), _time(end, at)) for start, end in given)


def _time(given: Any, at: str) -> time:
    try:
        if isinstance(given, str) and len(given) == 5:
            return time(0) if given == "24:00" else time.fromisoformat(given)
    except ValueError:
        pass
    raise Invalid("times are HH:MM", field=at[:60])


def _date(given: Any, at: str) -> date:
    try:
        if isinstance(given, str) and len(given) == 10:
            return date.fromisoformat(given)
    except ValueError:
        pass
    raise Invalid("days are YYYY-MM-DD", field=at)


def _text(given: Any, at: str) -> str:
    if not isinstance(given, str) or not 0 < len(given) <= 64:
        raise Invalid("must be a text of at most 64 characters", field=at)
    return given


def _mapping(given: Any, at: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping) or len(given) > _MOST_DATES:
        raise Invalid("must be an object", field=at)
    return given


def _shown(spans: Sequence[Span]) -> list[list[str]]:
    return [[f"{span.start:%H:%M}", "24:00" if span.end == time(0) else f"{span.end:%H:%M}"] for span in spans]
