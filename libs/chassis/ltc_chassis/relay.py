"""The relay: outbox rows to Kafka, in order per key, at least once; one active relay per shard.

A relay holds a shard by an advisory lock on a direct connection; when its process dies, the lock goes with it and another
replica takes over. Replicas share the shards evenly.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence

import asyncpg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from ltc_contracts.topics import MAX_RECORD_BYTES
from opentelemetry.trace import SpanKind

from ltc_chassis import names, outbox
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import connect, is_down
from ltc_chassis.runtime import Runtime
from ltc_chassis.telemetry import span_contexts

logger = logging.getLogger(__name__)

_LOCKS = 0x4C5452  # "LTR": the first key of this module's advisory locks; the second is the shard, or _MEMBERS
_MEMBERS = -1
_BATCH = 2000
_POLL_S = 0.1
# Turns do not begin closer to each other than this: each costs a request here and one at each reader, however many rows it carries.
_GATHER_S = 0.01
# From so many rows a turn on there is a crowd: then fewer turns with more rows each carry it at half the price.
_CROWD, _CROWD_GATHER_S = 6, 0.025
_REBALANCE_S = 2.0
_LONGEST_PAUSE_S = 5.0


class Relay:
    """Runs until cancelled. `wake` tells it that rows were committed; polling is the safety net."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._settings = runtime.settings
        self._telemetry = runtime.telemetry
        self._wake = asyncio.Event()
        self._conn: DirectConnection | None = None
        self._producer: AIOKafkaProducer | None = None
        self._shards: list[int] = []
        self._rebalanced = 0.0
        self._began = 0.0
        self._gather_s = _GATHER_S

    def wake(self) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Relay until cancelled; a dead broker or database only makes it wait."""
        pause = 0.1
        try:
            while True:
                try:
                    if await self._turn():
                        pause = 0.1
                        continue
                    pause = 0.1
                    await self._rest()
                except Exception as error:
                    # Whatever it was: a relay that gives up would hold facts back until the next restart.
                    if isinstance(error, KafkaError) or is_down(error):
                        logger.warning("relay waits: %s", type(error).__name__)
                    else:
                        logger.exception("relay failed; trying again")
                    if isinstance(error, KafkaError):
                        await self._drop_producer()
                    else:
                        self._drop_database()
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, _LONGEST_PAUSE_S)
        finally:
            await self._close()

    async def drain(self, timeout: float) -> None:
        """At shutdown: send what is there, as far as `timeout` seconds allow; the rest stays for the next process."""
        self.wake()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline and self._conn is not None and self._shards:
            async with self._runtime.db.connection() as conn:
                if not await outbox.unsent(conn, self._shards, 1):
                    return
            await asyncio.sleep(0.02)

    async def _turn(self) -> bool:
        """One batch; True when there may be more."""
        await asyncio.sleep(max(self._began + self._gather_s - time.monotonic(), 0))
        self._wake.clear()
        conn = await self._database()
        producer = await self._broker()
        rows = await outbox.unsent(conn, self._shards, _BATCH) if self._shards else []
        if not rows:
            self._gather_s = _GATHER_S
            return False
        # The same rate fills a longer turn with more rows: it takes twice as many to begin with it as to stay with it.
        crowd = _CROWD if self._gather_s == _GATHER_S else _CROWD * 2
        self._gather_s = _CROWD_GATHER_S if len(rows) >= crowd else _GATHER_S
        self._began = time.monotonic()
        began = time.perf_counter()
        with self._telemetry.span(
            "send batch",
            SpanKind.PRODUCER,
            {
                names.MESSAGING_SYSTEM: "kafka",
                names.MESSAGING_OPERATION_NAME: "send",
                names.MESSAGING_OPERATION_TYPE: "send",
                names.MESSAGING_BATCH_COUNT: len(rows),
            },
            links=span_contexts(row["traceparent"] for row in rows) if self._telemetry.recording else (),
        ):
            confirmed = await self._publish(producer, rows)
        if confirmed:
            await outbox.delete(conn, confirmed)
            self._telemetry.published.inc(len(confirmed))
        self._telemetry.publish_duration.labels("send").observe(time.perf_counter() - began)
        if len(confirmed) < len(rows):
            # A lost batch leaves a gap in the producer's sequence; a new producer begins a new one, and consumers know the ids.
            await self._drop_producer()
            raise TimeoutError(f"{len(rows) - len(confirmed)} of {len(rows)} rows not confirmed")
        return len(rows) == _BATCH or self._wake.is_set()

    async def _publish(self, producer: AIOKafkaProducer, rows: Sequence[asyncpg.Record]) -> list[int]:
        """Send every row; returns the sequences that may be deleted: the confirmed ones before their key's first failure."""
        sent: list[tuple[int, str, asyncio.Future[object]]] = []
        stopped: set[str] = set()
        for row in rows:
            key: str = row["aggregateid"]
            if key in stopped:
                continue
            try:
                future = await producer.send(
                    row["aggregatetype"],
                    value=row["payload"].encode(),
                    key=key.encode(),
                    headers=outbox.envelope_of(row).to_headers(),
                )
            except (KafkaError, OSError) as error:
                logger.error("a row of %s cannot be sent: %s", row["aggregatetype"], type(error).__name__)
                stopped.add(key)
            else:
                sent.append((row["seq"], key, future))
        results = await asyncio.gather(*(future for _, _, future in sent), return_exceptions=True)
        confirmed: list[int] = []
        for (sequence, key, _), result in zip(sent, results, strict=True):
            if isinstance(result, BaseException):
                stopped.add(key)
            elif key not in stopped:
                confirmed.append(sequence)
        return confirmed

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_POLL_S):
                await self._wake.wait()

    async def _database(self) -> DirectConnection:
        if self._conn is None or self._conn.is_closed():
            self._shards = []
            self._conn = await connect(self._settings.direct_dsn, application=f"{self._runtime.name}-relay")
            # The relay only deletes what the broker has. A crash that forgets a deletion sends a row again, which the inbox knows.
            await self._conn.execute("SET synchronous_commit = off")
            await self._conn.execute("SELECT pg_advisory_lock_shared($1, $2)", _LOCKS, _MEMBERS)
            self._rebalanced = 0.0
        if time.monotonic() - self._rebalanced >= _REBALANCE_S or self._rebalanced == 0.0:
            await self._share(self._conn)
            self._rebalanced = time.monotonic()
        return self._conn

    async def _share(self, conn: DirectConnection) -> None:
        """Hold a fair part of the shards: give back what is over it, take what is free."""
        members = await conn.fetchval(
            """
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ShareLock'
              AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
              AND classid = $1::bigint::oid AND objid = 4294967295::bigint::oid
            """,
            _LOCKS,
        )
        total = self._settings.relay_shards
        fair = -(-total // max(int(members), 1))
        while len(self._shards) > fair:
            await conn.execute("SELECT pg_advisory_unlock($1, $2)", _LOCKS, self._shards.pop())
        for shard in range(total):
            if len(self._shards) >= fair:
                break
            if shard not in self._shards and await conn.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCKS, shard):
                self._shards.append(shard)

    async def _broker(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                bootstrap_servers=self._settings.kafka_bootstrap,
                client_id=f"{self._runtime.name}-relay",
                acks="all",
                enable_idempotence=True,
                linger_ms=0,  # a turn's rows are there at once and fill batches anyway; waiting would only add to the latency
                max_batch_size=256 * 1024,
                max_request_size=MAX_RECORD_BYTES,
                request_timeout_ms=15_000,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer

    def _drop_database(self) -> None:
        """Let go of the connection and, with it, of the shards' locks: its state is not known any more."""
        conn, self._conn = self._conn, None
        self._shards = []
        if conn is not None:
            conn.terminate()

    async def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(TimeoutError, KafkaError, OSError):
                async with asyncio.timeout(3):
                    await producer.stop()

    async def _close(self) -> None:
        await self._drop_producer()
        conn, self._conn = self._conn, None
        self._shards = []
        if conn is not None and not conn.is_closed():
            await conn.close(timeout=2)
