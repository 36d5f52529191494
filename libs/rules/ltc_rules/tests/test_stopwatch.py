"""Golden moments of a stopwatch of business time: nights, weekends, holidays, and clocks that are set on and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from ltc_rules.calendar import Calendar, calendar_of
from ltc_rules.stopwatch import Stopwatch

WEEK = {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
BERLIN = calendar_of({"timezone": "Europe/Berlin", "week": WEEK, "country": "DE"})
NIGHT = calendar_of({"timezone": "Europe/Berlin", "week": {"sun": [["00:00", "06:00"]]}})


def at(text: str, zone: str = "Europe/Berlin") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("calendar", "start", "minutes", "reached"),
    [
        pytest.param(BERLIN, "2026-01-16T16:00", 120, "2026-01-19T10:00", id="over a weekend"),
        pytest.param(BERLIN, "2026-04-02T16:30", 60, "2026-04-07T09:30", id="over Good Friday and Easter Monday"),
        pytest.param(BERLIN, "2026-12-24T16:00", 120, "2026-12-28T10:00", id="over Christmas"),
        pytest.param(BERLIN, "2026-03-27T16:00", 120, "2026-03-30T10:00", id="over the night in which clocks are set on"),
        pytest.param(NIGHT, "2026-03-29T00:00", 240, "2026-03-29T05:00", id="the hour that does not exist does not count"),
        pytest.param(NIGHT, "2026-10-25T00:00", 240, "2026-10-25T03:00", id="the hour that is there twice counts twice"),
    ],
)
def test_a_target_is_reached_at_its_moment(calendar: Calendar, start: str, minutes: int, reached: str) -> None:
    watch = Stopwatch().started(at(start))
    assert watch.reaches(calendar, timedelta(minutes=minutes)) == at(reached)
    assert watch.took(calendar, at(reached)) == timedelta(minutes=minutes)


def test_what_passes_while_it_rests_does_not_count() -> None:
    watch = Stopwatch().started(at("2026-01-16T15:00")).stopped(BERLIN, at("2026-01-16T16:00"))
    assert (watch.used, watch.reaches(BERLIN, timedelta(hours=2))) == (timedelta(hours=1), None)
    assert watch.took(BERLIN, at("2026-02-16T16:00")) == timedelta(hours=1)
    again = watch.started(at("2026-01-20T16:30"))
    assert again.reaches(BERLIN, timedelta(hours=2)) == at("2026-01-21T09:30")
    assert again.reaches(BERLIN, timedelta(minutes=30)) == at("2026-01-20T16:30")
    assert again.started(at("2026-01-25T10:00")) == again
