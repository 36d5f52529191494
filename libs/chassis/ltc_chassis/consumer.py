"""Kafka in: a batch of raw records becomes one database transaction, then one offset commit.

Inside the transaction: mark ids in the inbox, run the handlers of the new ones, write their outbox rows, park what was refused.
A type that comes often may have a handler that takes all of a batch's at once, for a statement a batch instead of a statement a
record; it gets each key once at a time, so order per key is what it is for one by one.
When one record fails, or the batch meets a deadlock, it is rolled back and redone record by record, so only a bad one is parked. While
the database is away nothing is committed and nothing is parked: the consumer waits.
"""

import asyncio
import functools
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TypeVar

from ltc_contracts.envelope import Envelope
from ltc_contracts.events import Event
from ltc_contracts.topics import BY_NAME
from opentelemetry.trace import SpanKind

from ltc_chassis import inbox, names, parking
from ltc_chassis.arrived import Arrived
from ltc_chassis.db import Cause, Connection, Transaction, is_down, is_retryable
from ltc_chassis.logged import logged
from ltc_chassis.records import Received, Record, Refused, parse, read
from ltc_chassis.runtime import Runtime
from ltc_chassis.telemetry import log_fields, remote_context, span_contexts

logger = logging.getLogger(__name__)

E = TypeVar("E", bound=Event)
Handler = Callable[[Transaction, E, Envelope], Awaitable[None]]


Together = Callable[[Transaction, Sequence[Arrived[E]]], Awaitable[None]]
BatchHandler = Callable[[Transaction, Sequence[Received]], Awaitable[None]]
_LONGEST_WAIT_S = 5.0


class Consumers:
    """The table of what a service consumes: a handler per event type (for one, or for several of a batch), or one for all its topics."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler[Event]] = {}
        self.together_handlers: dict[str, Together[Event]] = {}
        self.types: dict[str, type[Event]] = {}
        self.batch_handler: BatchHandler | None = None

    @property
    def topics(self) -> list[str]:
        return sorted({event.TOPIC for event in self.types.values()})

    def on(self, event: type[E]) -> Callable[[Handler[E]], Handler[E]]:
        """Register the handler of an event type."""

        def register(handler: Handler[E]) -> Handler[E]:
            self.handlers[self._new(event)] = handler  # type: ignore[assignment] # the table maps each type to the handler of that very type
            return handler

        return register

    def together(self, event: type[E]) -> Callable[[Together[E]], Together[E]]:
        """Register the handler of an event type that takes several, no two of one key: as if one after the other, in any order."""

        def register(handler: Together[E]) -> Together[E]:
            self.together_handlers[self._new(event)] = handler  # type: ignore[assignment] # as above
            return handler

        return register

    def _new(self, event: type[Event]) -> str:
        name = event.type_name()
        if name in self.types:
            raise ValueError(f"{name} has two handlers")
        self.types[name] = event
        return name

    def batch(self, *topics: str) -> Callable[[BatchHandler], BatchHandler]:
        """Register the one handler that takes new events of these topics by the batch, unparsed."""

        def register(handler: BatchHandler) -> BatchHandler:
            self.types.update({BY_NAME[name].event.type_name(): BY_NAME[name].event for name in topics})
            self.batch_handler = handler
            return handler

        return register


class Processor:
    """Applies batches of records to one service. Knows no broker: the subscriber and the parking loop both call it."""

    def __init__(self, runtime: Runtime, consumers: Consumers) -> None:
        self._runtime = runtime
        self._db = runtime.db
        self._consumers = consumers
        self._telemetry = runtime.telemetry
        self._settings = runtime.settings

    async def process(self, records: Sequence[Record]) -> None:
        """Returns when every record has had its effect or is parked; until then it waits and tries again."""
        live = self._without_tombstones(records)
        wait = 0.05
        while live:
            try:
                await self._whole(live)
                return
            except Exception as error:
                # Records of a batch take locks one after the other, in no order that others keep to: a large one that is tried again
                # whole may meet the next deadlock, for as long as there is load. One record's locks are in the service's order.
                together = is_retryable(error) and len(live) > 1
                if together or not (is_down(error) or is_retryable(error)):
                    logger.info("a batch of %d failed (%s); going on one by one", len(live), type(error).__name__)
                    break
                if is_down(error):
                    logger.warning("database away (%s); nothing is committed, trying again", type(error).__name__)
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)
        for record in live:
            await self._single(record)

    async def retry_due(self) -> bool:
        """Try the next due parked record; False when there is none."""
        async with self._db.connection() as conn:
            # Asked ten times a second, for something that is seldom there: no transaction for that.
            if not await parking.any_due(conn):
                return False
        async with self._db.connection() as conn, conn.transaction():
            record = await parking.next_due(conn)
            if record is None:
                return False
            tx: Transaction | None = None
            try:
                async with conn.transaction():
                    tx = await self._effects(conn, [record])
            except Exception as error:
                if is_down(error) or is_retryable(error):
                    raise
                verdict = parking.judge(
                    error, attempts=record.attempts + 1, waiting_for=record.waiting_for, settings=self._settings
                )
                await parking.failed_again(conn, record.id, verdict, parking.describe(error))
                self._log(record, error, verdict)
            else:
                await parking.forget(conn, record.id)
        if tx is not None and self._db.on_emit is not None:
            self._db.on_emit()
        return True

    def _without_tombstones(self, records: Sequence[Record]) -> list[Record]:
        live: list[Record] = []
        for record in records:
            if record.value is None:
                self._telemetry.tombstones.labels(record.topic).inc()
            else:
                live.append(record)
        return live

    async def _whole(self, records: Sequence[Record]) -> None:
        async with self._db.connection() as conn, conn.transaction():
            held = await parking.blocked(conn, ((record.topic, record.key) for record in records))
            free: list[Record] = []
            for record in records:
                if (record.topic, record.key) in held:
                    await parking.park(conn, record, "behind", "waits behind an earlier record", attempts=0, delay_s=0)
                else:
                    free.append(record)
            await self._effects(conn, free)
        if self._db.on_emit is not None:
            self._db.on_emit()

    async def _single(self, record: Record) -> None:
        wait = 0.05
        while True:
            try:
                try:
                    await self._whole([record])
                    return
                except Exception as error:
                    if is_down(error) or is_retryable(error):
                        raise
                    verdict = parking.judge(error, attempts=1, waiting_for=_NO_TIME, settings=self._settings)
                    async with self._db.connection() as conn, conn.transaction():
                        await parking.park(
                            conn, record, verdict.reason, parking.describe(error), attempts=1, delay_s=verdict.delay_s
                        )
                    self._log(record, error, verdict)
                    return
            except Exception as error:
                if is_down(error) or is_retryable(error):
                    logger.warning("database away (%s); nothing is committed, trying again", type(error).__name__)
                else:
                    # Going on would commit the offset of a record that left no trace: standing still is the lesser evil.
                    logger.exception("a refused record could not be parked; nothing is committed, trying again")
            await asyncio.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT_S)

    async def _effects(self, conn: Connection, records: Sequence[Record]) -> Transaction:
        """Everything that new events among these records do, inside the caller's database transaction."""
        received: list[Received] = []
        for record in records:
            readable = read(record, self._consumers.types)
            if isinstance(readable, Refused):
                raise readable
            received.append(readable)
        fresh = await inbox.mark(conn, [item.envelope.id for item in received]) if received else set()
        new: list[Received] = []
        for item in received:
            if item.envelope.id in fresh:
                fresh.discard(item.envelope.id)  # the same id twice in one batch
                new.append(item)
        tx = self._db.attach(conn)
        if self._consumers.batch_handler is not None:
            await self._by_batch(tx, new, self._consumers.batch_handler)
        else:
            await self._by_type(tx, new)
        await tx.flush()
        return tx

    async def _by_type(self, tx: Transaction, items: Sequence[Received]) -> None:
        """One by one; those that are handled together when the first of them comes."""
        gathered: dict[str, list[Received]] = {}
        for item in items:
            if item.envelope.type in self._consumers.together_handlers:
                gathered.setdefault(item.envelope.type, []).append(item)
        for item in items:
            if item.envelope.type not in self._consumers.together_handlers:
                await self._one(tx, item)
                continue
            for wave in _waves(gathered.pop(item.envelope.type, ())):
                await self._wave(tx, item.envelope.type, wave)

    async def _by_batch(self, tx: Transaction, items: Sequence[Received], handler: BatchHandler) -> None:
        if not items:
            return
        began = time.perf_counter()
        with self._telemetry.span(
            "process batch",
            SpanKind.CONSUMER,
            {**self._operation(), names.MESSAGING_BATCH_COUNT: len(items)},
            links=span_contexts(item.envelope.traceparent for item in items) if self._telemetry.recording else (),
        ):
            await handler(tx, items)
        self._telemetry.process_duration.labels("*", "processed").observe(time.perf_counter() - began)

    async def _one(self, tx: Transaction, item: Received) -> None:
        began = time.perf_counter()
        outcome = "failed"
        try:
            with self._turn(item, tx):
                event = parse(item, self._consumers.types[item.envelope.type])
                await self._consumers.handlers[item.envelope.type](tx, event, item.envelope)
            outcome = "processed"
        finally:
            self._telemetry.process_duration.labels(item.topic, outcome).observe(time.perf_counter() - began)

    async def _wave(self, tx: Transaction, type_name: str, items: Sequence[Received]) -> None:
        began = time.perf_counter()
        outcome = "failed"
        try:
            model = self._consumers.types[type_name]
            arrived = [Arrived(parse(item, model), item.envelope, functools.partial(self._turn, item)) for item in items]
            await self._consumers.together_handlers[type_name](tx, arrived)
            outcome = "processed"
        finally:
            observe = self._telemetry.process_duration.labels(items[0].topic, outcome).observe
            each = (time.perf_counter() - began) / len(items)
            for _ in items:
                observe(each)

    @contextmanager
    def _turn(self, item: Received, tx: Transaction) -> Iterator[None]:
        """What is announced inside the block was caused by this record; its span goes on in the trace of who published it."""
        envelope = item.envelope
        before, tx.cause = tx.cause, Cause(envelope.id, envelope.correlation_id)
        try:
            with (
                self._telemetry.span(
                    f"process {item.topic}",
                    SpanKind.CONSUMER,
                    self._attributes(item) if self._telemetry.recording else {},
                    parent=remote_context(envelope.traceparent, envelope.tracestate),
                    links=span_contexts([envelope.traceparent]) if self._telemetry.recording else (),
                ),
                log_fields(flow_id=envelope.flow_id, event_id=str(envelope.id), event_type=envelope.type),
            ):
                yield
        finally:
            tx.cause = before

    def _attributes(self, item: Received) -> dict[str, str | int]:
        envelope = item.envelope
        attributes: dict[str, str | int] = {
            **self._operation(),
            names.MESSAGING_DESTINATION: item.topic,
            names.MESSAGING_PARTITION: str(item.partition),
            names.MESSAGING_OFFSET: item.offset,
            names.LTC_EVENT_ID: str(envelope.id),
            names.LTC_EVENT_TYPE: envelope.type,
        }
        if envelope.flow_id:
            attributes[names.MESSAGING_CONVERSATION] = attributes[names.LTC_FLOW_ID] = str(envelope.flow_id)
        if envelope.causation_id:
            attributes[names.LTC_CAUSATION_ID] = str(envelope.causation_id)
        return attributes

    def _operation(self) -> dict[str, str | int]:
        return {
            names.MESSAGING_SYSTEM: "kafka",
            names.MESSAGING_OPERATION_NAME: "process",
            names.MESSAGING_OPERATION_TYPE: "process",
            names.MESSAGING_GROUP: self._runtime.group_id,
        }

    def _log(self, record: Record, error: BaseException, verdict: parking.Verdict) -> None:
        position = f"{record.topic}-{record.partition}@{record.offset}"
        if verdict.reason == "not_yet" and verdict.delay_s is not None:
            logger.debug("%s came too early; trying again in %.2f s", position, verdict.delay_s)
        elif verdict.reason == "error":
            logger.error("%s parked: %s", position, type(error).__name__, exc_info=error)
        else:
            logger.warning("%s parked as %s (dead): %s", position, verdict.reason, logged(error))


_NO_TIME = timedelta(0)


def _waves(items: Sequence[Received]) -> Iterator[list[Received]]:
    """The first of each key, then the second of each, and so on: within a wave no key comes twice."""
    waves: list[list[Received]] = []
    seen: Counter[bytes] = Counter()
    for item in items:
        # A record without a key has no order to keep.
        key = item.record.key if item.record.key is not None else item.envelope.id.bytes
        if seen[key] == len(waves):
            waves.append([])
        waves[seen[key]].append(item)
        seen[key] += 1
    return iter(waves)
