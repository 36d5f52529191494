"""SQL of refunds. They change only while their payment is locked."""

from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from billing_svc.domain.payment import Payment
from billing_svc.domain.refund import Refund


async def insert_refund(conn: Connection, r: Refund) -> None:
    await conn.execute(
        """
        INSERT INTO refund (id, payment_id, currency, amount, invoice_id, number, order_id, flow_id, reason, state, requested_by,
                            requested_on, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'requested', $10, $11, $12, $13, $14)
        """,
        *(r.id, r.payment_id, r.amount.currency, r.amount.amount, r.invoice_id, r.number, r.order_id, r.flow_id, r.reason),
        *(r.requested_by, r.requested_on, r.version, r.created_at, r.updated_at),
    )


async def save_refund(conn: Connection, r: Refund) -> None:
    """How it ended."""
    await conn.execute(
        """
        UPDATE refund SET state = $2, reference = $3, executed_by = $4, executed_on = $5, version = $6, updated_at = $7 WHERE id = $1
        """,
        *(r.id, r.state, r.reference, r.executed_by, r.executed_on, r.version, r.updated_at),
    )


async def is_reference_used(conn: Connection, reference: str) -> bool:
    """Whether a transfer of this reference has executed a refund. Locked until the transaction ends, so that two do not both say no."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('refund:' || $1, 0))", reference)
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM refund WHERE reference = $1)", reference)
    return found


async def executed_of(conn: Connection, payment: Payment) -> Money:
    """What of a (locked) payment is gone, without what is only set aside."""
    amount = await conn.fetchval(
        "SELECT coalesce(sum(amount), 0) FROM refund WHERE payment_id = $1 AND state = 'executed'", payment.id
    )
    return Money.of(amount, payment.amount.currency)


async def get_refund(conn: Connection, refund_id: UUID) -> Refund:
    row = await conn.fetchrow(
        """
        SELECT id, payment_id, currency, amount, invoice_id, number, order_id, flow_id, reason, state, requested_by, requested_on,
               reference, executed_by, executed_on, version, created_at, updated_at
        FROM refund WHERE id = $1
        """,
        refund_id,
    )
    if row is None:
        raise NotFound(f"no refund {refund_id}")
    return _refund(row)


async def list_refunds(
    conn: Connection, *, payment_id: UUID | None, state: str | None, after: UUID | None, limit: int
) -> list[Refund]:
    """In the order in which they were asked for."""
    rows = await conn.fetch(
        """
        SELECT id, payment_id, currency, amount, invoice_id, number, order_id, flow_id, reason, state, requested_by, requested_on,
               reference, executed_by, executed_on, version, created_at, updated_at
        FROM refund
        WHERE ($1::uuid IS NULL OR payment_id = $1) AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(payment_id, state, after, limit),
    )
    return [_refund(row) for row in rows]


def _refund(row: Any) -> Refund:
    fields = dict(row)
    fields["amount"] = Money.of(fields["amount"], fields.pop("currency"))
    return Refund(**fields)
