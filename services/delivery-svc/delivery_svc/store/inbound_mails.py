"""Mails that came in, and the files that came with them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id

from delivery_svc.domain.incoming import Attached


async def is_known(conn: Connection, dedupe_key: str) -> Any | None:
    return await conn.fetchrow(
        """
        SELECT id, sha256, size, state, reason, sender, ticket_id, comment_id, received_by, received_at, emptied_at FROM inbound_mail
        WHERE dedupe_key = $1
        """,
        dedupe_key,
    )


async def lock_key(conn: Connection, dedupe_key: str) -> None:
    """A mail that comes twice at once is taken once. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('inbound_mail:' || $1, 0))", dedupe_key)


async def insert_mail(
    conn: Connection,
    mail_id: UUID,
    *,
    key: str,
    sha256: str,
    raw: bytes,
    state: str,
    reason: str | None,
    sender: str | None,
    ticket_id: UUID | None,
    comment_id: UUID | None,
    by: str,
    now: datetime,
) -> None:
    await conn.execute(
        """
        INSERT INTO inbound_mail (id, dedupe_key, sha256, size, raw, state, reason, sender, ticket_id, comment_id, received_by,
                                  received_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        *(mail_id, key, sha256, len(raw), raw, state, reason, sender, ticket_id, comment_id, by, now),
    )


async def list_mails(conn: Connection, *, state: str | None, ticket_id: UUID | None, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, sha256, size, state, reason, sender, ticket_id, comment_id, received_by, received_at, emptied_at FROM inbound_mail
        WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR ticket_id = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(state, ticket_id, after, limit),
    )


async def get_raw(conn: Connection, mail_id: UUID) -> bytes | None:
    """Its bytes, as long as they are kept."""
    raw: bytes | None = await conn.fetchval("SELECT raw FROM inbound_mail WHERE id = $1", mail_id)
    return raw


async def is_ours(conn: Connection, message_id: str) -> bool:
    """Whether we sent this very mail."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM mail WHERE message_id = $1)", message_id)
    return found


async def empty_old(conn: Connection, before: datetime, now: datetime, limit: int) -> int:
    """Bytes that are older are not kept any more; that they came stays known. Returns how many."""
    rows = await conn.fetch(
        """
        UPDATE inbound_mail SET raw = NULL, emptied_at = $2 WHERE id IN (
            SELECT id FROM inbound_mail WHERE raw IS NOT NULL AND received_at < $1 ORDER BY received_at LIMIT $3
            FOR UPDATE SKIP LOCKED) RETURNING id
        """,
        *(before, now, limit),
    )
    return len(rows)


async def insert_attachments(conn: Connection, comment_id: UUID, attachments: Sequence[Attached]) -> None:
    await conn.executemany(
        """
        INSERT INTO ticket_attachment (id, comment_id, position, name, media_type, size, sha256, content)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [
            (new_id(), comment_id, number, each.name, each.media_type, len(each.content), each.sha256, each.content)
            for number, each in enumerate(attachments, 1)
        ],
    )


async def list_attachments(conn: Connection, ticket_id: UUID) -> list[Any]:
    """Of everything that was said in a ticket; at most 1000."""
    return await conn.fetch(
        """
        SELECT a.id, a.comment_id, a.name, a.media_type, a.size, a.sha256 FROM ticket_attachment a
        JOIN ticket_comment c ON c.id = a.comment_id WHERE c.ticket_id = $1 ORDER BY a.id LIMIT 1000
        """,
        ticket_id,
    )


async def find_attachment(conn: Connection, ticket_id: UUID, attachment_id: UUID) -> Any | None:
    return await conn.fetchrow(
        """
        SELECT a.name, a.media_type, a.content, a.sha256 FROM ticket_attachment a JOIN ticket_comment c ON c.id = a.comment_id
        WHERE a.id = $2 AND c.ticket_id = $1
        """,
        *(ticket_id, attachment_id),
    )
