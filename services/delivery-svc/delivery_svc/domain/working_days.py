"""Days on which somebody works, by a calendar. A day counts if it has hours at all."""

from datetime import date, time, timedelta

from ltc_rules.calendar import Calendar, NeverOpen, Span

# Where nothing else is said.
WEEKDAYS = Calendar(timezone="UTC", week=dict.fromkeys(range(5), (Span(time(8), time(16)),)))
_DAY = timedelta(days=1)
_FURTHEST = 366 * 20


def is_working_day(calendar: Calendar, day: date) -> bool:
    return bool(calendar.spans_of(day))


def on_or_after(calendar: Calendar, day: date) -> date:
    """The day itself, or the next on which somebody works. Raises `NeverOpen` when there is none in 20 years."""
    for _ in range(_FURTHEST):
        if is_working_day(calendar, day):
            return day
        day += _DAY
    raise NeverOpen("there is no working day in the next 20 years", field="week")


def later(calendar: Calendar, day: date, working_days: int) -> date:
    """So many working days after a day; none: the day itself. Raises `NeverOpen`."""
    for _ in range(working_days):
        day = on_or_after(calendar, day + _DAY)
    return day


def between(calendar: Calendar, a: date, b: date) -> int:
    """How many working days lie after `a` up to and with `b`; none when `b` is not after `a`. Counts no further than 20 years."""
    b = min(b, a + _FURTHEST * _DAY)
    days, day = 0, a
    while day < b:
        day += _DAY
        days += is_working_day(calendar, day)
    return days


def on_or_before(calendar: Calendar, day: date) -> date:
    """The day itself, or the last before it on which somebody works. Raises `NeverOpen`."""
    for _ in range(_FURTHEST):
        if is_working_day(calendar, day):
            return day
        day -= _DAY
    raise NeverOpen("there was no working day in the last 20 years", field="week")


def earlier(calendar: Calendar, day: date, working_days: int) -> date:
    """So many working days before a day; none: the day itself. Raises `NeverOpen`."""
    for _ in range(working_days):
        day = on_or_before(calendar, day - _DAY)
    return day
