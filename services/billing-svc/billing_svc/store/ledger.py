"""SQL of the ledger, and of what is read from dated facts: trial balance and ageing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from billing_svc.domain.ledger import Entry, Posting
from billing_svc.domain.manual_entry import Booked


@dataclass(frozen=True, slots=True)
class Origin:
    """What an entry comes from: a document or payment, or the accountant who made it and why."""

    flow_id: UUID | None = None
    invoice_id: UUID | None = None
    payment_id: UUID | None = None
    credit_id: UUID | None = None
    made_by: str | None = None
    reason: str | None = None
    reverses: UUID | None = None


async def insert_bookings(conn: Connection, booked: Sequence[tuple[UUID, Entry, Origin]], now: datetime) -> None:
    """Double entries with their lines, by their ids; the database refuses at commit what does not balance.

    What the program books counts for its day and is in the books of the first open one; what is made by hand was told where it goes.
    """
    lines = [(entry_id, position, posting) for entry_id, entry, _ in booked for position, posting in enumerate(entry.postings, 1)]
    await conn.execute(
        """
        WITH told AS (
            SELECT t.id, t.day, t.kind, t.flow_id, t.invoice_id, t.payment_id, t.credit_id, t.made_by, t.reason, t.reverses, t.lines
            FROM unnest($1::uuid[], $2::date[], $3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
                        $10::uuid[], $11::int[])
                 AS t (id, day, kind, flow_id, invoice_id, payment_id, credit_id, made_by, reason, reverses, lines)),
        opened AS MATERIALIZED (
            SELECT d.day, first_open_day(d.day) AS open FROM (SELECT DISTINCT day FROM told WHERE made_by IS NULL) AS d),
        head AS (
            INSERT INTO ledger_entry (id, booked_on, occurred_on, kind, flow_id, invoice_id, payment_id, credit_id, created_at, made_by,
                                      reason, reverses, lines)
            SELECT t.id, CASE WHEN t.made_by IS NULL THEN o.open ELSE t.day END, t.day, t.kind, t.flow_id, t.invoice_id, t.payment_id,
                   t.credit_id, $12, t.made_by, t.reason, t.reverses, t.lines
            FROM told t LEFT JOIN opened o ON o.day = t.day)
        INSERT INTO ledger_line (entry_id, position, account, currency, debit, credit)
        SELECT line.entry_id, line.position, line.account, line.currency, line.debit, line.credit
        FROM unnest($13::uuid[], $14::int[], $15::text[], $16::text[], $17::numeric[], $18::numeric[])
             AS line (entry_id, position, account, currency, debit, credit)
        """,
        *([each[0] for each in booked], [entry.booked_on for _, entry, _ in booked], [entry.kind for _, entry, _ in booked]),
        *([of.flow_id for *_, of in booked], [of.invoice_id for *_, of in booked], [of.payment_id for *_, of in booked]),
        *([of.credit_id for *_, of in booked], [of.made_by for *_, of in booked], [of.reason for *_, of in booked]),
        *([of.reverses for *_, of in booked], [len(entry.postings) for _, entry, _ in booked], now),
        *([entry_id for entry_id, _, _ in lines], [position for _, position, _ in lines]),
        [posting.account for *_, posting in lines],
        [posting.debit.currency for *_, posting in lines],
        [posting.debit.amount for *_, posting in lines],
        [posting.credit.amount for *_, posting in lines],
    )


async def get_booked_for_update(conn: Connection, entry_id: UUID) -> Booked:
    """An entry with what a reversal needs; locked, so that two who reverse it wait for each other. Raises `NotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, kind, booked_on FROM ledger_entry WHERE id = $1 FOR UPDATE
        """,
        entry_id,
    )
    if row is None:
        raise NotFound(f"no entry {entry_id}")
    lines = await conn.fetch(
        "SELECT account, currency, debit, credit FROM ledger_line WHERE entry_id = $1 ORDER BY position", entry_id
    )
    postings = tuple(
        Posting(line["account"], Money.of(line["debit"], line["currency"]), Money.of(line["credit"], line["currency"]))
        for line in lines
    )
    # Whoever waited for the lock must see what the other one did.
    reversed_by = await conn.fetchval("SELECT id FROM ledger_entry WHERE reverses = $1", entry_id)
    return Booked(row["id"], row["kind"], row["booked_on"], postings, reversed_by)


async def trial_balance_view(conn: Connection, as_of: date) -> list[Any]:
    """Per currency and account, of everything booked up to and including a day."""
    return await conn.fetch(
        """
        SELECT l.account, l.currency, sum(l.debit) AS debit, sum(l.credit) AS credit
        FROM ledger_line l JOIN ledger_entry e ON e.id = l.entry_id WHERE e.booked_on <= $1
        GROUP BY l.account, l.currency ORDER BY l.currency, l.account
        """,
        as_of,
    )


async def list_entries(
    conn: Connection,
    *,
    flow_id: UUID | None,
    invoice_id: UUID | None,
    payment_id: UUID | None,
    kind: str | None,
    after: UUID | None,
    limit: int,
) -> list[Any]:
    """In the order in which they were written."""
    return await conn.fetch(
        """
        SELECT e.id, e.booked_on, e.occurred_on, e.kind, e.flow_id, e.invoice_id, e.payment_id, e.credit_id, e.created_at,
               e.made_by, e.reason, e.reverses, (SELECT r.id FROM ledger_entry r WHERE r.reverses = e.id) AS reversed_by,
               (SELECT jsonb_agg(jsonb_build_object('account', l.account, 'currency', l.currency, 'debit', l.debit::text,
                                                    'credit', l.credit::text) ORDER BY l.position)
                FROM ledger_line l WHERE l.entry_id = e.id) AS lines
        FROM ledger_entry e
        WHERE ($1::uuid IS NULL OR e.flow_id = $1) AND ($2::uuid IS NULL OR e.invoice_id = $2)
          AND ($3::uuid IS NULL OR e.payment_id = $3) AND ($4::text IS NULL OR e.kind = $4) AND ($5::uuid IS NULL OR e.id > $5)
        ORDER BY e.id LIMIT $6
        """,
        *(flow_id, invoice_id, payment_id, kind, after, limit),
    )


async def entry_view(conn: Connection, entry_id: UUID) -> Any:
    """One entry, as `list_entries` tells it. Raises `NotFound`."""
    row = await conn.fetchrow(
        """
        SELECT e.id, e.booked_on, e.occurred_on, e.kind, e.flow_id, e.invoice_id, e.payment_id, e.credit_id, e.created_at,
               e.made_by, e.reason, e.reverses, (SELECT r.id FROM ledger_entry r WHERE r.reverses = e.id) AS reversed_by,
               (SELECT jsonb_agg(jsonb_build_object('account', l.account, 'currency', l.currency, 'debit', l.debit::text,
                                                    'credit', l.credit::text) ORDER BY l.position)
                FROM ledger_line l WHERE l.entry_id = e.id) AS lines
        FROM ledger_entry e WHERE e.id = $1
        """,
        entry_id,
    )
    if row is None:
        raise NotFound(f"no entry {entry_id}")
    return row


async def is_open_day(conn: Connection, day: date) -> bool:
    """Whether the month of a day takes bookings; it stays so until this transaction ends."""
    found: bool = await conn.fetchval("SELECT first_open_day($1) = $1", day)
    return found


async def ageing_view(conn: Connection, as_of: date) -> list[Any]:
    """Open at the end of a day, by days overdue then, each instalment by its own. From dated facts: settled on day D means open before D."""
    return await conn.fetch(
        """
        WITH owed AS (
            SELECT i.id, i.currency, i.due_on,
                   i.gross - coalesce((SELECT sum(a.amount) FROM allocation a
                                       WHERE a.invoice_id = i.id AND a.allocated_on <= $1), 0)
                           - coalesce((SELECT sum(c.gross) FROM credit_note c
                                       WHERE c.invoice_id = i.id AND c.credited_on <= $1), 0)
                           - coalesce((SELECT sum(w.amount) FROM write_off_movement w
                                       WHERE w.invoice_id = i.id AND w.booked_on <= $1), 0) AS open
            FROM invoice i WHERE i.issued_on <= $1 AND (i.state = 'final' OR i.voided_on > $1)),
        parts AS (
            SELECT o.id, o.currency, $1::date - coalesce(d.due_on, o.due_on) AS days,
                   CASE WHEN d.invoice_id IS NULL THEN o.open ELSE least(d.amount, greatest(o.open - d.later, 0)) END AS open
            FROM owed o LEFT JOIN due_parts($1) d ON d.invoice_id = o.id WHERE o.open > 0)
        SELECT currency, count(DISTINCT id) AS invoices, sum(open) AS outstanding,
               coalesce(sum(open) FILTER (WHERE days <= 0), 0) AS not_due,
               coalesce(sum(open) FILTER (WHERE days BETWEEN 1 AND 30), 0) AS days_1_30,
               coalesce(sum(open) FILTER (WHERE days BETWEEN 31 AND 60), 0) AS days_31_60,
               coalesce(sum(open) FILTER (WHERE days BETWEEN 61 AND 90), 0) AS days_61_90,
               coalesce(sum(open) FILTER (WHERE days >= 91), 0) AS days_91_more
        FROM parts GROUP BY currency ORDER BY currency
        """,
        as_of,
    )
