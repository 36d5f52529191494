from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid

from ltc_rules.calendar import Calendar, NeverOpen, Span, calendar_of, json_of

OFFICE = (Span(time(9), time(12)), Span(time(13), time(17)))
WEEK = dict.fromkeys(range(5), OFFICE)
BERLIN = Calendar("Europe/Berlin", WEEK, country="DE", subdivision="BE")
HOUR = timedelta(hours=1)


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        ("2026-01-05T09:00", 1, "2026-01-05T10:00"),
        ("2026-01-05T11:30", 1, "2026-01-05T13:30"),  # over lunch
        ("2026-01-05T16:00", 1, "2026-01-05T17:00"),  # to the end of the day, not to the next morning
        ("2026-01-09T16:30", 1, "2026-01-12T09:30"),  # over the weekend
        ("2026-01-10T12:00", 7, "2026-01-12T17:00"),  # from a Saturday
        ("2026-04-02T16:00", 2, "2026-04-07T10:00"),  # over Good Friday and Easter Monday
        ("2026-12-23T16:00", 8, "2026-12-24T17:00"),
    ],
)
def test_golden_dates(start: str, hours: int, end: str) -> None:
    assert BERLIN.add_business(at(start), hours * HOUR) == at(end)
    assert BERLIN.business_between(at(start), at(end)) == hours * HOUR


def test_a_holiday_of_one_part_of_a_country_is_a_working_day_in_another() -> None:
    epiphany = at("2026-01-06T10:00")
    assert BERLIN.is_working(epiphany)
    assert not Calendar("Europe/Berlin", WEEK, country="DE", subdivision="BY").is_working(epiphany)


def test_company_holidays_half_days_and_working_saturdays() -> None:
    calendar = Calendar(
        "Europe/Berlin",
        WEEK,
        country="DE",
        extra_holidays=frozenset({date(2026, 12, 31)}),
        exceptions={date(2026, 12, 24): (Span(time(9), time(12)),), date(2026, 12, 25): OFFICE, date(2026, 12, 26): OFFICE},
    )
    day = timedelta(days=1)
    hours = [calendar.business_between(start, start + day) / HOUR for start in (at(f"2026-12-{n}T00:00") for n in range(23, 32))]
    # Christmas Day is worked by exception, and so is Saturday the 26th.
    assert hours == [7, 3, 7, 7, 0, 7, 7, 7, 0]
    assert calendar.next_opening(at("2026-12-24T12:00")) == at("2026-12-25T09:00")


def test_the_first_instant_of_a_span_is_worked_and_the_last_is_not() -> None:
    assert BERLIN.is_working(at("2026-01-05T09:00"))
    assert not BERLIN.is_working(at("2026-01-05T12:00"))
    assert not BERLIN.is_working(at("2026-01-05T08:59:59"))
    assert BERLIN.next_opening(at("2026-01-05T12:00")) == at("2026-01-05T13:00")
    assert BERLIN.next_opening(at("2026-01-05T13:00")) == at("2026-01-05T13:00")


@pytest.mark.parametrize(
    ("zone", "day", "span", "hours"),
    [
        ("Europe/Berlin", "2026-03-29", ("00:00", "24:00"), 23),
        ("Europe/Berlin", "2026-10-25", ("00:00", "24:00"), 25),
        ("Europe/Berlin", "2026-03-29", ("01:00", "02:30"), 1),  # 02:00 is 03:00
        ("Europe/Berlin", "2026-03-29", ("02:30", "04:00"), 1),
        ("Europe/Berlin", "2026-03-29", ("02:15", "02:45"), 0),
        ("Europe/Berlin", "2026-10-25", ("02:00", "03:00"), 2),
        ("America/Havana", "2026-11-01", ("00:00", "24:00"), 25),  # 00:00 to 01:00 twice
        ("Asia/Beirut", "2026-10-24", ("00:00", "24:00"), 25),  # 23:00 to 24:00 twice
        ("Pacific/Apia", "2011-12-30", ("09:00", "17:00"), 0),  # a day that did not exist
        ("Asia/Kolkata", "2026-03-29", ("09:00", "17:30"), 8.5),
    ],
)
def test_the_days_on_which_clocks_change(zone: str, day: str, span: tuple[str, str], hours: float) -> None:
    calendar = calendar_of(
        {"timezone": zone, "week": {name: [span] for name in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}}
    )
    begin = at(f"{day}T00:00", zone).astimezone(UTC) - timedelta(hours=48)
    counted = [calendar.business_between(begin, begin + timedelta(hours=number)) for number in range(121)]
    assert counted == sorted(counted)
    middle = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    after = (datetime.fromisoformat(day) + timedelta(days=1)).replace(tzinfo=ZoneInfo(zone))
    assert calendar.business_between(middle, after) / HOUR == hours


def test_a_calendar_without_hours_is_refused() -> None:
    for week in ({}, {0: ()}):
        with pytest.raises(NeverOpen):
            Calendar("UTC", week)
    closed = Calendar("UTC", {0: (Span(time(9), time(10)),)})
    with pytest.raises(NeverOpen):
        closed.add_business(datetime(2026, 1, 1, tzinfo=UTC), timedelta(days=400))


@pytest.mark.parametrize(
    ("wrong", "at_"),
    [
        ({"timezone": "Europe/Atlantis"}, "timezone"),
        ({"timezone": "../etc/passwd"}, "timezone"),
        ({"timezone": 1}, "timezone"),
        ({"country": "XX"}, "country"),
        ({"country": "DE", "subdivision": "ZZ"}, "subdivision"),
        ({"subdivision": "BY"}, "subdivision"),
        ({"week": {"monday": [["09:00", "17:00"]]}}, "week"),
        ({"week": {"mon": [["17:00", "09:00"]]}}, "week.mon"),
        ({"week": {"mon": [["09:00", "13:00"], ["12:00", "17:00"]]}}, "week.mon"),
        ({"week": {"mon": [["9", "17"]]}}, "week.mon"),
        ({"week": {"mon": "9-17"}}, "week.mon"),
        ({"week": []}, "week"),
        ({"extra_holidays": ["2026-02-30"]}, "extra_holidays"),
        ({"exceptions": {"soon": []}}, "exceptions"),
        ({"weeks": {}}, "weeks"),
    ],
)
def test_a_calendar_that_makes_no_sense_is_refused_by_attribute(wrong: dict[str, Any], at_: str) -> None:
    good = {"timezone": "Europe/Berlin", "week": {"mon": [["09:00", "17:00"]]}, "exceptions": {"2026-12-24": []}}
    calendar_of(good)
    with pytest.raises(Invalid) as refused:
        calendar_of({**good, **wrong})
    assert refused.value.field == at_


@st.composite
def spans(draw: st.DrawFn) -> tuple[Span, ...]:
    edges = sorted(draw(st.sets(st.integers(0, 95), max_size=6)))
    pairs = zip(edges[::2], edges[1::2], strict=False)
    return tuple(Span(*(time(edge // 4, edge % 4 * 15) for edge in pair)) for pair in pairs)


def _open(week: Mapping[int, Any]) -> bool:
    return any(week.values())


ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia"]
calendars = st.builds(
    Calendar,
    timezone=st.sampled_from(ZONES),
    week=st.dictionaries(st.integers(0, 6), spans(), min_size=1).filter(_open),
    country=st.sampled_from([None, "DE", "US", "CN"]),
    exceptions=st.dictionaries(st.dates(date(2026, 1, 1), date(2026, 12, 31)), spans(), max_size=10),
)
YEAR = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.timedeltas(timedelta(0), timedelta(days=364)).map(lambda passed: YEAR + passed)
durations = st.timedeltas(timedelta(seconds=1), timedelta(hours=40))


@given(calendars, moments, durations)
def test_adding_and_measuring_are_inverse(calendar: Calendar, start: datetime, duration: timedelta) -> None:
    due = calendar.add_business(start, duration)
    assert calendar.business_between(start, due) == duration
    assert calendar.business_between(start, due - timedelta(microseconds=1)) < duration


@given(calendars, moments, moments, durations, durations)
def test_later_or_longer_is_never_earlier(
    calendar: Calendar, a: datetime, b: datetime, short: timedelta, more: timedelta
) -> None:
    first, second = sorted((a, b))
    assert calendar.add_business(first, short) <= calendar.add_business(second, short)
    assert calendar.add_business(a, short) < calendar.add_business(a, short + more)


@given(calendars, moments, moments, moments)
def test_measures_add_up(calendar: Calendar, a: datetime, b: datetime, c: datetime) -> None:
    a, b, c = sorted((a, b, c))
    parts = calendar.business_between(a, b) + calendar.business_between(b, c)
    assert calendar.business_between(a, c) == parts
    assert parts <= c - a
    assert calendar.business_between(c, a) == timedelta(0)


def test_hours_within_the_hour_that_is_skipped_do_not_exist() -> None:
    calendar = Calendar("Europe/Berlin", {6: (Span(time(2, 0), time(2, 15)), Span(time(4, 0), time(5, 0)))})
    day = datetime(2026, 3, 29, tzinfo=UTC)
    assert calendar.open_between(day, day + timedelta(days=1)) == [(day.replace(hour=2), day.replace(hour=3))]
    assert not calendar.is_working(day.replace(hour=1))


@given(calendars, moments, moments)
def test_open_intervals_are_in_order_lie_between_and_add_up_to_the_working_time(
    calendar: Calendar, a: datetime, b: datetime
) -> None:
    a, b = sorted((a, b))
    found = calendar.open_between(a, b)
    assert sum((closes - opens for opens, closes in found), timedelta(0)) == calendar.business_between(a, b)
    assert [moment for span in found for moment in span] == sorted(moment for span in found for moment in span)
    assert all(a <= opens < closes <= b and calendar.is_working(opens) for opens, closes in found)
    assert calendar.open_between(b, a) == []


@given(calendars, moments)
def test_somebody_is_there_when_it_next_opens_and_not_before(calendar: Calendar, moment: datetime) -> None:
    opens = calendar.next_opening(moment)
    assert calendar.is_working(opens)
    assert calendar.business_between(moment, opens) == timedelta(0)
    assert calendar.is_working(moment) is (opens == moment)


@given(calendars)
def test_its_json_reads_back_the_same(calendar: Calendar) -> None:
    same = calendar_of(json_of(calendar))
    assert json_of(same) == json_of(calendar)
