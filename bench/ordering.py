"""Checkouts through the whole suite: how many a second, beside bare inserts of the same rows, and how soon others know."""

import asyncio
import functools
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from ltc_chassis import migrate
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import connect
from ltc_chassis.ids import new_id
from ltc_cli.stack import Stack

from bench import cpu
from bench.load import Connection, each, post
from bench.report import Row, percentile
from bench.rig import serve

# A shop that is busy has many buyers at once; each connection is one that buys again as soon as it is answered.
_CONNECTIONS = 64
_WRITERS = 10
_WARM_S, _BARE_S = 5.0, 5.0
_TAIL_S = 120.0
CONFIRMED, PROMISED = "order.confirmed", "delivery.promised"
READERS = ("order", "delivery", "billing", "metrics")
# An order's number and a name drawn here, which may come once.
_NUMBER, _NAMED = re.compile(r"O-[0-9]{4}-[0-9]{6,}"), re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TABLES = ("sales_order", "order_line", "state_change", "order_process", "order_process_step", "outbox")
_PRICES = ("49.90", "12.50")


@dataclass(slots=True)
class Seen:
    """Moments by flow: the answer to the checkout, and what of it became visible on Kafka."""

    answered: dict[bytes, float] = field(default_factory=dict)
    on_kafka: dict[str, dict[bytes, float]] = field(default_factory=lambda: {CONFIRMED: {}, PROMISED: {}})

    def waits(self, topic: str) -> str:
        """p50 and p99 in ms from answer to visible (the relay may be faster than the answer, which counts as 0)."""
        found = self.on_kafka[topic]
        ms = [max(found[flow] - at, 0.0) * 1000 for flow, at in self.answered.items() if flow in found]
        return f"p50 {percentile(ms, 0.5):,.0f} ms, p99 {percentile(ms, 0.99):,.0f} ms" if ms else "nothing came"


@dataclass(frozen=True, slots=True)
class Written:
    """What one checkout wrote into a table: the statement that writes such a row, and the rows."""

    insert: str
    rows: list[list[Any]]


async def checkout(stack: Stack, *, seconds: float = 20.0) -> list[Row]:
    """All six services, their relays and consumers at work, and the load on the same cores."""
    async with _apart(stack) as (bare_dsn, rows), _watch(stack) as seen:
        await _flood(stack, _WARM_S)
        await _settled(stack)
        bare = [await _bare(bare_dsn, rows, _BARE_S)]
        seen.answered.clear()
        before = cpu.spent(stack)
        took, rate = await _flood(stack, seconds, seen)
        behind = await _behind(stack)
        drained = await _settled(stack)
        spent = cpu.since(before, cpu.spent(stack))
        crowded = seen.waits(CONFIRMED), seen.waits(PROMISED)
        bare.append(await _bare(bare_dsn, rows, _BARE_S))
        seen.answered.clear()
        calm, _ = await _flood(stack, seconds / 2, seen, per_second=rate / 4)
        await _settled(stack)
    base = sum(bare) / len(bare)
    lag = ", ".join(f"{name} {count:,}" for name, count in behind.items())
    return [
        Row(
            f"checkouts of two lines, {seconds:.0f} s, six services",
            f"{rate:,.0f}/s",
            f"{rate / base:.0%} of bare asyncpg inserts of the same rows ({base:,.0f}/s)",
            ">= 400/s",
            rate >= 400,
        ),
        Row(f"the call, {_CONNECTIONS} connections always busy", _ms(took)),
        Row(f"the call, {rate / 4:,.0f}/s", _ms(calm)),
        Row("order-confirm: answer -> order.confirmed visible", seen.waits(CONFIRMED), f"always busy: {crowded[0]}"),
        Row("order-confirm: answer -> delivery.promised visible", seen.waits(PROMISED), f"always busy: {crowded[1]}"),
        Row("events not yet taken at the end, and how long they took", f"{drained:.1f} s", lag),
        Row("CPU per checkout, the backlog's included", cpu.told(spent, len(took))),
    ]


SHORT = functools.partial(checkout, seconds=4.0)


def _ms(took: list[float]) -> str:
    return f"p50 {percentile(took, 0.5) * 1000:.1f} ms, p99 {percentile(took, 0.99) * 1000:.1f} ms"


async def _flood(
    stack: Stack, seconds: float, seen: Seen | None = None, *, per_second: float | None = None
) -> tuple[list[float], float]:
    """New carts on connections that are always busy, or at a steady rate; the seconds of each call, and calls a second."""
    url, token = stack.url("order"), stack.token()
    opened = [await Connection.open(url) for _ in range(_CONNECTIONS)]
    took: list[float] = []
    began = time.perf_counter()
    turn = len(opened) / per_second if per_second else 0.0

    async def run(connection: Connection, number: int) -> None:
        due = began + turn * number / len(opened)
        while (now := time.perf_counter()) - began < seconds:
            if now < due:
                await asyncio.sleep(due - now)
            due += turn
            flow = str(new_id())
            request = post("/v1/checkout", _cart(flow), token)
            sent = time.perf_counter()
            await connection.call(request, (201,))
            answered = time.perf_counter()
            took.append(answered - sent)
            if seen is not None:
                seen.answered[flow.encode()] = answered

    await asyncio.gather(*(run(connection, number) for number, connection in enumerate(opened)))
    rate = len(took) / (time.perf_counter() - began)
    for connection in opened:
        connection.close()
    return took, rate


def _made_cart() -> tuple[bytes, bytes]:
    """A cart of two lines in two parts, to be joined by what differs."""
    lines = [
        {
            "sku": f"SKU-{number}",
            "description": "A thing of the shop",
            "quantity": "1",
            "unit_price": {"amount": price, "currency": "EUR"},
            "tax_rate": "22",
            "net": {"amount": price, "currency": "EUR"},
        }
        for number, price in enumerate(_PRICES)
    ]
    cart = {
        "external_ref": "FLOW",
        "flow_id": "FLOW",
        # Without an address: what customers are told is a mail each, at the pace of the mail server.
        "customer": {"name": "A. Buyer", "country": "IT"},
        "lines": lines,
        "net": {"amount": "62.40", "currency": "EUR"},
    }
    first, _, last = json.dumps(cart).replace('"flow_id": "FLOW"', '"flow_id": "@"').replace("FLOW", "@", 1).partition("@")
    return first.encode(), last.encode()


_HEAD, _TAIL = _made_cart()


def _cart(flow: str) -> bytes:
    name = flow.encode()
    return _HEAD + name + _TAIL.replace(b"@", name)


@asynccontextmanager
async def _watch(stack: Stack) -> AsyncIterator[Seen]:
    """Note when records of a flow become visible, until the end of the block."""
    seen = Seen()
    reader = AIOKafkaConsumer(CONFIRMED, PROMISED, bootstrap_servers=stack.kafka_bootstrap, auto_offset_reset="latest")
    async with reader:
        await reader.seek_to_end()

        async def read() -> None:
            while True:
                found = await reader.getmany(timeout_ms=1000)
                now = time.perf_counter()
                for partition, records in found.items():
                    moments = seen.on_kafka[partition.topic]
                    moments.update((record.key, now) for record in records)

        task = asyncio.create_task(read())
        try:
            yield seen
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def _behind(stack: Stack) -> dict[str, int]:
    """What is not taken yet: rows of outboxes that are not sent, and records that a service has not committed."""
    found: dict[str, int] = {}
    for service in READERS:
        conn = await connect(stack.dsn(service), application="bench")
        found[f"{service}-svc's outbox"] = await conn.fetchval("SELECT count(*) FROM outbox")
        await conn.close()
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    reader = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap)
    await admin.start()
    await reader.start()
    try:
        for service in READERS:
            at: dict[TopicPartition, Any] = await admin.list_consumer_group_offsets(f"{service}-svc")
            ends = await reader.end_offsets(list(at))
            found[f"{service}-svc"] = sum(ends[part] - max(offset.offset, 0) for part, offset in at.items())
    finally:
        await reader.stop()
        await admin.close()
    return {name: count for name, count in found.items() if count}


async def _settled(stack: Stack) -> float:
    """Wait until everything is taken, twice in a row, since what is taken may tell more; returns the seconds."""
    began, quiet = time.perf_counter(), 0
    first = 0.0
    while time.perf_counter() - began < _TAIL_S:
        if await _behind(stack):
            quiet = 0
        else:
            quiet += 1
            first = first if quiet > 1 else time.perf_counter() - began
        if quiet == 3:
            return first
        await asyncio.sleep(0.3)
    raise TimeoutError(f"still not taken after {_TAIL_S:.0f} s: {await _behind(stack)}")


@asynccontextmanager
async def _apart(stack: Stack) -> AsyncIterator[tuple[str, list[Written]]]:
    """A database with the tables of order-svc and nobody at work in it, and what order-svc wrote there for one checkout."""
    admin = await connect(stack.admin_dsn, application="bench")
    await admin.execute("DROP DATABASE IF EXISTS bench_order WITH (FORCE)")
    await admin.execute("CREATE DATABASE bench_order")
    dsn = stack.admin_dsn.rpartition("/")[0] + "/bench_order"
    conn = await connect(dsn, application="bench")
    try:
        await migrate.apply(conn, "order_svc")
        # Without a broker its events stay in the outbox.
        async with serve(stack, "order_svc", dsn, {"LTC_KAFKA_BOOTSTRAP": ""}) as served:
            await each(served.url, [post("/v1/checkout", _cart(str(new_id())), stack.token())], connections=1)
        yield dsn, [written for table in _TABLES if (written := await _written(conn, table)).rows]
    finally:
        await conn.close()
        await admin.execute("DROP DATABASE bench_order WITH (FORCE)")
        await admin.close()


async def _written(conn: DirectConnection, table: str) -> Written:
    found = await conn.fetch(
        """
        SELECT attname FROM pg_attribute WHERE attrelid = $1::text::regclass AND attnum > 0 AND NOT attisdropped
          AND attidentity = '' AND attgenerated = '' ORDER BY attnum
        """,
        table,
    )
    names = [row["attname"] for row in found]
    columns, places = ", ".join(names), ", ".join(f"${number}" for number in range(1, len(names) + 1))
    # Names from the catalogue: what service and bare inserts write is the same, whatever columns there are.
    read, insert = f"SELECT {columns} FROM {table}", f"INSERT INTO {table} ({columns}) VALUES ({places})"  # noqa: S608 - names of the catalogue
    return Written(insert, [list(row) for row in await conn.fetch(read)])


async def _bare(dsn: str, written: list[Written], seconds: float) -> float:
    """The same rows under new ids, a transaction each time, a statement a table, on ten connections; transactions a second."""
    conns = [await connect(dsn, application="bare") for _ in range(_WRITERS)]
    done, began = 0, time.perf_counter()

    async def run(conn: DirectConnection) -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            drawn: dict[Any, Any] = {}
            name = str(new_id())
            async with conn.transaction():
                for table in written:
                    rows = [[_anew(value, drawn, name) for value in row] for row in table.rows]
                    if len(rows) == 1:
                        await conn.execute(table.insert, *rows[0])
                    else:
                        await conn.executemany(table.insert, rows)
            done += 1

    await asyncio.gather(*(run(conn) for conn in conns))
    rate = done / (time.perf_counter() - began)
    for conn in conns:
        await conn.close()
    return rate


def _anew(value: Any, drawn: dict[Any, Any], name: str) -> Any:
    """The same id becomes the same new id, numbers and references a new name; the rest is what it was."""
    if isinstance(value, UUID):
        if value not in drawn:
            drawn[value] = new_id()
        return drawn[value]
    if isinstance(value, str) and (_NUMBER.fullmatch(value) or _NAMED.fullmatch(value)):
        return name
    return value
