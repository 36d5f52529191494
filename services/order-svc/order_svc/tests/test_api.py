"""The HTTP side: what is answered, what is refused, and what never happens twice."""

import asyncio
from collections import Counter
from typing import Any
from uuid import uuid4

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair

from order_svc.consumers import consumers
from order_svc.tests.builders import a_contract, cancelled, completed, issued, paid, progressed
from order_svc.tests.rig import Emissions, order_id, read, receive, states, told


async def ask(client: httpx.AsyncClient, order: dict[str, Any], reason: str = "budget cut", **more: Any) -> httpx.Response:
    return await client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": reason}, **more)


async def test_an_order_shows_the_whole_deal(deliver: Deliver, client: httpx.AsyncClient) -> None:
    contract = a_contract()
    order = await read(client, await receive(deliver, client, contract))
    assert order == {
        "id": order["id"],
        "flow_id": order["flow_id"],
        "number": "O-2026-000001",
        "state": "confirmed",
        "contract_id": str(contract.contract_id),
        "customer": contract.customer.model_dump(mode="json"),
        "lines": [line.model_dump(mode="json") for line in contract.lines],
        "net": {"amount": "1003.25", "currency": "EUR"},
        "gross": {"amount": "1223.97", "currency": "EUR"},
        "invoiced": {"amount": "0.00", "currency": "EUR"},
        "source": "contract",
        "external_ref": None,
        "invoicing": "on_delivery",
        "ship_complete": False,
        "subscription_id": None,
        "period_from": None,
        "period_until": None,
        "hold": None,
        "waived": [],
        "payment_terms_days": 30,
        "requested_on": None,
        "promised_on": "2026-01-15",
        "first_confirmed_on": "2026-01-15",
        "latest_confirmed_on": "2026-01-15",
        "percent_delivered": "0",
        "percent_invoiced": "0",
        "delivery_id": None,
        "paid": False,
        "collected": None,
        "cancellation": None,
        "lines_version": 1,
        "change": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "version": 2,
    }


async def test_orders_are_listed_by_flow_state_and_contract(deliver: Deliver, client: httpx.AsyncClient) -> None:
    first, second = await receive(deliver, client), await receive(deliver, client)
    await deliver(consumers, progressed(order_id(second)))
    for params, expected in [
        ({}, [first, second]),
        ({"flow_id": first["flow_id"]}, [first]),
        ({"contract_id": second["contract_id"]}, [second]),
        ({"state": "in_progress"}, [second]),
        ({"state": "in_progress", "flow_id": first["flow_id"]}, []),
    ]:
        items = (await client.get("/v1/orders", params=params)).json()["items"]
        assert [item["id"] for item in items] == [order["id"] for order in expected], params


async def test_pages_hold_every_order_once_in_order(deliver: Deliver, client: httpx.AsyncClient) -> None:
    made = [(await receive(deliver, client))["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await client.get("/v1/orders", params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made


async def test_the_history_tells_every_state_with_time_and_reason(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    order = await receive(deliver, client)
    clock.advance(days=1)
    await ask(client, order)
    clock.advance(days=1)
    await deliver(consumers, completed(order_id(order)))
    reply = await client.get(f"/v1/orders/{order['id']}/history")
    told_as = [(i["from_state"], i["to_state"], i["reason"], i["changed_at"][:10]) for i in reply.json()["items"]]
    assert told_as == [
        (None, "received", None, "2026-01-01"),
        ("received", "confirmed", None, "2026-01-01"),
        ("confirmed", "cancelling", "budget cut", "2026-01-02"),
        ("cancelling", "confirmed", "cancellation refused: everything was delivered", "2026-01-03"),
        ("confirmed", "fulfilled", None, "2026-01-03"),
    ]


async def test_a_cancellation_is_requested_then_granted_by_delivery(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    order = await receive(deliver, client)
    reply = await ask(client, order, "  budget cut ")
    assert reply.status_code == 202
    assert (reply.json()["state"], reply.json()["cancellation"]) == (
        "cancelling",
        {"state": "requested", "reason": "budget cut", "requested_at": "2026-01-01T00:00:00Z", "decided_at": None},
    )
    await deliver(consumers, cancelled(order_id(order), reason="budget cut"))
    now = await read(client, order)
    assert (now["state"], now["cancellation"]["state"]) == ("cancelled", "granted")
    events = await emitted()
    assert told(events, order)[2:] == ["order.cancellation_requested", "order.cancelled"]
    assert (events[3].event.reason, str(events[3].flow_id)) == ("budget cut", order["flow_id"])


async def test_asking_twice_while_undecided_is_one_request(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    order = await receive(deliver, client)
    first, second = await ask(client, order), await ask(client, order, "again")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == second.json()
    assert told(await emitted(), order).count("order.cancellation_requested") == 1


async def test_begun_delivery_refuses_and_the_order_goes_on(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await receive(deliver, client)
    await ask(client, order)
    await deliver(consumers, progressed(order_id(order), "10"))
    now = await read(client, order)
    assert (now["state"], now["percent_delivered"], now["cancellation"]["state"]) == ("in_progress", "10", "refused")


@pytest.mark.parametrize("end", ["fulfilled", "closed", "cancelled"])
async def test_a_decided_order_cannot_be_cancelled(end: str, deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await receive(deliver, client)
    if end == "cancelled":
        await deliver(consumers, cancelled(order_id(order)))
    else:
        await deliver(consumers, completed(order_id(order)))
    if end == "closed":
        await deliver(consumers, issued(order_id(order)))
        await deliver(consumers, paid(order_id(order)))
    reply = await ask(client, order)
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:wrong-transition")
    assert f"is {end}" in reply.json()["detail"]
    assert (await read(client, order))["state"] == end


@pytest.mark.parametrize(
    "body", [{}, {"reason": ""}, {"reason": "   "}, {"reason": "x" * 2001}, {"reason": "a\x00b"}, {"reason": "x", "by": "me"}]
)
async def test_a_cancellation_needs_a_reason_of_reasonable_shape(
    body: dict[str, str], deliver: Deliver, client: httpx.AsyncClient
) -> None:
    order = await receive(deliver, client)
    reply = await client.post(f"/v1/orders/{order['id']}/cancel", json=body)
    assert (reply.status_code, reply.json()["type"]) == (422, "urn:ltc:problem:malformed-request")


async def test_unknown_orders_are_not_found(client: httpx.AsyncClient) -> None:
    for method, path in [("GET", ""), ("GET", "/history"), ("POST", "/cancel")]:
        reply = await client.request(method, f"/v1/orders/{uuid4()}{path}", json={"reason": "x"} if method == "POST" else None)
        assert (reply.status_code, reply.json()["type"]) == (404, "urn:ltc:problem:order-not-found"), path


async def test_unknown_states_and_cursors_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/orders", params={"state": "lost"})).status_code == 422
    assert (await client.get("/v1/orders", params={"cursor": "rubbish"})).status_code == 400


async def test_reading_and_writing_need_their_scopes(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    path = f"/v1/orders/{uuid4()}"
    assert (await anonymous.get(path)).status_code == 401
    assert (await anonymous.post(f"{path}/cancel", json={"reason": "x"})).status_code == 401
    reader = {"Authorization": f"Bearer {keys.token('orders:read')}"}
    assert (await anonymous.get(path, headers=reader)).status_code == 404
    assert (await anonymous.post(f"{path}/cancel", json={"reason": "x"}, headers=reader)).status_code == 403


async def test_the_same_idempotency_key_repeats_the_answer(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    order = await receive(deliver, client)
    headers = {"Idempotency-Key": "one"}
    first, again = await ask(client, order, headers=headers), await ask(client, order, headers=headers)
    assert (again.status_code, again.json(), again.headers["idempotent-replayed"]) == (202, first.json(), "true")
    assert told(await emitted(), order).count("order.cancellation_requested") == 1


async def test_many_who_ask_at_once_make_one_request(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await receive(deliver, client)
    replies = await asyncio.gather(*(ask(client, order) for _ in range(8)))
    assert {reply.status_code for reply in replies} == {202}
    assert told(await emitted(), order).count("order.cancellation_requested") == 1
    assert await states(client, order) == ["received", "confirmed", "cancelling"]


async def test_a_cancellation_racing_the_completion_ends_fulfilled_with_one_story(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    answers: Counter[int] = Counter()
    for _ in range(8):
        order = await receive(deliver, client)
        reply, outcome = await asyncio.gather(ask(client, order), deliver(consumers, completed(order_id(order))))
        answers[reply.status_code] += 1
        now = await read(client, order)
        assert (outcome, now["state"]) == ("processed", "fulfilled")
        assert (now["cancellation"] or {"state": None})["state"] == ("refused" if reply.status_code == 202 else None)
        assert told(await emitted(), order).count("order.fulfilled") == 1
    assert set(answers) <= {202, 409}


async def test_delivery_and_payment_at_once_close_the_order_once(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    for _ in range(8):
        order = await receive(deliver, client)
        await asyncio.gather(
            *(
                deliver(consumers, event)
                for event in (completed(order_id(order)), issued(order_id(order)), paid(order_id(order)))
            ),
            *(deliver(consumers, completed(order_id(order))) for _ in range(2)),
        )
        assert (await read(client, order))["state"] == "closed"
        topics = told(await emitted(), order)
        assert topics == ["order.received", "order.confirmed", "order.fulfilled", "order.closed"]


async def test_one_contract_told_by_several_at_once_makes_one_order(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    contract, flow_id = a_contract(), new_id()
    await asyncio.gather(*(deliver(consumers, contract, flow_id=flow_id) for _ in range(6)))
    [order] = (await client.get("/v1/orders", params={"contract_id": str(contract.contract_id)})).json()["items"]
    assert told(await emitted(), order) == ["order.received", "order.confirmed"]
    assert await states(client, order) == ["received", "confirmed"]
