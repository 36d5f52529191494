"""Desks: every version of them."""

from collections.abc import Mapping
from typing import Any

from ltc_chassis.connection import Connection

from lead_svc.domain.desk import Desk, Kind


async def find_desk(conn: Connection, kind: Kind, name: str) -> Desk | None:
    """As it is now."""
    row = await conn.fetchrow(
        """
        SELECT kind, name, version, subject, email, calendar, changed_by, changed_at FROM desk
        WHERE kind = $1 AND name = $2 ORDER BY version DESC LIMIT 1
        """,
        *(kind, name),
    )
    return None if row is None else Desk(**dict(row))


async def insert_desk(conn: Connection, desk: Desk) -> bool:
    """False when another one wrote this version at this moment."""
    row = await conn.fetchrow(
        """
        INSERT INTO desk (kind, name, version, subject, email, calendar, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT DO NOTHING RETURNING version
        """,
        *(desk.kind, desk.name, desk.version, desk.subject, desk.email, _plain(desk.calendar), desk.changed_by, desk.changed_at),
    )
    return row is not None


async def list_desks(conn: Connection, *, after: tuple[str, str] | None, limit: int) -> list[Desk]:
    """As they are now, by kind and name."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (kind, name) kind, name, version, subject, email, calendar, changed_by, changed_at FROM desk
        WHERE $1::text IS NULL OR (kind, name) > ($1, $2) ORDER BY kind, name, version DESC LIMIT $3
        """,
        *(*(after or (None, None)), limit),
    )
    return [Desk(**dict(row)) for row in rows]


async def list_versions(conn: Connection, kind: Kind, name: str) -> list[Desk]:
    """The newest first, at most 200."""
    rows = await conn.fetch(
        """
        SELECT kind, name, version, subject, email, calendar, changed_by, changed_at FROM desk
        WHERE kind = $1 AND name = $2 ORDER BY version DESC LIMIT 200
        """,
        *(kind, name),
    )
    return [Desk(**dict(row)) for row in rows]


async def team_of(conn: Connection, rep: str | None) -> str | None:
    found: str | None = await conn.fetchval("SELECT team FROM rep WHERE subject = $1", rep)
    return found


def _plain(calendar: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if calendar is None else dict(calendar)
