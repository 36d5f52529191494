"""What becomes of a record, without a broker: every kind of poison, parking order, retry, redrive, and one effect per id."""

import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from ltc_contracts.envelope import Envelope
from ltc_contracts.errors import Invalid
from ltc_contracts.topics import MAX_EVENT_BYTES

from ltc_chassis.arrived import Arrived
from ltc_chassis.connection import Connection
from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Database, Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.records import Received
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver, Emitted, FakeRecord, record_of
from ltc_chassis.tests.echo.app import Noted, Pinged, make_consumers, take_note

Parked = Callable[[], Awaitable[list[asyncpg.Record]]]
Emissions = Callable[[], Awaitable[list[Emitted]]]


@pytest.fixture
def consumers() -> Consumers:
    return make_consumers(Pinged, Noted)


def ping(text: str, flow_id: UUID | None = None, **more: Any) -> FakeRecord:
    return record_of(Pinged(ping_id=new_id(), text=text), flow_id=flow_id or new_id(), **more)


async def texts(db: Database) -> list[str]:
    async with db.connection() as conn:
        return [row["text"] for row in await conn.fetch("SELECT text FROM note ORDER BY id")]


def with_headers(record: FakeRecord, **changed: bytes | None) -> FakeRecord:
    headers = [(name, changed.get(name, value)) for name, value in record.headers]
    headers += [(name, value) for name, value in changed.items() if name not in dict(record.headers)]
    return FakeRecord(record.topic, record.value, record.key, headers, record.partition, record.offset, record.timestamp)


def with_value(record: FakeRecord, value: bytes | None) -> FakeRecord:
    return FakeRecord(record.topic, value, record.key, record.headers, record.partition, record.offset, record.timestamp)


async def test_an_event_has_its_effect_and_its_causation(
    deliver: Deliver, consumers: Consumers, emitted: Emissions, db: Database
) -> None:
    event_id, flow_id = new_id(), new_id()
    outcome = await deliver(consumers, Pinged(ping_id=new_id(), text="a"), flow_id=flow_id, event_id=event_id)
    assert outcome == "processed"
    assert await texts(db) == ["a"]
    [noted] = await emitted()
    assert noted.flow_id == flow_id
    assert noted.headers["ce_causationid"] == str(event_id)
    assert noted.headers["correlation_id"] == str(event_id)


async def test_a_redelivered_event_has_no_second_effect(deliver: Deliver, consumers: Consumers, db: Database) -> None:
    event_id, flow_id = new_id(), new_id()
    event = Pinged(ping_id=new_id(), text="a")
    assert await deliver(consumers, event, flow_id=flow_id, event_id=event_id) == "processed"
    assert await deliver(consumers, event, flow_id=flow_id, event_id=event_id) == "duplicate"
    assert await texts(db) == ["a"]


async def test_the_same_id_twice_in_one_batch_has_one_effect(deliver: Deliver, consumers: Consumers, db: Database) -> None:
    event_id = new_id()
    await deliver.records(consumers, [ping("a", event_id=event_id), ping("a", event_id=event_id)])
    assert await texts(db) == ["a"]


async def test_ids_of_foreign_systems_are_known_again_too(deliver: Deliver, consumers: Consumers, db: Database) -> None:
    foreign = UUID("7d444840-9dc0-11d1-b245-5ffdce74fad2")
    await deliver.records(consumers, [ping("a", event_id=foreign)])
    await deliver.records(consumers, [ping("a", event_id=foreign)])
    assert await texts(db) == ["a"]


POISON: list[tuple[str, Callable[[FakeRecord], FakeRecord], str]] = [
    ("no ce_id", lambda r: with_headers(r, ce_id=None), "ce_id"),
    ("ce_id not UTF-8", lambda r: with_headers(r, ce_id=b"\xff\xfe"), "ce_id"),
    ("ce_id no UUID", lambda r: with_headers(r, ce_id=b"17"), "ce_id"),
    ("no time", lambda r: with_headers(r, ce_time=None), "ce_time"),
    ("other spec version", lambda r: with_headers(r, ce_specversion=b"0.3"), "ce_specversion"),
    ("unknown type", lambda r: with_headers(r, ce_type=b"ltc.unknown.v1"), "not known"),
    ("truncated JSON", lambda r: with_value(r, (r.value or b"")[:-7]), "not a echo.pinged"),
    ("wrong schema", lambda r: with_value(r, json.dumps({"ping_id": 7}).encode()), "not a echo.pinged"),
    ("not JSON", lambda r: with_value(r, b"\x00\x01\x02"), "not a echo.pinged"),
    ("empty value", lambda r: with_value(r, b""), "not a echo.pinged"),
    ("2 MB", lambda r: with_value(r, b'{"text":"' + b"x" * 2_000_000 + b'"}'), "the limit is"),
]


@pytest.mark.parametrize(("_", "spoil", "reason"), POISON, ids=[name for name, _, _ in POISON])
async def test_poison_is_parked_dead_with_its_bytes_and_the_rest_flows_on(
    deliver: Deliver,
    consumers: Consumers,
    db: Database,
    client: httpx.AsyncClient,
    _: str,
    spoil: Callable[[FakeRecord], FakeRecord],
    reason: str,
) -> None:
    bad = spoil(ping("bad"))
    await deliver.records(consumers, [ping("before"), bad, ping("after")])
    assert await texts(db) == ["before", "after"]
    [item] = (await client.get("/v1/parked", params={"state": "dead"})).json()["items"]
    assert reason in item["error"]
    assert item["reason"] == "refused"
    async with db.connection() as conn:
        row = await conn.fetchrow("SELECT value, key, header_names, header_values FROM parked")
    assert row is not None
    assert row["value"] == bad.value
    assert row["key"] == bad.key
    assert list(zip(row["header_names"], row["header_values"], strict=True)) == list(bad.headers)
    detail = await client.get(f"/v1/parked/{item['id']}")
    assert detail.status_code == 200


async def test_null_and_unreadable_headers_that_nobody_needs_do_no_harm(
    deliver: Deliver, consumers: Consumers, db: Database, parked: Parked
) -> None:
    odd = ping("a", extra_headers=[("x-null", None), ("x-bytes", b"\xff\xfe"), ("tracestate", None)])
    await deliver.records(consumers, [odd])
    assert await texts(db) == ["a"]
    assert await parked() == []


async def test_tombstones_are_ignored_and_counted(
    deliver: Deliver, consumers: Consumers, db: Database, parked: Parked, client: httpx.AsyncClient
) -> None:
    await deliver.records(consumers, [with_value(ping("gone"), None), ping("a")])
    assert await texts(db) == ["a"]
    assert await parked() == []
    assert 'ltc_tombstones_total{topic="echo.pinged"} 1.0' in (await client.get("/metrics")).text


async def test_an_event_that_comes_too_early_is_tried_again_until_it_fits(
    deliver: Deliver, consumers: Consumers, db: Database, parked: Parked
) -> None:
    flow = new_id()
    await deliver.records(consumers, [ping("too early", flow)])
    [row] = await parked()
    assert (row["state"], row["reason"], row["flow_id"]) == ("waiting", "not_yet", flow)
    async with db.transaction() as tx:
        await tx.conn.execute(
            "INSERT INTO note (id, flow_id, text, version, created_at) VALUES ($1, $2, 'first', 1, $3)", new_id(), flow, tx.now
        )
    await deliver.retry(consumers)
    assert await texts(db) == ["first", "too early"]
    assert await parked() == []


async def test_an_event_that_stays_too_early_is_dead_after_the_deadline(
    deliver: Deliver, consumers: Consumers, db: Database, parked: Parked
) -> None:
    await deliver.records(consumers, [ping("too early")])
    async with db.connection() as conn:
        await conn.execute("UPDATE parked SET first_parked_at = first_parked_at - interval '11 minutes'")
    await deliver.retry(consumers)
    [row] = await parked()
    assert (row["state"], row["reason"]) == ("dead", "not_yet")


async def test_later_records_of_a_parked_key_wait_behind_it_in_order(
    deliver: Deliver, consumers: Consumers, db: Database, parked: Parked
) -> None:
    flow, other = new_id(), new_id()
    await deliver.records(consumers, [ping("too early", flow), ping("second", flow), ping("free", other)])
    await deliver.records(consumers, [ping("third", flow)])
    assert await texts(db) == ["free"]
    assert [row["reason"] for row in await parked()] == ["not_yet", "behind", "behind"]
    async with db.transaction() as tx:
        await tx.conn.execute(
            "INSERT INTO note (id, flow_id, text, version, created_at) VALUES ($1, $2, 'first', 1, $3)", new_id(), flow, tx.now
        )
    await deliver.retry(consumers)
    assert await texts(db) == ["free", "first", "too early", "second", "third"]


async def test_a_failing_event_backs_off_dies_and_lives_again_by_redrive(
    deliver: Deliver, consumers: Consumers, db: Database, parked: Parked, client: httpx.AsyncClient
) -> None:
    flow = new_id()
    await deliver.records(consumers, [ping("unstorable", flow), ping("next", flow)])
    [first, behind] = await parked()
    assert (first["state"], first["reason"], first["attempts"]) == ("waiting", "error", 1)
    delays = []
    for _ in range(7):
        async with db.connection() as conn:
            delays.append(
                await conn.fetchval("SELECT next_attempt_at - clock_timestamp() FROM parked WHERE id = $1", first["id"])
            )
        await deliver.retry(consumers)
    assert delays == sorted(delays)
    assert delays[-1] > 4 * delays[0]
    [first, behind] = await parked()
    assert (first["state"], first["attempts"], behind["state"]) == ("dead", 8, "waiting")
    assert await texts(db) == []

    async with db.connection() as conn:
        await conn.execute("ALTER TABLE note DROP CONSTRAINT note_text_check")  # the defect is mended
    assert (await client.post("/v1/parked/redrive", json={"topic": "echo.pinged"})).json() == {"redriven": 1}
    await deliver.retry(consumers)
    assert await texts(db) == ["unstorable", "next"]
    assert await parked() == []


async def test_a_discarded_record_stays_readable_and_frees_its_key(
    deliver: Deliver, consumers: Consumers, db: Database, parked: Parked, client: httpx.AsyncClient
) -> None:
    flow = new_id()
    await deliver.records(consumers, [with_value(ping("x", flow), b"{"), ping("next", flow)])
    [dead, _] = await parked()
    assert (await client.post(f"/v1/parked/{dead['id']}/discard")).status_code == 200
    await deliver.retry(consumers)
    assert await texts(db) == ["next"]
    assert [row["state"] for row in await parked()] == ["discarded"]
    assert (await client.post(f"/v1/parked/{dead['id']}/discard")).status_code == 404


async def test_a_redelivered_parked_record_is_parked_once(deliver: Deliver, consumers: Consumers, parked: Parked) -> None:
    bad = with_value(ping("x"), b"{")
    await deliver.records(consumers, [bad])
    await deliver.records(consumers, [bad])
    assert len(await parked()) == 1


async def test_a_batch_handler_gets_new_events_once_and_a_bad_one_is_parked_alone(
    runtime: Runtime, db: Database, parked: Parked, deliver: Deliver
) -> None:
    consumers = Consumers()
    consumers.types[Pinged.type_name()] = Pinged
    sizes: list[int] = []

    async def store(tx: Transaction, items: Sequence[Received]) -> None:
        sizes.append(len(items))
        for item in items:
            await tx.conn.execute(
                "INSERT INTO note (id, flow_id, text, version, created_at) VALUES ($1, $2, $3, 1, $4)",
                item.envelope.id,
                item.envelope.flow_id,
                item.data["text"],
                tx.now,
            )

    consumers.batch_handler = store
    good = [ping("a"), ping("b")]
    await deliver.records(consumers, good)
    assert sizes == [2]
    await deliver.records(consumers, [*good, ping("c")])
    assert sizes == [2, 1]
    await deliver.records(consumers, [ping("d"), with_value(ping("x"), b"[]"), ping("e")])
    assert await texts(db) == ["a", "b", "c", "d", "e"]
    assert [row["reason"] for row in await parked()] == ["refused"]


async def test_a_batch_that_meets_a_deadlock_is_not_tried_again_whole_but_goes_on_one_by_one(
    deliver: Deliver, db: Database, parked: Parked
) -> None:
    """Each record takes two locks in the order of everybody else; two records in one transaction do not."""
    batches: list[list[str]] = []
    holder: list[object] = []
    consumers = Consumers()

    @consumers.on(Pinged)
    async def handle(tx: Transaction, event: Pinged, _: Envelope) -> None:
        if not holder or holder[-1] is not tx:
            holder.append(tx)
            batches.append([])
        batches[-1].append(event.text)
        if len(batches[-1]) > 1:
            # As PostgreSQL answers whoever holds what the other waits for.
            await tx.conn.execute("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = 'deadlock_detected'; END $$")

    await deliver.records(consumers, [ping(text) for text in "abc"])
    assert batches == [["a", "b"], ["a"], ["b"], ["c"]]
    assert await parked() == []


def make_together(calls: list[list[str]]) -> Consumers:
    """Takes pings of a batch together and answers each."""
    consumers = Consumers()

    @consumers.together(Pinged)
    async def pinged(tx: Transaction, arrived: Sequence[Arrived[Pinged]]) -> None:
        calls.append([each.event.text for each in arrived])
        for each in arrived:
            assert each.envelope.flow_id is not None
            with each.turn(tx):
                await take_note(tx, each.event.text, each.envelope.flow_id, Noted)

    return consumers


async def test_events_that_are_handled_together_come_once_a_batch_and_each_causes_what_it_announces(
    deliver: Deliver, db: Database, emitted: Emissions
) -> None:
    calls: list[list[str]] = []
    ids, flows = [new_id(), new_id()], [new_id(), new_id()]
    caller = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    records = [ping(text, flow, event_id=event_id) for text, flow, event_id in zip("ab", flows, ids, strict=True)]
    records[0] = with_headers(records[0], traceparent=caller.encode())
    await deliver.records(make_together(calls), [*records, records[0]])
    assert calls == [["a", "b"]]
    assert await texts(db) == ["a", "b"]
    first, second = await emitted()
    assert [first.headers["ce_causationid"], second.headers["ce_causationid"]] == [str(each) for each in ids]
    assert [first.flow_id, second.flow_id] == flows
    assert first.headers["traceparent"].split("-")[1] == caller.split("-")[1] != second.headers["traceparent"].split("-")[1]


async def test_of_one_key_the_next_is_handled_after_the_one_before(deliver: Deliver, db: Database) -> None:
    calls: list[list[str]] = []
    one, other = new_id(), new_id()
    batch = [ping("1", one), ping("2", one), ping("1", other), ping("3", one), ping("2", other)]
    await deliver.records(make_together(calls), batch)
    assert calls == [["1", "1"], ["2", "2"], ["3"]]
    assert len(await texts(db)) == 5


async def test_of_events_handled_together_a_bad_one_is_parked_alone(deliver: Deliver, db: Database, parked: Parked) -> None:
    calls: list[list[str]] = []
    unreadable = with_value(ping("x"), b"{}")
    await deliver.records(make_together(calls), [ping("a"), ping("forbidden"), unreadable, ping("b")])
    assert await texts(db) == ["a", "b"]
    assert [row["reason"] for row in await parked()] == ["refused", "refused"]
    assert calls[-2:] == [["forbidden"], ["b"]]


async def test_rows_that_events_of_a_batch_gather_are_written_at_once_and_not_those_of_a_savepoint_that_failed(
    db: Database, parked: Parked, deliver: Deliver
) -> None:
    consumers, sizes = Consumers(), list[int]()

    async def insert(conn: Connection, rows: Sequence[Any]) -> None:
        sizes.append(len(rows))
        await conn.executemany("INSERT INTO note (id, flow_id, text, version, created_at) VALUES ($1, $1, $2, 1, now())", rows)

    @consumers.on(Pinged)
    async def pinged(tx: Transaction, event: Pinged, _: Envelope) -> None:
        tx.gather(insert, (event.ping_id, event.text))
        with suppress(ZeroDivisionError):
            async with tx.savepoint():
                tx.gather(insert, (new_id(), "taken back"))
                raise ZeroDivisionError
        if event.text == "bad":
            raise Invalid("bad", field="text")

    await deliver.records(consumers, [ping("a"), ping("b")])
    assert sizes == [2]
    await deliver.records(consumers, [ping("c"), ping("bad"), ping("d")])
    assert await texts(db) == ["a", "b", "c", "d"]
    assert len(await parked()) == 1


def test_the_size_limit_is_the_contracts() -> None:
    assert MAX_EVENT_BYTES == 1024 * 1024
