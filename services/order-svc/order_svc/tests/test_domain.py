"""The rules of an order, without any IO, and the property that facts may come in any order, any number of times."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import WrongTransition
from ltc_contracts.events import OrderCancelled, OrderClosed, OrderConfirmed, OrderFulfilled, OrderReceived
from ltc_contracts.money import CurrencyMismatch, Money

from order_svc.domain import cancellation, fulfilment
from order_svc.domain import order as rules
from order_svc.domain.order import TRANSITIONS, Change, Order, PromiseRule, State
from order_svc.domain.placement import Placement
from order_svc.tests.builders import NOW, RULE, a_contract, a_line, an_order, eur
from order_svc.tests.worlds import World, worlds

TODAY = NOW.date()
LATER = NOW + timedelta(hours=1)


def topics(changes: list[Change]) -> list[str]:
    return [change.event.TOPIC for change in changes if change.event is not None]


def test_an_order_takes_the_lines_of_its_contract_unchanged() -> None:
    contract = a_contract(lines=(a_line(), a_line(sku="HOSE", quantity=Decimal("2.5"))), requested_on=date(2026, 3, 1))
    order, received = rules.receive(
        Placement.of_contract(contract), order_id=new_id(), flow_id=new_id(), number="O-2026-000007", now=NOW
    )
    order, confirmed = rules.confirm(order, contract.lines, RULE, NOW)
    assert order.state == "confirmed"
    first, second = received[0].event, confirmed[0].event
    assert isinstance(first, OrderReceived)
    assert isinstance(second, OrderConfirmed)
    assert first.lines == second.lines == contract.lines
    assert (second.net, second.payment_terms_days, second.promised_on) == (contract.net, 30, date(2026, 3, 1))
    assert [change.version for change in received + confirmed] == [1, 2]


@pytest.mark.parametrize(("requested_in", "promised_in"), [(None, 14), (-3, 14), (0, 14), (13, 14), (14, 14), (15, 15), (90, 90)])
def test_the_requested_day_is_promised_when_it_leaves_the_lead_time(requested_in: int | None, promised_in: int) -> None:
    requested = None if requested_in is None else TODAY + timedelta(days=requested_in)
    assert rules.promise_day(requested, TODAY, RULE) == TODAY + timedelta(days=promised_in)


@settings(deadline=None)  # time is not the point, and test machines are shared
@given(st.none() | st.dates(date(2020, 1, 1), date(2040, 1, 1)), st.integers(0, 400))
def test_a_promise_never_breaks_the_lead_time_nor_comes_before_the_requested_day(asked: date | None, lead: int) -> None:
    promised = rules.promise_day(asked, TODAY, PromiseRule(lead))
    assert promised >= TODAY + timedelta(days=lead)
    assert asked is None or promised >= asked


def test_an_order_number_has_the_year_and_six_digits_or_more() -> None:
    assert rules.format_number(2026, 42) == "O-2026-000042"
    assert rules.format_number(2026, 1_234_567) == "O-2026-1234567"


def test_progress_begins_the_order_even_at_nothing_delivered() -> None:
    order, changes = fulfilment.progress(an_order(), Decimal(0), LATER)
    assert (order.state, order.percent_delivered, order.version, order.updated_at) == ("in_progress", Decimal(0), 4, LATER)
    assert [(change.from_state, change.to_state) for change in changes] == [("confirmed", "in_progress")]


def test_progress_never_goes_back() -> None:
    order = an_order(state="in_progress", percent_delivered=Decimal(60))
    assert fulfilment.progress(order, Decimal(40), LATER) == (order, [])
    assert fulfilment.progress(order, Decimal(60), LATER) == (order, [])


@pytest.mark.parametrize("state", ["fulfilled", "closed", "cancelled"])
def test_late_progress_says_nothing_new_about_a_decided_order(state: State) -> None:
    order = an_order(state=state)
    assert fulfilment.progress(order, Decimal(80), LATER) == (order, [])


def test_full_progress_alone_does_not_fulfil() -> None:
    order, _ = fulfilment.progress(an_order(), Decimal(100), LATER)
    assert (order.state, order.percent_delivered) == ("in_progress", Decimal(100))


@pytest.mark.parametrize("state", ["confirmed", "in_progress"])
def test_a_completed_delivery_fulfils_and_payment_then_closes(state: State) -> None:
    order, changes = fulfilment.fulfil(an_order(state=state), new_id(), LATER)
    assert (order.state, order.percent_delivered, topics(changes)) == ("fulfilled", Decimal(100), ["order.fulfilled"])
    order, _ = fulfilment.note_invoice(order, order.gross, order.net, LATER, LATER)
    order, changes = fulfilment.settle(order, eur("1223.97"), LATER)
    assert (order.state, topics(changes)) == ("closed", ["order.closed"])
    closed = changes[0].event
    assert isinstance(closed, OrderClosed)
    assert closed.collected == eur("1223.97")


def test_payment_before_delivery_is_remembered_and_closes_at_fulfilment() -> None:
    order, changes = fulfilment.settle(an_order(), eur("1223.97"), LATER)
    assert (order.state, order.paid, changes) == ("confirmed", True, [])
    order, _ = fulfilment.note_invoice(order, order.gross, order.net, LATER, LATER)
    order, changes = fulfilment.fulfil(order, new_id(), LATER)
    assert (order.state, topics(changes)) == ("closed", ["order.fulfilled", "order.closed"])
    assert changes[0].version < changes[1].version == order.version


def test_an_order_that_is_delivered_and_invoiced_in_parts_closes_when_the_last_part_is_paid() -> None:
    order, _ = fulfilment.hand_over(an_order(), eur("300.00"), Decimal(30), LATER)
    order, _ = fulfilment.note_invoice(order, eur("357.00"), eur("300.00"), LATER, LATER)
    order, _ = fulfilment.settle(order, eur("357.00"), LATER)
    order, _ = fulfilment.fulfil(order, new_id(), LATER, handovers=2)
    assert order.state == "fulfilled"  # the second hand-over is told late
    order, _ = fulfilment.hand_over(order, eur("700.00"), Decimal(100), LATER)
    order, _ = fulfilment.note_invoice(order, eur("833.00"), eur("700.00"), LATER, LATER)
    assert order.state == "fulfilled"
    order, changes = fulfilment.settle(order, eur("1190.00"), LATER)
    [closed] = [change.event for change in changes]
    assert isinstance(closed, OrderClosed)
    assert closed.collected == eur("1190.00")


def test_money_after_closing_is_counted_and_closes_nothing_twice() -> None:
    order, changes = fulfilment.settle(an_order(state="closed", collected=eur("10.00")), eur("15.00"), LATER)
    assert (order.state, order.collected, changes) == ("closed", eur("15.00"), [])


def test_money_of_another_currency_is_refused() -> None:
    with pytest.raises(CurrencyMismatch):
        fulfilment.settle(an_order(), Money.of("5.00", "USD"), LATER)


def test_a_cancellation_is_a_request_that_delivery_grants() -> None:
    order, changes = cancellation.request_cancellation(an_order(), "budget cut", LATER)
    assert (order.state, topics(changes)) == ("cancelling", ["order.cancellation_requested"])
    order, changes = cancellation.cancel(order, "budget cut", LATER)
    assert order.cancellation is not None
    assert (order.state, order.cancellation.state, order.cancellation.decided_at) == ("cancelled", "granted", LATER)
    [change] = changes
    assert isinstance(change.event, OrderCancelled)
    assert (change.event.reason, change.event.net) == ("budget cut", order.net)


def test_asking_twice_before_the_answer_changes_nothing() -> None:
    order, _ = cancellation.request_cancellation(an_order(), "budget cut", NOW)
    assert cancellation.request_cancellation(order, "again", LATER) == (order, [])


@pytest.mark.parametrize("before", ["confirmed", "in_progress"])
def test_completion_while_cancelling_refuses_the_request(before: State) -> None:
    order, _ = cancellation.request_cancellation(an_order(state=before), "budget cut", NOW)
    order, changes = fulfilment.fulfil(order, new_id(), LATER)
    assert order.cancellation is not None
    assert (order.state, order.cancellation.state, order.cancellation.reason) == ("fulfilled", "refused", "budget cut")
    assert [change.to_state for change in changes] == [before, "fulfilled"]
    assert topics(changes) == ["order.fulfilled"]


def test_progress_while_cancelling_refuses_the_request_and_goes_on() -> None:
    order, _ = cancellation.request_cancellation(an_order(), "budget cut", NOW)
    order, changes = fulfilment.progress(order, Decimal(10), LATER)
    assert order.cancellation is not None
    assert (order.state, order.cancellation.state, order.percent_delivered) == ("in_progress", "refused", Decimal(10))
    assert [change.to_state for change in changes] == ["confirmed", "in_progress"]
    assert topics(changes) == []


def test_a_refused_customer_may_ask_again() -> None:
    order, _ = cancellation.request_cancellation(an_order(), "budget cut", NOW)
    order, _ = fulfilment.progress(order, Decimal(10), NOW)
    order, changes = cancellation.request_cancellation(order, "really", LATER)
    assert order.cancellation is not None
    assert (order.state, order.cancellation.return_to, topics(changes)) == (
        "cancelling",
        "in_progress",
        ["order.cancellation_requested"],
    )


@pytest.mark.parametrize("state", ["received", "fulfilled", "closed", "cancelled"])
def test_cancellation_cannot_be_asked_for_from_here(state: State) -> None:
    with pytest.raises(WrongTransition):
        cancellation.request_cancellation(an_order(state=state), "budget cut", LATER)


def test_what_contradicts_a_decision_is_refused_not_swallowed() -> None:
    with pytest.raises(WrongTransition):
        fulfilment.fulfil(an_order(state="cancelled"), new_id(), LATER)
    for state in ("fulfilled", "closed"):
        with pytest.raises(WrongTransition):
            cancellation.cancel(an_order(state=state), "no", LATER)


def test_every_state_is_reachable_and_only_the_end_has_no_exit() -> None:
    assert {to for targets in TRANSITIONS.values() for to in targets} | {"received"} == set(TRANSITIONS)
    assert {state for state, targets in TRANSITIONS.items() if not targets} == {"closed", "cancelled"}


def play(world: World) -> tuple[Order, list[Change]]:
    """Apply the world's facts in its order; a hand-over and an invoice count once, as the store sees to."""
    order, history = an_order(), []
    known: set[str] = set()
    for fact in world.facts:
        decided: tuple[Order, list[Change]] = (order, [])
        if fact.kind == "ask":
            try:
                decided = cancellation.request_cancellation(order, "budget cut", LATER)
            except WrongTransition:
                assert order.state in {"fulfilled", "closed", "cancelled"}
        elif fact.kind == "progressed":
            decided = fulfilment.progress(order, fact.amount, LATER)
        elif fact.kind == "completed":
            decided = fulfilment.fulfil(order, world.delivery_id, LATER, handovers=int(fact.amount) or None)
        elif fact.kind == "cancelled":
            decided = cancellation.cancel(order, "budget cut", LATER)
        elif fact.name not in known:
            known.add(fact.name)
            amount = eur(str(fact.amount))
            if fact.kind == "handed_over":
                decided = fulfilment.hand_over(order, amount, Decimal(0), LATER)
            elif fact.kind == "issued":
                decided = fulfilment.note_invoice(order, amount, amount, LATER, LATER)
            else:
                money = amount if order.collected is None else order.collected + amount
                decided = fulfilment.settle(order, money, LATER)
        before, (order, changes) = order, decided
        assert order.percent_delivered >= before.percent_delivered
        for change in changes:
            assert change.from_state is not None
            assert change.to_state in TRANSITIONS[change.from_state]
            assert before.version < change.version <= order.version
        history += changes
    return order, history


@settings(deadline=None)  # time is not the point, and test machines are shared
@given(worlds())
def test_any_interleaving_and_repetition_of_facts_ends_in_the_same_legal_state(world: World) -> None:
    order, history = play(world)
    assert order.state == world.expected_state
    told = Counter(change.event.TOPIC for change in history if change.event is not None)
    told.pop("order.cancellation_requested", None)
    assert dict(told) == world.expected_topics
    assert order.cancellation is None or order.cancellation.state == world.expected_cancellation
    collected = world.expected_collected
    assert order.collected == (None if collected is None else eur(str(collected)))
    assert [change.to_state for change in history[:-1]] == [change.from_state for change in history[1:]]
    versions = [change.version for change in history]
    assert versions == sorted(set(versions))


def test_a_fulfilled_order_names_its_delivery() -> None:
    delivery_id = new_id()
    order, [change] = fulfilment.fulfil(replace(an_order(), state="in_progress"), delivery_id, LATER)
    assert order.delivery_id == delivery_id
    assert isinstance(change.event, OrderFulfilled)
    assert change.event.delivery_id == delivery_id
