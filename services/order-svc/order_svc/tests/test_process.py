"""The process of an order: what it waits for and since when, what is late, and what is undone."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.timers import run_until_idle

from order_svc.consumers import consumers
from order_svc.tests.builders import allocated, cancelled, completed, counted, credited, issued, paid, progressed, promised
from order_svc.tests.rig import (
    LOOK_AGAIN,
    TELL_LATE,
    Emissions,
    RunTimer,
    check_out,
    order_id,
    process_of,
    read,
    receive,
    told,
)


async def step_of(client: httpx.AsyncClient, order: dict[str, Any]) -> tuple[str, str | None, str]:
    found = await process_of(client, order)
    return found["step"], found["waiting_for"], found["since"][:10]


async def test_an_order_shows_what_it_waits_for_and_since_when(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    order = await receive(deliver, client)
    seen = [await step_of(client, order)]
    invoice = issued(order_id(order))
    for event in (promised(order_id(order)), completed(order_id(order)), invoice, paid(order_id(order))):
        clock.advance(days=1)
        await deliver(consumers, event, occurred_at=clock.now())
        seen.append(await step_of(client, order))
    assert seen == [
        ("promise", "delivery.promised", "2026-01-01"),
        ("deliver", "delivery.completed", "2026-01-02"),
        ("invoice", "invoice.issued", "2026-01-03"),
        ("collect", "invoice.paid", "2026-01-04"),
        ("closed", None, "2026-01-05"),
    ]
    found = await process_of(client, order)
    assert (found["deadline"], found["attempt"], found["compensating"]) == (None, 0, False)
    assert [(step["step"], step["outcome"]) for step in found["steps"]] == [
        *((check, "done") for check in ("validate", "credit", "stock", "confirm")),
        *((step, "done") for step in ("promise", "deliver", "invoice", "collect")),
    ]
    assert all(step["cause"] is not None for step in found["steps"])


async def test_a_prepaid_order_waits_for_the_money_before_the_delivery(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    seen = []
    for event in (promised(order_id(order)), issued(order_id(order)), paid(order_id(order)), completed(order_id(order))):
        seen.append((await step_of(client, order))[0])
        await deliver(consumers, event)
    assert seen == ["promise", "invoice", "collect", "deliver"]
    assert (await step_of(client, order))[0] == "closed"


async def test_the_wait_began_when_it_did_whatever_was_heard_first(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    order = await receive(deliver, client)
    day = {n: clock.now() + timedelta(days=n) for n in range(9)}
    clock.advance(days=9)
    await deliver(consumers, issued(order_id(order)), occurred_at=day[4])
    assert await step_of(client, order) == ("promise", "delivery.promised", "2026-01-01")
    await deliver(consumers, completed(order_id(order)), occurred_at=day[3])
    await deliver(consumers, promised(order_id(order)), occurred_at=day[1])
    assert await step_of(client, order) == ("collect", "invoice.paid", "2026-01-05")
    assert (await process_of(client, order))["deadline"][:10] == "2026-04-05"


async def test_a_hold_is_a_step_that_waits(deliver: Deliver, client: httpx.AsyncClient, run_timer: RunTimer) -> None:
    await deliver(consumers, counted("1"))
    order = await check_out(client)
    assert await step_of(client, order) == ("stock", "erp.stock_changed", "2026-01-01")
    await deliver(consumers, counted("9", site="HAM"))
    await run_timer(LOOK_AGAIN)
    found = await process_of(client, order)
    assert found["step"] == "promise"
    assert [(step["step"], step["outcome"]) for step in found["steps"]] == [
        ("validate", "done"),
        ("credit", "done"),
        ("stock", "held"),
        ("stock", "done"),
    ]


async def test_each_deadline_that_passes_is_told_once(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    order = await receive(deliver, client)
    assert await run_timer(TELL_LATE) == 0
    counts = []
    for days in (2.9, 0.2, 0, 3, 3, 30):
        clock.advance(days=days)
        counts.append(await run_timer(TELL_LATE))
    assert counts == [0, 1, 0, 1, 1, 0]
    late = [item for item in await emitted() if item.topic == "order.stalled"]
    assert [item.event.attempt for item in late] == [1, 2, 3]
    assert {(item.event.step, item.event.waiting_for, item.event.compensating) for item in late} == {
        ("promise", "delivery.promised", False)
    }
    assert [item.event.deadline.day for item in late] == [4, 7, 10]
    assert len({item.sequence for item in late}) == 3
    found = await process_of(client, order)
    assert (found["attempt"], found["deadline"]) == (3, None)
    assert [step["outcome"] for step in found["steps"]][-3:] == ["late"] * 3
    await deliver(consumers, promised(order_id(order)))
    found = await process_of(client, order)
    assert (found["step"], found["attempt"], found["deadline"] is None) == ("deliver", 0, False)


async def test_replicas_at_once_tell_a_late_step_once(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, runtime: Runtime, emitted: Emissions
) -> None:
    orders = [await receive(deliver, client) for _ in range(6)]
    clock.advance(days=4)
    assert sum(await asyncio.gather(*(run_until_idle(runtime, TELL_LATE) for _ in range(4)))) == 6
    events = await emitted()
    assert [told(events, order).count("order.stalled") for order in orders] == [1] * 6


async def test_a_prepaid_order_that_is_not_paid_is_cancelled_by_the_handshake(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    invoice = issued(order_id(order))
    for event in (promised(order_id(order)), invoice):
        await deliver(consumers, event)
    clock.advance(days=14)
    assert await run_timer(TELL_LATE) == 1
    now = await read(client, order)
    assert (now["state"], now["cancellation"]["reason"]) == ("cancelling", "'collect' did not happen within 14 days")
    assert await step_of(client, order) == ("stop_delivery", "delivery.cancelled", "2026-01-15")
    await deliver(consumers, cancelled(order_id(order)), occurred_at=clock.now())
    assert (await step_of(client, order))[:2] == ("credit_note", "invoice.credited")
    assert (await process_of(client, order))["compensating"] is True
    await deliver(consumers, credited(order_id(order), invoice.invoice_id), occurred_at=clock.now())
    assert (await step_of(client, order))[:2] == ("cancelled", None)
    assert told(await emitted(), order)[2:] == ["order.stalled", "order.cancellation_requested", "order.cancelled"]


async def test_money_that_comes_in_time_stops_the_clock(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    invoice = issued(order_id(order))
    paid_for = (allocated(order_id(order), invoice.invoice_id, "1223.97"), paid(order_id(order), invoice_id=invoice.invoice_id))
    for event in (promised(order_id(order)), invoice, *paid_for):
        await deliver(consumers, event)
    clock.advance(days=80)
    assert await run_timer(TELL_LATE) == 0
    assert "order.stalled" not in told(await emitted(), order)


async def test_begun_delivery_refuses_what_the_clock_began_to_undo(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    for event in (promised(order_id(order)), issued(order_id(order))):
        await deliver(consumers, event)
    clock.advance(days=14)
    await run_timer(TELL_LATE)
    await deliver(consumers, progressed(order_id(order), "10"))
    found = await process_of(client, order)
    assert (found["step"], found["compensating"]) == ("collect", False)
    # It waits for the money since then, and that this is late was told: it is neither told nor undone again.
    assert (found["attempt"], found["deadline"]) == (1, None)
    clock.advance(days=30)
    assert await run_timer(TELL_LATE) == 0
    assert [(step["step"], step["outcome"]) for step in found["steps"]][-2:] == [
        ("collect", "compensated"),
        ("stop_delivery", "refused"),
    ]


async def test_a_policy_is_a_version_that_counts_from_then_on(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer
) -> None:
    before = await receive(deliver, client)
    body = {"step": "promise", "timeout_hours": 2, "attempts": 2, "action": "cancel", "reason": "we promise within hours"}
    reply = await client.post("/v1/process-policies", json=body)
    assert (reply.status_code, reply.json()) == (201, {"step": "promise", "invoicing": "any", "version": 2})
    after = await receive(deliver, client)
    assert [(await process_of(client, order))["deadline"][:13] for order in (before, after)] == ["2026-01-04T00", "2026-01-01T02"]
    clock.advance(hours=2)
    assert await run_timer(TELL_LATE) == 1
    assert (await read(client, after))["state"] == "confirmed"
    clock.advance(hours=2)
    assert await run_timer(TELL_LATE) == 1
    assert (await read(client, after))["cancellation"]["reason"] == "'promise' did not happen within 4:00:00"
    listed = (await client.get("/v1/process-policies", params={"step": "promise"})).json()["items"]
    assert [(item["version"], item["timeout_hours"], item["by"]) for item in listed] == [(1, 72, "default"), (2, 2, "test")]


async def test_a_step_may_take_for_ever(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer
) -> None:
    body = {"step": "promise", "timeout_hours": None, "reason": "made to order"}
    assert (await client.post("/v1/process-policies", json=body)).status_code == 201
    order = await receive(deliver, client)
    assert (await process_of(client, order))["deadline"] is None
    clock.advance(days=4000)
    assert await run_timer(TELL_LATE) == 0


async def test_a_held_order_can_be_given_up_by_the_clock(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    body = {"step": "stock", "timeout_hours": 24, "action": "cancel", "reason": "shops do not wait"}
    assert (await client.post("/v1/process-policies", json=body)).status_code == 201
    await deliver(consumers, counted("1"))
    order = await check_out(client)
    clock.advance(days=1)
    assert await run_timer(TELL_LATE) == 1
    assert (await read(client, order))["state"] == "cancelled"
    assert told(await emitted(), order)[-2:] == ["order.stalled", "order.cancelled"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"step": "closed"}, 400),
        ({"step": "stop_delivery", "action": "cancel"}, 400),
        ({"timeout_hours": None, "action": "cancel"}, 400),
        ({"timeout_hours": 0}, 422),
        ({"attempts": 21}, 422),
        ({"step": "dance"}, 422),
        ({"reason": ""}, 422),
    ],
)
async def test_a_policy_that_could_not_be_kept_is_refused(body: dict[str, Any], status: int, client: httpx.AsyncClient) -> None:
    given = {"step": "promise", "timeout_hours": 5, "reason": "x"} | body
    assert (await client.post("/v1/process-policies", json=given)).status_code == status


async def test_policies_made_at_once_are_versions_one_after_another(client: httpx.AsyncClient) -> None:
    body = {"step": "invoice", "timeout_hours": 5, "reason": "x"}
    replies = await asyncio.gather(*(client.post("/v1/process-policies", json=body) for _ in range(5)))
    assert sorted(reply.json()["version"] for reply in replies) == [2, 3, 4, 5, 6]


async def test_policies_need_a_scope_of_their_own_and_unknown_orders_have_no_process(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, keys: KeyPair
) -> None:
    headers = {"Authorization": f"Bearer {keys.token('orders:write')}"}
    body = {"step": "invoice", "timeout_hours": 5, "reason": "x"}
    assert (await anonymous.post("/v1/process-policies", json=body, headers=headers)).status_code == 403
    assert (await client.get(f"/v1/orders/{new_id()}/process")).status_code == 404
