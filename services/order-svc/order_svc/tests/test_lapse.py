"""An order of a subscription that is cancelled charges nothing, and nothing is served for it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver

from order_svc.consumers import consumers
from order_svc.tests.builders import cancelled
from order_svc.tests.rig import GO_ON, LAPSE, Emissions, RunTimer, order_id
from order_svc.tests.subscription_desk import Desk, a_line, money, told


@pytest.fixture(autouse=True)
def _today(clock: FixedClock) -> None:
    clock.set(datetime(2026, 4, 1, 9, tzinfo=UTC))


@pytest.fixture
def desk(client: httpx.AsyncClient) -> Desk:
    return Desk(client)


async def cancel(deliver: Deliver, desk: Desk, number: int) -> None:
    """Delivery says that the order came to nothing."""
    placed = (await desk.read("/orders"))["items"][number]
    await deliver(consumers, cancelled(order_id({"id": placed["order_id"]})))


async def test_an_order_that_is_cancelled_stops_the_service_from_its_first_day(
    desk: Desk, deliver: Deliver, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    await desk.start(lines=[a_line("30.00")])
    clock.set(datetime(2026, 4, 15, tzinfo=UTC))
    await cancel(deliver, desk, 0)
    assert await run_timer(LAPSE) == 1
    stopped = await desk.read()
    assert (stopped["state"], stopped["balance"], stopped["mrr"]["amount"], stopped["charged_until"]) == (
        *("paused", money("0.00"), "0.00"),
        "2026-03-31",
    )
    clock.set(datetime(2026, 5, 1, tzinfo=UTC))
    assert (await run_timer(GO_ON), await run_timer(LAPSE)) == (0, 0)
    assert told(await emitted()) == ["started", "revenue_moved", "order_lapsed", "revenue_moved"]
    resumed = await desk.do("resume")
    assert (resumed["state"], (await desk.ordered())[1:]) == ("active", [("resume", "2026-05-01", "30.00")])


async def test_what_was_paid_for_the_same_days_becomes_credit_and_used_credit_comes_back(
    desk: Desk, deliver: Deliver, clock: FixedClock, run_timer: RunTimer
) -> None:
    """April 60.00 less from the 16th (15.00 credit), May ordered for 15.00, upgraded for 15.00 more on the 1st; May is cancelled."""
    line_id = (await desk.start(lines=[a_line("60.00")]))["lines"][0]["line_id"]
    clock.set(datetime(2026, 4, 16, tzinfo=UTC))
    await change(desk, line_id, "30.00")
    clock.set(datetime(2026, 5, 1, tzinfo=UTC))
    await run_timer(GO_ON)
    await change(desk, line_id, "45.00")
    assert [net for _, _, net in await desk.ordered()] == ["60.00", "15.00", "15.00"]
    await cancel(deliver, desk, 1)
    await run_timer(LAPSE)
    assert (await desk.read())["balance"] == money("30.00")  # 15.00 of April, 15.00 of the upgrade
    await cancel(deliver, desk, 2)
    await run_timer(LAPSE)
    assert (await desk.read())["balance"] == money("15.00")


async def test_of_an_earlier_period_only_the_credit_it_used_comes_back(
    desk: Desk, deliver: Deliver, clock: FixedClock, run_timer: RunTimer
) -> None:
    line_id = (await desk.start(lines=[a_line("60.00")]))["lines"][0]["line_id"]
    clock.set(datetime(2026, 4, 16, tzinfo=UTC))
    await change(desk, line_id, "30.00")
    clock.set(datetime(2026, 6, 1, tzinfo=UTC))
    await run_timer(GO_ON)
    await cancel(deliver, desk, 1)
    await run_timer(LAPSE)
    found = await desk.read()
    assert (found["state"], found["balance"]) == ("active", money("15.00"))
    await cancel(deliver, desk, 2)  # and of the present one nothing of that is lost
    await run_timer(LAPSE)
    found = await desk.read()
    assert (found["state"], found["balance"]) == ("paused", money("15.00"))


async def test_a_cancelling_subscription_whose_order_is_cancelled_is_over(
    desk: Desk, deliver: Deliver, run_timer: RunTimer, emitted: Emissions
) -> None:
    await desk.start()
    await desk.do("cancel", reason="too dear")
    await cancel(deliver, desk, 0)
    await run_timer(LAPSE)
    assert (await desk.read())["state"] == "ended"
    assert told(await emitted())[2:] == ["cancelled", "order_lapsed", "ended", "revenue_moved"]


async def test_who_cancels_an_order_does_not_wait_for_its_subscription(
    desk: Desk, deliver: Deliver, clock: FixedClock, run_timer: RunTimer
) -> None:
    """The periods of a year are ordered while each of its orders is cancelled: everybody comes through."""
    await desk.start()
    clock.set(datetime(2027, 4, 1, tzinfo=UTC))
    await asyncio.gather(run_timer(GO_ON), cancel(deliver, desk, 0), run_timer(GO_ON), run_timer(LAPSE))
    await run_timer(LAPSE)
    found = await desk.read()
    assert (found["state"], found["balance"]) in [("active", money("0.00")), ("paused", money("0.00"))]


async def change(desk: Desk, line_id: str, price: str) -> None:
    wish: dict[str, Any] = {"lines": [a_line(price, line_id=line_id)]}
    shown = await desk.do("changes/preview", **wish)
    await desk.do("changes", **wish, version=shown["version"], effective_on=shown["effective_on"])
