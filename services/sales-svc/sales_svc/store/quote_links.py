"""Links to offers, the customer's answer, and that a question was asked."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.quote_answer import Answer, QuoteLink


async def insert_link(conn: Connection, link: QuoteLink) -> None:
    await conn.execute(
        """
        INSERT INTO quote_link (id, quote_id, created_by, created_at, expires_at, mailed_to, name, remind_on)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(link.id, link.quote_id, link.created_by, link.created_at, link.expires_at, link.mailed_to, link.name, link.remind_on),
    )


async def find_link(conn: Connection, link_id: UUID) -> QuoteLink | None:
    row = await conn.fetchrow(
        """
        SELECT id, quote_id, created_by, created_at, expires_at, mailed_to, opened_at, revoked_at, revoked_by, name, remind_on,
               reminded_at, last_opened_at, looks
        FROM quote_link WHERE id = $1
        """,
        link_id,
    )
    return None if row is None else QuoteLink(**dict(row))


async def get_link_for_update(conn: Connection, link_id: UUID) -> QuoteLink:
    row = await conn.fetchrow(
        """
        SELECT id, quote_id, created_by, created_at, expires_at, mailed_to, opened_at, revoked_at, revoked_by, name, remind_on,
               reminded_at, last_opened_at, looks
        FROM quote_link WHERE id = $1 FOR UPDATE
        """,
        link_id,
    )
    if row is None:
        raise NotFound(f"no link {link_id}")
    return QuoteLink(**dict(row))


async def find_newer_link(
    conn: Connection, opportunity_id: UUID, quote_version: int, address: str, today: date
) -> QuoteLink | None:
    """The link to the newest later version that is an open offer and was sent to the same address."""
    row = await conn.fetchrow(
        """
        SELECT l.id, l.quote_id, l.created_by, l.created_at, l.expires_at, l.mailed_to, l.opened_at, l.revoked_at, l.revoked_by, l.name,
               l.remind_on, l.reminded_at, l.last_opened_at, l.looks
        FROM quote q JOIN quote_link l ON l.quote_id = q.id
        WHERE q.opportunity_id = $1 AND q.quote_version > $2 AND q.state = 'sent' AND q.valid_until >= $4
          AND lower(l.mailed_to) = lower($3) AND l.revoked_at IS NULL
        ORDER BY q.quote_version DESC, l.id DESC LIMIT 1
        """,
        *(opportunity_id, quote_version, address, today),
    )
    return None if row is None else QuoteLink(**dict(row))


async def list_links(conn: Connection, quote_id: UUID, *, limit: int) -> list[QuoteLink]:
    """The latest first."""
    rows = await conn.fetch(
        """
        SELECT id, quote_id, created_by, created_at, expires_at, mailed_to, opened_at, revoked_at, revoked_by, name, remind_on,
               reminded_at, last_opened_at, looks
        FROM quote_link WHERE quote_id = $1 ORDER BY id DESC LIMIT $2
        """,
        *(quote_id, limit),
    )
    return [QuoteLink(**dict(row)) for row in rows]


async def count_links(conn: Connection, quote_id: UUID) -> int:
    """Under the quote's lock."""
    number: int = await conn.fetchval("SELECT count(*) FROM quote_link WHERE quote_id = $1", quote_id)
    return number


async def revoke_link(conn: Connection, quote_id: UUID, link_id: UUID, *, by: str, now: datetime) -> QuoteLink:
    """Once; a link that is revoked stays as it is."""
    row = await conn.fetchrow(
        """
        UPDATE quote_link SET revoked_at = coalesce(revoked_at, $3), revoked_by = coalesce(revoked_by, $4)
        WHERE id = $2 AND quote_id = $1
        RETURNING id, quote_id, created_by, created_at, expires_at, mailed_to, opened_at, revoked_at, revoked_by, name, remind_on,
                  reminded_at, last_opened_at, looks
        """,
        *(quote_id, link_id, now, by),
    )
    if row is None:
        raise NotFound(f"quote {quote_id} has no link {link_id}")
    return QuoteLink(**dict(row))


async def note_look(conn: Connection, link_id: UUID, now: datetime, same: timedelta) -> None:
    """Somebody looked; a look within `same` of the one before is the same."""
    await conn.execute(
        """
        UPDATE quote_link
        SET opened_at = coalesce(opened_at, $2), last_opened_at = $2,
            looks = looks + CASE WHEN last_opened_at IS NULL OR last_opened_at <= $2 - $3::interval THEN 1 ELSE 0 END
        WHERE id = $1 AND revoked_at IS NULL
        """,
        *(link_id, now, same),
    )


async def claim_due_reminders(conn: Connection, today: date, limit: int) -> list[QuoteLink]:
    """Links to remind by. The offer is locked, too, so that it cannot be answered in between; what is busy waits for the next time."""
    rows = await conn.fetch(
        """
        SELECT l.id, l.quote_id, l.created_by, l.created_at, l.expires_at, l.mailed_to, l.opened_at, l.revoked_at, l.revoked_by, l.name,
               l.remind_on, l.reminded_at, l.last_opened_at, l.looks
        FROM quote_link l JOIN quote q ON q.id = l.quote_id
        WHERE l.remind_on <= $1 AND l.reminded_at IS NULL AND l.revoked_at IS NULL
        ORDER BY l.remind_on, l.id LIMIT $2
        FOR UPDATE OF l SKIP LOCKED FOR SHARE OF q SKIP LOCKED
        """,
        *(today, limit),
    )
    return [QuoteLink(**dict(row)) for row in rows]


async def finish_reminder(conn: Connection, link_id: UUID, reminded_at: datetime | None) -> None:
    """It was told, or (None) there is nothing to remind of any more."""
    await conn.execute(
        """
        UPDATE quote_link SET reminded_at = $2, remind_on = CASE WHEN $2::timestamptz IS NULL THEN NULL ELSE remind_on END
        WHERE id = $1
        """,
        *(link_id, reminded_at),
    )


async def insert_answer(conn: Connection, quote_id: UUID, answer: str, a: Answer, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO quote_answer (quote_id, answer, via, name, reason, by, link_id, address, user_agent, pdf_sha256, at, role, email,
                                  order_reference, consent)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
        """,
        *(quote_id, answer, a.via, a.name, a.reason, a.by, a.link_id, a.address, a.user_agent, a.pdf_sha256, now),
        *(a.role, a.email, a.order_reference, a.consent),
    )


async def find_answer(conn: Connection, quote_id: UUID) -> Any:
    """A row with the answer, who gave it, when and from where; None where there is none."""
    return await conn.fetchrow(
        """
        SELECT answer, via, name, reason, by, link_id, address, user_agent, pdf_sha256, at, role, email, order_reference, consent
        FROM quote_answer WHERE quote_id = $1
        """,
        quote_id,
    )


async def was_asked(conn: Connection, link_id: UUID, digest: str) -> bool:
    """The same words came by this link before."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT 1 FROM quote_question WHERE link_id = $1 AND digest = $2)", link_id, digest
    )
    return found


async def count_questions(conn: Connection, link_id: UUID) -> int:
    """Under the link's lock."""
    number: int = await conn.fetchval("SELECT count(*) FROM quote_question WHERE link_id = $1", link_id)
    return number


async def insert_question(conn: Connection, link_id: UUID, digest: str, activity_id: UUID, now: datetime) -> None:
    await conn.execute(
        "INSERT INTO quote_question (link_id, digest, activity_id, asked_at) VALUES ($1, $2, $3, $4)",
        *(link_id, digest, activity_id, now),
    )
