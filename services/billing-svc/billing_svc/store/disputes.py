"""SQL of disputes. They change only while their invoice is locked."""

from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from billing_svc.domain.dispute import Dispute


async def insert_dispute(conn: Connection, d: Dispute) -> None:
    await conn.execute(
        """
        INSERT INTO dispute (id, flow_id, invoice_id, number, order_id, category, reason, currency, amount, whole, opened_by, opened_on,
                             state, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        *(d.id, d.flow_id, d.invoice_id, d.number, d.order_id, d.category, d.reason, d.amount.currency, d.amount.amount, d.whole),
        *(d.opened_by, d.opened_on, d.state, d.created_at, d.updated_at),
    )


async def save_dispute(conn: Connection, d: Dispute) -> None:
    """How it was resolved."""
    await conn.execute(
        """
        UPDATE dispute SET state = $2, credit_id = $3, resolution = $4, resolved_by = $5, resolved_on = $6, updated_at = $7
        WHERE id = $1
        """,
        *(d.id, d.state, d.credit_id, d.resolution, d.resolved_by, d.resolved_on, d.updated_at),
    )


async def get_dispute(conn: Connection, dispute_id: UUID) -> Dispute:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, invoice_id, number, order_id, category, reason, currency, amount, whole, opened_by, opened_on, state,
               credit_id, resolution, resolved_by, resolved_on, created_at, updated_at
        FROM dispute WHERE id = $1
        """,
        dispute_id,
    )
    if row is None:
        raise NotFound(f"no dispute {dispute_id}")
    return _dispute(row)


async def list_disputes(
    conn: Connection, *, invoice_id: UUID | None, state: str | None, after: UUID | None, limit: int
) -> list[Dispute]:
    """In the order in which they were opened."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, invoice_id, number, order_id, category, reason, currency, amount, whole, opened_by, opened_on, state,
               credit_id, resolution, resolved_by, resolved_on, created_at, updated_at
        FROM dispute
        WHERE ($1::uuid IS NULL OR invoice_id = $1) AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(invoice_id, state, after, limit),
    )
    return [_dispute(row) for row in rows]


def _dispute(row: Any) -> Dispute:
    fields = dict(row)
    fields["amount"] = Money.of(fields["amount"], fields.pop("currency"))
    return Dispute(**fields)
