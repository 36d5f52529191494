"""Each event on the real consumer path and a real database: its effect, once, in whatever order it comes."""

import asyncio
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from uuid import UUID, uuid5

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, record_of
from ltc_contracts.events import OrderConfirmed
from ltc_contracts.examples import example
from ltc_contracts.topics import owned_by, read_by

from delivery_svc.consumers import consumers
from delivery_svc.tests.builders import a_confirmed_order, a_line, a_request, eur
from delivery_svc.tests.rig import Emissions, Parked, order_of, plan, post, read, told


def test_the_service_consumes_exactly_the_topics_it_is_a_reader_of() -> None:
    assert consumers.topics == sorted(topic.name for topic in read_by("delivery"))


def test_what_we_tell_is_what_we_own() -> None:
    ours = {topic.name for topic in owned_by("delivery")}
    assert {name for name in ours if name.startswith(("delivery.", "production.", "ticket."))} == {
        "delivery.promised",
        "delivery.progressed",
        "delivery.completed",
        "delivery.cancelled",
        "delivery.handed_over",
        "delivery.failed",
        "delivery.returned",
        "delivery.change_decided",
        *(f"production.{what}" for what in ("ordered", "changed", "cancelled", "completed", "failed")),
        "ticket.opened",
        "ticket.assigned",
        "ticket.responded",
        "ticket.escalated",
        "ticket.resolved",
        "ticket.reopened",
        "ticket.merged",
    }


async def test_a_confirmed_order_is_planned_and_promised(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = a_confirmed_order(lines=(a_line(), a_line(sku="HOSE", quantity=Decimal("2.5"), net=eur("10.00"))))
    delivery = await plan(deliver, client, order)
    assert (delivery["state"], delivery["promised_on"], delivery["promise_version"]) == ("planned", "2026-01-15", 1)
    assert delivery["lines"] == [line.model_dump(mode="json") for line in order.lines]
    [promised] = await emitted()
    assert (promised.topic, promised.sequence, str(promised.flow_id)) == ("delivery.promised", 1, delivery["flow_id"])
    assert (promised.event.order_id, promised.event.promised_on) == (order.order_id, date(2026, 1, 15))


async def test_an_order_has_one_delivery_however_often_it_is_told(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    order, event_id = a_confirmed_order(), new_id()
    assert await deliver(consumers, order, flow_id=new_id(), event_id=event_id) == "processed"
    assert await deliver(consumers, order, flow_id=new_id(), event_id=event_id) == "duplicate"
    await asyncio.gather(*(deliver(consumers, order, flow_id=new_id()) for _ in range(5)))
    [delivery] = (await client.get("/v1/deliveries")).json()["items"]
    assert told(await emitted(), delivery) == ["delivery.promised"]
    assert len((await client.get(f"/v1/deliveries/{delivery['id']}/promises")).json()["items"]) == 1


async def test_orders_of_a_batch_are_planned_together_each_once_and_as_its_own_cause(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    orders = [a_confirmed_order(), a_confirmed_order()]
    records = [record_of(order, flow_id=new_id()) for order in orders]
    again = record_of(orders[0], flow_id=new_id())
    await deliver.records(consumers, [*records, again])
    planned = (await client.get("/v1/deliveries")).json()["items"]
    assert [each["order_id"] for each in planned] == [str(order.order_id) for order in orders]
    assert [len(each["lines"]) for each in planned] == [len(order.lines) for order in orders]
    promised = await emitted()
    assert [each.event.order_id for each in promised] == [order.order_id for order in orders]
    causes = [dict(record.headers)["ce_id"] for record in records]
    assert [each.headers["ce_causationid"].encode() for each in promised] == causes


async def test_an_order_without_a_flow_begins_one(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    await deliver(consumers, a_confirmed_order(), flow_id=None)
    [delivery] = (await client.get("/v1/deliveries")).json()["items"]
    assert [str(item.flow_id) for item in await emitted()] == [delivery["flow_id"]]


async def test_a_planned_delivery_is_cancelled_on_request(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    asked_at = datetime(2025, 12, 31, 12, tzinfo=UTC)
    assert await deliver(consumers, a_request(order_of(delivery)), occurred_at=asked_at) == "processed"
    now = await read(client, delivery)
    assert now["state"] == "cancelled"
    assert now["cancellation"] == {
        "state": "granted",
        "reason": "budget cut",
        "requested_at": "2025-12-31T12:00:00Z",
        "decided_at": "2026-01-01T00:00:00Z",
    }
    _, cancelled = await emitted()
    assert (cancelled.topic, cancelled.event.reason, cancelled.sequence) == ("delivery.cancelled", "budget cut", 2)
    assert (str(cancelled.event.order_id), str(cancelled.flow_id)) == (delivery["order_id"], delivery["flow_id"])


async def test_a_request_told_again_cancels_once(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    delivery = await plan(deliver, client)
    for _ in range(3):
        assert await deliver(consumers, a_request(order_of(delivery))) == "processed"
    assert told(await emitted(), delivery) == ["delivery.promised", "delivery.cancelled"]


async def test_work_begun_refuses_the_request_on_record(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "progress", {"percent": "0"})
    await deliver(consumers, a_request(order_of(delivery)))
    once = await read(client, delivery)
    assert (once["state"], once["cancellation"]["state"]) == ("in_progress", "refused")
    await deliver(consumers, a_request(order_of(delivery)))
    assert await read(client, delivery) == once
    assert (await post(client, delivery, "complete", {})).status_code == 200
    assert told(await emitted(), delivery) == [
        "delivery.promised",
        "delivery.progressed",
        "delivery.handed_over",
        "delivery.completed",
    ]


async def test_a_request_after_completion_changes_nothing(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    before = (await post(client, delivery, "complete", {})).json()
    assert await deliver(consumers, a_request(order_of(delivery))) == "processed"
    assert await read(client, delivery) == before


async def test_a_request_before_the_confirmation_waits_for_it(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, parked: Parked
) -> None:
    order, flow_id = a_confirmed_order(), new_id()
    assert await deliver(consumers, a_request(order.order_id), flow_id=flow_id) == "parked"
    assert [(row["state"], row["reason"]) for row in await parked()] == [("waiting", "not_yet")]
    await deliver(consumers, order, flow_id=flow_id)
    await deliver.retry(consumers)
    assert await parked() == []
    [delivery] = (await client.get("/v1/deliveries")).json()["items"]
    assert delivery["state"] == "cancelled"
    assert told(await emitted(), delivery) == ["delivery.promised", "delivery.cancelled"]


@pytest.mark.parametrize("seed", range(12))
async def test_any_interleaving_and_repetition_converges(
    seed: int, deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, parked: Parked
) -> None:
    """Orders are confirmed and cancelled in any order and more than once while people work on their deliveries."""
    random = Random(seed)
    orders = [a_confirmed_order() for _ in range(5)]
    flows = {order.order_id: new_id() for order in orders}
    steps = [(order, kind) for order in orders for kind in _steps(random)]
    random.shuffle(steps)
    for order, kind in steps:
        clock.advance(minutes=1)
        await _step(deliver, client, random, order, flows[order.order_id], kind)
    await deliver.retry(consumers)
    assert await parked() == []
    events = await emitted()
    for order in orders:
        [delivery] = (await client.get("/v1/deliveries", params={"order_id": str(order.order_id)})).json()["items"]
        counted = Counter(told(events, delivery))
        state, asked = delivery["state"], any(kind == "ask" for other, kind in steps if other is order)
        assert counted["delivery.completed"] == (state == "completed")
        assert counted["delivery.cancelled"] == (state == "cancelled")
        assert counted["delivery.promised"] == delivery["promise_version"]
        assert not (counted["delivery.cancelled"] and counted["delivery.progressed"])
        # Asked for, an order is never left planned: the request is granted, or work has refused it.
        assert not asked or state != "planned"
        assert not asked or state != "in_progress" or delivery["cancellation"]["state"] == "refused"
        sequences = [item.sequence for item in events if str(item.event.delivery_id) == delivery["id"]]
        assert sequences == sorted(set(sequences))


def _steps(random: Random) -> list[str]:
    people = random.choices(["progress", "promise", "complete", "ask"], weights=[4, 2, 1, 1], k=random.randint(0, 6))
    return ["confirm"] * random.randint(1, 3) + people + ["ask"] * random.choice([0, 0, 2])


async def _step(
    deliver: Deliver, client: httpx.AsyncClient, random: Random, order: OrderConfirmed, flow_id: UUID, kind: str
) -> None:
    event_id = uuid5(order.order_id, kind) if random.random() < 0.5 else None
    if kind == "confirm":
        await deliver(consumers, order, flow_id=flow_id, event_id=event_id)
        return
    if kind == "ask":
        await deliver(consumers, a_request(order.order_id), flow_id=flow_id, event_id=event_id)
        return
    items = (await client.get("/v1/deliveries", params={"order_id": str(order.order_id)})).json()["items"]
    bodies = {
        "progress": {"percent": str(random.randint(0, 100))},
        "promise": {"promised_on": str(date(2026, 1, 2) + timedelta(days=random.randint(0, 30)))},
        "complete": {},
    }
    for delivery in items:
        assert (await post(client, delivery, kind, bodies[kind])).status_code in {200, 409}


@pytest.mark.parametrize("name", [topic.name for topic in read_by("delivery")])
async def test_the_golden_examples_of_what_we_read_are_accepted(name: str, deliver: Deliver, parked: Parked) -> None:
    event = example(name).event
    outcome = await deliver(consumers, event, flow_id=new_id())
    assert outcome == "processed" or [row["reason"] for row in await parked()] == ["not_yet"]
