"""SQL of what is read about receivables: by customer, from the ledger, as of any day. Nothing here writes."""

from datetime import date
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

# Of each payer so many of the latest invoices tell how they pay.
_REMEMBERED = 50


async def list_customer_ageing_view(
    conn: Connection, as_of: date, *, customer_id: UUID | None, after: UUID | None, limit: int
) -> list[Any]:
    """What each customer owed at the end of a day, by days overdue then; one row per customer and currency, of `limit` customers."""
    return await conn.fetch(
        """
        WITH owed AS (
            SELECT (i.customer->>'customer_id')::uuid AS customer_id, i.id, i.currency, i.due_on,
                   sum(l.debit - l.credit) AS open
            FROM invoice i JOIN ledger_entry e ON e.invoice_id = i.id JOIN ledger_line l ON l.entry_id = e.id
            WHERE l.account = 'receivable' AND e.booked_on <= $1
              AND ($2::uuid IS NULL OR i.customer->>'customer_id' = $2::uuid::text)
            GROUP BY i.id HAVING sum(l.debit - l.credit) <> 0),
        parts AS (
            SELECT o.customer_id, o.id, o.currency, $1::date - coalesce(d.due_on, o.due_on) AS days,
                   CASE WHEN d.invoice_id IS NULL THEN o.open ELSE least(d.amount, greatest(o.open - d.later, 0)) END AS open
            FROM owed o LEFT JOIN due_parts($1) d ON d.invoice_id = o.id AND o.open > 0),
        page AS (SELECT DISTINCT customer_id FROM owed WHERE $3::uuid IS NULL OR customer_id > $3 ORDER BY customer_id LIMIT $4)
        SELECT o.customer_id, o.currency, count(DISTINCT o.id) AS invoices, sum(o.open) AS outstanding,
               coalesce(sum(o.open) FILTER (WHERE o.days <= 0), 0) AS not_due,
               coalesce(sum(o.open) FILTER (WHERE o.days BETWEEN 1 AND 30), 0) AS days_1_30,
               coalesce(sum(o.open) FILTER (WHERE o.days BETWEEN 31 AND 60), 0) AS days_31_60,
               coalesce(sum(o.open) FILTER (WHERE o.days BETWEEN 61 AND 90), 0) AS days_61_90,
               coalesce(sum(o.open) FILTER (WHERE o.days >= 91), 0) AS days_91_more
        FROM parts o JOIN page p ON p.customer_id = o.customer_id GROUP BY 1, 2 ORDER BY 1, 2
        """,
        *(as_of, customer_id, after, limit),
    )


async def get_customer_view(conn: Connection, customer_id: UUID) -> Any:
    """What the customer was called on their latest invoice; None when there is none."""
    return await conn.fetchval(
        "SELECT customer FROM invoice WHERE customer->>'customer_id' = $1::uuid::text ORDER BY id DESC LIMIT 1", customer_id
    )


async def opening_view(conn: Connection, customer_id: UUID, begin: date) -> list[Any]:
    """What a customer owed before a day, per currency of everything they ever owed."""
    return await conn.fetch(
        """
        SELECT l.currency, coalesce(sum(l.debit - l.credit) FILTER (WHERE e.booked_on < $2), 0) AS opening
        FROM invoice i JOIN ledger_entry e ON e.invoice_id = i.id JOIN ledger_line l ON l.entry_id = e.id
        WHERE l.account = 'receivable' AND i.customer->>'customer_id' = $1::uuid::text GROUP BY 1 ORDER BY 1
        """,
        customer_id,
        begin,
    )


async def list_movements_view(conn: Connection, customer_id: UUID, begin: date, end: date, limit: int) -> list[Any]:
    """Everything booked on a customer's receivables from one day to another, both included, by day."""
    return await conn.fetch(
        """
        SELECT e.booked_on AS day, e.kind, coalesce(c.number, i.number) AS number, p.reference,
               CASE WHEN e.kind = 'invoice' THEN i.due_on END AS due_on, l.currency, sum(l.debit - l.credit) AS amount, i.id AS invoice_id
        FROM invoice i JOIN ledger_entry e ON e.invoice_id = i.id JOIN ledger_line l ON l.entry_id = e.id
        LEFT JOIN credit_note c ON c.id = e.credit_id LEFT JOIN payment p ON p.id = e.payment_id
        WHERE l.account = 'receivable' AND i.customer->>'customer_id' = $1::uuid::text AND e.booked_on BETWEEN $2 AND $3
        GROUP BY e.id, l.currency, i.id, c.number, p.reference ORDER BY e.booked_on, e.id LIMIT $4
        """,
        *(customer_id, begin, end, limit),
    )


async def list_open_view(conn: Connection, as_of: date, customer_id: UUID | None) -> list[Any]:
    """Every invoice (of one paid in instalments, each of them) that was open at the end of a day, with how much of it."""
    return await conn.fetch(
        """
        WITH owed AS (
            SELECT i.id, i.number, (i.customer->>'customer_id')::uuid AS customer_id, i.due_on, i.currency,
                   sum(l.debit - l.credit) AS open
            FROM invoice i JOIN ledger_entry e ON e.invoice_id = i.id JOIN ledger_line l ON l.entry_id = e.id
            WHERE l.account = 'receivable' AND e.booked_on <= $1 AND ($2::uuid IS NULL OR i.customer->>'customer_id' = $2::uuid::text)
            GROUP BY i.id HAVING sum(l.debit - l.credit) > 0)
        SELECT o.id AS invoice_id, o.number, o.customer_id, coalesce(d.due_on, o.due_on) AS due_on, o.currency,
               CASE WHEN d.invoice_id IS NULL THEN o.open ELSE least(d.amount, o.open - d.later) END AS open
        FROM owed o LEFT JOIN due_parts($1) d ON d.invoice_id = o.id
        WHERE d.invoice_id IS NULL OR o.open > d.later ORDER BY 4, o.id
        """,
        as_of,
        customer_id,
    )


async def list_lateness_view(conn: Connection, as_of: date) -> list[Any]:
    """How late each payer paid the latest of their invoices that were paid by then; what was only credited tells nothing."""
    return await conn.fetch(
        """
        SELECT customer_id, lateness FROM (
            SELECT (customer->>'customer_id')::uuid AS customer_id, settled_on - due_on AS lateness,
                   row_number() OVER (PARTITION BY customer->>'customer_id' ORDER BY settled_on DESC, id DESC) AS latest
            FROM invoice WHERE settled_on <= $1 AND paid > 0) AS paid
        WHERE latest <= $2
        """,
        as_of,
        _REMEMBERED,
    )
