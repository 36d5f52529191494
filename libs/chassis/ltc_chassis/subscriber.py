"""FastStream's part: one batch subscriber for all topics of a service, taking raw records.

The framework's defaults would lose or loop messages (see the comments); `Processor` owns what happens to a record.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaAckableMessage
from ltc_contracts.topics import MAX_RECORD_BYTES

from ltc_chassis.consumer import Consumers, Processor
from ltc_chassis.records import published_at
from ltc_chassis.runtime import Runtime

logger = logging.getLogger(__name__)

Records = tuple["ConsumerRecord[bytes, bytes]", ...]
_GRACE_S = 10.0
# How long a fetch that finds nothing is waited for; the framework then pauses as long, so a record may lie there for this time.
_IDLE_MS = 50
# A commit costs the broker as much as taking a batch. What a crash leaves uncommitted is read again, and the inbox knows it.
_COMMIT_EVERY_S = 0.2
# A turn (a fetch, its answer, a transaction) costs about as much as the ten records that it could carry. So many of them within that
# time make a crowd: while it lasts, a fetch waits a moment for company. A record that comes alone is never kept waiting.
_CROWD, _CROWD_S = 6, 0.3
_COMPANY_WAIT_MS, _COMPANY_BYTES = 25, 64 * 1024


class Subscriber:
    """The running consumer of a service; knows its lag and the age of the oldest record it has not finished."""

    def __init__(self, runtime: Runtime, consumers: Consumers, processor: Processor) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self._consumers = consumers
        self._processor = processor
        self._broker: KafkaBroker | None = None
        self._in_hand: Records = ()
        self._done: dict[TopicPartition, int] = {}
        self._committing: asyncio.Task[None] | None = None
        self._stopping = False
        self._turns: deque[float] = deque(maxlen=_CROWD)
        self._calming: asyncio.TimerHandle | None = None
        self.started = False

    async def run(self) -> None:
        """Connect (again and again while the broker is away), then consume until cancelled."""
        pause = 0.2
        while True:
            self._broker = broker = self._build()
            try:
                await broker.start()
                break
            except Exception as error:
                logger.warning("broker away (%s); consuming begins when it is back", type(error).__name__)
                await broker.stop()
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
        self.started = True

    async def stop(self) -> None:
        """Finish the batch in hand, commit it, leave the group."""
        # What is finished from here on is committed at once, while there is a connection to do it on.
        self._stopping = True
        await self._commit()
        if self._broker is not None:
            await self._broker.stop()
        self._broker = None
        if self._committing is not None:
            self._committing.cancel()
        if self._calming is not None:
            self._calming.cancel()

    def _build(self) -> KafkaBroker:
        settings = self._runtime.settings
        broker = KafkaBroker(
            settings.kafka_bootstrap,
            client_id=f"{self._runtime.name}-svc",
            consumer_only=True,  # the relay has its own producer
            allow_auto_create_topics=False,
            graceful_timeout=_GRACE_S,
            apply_types=False,
            logger=None,
        )
        subscriber = broker.subscriber(
            *self._consumers.topics,
            batch=True,
            group_id=self._runtime.group_id,
            auto_offset_reset="earliest",  # the default would miss history on a first deployment
            ack_policy=AckPolicy.MANUAL,  # the others commit failed records, or loop on them
            session_timeout_ms=int(settings.consumer_session_timeout_s * 1000),
            rebalance_timeout_ms=45_000,
            heartbeat_interval_ms=int(settings.consumer_session_timeout_s * 100),
            max_records=settings.consumer_max_records,
            batch_timeout_ms=_IDLE_MS,
            fetch_min_bytes=settings.consumer_fetch_bytes,
            fetch_max_wait_ms=int(settings.consumer_fetch_wait_s * 1000),
            max_partition_fetch_bytes=MAX_RECORD_BYTES,
            parser=_keep_raw,
            decoder=_message_itself,
        )
        subscriber(self._consume)
        self._consumer_of: Callable[[], AIOKafkaConsumer | None] = lambda: subscriber.consumer
        return broker

    async def _consume(self, message: KafkaAckableMessage) -> None:
        records: Any = message.raw_message
        self._in_hand = records
        self._pace()
        await self._processor.process(records)
        self._in_hand = ()
        self._done.update((TopicPartition(record.topic, record.partition), record.offset + 1) for record in records)
        if self._stopping:
            await self._commit()
        elif self._committing is None or self._committing.done():
            self._committing = asyncio.create_task(self._commit_soon())

    def _pace(self) -> None:
        """Have fetches wait for company while turns follow each other closely, and not a moment longer."""
        now = time.monotonic()
        self._turns.append(now)
        if len(self._turns) < _CROWD or now - self._turns[0] > _CROWD_S:
            return
        if self._calming is not None:
            self._calming.cancel()
        self._fetch_with(max(self._settings.consumer_fetch_bytes, _COMPANY_BYTES), _COMPANY_WAIT_MS)
        self._calming = asyncio.get_running_loop().call_later(_CROWD_S, self._calm)

    def _calm(self) -> None:
        self._fetch_with(self._settings.consumer_fetch_bytes, int(self._settings.consumer_fetch_wait_s * 1000))

    def _fetch_with(self, least_bytes: int, wait_ms: int) -> None:
        consumer = self._consumer_of() if self._broker is not None else None
        if consumer is not None:
            # There is no public way to change them; each fetch is asked for with what stands here at that moment.
            fetcher = consumer._fetcher
            fetcher._fetch_min_bytes, fetcher._fetch_max_wait_ms = least_bytes, wait_ms

    async def _commit_soon(self) -> None:
        # What is finished while a commit is on its way waits for the next one.
        while self._done:
            await asyncio.sleep(_COMMIT_EVERY_S)
            await self._commit()

    async def _commit(self) -> None:
        """Tell the broker what is finished: exactly that, since the consumer's own position may be on records still in hand."""
        consumer = self._consumer_of() if self._broker is not None else None
        done, self._done = self._done, {}
        # What another member has got meanwhile is its own to commit; it reads our last records again.
        ours = {} if consumer is None else {each: offset for each, offset in done.items() if each in consumer.assignment()}
        if consumer is None or not ours:
            return
        try:
            await consumer.commit(ours)
        except KafkaError as error:
            logger.warning("offsets not committed (%s); the next commit does", type(error).__name__)
            self._done = {**ours, **self._done}

    def assigned(self) -> bool:
        """Whether the group has given this member its partitions (possibly none)."""
        consumer = self._consumer_of() if self._broker is not None and self.started else None
        return consumer is not None and bool(consumer.assignment())

    def lag(self) -> dict[TopicPartition, int]:
        """Records between the consumed position and the end, per assigned partition, as of the last fetch."""
        consumer = self._consumer_of() if self._broker is not None else None
        if consumer is None:
            return {}
        found: dict[TopicPartition, int] = {}
        for partition in consumer.assignment():
            end = consumer.highwater(partition)
            state = consumer._subscription.subscription.assignment.state_value(partition)  # the public `position` may block
            if end is not None and state is not None and state.has_valid_position:
                found[partition] = max(end - state.position, 0)
        for record in self._in_hand:
            found[TopicPartition(record.topic, record.partition)] = (
                found.get(TopicPartition(record.topic, record.partition), 0) + 1
            )
        return found

    def oldest_record_age_s(self) -> float:
        """WALL seconds since the oldest record in hand was published; 0 when none is."""
        if not self._in_hand:
            return 0.0
        return max((datetime.now(UTC) - min(published_at(record) for record in self._in_hand)).total_seconds(), 0.0)


async def _keep_raw(records: Records, original: Callable[[Sequence[Any]], Awaitable[KafkaAckableMessage]]) -> KafkaAckableMessage:
    # The framework's parser decodes every header and raises on a null or non-UTF-8 one, before any handler: it gets a stub
    # without headers, and the records themselves go through untouched.
    first = records[0]
    stub: Any = ConsumerRecord(
        first.topic, first.partition, first.offset, first.timestamp, first.timestamp_type, None, b"", None, 0, 0, ()
    )
    message = await original((stub,))
    message.raw_message = records
    return message


async def _message_itself(message: KafkaAckableMessage) -> KafkaAckableMessage:
    return message
