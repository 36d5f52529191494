"""SQL of invoices by hand that are not final yet."""

from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.events import Customer

from billing_svc.domain.draft import Content, Draft
from billing_svc.domain.occasion import InvoiceLine


async def insert_draft(conn: Connection, d: Draft) -> None:
    await conn.execute(
        """
        INSERT INTO invoice_draft (id, state, customer, lines, due_on, payment_terms_days, parent_flow_id, invoice_id, created_by,
                                   changed_by, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        *(d.id, d.state, d.content.customer.model_dump(mode="json"), [line.model_dump(mode="json") for line in d.content.lines]),
        *(d.content.due_on, d.content.payment_terms_days, d.parent_flow_id, d.invoice_id, d.created_by, d.changed_by),
        *(d.version, d.created_at, d.updated_at),
    )


async def save_draft(conn: Connection, d: Draft) -> None:
    """What it says now, and what became of it."""
    await conn.execute(
        """
        UPDATE invoice_draft SET state = $2, customer = $3, lines = $4, due_on = $5, payment_terms_days = $6, parent_flow_id = $7,
                                 invoice_id = $8, changed_by = $9, version = $10, updated_at = $11
        WHERE id = $1
        """,
        *(d.id, d.state, d.content.customer.model_dump(mode="json"), [line.model_dump(mode="json") for line in d.content.lines]),
        *(d.content.due_on, d.content.payment_terms_days, d.parent_flow_id, d.invoice_id, d.changed_by, d.version, d.updated_at),
    )


async def get_draft(conn: Connection, draft_id: UUID) -> Draft:
    row = await conn.fetchrow(
        """
        SELECT id, state, customer, lines, due_on, payment_terms_days, parent_flow_id, invoice_id, created_by, changed_by, version,
               created_at, updated_at
        FROM invoice_draft WHERE id = $1
        """,
        draft_id,
    )
    if row is None:
        raise NotFound(f"no draft {draft_id}")
    return _draft(row)


async def get_draft_for_update(conn: Connection, draft_id: UUID) -> Draft:
    """Locked: of two that finalise it one comes first."""
    row = await conn.fetchrow(
        """
        SELECT id, state, customer, lines, due_on, payment_terms_days, parent_flow_id, invoice_id, created_by, changed_by, version,
               created_at, updated_at
        FROM invoice_draft WHERE id = $1 FOR UPDATE
        """,
        draft_id,
    )
    if row is None:
        raise NotFound(f"no draft {draft_id}")
    return _draft(row)


async def list_drafts(conn: Connection, *, state: str | None, after: UUID | None, limit: int) -> list[Draft]:
    """In the order in which they were begun."""
    rows = await conn.fetch(
        """
        SELECT id, state, customer, lines, due_on, payment_terms_days, parent_flow_id, invoice_id, created_by, changed_by, version,
               created_at, updated_at
        FROM invoice_draft WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(state, after, limit),
    )
    return [_draft(row) for row in rows]


def _draft(row: Any) -> Draft:
    fields = dict(row)
    content = Content(
        customer=Customer.model_validate(fields.pop("customer")),
        lines=tuple(InvoiceLine.model_validate(line) for line in fields.pop("lines")),
        due_on=fields.pop("due_on"),
        payment_terms_days=fields.pop("payment_terms_days"),
    )
    return Draft(content=content, **fields)
