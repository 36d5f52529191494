"""Forms, their versions, who changed them, what came in by them, and how often."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound

from lead_svc.domain.form import Action, Form, FormVersion, Happening


async def insert_form(conn: Connection, f: Form) -> bool:
    """False when the key is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO form (key, name, active, version, published, draft, created_by, created_at, updated_by, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (key) DO NOTHING RETURNING key
        """,
        *(f.key, f.name, f.active, f.version, f.published, dict(f.draft), f.created_by, f.created_at, f.updated_by, f.updated_at),
    )
    return row is not None


async def save_form(conn: Connection, f: Form) -> None:
    await conn.execute(
        """
        UPDATE form SET name = $2, active = $3, version = $4, published = $5, draft = $6, updated_by = $7, updated_at = $8,
               retired_at = $9
        WHERE key = $1
        """,
        *(f.key, f.name, f.active, f.version, f.published, dict(f.draft), f.updated_by, f.updated_at, f.retired_at),
    )


async def find_form(conn: Connection, key: str) -> Form | None:
    row = await conn.fetchrow(
        """
        SELECT key, name, active, version, published, draft, created_by, created_at, updated_by, updated_at, retired_at
        FROM form WHERE key = $1
        """,
        key,
    )
    return None if row is None else Form(**dict(row))


async def get_form(conn: Connection, key: str) -> Form:
    found = await find_form(conn, key)
    if found is None:
        raise NotFound("no such form")
    return found


async def get_form_for_update(conn: Connection, key: str) -> Form:
    await conn.execute("SELECT 1 FROM form WHERE key = $1 FOR UPDATE", key)
    return await get_form(conn, key)


async def list_forms(conn: Connection, *, active: bool | None, after: str | None, limit: int) -> list[Form]:
    """In the order of their keys."""
    rows = await conn.fetch(
        """
        SELECT key, name, active, version, published, draft, created_by, created_at, updated_by, updated_at, retired_at
        FROM form WHERE ($1::boolean IS NULL OR active = $1) AND ($2::text IS NULL OR key > $2) ORDER BY key LIMIT $3
        """,
        *(active, after, limit),
    )
    return [Form(**dict(row)) for row in rows]


async def insert_version(conn: Connection, v: FormVersion) -> None:
    await conn.execute(
        "INSERT INTO form_version (form, version, body, published_by, published_at) VALUES ($1, $2, $3, $4, $5)",
        *(v.form, v.version, dict(v.body), v.published_by, v.published_at),
    )


async def find_version(conn: Connection, key: str, version: int) -> FormVersion | None:
    row = await conn.fetchrow(
        "SELECT form, version, body, published_by, published_at FROM form_version WHERE form = $1 AND version = $2",
        *(key, version),
    )
    return None if row is None else FormVersion(**dict(row))


async def list_versions(conn: Connection, key: str, *, after: int, limit: int) -> list[FormVersion]:
    rows = await conn.fetch(
        """
        SELECT form, version, body, published_by, published_at FROM form_version
        WHERE form = $1 AND version > $2 ORDER BY version LIMIT $3
        """,
        *(key, after, limit),
    )
    return [FormVersion(**dict(row)) for row in rows]


async def insert_change(
    conn: Connection, key: str, version: int, action: Action, body: Mapping[str, Any], *, by: str, now: datetime
) -> None:
    await conn.execute(
        'INSERT INTO form_change (id, form, version, action, body, "by", at) VALUES ($1, $2, $3, $4, $5, $6, $7)',
        *(new_id(), key, version, action, dict(body), by, now),
    )


async def list_changes(conn: Connection, key: str, *, after: UUID | None, limit: int) -> list[Any]:
    """Oldest first."""
    return await conn.fetch(
        """
        SELECT id, version, action, body, "by", at FROM form_change WHERE form = $1 AND ($2::uuid IS NULL OR id > $2)
        ORDER BY id LIMIT $3
        """,
        *(key, after, limit),
    )


async def claim_submission(conn: Connection, instance: UUID, key: str, version: int, language: str, *, now: datetime) -> bool:
    """The page that was sent comes in. False when it did before; who sends it at the same time waits for the first one."""
    row = await conn.fetchrow(
        """
        INSERT INTO form_submission (id, form, version, language, outcome, submitted_at) VALUES ($1, $2, $3, $4, 'captured', $5)
        ON CONFLICT (id) DO NOTHING RETURNING id
        """,
        *(instance, key, version, language, now),
    )
    return row is not None


async def has_submission(conn: Connection, instance: UUID) -> bool:
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM form_submission WHERE id = $1)", instance)
    return found


async def save_submission(conn: Connection, instance: UUID, lead_id: UUID, outcome: str) -> None:
    await conn.execute("UPDATE form_submission SET lead_id = $2, outcome = $3 WHERE id = $1", instance, lead_id, outcome)


async def list_submissions(conn: Connection, key: str, *, after: UUID | None, limit: int) -> list[Any]:
    """In the order in which they came in."""
    return await conn.fetch(
        """
        SELECT id, version, language, lead_id, outcome, submitted_at FROM form_submission s
        WHERE form = $1 AND ($2::uuid IS NULL OR (submitted_at, id) > (SELECT a.submitted_at, a.id FROM form_submission a WHERE a.id = $2))
        ORDER BY submitted_at, id LIMIT $3
        """,
        *(key, after, limit),
    )


async def count(conn: Connection, key: str, what: Happening, day: date) -> None:
    """Once more. The last statement of its transaction, since everybody who counts the same waits for it."""
    await conn.execute(
        """
        INSERT INTO form_count (form, day, what, n) VALUES ($1, $2, $3, 1)
        ON CONFLICT (form, day, what) DO UPDATE SET n = form_count.n + 1
        """,
        *(key, day, what),
    )


async def counts_view(conn: Connection, key: str, since: date, until: date) -> list[Any]:
    """What happened per day, both days included; the first 400 days."""
    return await conn.fetch(
        """
        SELECT day,
               coalesce(sum(n) FILTER (WHERE what = 'view'), 0)::bigint AS views,
               coalesce(sum(n) FILTER (WHERE what = 'submission'), 0)::bigint AS submissions,
               coalesce(sum(n) FILTER (WHERE what = 'honeypot'), 0)::bigint AS honeypot,
               coalesce(sum(n) FILTER (WHERE what = 'speed'), 0)::bigint AS speed,
               coalesce(sum(n) FILTER (WHERE what = 'rate'), 0)::bigint AS rate,
               coalesce(sum(n) FILTER (WHERE what = 'expired'), 0)::bigint AS expired,
               coalesce(sum(n) FILTER (WHERE what = 'invalid'), 0)::bigint AS invalid
        FROM form_count WHERE form = $1 AND day BETWEEN $2 AND $3 GROUP BY day ORDER BY day LIMIT 400
        """,
        *(key, since, until),
    )
