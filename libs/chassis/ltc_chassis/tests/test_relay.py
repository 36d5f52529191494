"""Outbox to Kafka on the real broker: nothing lost, order kept per key, also when killed or shared."""

from collections import defaultdict
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from ltc_chassis import outbox
from ltc_chassis.ids import new_id
from ltc_chassis.testing import KeyPair
from ltc_chassis.tests.broker import World, eventually, read_all, running
from ltc_chassis.tests.echo.app import Noted

pytestmark = pytest.mark.broker


async def texts_by_flow(bootstrap: str, topic: str) -> dict[str, list[int]]:
    """The notes of each flow in the order of their first occurrence."""
    found: dict[str, list[int]] = defaultdict(list)
    seen: set[bytes] = set()
    for record in await read_all(bootstrap, topic):
        identifier = dict(record.headers)["ce_id"]
        if identifier not in seen:
            seen.add(identifier)
            found[record.key.decode()].append(int(Noted.model_validate_json(record.value).text))
    return found


async def test_committed_events_reach_kafka_with_key_and_envelope_and_leave_the_outbox(world: World, keys: KeyPair) -> None:
    async with running(world.app(), keys) as client:
        reply = await client.post("/v1/notes", json={"text": "hello"})
        [record] = await eventually(lambda: read_all(world.bootstrap, world.noted.TOPIC))
        assert record.key.decode() == reply.json()["flow_id"]
        headers = {name: value.decode() for name, value in record.headers}
        assert headers["ce_type"] == world.noted.type_name()
        assert headers["ce_subject"] == reply.json()["id"]
        assert headers["content-type"] == "application/json"
        await eventually(lambda: _is_zero(world))


async def test_order_is_kept_per_key_over_many_batches(world: World, keys: KeyPair) -> None:
    flows = [new_id() for _ in range(20)]
    await world.write(flows, 300)
    async with running(world.app(), keys):
        await eventually(lambda: _is_zero(world))
    found = await texts_by_flow(world.bootstrap, world.noted.TOPIC)
    assert found == {str(flow): list(range(300)) for flow in flows}


async def test_a_relay_killed_between_send_and_delete_loses_nothing_and_keeps_order(
    world: World, keys: KeyPair, tmp_path: Path
) -> None:
    flows = [new_id() for _ in range(10)]
    await world.write(flows, 100)
    before = await world.unsent()
    await world.run_until_killed("relay", tmp_path)
    assert await world.unsent() == before
    sent = await read_all(world.bootstrap, world.noted.TOPIC)
    assert sent  # it died after sending
    async with running(world.app(), keys):
        await eventually(lambda: _is_zero(world))
    found = await texts_by_flow(world.bootstrap, world.noted.TOPIC)
    assert found == {str(flow): list(range(100)) for flow in flows}
    # The same ids again, never new ones for the same fact: the inbox of every consumer knows them.
    ids = {dict(record.headers)["ce_id"] for record in await read_all(world.bootstrap, world.noted.TOPIC)}
    assert len(ids) == 1000


async def test_replicas_share_the_shards_and_one_takes_over_from_a_stopped_one(world: World, keys: KeyPair) -> None:
    flows = [new_id() for _ in range(16)]
    first, second = world.app(), world.app()
    async with running(first, keys):
        async with second.router.lifespan_context(second):
            await eventually(lambda: _shares(world, {2}))
            await world.write(flows, 50)
            await eventually(lambda: _is_zero(world))
        await eventually(lambda: _shares(world, {4}))
        await world.write(flows, 50)
        await eventually(lambda: _is_zero(world))
    found = await texts_by_flow(world.bootstrap, world.noted.TOPIC)
    assert found == {str(flow): [*range(50), *range(50)] for flow in flows}


async def test_no_error_ends_the_relay(world: World, keys: KeyPair, monkeypatch: pytest.MonkeyPatch) -> None:
    # What asyncpg raises when the server said goodbye between two statements, then something nobody thought of.
    errors: list[Exception] = [asyncpg.InternalClientError("another operation is in progress"), ValueError("unforeseen")]
    unsent = outbox.unsent

    async def failing(*given: Any) -> list[asyncpg.Record]:
        if errors:
            raise errors.pop(0)
        return await unsent(*given)

    monkeypatch.setattr(outbox, "unsent", failing)
    await world.write([new_id()], 10)
    async with running(world.app(), keys) as client:
        await eventually(lambda: _is_zero(world))
        assert (await client.get("/health/live")).status_code == 200
    assert not errors


async def _is_zero(world: World) -> bool:
    return await world.unsent() == 0


async def _shares(world: World, expected: set[int]) -> bool:
    """Whether every relay on this database holds as many shards as expected, and all four are held."""
    conn = await asyncpg.connect(world.settings.postgres_dsn)
    rows = await conn.fetch(
        """
        SELECT count(*) AS held FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'
          AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND classid = 5002322 GROUP BY pid
        """
    )
    await conn.close()
    counts = [row["held"] for row in rows]
    return set(counts) == expected and sum(counts) == 4
