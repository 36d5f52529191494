"""Journeys and their versions."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound

from lead_svc.domain.nurture import State


@dataclass(frozen=True, slots=True)
class Journey:
    """A journey by its code; what it does is in its versions."""

    id: UUID
    code: str
    name: str
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Version:
    """One version; `body` is `domain.nurture.Plan` as JSON."""

    journey_id: UUID
    code: str
    version: int
    state: State
    body: dict[str, Any]
    created_by: str
    created_at: datetime


async def insert_journey(conn: Connection, journey: Journey) -> bool:
    """False when the code is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO nurture_journey (id, code, name, created_by, created_at, full_due_at) VALUES ($1, $2, $3, $4, $5, $5)
        ON CONFLICT (code) DO NOTHING RETURNING id
        """,
        *(journey.id, journey.code, journey.name, journey.created_by, journey.created_at),
    )
    return row is not None


async def get_journey(conn: Connection, code: str) -> Journey:
    row = await conn.fetchrow("SELECT id, code, name, created_by, created_at FROM nurture_journey WHERE code = $1", code)
    if row is None:
        raise NotFound(f"no journey '{code[:64]}'")
    return Journey(**dict(row))


async def get_journey_for_update(conn: Connection, code: str) -> Journey:
    await conn.execute("SELECT 1 FROM nurture_journey WHERE code = $1 FOR UPDATE", code)
    return await get_journey(conn, code)


async def list_journeys(conn: Connection, *, after: UUID | None, limit: int) -> list[Journey]:
    rows = await conn.fetch(
        """
        SELECT id, code, name, created_by, created_at FROM nurture_journey WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        *(after, limit),
    )
    return [Journey(**dict(row)) for row in rows]


async def insert_version(conn: Connection, journey_id: UUID, body: dict[str, Any], *, by: str, now: datetime) -> int:
    """The next version's number; the caller has locked the journey."""
    number: int = await conn.fetchval(
        """
        INSERT INTO nurture_version (journey_id, version, state, body, created_by, created_at)
        SELECT $1, coalesce(max(version), 0) + 1, 'draft', $2, $3, $4 FROM nurture_version WHERE journey_id = $1 RETURNING version
        """,
        *(journey_id, body, by, now),
    )
    return number


async def get_version(conn: Connection, code: str, version: int) -> Version:
    row = await conn.fetchrow(
        """
        SELECT v.journey_id, j.code, v.version, v.state, v.body, v.created_by, v.created_at
        FROM nurture_version v JOIN nurture_journey j ON j.id = v.journey_id WHERE j.code = $1 AND v.version = $2
        """,
        *(code, version),
    )
    if row is None:
        raise NotFound(f"no version {version} of a journey '{code[:64]}'")
    return Version(**dict(row))


async def list_versions(conn: Connection, journey_id: UUID) -> list[Any]:
    """Without their bodies, the newest first, at most 200."""
    return await conn.fetch(
        """
        SELECT version, state, created_by, created_at FROM nurture_version WHERE journey_id = $1 ORDER BY version DESC LIMIT 200
        """,
        journey_id,
    )


async def list_moves(conn: Connection, journey_id: UUID, version: int) -> list[Any]:
    """The newest first, at most 200."""
    return await conn.fetch(
        "SELECT move, by, at FROM nurture_move WHERE journey_id = $1 AND version = $2 ORDER BY id DESC LIMIT 200",
        *(journey_id, version),
    )


async def find_active(conn: Connection, journey_id: UUID) -> Version | None:
    """The version that takes leads, which stays it until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT v.journey_id, j.code, v.version, v.state, v.body, v.created_by, v.created_at
        FROM nurture_version v JOIN nurture_journey j ON j.id = v.journey_id
        WHERE v.journey_id = $1 AND v.state = 'active' FOR SHARE OF v
        """,
        journey_id,
    )
    return None if row is None else Version(**dict(row))


async def find_running(conn: Connection, journey_id: UUID) -> int | None:
    """The version that is active or paused; the caller has locked the journey."""
    number: int | None = await conn.fetchval(
        "SELECT version FROM nurture_version WHERE journey_id = $1 AND state IN ('active', 'paused') FOR UPDATE", journey_id
    )
    return number


async def save_state(conn: Connection, version: Version, state: State, *, move: str, by: str, now: datetime) -> None:
    await conn.execute(
        "UPDATE nurture_version SET state = $3 WHERE journey_id = $1 AND version = $2",
        *(version.journey_id, version.version, state),
    )
    await conn.execute(
        "INSERT INTO nurture_move (id, journey_id, version, move, by, at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(new_id(), version.journey_id, version.version, move, by, now),
    )


async def begin_scan(conn: Connection, journey_id: UUID, now: datetime) -> None:
    """All leads are looked at, for a version that has just begun; new ones and what they do from here on."""
    await conn.execute(
        """
        UPDATE nurture_journey SET full_cursor = NULL, full_due_at = $2, lead_cursor = (SELECT id FROM lead ORDER BY id DESC LIMIT 1),
               activity_cursor = (SELECT id FROM activity ORDER BY id DESC LIMIT 1)
        WHERE id = $1
        """,
        *(journey_id, now),
    )


async def claim_scans(conn: Connection) -> list[Any]:
    """The journeys that take leads by a rule, locked; those of another replica are passed by."""
    return await conn.fetch(
        """
        SELECT j.id, j.code, j.lead_cursor, j.activity_cursor, j.full_cursor, j.full_due_at
        FROM nurture_journey j JOIN nurture_version v ON v.journey_id = j.id AND v.state = 'active'
        WHERE jsonb_typeof(v.body -> 'entry') = 'object' ORDER BY j.id FOR UPDATE OF j SKIP LOCKED
        """
    )


async def save_scan(
    conn: Connection,
    journey_id: UUID,
    *,
    lead_cursor: UUID | None,
    activity_cursor: UUID | None,
    full_cursor: UUID | None,
    full_due_at: datetime,
) -> None:
    await conn.execute(
        "UPDATE nurture_journey SET lead_cursor = $2, activity_cursor = $3, full_cursor = $4, full_due_at = $5 WHERE id = $1",
        *(journey_id, lead_cursor, activity_cursor, full_cursor, full_due_at),
    )


async def new_leads(conn: Connection, after: UUID | None, limit: int) -> list[UUID]:
    rows = await conn.fetch("SELECT id FROM lead WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2", after, limit)
    return [row["id"] for row in rows]


async def new_activities(conn: Connection, after: UUID | None, limit: int) -> list[tuple[UUID, UUID]]:
    """Activities and whose they are, in the order they came."""
    rows = await conn.fetch(
        "SELECT id, lead_id FROM activity WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2", after, limit
    )
    return [(row["id"], row["lead_id"]) for row in rows]
