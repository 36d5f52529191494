"""Clock, ids, inbox days, timers, telemetry parts, AsyncAPI: small pieces that need no broker."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.topics import BY_NAME
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from ltc_chassis import app as app_module
from ltc_chassis import asyncapi, inbox, names, outbox
from ltc_chassis.clock import ScaledClock, SystemClock, parse_clock
from ltc_chassis.db import Database, Transaction
from ltc_chassis.ids import drawn_at, new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.telemetry import Telemetry, _Fields, current_traceparent, log_fields, remote_context, span_contexts
from ltc_chassis.testing import Emitted
from ltc_chassis.tests.echo.app import Noted, Pinged, create_app, make_consumers, take_note
from ltc_chassis.timers import Timer, run_until_idle


def test_a_scaled_clock_runs_a_day_per_second_from_its_anchor() -> None:
    anchor = datetime.now(UTC) - timedelta(seconds=10)
    clock = parse_clock("2026-01-01T00:00Z@86400", anchor.isoformat())
    assert isinstance(clock, ScaledClock)
    assert timedelta(days=10) <= clock.now() - datetime(2026, 1, 1, tzinfo=UTC) < timedelta(days=13)


def test_no_specification_is_real_time_and_nonsense_is_refused() -> None:
    assert isinstance(parse_clock(""), SystemClock)
    with pytest.raises(ValueError, match="must look like"):
        parse_clock("tomorrow")


def test_ids_are_ordered_and_tell_when_they_were_drawn() -> None:
    ids = [new_id() for _ in range(1000)]
    assert ids == sorted(ids)
    assert all(identifier.version == 7 for identifier in ids)
    moment = drawn_at(ids[0])
    assert moment is not None
    assert abs(datetime.now(UTC) - moment) < timedelta(seconds=5)
    assert drawn_at(uuid4()) is None


@given(st.text(min_size=1), st.integers(1, 64))
def test_a_key_has_one_shard_for_ever(key: str, shards: int) -> None:
    assert outbox.shard_of(key, shards) == outbox.shard_of(key, shards) < shards


def test_an_id_names_its_inbox_day() -> None:
    assert inbox.day_of(UUID("019b76da-a800-7000-8000-000000000000")) == date(2026, 1, 1)
    assert inbox.day_of(uuid4()) == date(1970, 1, 1)


async def test_old_inbox_days_are_dropped_and_coming_days_exist(db: Database) -> None:
    async with db.transaction() as tx:
        await tx.conn.execute("CREATE TABLE inbox_20200101 (LIKE inbox INCLUDING ALL)")
        await tx.conn.execute(
            "ALTER TABLE inbox ATTACH PARTITION inbox_20200101 FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
        )
        late, foreign = UUID("019b76da-a800-7000-8000-000000000000"), uuid4()
        assert await inbox.mark(tx.conn, [late, foreign]) == {late, foreign}
        await inbox.maintain(tx.conn, keep_days=120)
        names = {row[0] for row in await tx.conn.fetch("SELECT inhrelid::regclass::text FROM pg_inherits")}
        assert "inbox_20200101" not in names
        assert f"inbox_{datetime.now(UTC) + timedelta(days=3):%Y%m%d}" in names
        # What has no day is kept for ever; it cannot be told when it is safe to forget.
        assert await inbox.mark(tx.conn, [foreign]) == set()


async def test_concurrent_writers_lose_no_event_and_keep_order_per_flow(
    db: Database, emitted: Callable[[], Awaitable[list[Emitted]]]
) -> None:
    flows = [new_id() for _ in range(4)]

    async def write(worker: int) -> None:
        for turn in range(10):
            async with db.transaction() as tx:
                flow = flows[(worker + turn) % 4]
                # The aggregate's row lock comes before the outbox row: id order is commit order per key.
                await tx.conn.execute("SELECT pg_advisory_xact_lock(hashtext($1))", str(flow))
                position = await tx.conn.fetchval("SELECT count(*) FROM note WHERE flow_id = $1", flow)
                await take_note(tx, str(position), flow, Noted)
                await asyncio.sleep(0.001 * (worker % 3))

    await asyncio.gather(*(write(worker) for worker in range(16)))
    rows = await emitted()
    assert len(rows) == 160
    for flow in flows:
        assert [int(row.event["text"]) for row in rows if row.flow_id == flow] == list(range(40))


async def test_a_timer_handles_all_that_is_due_and_two_replicas_double_nothing(db: Database, runtime: Runtime) -> None:
    async with db.transaction() as tx:
        for _ in range(25):
            await take_note(tx, "due", new_id(), Noted)

    async def work(tx: Transaction) -> int:
        rows = await tx.conn.fetch(
            """
            UPDATE note SET text = 'done', version = version + 1
            WHERE id IN (SELECT id FROM note WHERE text = 'due' LIMIT 4 FOR UPDATE SKIP LOCKED) RETURNING id
            """
        )
        await asyncio.sleep(0.005)
        return len(rows)

    timer = Timer("due", work)
    assert sum(await asyncio.gather(run_until_idle(runtime, timer), run_until_idle(runtime, timer))) == 25
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT bool_and(version = 2) FROM note")


async def test_a_timer_that_crashes_leaves_its_work_due(db: Database, runtime: Runtime) -> None:
    async with db.transaction() as tx:
        await take_note(tx, "due", new_id(), Noted)

    async def crash(tx: Transaction) -> int:
        await tx.conn.execute("UPDATE note SET text = 'done'")
        raise RuntimeError("killed here")

    with pytest.raises(RuntimeError):
        await run_until_idle(runtime, Timer("due", crash))
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT text FROM note") == "due"


async def test_what_a_timer_emits_has_a_trace_and_an_idle_poll_leaves_no_span(runtime: Runtime, db: Database) -> None:
    exporter = InMemorySpanExporter()
    runtime.telemetry.keep_spans(SimpleSpanProcessor(exporter))
    left = [1]

    async def work(tx: Transaction) -> int:
        if left:
            await take_note(tx, "from the clock", new_id(), Noted)
        return left.pop() if left else 0

    await run_until_idle(runtime, Timer("due", work))
    [span] = exporter.get_finished_spans()
    assert (span.name, dict(span.attributes or {})) == ("timer due", {names.LTC_TIMER_ROWS: 1})
    async with db.connection() as conn:
        traceparent = await conn.fetchval("SELECT traceparent FROM outbox")
    assert traceparent.split("-")[1] == format(span.context.trace_id, "032x")


def test_spans_that_nobody_keeps_are_not_recorded_and_the_trace_goes_on_all_the_same() -> None:
    telemetry = Telemetry("echo-svc")
    parent = remote_context("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    with telemetry.span("work", SpanKind.INTERNAL, {}, parent=parent) as span:
        assert not span.is_recording()
        traceparent, _ = current_traceparent()
    assert traceparent is not None
    _, trace_id, span_id, sampled = traceparent.split("-")
    assert (trace_id, sampled) == ("0af7651916cd43dd8448eb211c80319c", "00")
    assert span_id != "b7ad6b7169203331"


def test_log_lines_carry_the_flow_and_the_service() -> None:
    record = logging.makeLogRecord({"msg": "x"})
    flow = new_id()
    with log_fields(flow_id=flow, event_type="ltc.echo.v1"):
        _Fields("echo-svc").filter(record)
    assert (record.__dict__["service"], record.__dict__["flow_id"]) == ("echo-svc", str(flow))


@pytest.mark.parametrize("text", [None, "", "rubbish", "00-0-0-00", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_traceparent_of_nonsense_is_no_context(text: str | None) -> None:
    assert remote_context(text) is None
    assert span_contexts([text]) == []


def test_the_asyncapi_document_names_every_topic_read_and_written() -> None:
    consumers = make_consumers(Pinged, Noted)
    consumers.types.clear()
    lead_qualified = BY_NAME["lead.qualified"].event
    consumers.types[lead_qualified.type_name()] = lead_qualified
    document = asyncapi.document("sales", consumers)
    assert document["asyncapi"].startswith("3.")
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"lead.qualified"} | {name for name, topic in BY_NAME.items() if topic.owner == "sales"}
    assert {operation["action"] for operation in document["operations"].values()} == {"send", "receive"}
    assert "LeadQualified" in json.dumps(document["components"])


async def test_liveness_needs_nothing(anonymous: httpx.AsyncClient) -> None:
    assert (await anonymous.get("/health/live")).json() == {"status": "live"}
    assert (await anonymous.get("/health/ready")).status_code == 200


async def test_a_service_refuses_to_start_on_a_schema_that_is_not_its_own(environment: None, dsn: str) -> None:
    import asyncpg

    conn = await asyncpg.connect(dsn)
    await conn.execute("DELETE FROM schema_migration WHERE version = 1 AND component <> 'ltc_chassis'")
    await conn.close()
    app = create_app()
    with pytest.raises(Exception, match="not applied"):
        async with app.router.lifespan_context(app):
            pass


async def test_a_loop_that_dies_fails_the_liveness_check(
    make_app: Callable[[], FastAPI], environment: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dies(*_: object) -> None:
        raise RuntimeError("out of the loop")

    monkeypatch.setattr(app_module, "loop", dies)
    app = make_app()
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://echo") as client,
    ):
        await asyncio.sleep(0.05)
        reply = await client.get("/health/live")
    assert (reply.status_code, reply.json()["reason"]) == (503, "a loop ended: RuntimeError")
