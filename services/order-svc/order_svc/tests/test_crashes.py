"""Killed (SIGKILL) in the last moment before a timer's commit: nothing happened, and it happens once when we are back."""

import asyncio
import signal
import sys

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver
from ltc_chassis.timers import Timer

from order_svc.consumers import consumers
from order_svc.tests.builders import NOW, counted, issued, promised
from order_svc.tests.rig import LOOK_AGAIN, TELL_LATE, Emissions, RunTimer, check_out, order_id, process_of, read, told


async def killed(which: str, monkeypatch: pytest.MonkeyPatch, clock: FixedClock) -> None:
    """Another replica takes up the work at this time and is killed at it."""
    monkeypatch.setenv("LTC_CLOCK", f"{clock.now():%Y-%m-%dT%H:%MZ}@1")
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "order_svc.tests.crash_child", which)
    assert await child.wait() == -signal.SIGKILL


async def once_back(run_timer: RunTimer, timer: Timer) -> None:
    # The server notices a dead client within moments; until then its transaction holds the rows.
    for _ in range(100):
        if await run_timer(timer):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("nothing was left to do")


async def test_a_kill_while_a_late_order_is_told_of_and_undone(
    deliver: Deliver,
    client: httpx.AsyncClient,
    clock: FixedClock,
    run_timer: RunTimer,
    emitted: Emissions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    for event in (promised(order_id(order)), issued(order_id(order))):
        await deliver(consumers, event, occurred_at=NOW)
    before = await process_of(client, order)
    clock.advance(days=15)
    await killed("late", monkeypatch, clock)
    assert await process_of(client, order) == before
    assert (await read(client, order))["state"] == "confirmed"
    await once_back(run_timer, TELL_LATE)
    assert (await read(client, order))["state"] == "cancelling"
    assert told(await emitted(), order)[2:] == ["order.stalled", "order.cancellation_requested"]


async def test_a_kill_while_a_held_order_is_released_and_its_pieces_reserved(
    deliver: Deliver,
    client: httpx.AsyncClient,
    clock: FixedClock,
    run_timer: RunTimer,
    emitted: Emissions,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    await deliver(consumers, counted("1"))
    order = await check_out(client)
    await run_timer(LOOK_AGAIN)
    await deliver(consumers, counted("3", site="HAM"))
    await killed("held", monkeypatch, clock)
    assert (await read(client, order))["state"] == "held"
    await once_back(run_timer, LOOK_AGAIN)
    assert (await read(client, order))["state"] == "confirmed"
    assert told(await emitted(), order) == ["order.received", "order.held", "order.released", "order.confirmed"]
    shelves = (await client.get("/v1/stock")).json()["items"]
    assert [(shelf["site"], shelf["reserved"]) for shelf in shelves] == [("HAM", "3"), ("MUC", "0")]
