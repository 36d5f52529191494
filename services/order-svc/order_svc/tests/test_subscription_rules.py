"""Subscriptions by the rules alone: golden months, and random histories in which no money appears or disappears."""

from datetime import date
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, WrongTransition
from ltc_contracts.events import Line, SubscriptionEnded, SubscriptionRevenueMoved

from order_svc.domain import amendment, renewal, suspension, termination
from order_svc.domain import subscription as rules
from order_svc.domain.amendment import NoFurtherPeriod
from order_svc.domain.recurring import Interval, Unit
from order_svc.domain.subscription import TRANSITIONS
from order_svc.tests.builders import eur
from order_svc.tests.subscribers import Life, agreed
from order_svc.tests.test_proration import again, priced

START = date(2026, 1, 31)


def alive(lines: tuple[Line, ...] = (), starts_on: date = START, **more: Any) -> Life:
    life = Life(agreed(lines or (priced("31.00"),), starts_on, **more).subscription, starts_on)
    life.catch_up()
    return life


def periods(life: Life) -> list[tuple[str, str, str]]:
    return [(str(order.period.first), str(order.period.last), str(order.bill.net.amount)) for order in life.orders]


def moves(life: Life) -> list[tuple[str, str]]:
    return [(event.kind, str(event.delta.amount)) for event in life.events if isinstance(event, SubscriptionRevenueMoved)]


def test_a_year_from_the_31st_is_ordered_month_by_month_without_drifting() -> None:
    life = alive()
    life.wait(90)
    assert periods(life) == [
        ("2026-01-31", "2026-02-27", "31.00"),
        ("2026-02-28", "2026-03-30", "31.00"),
        ("2026-03-31", "2026-04-29", "31.00"),
        ("2026-04-30", "2026-05-30", "31.00"),
    ]
    life.check()


def test_a_start_off_the_anchor_day_begins_with_a_part_of_a_period() -> None:
    life = alive(starts_on=date(2026, 1, 22), anchor_day=1)
    life.wait(10)
    assert periods(life) == [("2026-01-22", "2026-01-31", "10.00"), ("2026-02-01", "2026-02-28", "31.00")]


def test_terms_end_by_themselves() -> None:
    life = alive(terms=2)
    life.wait(200)
    assert periods(life) == [("2026-01-31", "2026-02-27", "31.00"), ("2026-02-28", "2026-03-30", "31.00")]
    [ended] = [event for event in life.events if isinstance(event, SubscriptionEnded)]
    assert (ended.ended_on, ended.cause, ended.credit_left) == (date(2026, 3, 30), "terms", eur("0.00"))
    assert moves(life) == [("new", "31.00"), ("churn", "-31.00")]


def test_golden_downgrade_lessens_the_next_period() -> None:
    line = priced("62.00")
    life = alive((line,), date(2026, 3, 1))
    life.wait(10)
    life.wish("change", (again(line, "31.00"),), "now", "period_end")  # 21 days at 1.00 less
    assert life.subscription.balance == eur("21.00")
    life.wait(21)
    assert periods(life) == [("2026-03-01", "2026-03-31", "62.00"), ("2026-04-01", "2026-04-30", "10.00")]
    assert moves(life) == [("new", "62.00"), ("contraction", "-31.00")]
    life.check()


def test_golden_upgrade_is_ordered_at_once_for_the_rest() -> None:
    line = priced("31.00")
    life = alive((line,), date(2026, 3, 1))
    life.wait(10)
    life.wish("change", (again(line, "62.00"),), "now", "period_end")
    life.wait(21)
    assert periods(life)[1:] == [("2026-03-11", "2026-03-31", "21.00"), ("2026-04-01", "2026-04-30", "62.00")]
    assert moves(life) == [("new", "31.00"), ("expansion", "31.00")]


def test_a_change_at_the_next_period_moves_no_money_before_it() -> None:
    line = priced("31.00")
    life = alive((line,), date(2026, 3, 1))
    life.wait(10)
    life.wish("change", (again(line, "62.00"),), "renewal", "period_end")
    assert (life.subscription.balance, moves(life)) == (eur("0.00"), [("new", "31.00")])
    coming = renewal.upcoming(life.subscription, 2)
    life.wait(60)
    assert life.orders[1:] == coming
    assert [order.bill.net for order in life.orders] == [eur("31.00"), eur("62.00"), eur("62.00")]
    assert moves(life) == [("new", "31.00"), ("expansion", "31.00")]


def test_golden_pause_credits_and_periods_go_on_meanwhile() -> None:
    life = alive((priced("30.00"),), date(2026, 4, 1))
    life.wait(10)
    life.wish("pause", (), "now", "period_end")
    assert life.subscription.balance == eur("20.00")
    life.wait(35)  # until 16 May: 16 of 31 days are left
    life.wish("resume", (), "now", "period_end")
    assert periods(life)[1:] == [("2026-05-16", "2026-05-31", "0.00")]
    assert life.orders[1].bill.charged == eur("15.48")
    life.wait(16)
    assert periods(life)[2:] == [("2026-06-01", "2026-06-30", "25.48")]
    assert moves(life) == [("new", "30.00"), ("churn", "-30.00"), ("reactivation", "30.00")]
    life.check()


@pytest.mark.parametrize(
    ("notice_days", "at", "ends_on", "left"),
    [
        (0, "period_end", "2026-04-30", "0.00"),
        (20, "period_end", "2026-04-30", "0.00"),
        (21, "period_end", "2026-05-31", "0.00"),
        (5, "notice", "2026-04-15", "15.00"),
        (0, "notice", "2026-04-10", "20.00"),
    ],
)
def test_golden_ends_by_notice(notice_days: int, at: termination.CancelAt, ends_on: str, left: str) -> None:
    life = alive((priced("30.00"),), date(2026, 4, 1), notice_days=notice_days)
    life.wait(9)  # it is the 10th
    life.wish("cancel", (), "now", at)
    assert str(life.subscription.ends_on) == ends_on
    life.wait(60)
    [ended] = [event for event in life.events if isinstance(event, SubscriptionEnded)]
    assert (str(ended.ended_on), ended.credit_left) == (ends_on, eur(left))
    life.check()


def test_a_last_period_is_ordered_up_to_the_last_day_only_and_whole_when_it_goes_on() -> None:
    life = alive((priced("30.00"),), date(2026, 4, 1), notice_days=40)
    life.wish("cancel", (), "now", "notice")  # the last day is 11 May
    life.wait(30)
    assert periods(life)[1:] == [("2026-05-01", "2026-05-11", "10.65")]
    life.wish("withdraw", (), "now", "notice")
    life.wait(11)
    assert periods(life)[2:] == [("2026-05-12", "2026-05-31", "19.35")]
    life.check()


def test_what_is_not_served_ends_at_once() -> None:
    life = alive()
    life.wish("pause", (), "now", "period_end")
    life.wish("cancel", (), "now", "period_end")
    assert life.subscription.state == "ended"
    waiting = agreed((priced("1.00"),), date(2026, 5, 1), now=rules.beginning_of(START)).subscription
    step = termination.cancel(waiting, "period_end", "no", rules.beginning_of(START))
    assert [fact.what for fact in step.facts] == ["cancelled", "ended"]
    assert step.subscription.next_on is None


def test_no_change_waits_for_a_period_that_never_begins() -> None:
    line = priced("31.00")
    life = alive((line,), terms=1)
    with pytest.raises(NoFurtherPeriod):
        amendment.assess(life.subscription, (again(line, "1.00"),), "renewal", life.now)


def test_the_lines_as_they_are_change_nothing_or_take_a_waiting_change_back() -> None:
    line = priced("31.00")
    life = alive((line,))
    for when in ("now", "renewal"):
        with pytest.raises(Invalid, match="its lines already"):
            amendment.assess(life.subscription, (line,), when, life.now)
    life.wish("change", (again(line, "1.00"),), "renewal", "period_end")
    life.wish("change", (line,), "renewal", "period_end")
    assert life.subscription.pending is None


@pytest.mark.parametrize("state", [*TRANSITIONS])
@pytest.mark.parametrize("verb", ["change", "pause", "resume", "cancel", "withdraw cancellation"])
def test_each_wish_is_refused_in_the_states_that_do_not_know_it(state: rules.State, verb: str) -> None:
    life, line = alive((priced("31.00"),)), priced("1.00")
    paths: dict[str, list[str]] = {"paused": ["pause"], "cancelling": ["cancel"], "ended": ["pause", "cancel"]}
    for step in paths.get(state, []):
        life.wish(step, (), "now", "period_end")
    subscription = life.subscription
    if state == "scheduled":
        subscription = agreed((line,), date(2026, 5, 1), now=life.now).subscription
    assert subscription.state == state
    verbs = {
        "change": lambda: amendment.assess(subscription, (line,), "now", life.now).step,
        "pause": lambda: suspension.pause(subscription, None, life.now),
        "resume": lambda: suspension.resume(subscription, life.now),
        "cancel": lambda: termination.cancel(subscription, "period_end", "x", life.now),
        "withdraw cancellation": lambda: termination.withdraw(subscription, "x", life.now),
    }
    if verb in TRANSITIONS[state]:
        assert verbs[verb]().subscription.state == TRANSITIONS[state][verb]
    else:
        with pytest.raises(WrongTransition):
            verbs[verb]()


cents = st.integers(0, 100_000)
wishes = st.lists(
    st.tuples(
        st.integers(0, 45),
        st.sampled_from(("change", "change", "change", "pause", "resume", "resume", "cancel", "withdraw", "order")),
        st.lists(st.tuples(cents, st.integers(1, 20), st.booleans()), min_size=1, max_size=3),
        st.sampled_from(("now", "now", "renewal")),
        st.sampled_from(("period_end", "notice")),
    ),
    max_size=14,
)


@settings(max_examples=150, deadline=None)
@given(
    unit=st.sampled_from(("day", "week", "month", "quarter", "year")),
    count=st.integers(1, 3),
    starts_on=st.dates(date(2024, 1, 1), date(2028, 12, 31)),
    anchor_day=st.integers(1, 31) | st.none(),
    terms=st.integers(1, 30) | st.none(),
    notice_days=st.integers(0, 70),
    first=cents,
    history=wishes,
)
@example(
    unit="month", count=1, starts_on=date(2024, 1, 31), anchor_day=None, terms=None, notice_days=40, first=3100,
    history=[(9, "cancel", [(1, 1, True)], "now", "notice"), (30, "withdraw", [(1, 1, True)], "now", "notice"),
             (1, "change", [(9900, 2, False)], "now", "notice"), (0, "pause", [(1, 1, True)], "now", "notice")],
)  # fmt: skip
def test_in_no_history_money_appears_or_disappears_and_the_movements_add_up_to_the_mrr(
    unit: Unit,
    count: int,
    starts_on: date,
    anchor_day: int | None,
    terms: int | None,
    notice_days: int,
    first: int,
    history: list[tuple[int, str, list[tuple[int, int, bool]], amendment.When, termination.CancelAt]],
) -> None:
    line = priced(f"{first / 100:.2f}")
    interval = Interval(unit, count)
    life = alive(
        (line, priced("10.00", rate="7")),
        starts_on,
        interval=interval,
        anchor_day=anchor_day if interval.months else None,
        terms=terms,
        notice_days=notice_days,
    )
    life.check()
    for days, what, drawn, when, at in history:
        life.wait(days)
        life.check()
        known = life.subscription.lines[0]
        lines = [
            priced(f"{price / 100:.2f}", str(quantity), line_id=known.line_id if goes_on and not number else new_id())
            for number, (price, quantity, goes_on) in enumerate(drawn)
        ]
        if what == "order":
            life.cancel_order(first + len(life.orders) * days)
        else:
            life.wish(what, tuple(lines), when, at)
        life.check()
    coming = renewal.upcoming(life.subscription, 3)
    known_orders = len(life.orders)
    life.wait(120)
    life.check()
    assert life.orders[known_orders:][: len(coming)] == coming[: len(life.orders) - known_orders]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from((0, 0, 5, 20)),
            st.sampled_from(("order", "order", "change", "change", "pause", "resume")),
            st.integers(0, 20_000),
            st.integers(0, 3),
        ),
        min_size=4,
        max_size=25,
    )
)
def test_orders_may_be_cancelled_in_any_order_and_no_money_appears_or_disappears(
    history: list[tuple[int, str, int, int]],
) -> None:
    life = alive((priced("30.00"), priced("10.00", rate="7")), date(2026, 1, 1))
    for days, what, price, number in history:
        life.wait(days)
        if what == "order":
            life.cancel_order(number)
        else:
            line = again(life.subscription.lines[0], f"{price / 100:.2f}")
            life.wish(what, (line, *life.subscription.lines[1:]), "now", "period_end")
        life.check()
