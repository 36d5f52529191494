"""Orders without a contract: from a shop's checkout in one call, and from an ERP's event."""

import asyncio
from typing import Any

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair

from order_svc.consumers import consumers
from order_svc.tests.builders import a_cart, a_cart_line, a_customer, a_line, counted, eur, placed_in_erp
from order_svc.tests.rig import Emissions, Parked, check_out, read, states, told
from order_svc.tests.test_credit import agree


async def test_a_cart_becomes_a_confirmed_order_in_one_call(client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await check_out(client, invoicing="on_confirmation", ship_complete=True)
    assert (order["state"], order["source"], order["external_ref"], order["promised_on"]) == (
        *("confirmed", "checkout", "W-1"),
        "2026-01-15",
    )
    assert (order["gross"]["amount"], order["invoicing"], order["payment_terms_days"]) == ("1223.97", "on_confirmation", 0)
    assert await read(client, order) == order
    received, confirmed = [item for item in await emitted() if item.topic.startswith("order.")]
    assert (received.topic, confirmed.topic) == ("order.received", "order.confirmed")
    event = confirmed.event
    assert (event.source, event.external_ref, event.invoicing, event.ship_complete) == (
        *("checkout", "W-1", "on_confirmation"),
        True,
    )
    assert str(event.contract_id) == order["contract_id"]
    assert str(confirmed.flow_id) == order["flow_id"]


async def test_a_lead_who_buys_stays_on_their_journey(client: httpx.AsyncClient) -> None:
    flow_id = str(new_id())
    assert (await check_out(client, flow_id=flow_id))["flow_id"] == flow_id


async def test_the_same_reference_is_the_same_order(client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await check_out(client)
    again = await client.post("/v1/checkout", json=a_cart())
    assert (again.status_code, again.json()) == (200, order)
    assert told(await emitted(), order) == ["order.received", "order.confirmed"]


async def test_the_same_reference_with_another_cart_is_refused(client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    other = await client.post("/v1/checkout", json=a_cart(customer={"name": "Somebody Else"}))
    assert (other.status_code, other.json()["type"]) == (409, "urn:ltc:problem:external-ref-reused")
    assert order["number"] in other.json()["detail"]


async def test_the_same_cart_from_many_at_once_is_one_order(client: httpx.AsyncClient, emitted: Emissions) -> None:
    replies = await asyncio.gather(*(client.post("/v1/checkout", json=a_cart()) for _ in range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] * 7 + [201]
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert told(await emitted(), replies[0].json()) == ["order.received", "order.confirmed"]


async def test_the_idempotency_key_repeats_the_answer(client: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "cart"}
    first = await client.post("/v1/checkout", json=a_cart(), headers=headers)
    again = await client.post("/v1/checkout", json=a_cart(), headers=headers)
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (201, first.json(), "true")


@pytest.mark.parametrize(
    ("cart", "says"),
    [
        ({"net": {"amount": "1003.26", "currency": "EUR"}}, "the lines add up to 1,003.25 EUR"),
        ({"net": {"amount": "1003.25", "currency": "USD"}}, "cannot combine"),
        ({"lines": [a_cart_line(net={"amount": "1003.24", "currency": "EUR"})]}, "should be 1,003.25 EUR"),
        ({"lines": [a_cart_line(unit_price={"amount": "348.35", "currency": "USD"})]}, "the price is USD"),
        ({"lines": [a_cart_line(tax_category="E")]}, "tax category E has the rate 0"),
        ({"lines": [a_cart_line(tax_category="AE", tax_rate="0")]}, "needs the customer's VAT id"),
        ({"lines": [a_cart_line(line_id=str(new_id()))] * 2}, "two lines have the same id"),
        (
            {
                "lines": [
                    a_cart_line(
                        quantity="1",
                        unit_price={"amount": "-10.00", "currency": "EUR"},
                        discount_percent="0",
                        net={"amount": "-10.00", "currency": "EUR"},
                    )
                ]
            },
            "is below zero; a discount is the discount_percent of its line",
        ),
    ],
)
async def test_a_cart_that_nobody_could_invoice_is_refused(
    cart: dict[str, Any], says: str, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    reply = await client.post("/v1/checkout", json=a_cart(**cart))
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:invalid")
    assert says in reply.json()["detail"]
    assert await emitted() == []


@pytest.mark.parametrize(
    "cart",
    [
        {"external_ref": ""},
        {"external_ref": "x" * 201},
        {"lines": []},
        {"lines": [a_cart_line()] * 501},
        {"lines": [a_cart_line(quantity="0")]},
        {"lines": [a_cart_line(quantity="-3")]},
        {"lines": [a_cart_line(tax_rate="101")]},
        {"payment_terms_days": 366},
        {"invoicing": "never"},
        {"surprise": 1},
    ],
)
async def test_a_cart_of_another_shape_is_refused(cart: dict[str, Any], client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/checkout", json=a_cart() | cart)
    assert reply.status_code == 422


async def test_a_text_that_cannot_be_kept_is_refused(client: httpx.AsyncClient) -> None:
    assert (await client.post("/v1/checkout", json=a_cart("W\x001"))).status_code == 400


async def test_checking_out_needs_the_scope(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    reader = {"Authorization": f"Bearer {keys.token('orders:read')}"}
    assert (await anonymous.post("/v1/checkout", json=a_cart())).status_code == 401
    assert (await anonymous.post("/v1/checkout", json=a_cart(), headers=reader)).status_code == 403


async def test_an_order_placed_in_the_erp_becomes_an_order(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    assert await deliver(consumers, placed_in_erp()) == "processed"
    [order] = (await client.get("/v1/orders", params={"source": "erp", "external_ref": "PO-1"})).json()["items"]
    assert (order["state"], order["payment_terms_days"]) == ("confirmed", 30)
    events = await emitted()
    assert told(events, order) == ["order.received", "order.confirmed"]
    assert {str(item.flow_id) for item in events} == {order["flow_id"]}


async def test_an_erp_that_tells_an_order_again_makes_no_other(deliver: Deliver, client: httpx.AsyncClient) -> None:
    placed, event_id = placed_in_erp(), new_id()
    assert await deliver(consumers, placed, event_id=event_id) == "processed"
    assert await deliver(consumers, placed, event_id=event_id) == "duplicate"
    assert await deliver(consumers, placed) == "processed"
    await check_out(client, "PO-1")  # a shop's reference is another
    assert [order["source"] for order in (await client.get("/v1/orders")).json()["items"]] == ["erp", "checkout"]


async def test_another_order_under_a_reference_of_the_erp_is_kept_for_a_person(
    deliver: Deliver, client: httpx.AsyncClient, parked: Parked
) -> None:
    placed = placed_in_erp()
    await deliver(consumers, placed)
    renumbered = tuple(line.model_copy(update={"line_id": new_id()}) for line in placed.lines)
    assert await deliver(consumers, placed.model_copy(update={"lines": renumbered})) == "processed"
    assert await deliver(consumers, placed.model_copy(update={"payment_terms_days": 60})) == "parked"
    [row] = await parked()
    assert "'PO-1' is order O-2026-000001 already, with other content" in row["error"]
    assert len((await client.get("/v1/orders")).json()["items"]) == 1


async def test_what_is_wrong_with_an_order_of_the_erp_is_told_by_a_hold(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await deliver(consumers, placed_in_erp(lines=(a_line(net=eur("1003.24")),), net=eur("1003.24"), customer=a_customer()))
    [order] = (await client.get("/v1/orders", params={"state": "held"})).json()["items"]
    assert order["hold"]["reasons"] == ["validation"]
    assert order["hold"]["detail"] == "validation: line PUMP-7: net is 1,003.24 EUR, should be 1,003.25 EUR"
    refused = await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "never mind"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:hold-not-releasable")
    gone = await client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "wrong price"})
    assert (gone.status_code, gone.json()["state"]) == (202, "cancelled")
    assert told(await emitted(), order) == ["order.received", "order.held", "order.cancelled"]
    assert await states(client, order) == ["received", "held", "cancelled"]


async def test_carts_of_the_same_time_are_decided_as_if_one_came_after_the_other(
    client: httpx.AsyncClient, emitted: Emissions, deliver: Deliver
) -> None:
    """Two of a reference, three of a customer with credit for two, more pieces than there are, one that is wrong, one placed before."""
    customer = str(new_id())
    await agree(client, customer, "2500.00")
    # Enough for two carts of three.
    await deliver(consumers, counted("7", sku="HOSE"))
    before = await check_out(client, "before")
    hoses = {"lines": [a_cart_line(sku="HOSE")]}
    carts = [
        *(a_cart(external_ref="twice") for _ in range(2)),
        *(a_cart(external_ref=f"credit-{n}", customer={"customer_id": customer}) for n in range(3)),
        *(a_cart(external_ref=f"hose-{n}", **hoses) for n in range(4)),
        a_cart(external_ref="wrong", net={"amount": "1.00", "currency": "EUR"}),
        a_cart(external_ref="before"),
        *(a_cart(external_ref=f"plain-{n}") for n in range(4)),
    ]
    replies = await asyncio.gather(*(client.post("/v1/checkout", json=cart) for cart in carts))
    by_kind: dict[str, list[httpx.Response]] = {}
    for cart, reply in zip(carts, replies, strict=True):
        by_kind.setdefault(str(cart["external_ref"]).partition("-")[0], []).append(reply)

    def states_of(kind: str) -> list[str]:
        return sorted(reply.json()["state"] for reply in by_kind[kind])

    assert sorted(reply.status_code for reply in by_kind["twice"]) == [200, 201]
    assert len({reply.json()["id"] for reply in by_kind["twice"]}) == 1
    assert states_of("credit") == ["confirmed", "confirmed", "held"]
    assert states_of("hose") == ["confirmed", "confirmed", "held", "held"]
    assert [reply.status_code for reply in by_kind["wrong"]] == [400]
    assert [(reply.status_code, reply.json()["id"]) for reply in by_kind["before"]] == [(200, before["id"])]
    assert states_of("plain") == ["confirmed"] * 4
    orders = [reply.json() for reply in replies if reply.status_code == 201]
    assert len({order["number"] for order in orders}) == len(orders) == 12
    events = await emitted()
    for order in orders:
        assert told(events, order) == ["order.received", f"order.{order['state']}"]
        assert await read(client, order) == order
