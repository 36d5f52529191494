"""What customers ask about their deliveries."""

from uuid import UUID

from ltc_chassis.connection import Connection


async def lock_questions(conn: Connection, delivery_id: UUID) -> None:
    """Questions about a delivery are taken one at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('tracking/' || $1::text, 0))", str(delivery_id))


async def count_open_questions(conn: Connection, order_id: UUID, *, but: str) -> int:
    """Tickets that came from a page about this order and are worked on, but the one with this reference."""
    found: int = await conn.fetchval(
        """
        SELECT count(*) FROM ticket WHERE order_id = $1 AND channel = 'portal' AND state NOT IN ('resolved', 'closed')
          AND external_ref IS DISTINCT FROM $2
        """,
        *(order_id, but),
    )
    return found
