"""Stock: no piece is two orders', and what is short waits until it comes."""

import asyncio
from datetime import timedelta

import httpx
from ltc_chassis.testing import Deliver

from order_svc.consumers import consumers
from order_svc.tests.builders import NOW, a_cart_line, cancelled, completed, counted
from order_svc.tests.rig import LOOK_AGAIN, Emissions, RunTimer, check_out, order_id, read, told


async def shelf(client: httpx.AsyncClient, sku: str = "PUMP-7") -> dict[str, tuple[str, str, str]]:
    """On hand, reserved and free, by site."""
    items = (await client.get("/v1/stock", params={"sku": sku})).json()["items"]
    return {item["site"]: (item["on_hand"], item["reserved"], item["free"]) for item in items}


async def reserved(client: httpx.AsyncClient, order: dict[str, str]) -> list[tuple[str, str, str]]:
    items = (await client.get(f"/v1/orders/{order['id']}/reservations")).json()["items"]
    return [(item["site"], item["quantity"], item["state"]) for item in items]


async def test_what_is_never_counted_is_never_short(client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    assert (order["state"], await reserved(client, order), await shelf(client)) == ("confirmed", [], {})


async def test_a_line_takes_its_pieces_from_one_site_where_one_has_enough(deliver: Deliver, client: httpx.AsyncClient) -> None:
    for site, pieces in (("HAM", "2"), ("MUC", "5"), ("ULM", "4")):
        await deliver(consumers, counted(pieces, site=site))
    order = await check_out(client, "1")
    assert await reserved(client, order) == [("MUC", "3", "reserved")]
    await check_out(client, "2")  # ULM
    assert await shelf(client) == {"HAM": ("2", "0", "2"), "MUC": ("5", "3", "2"), "ULM": ("4", "3", "1")}
    split = await check_out(client, "3")
    assert await reserved(client, split) == [("HAM", "2", "reserved"), ("MUC", "1", "reserved")]


async def test_what_is_short_waits_and_goes_when_it_comes_the_oldest_first(
    deliver: Deliver, client: httpx.AsyncClient, run_timer: RunTimer, emitted: Emissions
) -> None:
    await deliver(consumers, counted("2"))
    first, second = [await check_out(client, ref) for ref in ("1", "2")]
    assert first["hold"]["detail"] == "stock: PUMP-7: 1 of 3 missing"
    assert await reserved(client, first) == []
    await deliver(consumers, counted("5", as_of=NOW + timedelta(hours=1)))
    await run_timer(LOOK_AGAIN)
    assert [(await read(client, order))["state"] for order in (first, second)] == ["confirmed", "held"]
    assert await reserved(client, first) == [("MUC", "3", "reserved")]
    assert told(await emitted(), first) == ["order.received", "order.held", "order.released", "order.confirmed"]
    await deliver(consumers, cancelled(order_id(first)))
    await run_timer(LOOK_AGAIN)
    assert (await read(client, second))["state"] == "confirmed"
    assert await reserved(client, first) == [("MUC", "3", "released")]
    assert await shelf(client) == {"MUC": ("5", "3", "2")}


async def test_orders_at_once_never_reserve_the_same_piece(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("7"))
    await deliver(consumers, counted("100", sku="HOSE"))
    hose = a_cart_line(sku="HOSE")
    net = {"amount": "2006.50", "currency": "EUR"}
    carts = await asyncio.gather(
        *(check_out(client, f"{n}", lines=[a_cart_line(), hose] if n % 2 else [hose, a_cart_line()], net=net) for n in range(8))
    )
    assert sorted(cart["state"] for cart in carts) == ["confirmed"] * 2 + ["held"] * 6
    assert await shelf(client) == {"MUC": ("7", "6", "1")}
    assert (await shelf(client, "HOSE"))["MUC"][1] == "6"


async def test_two_lines_of_one_sku_share_what_lies_there(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("5"))
    net = {"amount": "2006.50", "currency": "EUR"}
    order = await check_out(client, lines=[a_cart_line(), a_cart_line()], net=net)
    assert order["hold"]["detail"] == "stock: PUMP-7: 1 of 3 missing"


async def test_delivered_pieces_are_gone_until_a_later_count_knows_it(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("10"))
    order = await check_out(client)
    delivered_at = NOW + timedelta(days=2)
    await deliver(consumers, completed(order_id(order), completed_at=delivered_at), occurred_at=delivered_at)
    assert await reserved(client, order) == [("MUC", "3", "consumed")]
    assert await shelf(client) == {"MUC": ("7", "0", "7")}
    await deliver(consumers, counted("12", as_of=NOW + timedelta(days=1)))  # counted before they left, told after
    assert await shelf(client) == {"MUC": ("9", "0", "9")}
    await deliver(consumers, counted("9", as_of=NOW + timedelta(days=3)))
    assert await shelf(client) == {"MUC": ("9", "0", "9")}


async def test_an_older_count_says_nothing_new(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("10"))
    for as_of in (NOW, NOW - timedelta(seconds=1)):
        assert await deliver(consumers, counted("99", as_of=as_of)) == "processed"
    assert await shelf(client) == {"MUC": ("10", "0", "10")}


async def test_a_count_below_what_is_reserved_takes_nothing_away_and_gives_nothing_out(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    await deliver(consumers, counted("3"))
    await check_out(client, "1")
    await deliver(consumers, counted("1", as_of=NOW + timedelta(hours=1)))
    assert await shelf(client) == {"MUC": ("1", "3", "-2")}
    assert (await check_out(client, "2"))["hold"]["reasons"] == ["stock"]


async def test_a_person_confirms_a_backorder_with_what_there_is(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("2"))
    order = await check_out(client)
    reply = await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "the truck is on its way"})
    assert reply.json()["state"] == "confirmed"
    assert await reserved(client, order) == [("MUC", "2", "reserved")]


async def test_pages_of_stock_hold_every_shelf_once(deliver: Deliver, client: httpx.AsyncClient) -> None:
    for sku in ("A", "B", "C"):
        for site in ("X", "Y"):
            await deliver(consumers, counted("1", sku=sku, site=site))
    seen: list[tuple[str, str]] = []
    params: dict[str, str | int] = {"limit": 4}
    while True:
        page = (await client.get("/v1/stock", params=params)).json()
        seen += [(item["sku"], item["site"]) for item in page["items"]]
        if not page["more"]:
            break
        params |= {"after_sku": seen[-1][0], "after_site": seen[-1][1]}
    assert seen == [(sku, site) for sku in "ABC" for site in "XY"]
