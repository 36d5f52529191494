"""The shop floor on Kafka: orders in, reports out. It keeps nothing of its own; its state is on the topics.

At its start it reads everything from the beginning (orders, and its own reports) and goes on from there, so it can be killed at any
instant. One runs at a time: two would answer each order twice, which does no harm but is nonsense.
"""

import asyncio
import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError
from ltc_chassis.clock import Clock
from ltc_contracts.envelope import Envelope, MalformedEnvelope, readable_headers
from ltc_contracts.events import (
    Event,
    MesProductionProgressed,
    ProductionCancelled,
    ProductionChanged,
    ProductionOrdered,
)
from pydantic import ValidationError

from ltc_cli.mes.shop_floor import Shop, ShopFloor

logger = logging.getLogger(__name__)

SOURCE = "/mes-simulator"
_READS: tuple[type[Event], ...] = (ProductionOrdered, ProductionChanged, ProductionCancelled, MesProductionProgressed)
_BY_TYPE = {event.type_name(): event for event in _READS}


@dataclass(slots=True)
class History:
    """What the topics say: the orders with revision and moment, what was cancelled, and what was reported."""

    orders: list[tuple[ProductionOrdered, int, datetime]] = field(default_factory=list)
    cancelled: set[UUID] = field(default_factory=set)
    reports: list[MesProductionProgressed] = field(default_factory=list)


class Mes:
    """The reference MES. `prefix` is put before the names of topics, so that several live on one broker."""

    def __init__(self, bootstrap: str, clock: Clock, shop: Shop, *, prefix: str = "", beat_s: float = 0.1) -> None:
        self._bootstrap = bootstrap
        self._clock = clock
        self._prefix = prefix
        self._beat_s = beat_s
        self.floor = ShopFloor(shop, now=clock.now())

    async def run(self) -> None:
        """Catch up, then work until cancelled."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None, auto_offset_reset="earliest")
        producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
        await consumer.start()
        try:
            await producer.start()
            await self._catch_up(consumer, [each for event in _READS for each in await self._partitions(producer, event.TOPIC)])
            logger.info("caught up: %d open jobs", len(self.floor.jobs))
            while True:
                await self._publish(producer)
                for record in await _records(consumer, int(self._beat_s * 1000)):
                    self._take(record)
                self.floor.live_until(self._clock.now())
        finally:
            # A cancellation may come in the middle of either.
            await asyncio.shield(asyncio.gather(consumer.stop(), producer.stop(), return_exceptions=True))

    async def _catch_up(self, consumer: AIOKafkaConsumer, partitions: list[TopicPartition]) -> None:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        history = History()
        while any([await consumer.position(partition) < end for partition, end in ends.items()]):
            for record in await _records(consumer, 200):
                self._recall(record, history)
        self.floor.now = min((at for _, _, at in history.orders), default=self.floor.now)
        self.floor.restore(history.orders, history.cancelled, history.reports)

    async def _partitions(self, producer: AIOKafkaProducer, topic: str) -> list[TopicPartition]:
        """Waits until the topic is there."""
        name = self._prefix + topic
        while True:
            try:
                return [TopicPartition(name, number) for number in sorted(await producer.partitions_for(name))]
            except KafkaError as error:
                logger.info("%s is not there yet (%s)", name, type(error).__name__)
                await asyncio.sleep(0.5)

    def _recall(self, record: Any, history: History) -> None:
        read = _read(record)
        if read is None:
            return
        event, envelope = read
        if isinstance(event, ProductionOrdered):
            history.orders.append((event, envelope.sequence, envelope.occurred_at))
        elif isinstance(event, ProductionCancelled):
            history.cancelled.add(event.production_id)
        elif isinstance(event, MesProductionProgressed) and envelope.source == SOURCE:
            history.reports.append(event)

    def _take(self, record: Any) -> None:
        read = _read(record)
        if read is None:
            return
        event, envelope = read
        if isinstance(event, ProductionOrdered):
            self.floor.order(event, envelope.sequence, envelope.occurred_at)
        elif isinstance(event, ProductionCancelled):
            self.floor.cancel(event.production_id, envelope.occurred_at)

    async def _publish(self, producer: AIOKafkaProducer) -> None:
        """One after the other: what is on the topic is then everything up to some moment, and never a part with a hole."""
        for report in self.floor.reports():
            envelope = self._envelope(report)
            await producer.send_and_wait(
                self._prefix + report.TOPIC,
                report.model_dump_json().encode(),
                key=envelope.partition_key.encode(),
                headers=envelope.to_headers(),
            )
            logger.info("%s %s good %s scrap %s", report.production_id, report.state, report.quantity_good, report.quantity_scrap)

    def _envelope(self, report: MesProductionProgressed) -> Envelope:
        return Envelope(
            # The same report has the same id, so that whoever gets it twice knows.
            id=uuid5(report.production_id, str(report.sequence)),
            source=SOURCE,
            type=report.type_name(),
            subject=report.subject,
            occurred_at=report.as_of,
            recorded_at=self._clock.now(),
            dataschema=report.dataschema(),
            partition_key=report.subject,
            sequence=report.sequence,
        )


def _read(record: Any) -> tuple[Event, Envelope] | None:
    """The event of a record, or None for what an MES cannot read: others may put anything on a topic."""
    try:
        envelope = Envelope.from_headers(readable_headers(record.headers))
        model = _BY_TYPE.get(envelope.type)
        return None if model is None else (model.model_validate_json(record.value or b""), envelope)
    except (MalformedEnvelope, ValidationError) as error:
        logger.warning("%s-%d@%d is not readable: %s", record.topic, record.partition, record.offset, type(error).__name__)
        return None


async def _records(consumer: AIOKafkaConsumer, timeout_ms: int) -> list[Any]:
    return [record for records in (await consumer.getmany(timeout_ms=timeout_ms)).values() for record in records]
