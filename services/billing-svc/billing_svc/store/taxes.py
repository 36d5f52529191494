"""SQL of rates of tax, and of what documents say of tax in a month."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection


async def get_tax_rate(conn: Connection, country: str, class_: str, on: date) -> Decimal | None:
    """The last rate on or before a day; of several for a day the one that was entered last."""
    rate: Decimal | None = await conn.fetchval(
        """
        SELECT rate FROM tax_rate WHERE country = $1 AND class = $2 AND valid_from <= $3 ORDER BY valid_from DESC, id DESC LIMIT 1
        """,
        *(country, class_, on),
    )
    return rate


async def insert_tax_rate(
    conn: Connection,
    rate_id: UUID,
    *,
    country: str,
    class_: str,
    valid_from: date,
    rate: Decimal,
    source: str,
    by: str,
    now: datetime,
) -> None:
    await conn.execute(
        """
        INSERT INTO tax_rate (id, country, class, valid_from, rate, source, made_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(rate_id, country, class_, valid_from, rate, source, by, now),
    )


async def list_tax_rates(conn: Connection, *, country: str | None, after: UUID | None, limit: int) -> list[Any]:
    """In the order in which they were entered."""
    return await conn.fetch(
        """
        SELECT id, country, class, valid_from, rate, source, made_by, created_at FROM tax_rate
        WHERE ($1::text IS NULL OR country = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(country, after, limit),
    )


async def tax_report_view(conn: Connection, month: date) -> list[Any]:
    """Base and tax of documents that count for a month, credit notes and void documents deducted."""
    return await conn.fetch(
        """
        SELECT m.country, t.category, t.rate, m.currency, sum(m.sign * (t.base->>'amount')::numeric) AS base,
               sum(m.sign * (t.tax->>'amount')::numeric) AS tax
        FROM tax_movement m CROSS JOIN LATERAL jsonb_to_recordset(m.taxes) AS t (category text, rate numeric, base jsonb, tax jsonb)
        WHERE m.counts_on >= $1 AND m.counts_on < ($1::date + interval '1 month')
        GROUP BY m.country, t.category, t.rate, m.currency ORDER BY m.currency, m.country, t.category, t.rate
        """,
        month,
    )


async def tax_account_view(conn: Connection, month: date) -> list[Any]:
    """Per currency: what the account of tax owes for a month, of it what was given back on bad debts, and what was booked by hand."""
    return await conn.fetch(
        """
        SELECT l.currency, sum(l.credit - l.debit) AS ledger,
               coalesce(sum(l.debit - l.credit) FILTER (WHERE e.kind IN ('write_off', 'recovery')), 0) AS relief,
               coalesce(sum(l.credit - l.debit) FILTER (WHERE e.kind IN ('manual', 'reversal')), 0) AS by_hand
        FROM ledger_entry e JOIN ledger_line l ON l.entry_id = e.id
        WHERE l.account = 'tax' AND e.occurred_on >= $1 AND e.occurred_on < ($1::date + interval '1 month')
        GROUP BY l.currency ORDER BY l.currency
        """,
        month,
    )
