"""What time does to subscriptions: on replicas, late, and with a kill in the middle."""

import asyncio
import signal
import sys
from collections.abc import Callable
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest
from fastapi import FastAPI
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.timers import run_until_idle

from order_svc.tests.rig import GO_ON, Emissions, RunTimer
from order_svc.tests.subscription_desk import FIRST, Desk, a_subscription, told


@pytest.fixture(autouse=True)
def _today(clock: FixedClock) -> None:
    clock.set(FIRST)


@pytest.fixture
def desk(client: httpx.AsyncClient) -> Desk:
    return Desk(client)


async def test_it_begins_by_itself_on_its_day(desk: Desk, run_timer: RunTimer, clock: FixedClock, emitted: Emissions) -> None:
    started = await desk.start(starts_on="2026-02-02")
    assert (started["state"], started["mrr"]["amount"], await desk.ordered()) == ("scheduled", "0.00", [])
    assert await run_timer(GO_ON) == 0
    clock.set(datetime(2026, 2, 2, tzinfo=UTC))
    assert await run_timer(GO_ON) == 1
    assert await desk.ordered() == [("renewal", "2026-02-02", "31.00")]
    assert told(await emitted()) == ["started", "revenue_moved"]


async def test_a_late_timer_orders_every_period_it_missed_in_order_and_each_once(
    desk: Desk, run_timer: RunTimer, clock: FixedClock, emitted: Emissions
) -> None:
    await desk.start()
    clock.set(datetime(2026, 6, 30, 12, tzinfo=UTC))
    assert await run_timer(GO_ON) == 5
    assert await run_timer(GO_ON) == 0
    firsts = ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31", "2026-06-30"]
    assert await desk.ordered() == [("renewal", first, "31.00") for first in firsts]
    renewed = [item.event for item in await emitted() if item.topic == "subscription.renewed"]
    assert [(event.term, str(event.period_from)) for event in renewed] == list(enumerate(firsts[1:], start=2))


async def test_revenue_moves_on_its_day_however_late_the_timer_is(
    desk: Desk, run_timer: RunTimer, clock: FixedClock, emitted: Emissions
) -> None:
    await desk.start(terms=2)
    clock.advance(days=100)
    await run_timer(GO_ON)
    moved = [item for item in await emitted() if item.topic == "subscription.revenue_moved"]
    assert [(item.event.kind, item.headers["ce_time"]) for item in moved] == [
        ("new", "2026-01-31T10:00:00.000000Z"),
        ("churn", "2026-03-31T00:00:00.000000Z"),
    ]


async def test_four_replicas_order_each_period_of_each_subscription_once(
    client: httpx.AsyncClient, clock: FixedClock, make_app: Callable[[], FastAPI], emitted: Emissions, db: Database
) -> None:
    customers = [str(new_id()) for _ in range(2)]
    for number in range(6):
        customer = {"customer_id": customers[number % 2], "name": "N", "country": "DE"}
        reply = await client.post("/v1/subscriptions", json=a_subscription(f"R-{number}", customer=customer))
        assert reply.status_code == 201
    clock.advance(days=365)
    replicas: list[Runtime] = [make_app().state.runtime for _ in range(4)]
    for replica in replicas:
        replica.clock = replica.db.clock = clock
        await replica.db.open()
    try:
        done = await asyncio.gather(*(run_until_idle(replica, GO_ON) for replica in replicas))
    finally:
        for replica in replicas:
            await replica.db.close()
    assert sum(done) == 6 * 12
    assert len([each for each in done if each]) > 1
    async with db.connection() as conn:
        rows = await conn.fetch(
            "SELECT count(*) AS orders, count(DISTINCT period_from) AS periods FROM subscription_order GROUP BY subscription_id"
        )
    assert [(row["orders"], row["periods"]) for row in rows] == [(13, 13)] * 6
    assert told(await emitted()).count("renewed") == 6 * 12


async def test_a_period_is_never_ordered_twice_the_database_refuses_it(desk: Desk, db: Database) -> None:
    await desk.start()
    async with db.connection() as conn:
        with pytest.raises(asyncpg.UniqueViolationError, match="subscription_order_period"):
            await conn.execute(
                """
                WITH twin AS (
                    INSERT INTO sales_order SELECT (jsonb_populate_record(o, jsonb_build_object(
                        'id', gen_random_uuid(), 'contract_id', gen_random_uuid(), 'number', 'O-9', 'external_ref', 'twin'))).*
                    FROM sales_order o RETURNING id)
                INSERT INTO subscription_order (subscription_id, order_id, kind, period_from, period_until, charged, credit_used, taken,
                                                cost, without, placed_at)
                SELECT p.subscription_id, twin.id, p.kind, p.period_from, p.period_until, p.charged, p.credit_used, p.taken, p.cost,
                       p.without, p.placed_at
                FROM subscription_order p, twin
                """
            )


async def test_a_kill_while_a_period_is_ordered_loses_and_doubles_nothing(
    desk: Desk, clock: FixedClock, run_timer: RunTimer, emitted: Emissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.start()
    clock.set(datetime(2026, 2, 28, 9, tzinfo=UTC))
    monkeypatch.setenv("LTC_CLOCK", f"{clock.now():%Y-%m-%dT%H:%MZ}@1")
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "order_svc.tests.crash_child", "subscriptions")
    assert await child.wait() == -signal.SIGKILL
    assert len(await desk.ordered()) == 1
    for _ in range(100):  # the server notices a dead client within moments; until then its transaction holds the row
        if await run_timer(GO_ON):
            break
        await asyncio.sleep(0.1)
    assert await desk.ordered() == [("renewal", "2026-01-31", "31.00"), ("renewal", "2026-02-28", "31.00")]
    assert told(await emitted()) == ["started", "revenue_moved", "renewed"]


async def test_one_that_cannot_go_on_says_why_is_tried_again_and_keeps_no_other_waiting(
    desk: Desk, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, db: Database
) -> None:
    await desk.start()
    clock.advance(days=28)
    async with db.connection() as conn:
        await conn.execute("UPDATE promise_rule SET valid_from = valid_from + 36500")
        assert await run_timer(GO_ON) == 1
        stuck = await desk.read()
        assert stuck["trouble"] == "no promise rule is in force on 2026-02-28"
        assert (stuck["next_on"], stuck["charged_until"]) == ("2026-02-28", "2026-02-27")
        assert await run_timer(GO_ON) == 0
        await conn.execute("UPDATE promise_rule SET valid_from = valid_from - 36500")
    clock.advance(hours=2)
    assert await run_timer(GO_ON) == 1
    assert ((await desk.read())["trouble"], len(await desk.ordered())) == (None, 2)
    assert (await client.get("/v1/subscriptions", params={"state": "active"})).json()["items"][0]["id"] == desk.id
