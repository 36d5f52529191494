"""A confirmed wish is asked of delivery; its answer changes the order, or leaves it as it was, whatever came in between."""

import asyncio
from datetime import timedelta
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import OrderChanged, OrderChangeRequested

from order_svc.consumers import consumers
from order_svc.tests.builders import (
    NOW,
    cancelled,
    completed,
    counted,
    decided,
    handed_over,
    issued,
    paid,
    progressed,
    promised,
    told_by_erp,
)
from order_svc.tests.rig import LOOK_AGAIN, TELL_LATE, Emissions, Parked, RunTimer, check_out, order_id, process_of, read, told
from order_svc.tests.wishes import HOSE, TWO_LINES, assess, cancel, change, confirm, lines_of, outcome, sizes, wished


async def reserved(client: httpx.AsyncClient) -> list[tuple[str, str, str]]:
    """SKU, on hand, reserved."""
    return [(each["sku"], each["on_hand"], each["reserved"]) for each in (await client.get("/v1/stock")).json()["items"]]


async def test_a_granted_change_becomes_the_order_and_is_told_with_before_after_and_delta(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    for event in (counted("9"), counted("7", sku="HOSE")):
        await deliver(consumers, event)
    order = await check_out(client, **TWO_LINES)
    pump, hose = lines_of(order)
    valve = HOSE | {"sku": "VALVE", "description": "Valve"}
    change_id = await wished(client, order, change((pump, "2"), (hose, "4"), added=[valve], requested_on="2026-03-01"))
    pending = await read(client, order)
    assert (pending["state"], sizes(pending)) == ("confirmed", [("PUMP-7", "3"), ("HOSE", "2")])
    assert (pending["change"]["change_id"], pending["change"]["net"]["amount"]) == (str(change_id), "968.83")
    # What is wished more is kept at once, what is wished less is given back when it is decided.
    assert await reserved(client) == [("HOSE", "7", "4"), ("PUMP-7", "9", "3")]
    asked = (await emitted())[-1].event
    assert isinstance(asked, OrderChangeRequested)
    assert [(line.sku, str(line.quantity)) for line in asked.lines] == [("PUMP-7", "2"), ("HOSE", "4"), ("VALVE", "2")]

    await deliver(consumers, decided(order_id(order), change_id))
    now = await read(client, order)
    assert sizes(now) == [("PUMP-7", "2"), ("HOSE", "4"), ("VALVE", "2")]
    assert (now["net"]["amount"], now["gross"]["amount"], now["lines_version"], now["change"]) == ("968.83", "1181.97", 2, None)
    assert (now["requested_on"], now["promised_on"]) == ("2026-03-01", "2026-02-01")
    assert await reserved(client) == [("HOSE", "7", "4"), ("PUMP-7", "9", "2")]
    changed = (await emitted())[-1]
    assert isinstance(changed.event, OrderChanged)
    assert (changed.event.before, changed.event.lines) == (lines_of(order), lines_of(now))
    assert (str(changed.event.delta.amount), str(changed.event.net.amount)) == ("-134.42", "968.83")
    assert (changed.event.reason, changed.event.change_id, changed.sequence) == ("as agreed by phone", change_id, now["version"])


async def test_a_refused_change_leaves_the_order_as_it_was_with_the_reason_on_record(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client)
    [pump] = lines_of(order)
    change_id = await wished(client, order, change((pump, "5")))
    assert await reserved(client) == [("PUMP-7", "9", "5")]
    await deliver(consumers, decided(order_id(order), change_id, granted=False))
    now = await read(client, order)
    for field in ("state", "lines", "net", "gross", "promised_on", "lines_version", "change"):
        assert now[field] == order[field], field
    assert await reserved(client) == [("PUMP-7", "9", "3")]
    found = await outcome(client, order, change_id)
    assert (found["state"], found["decision"]) == ("refused", "it has left")
    assert told(await emitted(), order)[2:] == ["order.change_requested"]
    steps = (await process_of(client, order))["steps"]
    assert (steps[-1]["step"], steps[-1]["outcome"]) == ("change", "refused")
    # And another may be wished.
    await wished(client, order, change((pump, "2")))


async def test_the_lines_are_versioned_and_show_who_wished_what_and_why(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    for quantity, granted in (("2", True), ("9", False), ("4", True)):
        change_id = await wished(client, order, change((pump, quantity), reason=f"{quantity}, please"))
        await deliver(consumers, decided(order_id(order), change_id, granted=granted))
    items = (await client.get(f"/v1/orders/{order['id']}/changes", params={"limit": 2})).json()
    rest = (await client.get(f"/v1/orders/{order['id']}/changes", params={"cursor": items["next"]})).json()
    shown = [
        (each["lines_version"], each["reason"], each["state"], each["before"][0]["quantity"], each["after"][0]["quantity"])
        for each in (*items["items"], *rest["items"])
    ]
    assert shown == [
        (2, "2, please", "granted", "3", "2"),
        (None, "9, please", "refused", "2", "9"),
        (3, "4, please", "granted", "2", "4"),
    ]
    assert all(each["by"] for each in items["items"])


async def test_the_rest_is_cancelled_after_a_part_was_delivered_and_the_order_ends_with_it(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client, **TWO_LINES)
    pump, _ = lines_of(order)
    for event in (handed_over(order_id(order), (pump, "2")), progressed(order_id(order), "40")):
        await deliver(consumers, event)
    reply = await client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "too late"})
    assert (reply.status_code, reply.json()["state"]) == (202, "in_progress")
    change_id = UUID(reply.json()["change"]["change_id"])
    await deliver(consumers, decided(order_id(order), change_id, (pump, "2")))
    now = await read(client, order)
    assert (sizes(now), now["net"]["amount"], now["percent_delivered"]) == ([("PUMP-7", "2")], "668.83", "100")
    await deliver(consumers, completed(order_id(order)), occurred_at=NOW + timedelta(hours=1))
    assert (await read(client, order))["state"] == "fulfilled"
    assert await reserved(client) == [("PUMP-7", "7", "0")]
    assert told(await emitted(), order)[2:] == ["order.change_requested", "order.changed", "order.fulfilled"]


async def test_a_hand_over_in_between_counts_since_delivery_decides(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client, **TWO_LINES)
    pump, hose = lines_of(order)
    change_id = await wished(client, order, cancel(pump))
    # Two pumps went before delivery heard of it, and more hoses than were ordered.
    await deliver(consumers, decided(order_id(order), change_id, (pump, "2"), (hose, "3")))
    now = await read(client, order)
    assert sizes(now) == [("PUMP-7", "2"), ("HOSE", "2")]
    assert now["net"]["amount"] == "768.83"


async def test_answers_that_come_again_late_or_in_another_order_change_nothing_more(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, parked: Parked
) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client)
    [pump] = lines_of(order)
    first = await wished(client, order, change((pump, "2")))
    answer = decided(order_id(order), first)
    for event in (answer, answer, decided(order_id(order), first, granted=False)):
        await deliver(consumers, event)
    second = await wished(client, order, change((pump, "1")))
    # The delivery was completed right after it had agreed, and that is heard first; nothing is taken from the shelf before the answer.
    await deliver(consumers, completed(order_id(order)), occurred_at=NOW + timedelta(hours=2))
    assert await reserved(client) == [("PUMP-7", "9", "2")]
    for event in (decided(order_id(order), second), answer, decided(order_id(order), second)):
        await deliver(consumers, event, occurred_at=NOW + timedelta(hours=1))
    now = await read(client, order)
    assert (now["state"], sizes(now), now["lines_version"]) == ("fulfilled", [("PUMP-7", "1")], 3)
    assert await reserved(client) == [("PUMP-7", "8", "0")]
    changed = [item.event for item in await emitted() if isinstance(item.event, OrderChanged)]
    assert [str(event.delta.amount) for event in changed] == ["-334.42", "-334.41"]
    assert sum((event.delta.amount for event in changed), lines_of(order)[0].net.amount) == lines_of(now)[0].net.amount
    assert await parked() == []


async def test_an_answer_to_a_change_that_we_do_not_know_waits(
    deliver: Deliver, client: httpx.AsyncClient, parked: Parked
) -> None:
    order = await check_out(client)
    assert await deliver(consumers, decided(order_id(order), new_id())) == "parked"
    assert [row["reason"] for row in await parked()] == ["not_yet"]


async def test_progress_of_what_the_order_was_before_says_nothing_of_what_it_is(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    orders = [await check_out(client, f"W-{number}") for number in range(2)]
    for number, order in enumerate(orders):
        [pump] = lines_of(order)
        await deliver(consumers, handed_over(order_id(order), (pump, "2")), occurred_at=NOW)
        change_id = await wished(client, order, change((pump, "8")))
        facts = [
            (progressed(order_id(order), "66.66"), NOW),
            (decided(order_id(order), change_id, (pump, "2")), NOW + timedelta(hours=1)),
        ]
        for event, at in facts if number == 0 else reversed(facts):
            await deliver(consumers, event, occurred_at=at)
        await deliver(consumers, progressed(order_id(order), "25"), occurred_at=NOW + timedelta(hours=2))
        now = await read(client, order)
        assert (now["state"], float(now["percent_delivered"])) == ("in_progress", 25), number


async def test_an_order_cancelled_by_delivery_waits_for_no_answer(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    change_id = await wished(client, order, change((pump, "2")))
    await deliver(consumers, cancelled(order_id(order)))
    await deliver(consumers, decided(order_id(order), change_id))
    now = await read(client, order)
    assert (now["state"], sizes(now), now["change"]) == ("cancelled", [("PUMP-7", "3")], None)
    assert (await outcome(client, order, change_id))["state"] == "refused"


async def test_a_whole_cancellation_goes_the_way_it_always_went_and_its_end_is_the_answer(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    granted, refused = await check_out(client), await check_out(client, "W-2")
    ids = {}
    for order in (granted, refused):
        ids[order["id"]] = await wished(client, order, cancel())
        assert (await read(client, order))["state"] == "cancelling"
        assert told(await emitted(), order)[-1] == "order.cancellation_requested"
    await deliver(consumers, cancelled(order_id(granted)))
    await deliver(consumers, progressed(order_id(refused), "10"))
    assert (await outcome(client, granted, ids[granted["id"]]))["state"] == "granted"
    assert (await outcome(client, refused, ids[refused["id"]]))["state"] == "refused"
    assert (await read(client, refused))["state"] == "in_progress"


async def test_an_order_that_delivery_does_not_know_is_changed_at_once_and_released_when_it_fits(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, run_timer: RunTimer
) -> None:
    customer = new_id()
    await deliver(consumers, told_by_erp(customer, "900.00"))
    order = await check_out(client, customer={"customer_id": str(customer)}, **TWO_LINES)
    await run_timer(LOOK_AGAIN)
    pump, hose = lines_of(order)
    await wished(client, order, cancel(hose))
    held = await read(client, order)
    assert (held["state"], sizes(held), held["lines_version"]) == ("held", [("PUMP-7", "3")], 2)
    assert "1,223.97" in held["hold"]["detail"]
    await wished(client, order, change((pump, "2")))
    now = await read(client, order)
    assert (now["state"], sizes(now), now["gross"]["amount"]) == ("confirmed", [("PUMP-7", "2")], "815.97")
    # Nobody was told of an order before it was confirmed, so its first word has the lines as they are.
    assert told(await emitted(), order) == ["order.received", "order.held", "order.released", "order.confirmed"]
    confirmed = next(item.event for item in await emitted() if item.topic == "order.confirmed")
    assert confirmed.net.amount == lines_of(now)[0].net.amount
    await run_timer(LOOK_AGAIN)


async def test_a_held_order_of_which_nothing_is_left_is_cancelled(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client, hold="look at it")
    change_id = await wished(client, order, cancel())
    assert (await read(client, order))["state"] == "cancelled"
    assert (await outcome(client, order, change_id))["state"] == "granted"


async def test_a_release_beside_a_change_never_confirms_the_lines_of_before(
    deliver: Deliver, client: httpx.AsyncClient, db: Database
) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client, hold="look at it", **TWO_LINES)
    pump, _ = lines_of(order)
    shown = await assess(client, order, cancel(pump))
    async with db.connection() as conn, conn.transaction():
        # Who releases has read the lines and waits for the shelf; who changes does not need it.
        await conn.execute("SELECT FROM stock WHERE sku = 'PUMP-7' FOR UPDATE")
        release = asyncio.create_task(client.post(f"/v1/orders/{order['id']}/release", json={"reason": "fine"}))
        while not await conn.fetchval(
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))"
        ):
            await asyncio.sleep(0.02)
        assert (await confirm(client, shown)).status_code == 202
    refused = await release
    assert (refused.status_code, refused.json()["type"].split(":")[-1]) == (409, "version-conflict")
    assert (await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "fine"})).status_code == 200
    now = await read(client, order)
    assert (now["state"], sizes(now), now["net"]["amount"]) == ("confirmed", [("HOSE", "2")], "100.00")


async def test_one_change_at_a_time_and_no_cancellation_beside_it(client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    other = await assess(client, order, change((pump, "1")))
    await wished(client, order, change((pump, "2")))
    for reply in (await confirm(client, other), await client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "no"})):
        assert (reply.status_code, reply.json()["type"].split(":")[-1]) == (409, "change-pending")
    refused = await assess(client, order, cancel())
    assert [reason["code"] for reason in refused["effects"]["reasons"]] == ["pending"]


async def test_a_lost_answer_is_told_and_the_step_is_over_when_it_comes(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    order = await check_out(client)
    await deliver(consumers, promised(order_id(order)), occurred_at=NOW)
    change_id = await wished(client, order, change((lines_of(order)[0], "2")))
    process = await process_of(client, order)
    assert (process["step"], process["waiting_for"], process["since"][:10]) == ("change", "delivery.change_decided", "2026-01-01")
    clock.advance(days=3)
    await run_timer(TELL_LATE)
    [stalled] = [item.event for item in await emitted() if item.topic == "order.stalled"]
    assert (stalled.step, stalled.attempt, stalled.compensating) == ("change", 1, False)
    await deliver(consumers, decided(order_id(order), change_id))
    process = await process_of(client, order)
    assert (process["step"], process["since"][:10]) == ("deliver", "2026-01-01")
    assert [(step["step"], step["outcome"]) for step in process["steps"]][-2:] == [("change", "late"), ("change", "done")]
    refused = await client.post(
        "/v1/process-policies",
        json={"step": "change", "timeout_hours": 1, "attempts": 1, "action": "cancel", "reason": "quick"},
    )
    assert refused.status_code == 400


async def test_a_prepaid_order_that_is_partly_delivered_and_never_paid_keeps_what_was_delivered(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    [pump] = lines_of(order)
    for event in (promised(order_id(order)), issued(order_id(order)), handed_over(order_id(order), (pump, "1"))):
        await deliver(consumers, event, occurred_at=NOW)
    clock.advance(days=15)
    await run_timer(TELL_LATE)
    assert told(await emitted(), order)[2:] == ["order.stalled", "order.change_requested"]
    asked = (await emitted())[-1].event
    assert [str(line.quantity) for line in asked.lines] == ["1"]


async def test_a_confirmation_with_a_key_is_made_once(client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await check_out(client)
    shown = await assess(client, order, change((lines_of(order)[0], "2")))
    url, key = f"/v1/orders/{order['id']}/assessments/{shown['id']}/confirm", {"Idempotency-Key": "K-1"}
    replies = [await client.post(url, headers=key) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [202, 202]
    assert replies[0].json() == replies[1].json()
    assert told(await emitted(), order).count("order.change_requested") == 1


@pytest.mark.parametrize("same", [True, False])
async def test_of_confirmations_at_once_one_wins(same: bool, client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await check_out(client)
    [pump] = lines_of(order)
    shown = [await assess(client, order, change((pump, quantity))) for quantity in ("1", "2", "4")]
    replies = await asyncio.gather(*(confirm(client, shown[0] if same else each) for each in shown))
    assert sorted(reply.status_code for reply in replies) == [202, 409, 409]
    assert told(await emitted(), order).count("order.change_requested") == 1


async def test_a_confirmation_beside_a_hand_over_is_asked_before_it_or_outdated_by_it(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    seen = set()
    for number in range(6):
        order = await check_out(client, f"W-{number}", **TWO_LINES)
        pump, _ = lines_of(order)
        await deliver(consumers, handed_over(order_id(order), (pump, "1")))
        shown = await assess(client, order, cancel(pump))
        event = handed_over(order_id(order), (pump, "1"))
        reply, heard = await asyncio.gather(confirm(client, shown), deliver(consumers, event))
        assert heard == "processed"
        seen.add(reply.status_code)
        now = await read(client, order)
        if reply.status_code == 202:
            await deliver(consumers, decided(order_id(order), UUID(shown["id"]), (pump, "2")))
            assert sizes(await read(client, order)) == [("PUMP-7", "2"), ("HOSE", "2")]
        else:
            assert (reply.json()["type"].split(":")[-1], now["change"]) == ("change-outdated", None)
    assert seen <= {202, 409}


async def test_dearer_changes_at_once_cannot_both_take_the_last_of_a_limit_or_a_shelf(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    customer = new_id()
    await deliver(consumers, told_by_erp(customer, "3000.00"))
    await deliver(consumers, counted("50"))
    orders = [await check_out(client, f"W-{number}", customer={"customer_id": str(customer)}) for number in range(2)]
    shown = [await assess(client, order, change((lines_of(order)[0], "4"))) for order in orders]
    replies = await asyncio.gather(*(confirm(client, each) for each in shown))
    assert sorted(reply.status_code for reply in replies) == [202, 409]

    others = [await check_out(client, f"X-{number}", lines=[HOSE], net=HOSE["net"]) for number in range(2)]
    await deliver(consumers, counted("1", sku="HOSE"))
    shown = [await assess(client, order, change((lines_of(order)[0], "3"))) for order in others]
    replies = await asyncio.gather(*(confirm(client, each) for each in shown))
    assert sorted(reply.status_code for reply in replies) == [202, 409]
    assert ("HOSE", "1", "1") in await reserved(client)


async def test_a_changed_order_is_closed_when_it_is_delivered_and_paid(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    change_id = await wished(client, order, change((lines_of(order)[0], "2")))
    for event in (
        completed(order_id(order)),
        issued(order_id(order)),
        paid(order_id(order)),
        decided(order_id(order), change_id),
    ):
        await deliver(consumers, event)
    now = await read(client, order)
    assert (now["state"], sizes(now), now["change"]) == ("closed", [("PUMP-7", "2")], None)
