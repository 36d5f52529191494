"""SQL of what entries and documents are worth in the reporting currency."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money, minor_units

from billing_svc.domain.exchange_rate import Reporting
from billing_svc.domain.ledger import Posting
from billing_svc.domain.valuation import Kept, Value
from billing_svc.store.exchange_rates import Found


async def get_frozen_rate(conn: Connection, document_id: UUID) -> Decimal | None:
    rate: Decimal | None = await conn.fetchval("SELECT rate FROM document_rate WHERE document_id = $1", document_id)
    return rate


async def insert_frozen_rate(
    conn: Connection, document_id: UUID, kind: Literal["invoice", "payment"], currency: str, reporting: Reporting, found: Found
) -> None:
    await conn.execute(
        """
        INSERT INTO document_rate (document_id, kind, currency, reporting, places, rate, source, valid_on)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(document_id, kind, currency, reporting.currency, minor_units(reporting.currency), found.rate, reporting.source),
        found.valid_on,
    )


async def get_kept(conn: Connection, account: str, *, invoice_id: UUID | None, payment_id: UUID | None) -> Kept:
    """The balance of an account by its document (one of the two), and at what it is carried; the document is locked."""
    row = await conn.fetchrow(
        """
        WITH mine AS (SELECT id FROM ledger_entry WHERE invoice_id = $2 OR payment_id = $3)
        SELECT coalesce((SELECT sum(l.debit - l.credit) FROM mine JOIN ledger_line l ON l.entry_id = mine.id
                         WHERE l.account = $1), 0) AS balance,
               coalesce((SELECT sum(v.debit - v.credit) FROM mine JOIN ledger_value v ON v.entry_id = mine.id
                         WHERE v.account = $1), 0) AS carried
        """,
        *(account, invoice_id, payment_id),
    )
    assert row is not None
    return Kept(row["balance"], row["carried"])


async def insert_valuation(conn: Connection, entry_id: UUID, currency: str, values: Sequence[Value]) -> None:
    """The database refuses at commit what does not balance."""
    await conn.execute(
        "INSERT INTO ledger_valuation (entry_id, currency, lines) VALUES ($1, $2, $3)", *(entry_id, currency, len(values))
    )
    await conn.execute(
        """
        INSERT INTO ledger_value (entry_id, position, account, currency, debit, credit, rate)
        SELECT $1, position, account, $2, debit, credit, rate
        FROM unnest($3::text[], $4::numeric[], $5::numeric[], $6::numeric[]) WITH ORDINALITY AS v (account, debit, credit, rate, position)
        """,
        *(entry_id, currency, [each.posting.account for each in values]),
        *([each.posting.debit.amount for each in values], [each.posting.credit.amount for each in values]),
        [each.rate for each in values],
    )


async def list_values(conn: Connection, entry_id: UUID) -> list[Value] | None:
    """None for an entry that has none of its own."""
    if not await conn.fetchval("SELECT EXISTS (SELECT 1 FROM ledger_valuation WHERE entry_id = $1)", entry_id):
        return None
    rows = await conn.fetch(
        "SELECT account, currency, debit, credit, rate FROM ledger_value WHERE entry_id = $1 ORDER BY position", entry_id
    )
    return [
        Value(
            Posting(row["account"], Money.of(row["debit"], row["currency"]), Money.of(row["credit"], row["currency"])),
            row["rate"],
        )
        for row in rows
    ]


async def reporting_balance_view(conn: Connection, currency: str, as_of: date) -> list[Any]:
    """Per account, of everything booked up to and including a day: lines in the reporting currency, and values of all others."""
    return await conn.fetch(
        """
        SELECT account, sum(debit) AS debit, sum(credit) AS credit
        FROM (SELECT entry_id, account, debit, credit FROM ledger_line WHERE currency = $1
              UNION ALL SELECT entry_id, account, debit, credit FROM ledger_value WHERE currency = $1) l
        JOIN ledger_entry e ON e.id = l.entry_id WHERE e.booked_on <= $2 GROUP BY account ORDER BY account
        """,
        *(currency, as_of),
    )


async def carrying_view(conn: Connection, invoice_id: UUID) -> Any:
    """An invoice in another currency, with its rate and what was realised of it. Raises `NotFound`."""
    row = await conn.fetchrow(
        """
        SELECT i.id, i.number, r.currency, r.reporting, r.rate, r.source, r.valid_on, c.kept AS carried,
               CASE WHEN i.state = 'void' THEN 0 ELSE i.gross - i.paid - i.credited - i.written_off END AS open,
               coalesce((SELECT sum(v.credit - v.debit) FROM ledger_entry e JOIN ledger_value v ON v.entry_id = e.id
                         WHERE e.invoice_id = i.id AND v.account IN ('fx_gain', 'fx_loss')), 0) AS realised
        FROM document_rate r JOIN invoice i ON i.id = r.document_id JOIN carried_amount c ON c.id = i.id WHERE i.id = $1
        """,
        invoice_id,
    )
    if row is None:
        raise NotFound(f"no invoice {invoice_id} in another currency than the books")
    return row


async def export_values_view(conn: Connection, export_id: UUID) -> list[Any]:
    """The values of what is in an export of the journal, by the position of the entry."""
    return await conn.fetch(
        """
        SELECT x.position, v.entry_id, e.booked_on, v.position AS line, v.account, v.currency, v.debit, v.credit, v.rate
        FROM journal_export_entry x JOIN ledger_value v ON v.entry_id = x.entry_id JOIN ledger_entry e ON e.id = x.entry_id
        WHERE x.export_id = $1 ORDER BY x.position, v.position
        """,
        export_id,
    )
