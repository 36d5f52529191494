"""HTTP in, outbox out: create rate, commit to visible, relay drain. On the echo service: one row and one event a request."""

import asyncio
import statistics
import time
from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaConsumer
from ltc_chassis import outbox
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import connect
from ltc_chassis.ids import drawn_at, new_id
from ltc_chassis.tests.echo.app import Noted
from ltc_cli.stack import Stack

from bench.load import flood, post, steady
from bench.report import Row, percentile
from bench.rig import ECHO, echo_database, publish, rate_until, serve

_ROUNDS, _SECONDS, _WRITERS = 3, 3.0, 10
_DRAINED = 60_000
_EMPTY = "TRUNCATE note, outbox"


async def create(stack: Stack) -> list[Row]:
    """POST -> commit against the same two inserts by bare asyncpg, in turns; each side keeps ten connections to the database."""
    request = post("/v1/notes", b'{"text": "hello"}', stack.token())
    bare: list[float] = []
    http: dict[str, list[float]] = {"without a relay": [], "with its relay": []}
    async with (
        echo_database(stack) as (dsn, conn),
        serve(stack, ECHO, dsn, {"LTC_KAFKA_BOOTSTRAP": ""}) as alone,
        serve(stack, ECHO, dsn) as relaying,
    ):
        for round_ in range(_ROUNDS + 1):
            speeds = [await _bare(dsn)]
            # While the other one floods, the relay of the second server would send its rows.
            for served in (relaying, alone):
                speeds.append(await flood(served.url, request, connections=24, seconds=_SECONDS))
                await conn.execute(_EMPTY)
            if round_:  # the first one warms up
                bare.append(speeds[0])
                http["with its relay"].append(speeds[1])
                http["without a relay"].append(speeds[2])
    rows = []
    base = statistics.median(bare)
    for name, speeds in http.items():
        ratio = statistics.median(one / two for one, two in zip(speeds, bare, strict=True))
        rows.append(
            Row(
                f"HTTP create -> commit, {name}",
                f"{statistics.median(speeds):,.0f}/s",
                f"{ratio:.0%} of bare asyncpg ({base:,.0f}/s)",
                ">= 60 %",
                ratio >= 0.6,
            )
        )
    return rows


async def _bare(dsn: str) -> float:
    conns = [await connect(dsn, application="bare") for _ in range(_WRITERS)]
    done, began = 0, time.perf_counter()

    async def run(conn: DirectConnection) -> None:
        nonlocal done
        while time.perf_counter() - began < _SECONDS:
            flow_id, now = new_id(), datetime.now(UTC)
            async with conn.transaction():
                await conn.execute(
                    "INSERT INTO note (id, flow_id, text, cause, version, created_at) VALUES ($1, $2, $3, NULL, 1, $4)",
                    *(new_id(), flow_id, "hello", now),
                )
                await outbox.insert(conn, [_row(flow_id, now)])
            done += 1

    await asyncio.gather(*(run(conn) for conn in conns))
    speed = done / (time.perf_counter() - began)
    for conn in conns:
        await conn.close()
    return speed


def _row(flow_id: UUID, now: datetime) -> outbox.Row:
    note = Noted(note_id=new_id(), text="hello")
    key = str(flow_id)
    return outbox.Row(
        id=new_id(),
        topic=Noted.TOPIC,
        key=key,
        type=Noted.type_name(),
        payload=note.model_dump_json(),
        shard=outbox.shard_of(key, 4),
        source="/echo-svc",
        subject=note.subject,
        sequence=1,
        occurred_at=now,
        recorded_at=now,
        dataschema=Noted.dataschema(),
        flow_id=flow_id,
        parent_flow_id=None,
        causation_id=None,
        correlation_id=None,
        traceparent=None,
        tracestate=None,
    )


async def visible(stack: Stack) -> list[Row]:
    """From the moment an event is decided (before its commit, to the millisecond) to a consumer's hands, at 300 a second."""
    request = post("/v1/notes", b'{"text": "hello"}', stack.token())
    waits: list[float] = []
    async with echo_database(stack) as (dsn, _), serve(stack, ECHO, dsn) as served:
        reader = AIOKafkaConsumer(Noted.TOPIC, bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="latest")
        async with reader:
            await reader.seek_to_end()

            async def read() -> None:
                async for record in reader:
                    decided = drawn_at(UUID(dict(record.headers)["ce_id"].decode()))
                    assert decided is not None  # a UUIDv7 carries its time
                    waits.append((datetime.now(UTC) - decided).total_seconds() * 1000)

            task = asyncio.create_task(read())
            await steady(served.url, request, per_second=300, seconds=2)
            await asyncio.sleep(0.5)
            waits.clear()
            await steady(served.url, request, per_second=300, seconds=10)
            await asyncio.sleep(1)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    p50, p99 = percentile(waits, 0.5), percentile(waits, 0.99)
    return [
        Row(
            "commit -> visible on Kafka, 300/s",
            f"p50 {p50:.1f} ms, p99 {p99:.1f} ms",
            f"{len(waits):,} of 3,000 events",
            "p50 <= 10, p99 <= 50 ms",
            p50 <= 10 and p99 <= 50 and len(waits) >= 3000,
        )
    ]


async def drain(stack: Stack) -> list[Row]:
    """A full outbox, sent by one relay; beside it the same records by a bare producer, without a database."""
    now = datetime.now(UTC)
    made = [_row(new_id(), now) for _ in range(_DRAINED)]
    wire = [(row.topic, row.key.encode(), row.payload.encode(), row.envelope.to_headers()) for row in made]
    async with echo_database(stack) as (dsn, conn):
        for start in range(0, _DRAINED, 5000):
            await outbox.insert(conn, made[start : start + 5000])
        _, seconds = await publish(stack, wire)
        async with serve(stack, ECHO, dsn):
            speed = await rate_until(conn, "SELECT -count(*) FROM outbox", _DRAINED, before=-_DRAINED)
    bare = _DRAINED / seconds
    return [
        Row(
            f"relay drain, {_DRAINED:,} rows",
            f"{speed:,.0f}/s",
            f"{speed / bare:.0%} of a bare producer ({bare:,.0f}/s)",
            ">= 20,000/s",
            speed >= 20_000,
        )
    ]
