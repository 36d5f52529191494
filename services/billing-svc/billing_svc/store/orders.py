"""SQL of what billing knows of orders."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.connection import Connection


async def lock_order(conn: Connection, order_id: UUID, now: datetime) -> None:
    """Locked until the transaction ends, known or not: whatever is invoiced or credited of an order is decided one after the other."""
    await conn.execute(
        """
        INSERT INTO billed_order (order_id, created_at) VALUES ($1, $2)
        ON CONFLICT (order_id) DO UPDATE SET order_id = excluded.order_id
        """,
        order_id,
        now,
    )
