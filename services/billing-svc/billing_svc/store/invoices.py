"""SQL of invoices and their numbers."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.money import Money

from billing_svc.domain.invoice import Invoice
from billing_svc.domain.occasion import Cause, InvoiceLine


async def draw_number(conn: Connection, series: str, year: int) -> int:
    """The next number. The row of series and year stays locked until the transaction ends, so a rollback leaves no gap."""
    return (await draw_numbers(conn, series, year, 1))[0]


async def draw_numbers(conn: Connection, series: str, year: int, count: int) -> range:
    """The next `count` numbers, under the same lock."""
    last: int = await conn.fetchval(
        """
        INSERT INTO number_series (series, year, last) VALUES ($1, $2, $3)
        ON CONFLICT (series, year) DO UPDATE SET last = number_series.last + excluded.last RETURNING last
        """,
        *(series, year, count),
    )
    return range(last - count + 1, last + 1)


async def insert_invoices(conn: Connection, made: Sequence[Invoice]) -> None:
    """All of them in one round trip."""
    await conn.executemany(
        """
        INSERT INTO invoice (id, flow_id, number, state, order_id, delivery_id, cause, cause_id, customer, lines, taxes, currency, net,
                             tax, gross, issued_on, due_on, settled_on, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
        """,
        [
            (
                *(
                    i.id,
                    i.flow_id,
                    i.number,
                    i.state,
                    i.order_id,
                    i.delivery_id,
                    i.cause,
                    i.cause_id,
                    i.customer.model_dump(mode="json"),
                ),
                *([line.model_dump(mode="json") for line in i.lines], [tax.model_dump(mode="json") for tax in i.taxes]),
                *(i.gross.currency, i.net.amount, i.tax.amount, i.gross.amount, i.issued_on, i.due_on, i.settled_on),
                *(i.version, i.created_at, i.updated_at),
            )
            for i in made
        ],
    )


async def is_invoiced(conn: Connection, cause_id: UUID) -> bool:
    """Whether there is an invoice of this hand-over or delivery."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM invoice WHERE cause_id = $1)", cause_id)
    return found


async def get_net_of_delivery(conn: Connection, delivery_id: UUID, cause: Cause) -> Decimal | None:
    """What was invoiced of a delivery for one kind of cause; None when nothing was."""
    net: Decimal | None = await conn.fetchval(
        "SELECT sum(net) FROM invoice WHERE delivery_id = $1 AND cause = $2", delivery_id, cause
    )
    return net


async def save_invoice(conn: Connection, i: Invoice) -> None:
    """What is paid, taken back, written off, disputed, void and overdue; the document itself never changes."""
    await conn.execute(
        """
        UPDATE invoice SET paid = $2, credited = $3, written_off = $4, written_off_tax = $5, disputed = $6, state = $7, voided_on = $8,
                           last_received_on = $9, settled_on = $10, called_overdue_on = $11, version = $12, updated_at = $13
        WHERE id = $1
        """,
        *(
            i.id,
            i.paid.amount,
            i.credited.amount,
            i.written_off.amount,
            i.written_off_tax.amount,
            i.disputed,
            i.state,
            i.voided_on,
        ),
        *(i.last_received_on, i.settled_on, i.called_overdue_on, i.version, i.updated_at),
    )


async def get_invoice(conn: Connection, invoice_id: UUID) -> Invoice:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, cause, cause_id, customer, lines, taxes, currency, net, tax, gross,
               issued_on, due_on, paid, credited, written_off, written_off_tax, disputed, voided_on, last_received_on, settled_on,
               called_overdue_on, next_due_on, version, created_at, updated_at
        FROM invoice WHERE id = $1
        """,
        invoice_id,
    )
    if row is None:
        raise NotFound(f"no invoice {invoice_id}")
    return _invoice(row)


async def list_invoices_of(conn: Connection, order_id: UUID) -> list[Invoice]:
    """Of an order, in the order of issue."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, cause, cause_id, customer, lines, taxes, currency, net, tax, gross,
               issued_on, due_on, paid, credited, written_off, written_off_tax, disputed, voided_on, last_received_on, settled_on,
               called_overdue_on, next_due_on, version, created_at, updated_at
        FROM invoice WHERE order_id = $1 ORDER BY id
        """,
        order_id,
    )
    return [_invoice(row) for row in rows]


async def get_ids_by_number(conn: Connection, numbers: Sequence[str]) -> dict[str, UUID]:
    """Those that exist."""
    rows = await conn.fetch("SELECT number, id FROM invoice WHERE number = ANY($1::text[])", list(numbers))
    return {row["number"]: row["id"] for row in rows}


async def get_invoices_for_update(conn: Connection, ids: Sequence[UUID]) -> dict[UUID, Invoice]:
    """Those that exist, locked in the order of ids, so that two payments never wait for each other."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, cause, cause_id, customer, lines, taxes, currency, net, tax, gross,
               issued_on, due_on, paid, credited, written_off, written_off_tax, disputed, voided_on, last_received_on, settled_on,
               called_overdue_on, next_due_on, version, created_at, updated_at
        FROM invoice WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
        """,
        list(ids),
    )
    return {row["id"]: _invoice(row) for row in rows}


async def insert_sending(
    conn: Connection, sending_id: UUID, invoice_id: UUID, *, channel: str, on: date, by: str, now: datetime
) -> None:
    """The document has left the house; the invoice is locked."""
    await conn.execute(
        "INSERT INTO invoice_sending (id, invoice_id, channel, sent_on, told_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(sending_id, invoice_id, channel, on, by, now),
    )


async def find_how_known(conn: Connection, invoice_id: UUID) -> str | None:
    """How somebody outside has learnt of a document: it was sent, disputed or reminded of; None when nobody has."""
    known: str | None = await conn.fetchval(
        """
        SELECT 'was sent (' || channel || ')' FROM invoice_sending WHERE invoice_id = $1
        UNION ALL SELECT 'was disputed' FROM dispute WHERE invoice_id = $1
        UNION ALL SELECT 'was reminded of' FROM dunning_step WHERE invoice_id = $1
        UNION ALL SELECT 'was claimed by a letter' FROM late_charge WHERE invoice_id = $1 LIMIT 1
        """,
        invoice_id,
    )
    return known


async def list_newly_overdue_for_update(conn: Connection, today: date, limit: int) -> list[Invoice]:
    """Due before today, something open, neither disputed nor called overdue yet; skips what another transaction works on."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, cause, cause_id, customer, lines, taxes, currency, net, tax, gross,
               issued_on, due_on, paid, credited, written_off, written_off_tax, disputed, voided_on, last_received_on, settled_on,
               called_overdue_on, next_due_on, version, created_at, updated_at
        FROM invoice WHERE coalesce(next_due_on, due_on) < $1 AND state = 'final' AND paid + credited + written_off < gross
          AND called_overdue_on IS NULL
          AND NOT disputed
        ORDER BY coalesce(next_due_on, due_on) LIMIT $2 FOR UPDATE SKIP LOCKED
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
    disputed: bool | None,
    today: date,
    after: UUID | None,
    limit: int,
) -> list[Invoice]:
    """In the order of issue; the derived states are derived here as in the domain."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, state, order_id, delivery_id, cause, cause_id, customer, lines, taxes, currency, net, tax, gross,
               issued_on, due_on, paid, credited, written_off, written_off_tax, disputed, voided_on, last_received_on, settled_on,
               called_overdue_on, next_due_on, version, created_at, updated_at
        FROM invoice
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::text IS NULL OR number = $2) AND ($3::uuid IS NULL OR order_id = $3)
          AND ($4::text IS NULL OR $4 = CASE WHEN state = 'void' OR paid + credited + written_off = gross THEN 'paid'
                                         WHEN paid > 0 THEN 'partial' ELSE 'open' END)
          AND ($5::boolean IS NULL OR $5 = (state = 'final' AND paid + credited + written_off < gross AND coalesce(next_due_on, due_on) < $6))
          AND ($7::uuid IS NULL OR id > $7) AND ($9::boolean IS NULL OR disputed = $9)
        ORDER BY id LIMIT $8
        """,
        *(flow_id, number, order_id, payment_state, overdue, today, after, limit, disputed),
    )
    return [_invoice(row) for row in rows]


def _invoice(row: Any) -> Invoice:
    fields = dict(row)
    currency = fields.pop("currency")
    for name in ("net", "tax", "gross", "paid", "credited", "written_off", "written_off_tax"):
        fields[name] = Money.of(fields[name], currency)
    fields["customer"] = Customer.model_validate(fields["customer"])
    fields["lines"] = tuple(InvoiceLine.model_validate(line) for line in fields["lines"])
    fields["taxes"] = tuple(TaxSubtotal.model_validate(tax) for tax in fields["taxes"])
    return Invoice(**fields)
