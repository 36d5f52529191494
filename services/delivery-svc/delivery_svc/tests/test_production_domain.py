"""The rules of production orders, without a database: what an MES tells moves them, once, in whatever order it arrives."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import WrongTransition
from ltc_contracts.events import Event, MesProductionProgressed

from delivery_svc.domain import production as rules
from delivery_svc.domain.production import (
    MOST_ATTEMPTS,
    OPEN,
    TRANSITIONS,
    NothingToReorder,
    Production,
    ReportedInTheFuture,
    ReportedMomentOutOfRange,
    Wanted,
)

NOW = datetime(2026, 1, 5, 8, tzinfo=UTC)
LATER = NOW + timedelta(days=3)


def a_production(**more: Any) -> Production:
    given: dict[str, Any] = {
        "id": new_id(), "flow_id": new_id(), "version": 1, "number": "P-2026-000001", "delivery_id": UUID(int=1), "order_id": UUID(int=2),
        "order_number": "O-2026-000001", "line_id": UUID(int=3), "step_id": UUID(int=4), "sku": "PUMP-7", "description": "Pump",
        "quantity": Decimal(10), "start_on": date(2026, 1, 6), "needed_by": date(2026, 1, 9), "priority": 50,
        "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Production(**given | more)


def a_report(production: Production, hours: float, good: int = 0, **more: Any) -> MesProductionProgressed:
    given: dict[str, Any] = {
        "production_id": production.id, "state": "Running", "quantity_good": Decimal(good), "quantity_scrap": Decimal(0),
        "as_of": NOW + timedelta(hours=hours),
    }  # fmt: skip
    return MesProductionProgressed(**given | more)


def learnt(production: Production, *reports: MesProductionProgressed) -> tuple[Production, list[Event]]:
    said: list[Event] = []
    for report in reports:
        production, events = rules.learn(production, report, LATER)
        said += events
    return production, said


def test_a_job_begins_and_is_complete_when_all_its_pieces_are_good() -> None:
    p = a_production()
    p, said = learnt(p, a_report(p, 0, state="AllowedToStart"))
    assert (p.state, said) == ("ordered", [])
    p, said = learnt(p, a_report(p, 1, actual_start=NOW, work_center="WC-1"), a_report(p, 2, 5, quantity_scrap=Decimal(2)))
    assert (p.state, p.report.quantity_good, p.report.quantity_scrap, said) == ("in_progress", Decimal(5), Decimal(2), [])
    p, [done] = learnt(p, a_report(p, 3, 10, state="Ended", actual_end=NOW + timedelta(hours=2.5)))
    assert (p.state, p.ended_at) == ("completed", NOW + timedelta(hours=2.5))
    assert done.model_dump(include={"started_at", "work_center", "quantity_good", "late"}) == {
        "started_at": NOW, "work_center": "WC-1", "quantity_good": Decimal(10), "late": False,
    }  # fmt: skip


def test_what_is_older_or_told_again_changes_nothing() -> None:
    p = a_production()
    p, _ = learnt(p, a_report(p, 2, 5, sequence=3))
    for old in (a_report(p, 1, 9), a_report(p, 2, 5, sequence=3), a_report(p, 2, 7, sequence=2)):
        assert rules.learn(p, old, LATER) == (p, [])
    assert rules.learn(p, a_report(p, 2, 7, sequence=4), LATER)[0].report.quantity_good == 7


def test_the_order_of_arrival_makes_no_difference_to_where_it_ends() -> None:
    p = a_production()
    reports = [a_report(p, 1, 2), a_report(p, 2, 6, quantity_scrap=Decimal(1)), a_report(p, 3, 6, state="Interrupted"),
               a_report(p, 4, 10, quantity_scrap=Decimal(1), state="Ended")]  # fmt: skip
    for order in permutations(reports):
        ended, said = learnt(p, *order, *order)
        assert (ended.state, ended.report.as_of, [event.TOPIC for event in said]) == (
            "completed", reports[-1].as_of, ["production.completed"],
        )  # fmt: skip


def test_more_than_ordered_completes_and_the_surplus_is_the_shop_floors() -> None:
    p = a_production()
    p, [done] = learnt(p, a_report(p, 1, 12, state="Ended"))
    assert (p.state, done.model_dump()["quantity_good"], rules.made([p])) == ("completed", Decimal(12), Decimal(10))


def test_one_that_ends_short_fails_and_the_rest_is_ordered_anew_until_a_person_has_to_decide() -> None:
    p = a_production()
    p, [failed] = learnt(p, a_report(p, 1, 8, state="Ended", quantity_scrap=Decimal(4), reason="out of material"))
    assert (p.state, p.failure, p.reordered, p.stuck) == ("failed", "short", True, False)
    assert failed.model_dump(include={"missing", "code", "reordered"}) == {"missing": 2, "code": "short", "reordered": True}
    p = a_production(attempt=MOST_ATTEMPTS)
    p, _ = learnt(p, a_report(p, 1, 8, state="Ended"))
    assert (p.reordered, p.stuck) == (False, True)


def test_an_abort_waits_for_a_person_who_orders_anew_once() -> None:
    p = a_production()
    p, [failed] = learnt(p, a_report(p, 1, 3, state="Aborted", reason="drawing is wrong"))
    assert (p.failure, p.stuck, failed.model_dump()["reason"]) == ("aborted", True, "drawing is wrong")
    again = rules.reorder(p, LATER)
    assert again.reordered
    with pytest.raises(NothingToReorder):
        rules.reorder(again, LATER)
    with pytest.raises(NothingToReorder):
        rules.reorder(a_production(), LATER)


def test_figures_are_restated_after_the_end_and_pieces_that_are_there_after_all_complete_it() -> None:
    p = a_production()
    p, _ = learnt(p, a_report(p, 1, 10, state="Ended"))
    p, said = learnt(p, a_report(p, 2, 9, state="Ended", quantity_scrap=Decimal(1)))
    assert (p.state, p.report.quantity_good, said) == ("completed", Decimal(9), [])
    p = a_production()
    p, _ = learnt(p, a_report(p, 1, 3, state="Aborted"))
    p, [done] = learnt(p, a_report(p, 2, 10, state="Ended"))
    assert (p.state, p.failure, done.TOPIC) == ("completed", None, "production.completed")
    p, _ = learnt(a_production(), a_report(p, 1, 8, state="Ended"))
    assert learnt(p, a_report(p, 2, 10, state="Ended"))[0].state == "failed", "its rest is ordered anew already"


def test_what_comes_after_a_cancellation_is_written_down_and_moves_nothing() -> None:
    p, [cancelled] = rules.cancel(a_production(), "budget cut", NOW)
    assert (p.state, cancelled.model_dump()["reason"]) == ("cancelled", "budget cut")
    p, said = learnt(p, a_report(p, 1, 10, state="Ended"))
    assert (p.state, p.report.quantity_good, said, rules.made([p])) == ("cancelled", Decimal(10), [], Decimal(0))
    assert rules.cancel(p, "again", LATER) == (p, [])


def test_a_change_is_told_whole_and_fewer_may_be_enough() -> None:
    p = a_production()
    p, _ = learnt(p, a_report(p, 1, 4))
    assert rules.change(p, p.quantity, p.start_on, p.needed_by, LATER) == (p, [])
    more, [told] = rules.change(p, Decimal(12), p.start_on, date(2026, 1, 12), LATER)
    assert (more.quantity, told.TOPIC, told.model_dump()["sku"]) == (Decimal(12), "production.changed", "PUMP-7")
    enough, events = rules.change(p, Decimal(4), p.start_on, p.needed_by, LATER)
    assert (enough.state, [event.TOPIC for event in events]) == ("completed", ["production.changed", "production.completed"])
    assert enough.version == p.version + len(events)
    with pytest.raises(WrongTransition):
        rules.change(enough, Decimal(3), p.start_on, p.needed_by, LATER)


def test_a_report_of_the_future_or_of_another_age_is_refused() -> None:
    p = a_production()
    with pytest.raises(ReportedInTheFuture):
        rules.learn(p, a_report(p, 24 * 5), LATER)
    rules.learn(p, a_report(p, 24 * 3.5), LATER)
    for field in ("actual_start", "actual_end", "expected_end"):
        for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
            with pytest.raises(ReportedMomentOutOfRange) as refused:
                rules.learn(p, a_report(p, 1, **dict[str, Any]({field: moment})), LATER)
            assert refused.value.field == field


def test_nobody_knows_when_it_is_ready_until_told_and_never_before_now() -> None:
    p = a_production()
    assert rules.ready_at(p, NOW) is None
    p, _ = learnt(p, a_report(p, 1, expected_end=NOW + timedelta(days=5)), a_report(p, 2))
    assert rules.ready_at(p, NOW) == NOW + timedelta(days=5), "what is not told again still holds"
    assert rules.ready_at(p, NOW + timedelta(days=9)) == NOW + timedelta(days=9)
    p, _ = learnt(p, a_report(p, 3, 10, state="Ended"))
    assert rules.ready_at(p, LATER) == LATER


def wanted(p: Production, **more: Any) -> Wanted:
    given: dict[str, Any] = {
        "step_id": p.step_id, "line_id": p.line_id, "sku": p.sku, "description": p.description, "quantity": Decimal(10),
        "done": Decimal(0), "needed_by": p.needed_by,
    }  # fmt: skip
    return Wanted(**given | more)


def test_what_a_step_wants_is_made_once_whoever_makes_it() -> None:
    p = a_production()
    assert rules.follow(wanted(p), []) == (None, Decimal(10))
    assert rules.follow(wanted(p), [p]) == (p, Decimal(10))
    assert rules.follow(wanted(p, quantity=Decimal(7)), [p]) == (p, Decimal(7))
    begun, _ = learnt(p, a_report(p, 1, 4))
    assert rules.follow(wanted(p, done=Decimal(4)), [begun]) == (begun, Decimal(10))
    # Two more were handed over than the MES has told of: they came from stock.
    assert rules.follow(wanted(p, done=Decimal(6)), [begun]) == (begun, Decimal(8))
    short, _ = learnt(p, a_report(p, 1, 8, state="Ended"))
    assert rules.follow(wanted(p, done=Decimal(8)), [short]) == (None, Decimal(2))
    aborted, _ = learnt(p, a_report(p, 1, 8, state="Aborted"))
    assert rules.follow(wanted(p, done=Decimal(8)), [aborted]) == (None, Decimal(0))
    assert rules.follow(wanted(p, quantity=Decimal(0), done=Decimal(4)), [begun]) == (begun, Decimal(0))
    other = replace(p, step_id=new_id())
    assert rules.follow(wanted(p), [other]) == (None, Decimal(10))


def test_good_pieces_that_the_step_counts_are_exactly_enough_and_not_too_many() -> None:
    begun, _ = learnt(a_production(), a_report(a_production(), 1, 4))
    assert rules.follow(wanted(begun, quantity=Decimal(4), done=Decimal(4)), [begun]) == (begun, Decimal(4))
    # Six of them came from stock and four are good: these four are the production.
    assert rules.follow(wanted(begun, done=Decimal(10)), [begun]) == (begun, Decimal(4))
    nothing = a_production()
    assert rules.follow(wanted(nothing, done=Decimal(10)), [nothing]) == (nothing, Decimal(0)), "all of it from stock"


def test_what_failed_waits_for_nobody_once_all_that_is_wanted_is_there() -> None:
    failed, _ = learnt(a_production(), a_report(a_production(), 1, 4, state="Aborted"))
    assert rules.settle(wanted(failed, done=Decimal(4)), [failed], LATER) == []
    assert rules.settle(wanted(failed, quantity=Decimal(5), done=Decimal(4)), [failed], LATER) == []
    for enough in ({"quantity": Decimal(4), "done": Decimal(4)}, {"done": Decimal(10)}, {"quantity": Decimal(0)}):
        [settled] = rules.settle(wanted(failed, **enough), [failed], LATER)
        assert (settled.state, settled.stuck, settled.version) == ("failed", False, failed.version + 1)
        assert rules.settle(wanted(failed, **enough), [settled], LATER) == []
        with pytest.raises(NothingToReorder):
            rules.reorder(settled, LATER)


def test_what_is_finished_hinders_wanting_less_of_it() -> None:
    p = a_production()
    done, _ = learnt(p, a_report(p, 1, 10, state="Ended"))
    running, _ = learnt(a_production(line_id=UUID(int=9)), a_report(p, 1, 3))
    assert rules.hindrance([running], {}) is None
    assert rules.hindrance([done], {p.line_id: Decimal(10)}) is None
    assert rules.hindrance([running, done], {p.line_id: Decimal(9)}) == "10 of PUMP-7 are made already (P-2026-000001)"
    assert rules.hindrance([done], {}) is not None


def test_only_what_waits_for_a_person_leaves_its_end_again() -> None:
    assert {state for state, targets in TRANSITIONS.items() if not targets} == {"completed", "cancelled"}
    assert TRANSITIONS["failed"] == {"completed"}


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32))
def test_whatever_is_told_in_whatever_order_a_production_ends_at_most_once(seed: int) -> None:
    random = Random(seed)
    p, said = a_production(), list[Event]()
    for _ in range(30):
        before, events = p, list[Event]()
        step = random.choice(["report"] * 6 + ["cancel", "change", "reorder"])
        try:
            if step == "report":
                state = random.choice(
                    ["NotAllowedToStart", "AllowedToStart", "Running", "Running", "Interrupted", "Ended", "Aborted"]
                )
                report = a_report(
                    p, random.randint(0, 60), random.randint(0, 12), state=state, quantity_scrap=Decimal(random.randint(0, 3))
                )
                p, events = rules.learn(p, report, LATER)
            elif step == "cancel" and random.random() < 0.2:
                p, events = rules.cancel(p, "no", LATER)
            elif step == "change":
                p, events = rules.change(p, Decimal(random.randint(1, 12)), p.start_on, p.needed_by, LATER)
            elif step == "reorder":
                p = rules.reorder(p, LATER)
        except WrongTransition:
            assert p == before
        assert p.state == before.state or p.state in TRANSITIONS[before.state]
        assert p.version == before.version + max(len(events), p != before)
        assert (p.ended_at is None) == (p.state in OPEN)
        assert (p.failure is not None) == (p.state == "failed")
        said += events
    ends = [event.TOPIC for event in said if event.TOPIC not in ("production.changed",)]
    assert ends in ([], ["production.completed"], ["production.failed"], ["production.cancelled"],
                    ["production.failed", "production.completed"])  # fmt: skip
