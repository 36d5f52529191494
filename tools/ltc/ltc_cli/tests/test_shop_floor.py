"""The simulated shop floor: what is ordered is made, whatever breaks, and it goes on from its reports as if it had never stopped."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_contracts.events import MesProductionProgressed, ProductionOrdered

from ltc_cli.mes.shop_floor import Shop, ShopFloor

NOW = datetime(2026, 1, 5, 6, tzinfo=UTC)
SMOOTH = Shop(slip_rate=0, scrap_rate=0)


def an_order(number: int = 1, **more: Any) -> ProductionOrdered:
    given = {
        "production_id": UUID(int=number), "number": f"P-2026-{number:06d}", "delivery_id": UUID(int=1), "order_id": UUID(int=2),
        "order_number": "O-2026-000001", "line_id": UUID(int=3), "sku": "PUMP-7", "description": "Pump, 7 bar",
        "quantity": Decimal(20), "needed_by": date(2026, 1, 9), "priority": 50,
    }  # fmt: skip
    return ProductionOrdered(**given | more)


def made(shop: Shop, *orders: ProductionOrdered, days: float = 400) -> list[MesProductionProgressed]:
    floor = ShopFloor(shop, now=NOW)
    for order in orders:
        floor.order(order, 1, NOW)
    floor.live_until(NOW + timedelta(days))
    return floor.reports()


def of(reports: list[MesProductionProgressed], number: int) -> list[MesProductionProgressed]:
    return [each for each in reports if each.production_id == UUID(int=number)]


def test_a_job_is_accepted_begun_worked_on_and_ended_good_for_its_quantity() -> None:
    reports = made(SMOOTH, an_order())
    assert [each.state for each in reports] == ["AllowedToStart", *["Running"] * 10, "Ended"]
    assert [each.quantity_good for each in reports] == [0, *range(0, 20, 2), 20]
    assert [each.sequence for each in reports] == list(range(1, 13))
    assert reports[-1].actual_end == reports[-1].as_of
    assert reports[0].expected_end == NOW + timedelta(hours=2)


def test_a_work_center_makes_the_most_urgent_first_and_one_after_the_other() -> None:
    reports = made(SMOOTH, an_order(1), an_order(2), an_order(3, priority=75))
    started = {number: of(reports, number)[-1].actual_start for number in (1, 2, 3)}
    ended = {number: of(reports, number)[-1].actual_end for number in (1, 2, 3)}
    assert (started[3], started[2]) == (ended[1], ended[3])
    two_at_once = made(Shop(slip_rate=0, scrap_rate=0, parallel_jobs=2), an_order(1), an_order(2))
    assert of(two_at_once, 1)[-1].actual_start == of(two_at_once, 2)[-1].actual_start == NOW


def test_what_breaks_interrupts_is_told_with_reason_and_moves_the_end() -> None:
    reports = made(Shop(slip_rate=1, scrap_rate=0), an_order())
    broken = next(each for each in reports if each.state == "Interrupted")
    before = reports[reports.index(broken) - 1]
    assert broken.reason
    assert broken.expected_end is not None
    assert before.expected_end is not None
    assert broken.expected_end > before.expected_end + timedelta(hours=3)
    assert reports[-1].state == "Ended"
    assert reports[-1].quantity_good == 20


def test_who_waits_behind_trouble_is_told_of_it() -> None:
    waiting = of(made(Shop(slip_rate=1, scrap_rate=0), an_order(1), an_order(2)), 2)
    assert [each.reason for each in waiting if each.state == "AllowedToStart"][1] == "jobs before it take longer"


def test_scrap_is_made_up_for_until_the_material_is_used_up() -> None:
    [*_, last] = made(Shop(slip_rate=0, scrap_rate=0.3, spare_percent=100), an_order())
    assert last.state == "Ended"
    assert last.quantity_good == 20
    assert last.quantity_scrap > 0
    [*_, last] = made(Shop(slip_rate=0, scrap_rate=1, spare_percent=5), an_order())
    assert (last.state, last.reason) == ("Ended", "out of material")
    assert last.quantity_good < 20


def test_a_cancelled_job_is_aborted_and_one_that_is_cancelled_before_it_comes_is_never_made() -> None:
    floor = ShopFloor(SMOOTH, now=NOW)
    floor.order(an_order(), 1, NOW)
    floor.cancel(UUID(int=1), NOW + timedelta(hours=1))
    floor.cancel(UUID(int=2), NOW + timedelta(hours=1))
    floor.order(an_order(2), 1, NOW + timedelta(hours=2))
    floor.live_until(NOW + timedelta(9))
    reports = floor.reports()
    assert {each.production_id for each in reports} == {UUID(int=1)}
    assert reports[-1].state == "Aborted"
    assert 0 < reports[-1].quantity_good < 20


def test_the_greater_revision_counts_whichever_comes_first_and_fewer_may_be_enough() -> None:
    floor = ShopFloor(SMOOTH, now=NOW)
    floor.order(an_order(quantity=Decimal(10)), 2, NOW)
    floor.order(an_order(), 1, NOW)
    floor.live_until(NOW + timedelta(9))
    assert floor.reports()[-1].quantity_good == 10
    floor.order(an_order(2), 1, floor.now)
    floor.live_until(floor.now + timedelta(hours=1))
    floor.order(an_order(2, quantity=Decimal(1)), 2, floor.now)
    assert floor.reports()[-1].state == "Ended"


@pytest.mark.parametrize("quantity", ["1", "0.5", "7", "99999999999999", "0.000001", "12.25"])
def test_any_quantity_is_made_in_a_few_reports(quantity: str) -> None:
    shop = Shop(slip_rate=0.2, scrap_rate=0.3, minutes_per_piece=0.001)
    reports = made(shop, an_order(quantity=Decimal(quantity)), days=4000 * 10)
    assert len(reports) < 100
    assert reports[-1].state == "Ended"


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10_000), st.lists(st.floats(0.1, 40), min_size=1, max_size=6))
def test_it_goes_on_from_its_reports_as_if_it_had_never_stopped(seed: int, stops: list[float]) -> None:
    """Killed at any moments, with its state thrown away, it tells the same in the end as one that ran through."""
    random = Random(seed)
    shop = Shop(seed=seed, slip_rate=0.3, scrap_rate=0.3, spare_percent=50, work_centers=2)
    orders = [
        (an_order(n, sku=random.choice("ABC"), quantity=Decimal(random.randint(1, 30)), priority=random.choice([50, 75])), 1, NOW)
        for n in range(1, 7)
    ]
    through = ShopFloor(shop, now=NOW)
    for order, revision, at in orders:
        through.order(order, revision, at)
    through.live_until(NOW + timedelta(300))
    told: list[MesProductionProgressed] = []
    moment = NOW
    for hours in [0.0, *stops, 24.0 * 300]:
        moment = min(moment + timedelta(hours=hours), NOW + timedelta(300))
        floor = ShopFloor(shop, now=NOW)
        floor.restore(orders, (), told)
        floor.live_until(moment)
        told += floor.reports()
    assert told == through.reports()
