"""How much of each line the customer has, as the sum of what was told."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Connection


async def insert_parts(
    conn: Connection, order_id: UUID, fact_id: UUID, parts: Sequence[tuple[UUID, Decimal]], told_at: datetime
) -> bool:
    """A hand-over, or (quantities below zero) a return, with its parts by line. False when it was counted already."""
    added = await conn.fetch(
        """
        INSERT INTO line_delivery (fact_id, line_id, order_id, quantity, told_at)
        SELECT $1, p.line_id, $2, sum(p.quantity), $3 FROM unnest($4::uuid[], $5::numeric[]) AS p (line_id, quantity) GROUP BY p.line_id
        ON CONFLICT DO NOTHING RETURNING line_id
        """,
        fact_id,
        order_id,
        told_at,
        [line_id for line_id, _ in parts],
        [quantity for _, quantity in parts],
    )
    return bool(added)


async def get_handed(conn: Connection, order_id: UUID) -> dict[UUID, Decimal]:
    """What was handed over of each line in all, whatever came back of it. Read it with the order locked to decide on it."""
    rows = await conn.fetch(
        "SELECT line_id, sum(quantity) AS quantity FROM line_delivery WHERE order_id = $1 AND quantity > 0 GROUP BY line_id",
        order_id,
    )
    return {row["line_id"]: row["quantity"] for row in rows}


async def get_delivered(conn: Connection, order_id: UUID) -> dict[UUID, Decimal]:
    """What the customer has of each line. Read it with the order locked to decide on it."""
    rows = await conn.fetch(
        "SELECT line_id, sum(quantity) AS quantity FROM line_delivery WHERE order_id = $1 GROUP BY line_id", order_id
    )
    return {row["line_id"]: max(Decimal(0), row["quantity"]) for row in rows}
