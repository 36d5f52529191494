"""The rules of a delivery, without any IO, and the property that it ends once, whatever comes in whatever order."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import WrongTransition
from ltc_contracts.events import DeliveryCompleted, DeliveryProgressed, DeliveryPromised, Event

from delivery_svc.domain import delivery as rules
from delivery_svc.domain.delivery import (
    TRANSITIONS,
    CompletedBeforePlanned,
    CompletedInTheFuture,
    ProgressGoesBack,
    PromiseInThePast,
    State,
)
from delivery_svc.tests.builders import NOW, a_confirmed_order, a_delivery, a_line, complete, eur

LATER = NOW + timedelta(hours=1)
LINES = (a_line(),)


def test_a_confirmed_order_is_planned_with_its_day_as_the_first_promise() -> None:
    order = a_confirmed_order(promised_on=date(2026, 2, 3))
    delivery, events = rules.plan(order, delivery_id=new_id(), flow_id=new_id(), now=NOW)
    assert (delivery.state, delivery.version, delivery.percent) == ("planned", 1, Decimal(0))
    assert events == [
        DeliveryPromised(delivery_id=delivery.id, order_id=order.order_id, promised_on=date(2026, 2, 3), promise_version=1)
    ]


def test_a_new_day_is_a_new_version_of_the_promise() -> None:
    delivery, [event] = rules.promise(a_delivery(), date(2026, 1, 20), LATER)
    assert isinstance(event, DeliveryPromised)
    assert (delivery.promised_on, delivery.promise_version, delivery.version) == (date(2026, 1, 20), 2, 2)
    assert (event.promised_on, event.promise_version) == (date(2026, 1, 20), 2)


def test_the_day_already_promised_is_no_new_promise() -> None:
    delivery = a_delivery()
    assert rules.promise(delivery, delivery.promised_on, LATER) == (delivery, [])


def test_today_can_be_promised_but_yesterday_cannot() -> None:
    assert rules.promise(a_delivery(), NOW.date(), LATER)[0].promised_on == NOW.date()
    with pytest.raises(PromiseInThePast) as refusal:
        rules.promise(a_delivery(), NOW.date() - timedelta(days=1), LATER)
    assert (refusal.value.kind, refusal.value.field) == ("invalid", "promised_on")


def test_work_that_has_begun_shows_even_at_nothing_done() -> None:
    delivery, [event] = rules.progress(a_delivery(), Decimal(0), None, LATER)
    assert (delivery.state, delivery.percent) == ("in_progress", Decimal(0))
    assert isinstance(event, DeliveryProgressed)


def test_progress_never_goes_back() -> None:
    delivery = a_delivery(state="in_progress", percent=Decimal(60))
    with pytest.raises(ProgressGoesBack) as refusal:
        rules.progress(delivery, Decimal("59.9"), None, LATER)
    assert refusal.value.field == "percent"


def test_the_same_report_again_changes_nothing_but_a_new_note_is_news() -> None:
    delivery, _ = rules.progress(a_delivery(), Decimal(40), "pumps set", NOW)
    assert rules.progress(delivery, Decimal(40), "pumps set", LATER) == (delivery, [])
    assert rules.progress(delivery, Decimal(40), None, LATER) == (delivery, [])
    delivery, [event] = rules.progress(delivery, Decimal(40), "waiting for the crane", LATER)
    assert isinstance(event, DeliveryProgressed)
    assert event.note == delivery.note == "waiting for the crane"


def test_everything_done_does_not_complete_by_itself() -> None:
    delivery, _ = rules.progress(a_delivery(), Decimal(100), None, LATER)
    assert (delivery.state, delivery.completed_at) == ("in_progress", None)


@pytest.mark.parametrize("state", ["planned", "in_progress"])
def test_a_completed_delivery_carries_what_billing_needs(state: State) -> None:
    order = a_confirmed_order(payment_terms_days=45)
    delivery, [event] = complete(a_delivery(order, state=state), order.lines, None, LATER)
    assert (delivery.state, delivery.percent, delivery.completed_at, delivery.on_time) == ("completed", Decimal(100), LATER, True)
    assert event == DeliveryCompleted(
        delivery_id=delivery.id,
        order_id=order.order_id,
        order_number=order.number,
        customer=order.customer,
        lines=order.lines,
        net=order.net,
        payment_terms_days=45,
        promised_on=order.promised_on,
        completed_at=LATER,
        on_time=True,
        parts_told=True,
        handovers=1,
        handed=order.net,
        short=eur("0"),
        beyond=eur("0"),
        changes=0,
    )


@pytest.mark.parametrize(
    ("moment", "on_time"),
    [
        (datetime(2026, 1, 14, 12, tzinfo=UTC), True),
        (datetime(2026, 1, 15, 23, 59, 59, 999999, tzinfo=UTC), True),
        (datetime(2026, 1, 16, tzinfo=UTC), False),
        (datetime(2026, 1, 15, 22, tzinfo=timezone(timedelta(hours=-5))), False),
        (datetime(2026, 1, 16, 1, tzinfo=timezone(timedelta(hours=2))), True),
    ],
)
def test_on_time_is_by_the_end_of_the_promised_day_in_utc(moment: datetime, on_time: bool) -> None:
    delivery, [event] = complete(a_delivery(), LINES, moment, datetime(2026, 2, 1, tzinfo=UTC))
    assert isinstance(event, DeliveryCompleted)
    assert delivery.on_time is event.on_time is on_time


def test_on_time_is_measured_against_the_latest_promise() -> None:
    now = datetime(2026, 1, 18, 12, tzinfo=UTC)
    late, _ = complete(a_delivery(), LINES, None, now)
    moved, _ = rules.promise(a_delivery(), date(2026, 1, 20), NOW)
    kept, [event] = complete(moved, LINES, None, now)
    assert (late.on_time, kept.on_time) == (False, True)
    assert isinstance(event, DeliveryCompleted)
    assert event.promised_on == date(2026, 1, 20)


def test_a_completion_lies_between_planning_and_now() -> None:
    for moment in (NOW, LATER):
        assert complete(a_delivery(), LINES, moment, LATER)[0].completed_at == moment
    with pytest.raises(CompletedInTheFuture):
        complete(a_delivery(), LINES, LATER + timedelta(microseconds=1), LATER)
    with pytest.raises(CompletedBeforePlanned):
        complete(a_delivery(), LINES, NOW - timedelta(microseconds=1), LATER)


def test_the_ends_of_time_are_refused_not_overflowed() -> None:
    with pytest.raises(CompletedInTheFuture):
        complete(a_delivery(), LINES, datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))), LATER)
    with pytest.raises(CompletedBeforePlanned):
        complete(a_delivery(), LINES, datetime.min.replace(tzinfo=timezone(timedelta(hours=12))), LATER)


def test_a_planned_delivery_is_cancelled_on_request() -> None:
    delivery, [event] = rules.decide_cancellation(a_delivery(), "budget cut", NOW, LATER)
    assert delivery.cancellation is not None
    assert (delivery.state, delivery.cancellation.state, delivery.cancellation.reason) == ("cancelled", "granted", "budget cut")
    assert event.TOPIC == "delivery.cancelled"
    assert rules.decide_cancellation(delivery, "budget cut", NOW, LATER) == (delivery, [])


def test_work_begun_refuses_the_request_on_record_and_is_completed() -> None:
    begun, _ = rules.progress(a_delivery(), Decimal(0), None, NOW)
    delivery, events = rules.decide_cancellation(begun, "budget cut", NOW, LATER)
    assert delivery.cancellation is not None
    assert (delivery.state, delivery.cancellation.state, events) == ("in_progress", "refused", [])
    assert rules.decide_cancellation(delivery, "budget cut", NOW, LATER) == (delivery, [])
    assert complete(delivery, LINES, None, LATER)[0].state == "completed"


def test_a_later_request_is_refused_on_record_too() -> None:
    begun, _ = rules.progress(a_delivery(), Decimal(10), None, NOW)
    first, _ = rules.decide_cancellation(begun, "budget cut", NOW, LATER)
    again, _ = rules.decide_cancellation(first, "really", LATER, LATER)
    assert again.cancellation is not None
    assert (again.cancellation.state, again.cancellation.reason) == ("refused", "really")
    assert rules.decide_cancellation(again, "budget cut", NOW, LATER) == (again, [])


def test_a_request_after_completion_changes_nothing() -> None:
    done, _ = complete(a_delivery(), LINES, None, LATER)
    assert rules.decide_cancellation(done, "budget cut", LATER, LATER) == (done, [])


@pytest.mark.parametrize("state", ["completed", "cancelled"])
def test_nothing_can_be_done_with_a_delivery_that_has_ended(state: State) -> None:
    delivery = a_delivery(state=state)
    with pytest.raises(WrongTransition):
        rules.progress(delivery, Decimal(100), None, LATER)
    with pytest.raises(WrongTransition):
        complete(delivery, LINES, None, LATER)
    with pytest.raises(WrongTransition):
        rules.promise(delivery, date(2026, 5, 1), LATER)


def test_a_delivery_ends_completed_or_cancelled_and_never_leaves() -> None:
    assert {state for state, targets in TRANSITIONS.items() if not targets} == {"completed", "cancelled"}
    assert "cancelled" not in TRANSITIONS["in_progress"]


STEPS = st.one_of(
    st.tuples(st.just("progress"), st.integers(0, 100)),
    st.tuples(st.just("promise"), st.integers(-3, 60)),
    st.tuples(st.just("complete"), st.integers(-30, 0)),
    st.tuples(st.just("ask"), st.integers(0, 3)),
)


@settings(deadline=None)  # time is not the point, and test machines are shared
@given(st.lists(STEPS, max_size=25))
def test_whatever_comes_in_whatever_order_a_delivery_ends_at_most_once(steps: list[tuple[str, int]]) -> None:
    delivery, said = a_delivery(), list[Event]()
    for count, (step, value) in enumerate(steps, start=1):
        now, before = NOW + timedelta(days=count), delivery
        events: list[Event] = []
        try:
            if step == "progress":
                delivery, events = rules.progress(delivery, Decimal(value), None, now)
            elif step == "promise":
                delivery, events = rules.promise(delivery, now.date() + timedelta(days=value), now)
            elif step == "complete":
                delivery, events = complete(delivery, LINES, now + timedelta(days=value), now)
            else:
                delivery, events = rules.decide_cancellation(delivery, "budget cut", NOW + timedelta(days=value), now)
        except (WrongTransition, ProgressGoesBack, PromiseInThePast, CompletedBeforePlanned):
            assert delivery == before
        assert delivery.state == before.state or delivery.state in TRANSITIONS[before.state]
        # Each event has a version of its own: an end is a hand-over, and that everything is delivered.
        assert delivery.version == before.version + (2 if step == "complete" and events else delivery != before)
        assert delivery.percent >= before.percent
        assert len(events) <= 1
        said += events
    told = Counter(event.TOPIC for event in said)
    assert told["delivery.completed"] == (delivery.state == "completed")
    assert told["delivery.cancelled"] == (delivery.state == "cancelled")
    assert not (told["delivery.cancelled"] and told["delivery.progressed"])
    assert told["delivery.promised"] == delivery.promise_version - 1
    assert (delivery.on_time is None) == (delivery.state != "completed")
    if delivery.completed_at is not None:
        assert delivery.on_time == (delivery.completed_at.date() <= delivery.promised_on)
