"""Holds: who keeps an order, who lets it go, and what the history says of it."""

import asyncio

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Deliver, KeyPair

from order_svc.consumers import consumers
from order_svc.tests.builders import a_cart_line, counted, progressed
from order_svc.tests.rig import LOOK_AGAIN, Emissions, RunTimer, check_out, order_id, read, receive, told


async def test_an_order_that_a_shop_wants_checked_waits_for_a_person(
    client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    order = await check_out(client, hold="looks like fraud")
    assert (order["state"], order["promised_on"]) == ("held", None)
    assert order["hold"] == {
        "reasons": ["manual"],
        "detail": "manual: looks like fraud",
        "since": "2026-01-01T00:00:00Z",
        "held_by": "test",
    }
    clock.advance(hours=3)
    reply = await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "called them"})
    assert (reply.status_code, reply.json()["state"], reply.json()["hold"]) == (200, "confirmed", None)
    events = await emitted()
    assert told(events, order) == ["order.received", "order.held", "order.released", "order.confirmed"]
    held, released = events[1].event, events[2].event
    assert (held.reasons, held.held_by) == (("manual",), "test")
    assert (released.reasons, released.released_by, released.held_seconds) == (("manual",), "test", 10800)
    assert [event.sequence for event in events] == [1, 2, 3, 4]
    history = (await client.get(f"/v1/orders/{order['id']}/history")).json()["items"]
    assert [(item["to_state"], item["reason"], item["by"]) for item in history] == [
        ("received", None, None),
        ("held", "manual: looks like fraud", "test"),
        ("held", "called them", "test"),
        ("confirmed", None, None),
    ]


async def test_no_check_releases_what_a_person_holds(
    deliver: Deliver, client: httpx.AsyncClient, run_timer: RunTimer, emitted: Emissions
) -> None:
    await deliver(consumers, counted("1"))
    order = await check_out(client)
    assert order["hold"]["reasons"] == ["stock"]
    kept = await client.post(f"/v1/orders/{order['id']}/hold", json={"reason": "the price is disputed"})
    assert kept.json()["hold"]["reasons"] == ["stock", "manual"]
    again = await client.post(f"/v1/orders/{order['id']}/hold", json={"reason": "still"})
    assert again.json() == kept.json()
    await deliver(consumers, counted("50", site="HAM"))
    await run_timer(LOOK_AGAIN)
    assert (await read(client, order))["hold"]["reasons"] == ["manual"]
    reply = await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "agreed"})
    assert reply.json()["state"] == "confirmed"
    assert told(await emitted(), order).count("order.released") == 1


async def test_a_release_waives_only_what_the_order_was_held_for(
    deliver: Deliver, client: httpx.AsyncClient, run_timer: RunTimer
) -> None:
    order = await check_out(client, hold="check the address")
    await deliver(consumers, counted("1"))
    reply = await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "fine"})
    assert (reply.json()["state"], reply.json()["hold"]["reasons"], reply.json()["waived"]) == ("held", ["stock"], ["manual"])
    await deliver(consumers, counted("3", site="HAM"))
    await run_timer(LOOK_AGAIN)
    assert (await read(client, order))["state"] == "confirmed"


async def test_a_release_needs_its_own_authority_and_a_reason(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, keys: KeyPair
) -> None:
    order = await check_out(client, hold="check")
    path = f"/v1/orders/{order['id']}/release"
    for scopes, status in (("orders:write", 403), ("orders:release", 200)):
        headers = {"Authorization": f"Bearer {keys.token(scopes, subject='ines')}"}
        reply = await anonymous.post(path, json={"reason": "ok"}, headers=headers)
        assert reply.status_code == status
    assert (await client.post(path, json={"reason": " "})).status_code == 422


@pytest.mark.parametrize("verb", ["hold", "release"])
async def test_a_confirmed_order_is_neither_held_nor_released(verb: str, deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await receive(deliver, client)
    reply = await client.post(f"/v1/orders/{order['id']}/{verb}", json={"reason": "late"})
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:wrong-transition")
    await deliver(consumers, progressed(order_id(order)))
    assert (await read(client, order))["state"] == "in_progress"


async def test_many_who_release_at_once_confirm_once(client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await check_out(client, hold="check")
    path = f"/v1/orders/{order['id']}/release"
    replies = await asyncio.gather(*(client.post(path, json={"reason": "ok"}) for _ in range(6)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 5
    assert told(await emitted(), order) == ["order.received", "order.held", "order.released", "order.confirmed"]


async def test_unknown_orders_are_not_found(client: httpx.AsyncClient) -> None:
    unknown = "01900000-0000-7000-8000-000000000000"
    for verb in ("hold", "release"):
        assert (await client.post(f"/v1/orders/{unknown}/{verb}", json={"reason": "x"})).status_code == 404


async def test_an_order_that_cannot_be_decided_on_does_not_keep_the_others_waiting(
    deliver: Deliver, client: httpx.AsyncClient, run_timer: RunTimer, db: Database
) -> None:
    await deliver(consumers, counted("1"))
    await deliver(consumers, counted("1", sku="HOSE"))
    pump = await check_out(client, "1")
    hose = await check_out(client, "2", lines=[a_cart_line(sku="HOSE")])
    await run_timer(LOOK_AGAIN)
    async with db.connection() as conn:
        # A line that cannot be read any more: its net is no amount of its currency.
        await conn.execute("UPDATE order_line SET net_amount = 0.001 WHERE order_id = $1", order_id(pump))
    for sku in ("PUMP-7", "HOSE"):
        await deliver(consumers, counted("9", sku=sku, site="HAM"))
    await run_timer(LOOK_AGAIN)
    async with db.connection() as conn:
        states = [await conn.fetchval("SELECT state FROM sales_order WHERE id = $1", order_id(order)) for order in (pump, hose)]
        assert await conn.fetchval("SELECT count(*) FROM recheck") == 0
    assert states == ["held", "confirmed"]
