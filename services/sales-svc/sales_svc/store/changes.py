"""Who changed what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection


@dataclass(frozen=True, slots=True)
class Change:
    """One recorded change; `changes` is field to [before, after], or the names of fields whose values are personal."""

    id: UUID
    version: int
    by: str
    at: datetime
    changes: Mapping[str, Any]


async def insert_change(
    conn: Connection,
    entity: str,
    entity_id: UUID | str,
    *,
    change_id: UUID,
    version: int,
    by: str,
    at: datetime,
    changes: Mapping[str, Any],
) -> None:
    await conn.execute(
        "INSERT INTO change_log (id, entity, entity_id, version, by, at, changes) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(change_id, entity, str(entity_id), version, by, at, changes),
    )


async def insert_changes(conn: Connection, entity: str, made: Sequence[tuple[UUID | str, Change]]) -> None:
    """Many at once, each with the id of its entity."""
    await conn.executemany(
        "INSERT INTO change_log (id, entity, entity_id, version, by, at, changes) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [(each.id, entity, str(entity_id), each.version, each.by, each.at, each.changes) for entity_id, each in made],
    )


async def list_changes(conn: Connection, entity: str, entity_id: UUID | str, *, after: UUID | None, limit: int) -> list[Change]:
    rows = await conn.fetch(
        """
        SELECT id, version, by, at, changes FROM change_log
        WHERE entity = $1 AND entity_id = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
        """,
        *(entity, str(entity_id), after, limit),
    )
    return [Change(**dict(row)) for row in rows]
