"""The database: a pool that comes back by itself, and the one transaction at the edge."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import asyncpg
import orjson
from ltc_contracts.errors import DomainError
from ltc_contracts.events import Event
from ltc_contracts.topics import MAX_EVENT_BYTES

from ltc_chassis import outbox
from ltc_chassis.clock import Clock
from ltc_chassis.connection import Connection, DirectConnection
from ltc_chassis.ids import new_row_id
from ltc_chassis.settings import ChassisSettings
from ltc_chassis.telemetry import current_traceparent

__all__ = [
    "Cause",
    "Connection",
    "Database",
    "EventTooLarge",
    "Transaction",
    "connect",
    "is_down",
    "is_out_of_range",
    "is_refused",
    "is_retryable",
]

S = TypeVar("S", bound=ChassisSettings)
# Writes rows of one kind; a function of a service's store.
Writer = Callable[[Connection, Sequence[Any]], Awaitable[None]]

_ACQUIRE_TIMEOUT_S = 5.0
_IDLE_IN_TRANSACTION_MS = "60000"


class EventTooLarge(DomainError):
    """The event would exceed the size that consumers accept; nothing was written."""

    kind = "too_large"


def is_down(error: BaseException) -> bool:
    """Whether the error says that the database cannot be reached (now), rather than that it refused the statement.

    A server that shuts down while a connection is idle leaves asyncpg in a state that refuses the next statement with
    `InternalClientError`; the connection is gone, so that counts as down too.
    """
    if isinstance(error, asyncpg.DataError):
        return False
    return isinstance(
        error,
        OSError
        | TimeoutError
        | asyncpg.PostgresConnectionError
        | asyncpg.InterfaceError
        | asyncpg.InternalClientError
        | asyncpg.OperatorInterventionError
        | asyncpg.InsufficientResourcesError
        | asyncpg.ReadOnlySQLTransactionError,
    )


def is_retryable(error: BaseException) -> bool:
    """Whether the same transaction may simply be tried again: a deadlock or a serialisation failure."""
    return isinstance(error, asyncpg.DeadlockDetectedError | asyncpg.SerializationError)


def is_out_of_range(error: BaseException) -> bool:
    """Whether a value of the right type is none that the database can hold: too large, too long, half a character.

    The net under the types of `inputs`, which tell the caller the field as well.
    """
    # What asyncpg cannot encode; a value of the wrong type (TypeError) would be a defect of ours.
    if isinstance(error, asyncpg.DataError) and isinstance(error.__cause__, OverflowError | ValueError):
        return True
    return isinstance(
        error, asyncpg.NumericValueOutOfRangeError | asyncpg.DatetimeFieldOverflowError | asyncpg.StringDataRightTruncationError
    )


def is_refused(error: BaseException) -> bool:
    """Whether the database refused what was to be written (a value or a constraint), so that the same again is refused again."""
    return isinstance(error, asyncpg.DataError | asyncpg.IntegrityConstraintViolationError)


@dataclass(frozen=True, slots=True)
class Cause:
    """The event whose handling writes this transaction; its ids travel on every event emitted here."""

    event_id: UUID
    correlation_id: str | None


@dataclass(slots=True)
class Transaction:
    """One open transaction. Handlers read and write through `conn` and announce facts with `emit`."""

    conn: Connection
    now: datetime
    source: str
    shards: int
    settings: ChassisSettings
    cause: Cause | None = None
    pending: list[outbox.Row] = field(default_factory=list)
    gathered: dict[Writer, list[Any]] = field(default_factory=dict)
    announced: bool = False

    def emit(
        self,
        event: Event,
        *,
        flow_id: UUID | None,
        sequence: int = 0,
        occurred_at: datetime | None = None,
        parent_flow_id: UUID | None = None,
    ) -> UUID:
        """Announce a fact; it leaves with the commit, or not at all. Returns the event's id.

        The key is the flow id, or the subject for events of no single flow. Lock the aggregate's row before you
        decide, so that the order of outbox rows is the order of commits per key. Raises `EventTooLarge`.
        """
        event_id = new_row_id()
        payload = event.model_dump_json(exclude_none=False)
        if len(payload) > MAX_EVENT_BYTES // 4 and len(payload.encode()) > MAX_EVENT_BYTES:
            raise EventTooLarge(f"{event.TOPIC} would take {len(payload)} characters; the limit is {MAX_EVENT_BYTES} bytes")
        subject = event.subject
        key = str(flow_id) if flow_id else subject
        cause = self.cause
        self.pending.append(
            outbox.Row(
                event_id,
                event.TOPIC,
                key,
                event.type_name(),
                payload,
                outbox.shard_of(key, self.shards),
                self.source,
                subject,
                sequence,
                occurred_at or self.now,
                self.now,
                event.dataschema(),
                flow_id,
                parent_flow_id,
                cause.event_id if cause else None,
                (cause.correlation_id if cause else None) or str(event_id),
                *current_traceparent(),
            )
        )
        return event_id

    def gather(self, write: Writer, row: Any) -> None:
        """Have `write(conn, rows)` called once, at the end, with every row given for it: what a batch of events adds to one table.

        A row that each event of a batch adds by itself costs a round trip each; nothing may read it in this transaction.
        """
        self.gathered.setdefault(write, []).append(row)

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """A part of the transaction that may fail alone: when the block raises, what it wrote and announced is taken back."""
        announced, gathered = len(self.pending), {write: len(rows) for write, rows in self.gathered.items()}
        try:
            async with self.conn.transaction():
                yield
        except BaseException:
            del self.pending[announced:]
            for write, rows in self.gathered.items():
                del rows[gathered.get(write, 0) :]
            raise

    def settings_as(self, kind: type[S]) -> S:
        """The running service's settings, typed."""
        if not isinstance(self.settings, kind):
            raise TypeError(f"this service runs with {type(self.settings).__name__}, not {kind.__name__}")
        return self.settings

    async def flush(self) -> None:
        """Write what was gathered so far, and what was emitted to the outbox, inside the transaction."""
        gathered, self.gathered = self.gathered, {}
        for write, rows in gathered.items():
            if rows:
                await write(self.conn, rows)
        if self.pending:
            rows, self.pending = self.pending, []
            self.announced = True
            await outbox.insert(self.conn, rows)


class Database:
    """The pool of one service's database. It opens lazily, so a service starts while its database is still away."""

    def __init__(self, settings: ChassisSettings, *, source: str, clock: Clock) -> None:
        self.settings = settings
        self.source = source
        self.clock = clock
        self.on_emit: Callable[[], None] | None = None
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        """Prepare the pool; connects only when a connection is wanted."""
        self._pool = await asyncpg.create_pool(
            self.settings.postgres_dsn,
            min_size=0,
            max_size=self.settings.pool_size,
            init=_codecs,
            reset=_as_it_is,
            statement_cache_size=self.settings.statement_cache_size,
            command_timeout=60,
            timeout=_ACQUIRE_TIMEOUT_S,
            server_settings={
                "application_name": self.source.strip("/"),
                "idle_in_transaction_session_timeout": _IDLE_IN_TRANSACTION_MS,
                "timezone": "UTC",
            },
        )

    async def close(self) -> None:
        """Give back every connection; those still busy after 5 s are cut."""
        if self._pool is None:
            return
        pool, self._pool = self._pool, None
        try:
            async with asyncio.timeout(5):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for reading."""
        if self._pool is None:
            raise asyncpg.InterfaceError("the pool is closed")
        async with self._pool.acquire(timeout=_ACQUIRE_TIMEOUT_S) as conn:
            yield conn

    @asynccontextmanager
    async def transaction(self, cause: Cause | None = None) -> AsyncIterator[Transaction]:
        """The transaction at the edge: commits at the end of the block, rolls back when the block raises."""
        async with self.connection() as conn, conn.transaction():
            tx = self.attach(conn, cause)
            yield tx
            await tx.flush()
        if tx.announced and self.on_emit is not None:
            self.on_emit()

    def attach(self, conn: Connection, cause: Cause | None = None) -> Transaction:
        """A `Transaction` on a connection whose database transaction the caller has opened; the caller flushes."""
        return Transaction(conn, self.clock.now(), self.source, self.settings.relay_shards, self.settings, cause)


async def connect(dsn: str, *, application: str) -> DirectConnection:
    """A direct connection outside the pool, for advisory locks and migrations."""
    conn: DirectConnection = await asyncpg.connect(
        dsn, timeout=_ACQUIRE_TIMEOUT_S, server_settings={"application_name": application, "timezone": "UTC"}
    )
    await _codecs(conn)
    return conn


async def _as_it_is(_: Any) -> None:
    """Nothing to reset: no code of a service changes its session, and the round trip would cost as much as an insert.

    asyncpg itself still rolls back a transaction that was left open, and drops listeners.
    """


async def _codecs(conn: Any) -> None:
    await conn.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda raw: orjson.loads(raw[1:]),
        format="binary",
    )
