"""Files of another system on their way in, the rows that were refused, and how the documents taken over were called there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

import orjson
from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money
from ltc_rules.tables import Record

from billing_svc.domain.rows import Layout, Refusal, Row


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
    created_by: str
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class Known:
    """A document that was taken over before, and what it said."""

    invoice_id: UUID
    amount: Money
    issued_on: date
    due_on: date


async def insert_import(conn: Connection, job: Import) -> None:
    layout = {
        **{name: dict(getattr(job.layout, name)) for name in ("columns", "values", "defaults")},
        "nulls": sorted(job.layout.nulls),
        "dates": job.layout.dates,
    }
    await conn.execute(
        """
        INSERT INTO import (id, file_name, header, layout, state, total, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(job.id, job.file_name, job.header, layout, job.state, job.total, job.created_by, job.created_at),
    )


async def insert_chunk(conn: Connection, import_id: UUID, number: int, records: Sequence[Record]) -> None:
    """The next records of a file; they count into its total."""
    await conn.execute(
        "INSERT INTO import_chunk (import_id, number, records) VALUES ($1, $2, $3)",
        *(import_id, number, orjson.dumps([[record.line, *record.cells] for record in records])),
    )
    await conn.execute("UPDATE import SET total = total + $2 WHERE id = $1", import_id, len(records))


async def claim_import(conn: Connection) -> Import | None:
    """The oldest unfinished file, locked; None when there is none or another replica works on it (files go in their order)."""
    row = await conn.fetchrow(
        """
        SELECT id, file_name, header, layout, state, total, processed, imported, duplicates, refused, created_by, created_at, finished_at
        FROM import WHERE id = (SELECT id FROM import WHERE state <> 'done' ORDER BY id LIMIT 1) FOR UPDATE SKIP LOCKED
        """
    )
    return None if row is None else _import(row)


async def take_chunk(conn: Connection, import_id: UUID) -> list[Record]:
    """The next records of a (locked) import, which are then gone; none when all are taken."""
    taken = await conn.fetchval(
        """
        DELETE FROM import_chunk WHERE import_id = $1
          AND number = (SELECT min(number) FROM import_chunk WHERE import_id = $1) RETURNING records
        """,
        import_id,
    )
    return [] if taken is None else [Record(line, cells) for line, *cells in orjson.loads(taken)]


async def advance_import(
    conn: Connection, import_id: UUID, *, imported: int, duplicates: int, refused: int, now: datetime
) -> None:
    await conn.execute(
        """
        UPDATE import SET imported = imported + $2, duplicates = duplicates + $3, refused = refused + $4,
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
        SELECT id, file_name, header, layout, state, total, processed, imported, duplicates, refused, created_by, created_at, finished_at
        FROM import WHERE id = $1
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


async def find_past_invoices(conn: Connection, rows: Sequence[Row]) -> dict[tuple[str, str], Known]:
    """Those of the documents of these rows that were taken over before, by system and number."""
    found = await conn.fetch(
        """
        SELECT p.system, p.number, i.id, i.gross, i.currency, i.issued_on, i.due_on
        FROM unnest($1::text[], $2::text[]) AS told (system, number)
        JOIN past_invoice p ON p.system = told.system AND p.number = told.number JOIN invoice i ON i.id = p.invoice_id
        """,
        [row.system for row in rows],
        [row.number for row in rows],
    )
    return {
        (each["system"], each["number"]): Known(
            each["id"], Money.of(each["gross"], each["currency"]), each["issued_on"], each["due_on"]
        )
        for each in found
    }


async def insert_past_invoice(conn: Connection, row: Row, invoice_id: UUID, import_id: UUID) -> None:
    await conn.execute(
        "INSERT INTO past_invoice (system, number, invoice_id, customer, disputed, import_id) VALUES ($1, $2, $3, $4, $5, $6)",
        *(row.system, row.number, invoice_id, row.customer, row.disputed, import_id),
    )


def _import(row: Any) -> Import:
    kept = row["layout"]
    layout = Layout(kept["columns"], kept["values"], kept["defaults"], frozenset(kept["nulls"]), kept["dates"])
    return Import(**{**dict(row), "layout": layout})
