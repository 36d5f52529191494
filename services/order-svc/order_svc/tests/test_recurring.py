"""Periods never drift, and a price per month is exact."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from order_svc.domain.recurring import Interval, Period, Rhythm, Unit, monthly
from order_svc.tests.builders import eur

UNITS: tuple[Unit, ...] = ("day", "week", "month", "quarter", "year")


def starts(interval: Interval, starts_on: date, count: int, anchor_day: int | None = None) -> list[str]:
    rhythm = Rhythm.beginning(interval, starts_on, anchor_day)
    first = rhythm.number(starts_on)
    return [str(rhythm.start(first + number)) for number in range(count)]


def test_the_31st_is_the_last_day_of_shorter_months_and_comes_back() -> None:
    assert starts(Interval("month"), date(2026, 1, 31), 6) == [
        *("2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"),
    ]
    # A start on the last day of February says nothing of the 31st; the anchor day does.
    assert starts(Interval("month"), date(2026, 2, 28), 3) == ["2026-02-28", "2026-03-28", "2026-04-28"]
    assert starts(Interval("month"), date(2026, 2, 28), 3, anchor_day=31) == ["2026-02-28", "2026-03-31", "2026-04-30"]


def test_golden_starts_of_each_interval() -> None:
    assert starts(Interval("day", 10), date(2026, 2, 25), 3) == ["2026-02-25", "2026-03-07", "2026-03-17"]
    assert starts(Interval("week", 2), date(2026, 12, 28), 3) == ["2026-12-28", "2027-01-11", "2027-01-25"]
    assert starts(Interval("quarter"), date(2025, 11, 30), 3) == ["2025-11-30", "2026-02-28", "2026-05-30"]
    assert starts(Interval("year"), date(2024, 2, 29), 5) == [
        *("2024-02-29", "2025-02-28", "2026-02-28", "2027-02-28", "2028-02-29"),
    ]


def test_a_start_off_the_anchor_day_lies_in_the_period_around_it() -> None:
    rhythm = Rhythm.beginning(Interval("month"), date(2026, 1, 20), 1)
    assert rhythm.period(date(2026, 1, 20)) == Period(date(2026, 1, 1), date(2026, 1, 31))
    rhythm = Rhythm.beginning(Interval("month"), date(2026, 1, 20), 25)
    assert rhythm.period(date(2026, 1, 20)) == Period(date(2025, 12, 25), date(2026, 1, 24))


@given(
    unit=st.sampled_from(UNITS),
    count=st.integers(1, 9),
    starts_on=st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    anchor_day=st.integers(1, 31) | st.none(),
    days=st.integers(0, 4000),
)
def test_every_day_lies_in_exactly_one_period_and_periods_follow_each_other(
    unit: Unit, count: int, starts_on: date, anchor_day: int | None, days: int
) -> None:
    interval = Interval(unit, count)
    rhythm = Rhythm.beginning(interval, starts_on, anchor_day if interval.months else None)
    day = starts_on + timedelta(days=days)
    period, number = rhythm.period(day), rhythm.number(day)
    assert period.first <= day <= period.last
    assert rhythm.period(period.last + timedelta(days=1)).first == period.last + timedelta(days=1)
    assert rhythm.start(number) == period.first
    if interval.months:
        last_of_month = (period.first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        assert period.first.day == min(rhythm.anchor_day, last_of_month.day)
    else:
        assert period.days == interval.days


@pytest.mark.parametrize(
    ("unit", "count", "net", "month"),
    [
        ("month", 1, "100.00", "100.00"),
        ("month", 3, "100.00", "33.33"),
        ("quarter", 1, "200.00", "66.67"),
        ("year", 1, "1000.00", "83.33"),
        ("year", 2, "0.12", "0.01"),  # 0.005 is half up
        ("week", 1, "10.00", "43.33"),
        ("day", 1, "1.00", "30.42"),
        ("day", 30, "36.00", "36.50"),
    ],
)
def test_golden_prices_per_month(unit: Unit, count: int, net: str, month: str) -> None:
    assert monthly(eur(net), Interval(unit, count)) == eur(month)


def test_a_price_per_month_is_in_the_minor_units_of_its_currency() -> None:
    assert monthly(Money.of(1000, "JPY"), Interval("year")) == Money.of(83, "JPY")
    assert monthly(Money.of("1.000", "KWD"), Interval("quarter")) == Money.of("0.333", "KWD")


@pytest.mark.parametrize(("unit", "count"), [("year", 11), ("month", 121), ("quarter", 41), ("week", 522)])
def test_a_period_of_more_than_ten_years_is_refused(unit: Unit, count: int) -> None:
    with pytest.raises(Invalid, match="at most 10 years"):
        Rhythm.beginning(Interval(unit, count), date(2026, 1, 1), None)


def test_periods_of_weeks_have_no_day_of_the_month() -> None:
    with pytest.raises(Invalid, match="no day of the month"):
        Rhythm.beginning(Interval("week"), date(2026, 1, 1), 5)
