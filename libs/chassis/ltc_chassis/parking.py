"""Parking: a record that cannot be processed (yet) is kept in the service's own database with its bytes, never dropped.

Order is kept per topic and key, which is what Kafka promises: while a record is parked, later ones of the same topic and key
wait behind it. Other topics of the same flow go on, since an early event waits for exactly those.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple
from uuid import UUID

import asyncpg
from ltc_contracts.envelope import Envelope, MalformedEnvelope, readable_headers
from ltc_contracts.errors import Invalid, NotYet

from ltc_chassis.db import Connection
from ltc_chassis.records import Record, published_at
from ltc_chassis.settings import ChassisSettings

Reason = Literal["not_yet", "error", "refused", "behind"]
_LONGEST_ERROR = 2000
_FIRST_NOT_YET_DELAY_S = 0.05
_LONGEST_NOT_YET_DELAY_S = 5.0


@dataclass(frozen=True, slots=True)
class ParkedRecord:
    """A parked record in the shape of a consumed one."""

    id: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    attempts: int
    waiting_for: timedelta


class Verdict(NamedTuple):
    """What becomes of a record after an error. `delay_s` is None for the dead."""

    reason: Reason
    delay_s: float | None


def judge(error: BaseException, *, attempts: int, waiting_for: timedelta, settings: ChassisSettings) -> Verdict:
    """`attempts` counts this one. Too early: soon again, until a deadline. Refused: dead at once. Else: back-off, then dead."""
    if isinstance(error, NotYet):
        if waiting_for.total_seconds() >= settings.not_yet_deadline_s:
            return Verdict("not_yet", None)
        return Verdict("not_yet", min(_FIRST_NOT_YET_DELAY_S * 2 ** min(attempts - 1, 16), _LONGEST_NOT_YET_DELAY_S))
    if isinstance(error, Invalid):
        return Verdict("refused", None)
    if attempts >= settings.parked_max_attempts:
        return Verdict("error", None)
    return Verdict("error", min(settings.parked_first_delay_s * 2 ** min(attempts - 1, 16), settings.parked_longest_delay_s))


def describe(error: BaseException) -> str:
    """For people: the rule's own reason, or the error's class and text."""
    text = getattr(error, "reason", None) or f"{type(error).__name__}: {error}"
    return str(text)[:_LONGEST_ERROR]


async def park(conn: Connection, record: Record, reason: Reason, error: str, *, attempts: int, delay_s: float | None) -> None:
    """Keep a record. Doing it twice changes nothing."""
    readable = readable_headers(record.headers)
    try:
        envelope: Envelope | None = Envelope.from_headers(readable)
    except MalformedEnvelope:
        envelope = None
    await conn.execute(
        """
        INSERT INTO parked (topic, partition, "offset", published_at, key, header_names, header_values, value, event_id, flow_id,
                            type, state, reason, error, attempts, next_attempt_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, clock_timestamp() + $16)
        ON CONFLICT DO NOTHING
        """,
        record.topic,
        record.partition,
        record.offset,
        published_at(record),
        record.key,
        # PostgreSQL's text cannot hold NUL; such a header name is not ours to keep exactly.
        [name.replace("\x00", "\ufffd") for name, _ in record.headers],
        [value for _, value in record.headers],
        record.value or b"",
        envelope.id if envelope else None,
        envelope.flow_id if envelope else None,
        (readable.get("ce_type") or "").replace("\x00", "\ufffd")[:200] or None,
        "dead" if delay_s is None else "waiting",
        reason,
        error.replace("\x00", "\ufffd"),
        attempts,
        timedelta(seconds=delay_s or 0),
    )


async def blocked(conn: Connection, positions: Iterable[tuple[str, bytes | None]]) -> set[tuple[str, bytes]]:
    """Those (topic, key) for which a record is parked, so that a later one has to wait behind it."""
    wanted = {(topic, key) for topic, key in positions if key is not None}
    if not wanted or not await conn.fetchval("SELECT EXISTS (SELECT 1 FROM parked WHERE state <> 'discarded')"):
        return set()
    rows = await conn.fetch(
        """
        SELECT DISTINCT p.topic, p.key FROM parked p
        JOIN unnest($1::text[], $2::bytea[]) AS w (topic, key) ON p.topic = w.topic AND p.key = w.key
        WHERE p.state <> 'discarded'
        """,
        [topic for topic, _ in wanted],
        [key for _, key in wanted],
    )
    return {(row["topic"], row["key"]) for row in rows}


async def any_due(conn: Connection) -> bool:
    """Whether a record waits whose time has come; it may still have to wait behind another one."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM parked WHERE state = 'waiting' AND next_attempt_at <= clock_timestamp())"
    )
    return found


async def next_due(conn: Connection) -> ParkedRecord | None:
    """Lock the oldest due record that has none before it in its topic and key."""
    row = await conn.fetchrow(
        """
        SELECT p.id, p.topic, p.partition, p."offset", p.published_at, p.key, p.header_names, p.header_values, p.value,
               p.attempts, clock_timestamp() - p.first_parked_at AS waiting_for
        FROM parked p
        WHERE p.state = 'waiting' AND p.next_attempt_at <= clock_timestamp()
          AND NOT EXISTS (SELECT 1 FROM parked q
                          WHERE q.topic = p.topic AND q.key = p.key AND q.id < p.id AND q.state <> 'discarded')
        ORDER BY p.next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return None if row is None else _record(row)


async def forget(conn: Connection, parked_id: int) -> None:
    """The record was processed."""
    await conn.execute("DELETE FROM parked WHERE id = $1", parked_id)


async def failed_again(conn: Connection, parked_id: int, verdict: Verdict, error: str) -> None:
    """Count the attempt; wait, or be dead."""
    await conn.execute(
        """
        UPDATE parked SET attempts = attempts + 1, reason = $2, error = $3, state = $4,
               next_attempt_at = clock_timestamp() + $5 WHERE id = $1
        """,
        parked_id,
        verdict.reason,
        error.replace("\x00", "\ufffd"),
        "dead" if verdict.delay_s is None else "waiting",
        timedelta(seconds=verdict.delay_s or 0),
    )


async def redrive(conn: Connection, *, parked_id: int | None, topic: str | None) -> int:
    """Give dead records (one, those of a topic, or all) a new life of attempts, oldest first; returns how many."""
    rows = await conn.fetch(
        """
        UPDATE parked SET state = 'waiting', attempts = 0, first_parked_at = clock_timestamp(),
               next_attempt_at = clock_timestamp()
        WHERE state = 'dead' AND ($1::bigint IS NULL OR id = $1) AND ($2::text IS NULL OR topic = $2) RETURNING id
        """,
        parked_id,
        topic,
    )
    return len(rows)


async def discard(conn: Connection, parked_id: int) -> bool:
    """A person decided that this record shall have no effect; it stays readable and no longer holds up its key."""
    row = await conn.fetchrow(
        "UPDATE parked SET state = 'discarded' WHERE id = $1 AND state <> 'discarded' RETURNING id", parked_id
    )
    return row is not None


async def list_parked(
    conn: Connection, *, state: str | None, flow_id: UUID | None, after: int, limit: int
) -> list[asyncpg.Record]:
    """Parked records in the order of parking, without their bytes."""
    return await conn.fetch(
        """
        SELECT id, topic, partition, "offset", published_at, event_id, flow_id, type, state, reason, error, attempts,
               first_parked_at, next_attempt_at, octet_length(value) AS size
        FROM parked
        WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR flow_id = $2) AND id > $3 ORDER BY id LIMIT $4
        """,
        state,
        flow_id,
        after,
        limit,
    )


async def get_parked(conn: Connection, parked_id: int) -> asyncpg.Record | None:
    """One parked record with its bytes."""
    return await conn.fetchrow(
        """
        SELECT id, topic, partition, "offset", published_at, event_id, flow_id, type, state, reason, error, attempts,
               first_parked_at, next_attempt_at, octet_length(value) AS size, key, header_names, header_values, value
        FROM parked WHERE id = $1
        """,
        parked_id,
    )


async def counts(conn: Connection) -> dict[str, int]:
    rows = await conn.fetch("SELECT state, count(*) AS n FROM parked GROUP BY state")
    found: dict[str, int] = {"waiting": 0, "dead": 0, "discarded": 0}
    found.update({row["state"]: row["n"] for row in rows})
    return found


def _record(row: Any) -> ParkedRecord:
    return ParkedRecord(
        id=row["id"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["offset"],
        timestamp=int(row["published_at"].timestamp() * 1000),
        key=row["key"],
        value=row["value"],
        headers=list(zip(row["header_names"], row["header_values"], strict=True)),
        attempts=row["attempts"],
        waiting_for=row["waiting_for"],
    )
