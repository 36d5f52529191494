"""What a late production means for a promise, in working days: later by what it takes, never earlier, and not at every change of mind."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid
from ltc_rules.calendar import Calendar, Span

from delivery_svc.domain import working_days
from delivery_svc.domain.plan import Plan, Step
from delivery_svc.domain.slip import Patience, ready_on, slip
from delivery_svc.domain.working_days import WEEKDAYS

WORK = (Span(time(8), time(16)),)
GERMAN = Calendar(timezone="Europe/Berlin", week=dict.fromkeys(range(5), WORK), country="DE", subdivision="BY")
PATIENCE = Patience(timedelta(hours=2), 1)
MAKE, SHIP, INSTALL, OTHER = (UUID(int=number) for number in range(1, 5))


def a_plan(make: date, ship: date, install: date) -> Plan:
    line, other = UUID(int=8), UUID(int=9)
    steps = [(MAKE, line, 1, "production", make), (SHIP, line, 2, "shipment", ship), (INSTALL, line, 3, "installation", install)]
    return Plan(
        lines=(),
        steps=(
            *(Step(id=i, line_id=of, position=n, kind=kind, quantity=Decimal(1), planned_on=on) for i, of, n, kind, on in steps),  # type: ignore[arg-type] # the kinds are kinds
            Step(id=OTHER, line_id=other, position=1, kind="shipment", quantity=Decimal(1), planned_on=ship),
        ),
    )


PLAN = a_plan(date(2026, 4, 1), date(2026, 4, 2), date(2026, 4, 9))


def days(plan: Plan) -> dict[UUID, date]:
    return {step.id: step.planned_on for step in plan.steps}


def test_what_follows_moves_by_as_many_working_days_over_easter() -> None:
    """Made on Thursday 2 April instead of Wednesday: Good Friday and Easter Monday are no days to ship on."""
    moved, promised_on = slip(PLAN, MAKE, datetime(2026, 4, 2, 12, tzinfo=UTC), date(2026, 4, 10), GERMAN, PATIENCE)
    assert days(moved) == {
        MAKE: date(2026, 4, 2), SHIP: date(2026, 4, 7), INSTALL: date(2026, 4, 10), OTHER: date(2026, 4, 2),
    }  # fmt: skip
    assert promised_on is None, "the promise has a day to spare"
    moved, promised_on = slip(PLAN, MAKE, datetime(2026, 4, 2, 12, tzinfo=UTC), date(2026, 4, 9), GERMAN, PATIENCE)
    assert promised_on == date(2026, 4, 13), "one day late, one in hand; 11 and 12 are a weekend"
    assert days(moved)[MAKE] == date(2026, 4, 7)


def test_a_day_ends_at_midnight_and_a_closed_day_is_the_next_open_one() -> None:
    none = timedelta(0)
    assert ready_on(datetime(2026, 4, 2, 0, 0, tzinfo=UTC), GERMAN, none) == date(2026, 4, 1)
    assert ready_on(datetime(2026, 4, 2, 0, 1, tzinfo=UTC), GERMAN, none) == date(2026, 4, 2)
    assert ready_on(datetime(2026, 4, 2, 0, 1, tzinfo=UTC), GERMAN, timedelta(hours=1)) == date(2026, 4, 1)
    assert ready_on(datetime(2026, 4, 3, 12, tzinfo=UTC), GERMAN, none) == date(2026, 4, 7)


def test_a_calendar_that_is_never_open_is_not_looked_through_for_ever() -> None:
    mondays = [date(2026, 1, 5) + timedelta(7 * number) for number in range(1998)]
    never = Calendar(
        timezone="UTC", week={0: WORK}, extra_holidays=frozenset(mondays[:999]), exceptions=dict.fromkeys(mondays[999:], ())
    )
    with pytest.raises(Invalid):
        working_days.on_or_after(never, date(2026, 1, 1))
    assert working_days.between(never, date(2026, 1, 1), date(9999, 12, 31)) == 0


@given(st.dates(date(2026, 1, 1), date(2027, 1, 1)), st.integers(0, 60))
def test_counting_and_adding_are_inverse(day: date, count: int) -> None:
    start = working_days.on_or_after(GERMAN, day)
    assert working_days.between(GERMAN, start, working_days.later(GERMAN, start, count)) == count


@given(st.lists(st.integers(0, 60 * 24), min_size=1, max_size=30), st.integers(0, 5))
def test_a_promise_only_moves_later_and_then_holds_what_was_expected(ends: list[int], in_hand: int) -> None:
    """However often an MES changes its mind."""
    plan, promised = PLAN, date(2026, 4, 9)
    for hours in ends:
        ready_at = datetime(2026, 3, 30, tzinfo=UTC) + timedelta(hours=hours)
        before = plan
        plan, again = slip(plan, MAKE, ready_at, promised, WEEKDAYS, Patience(timedelta(hours=2), in_hand))
        if again is not None:
            assert again > promised
            promised = again
        assert ready_on(ready_at, WEEKDAYS, timedelta(hours=2)) <= days(plan)[MAKE]
        assert days(plan)[INSTALL] <= promised
        assert all(days(plan)[step] >= days(before)[step] for step in days(plan))
        assert slip(plan, MAKE, ready_at, promised, WEEKDAYS, Patience(timedelta(hours=2), in_hand)) == (plan, None)
