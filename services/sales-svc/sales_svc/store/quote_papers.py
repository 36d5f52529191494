"""Printed quotes, links to them, and the customer's answers."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.quote_answer import Answer, QuoteLink


async def find_document(conn: Connection, quote_id: UUID) -> tuple[bytes, str] | None:
    """The kept bytes and their SHA-256."""
    row = await conn.fetchrow("SELECT pdf, sha256 FROM quote_document WHERE quote_id = $1", quote_id)
    return None if row is None else (row["pdf"], row["sha256"])


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


async def insert_link(conn: Connection, link: QuoteLink) -> None:
    await conn.execute(
        """
        INSERT INTO quote_link (id, quote_id, created_by, created_at, expires_at, mailed_to) VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(link.id, link.quote_id, link.created_by, link.created_at, link.expires_at, link.mailed_to),
    )


async def find_link(conn: Connection, link_id: UUID) -> QuoteLink | None:
    row = await conn.fetchrow(
        """
        SELECT id, quote_id, created_by, created_at, expires_at, mailed_to, opened_at, revoked_at, revoked_by
        FROM quote_link WHERE id = $1
        """,
        link_id,
    )
    return None if row is None else QuoteLink(**dict(row))


async def list_links(conn: Connection, quote_id: UUID, *, limit: int) -> list[QuoteLink]:
    """The latest first."""
    rows = await conn.fetch(
        """
        SELECT id, quote_id, created_by, created_at, expires_at, mailed_to, opened_at, revoked_at, revoked_by
        FROM quote_link WHERE quote_id = $1 ORDER BY id DESC LIMIT $2
        """,
        *(quote_id, limit),
    )
    return [QuoteLink(**dict(row)) for row in rows]


async def count_links(conn: Connection, quote_id: UUID) -> int:
    number: int = await conn.fetchval("SELECT count(*) FROM quote_link WHERE quote_id = $1", quote_id)
    return number


async def revoke_link(conn: Connection, quote_id: UUID, link_id: UUID, *, by: str, now: datetime) -> None:
    """Once; a link that is revoked stays as it is."""
    found = await conn.fetchval(
        """
        UPDATE quote_link SET revoked_at = coalesce(revoked_at, $3), revoked_by = coalesce(revoked_by, $4)
        WHERE id = $2 AND quote_id = $1 RETURNING true
        """,
        *(quote_id, link_id, now, by),
    )
    if not found:
        raise NotFound(f"quote {quote_id} has no link {link_id}")


async def mark_opened(conn: Connection, link_id: UUID, now: datetime) -> None:
    """The first time that somebody looked."""
    await conn.execute("UPDATE quote_link SET opened_at = $2 WHERE id = $1 AND opened_at IS NULL", link_id, now)


async def insert_answer(conn: Connection, quote_id: UUID, answer: str, a: Answer, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO quote_answer (quote_id, answer, via, name, reason, by, link_id, address, user_agent, pdf_sha256, at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(quote_id, answer, a.via, a.name, a.reason, a.by, a.link_id, a.address, a.user_agent, a.pdf_sha256, now),
    )


async def find_answer(conn: Connection, quote_id: UUID) -> Any:
    """A row with the answer, who gave it, when and from where; None where there is none."""
    return await conn.fetchrow(
        """
        SELECT answer, via, name, reason, by, link_id, address, user_agent, pdf_sha256, at FROM quote_answer WHERE quote_id = $1
        """,
        quote_id,
    )
