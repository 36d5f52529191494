"""What the tests on the real broker share: topics, running services, and a look at what is on a topic."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from fastapi import FastAPI

from ltc_chassis.ids import new_id
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.subscriber import Subscriber
from ltc_chassis.testing import FakeRecord, KeyPair
from ltc_chassis.tests.echo.app import create_app, event_types, take_note


class World:
    """A database, a broker and topics of its own."""

    def __init__(self, dsn: str, bootstrap: str, keys: KeyPair) -> None:
        self.suffix = new_id().hex[-12:]
        self.pinged, self.noted = event_types(self.suffix)
        self.bootstrap = bootstrap
        self.group_suffix = f"-{self.suffix}"
        self.settings = ChassisSettings(
            postgres_dsn=dsn,
            kafka_bootstrap=bootstrap,
            auth_public_key=keys.public_key,
            consumer_group_suffix=self.group_suffix,
            consumer_session_timeout_s=6,
        )
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("LTC_")},
            "LTC_POSTGRES_DSN": dsn,
            "LTC_KAFKA_BOOTSTRAP": bootstrap,
            "LTC_AUTH_PUBLIC_KEY": str(keys.public_key),
            "LTC_CONSUMER_GROUP_SUFFIX": self.group_suffix,
            "LTC_CONSUMER_SESSION_TIMEOUT_S": "6",
        }

    def app(self) -> FastAPI:
        return create_app(self.settings, self.pinged, self.noted)

    async def write(self, flows: list[UUID], turns: int) -> None:
        """Notes "0", "1", ... on each flow, announced but not yet relayed (no relay runs on this app)."""
        app = create_app(self.settings, self.pinged, self.noted)
        db = app.state.runtime.db
        await db.open()
        for turn in range(turns):
            async with db.transaction() as tx:
                for flow in flows:
                    await take_note(tx, str(turn), flow, self.noted)
        await db.close()

    async def unsent(self) -> int:
        app = create_app(self.settings, self.pinged, self.noted)
        db = app.state.runtime.db
        await db.open()
        async with db.connection() as conn:
            count: int = await conn.fetchval("SELECT count(*) FROM outbox")
        await db.close()
        return count

    async def run_until_killed(self, place: str, tmp_path: Path) -> None:
        """The service in a process of its own, which is killed at that place."""
        log = tmp_path / "child.log"
        with log.open("wb") as output:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "ltc_chassis.tests.crash_child", place, self.suffix, env=self.environment, stderr=output
            )
            try:
                async with asyncio.timeout(30):
                    assert await child.wait() == -signal.SIGKILL, log.read_text()
            finally:
                if child.returncode is None:
                    child.kill()
                    await child.wait()


async def create_topics(bootstrap: str, names: Iterable[str], partitions: int = 3) -> None:
    """Topics that take records up to 4 MiB."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        limit = {"max.message.bytes": str(4 * 1024 * 1024)}
        await admin.create_topics([NewTopic(name, partitions, 1, topic_configs=limit) for name in names])
    finally:
        await admin.close()


async def publish(bootstrap: str, records: Sequence[FakeRecord]) -> None:
    """Publish records in order, headers and bytes exactly as they are."""
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=4 * 1024 * 1024) as producer:
        for record in records:
            await producer.send_and_wait(record.topic, record.value, key=record.key, headers=record.headers)


async def read_all(bootstrap: str, topic: str) -> list[Any]:
    """Every record of a topic, by partition and offset."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest", group_id=None) as consumer:
        partitions = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or range(3))]
        consumer.assign(partitions)
        ends = await consumer.end_offsets(partitions)
        found: list[Any] = []
        while any([await consumer.position(partition) < ends[partition] for partition in partitions]):
            for records in (await consumer.getmany(timeout_ms=500)).values():
                found += records
    return sorted(found, key=lambda record: (record.partition, record.offset))


@asynccontextmanager
async def running(app: FastAPI, keys: KeyPair) -> AsyncIterator[httpx.AsyncClient]:
    """The app with all its loops, consuming; yields a client."""
    async with app.router.lifespan_context(app):
        subscriber: Subscriber | None = app.state.subscriber
        if subscriber is not None:
            await eventually(lambda: _true(subscriber.assigned))
        headers = {"Authorization": f"Bearer {keys.token()}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=headers) as client:
            yield client


async def eventually(check: Callable[[], Awaitable[Any]], timeout: float = 30) -> Any:
    """The first true answer of `check`, asked every 50 ms; raises with the last answer after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while True:
        answer = await check()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s; last answer: {answer!r}")
        await asyncio.sleep(0.05)


async def _true(value: Callable[[], bool]) -> bool:
    return value()
