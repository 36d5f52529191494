"""The HTTP side: what is answered, what is refused, and what never happens twice."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver, KeyPair

from delivery_svc.consumers import consumers
from delivery_svc.tests.builders import a_confirmed_order, a_request
from delivery_svc.tests.rig import Emissions, order_of, plan, post, read, told


async def test_a_delivery_shows_everything_about_it(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = a_confirmed_order()
    delivery = await read(client, await plan(deliver, client, order))
    assert delivery == {
        "id": delivery["id"],
        "flow_id": delivery["flow_id"],
        "order_id": str(order.order_id),
        "order_number": "O-2026-000001",
        "state": "planned",
        "customer": order.customer.model_dump(mode="json"),
        "lines": [line.model_dump(mode="json") for line in order.lines],
        "quantities": [
            {"line_id": str(line.line_id), "handed_over": "0", "returned": "0", "held": "0", "left": "3", "closed": False}
            for line in order.lines
        ],
        "steps": [
            {
                "id": delivery["steps"][0]["id"],
                "line_id": str(order.lines[0].line_id),
                "kind": "shipment",
                "name": None,
                "hands_over": True,
                "quantity": "3",
                "done": "0",
                "state": "planned",
                "planned_on": "2026-01-15",
            }
        ],
        "net": {"amount": "1003.25", "currency": "EUR"},
        "payment_terms_days": 30,
        "invoicing": "on_delivery",
        "ship_complete": False,
        "handovers": 0,
        "attempts": 0,
        "promised_on": "2026-01-15",
        "promise_version": 1,
        "percent": "0",
        "note": None,
        "completed_at": None,
        "on_time": None,
        "cancellation": None,
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "version": 1,
    }


async def test_deliveries_are_listed_by_flow_order_and_state(deliver: Deliver, client: httpx.AsyncClient) -> None:
    first, second = await plan(deliver, client), await plan(deliver, client)
    await post(client, second, "progress", {"percent": "5"})
    for params, expected in [
        ({}, [first, second]),
        ({"flow_id": first["flow_id"]}, [first]),
        ({"order_id": second["order_id"]}, [second]),
        ({"state": "in_progress"}, [second]),
        ({"state": "in_progress", "order_id": first["order_id"]}, []),
    ]:
        items = (await client.get("/v1/deliveries", params=params)).json()["items"]
        assert [item["id"] for item in items] == [delivery["id"] for delivery in expected], params


async def test_pages_hold_every_delivery_once_in_order(deliver: Deliver, client: httpx.AsyncClient) -> None:
    made = [(await plan(deliver, client))["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = (await client.get("/v1/deliveries", params={"limit": "2"} | ({"cursor": cursor} if cursor else {}))).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]
        if cursor is None:
            break
    assert seen == made


async def test_progress_is_reported_and_told(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    delivery = await plan(deliver, client)
    reply = await post(client, delivery, "progress", {"percent": "33.333333", "note": " pumps set "})
    assert reply.status_code == 200
    now = reply.json()
    assert (now["state"], now["percent"], now["note"], now["version"]) == ("in_progress", "33.333333", "pumps set", 2)
    assert await read(client, delivery) == now
    _, progressed = await emitted()
    assert (progressed.topic, str(progressed.event.percent), progressed.event.note, progressed.sequence) == (
        "delivery.progressed",
        "33.333333",
        "pumps set",
        2,
    )


async def test_progress_that_goes_back_is_a_conflict(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "progress", {"percent": "40"})
    reply = await post(client, delivery, "progress", {"percent": "39"})
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:progress-goes-back")
    assert (reply.json()["detail"], reply.json()["field"]) == ("40 % are done already, got 39 %", "percent")
    assert (await read(client, delivery))["percent"] == "40"


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("progress", {}),
        ("progress", {"percent": "101"}),
        ("progress", {"percent": "-1"}),
        ("progress", {"percent": "NaN"}),
        ("progress", {"percent": "1.1234567"}),
        ("progress", {"percent": "10", "note": ""}),
        ("progress", {"percent": "10", "note": "a\x00b"}),
        ("progress", {"percent": "10", "note": "x" * 2001}),
        ("progress", {"percent": "10", "by": "me"}),
        ("promise", {}),
        ("promise", {"promised_on": "soon"}),
        ("complete", {"completed_at": "2026-01-01T00:00:00"}),
        ("complete", {"when": "now"}),
    ],
)
async def test_bodies_of_another_shape_are_refused(
    verb: str, body: dict[str, Any], deliver: Deliver, client: httpx.AsyncClient
) -> None:
    delivery = await plan(deliver, client)
    reply = await post(client, delivery, verb, body)
    assert (reply.status_code, reply.json()["type"]) == (422, "urn:ltc:problem:malformed-request")
    assert await read(client, delivery) == delivery


async def test_every_promise_is_kept_and_told(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    clock.advance(days=2)
    reply = await post(client, delivery, "promise", {"promised_on": "2026-01-20", "reason": "The ship is late."})
    assert (reply.status_code, reply.json()["promised_on"], reply.json()["promise_version"]) == (200, "2026-01-20", 2)
    assert (await post(client, delivery, "promise", {"promised_on": "2026-01-20"})).json() == reply.json()
    clock.advance(days=1)
    await post(client, delivery, "promise", {"promised_on": "2026-01-10"})
    assert (await client.get(f"/v1/deliveries/{delivery['id']}/promises")).json() == {
        "items": [
            {"version": 1, "promised_on": "2026-01-15", "promised_at": "2026-01-01T00:00:00Z", "reason": None},
            {"version": 2, "promised_on": "2026-01-20", "promised_at": "2026-01-03T00:00:00Z", "reason": "The ship is late."},
            {"version": 3, "promised_on": "2026-01-10", "promised_at": "2026-01-04T00:00:00Z", "reason": None},
        ]
    }
    events = await emitted()
    told = [(item.event.promise_version, str(item.event.promised_on), str(item.event.was), item.event.reason) for item in events]
    assert told == [
        (1, "2026-01-15", "None", None),
        (2, "2026-01-20", "2026-01-15", "The ship is late."),
        (3, "2026-01-10", "2026-01-20", None),
    ]


async def test_a_day_that_is_over_cannot_be_promised(deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock) -> None:
    delivery = await plan(deliver, client)
    clock.advance(days=3)
    reply = await post(client, delivery, "promise", {"promised_on": "2026-01-03"})
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:promise-in-the-past")
    assert reply.json()["field"] == "promised_on"
    assert (await post(client, delivery, "promise", {"promised_on": "2026-01-04"})).status_code == 200


@pytest.mark.parametrize("body", [{}, None, {"completed_at": None}])
async def test_a_completion_is_told_with_what_billing_needs(
    body: dict[str, Any] | None, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    order = a_confirmed_order()
    delivery = await plan(deliver, client, order)
    clock.advance(days=3)
    reply = await post(client, delivery, "complete", body)
    assert reply.status_code == 200
    now = reply.json()
    assert (now["state"], now["percent"], now["on_time"], now["completed_at"]) == (
        "completed",
        "100",
        True,
        "2026-01-04T00:00:00Z",
    )
    assert await read(client, delivery) == now
    completed = (await emitted())[-1]
    assert completed.event.lines == order.lines
    assert (completed.event.customer, completed.event.net, completed.event.payment_terms_days) == (
        order.customer,
        order.net,
        30,
    )
    assert (completed.sequence, str(completed.flow_id)) == (3, delivery["flow_id"])


async def test_a_completion_typed_in_later_lies_where_it_happened(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    clock.advance(days=20)
    reply = await post(client, delivery, "complete", {"completed_at": "2026-01-14T23:30:00+01:00"})
    assert (reply.json()["completed_at"], reply.json()["on_time"]) == ("2026-01-14T22:30:00Z", True)
    completed = (await emitted())[-1]
    assert completed.event.completed_at == datetime(2026, 1, 14, 22, 30, tzinfo=UTC)
    assert completed.headers["ce_time"] == "2026-01-14T22:30:00.000000Z"
    assert completed.headers["ce_recordedtime"] == "2026-01-21T00:00:00.000000Z"


@pytest.mark.parametrize(
    ("completed_at", "slug"),
    [
        ("2026-01-06T00:00:00.000001Z", "completed-in-the-future"),
        ("2025-12-31T23:59:59.999999Z", "completed-before-planned"),
        ("9999-12-31T23:59:59-12:00", "completed-in-the-future"),
        ("0001-01-01T00:00:00+12:00", "completed-before-planned"),
    ],
)
async def test_a_completion_lies_between_planning_and_now(
    completed_at: str, slug: str, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    delivery = await plan(deliver, client)
    clock.advance(days=5)
    reply = await post(client, delivery, "complete", {"completed_at": completed_at})
    assert (reply.status_code, reply.json()["type"]) == (400, f"urn:ltc:problem:{slug}")
    assert reply.json()["field"] == "completed_at"
    assert (await read(client, delivery))["state"] == "planned"


async def test_a_completion_after_the_promised_day_is_late(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    delivery = await plan(deliver, client)
    clock.advance(days=15)
    assert (await post(client, delivery, "complete", {})).json()["on_time"] is False


@pytest.mark.parametrize("end", ["completed", "cancelled"])
async def test_nothing_can_be_done_with_a_delivery_that_has_ended(end: str, deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    if end == "completed":
        await post(client, delivery, "complete", {})
    else:
        await deliver(consumers, a_request(order_of(delivery)))
    before = await read(client, delivery)
    for verb, body in [("progress", {"percent": "100"}), ("complete", {}), ("promise", {"promised_on": "2026-05-01"})]:
        reply = await post(client, delivery, verb, body)
        assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:wrong-transition"), verb
        assert f"is {end}" in reply.json()["detail"]
    assert await read(client, delivery) == before


async def test_unknown_deliveries_are_not_found(client: httpx.AsyncClient) -> None:
    body = {"progress": {"percent": "1"}, "complete": {}, "promise": {"promised_on": "2026-05-01"}}
    for method, path in [("GET", ""), ("GET", "/promises"), *(("POST", f"/{verb}") for verb in body)]:
        reply = await client.request(method, f"/v1/deliveries/{uuid4()}{path}", json=body.get(path.strip("/")))
        assert (reply.status_code, reply.json()["type"]) == (404, "urn:ltc:problem:delivery-not-found"), path


async def test_unknown_states_and_cursors_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.get("/v1/deliveries", params={"state": "lost"})).status_code == 422
    assert (await client.get("/v1/deliveries", params={"cursor": "rubbish"})).status_code == 400


async def test_reading_and_writing_need_their_scopes(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    path = f"/v1/deliveries/{uuid4()}"
    reader = {"Authorization": f"Bearer {keys.token('deliveries:read')}"}
    for read_path in ("/v1/deliveries", path, f"{path}/promises"):
        assert (await anonymous.get(read_path)).status_code == 401
        assert (await anonymous.get(read_path, headers=reader)).status_code in {200, 404}
    for verb in ("progress", "complete", "promise"):
        assert (await anonymous.post(f"{path}/{verb}", json={})).status_code == 401
        assert (await anonymous.post(f"{path}/{verb}", json={}, headers=reader)).status_code == 403


async def test_the_same_idempotency_key_repeats_the_answer(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    headers = {"Idempotency-Key": "one"}
    first = await post(client, delivery, "complete", {}, headers=headers)
    again = await post(client, delivery, "complete", {}, headers=headers)
    assert (first.status_code, again.status_code, again.json()) == (200, 200, first.json())
    assert told(await emitted(), delivery).count("delivery.completed") == 1


async def test_many_who_complete_at_once_complete_once(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    delivery = await plan(deliver, client)
    replies = await asyncio.gather(*(post(client, delivery, "complete", {}) for _ in range(8)))
    assert Counter(reply.status_code for reply in replies) == {200: 1, 409: 7}
    assert told(await emitted(), delivery) == ["delivery.promised", "delivery.handed_over", "delivery.completed"]


async def test_promises_made_at_once_become_versions_one_after_the_other(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    replies = await asyncio.gather(
        *(post(client, delivery, "promise", {"promised_on": f"2026-02-{day:02d}"}) for day in range(1, 9))
    )
    assert {reply.status_code for reply in replies} == {200}
    events = await emitted()
    assert [item.event.promise_version for item in events] == list(range(1, 10))
    now = await read(client, delivery)
    assert (now["promised_on"], now["promise_version"]) == (str(events[-1].event.promised_on), 9)


@pytest.mark.parametrize("first", ["complete", "cancel"])
async def test_completion_racing_cancellation_has_exactly_one_outcome(
    first: str, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    for _ in range(8):
        delivery = await plan(deliver, client)
        racers = [post(client, delivery, "complete", {}), deliver(consumers, a_request(order_of(delivery)))]
        if first == "complete":
            reply, outcome = await asyncio.gather(*racers)
        else:
            outcome, reply = await asyncio.gather(*reversed(racers))
        assert isinstance(reply, httpx.Response)
        state = (await read(client, delivery))["state"]
        assert (outcome, state) == ("processed", "completed" if reply.status_code == 200 else "cancelled")
        assert reply.status_code in {200, 409}
        handed_over = ["delivery.handed_over"] if state == "completed" else []
        assert told(await emitted(), delivery) == ["delivery.promised", *handed_over, f"delivery.{state}"]


async def test_progress_racing_cancellation_never_leaves_a_cancelled_delivery_begun(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    for _ in range(8):
        delivery = await plan(deliver, client)
        reply, _ = await asyncio.gather(
            post(client, delivery, "progress", {"percent": "10"}), deliver(consumers, a_request(order_of(delivery)))
        )
        now = await read(client, delivery)
        expected = {200: ("in_progress", "refused"), 409: ("cancelled", "granted")}[reply.status_code]
        assert (now["state"], now["cancellation"]["state"]) == expected
        topics = told(await emitted(), delivery)
        assert ("delivery.cancelled" in topics) != ("delivery.progressed" in topics)
