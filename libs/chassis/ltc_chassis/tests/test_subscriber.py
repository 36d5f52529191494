"""Kafka in, on the real broker: offsets, redelivery, rebalance, and every kind of poison."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from ltc_chassis.consumer import Processor
from ltc_chassis.ids import new_id
from ltc_chassis.testing import FakeRecord, KeyPair, record_of
from ltc_chassis.tests.broker import World, eventually, publish, read_all, running
from ltc_chassis.tests.test_consumer import POISON, with_value

pytestmark = pytest.mark.broker


def pings(world: World, count: int, flows: int = 7) -> list[FakeRecord]:
    ids = [new_id() for _ in range(flows)]
    return [ping(world, str(number), ids[number % flows]) for number in range(count)]


def ping(world: World, text: str, flow: UUID | None = None, **more: Any) -> FakeRecord:
    return record_of(world.pinged(ping_id=new_id(), text=text), flow_id=flow or new_id(), **more)


async def notes(world: World) -> list[asyncpg.Record]:
    conn = await asyncpg.connect(world.settings.postgres_dsn)
    rows: list[asyncpg.Record] = await conn.fetch("SELECT text, flow_id, cause FROM note ORDER BY id")
    await conn.close()
    return rows


async def committed(world: World) -> int:
    """The sum of the group's committed offsets."""
    consumer = AIOKafkaConsumer(bootstrap_servers=world.bootstrap, group_id="echo-svc" + world.group_suffix)
    await consumer.start()
    offsets = [await consumer.committed(TopicPartition(world.pinged.TOPIC, number)) for number in range(3)]
    await consumer.stop()
    return sum(offset or 0 for offset in offsets)


async def test_history_is_read_from_the_beginning_in_order_and_committed(world: World, keys: KeyPair) -> None:
    await publish(world.bootstrap, pings(world, 300))
    async with running(world.app(), keys) as client:
        await eventually(lambda: _count(world, 300))
        await eventually(lambda: _equals(committed(world), 300))
        metrics = (await client.get("/metrics")).text
        assert f'ltc_consumer_lag{{partition="0",topic="{world.pinged.TOPIC}"}} 0.0' in metrics
        assert "ltc_consumer_oldest_record_age_seconds 0.0" in metrics
    found: dict[UUID, list[int]] = {}
    for row in await notes(world):
        found.setdefault(row["flow_id"], []).append(int(row["text"]))
    assert len(found) == 7
    assert all(texts == sorted(texts) for texts in found.values())


async def test_a_consumer_killed_between_commit_and_offset_commit_doubles_nothing(
    world: World, keys: KeyPair, tmp_path: Path
) -> None:
    await publish(world.bootstrap, pings(world, 100))
    await world.run_until_killed("consumer", tmp_path)
    assert await notes(world)  # it died after its effects were committed ...
    assert await committed(world) == 0  # ... and before the broker knew
    async with running(world.app(), keys):
        await eventually(lambda: _equals(committed(world), 100))
        await eventually(lambda: _noted(world, 100))
    assert len(await notes(world)) == 100
    published = await read_all(world.bootstrap, world.noted.TOPIC)
    assert len({dict(record.headers)["ce_causationid"] for record in published}) == 100
    assert len({dict(record.headers)["ce_id"] for record in published}) == 100


async def test_a_service_that_stops_leaves_nothing_finished_uncommitted(world: World, keys: KeyPair) -> None:
    await publish(world.bootstrap, pings(world, 50))
    async with running(world.app(), keys):
        await eventually(lambda: _count(world, 50))
    assert await committed(world) == 50


async def test_what_is_finished_while_a_commit_is_on_its_way_is_committed_too(
    world: World, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, begun = AIOKafkaConsumer.commit, asyncio.Event()

    async def slowly(*arguments: Any) -> None:
        begun.set()
        await asyncio.sleep(0.5)
        await commit(*arguments)

    monkeypatch.setattr(AIOKafkaConsumer, "commit", slowly)
    async with running(world.app(), keys):
        await publish(world.bootstrap, pings(world, 1))
        await begun.wait()
        await publish(world.bootstrap, pings(world, 1))
        await eventually(lambda: _equals(committed(world), 2))


async def test_a_crowd_of_records_travels_together_and_a_lone_one_is_not_kept_waiting(
    world: World, keys: KeyPair, monkeypatch: pytest.MonkeyPatch
) -> None:
    process, turns = Processor.process, list[int]()

    async def counted(self: Processor, records: Sequence[Any]) -> None:
        turns.append(len(records))
        await process(self, records)

    monkeypatch.setattr(Processor, "process", counted)
    app = world.app()
    async with running(app, keys), AIOKafkaProducer(bootstrap_servers=world.bootstrap, linger_ms=0) as producer:
        for record in pings(world, 200):
            await producer.send(record.topic, record.value, key=record.key, headers=record.headers)
            await asyncio.sleep(0.005)
        await eventually(lambda: _count(world, 200))
        # Turns begin one by one; from the sixth on they wait 25 ms for company, so there are a third of them at most.
        assert len(turns) < 100
        fetcher = app.state.subscriber._consumer_of()._fetcher
        await eventually(lambda: _equals(_value(fetcher._fetch_min_bytes), 1), timeout=5)
        assert fetcher._fetch_max_wait_ms == world.settings.consumer_fetch_wait_s * 1000


async def test_members_that_come_and_go_double_and_lose_nothing(world: World, keys: KeyPair) -> None:
    async with running(world.app(), keys):
        await publish(world.bootstrap, pings(world, 200))
        async with running(world.app(), keys):
            await publish(world.bootstrap, pings(world, 200))
        await publish(world.bootstrap, pings(world, 200))
        await eventually(lambda: _count(world, 600))
    causes = Counter(row["cause"] for row in await notes(world))
    assert len(causes) == 600
    assert set(causes.values()) == {1}


async def test_poison_is_parked_with_its_bytes_and_the_rest_flows_on(world: World, keys: KeyPair) -> None:
    records: list[FakeRecord] = []
    for number, (_, spoil, _) in enumerate(POISON):
        records += [ping(world, f"good {number}"), spoil(ping(world, "bad"))]
    records += [
        with_value(ping(world, "tombstone"), None),
        ping(world, "good null header", extra_headers=[("x-null", None)]),
        ping(world, "good odd header", extra_headers=[("x-odd", b"\xff\xfe")]),
        ping(world, "good last"),
    ]
    await publish(world.bootstrap, records)
    async with running(world.app(), keys) as client:
        await eventually(lambda: _count(world, len(POISON) + 3))
        await eventually(lambda: _equals(committed(world), len(records)))
        parked = (await client.get("/v1/parked", params={"state": "dead", "limit": 100})).json()["items"]
        assert len(parked) == len(POISON)
        conn = await asyncpg.connect(world.settings.postgres_dsn)
        values = {bytes(row["value"]) for row in await conn.fetch("SELECT value FROM parked")}
        await conn.close()
        bad = {record.value for record in records[1 : 2 * len(POISON) : 2]}
        assert values == bad
        # Redriven, they are refused again: nothing about them has changed.
        assert (await client.post("/v1/parked/redrive", json={})).json() == {"redriven": len(POISON)}
        await eventually(lambda: _dead(client, len(POISON)))
    assert all(row["text"].startswith("good") for row in await notes(world))


async def _count(world: World, expected: int) -> bool:
    return len(await notes(world)) == expected


async def _noted(world: World, expected: int) -> bool:
    published = await read_all(world.bootstrap, world.noted.TOPIC)
    return len({dict(record.headers)["ce_id"] for record in published}) == expected


async def _equals(number: Any, expected: int) -> bool:
    return bool(await number == expected)


async def _dead(client: Any, expected: int) -> bool:
    return len((await client.get("/v1/parked", params={"state": "dead", "limit": 100})).json()["items"]) == expected


async def _value(value: int) -> int:
    return value
