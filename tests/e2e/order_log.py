"""What the stack left behind when nothing moves any more: every record of its topics and the rows of its databases, read as they are."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import orjson
from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient
from ltc_cli.company.suite import SERVICES, Json, Suite
from ltc_cli.stack import Stack
from ltc_contracts.topics import TOPICS

Row = asyncpg.Record


@dataclass(frozen=True, slots=True)
class Request:
    """A changing call that was answered with success."""

    service: str
    path: str
    body: Json
    answer: Any


class NotingSuite(Suite):
    """Keeps every changing call that was accepted. The same call repeated after a lost answer is one."""

    def __init__(self, *given: Any, **how: Any) -> None:
        super().__init__(*given, **how)
        self.accepted: list[Request] = []

    async def post(self, service: str, path: str, body: Json | None = None) -> Any:
        answer = await super().post(service, path, body)
        self.accepted.append(Request(service, path, body or {}, answer))
        return answer


@dataclass(slots=True)
class Log:
    """Events by topic, each id once, in the order of their flow; `twice` are ids that came again with another content."""

    by_topic: dict[str, list[Json]] = field(default_factory=lambda: defaultdict(list))
    repeated: int = 0
    twice: list[str] = field(default_factory=list)

    def of(self, topic: str, key: str) -> dict[str, list[Json]]:
        """A topic's events by one of their fields."""
        found: dict[str, list[Json]] = defaultdict(list)
        for data in self.by_topic[topic]:
            found[data[key]].append(data)
        return found


async def read_log(bootstrap: str) -> Log:
    """Everything that is on the topics now."""
    names = (topic.name for topic in TOPICS)
    consumer = AIOKafkaConsumer(*names, bootstrap_servers=bootstrap, group_id=None, auto_offset_reset="earliest")
    await consumer.start()
    try:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        log, known = Log(), dict[bytes, bytes | None]()
        while any([await consumer.position(each) < end for each, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                for record in records:
                    _keep(log, known, record)
        return log
    finally:
        await consumer.stop()


def _keep(log: Log, known: dict[bytes, bytes | None], record: Any) -> None:
    headers = dict(record.headers)
    event_id = headers.get("ce_id")
    if event_id is None:
        return
    if event_id in known:
        log.repeated += 1
        if known[event_id] != record.value:
            log.twice.append(f"{record.topic} {event_id.decode()}")
        return
    known[event_id] = record.value
    log.by_topic[record.topic].append(orjson.loads(record.value))


@dataclass(slots=True)
class Books:
    """The databases of the services that orders go through."""

    pools: dict[str, asyncpg.Connection]

    async def rows(self, service: str, sql: str, *given: Any) -> list[Row]:
        found: list[Row] = await self.pools[service].fetch(sql, *given)
        return found


async def open_books(stack: Stack) -> Books:
    return Books({service: await _connect(stack.dsn(service)) for service in SERVICES})


async def _connect(dsn: str) -> asyncpg.Connection:
    conn = await asyncpg.connect(dsn)
    await conn.set_type_codec(
        "jsonb", encoder=lambda value: orjson.dumps(value).decode(), decoder=orjson.loads, schema="pg_catalog"
    )
    return conn


async def at_rest(stack: Stack, books: Books, *, patience_s: float = 180) -> None:
    """Return when every event is on its topic and had its effect in every service that reads it; raises TimeoutError naming what is left."""
    deadline = time.monotonic() + patience_s
    calm = 0
    while calm < 3:
        left = await _left(stack, books)
        calm = 0 if left else calm + 1
        if left and time.monotonic() > deadline:
            raise TimeoutError(f"still to be done after {patience_s:.0f} s: {', '.join(left)}")
        await asyncio.sleep(0.5)


async def _left(stack: Stack, books: Books) -> list[str]:
    left = []
    for service in SERVICES:
        for what, sql in (
            ("unsent", "SELECT count(*) FROM outbox"),
            ("parked", "SELECT count(*) FROM parked WHERE state = 'waiting'"),
        ):
            [row] = await books.rows(service, sql)
            if row[0]:
                left.append(f"{service}: {row[0]} {what}")
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka_bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.kafka_bootstrap, group_id=None)
    await admin.start()
    await consumer.start()
    try:
        for service in SERVICES:
            offsets = await admin.list_consumer_group_offsets(f"{service}-svc")
            ends = await consumer.end_offsets(list(offsets))
            behind = sum(ends[each] - offset.offset for each, offset in offsets.items() if offset.offset >= 0)
            if behind:
                left.append(f"{service}: {behind} records behind")
    finally:
        await consumer.stop()
        await admin.close()
    return left


def by(rows: Iterable[Row], key: str) -> dict[UUID, list[Row]]:
    """Rows by one of their columns."""
    found: dict[UUID, list[Row]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found
