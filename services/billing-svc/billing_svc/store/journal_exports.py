"""SQL of journal exports."""

from collections.abc import Sequence
from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from billing_svc.domain.journal_export import DaySum, JournalExport


async def list_unexported(conn: Connection, month: date, limit: int) -> list[UUID]:
    """What is booked in a month and in no export, in the order of days."""
    rows = await conn.fetch(
        """
        SELECT e.id FROM ledger_entry e
        WHERE e.booked_on >= $1 AND e.booked_on < ($1::date + interval '1 month')
          AND NOT EXISTS (SELECT 1 FROM journal_export_entry x WHERE x.entry_id = e.id)
        ORDER BY e.booked_on, e.id LIMIT $2
        """,
        *(month, limit),
    )
    return [row["id"] for row in rows]


async def insert_export(conn: Connection, x: JournalExport, entries: Sequence[UUID]) -> None:
    """The export, and its entries numbered from 1."""
    await conn.execute(
        """
        INSERT INTO journal_export (id, number, month, country, entries, made_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(x.id, x.number, x.month, x.country, x.entries, x.made_by, x.created_at),
    )
    await conn.execute(
        """
        INSERT INTO journal_export_entry (export_id, position, entry_id)
        SELECT $1, position, id FROM unnest($2::uuid[]) WITH ORDINALITY AS entry (id, position)
        """,
        *(x.id, list(entries)),
    )


async def sum_export(conn: Connection, x: JournalExport) -> list[DaySum]:
    """In the order of days, currencies and accounts; accounts as they were named when it was made."""
    rows = await conn.fetch(
        """
        WITH sums AS (
            SELECT e.booked_on, l.currency, l.account, sum(l.debit) AS debit, sum(l.credit) AS credit, count(DISTINCT e.id) AS entries
            FROM journal_export_entry x JOIN ledger_entry e ON e.id = x.entry_id JOIN ledger_line l ON l.entry_id = e.id
            WHERE x.export_id = $1 GROUP BY e.booked_on, l.currency, l.account)
        SELECT s.booked_on, s.currency, s.account, coalesce(n.number, s.account) AS number, coalesce(n.name, s.account) AS name, s.debit,
               s.credit, s.entries
        FROM sums s LEFT JOIN LATERAL (
            SELECT number, name FROM account_name
            WHERE account = s.account AND valid_from <= s.booked_on AND created_at <= $3 AND (country IS NULL OR country = $2)
            ORDER BY country NULLS LAST, valid_from DESC, seq DESC LIMIT 1) n ON true
        ORDER BY s.booked_on, s.currency, s.account
        """,
        *(x.id, x.country, x.created_at),
    )
    return [DaySum(**dict(row)) for row in rows]


async def export_lines_view(conn: Connection, x: JournalExport) -> list[Any]:
    """Every line of an export, the same whenever it is asked: accounts as they were named when it was made."""
    return await conn.fetch(
        """
        SELECT x.position, e.id AS entry_id, e.booked_on, e.occurred_on, e.kind,
               coalesce(c.number, i.number, p.id::text, '') AS document, l.position AS line, l.account,
               coalesce(n.number, l.account) AS account_number, coalesce(n.name, l.account) AS account_name, l.currency, l.debit, l.credit,
               coalesce(e.reason, '') AS reason, coalesce(e.made_by, '') AS made_by
        FROM journal_export_entry x JOIN ledger_entry e ON e.id = x.entry_id JOIN ledger_line l ON l.entry_id = e.id
        LEFT JOIN credit_note c ON c.id = e.credit_id LEFT JOIN invoice i ON i.id = e.invoice_id LEFT JOIN payment p ON p.id = e.payment_id
        LEFT JOIN LATERAL (
            SELECT number, name FROM account_name
            WHERE account = l.account AND valid_from <= e.booked_on AND created_at <= $3 AND (country IS NULL OR country = $2)
            ORDER BY country NULLS LAST, valid_from DESC, seq DESC LIMIT 1) n ON true
        WHERE x.export_id = $1 ORDER BY x.position, l.position
        """,
        *(x.id, x.country, x.created_at),
    )


async def get_export(conn: Connection, export_id: UUID) -> JournalExport:
    row = await conn.fetchrow(
        "SELECT id, number, month, country, entries, made_by, created_at FROM journal_export WHERE id = $1", export_id
    )
    if row is None:
        raise NotFound(f"no export {export_id}")
    return JournalExport(**dict(row))


async def list_exports(conn: Connection, *, month: date | None, after: UUID | None, limit: int) -> list[JournalExport]:
    """In the order in which they were made."""
    rows = await conn.fetch(
        """
        SELECT id, number, month, country, entries, made_by, created_at FROM journal_export
        WHERE ($1::date IS NULL OR month = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(month, after, limit),
    )
    return [JournalExport(**dict(row)) for row in rows]


async def count_unexported(conn: Connection, month: date) -> int:
    """What is booked in a month and in no export."""
    many: int = await conn.fetchval(
        """
        SELECT count(*) FROM ledger_entry e
        WHERE e.booked_on >= $1 AND e.booked_on < ($1::date + interval '1 month')
          AND NOT EXISTS (SELECT 1 FROM journal_export_entry x WHERE x.entry_id = e.id)
        """,
        month,
    )
    return many
