"""The outbox: events leave the database only by way of these rows, written in the transaction that decided them."""

import itertools
import zlib
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg
from ltc_contracts.envelope import Envelope

from ltc_chassis.connection import Connection

# From this many rows on, COPY costs half of an INSERT; for one or two it costs more.
_COPY_FROM = 32
# Up to so many rows a parameter for each value is cheaper than an array for each column.
_SINGLY_UP_TO = 4


class Row(NamedTuple):
    """One event on its way out: the columns of the table, in their order."""

    id: UUID
    topic: str
    key: str
    type: str
    payload: str
    shard: int
    source: str
    subject: str
    sequence: int
    occurred_at: datetime
    recorded_at: datetime
    dataschema: str
    flow_id: UUID | None
    parent_flow_id: UUID | None
    causation_id: UUID | None
    correlation_id: str | None
    traceparent: str | None
    tracestate: str | None

    @property
    def envelope(self) -> Envelope:
        """What the relay puts into the record's headers."""
        return Envelope(
            id=self.id,
            source=self.source,
            type=self.type,
            subject=self.subject,
            occurred_at=self.occurred_at,
            recorded_at=self.recorded_at,
            dataschema=self.dataschema,
            partition_key=self.key,
            sequence=self.sequence,
            flow_id=self.flow_id,
            parent_flow_id=self.parent_flow_id,
            causation_id=self.causation_id,
            correlation_id=self.correlation_id,
            traceparent=self.traceparent,
            tracestate=self.tracestate,
        )


_COLUMNS = (
    *("id", "aggregatetype", "aggregateid", "type", "payload", "shard", "source", "subject", "sequence", "time", "recordedtime"),
    *("dataschema", "flowid", "parentflowid", "causationid", "correlationid", "traceparent", "tracestate"),
)


def shard_of(key: str, shards: int) -> int:
    """The shard that relays a key; stable across processes, so that one relay sees all rows of a key in order."""
    return zlib.crc32(key.encode()) % shards


def _insert_of(count: int) -> str:
    """The statement that writes so many rows, each value a parameter."""
    width = len(_COLUMNS)
    rows = (", ".join(f"${row * width + column}" for column in range(1, width + 1)) for row in range(count))
    return f"INSERT INTO outbox ({', '.join(_COLUMNS)}) VALUES {', '.join(f'({row})' for row in rows)}"  # noqa: S608 - names from above


_INSERTS = {count: _insert_of(count) for count in range(1, _SINGLY_UP_TO + 1)}


async def insert(conn: Connection, rows: Sequence[Row]) -> None:
    """Write events in the order given."""
    if len(rows) <= _SINGLY_UP_TO:
        await conn.execute(_INSERTS[len(rows)], *itertools.chain.from_iterable(rows))
        return
    if len(rows) >= _COPY_FROM:
        await conn.copy_records_to_table("outbox", records=rows, columns=_COLUMNS)
        return
    await conn.execute(
        """
        INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, shard, source, subject, sequence, time,
                            recordedtime, dataschema, flowid, parentflowid, causationid, correlationid, traceparent, tracestate)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::text[], $8::text[],
                             $9::bigint[], $10::timestamptz[], $11::timestamptz[], $12::text[], $13::uuid[], $14::uuid[],
                             $15::uuid[], $16::text[], $17::text[], $18::text[])
        """,
        *zip(*rows, strict=True),
    )


async def unsent(conn: Connection, shards: Sequence[int], limit: int) -> list[asyncpg.Record]:
    """The oldest rows of these shards. Never by a cursor: sequences are drawn before commit, so a cursor loses rows."""
    return await conn.fetch(
        """
        SELECT seq, id, aggregatetype, aggregateid, type, payload, source, subject, sequence, time, recordedtime, dataschema,
               flowid, parentflowid, causationid, correlationid, traceparent, tracestate
        FROM outbox WHERE shard = ANY($1::smallint[]) ORDER BY seq LIMIT $2
        """,
        list(shards),
        limit,
    )


async def delete(conn: Connection, sequences: Sequence[int]) -> None:
    """Forget rows that the broker confirmed."""
    await conn.execute("DELETE FROM outbox WHERE seq = ANY($1::bigint[])", list(sequences))


async def oldest_age_s(conn: Connection) -> float:
    """Wall seconds since the oldest unsent row was written; 0 when there is none."""
    age = await conn.fetchval(
        "SELECT extract(epoch FROM clock_timestamp() - created_at)::float8 FROM outbox ORDER BY seq LIMIT 1"
    )
    return float(age or 0.0)


def envelope_of(row: asyncpg.Record) -> Envelope:
    """The envelope as it was when the event was decided, creation context included."""
    return Envelope(
        id=row["id"],
        source=row["source"],
        type=row["type"],
        subject=row["subject"],
        occurred_at=row["time"],
        recorded_at=row["recordedtime"],
        dataschema=row["dataschema"],
        partition_key=row["aggregateid"],
        sequence=row["sequence"],
        flow_id=row["flowid"],
        parent_flow_id=row["parentflowid"],
        causation_id=row["causationid"],
        correlation_id=row["correlationid"],
        traceparent=row["traceparent"],
        tracestate=row["tracestate"],
    )
