"""Imports: files on their way in, kept in chunks until they are taken, and the rows that were refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound
from ltc_rules.tables import Record

from lead_svc.domain.rows import Layout, Refusal


@dataclass(frozen=True, slots=True)
class Import:
    """A file on its way in. processed = imported + duplicates + refused <= total."""

    id: UUID
    file_name: str
    header: list[str]
    layout: Layout
    state: Literal["waiting", "running", "done"]
    total: int
    processed: int
    imported: int
    duplicates: int
    refused: int
    created_at: datetime
    finished_at: datetime | None


async def insert_import(conn: Connection, job: Import) -> None:
    await conn.execute(
        """
        INSERT INTO lead_import (id, file_name, header, mapping, nulls, defaults, outcomes, state, total, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        *(job.id, job.file_name, job.header, dict(job.layout.mapping), sorted(job.layout.nulls), dict(job.layout.defaults)),
        *(dict(job.layout.outcomes), job.state, job.total, job.created_at),
    )


async def insert_chunk(conn: Connection, import_id: UUID, number: int, records: Sequence[Record]) -> None:
    """The next records of a file; they count into its total."""
    await conn.execute(
        "INSERT INTO import_chunk (import_id, number, records) VALUES ($1, $2, $3)",
        *(import_id, number, orjson.dumps([[record.line, *record.cells] for record in records])),
    )
    await conn.execute("UPDATE lead_import SET total = total + $2 WHERE id = $1", import_id, len(records))


async def claim_import(conn: Connection) -> Import | None:
    """The oldest unfinished import, locked until the transaction ends; None while another transaction imports.

    One at a time: two that hold the same references in different chunks would wait for each other.
    """
    if not await conn.fetchval("SELECT pg_try_advisory_xact_lock(hashtextextended('lead.import', 0))"):
        return None
    row = await conn.fetchrow(
        """
        SELECT id, file_name, header, mapping, nulls, defaults, outcomes, state, total, processed, imported, duplicates, refused, created_at,
               finished_at
        FROM lead_import WHERE state <> 'done' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return None if row is None else _import(row)


async def take_chunks(conn: Connection, import_id: UUID, limit: int) -> list[list[Record]]:
    """The next chunks of a (locked) import, which are then gone; none when all are taken."""
    taken = await conn.fetch(
        """
        DELETE FROM import_chunk WHERE import_id = $1 AND number IN (
            SELECT number FROM import_chunk WHERE import_id = $1 ORDER BY number LIMIT $2) RETURNING number, records
        """,
        *(import_id, limit),
    )
    chunks = [orjson.loads(row["records"]) for row in sorted(taken, key=lambda row: row["number"])]
    return [[Record(line, cells) for line, *cells in chunk] for chunk in chunks]


async def advance_import(
    conn: Connection, import_id: UUID, *, imported: int, duplicates: int, refused: int, now: datetime
) -> None:
    await conn.execute(
        """
        UPDATE lead_import SET imported = imported + $2, duplicates = duplicates + $3, refused = refused + $4,
               processed = processed + $2 + $3 + $4,
               state = CASE WHEN processed + $2 + $3 + $4 >= total THEN 'done' ELSE 'running' END,
               finished_at = CASE WHEN processed + $2 + $3 + $4 >= total THEN $5::timestamptz END
        WHERE id = $1
        """,
        *(import_id, imported, duplicates, refused, now),
    )


async def get_import(conn: Connection, import_id: UUID) -> Import:
    row = await conn.fetchrow(
        """
        SELECT id, file_name, header, mapping, nulls, defaults, outcomes, state, total, processed, imported, duplicates, refused, created_at,
               finished_at
        FROM lead_import WHERE id = $1
        """,
        import_id,
    )
    if row is None:
        raise NotFound(f"no import {import_id}")
    return _import(row)


async def insert_refusals(conn: Connection, import_id: UUID, refusals: Sequence[Refusal]) -> None:
    if refusals:
        await conn.copy_records_to_table(
            "import_error",
            records=[(new_id(), import_id, refusal.line, refusal.field, refusal.reason) for refusal in refusals],
            columns=("id", "import_id", "line", "field", "reason"),
        )


async def list_refusals(conn: Connection, import_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, line, field, reason FROM import_error
        WHERE import_id = $1 AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(import_id, after, limit),
    )


def _import(row: Any) -> Import:
    layout = Layout(row["mapping"], frozenset(row["nulls"]), row["defaults"], row["outcomes"])
    names = ("state", "total", "processed", "imported", "duplicates", "refused", "created_at", "finished_at")
    return Import(row["id"], row["file_name"], row["header"], layout, *(row[name] for name in names))
