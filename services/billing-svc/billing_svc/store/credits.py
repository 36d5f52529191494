"""SQL of credit notes. They are written once and never change."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.money import Money

from billing_svc.domain.credit_note import CreditNote
from billing_svc.domain.occasion import InvoiceLine


async def insert_credit(conn: Connection, c: CreditNote, *, correction: bool) -> None:
    """`correction`: beside another note of the same cause on the same invoice; else there is one."""
    await conn.execute(
        """
        INSERT INTO credit_note (id, flow_id, number, invoice_id, invoice_number, order_id, cause, cause_id, customer, lines, taxes,
                                 currency, net, tax, gross, released, reason, credited_on, created_at, correction)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
        """,
        *(c.id, c.flow_id, c.number, c.invoice_id, c.invoice_number, c.order_id, c.cause, c.cause_id),
        *(c.customer.model_dump(mode="json"), [line.model_dump(mode="json") for line in c.lines]),
        *([tax.model_dump(mode="json") for tax in c.taxes], c.gross.currency, c.net.amount, c.tax.amount, c.gross.amount),
        *(c.released.amount, c.reason, c.credited_on, c.created_at, correction),
    )


async def get_credit(conn: Connection, credit_id: UUID) -> CreditNote:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, number, invoice_id, invoice_number, order_id, cause, cause_id, customer, lines, taxes, currency, net, tax,
               gross, released, reason, credited_on, created_at
        FROM credit_note WHERE id = $1
        """,
        credit_id,
    )
    if row is None:
        raise NotFound(f"no credit note {credit_id}")
    return _credit(row)


async def list_credits_of(conn: Connection, invoice_ids: Sequence[UUID]) -> list[CreditNote]:
    """Of these invoices, in the order in which they were made."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, invoice_id, invoice_number, order_id, cause, cause_id, customer, lines, taxes, currency, net, tax,
               gross, released, reason, credited_on, created_at
        FROM credit_note WHERE invoice_id = ANY($1::uuid[]) ORDER BY id
        """,
        list(invoice_ids),
    )
    return [_credit(row) for row in rows]


async def list_credits(
    conn: Connection,
    *,
    flow_id: UUID | None,
    order_id: UUID | None,
    invoice_id: UUID | None,
    number: str | None,
    after: UUID | None,
    limit: int,
) -> list[CreditNote]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, number, invoice_id, invoice_number, order_id, cause, cause_id, customer, lines, taxes, currency, net, tax,
               gross, released, reason, credited_on, created_at
        FROM credit_note
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::uuid IS NULL OR order_id = $2) AND ($3::uuid IS NULL OR invoice_id = $3)
          AND ($4::text IS NULL OR number = $4) AND ($5::uuid IS NULL OR id > $5)
        ORDER BY id LIMIT $6
        """,
        *(flow_id, order_id, invoice_id, number, after, limit),
    )
    return [_credit(row) for row in rows]


def _credit(row: Any) -> CreditNote:
    fields = dict(row)
    currency = fields.pop("currency")
    for name in ("net", "tax", "gross", "released"):
        fields[name] = Money.of(fields[name], currency)
    fields["customer"] = Customer.model_validate(fields["customer"])
    fields["lines"] = tuple(InvoiceLine.model_validate(line) for line in fields["lines"])
    fields["taxes"] = tuple(TaxSubtotal.model_validate(tax) for tax in fields["taxes"])
    return CreditNote(**fields)
