"""Every event of the suite as it arrives, so that a player can wait for the next thing that happens to its flow."""

import asyncio
import contextlib
from collections import defaultdict
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from aiokafka import AIOKafkaConsumer
from ltc_contracts.envelope import Envelope, MalformedEnvelope, readable_headers
from ltc_contracts.topics import TOPICS


@dataclass(frozen=True, slots=True)
class Seen:
    """One event as any other system would see it."""

    topic: str
    envelope: Envelope
    data: dict[str, Any]


class EventFeed:
    """Reads all topics from the beginning; keeps events by flow and topic, repeated ids once."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._by_flow: dict[tuple[UUID | None, str], list[Seen]] = defaultdict(list)
        self._ids: set[UUID] = set()
        self._arrived: dict[tuple[UUID | None, str], asyncio.Event] = defaultdict(asyncio.Event)
        self._task: asyncio.Task[None] | None = None
        self.repeated = 0

    async def __aenter__(self) -> "EventFeed":
        consumer = AIOKafkaConsumer(
            *(topic.name for topic in TOPICS), bootstrap_servers=self._bootstrap, group_id=None, auto_offset_reset="earliest"
        )
        await consumer.start()
        self._task = asyncio.create_task(self._read(consumer))
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._task is not None
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def wait(self, flow_id: UUID, topic: str, *, count: int = 1, timeout: float = 60) -> Seen:
        """The `count`-th event of a flow on a topic; raises TimeoutError naming what did not come."""
        key = (flow_id, topic)
        try:
            async with asyncio.timeout(timeout):
                while len(self._by_flow[key]) < count:
                    self._arrived[key].clear()
                    await self._arrived[key].wait()
        except TimeoutError as error:
            seen = sorted(name for (flow, name), events in self._by_flow.items() if flow == flow_id and events)
            raise TimeoutError(f"flow {flow_id}: no {topic} within {timeout:.0f} s; seen: {', '.join(seen)}") from error
        return self._by_flow[key][count - 1]

    def seen(self, flow_id: UUID | None, topic: str) -> list[Seen]:
        """What has arrived so far."""
        return list(self._by_flow[(flow_id, topic)])

    def flow(self, flow_id: UUID) -> dict[str, int]:
        """Number of distinct events per topic of a flow."""
        return {topic: len(events) for (flow, topic), events in self._by_flow.items() if flow == flow_id and events}

    async def _read(self, consumer: AIOKafkaConsumer) -> None:
        try:
            while True:
                for records in (await consumer.getmany(timeout_ms=200)).values():
                    for record in records:
                        self._keep(record)
        finally:
            await consumer.stop()

    def _keep(self, record: Any) -> None:
        # Others may put anything on a topic; a feed shows what can be read and leaves the rest to the services.
        with contextlib.suppress(MalformedEnvelope, orjson.JSONDecodeError):
            envelope = Envelope.from_headers(readable_headers(record.headers))
            seen = Seen(record.topic, envelope, orjson.loads(record.value or b"null"))
            if envelope.id in self._ids:
                self.repeated += 1
                return
            self._ids.add(envelope.id)
            key = (envelope.flow_id, record.topic)
            self._by_flow[key].append(seen)
            self._arrived[key].set()
