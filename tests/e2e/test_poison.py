"""Foreign and broken records on real topics: parked with their bytes or ignored as specified; the rest flows on."""

import asyncio
import base64
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaProducer
from ltc_chassis.ids import new_id
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Suite
from ltc_cli.stack import Stack
from ltc_contracts.examples import example

from .journey import Journey, settled

pytestmark = [pytest.mark.fault, pytest.mark.timeout(180)]
TOPIC = "order.confirmed"
READERS = ("delivery", "metrics")


def record(**changed: bytes | None) -> list[tuple[str, bytes | None]]:
    """The headers of a good event under a new id and flow, some of them spoiled."""
    fresh = {"ce_id": str(new_id()), "ce_flowid": str(new_id())}
    headers: dict[str, bytes | None] = {name: value.encode() for name, value in {**example(TOPIC).headers, **fresh}.items()}
    return list({**headers, **changed}.items())


POISON: dict[str, tuple[list[tuple[str, bytes | None]], bytes]] = {
    "null id header": (record(ce_id=None), b"{}"),
    "non-UTF-8 time header": (record(ce_time=b"\xff\xfe"), b"{}"),
    "truncated JSON": (record(), b'{"order_id": "0'),
    "wrong schema": (record(), b'{"order_id": 17}'),
    "unknown type": (record(ce_type=b"com.example.unknown"), b"{}"),
    "2 MB": (record(), b'{"number": "' + b"x" * 2_000_000 + b'"}'),
}


async def test_poison_is_parked_and_deals_go_on(stack: Stack, suite: Suite, feed: EventFeed) -> None:
    before = {service: len(await dead(suite, service)) for service in READERS}
    journey = await Journey.begin(suite, feed)
    async with AIOKafkaProducer(
        bootstrap_servers=stack.kafka_bootstrap, acks="all", max_request_size=4 * 1024 * 1024
    ) as producer:
        for name, (headers, value) in POISON.items():
            await producer.send_and_wait(TOPIC, value, key=name.encode(), headers=headers)
        await producer.send_and_wait(TOPIC, None, key=b"tombstone", headers=record())
        # Headers nobody needs may be anything.
        await producer.send_and_wait(TOPIC, b"{", key=b"odd", headers=[*record(), ("x-odd", b"\xff"), ("x-null", None)])
    await journey.to_cash()
    await settled(suite, [journey], "paid")

    for service in READERS:
        found = await eventually(suite, service, before[service] + len(POISON) + 1)
        new = found[before[service] :]
        assert {item["reason"] for item in new} == {"refused"}
        details = [await suite.get(service, f"/v1/parked/{item['id']}") for item in new]
        kept = {base64.b64decode(item["value"]) for item in details}
        assert kept == {value for _, value in POISON.values()} | {b"{"}
        keys = {base64.b64decode(item["key"]).decode() for item in details}
        assert keys == {*POISON, "odd"}

        # Redriven they are tried again, and refused again: nothing about them has changed. Then a person lets them go.
        redriven = await suite.post(service, "/v1/parked/redrive", {"topic": TOPIC})
        assert redriven["redriven"] >= len(new)
        await eventually(suite, service, len(found))
        for item in new:
            await suite.post(service, f"/v1/parked/{item['id']}/discard")
        assert len(await dead(suite, service)) == before[service]


async def test_an_event_before_the_one_it_builds_on_waits_and_then_has_its_effect(
    stack: Stack, suite: Suite, feed: EventFeed
) -> None:
    """`invoice.paid` of an order that order-svc does not know yet is parked as not_yet, never dropped, never dead at once."""
    unknown = new_id()
    sample = example("invoice.paid")
    fresh = {"ce_id": str(new_id()), "ce_flowid": str(unknown), "ce_partitionkey": str(unknown)}
    headers = [(name, value.encode()) for name, value in {**sample.headers, **fresh}.items()]
    import orjson

    body = orjson.dumps({**sample.data, "order_id": str(new_id())})
    async with AIOKafkaProducer(bootstrap_servers=stack.kafka_bootstrap, acks="all") as producer:
        await producer.send_and_wait("invoice.paid", body, key=str(unknown).encode(), headers=headers)
    waiting = await eventually_waiting(suite, unknown)
    assert waiting["reason"] == "not_yet"
    await suite.post("order", f"/v1/parked/{waiting['id']}/discard")


async def dead(suite: Suite, service: str) -> list[dict[str, Any]]:
    page = await suite.get(service, "/v1/parked", state="dead", limit=500)
    items: list[dict[str, Any]] = page["items"]
    return items


async def eventually(suite: Suite, service: str, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(30):
        while len(found := await dead(suite, service)) < count:
            await asyncio.sleep(0.1)
    return found


async def eventually_waiting(suite: Suite, flow_id: UUID) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while True:
            items = (await suite.get("order", "/v1/parked", flow_id=flow_id))["items"]
            if items:
                found: dict[str, Any] = items[0]
                return found
            await asyncio.sleep(0.1)
