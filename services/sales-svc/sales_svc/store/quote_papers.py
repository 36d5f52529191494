"""Printed quotes."""

from datetime import datetime
from uuid import UUID

from ltc_chassis.connection import Connection


async def find_document(conn: Connection, quote_id: UUID) -> tuple[bytes, str] | None:
    """The kept bytes and their SHA-256."""
    row = await conn.fetchrow("SELECT pdf, sha256 FROM quote_document WHERE quote_id = $1", quote_id)
    return None if row is None else (row["pdf"], row["sha256"])


async def find_letterhead(conn: Connection, quote_id: UUID) -> int | None:
    """The version of the letterhead that it was printed under; None where there was none."""
    found: int | None = await conn.fetchval("SELECT letterhead FROM quote_document WHERE quote_id = $1", quote_id)
    return found


async def keep_document(
    conn: Connection, quote_id: UUID, pdf: bytes, sha256: str, *, letterhead: int | None, now: datetime
) -> None:
    """Unless there is one: the first one printed is the document."""
    await conn.execute(
        """
        INSERT INTO quote_document (quote_id, pdf, sha256, letterhead, printed_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (quote_id) DO NOTHING
        """,
        *(quote_id, pdf, sha256, letterhead, now),
    )
