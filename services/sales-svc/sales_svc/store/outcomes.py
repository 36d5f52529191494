"""Reasons, competitors, and what was won and lost."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from sales_svc.domain.outcome import Competitor, Outcome, Reason, competitor_key


async def list_reasons(conn: Connection, outcome: Outcome | None = None) -> list[Reason]:
    """In their order; at most 500."""
    rows = await conn.fetch(
        """
        SELECT outcome, code, label, position, active, version FROM outcome_reason
        WHERE $1::text IS NULL OR outcome = $1 ORDER BY outcome, position, code LIMIT 500
        """,
        outcome,
    )
    return [Reason(**dict(row)) for row in rows]


async def find_reason_for_update(conn: Connection, outcome: Outcome, code: str) -> Reason | None:
    row = await conn.fetchrow(
        """
        SELECT outcome, code, label, position, active, version FROM outcome_reason WHERE outcome = $1 AND code = $2 FOR UPDATE
        """,
        *(outcome, code),
    )
    return None if row is None else Reason(**dict(row))


async def insert_reason(conn: Connection, r: Reason) -> bool:
    """False when there is one of this code."""
    row = await conn.fetchrow(
        """
        INSERT INTO outcome_reason (outcome, code, label, position, active, version) VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT DO NOTHING RETURNING code
        """,
        *(r.outcome, r.code, r.label, r.position, r.active, r.version),
    )
    return row is not None


async def save_reason(conn: Connection, r: Reason) -> None:
    await conn.execute(
        "UPDATE outcome_reason SET label = $3, position = $4, active = $5, version = $6 WHERE outcome = $1 AND code = $2",
        *(r.outcome, r.code, r.label, r.position, r.active, r.version),
    )


async def list_competitors(conn: Connection, after: UUID | None, limit: int) -> list[Competitor]:
    """In the order in which they were entered."""
    rows = await conn.fetch(
        "SELECT id, name, active, version FROM competitor WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2", after, limit
    )
    return [Competitor(**dict(row)) for row in rows]


async def find_competitors(conn: Connection, names: list[str]) -> list[Competitor]:
    """Those of these names, whatever the spelling."""
    rows = await conn.fetch(
        "SELECT id, name, active, version FROM competitor WHERE name_key = ANY($1::text[])",
        [competitor_key(name) for name in names],
    )
    return [Competitor(**dict(row)) for row in rows]


async def find_competitor_for_update(conn: Connection, name: str) -> Competitor | None:
    row = await conn.fetchrow(
        "SELECT id, name, active, version FROM competitor WHERE name_key = $1 FOR UPDATE", competitor_key(name)
    )
    return None if row is None else Competitor(**dict(row))


async def insert_competitor(conn: Connection, c: Competitor) -> bool:
    """False when there is one of this name."""
    row = await conn.fetchrow(
        """
        INSERT INTO competitor (id, name, name_key, active, version) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT DO NOTHING RETURNING id
        """,
        *(c.id, c.name, competitor_key(c.name), c.active, c.version),
    )
    return row is not None


async def save_competitor(conn: Connection, c: Competitor) -> None:
    await conn.execute(
        "UPDATE competitor SET name = $2, active = $3, version = $4 WHERE id = $1", c.id, c.name, c.active, c.version
    )


async def win_loss(
    conn: Connection, by: str, *, begin: datetime | None, until: datetime | None, filters: Mapping[str, Any]
) -> list[Any]:
    """Deals closed in the window per key, outcome and currency: number and value; at most 10,000 rows.

    A deal with several competitors or products counts for each of them; one without any has the key null.
    """
    return await conn.fetch(
        """
        WITH deal AS (
            SELECT *, CASE $1 WHEN 'competitor' THEN competitors WHEN 'product' THEN products ELSE ARRAY[
                          CASE $1 WHEN 'reason' THEN reason_code WHEN 'owner' THEN owner WHEN 'team' THEN team
                                  WHEN 'pipeline' THEN pipeline WHEN 'region' THEN region WHEN 'segment' THEN segment
                                  WHEN 'campaign' THEN campaign WHEN 'source' THEN source END] END AS keys
            FROM opportunity
            WHERE closed_at IS NOT NULL AND ($2::timestamptz IS NULL OR closed_at >= $2)
              AND ($3::timestamptz IS NULL OR closed_at < $3)
              AND ($4::text IS NULL OR owner = $4) AND ($5::text IS NULL OR team = $5) AND ($6::text IS NULL OR pipeline = $6)
        )
        SELECT k.key, stage = 'won' AS won, currency, count(*) AS deals, coalesce(sum(amount), 0) AS value
        FROM deal CROSS JOIN LATERAL unnest(CASE WHEN cardinality(keys) = 0 THEN ARRAY[NULL::text] ELSE keys END) AS k (key)
        GROUP BY 1, 2, 3 ORDER BY 1 NULLS LAST, 2, 3 LIMIT 10000
        """,
        *(by, begin, until, filters.get("owner"), filters.get("team"), filters.get("pipeline")),
    )
