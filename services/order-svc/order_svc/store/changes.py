"""Assessments, and the changes that they became; the lines of orders as they are after them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.events import Line

from order_svc.domain.assessment import Effects, Wish
from order_svc.domain.change import Change


async def insert_change(conn: Connection, change: Change) -> None:
    """A new assessment. Those of the order that nobody confirmed and that expired long ago go."""
    await conn.execute(
        """
        WITH gone AS (
            DELETE FROM order_change WHERE order_id = $2 AND state = 'assessed' AND expires_at < $9::timestamptz - interval '30 days')
        INSERT INTO order_change (id, order_id, order_version, state, path, wish, effects, reason, assessed_at, expires_at, assessed_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        change.id,
        change.order_id,
        change.order_version,
        change.state,
        change.effects.path,
        change.wish.model_dump(mode="json"),
        change.effects.model_dump(mode="json"),
        change.reason,
        change.assessed_at,
        change.expires_at,
        change.assessed_by,
    )


async def save_change(conn: Connection, change: Change) -> None:
    """Write what may change. The order must be locked by the caller."""
    await conn.execute(
        """
        UPDATE order_change SET state = $2, confirmed_by = $3, requested_at = $4, decided_at = $5, decision = $6, lines = $7,
               lines_version = $8
        WHERE id = $1
        """,
        change.id,
        change.state,
        change.confirmed_by,
        change.requested_at,
        change.decided_at,
        change.decision,
        None if change.lines is None else [line.model_dump(mode="json") for line in change.lines],
        change.lines_version,
    )


async def get_change(conn: Connection, change_id: UUID) -> Change | None:
    """The change; lock its order before, to decide on it."""
    row = await conn.fetchrow(
        """
        SELECT id, order_id, order_version, state, wish, effects, reason, assessed_by, assessed_at, expires_at, confirmed_by,
               requested_at, decided_at, decision, lines, lines_version
        FROM order_change WHERE id = $1
        """,
        change_id,
    )
    return None if row is None else _change(row)


async def list_confirmed(conn: Connection, order_id: UUID, *, after: UUID | None, limit: int) -> list[Change]:
    """The changes of an order that were wished in earnest, in the order in which they were assessed."""
    rows = await conn.fetch(
        """
        SELECT id, order_id, order_version, state, wish, effects, reason, assessed_by, assessed_at, expires_at, confirmed_by,
               requested_at, decided_at, decision, lines, lines_version
        FROM order_change WHERE order_id = $1 AND state <> 'assessed' AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        order_id,
        after,
        limit,
    )
    return [_change(row) for row in rows]


async def end_requested(conn: Connection, order_id: UUID, path: str, state: str, decision: str | None, now: datetime) -> None:
    """What was asked by this way was answered by what became of the order as a whole."""
    await conn.execute(
        """
        UPDATE order_change SET state = $3, decision = $4, decided_at = $5
        WHERE order_id = $1 AND state = 'requested' AND path = $2
        """,
        *(order_id, path, state, decision, now),
    )


async def save_lines(conn: Connection, order_id: UUID, lines: Sequence[Line]) -> None:
    """The lines as they are now, in their order; what they were is in the changes."""
    await conn.execute("DELETE FROM order_line WHERE order_id = $1", order_id)
    await conn.execute(
        """
        INSERT INTO order_line (order_id, position, line_id, sku, description, quantity, unit_price, price_currency, base_quantity,
                                discount_percent, tax_category, tax_rate, net_amount, net_currency)
        SELECT $1, l.position, l.line_id, l.sku, l.description, l.quantity, l.unit_price, l.price_currency, l.base_quantity,
               l.discount_percent, l.tax_category, l.tax_rate, l.net_amount, l.net_currency
        FROM unnest($2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::text[], $8::numeric[], $9::numeric[],
                    $10::text[], $11::numeric[], $12::numeric[], $13::text[]) WITH ORDINALITY
             AS l (line_id, sku, description, quantity, unit_price, price_currency, base_quantity, discount_percent, tax_category,
                   tax_rate, net_amount, net_currency, position)
        """,
        order_id,
        *line_columns(lines),
    )


def line_columns(lines: Sequence[Line]) -> tuple[list[Any], ...]:
    """Lines as the columns of `order_line` from `line_id` on."""
    return (
        [line.line_id for line in lines],
        [line.sku for line in lines],
        [line.description for line in lines],
        [line.quantity for line in lines],
        [line.unit_price.amount for line in lines],
        [line.unit_price.currency for line in lines],
        [line.base_quantity for line in lines],
        [line.discount_percent for line in lines],
        [line.tax_category for line in lines],
        [line.tax_rate for line in lines],
        [line.net.amount for line in lines],
        [line.net.currency for line in lines],
    )


def _change(row: Any) -> Change:
    return Change(
        id=row["id"],
        order_id=row["order_id"],
        order_version=row["order_version"],
        state=row["state"],
        wish=Wish.model_validate(row["wish"]),
        effects=Effects.model_validate(row["effects"]),
        reason=row["reason"],
        assessed_by=row["assessed_by"],
        assessed_at=row["assessed_at"],
        expires_at=row["expires_at"],
        confirmed_by=row["confirmed_by"],
        requested_at=row["requested_at"],
        decided_at=row["decided_at"],
        decision=row["decision"],
        lines=None if row["lines"] is None else tuple(Line.model_validate(line) for line in row["lines"]),
        lines_version=row["lines_version"],
    )
