"""SQL of payments and their allocations."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from billing_svc.domain.credit_note import CreditNote
from billing_svc.domain.payment import Allocation, Payment, Settlement, Unapplication


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
        "UPDATE payment SET applied = $2, unapplied = $3, refunded = $4, version = $5, updated_at = $6 WHERE id = $1",
        *(p.id, p.applied.amount, p.unapplied.amount, p.refunded.amount, p.version, p.updated_at),
    )


async def get_payment(conn: Connection, payment_id: UUID) -> Payment:
    row = await conn.fetchrow(
        """
        SELECT id, currency, amount, applied, refunded, method, reference, received_on, version, created_at, updated_at
        FROM payment WHERE id = $1
        """,
        payment_id,
    )
    return _found(row, payment_id)


async def get_payment_for_update(conn: Connection, payment_id: UUID) -> Payment:
    """Locked before any invoice."""
    row = await conn.fetchrow(
        """
        SELECT id, currency, amount, applied, refunded, method, reference, received_on, version, created_at, updated_at
        FROM payment WHERE id = $1 FOR UPDATE
        """,
        payment_id,
    )
    return _found(row, payment_id)


async def list_payments(conn: Connection, *, after: UUID | None, limit: int) -> list[Payment]:
    rows = await conn.fetch(
        """
        SELECT id, currency, amount, applied, refunded, method, reference, received_on, version, created_at, updated_at
        FROM payment WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        after,
        limit,
    )
    return [_payment(row) for row in rows]


async def insert_allocation(conn: Connection, allocation_id: UUID, payment_id: UUID, made: Settlement, now: datetime) -> None:
    await conn.execute(
        "INSERT INTO allocation (id, payment_id, invoice_id, amount, allocated_on, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(allocation_id, payment_id, made.invoice.id, made.amount.amount, made.allocated_on, now),
    )


async def insert_release(
    conn: Connection, allocation_id: UUID, payment_id: UUID, note: CreditNote, part: Money, now: datetime
) -> None:
    """An allocation taken back, as one below zero."""
    await conn.execute(
        """
        INSERT INTO allocation (id, payment_id, invoice_id, amount, allocated_on, credit_id, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(allocation_id, payment_id, note.invoice_id, -part.amount, note.credited_on, note.id, now),
    )


async def insert_unapplication(conn: Connection, made: Unapplication, now: datetime) -> None:
    """An allocation taken back by a person, as one below zero."""
    await conn.execute(
        """
        INSERT INTO allocation (id, payment_id, invoice_id, amount, allocated_on, reason, made_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(made.id, made.payment.id, made.invoice.id, -made.amount.amount, made.unapplied_on, made.reason, made.by, now),
    )


async def lock_payments_of(conn: Connection, invoice_ids: Sequence[UUID], *, also: UUID | None = None) -> None:
    """Lock the payments that settled something of these invoices, and perhaps another, before the invoices."""
    await conn.execute(
        """
        SELECT 1 FROM payment WHERE id = $2 OR id IN (SELECT payment_id FROM allocation WHERE invoice_id = ANY($1::uuid[]))
        ORDER BY id FOR UPDATE
        """,
        *(list(invoice_ids), also),
    )


async def list_applied_for_update(conn: Connection, invoice_id: UUID) -> list[tuple[Payment, Money]]:
    """The payments that settle an invoice, each with how much of it, in the order in which they last did."""
    rows = await conn.fetch(
        """
        WITH applied AS (SELECT payment_id, sum(amount) AS settled, max(id::text) AS latest
                         FROM allocation WHERE invoice_id = $1 GROUP BY payment_id HAVING sum(amount) > 0)
        SELECT p.id, p.currency, p.amount, p.applied, p.refunded, p.method, p.reference, p.received_on, p.version, p.created_at, p.updated_at,
               a.settled
        FROM payment p JOIN applied a ON a.payment_id = p.id ORDER BY a.latest FOR UPDATE OF p
        """,
        invoice_id,
    )
    found = []
    for row in rows:
        fields = dict(row)
        settled = Money.of(fields.pop("settled"), fields["currency"])
        found.append((_payment(fields), settled))
    return found


async def list_allocations(conn: Connection, payment_ids: Sequence[UUID]) -> dict[UUID, list[Allocation]]:
    """What each payment settles now, in the order in which it began to; what was released is left out."""
    rows = await conn.fetch(
        """
        SELECT a.payment_id, a.invoice_id, i.number, sum(a.amount) AS amount, i.currency
        FROM allocation a JOIN invoice i ON i.id = a.invoice_id WHERE a.payment_id = ANY($1::uuid[])
        GROUP BY a.payment_id, a.invoice_id, i.number, i.currency HAVING sum(a.amount) > 0 ORDER BY min(a.id::text)
        """,
        list(payment_ids),
    )
    found: dict[UUID, list[Allocation]] = defaultdict(list)
    for row in rows:
        amount = Money.of(row["amount"], row["currency"])
        found[row["payment_id"]].append(Allocation(row["payment_id"], row["invoice_id"], row["number"], amount))
    return found


def _found(row: Any, payment_id: UUID) -> Payment:
    if row is None:
        raise NotFound(f"no payment {payment_id}")
    return _payment(row)


def _payment(row: Any) -> Payment:
    fields = dict(row)
    currency = fields.pop("currency")
    for name in ("amount", "applied", "refunded"):
        fields[name] = Money.of(fields[name], currency)
    return Payment(**fields)
