"""What customers are told of their delivery, and the words for it, as versions."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id

from delivery_svc.domain.notice import Fact, Kind, Language, Notice, Template


async def lock_templates(conn: Connection) -> None:
    """Templates are written one at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('notice_template', 0))")


async def insert_template(conn: Connection, t: Template, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO notice_template (kind, language, version, subject, text, active, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(t.kind, t.language, t.version, t.subject, t.text, t.active, by, now),
    )


async def list_templates(conn: Connection) -> list[Template]:
    """The latest version of each that is the company's own."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (kind, language) kind, language, version, subject, text, active FROM notice_template
        ORDER BY kind, language, version DESC
        """
    )
    return [Template(**dict(row)) for row in rows]


async def list_template_versions(conn: Connection, kind: Kind, language: Language) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch(
        """
        SELECT kind, language, version, subject, text, active, changed_by, changed_at FROM notice_template
        WHERE kind = $1 AND language = $2 ORDER BY version DESC LIMIT 200
        """,
        *(kind, language),
    )


async def insert_notices(conn: Connection, delivery_id: UUID, facts: Sequence[Fact], now: datetime) -> None:
    """Those of these facts that are not known yet."""
    await conn.executemany(
        """
        INSERT INTO delivery_notice (id, delivery_id, kind, fact, data, state, created_at) VALUES ($1, $2, $3, $4, $5, 'waiting', $6)
        ON CONFLICT (delivery_id, kind, fact) DO NOTHING
        """,
        [(new_id(), delivery_id, fact.kind, fact.key, dict(fact.data), now) for fact in facts],
    )


async def claim_waiting(conn: Connection, limit: int) -> list[Notice]:
    """The oldest that were not told yet, locked."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, kind, fact, data, state, reason, language, template_version, created_at, settled_at FROM delivery_notice
        WHERE state = 'waiting' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
    )
    return [_notice(row) for row in rows]


async def settle_notice(
    conn: Connection, notice_id: UUID, *, reason: str | None, language: Language, template_version: int | None, now: datetime
) -> None:
    """Sent by this version of the template, or skipped for a reason."""
    await conn.execute(
        """
        UPDATE delivery_notice SET state = CASE WHEN $2::text IS NULL THEN 'sent' ELSE 'skipped' END, reason = $2, language = $3,
               template_version = $4, settled_at = $5
        WHERE id = $1
        """,
        *(notice_id, reason, language, template_version, now),
    )


async def list_notices(conn: Connection, delivery_id: UUID) -> list[Notice]:
    """What a customer was told, in its order; at most 500."""
    rows = await conn.fetch(
        """
        SELECT id, delivery_id, kind, fact, data, state, reason, language, template_version, created_at, settled_at FROM delivery_notice
        WHERE delivery_id = $1 ORDER BY id LIMIT 500
        """,
        delivery_id,
    )
    return [_notice(row) for row in rows]


def _notice(row: Any) -> Notice:
    given = {name: row[name] for name in dict(row) if name != "fact"}
    return Notice(**given, key=row["fact"])
