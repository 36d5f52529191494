"""Who sells, in which team."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound


@dataclass(frozen=True, slots=True)
class Rep:
    """One who sells."""

    id: UUID
    name: str
    team: str | None
    manager: str | None
    region: str | None
    active: bool
    version: int
    email: str | None = None


async def get_rep(conn: Connection, name: str) -> Rep:
    row = await conn.fetchrow("SELECT id, name, team, manager, region, active, version, email FROM rep WHERE name = $1", name)
    if row is None:
        raise NotFound(f"no rep '{name}'")
    return Rep(**dict(row))


async def find_rep_for_update(conn: Connection, name: str) -> Rep | None:
    row = await conn.fetchrow(
        "SELECT id, name, team, manager, region, active, version, email FROM rep WHERE name = $1 FOR UPDATE", name
    )
    return None if row is None else Rep(**dict(row))


async def team_of(conn: Connection, name: str) -> str | None:
    """The rep's team; None for somebody unknown."""
    found: str | None = await conn.fetchval("SELECT team FROM rep WHERE name = $1", name)
    return found


async def insert_rep(conn: Connection, r: Rep) -> bool:
    """False when there is a rep of this name."""
    row = await conn.fetchrow(
        """
        INSERT INTO rep (id, name, team, manager, region, active, version, email) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (name) DO NOTHING RETURNING id
        """,
        *(r.id, r.name, r.team, r.manager, r.region, r.active, r.version, r.email),
    )
    return row is not None


async def save_rep(conn: Connection, r: Rep) -> None:
    await conn.execute(
        "UPDATE rep SET team = $2, manager = $3, region = $4, active = $5, version = $6, email = $7 WHERE id = $1",
        *(r.id, r.team, r.manager, r.region, r.active, r.version, r.email),
    )


async def list_reps(conn: Connection, team: str | None, after: UUID | None, limit: int) -> list[Rep]:
    """In the order in which they were entered."""
    rows = await conn.fetch(
        """
        SELECT id, name, team, manager, region, active, version, email FROM rep
        WHERE ($1::text IS NULL OR team = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(team, after, limit),
    )
    return [Rep(**dict(row)) for row in rows]


async def reps_of(conn: Connection, names: Sequence[str]) -> dict[str, Rep]:
    """Those of these names that are known."""
    rows = await conn.fetch(
        "SELECT id, name, team, manager, region, active, version, email FROM rep WHERE name = ANY($1::text[])", list(names)
    )
    return {row["name"]: Rep(**dict(row)) for row in rows}


async def find_email(conn: Connection, names: Sequence[str]) -> str | None:
    """Where to reach the first of these who is active and has an address."""
    found: str | None = await conn.fetchval(
        """
        SELECT r.email FROM unnest($1::text[]) WITH ORDINALITY AS wanted (name, position) JOIN rep r USING (name)
        WHERE r.active AND r.email IS NOT NULL ORDER BY wanted.position LIMIT 1
        """,
        list(names),
    )
    return found
