"""Every SQL statement of billing-svc."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer, Line, TaxSubtotal
from ltc_contracts.money import Money

from billing_svc.domain import Allocation, Invoice, Kind, Payment, Posting


async def next_number(conn: Connection, series: str) -> int:
    """The next number; the series' row stays locked until the transaction ends, so a rollback leaves no gap."""
    number: int = await conn.fetchval(
        """
        INSERT INTO number_series (name, last) VALUES ($1, 1)
        ON CONFLICT (name) DO UPDATE SET last = number_series.last + 1 RETURNING last
        """,
        series,
    )
    return number


async def give_number_back(conn: Connection, series: str) -> None:
    """Under the lock that `next_number` took."""
    await conn.execute("UPDATE number_series SET last = last - 1 WHERE name = $1", series)


async def invoice_exists(conn: Connection, delivery_id: UUID) -> bool:
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM invoice WHERE delivery_id = $1)", delivery_id)
    return found


async def insert_invoice(conn: Connection, i: Invoice) -> None:
    await conn.execute(
        """
        INSERT INTO invoice (id, flow_id, number, state, order_id, delivery_id, customer, lines, taxes, currency, net, tax, gross,
                             issued_on, due_on, paid_on, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        """,
        *(i.id, i.flow_id, i.number, i.state, i.order_id, i.delivery_id, i.customer.model_dump(mode="json")),
        *([line.model_dump(mode="json") for line in i.lines], [tax.model_dump(mode="json") for tax in i.taxes]),
        *(i.gross.currency, i.net.amount, i.tax.amount, i.gross.amount, i.issued_on, i.due_on, i.paid_on),
        *(i.version, i.created_at, i.updated_at),
    )


async def save_invoice(conn: Connection, i: Invoice) -> None:
    """What is paid and overdue; the document itself never changes."""
    await conn.execute(
        "UPDATE invoice SET paid = $2, paid_on = $3, overdue_since = $4, version = $5, updated_at = $6 WHERE id = $1",
        *(i.id, i.paid.amount, i.paid_on, i.overdue_since, i.version, i.updated_at),
    )


async def get_invoice(conn: Connection, invoice_id: UUID) -> Invoice:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, customer, lines, taxes, currency, net, tax, gross, issued_on, due_on,
               paid, paid_on, overdue_since, version, created_at, updated_at
        FROM invoice WHERE id = $1
        """,
        invoice_id,
    )
    if row is None:
        raise NotFound(f"no invoice {invoice_id}")
    return _invoice(row)


async def find_invoice_id(conn: Connection, number: str) -> UUID | None:
    found: UUID | None = await conn.fetchval("SELECT id FROM invoice WHERE number = $1", number)
    return found


async def is_open(conn: Connection, number: str, currency: str) -> bool:
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM invoice WHERE number = $1 AND currency = $2 AND paid < gross)", number, currency
    )
    return found


async def list_invoices_for_update(conn: Connection, ids: Sequence[UUID]) -> list[Invoice]:
    """Locked in the order of ids, so that two payments never wait for each other."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, customer, lines, taxes, currency, net, tax, gross, issued_on, due_on,
               paid, paid_on, overdue_since, version, created_at, updated_at
        FROM invoice WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
        """,
        list(ids),
    )
    return [_invoice(row) for row in rows]


async def list_newly_overdue_for_update(conn: Connection, today: date, limit: int) -> list[Invoice]:
    """Those whose due day has passed and that were not called overdue yet; skips what another replica works on."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, customer, lines, taxes, currency, net, tax, gross, issued_on, due_on,
               paid, paid_on, overdue_since, version, created_at, updated_at
        FROM invoice WHERE due_on < $1 AND paid < gross AND overdue_since IS NULL ORDER BY due_on LIMIT $2 FOR UPDATE SKIP LOCKED
        """,
        today,
        limit,
    )
    return [_invoice(row) for row in rows]


async def list_invoices(
    conn: Connection,
    *,
    flow_id: UUID | None,
    number: str | None,
    order_id: UUID | None,
    payment_state: str | None,
    overdue: bool | None,
    today: date,
    after: UUID | None,
    limit: int,
) -> list[Invoice]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, customer, lines, taxes, currency, net, tax, gross, issued_on, due_on,
               paid, paid_on, overdue_since, version, created_at, updated_at
        FROM invoice
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::text IS NULL OR number = $2) AND ($3::uuid IS NULL OR order_id = $3)
          AND ($4::text IS NULL OR $4 = CASE WHEN paid = gross THEN 'paid' WHEN paid > 0 THEN 'partial' ELSE 'open' END)
          AND ($5::boolean IS NULL OR $5 = (paid < gross AND due_on < $6)) AND ($7::uuid IS NULL OR id > $7)
        ORDER BY id LIMIT $8
        """,
        *(flow_id, number, order_id, payment_state, overdue, today, after, limit),
    )
    return [_invoice(row) for row in rows]


async def insert_payment(conn: Connection, p: Payment) -> None:
    await conn.execute(
        """
        INSERT INTO payment (id, currency, amount, applied, unapplied, method, reference, received_on, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(p.id, p.amount.currency, p.amount.amount, p.applied.amount, p.unapplied.amount, p.method, p.reference),
        *(p.received_on, p.version, p.created_at, p.updated_at),
    )


async def save_payment(conn: Connection, p: Payment) -> None:
    await conn.execute(
        "UPDATE payment SET applied = $2, unapplied = $3, version = $4, updated_at = $5 WHERE id = $1",
        *(p.id, p.applied.amount, p.unapplied.amount, p.version, p.updated_at),
    )


async def get_payment(conn: Connection, payment_id: UUID) -> Payment:
    row = await conn.fetchrow(
        """
        SELECT id, currency, amount, applied, method, reference, received_on, version, created_at, updated_at
        FROM payment WHERE id = $1
        """,
        payment_id,
    )
    if row is None:
        raise NotFound(f"no payment {payment_id}")
    return _payment(row)


async def get_payment_for_update(conn: Connection, payment_id: UUID) -> Payment:
    await conn.execute("SELECT 1 FROM payment WHERE id = $1 FOR UPDATE", payment_id)
    return await get_payment(conn, payment_id)


async def list_payments(conn: Connection, *, after: UUID | None, limit: int) -> list[Payment]:
    rows = await conn.fetch(
        """
        SELECT id, currency, amount, applied, method, reference, received_on, version, created_at, updated_at
        FROM payment WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        after,
        limit,
    )
    return [_payment(row) for row in rows]


async def insert_allocation(
    conn: Connection, allocation_id: UUID, payment: Payment, invoice: Invoice, part: Money, now: datetime
) -> None:
    # Cash counts on the day it was received, also when a person applies it later.
    await conn.execute(
        "INSERT INTO allocation (id, payment_id, invoice_id, amount, allocated_on, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(allocation_id, payment.id, invoice.id, part.amount, payment.received_on, now),
    )


async def list_allocations(conn: Connection, payment_id: UUID) -> list[Allocation]:
    rows = await conn.fetch(
        """
        SELECT a.payment_id, a.invoice_id, i.number, a.amount, i.currency
        FROM allocation a JOIN invoice i ON i.id = a.invoice_id WHERE a.payment_id = $1 ORDER BY a.id
        """,
        payment_id,
    )
    return [
        Allocation(row["payment_id"], row["invoice_id"], row["number"], Money.of(row["amount"], row["currency"])) for row in rows
    ]


async def insert_entry(
    conn: Connection,
    entry_id: UUID,
    kind: Kind,
    postings: Sequence[Posting],
    now: datetime,
    *,
    flow_id: UUID | None = None,
    invoice_id: UUID | None = None,
    payment_id: UUID | None = None,
) -> None:
    """A double entry; the database refuses at commit what does not balance."""
    if not postings:
        return
    await conn.execute(
        """
        INSERT INTO ledger_entry (id, booked_on, kind, flow_id, invoice_id, payment_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(entry_id, now.date(), kind, flow_id, invoice_id, payment_id, now),
    )
    await conn.executemany(
        "INSERT INTO ledger_line (entry_id, position, account, currency, debit, credit) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (entry_id, number, each.account, each.debit.currency, each.debit.amount, each.credit.amount)
            for number, each in enumerate(postings)
        ],
    )


async def trial_balance_view(conn: Connection, as_of: date) -> list[Any]:
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
    after: UUID | None,
    limit: int,
) -> list[Any]:
    return await conn.fetch(
        """
        SELECT e.id, e.booked_on, e.kind, e.flow_id, e.invoice_id, e.payment_id,
               (SELECT jsonb_agg(jsonb_build_object('account', l.account, 'currency', l.currency, 'debit', l.debit::text,
                                                    'credit', l.credit::text) ORDER BY l.position)
                FROM ledger_line l WHERE l.entry_id = e.id) AS lines
        FROM ledger_entry e
        WHERE ($1::uuid IS NULL OR e.flow_id = $1) AND ($2::uuid IS NULL OR e.invoice_id = $2)
          AND ($3::uuid IS NULL OR e.payment_id = $3) AND ($4::uuid IS NULL OR e.id > $4)
        ORDER BY e.id LIMIT $5
        """,
        *(flow_id, invoice_id, payment_id, after, limit),
    )


async def ageing_view(conn: Connection, as_of: date) -> list[Any]:
    """What was open on a day, by days overdue then. From dated facts: an invoice settled on day D is open before D."""
    return await conn.fetch(
        """
        WITH owed AS (
            SELECT i.currency, $1::date - i.due_on AS days,
                   i.gross - coalesce((SELECT sum(a.amount) FROM allocation a
                                       WHERE a.invoice_id = i.id AND a.allocated_on <= $1), 0) AS open
            FROM invoice i WHERE i.issued_on <= $1)
        SELECT currency, count(*) AS invoices, sum(open) AS outstanding,
               coalesce(sum(open) FILTER (WHERE days <= 0), 0) AS not_due,
               coalesce(sum(open) FILTER (WHERE days BETWEEN 1 AND 30), 0) AS days_1_30,
               coalesce(sum(open) FILTER (WHERE days BETWEEN 31 AND 60), 0) AS days_31_60,
               coalesce(sum(open) FILTER (WHERE days BETWEEN 61 AND 90), 0) AS days_61_90,
               coalesce(sum(open) FILTER (WHERE days >= 91), 0) AS days_91_more
        FROM owed WHERE open > 0 GROUP BY currency ORDER BY currency
        """,
        as_of,
    )


def _invoice(row: Any) -> Invoice:
    fields = dict(row)
    currency = fields.pop("currency")
    for name in ("net", "tax", "gross", "paid"):
        fields[name] = Money.of(fields[name], currency)
    fields["customer"] = Customer.model_validate(fields["customer"])
    fields["lines"] = tuple(Line.model_validate(line) for line in fields["lines"])
    fields["taxes"] = tuple(TaxSubtotal.model_validate(tax) for tax in fields["taxes"])
    return Invoice(**fields)


def _payment(row: Any) -> Payment:
    fields = dict(row)
    currency = fields.pop("currency")
    fields["amount"], fields["applied"] = Money.of(fields["amount"], currency), Money.of(fields["applied"], currency)
    return Payment(**fields)
