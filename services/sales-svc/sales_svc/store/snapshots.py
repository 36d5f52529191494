"""One snapshot of the pipeline per day, and what changed between two of them."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection


async def last_day(conn: Connection) -> date | None:
    found: date | None = await conn.fetchval("SELECT max(day) FROM snapshot")
    return found


async def insert_snapshot(conn: Connection, day: date, now: datetime) -> bool:
    """False when somebody else took it; waits for one who is about to."""
    row = await conn.fetchrow(
        "INSERT INTO snapshot (day, taken_at) VALUES ($1, $2) ON CONFLICT (day) DO NOTHING RETURNING day", day, now
    )
    return row is not None


async def insert_snapshot_deals(conn: Connection, day: date) -> None:
    """Deals that were open at the end of the day (UTC), as they stood then, and those closed since the snapshot before.

    A deal that was closed of late with a date of the past is among the latter too, or it would vanish without a word.
    """
    await conn.execute(
        """
        WITH bounds AS (SELECT $1::date::timestamp AT TIME ZONE 'UTC' AS begin, ($1::date + 1)::timestamp AT TIME ZONE 'UTC' AS until)
        INSERT INTO snapshot_deal (day, opportunity_id, stage, pipeline, probability, amount, currency, owner, team, category,
                                   expected_close_on)
        SELECT $1, o.id, s.stage, s.pipeline, s.probability, s.amount, s.currency, s.owner, s.team,
               CASE WHEN s.stage IN ('won', 'lost') THEN 'closed' ELSE coalesce(s.category, c.category, 'pipeline') END,
               s.expected_close_on
        FROM bounds b
        JOIN opportunity o ON o.opened_at < b.until AND (o.closed_at IS NULL OR o.closed_at >= b.begin OR EXISTS (
            SELECT 1 FROM snapshot_deal p WHERE p.day = $1 - 1 AND p.opportunity_id = o.id AND p.stage NOT IN ('won', 'lost')))
        CROSS JOIN LATERAL (
            SELECT stage, pipeline, pipeline_version, probability, amount, currency, owner, team, category, expected_close_on
            FROM opportunity_state WHERE opportunity_id = o.id AND valid_from < b.until
            ORDER BY valid_from DESC, id DESC LIMIT 1
        ) s
        LEFT JOIN stage_category c ON c.pipeline = s.pipeline AND c.version = s.pipeline_version AND c.stage = s.stage
        """,
        day,
    )


async def has_snapshot(conn: Connection, day: date) -> bool:
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM snapshot WHERE day = $1)", day)
    return found


async def list_snapshots(conn: Connection, before: date | None, limit: int) -> list[Any]:
    """Days with when they were taken and how many deals were open, the latest first."""
    return await conn.fetch(
        """
        SELECT s.day, s.taken_at, (SELECT count(*) FROM snapshot_deal d WHERE d.day = s.day AND d.stage NOT IN ('won', 'lost')) AS open
        FROM snapshot s WHERE $1::date IS NULL OR s.day < $1 ORDER BY s.day DESC LIMIT $2
        """,
        *(before, limit),
    )


async def sums(conn: Connection, day: date, by: str, filters: Mapping[str, Any]) -> list[Any]:
    """Open deals of a day per key and currency: number, value, weighted; at most 10,000."""
    return await conn.fetch(
        """
        SELECT CASE $2 WHEN 'owner' THEN owner WHEN 'team' THEN team WHEN 'pipeline' THEN pipeline WHEN 'stage' THEN stage
                       WHEN 'category' THEN category WHEN 'month' THEN to_char(expected_close_on, 'YYYY-MM') END AS key,
               currency, count(*) AS deals, coalesce(sum(amount), 0) AS value,
               coalesce(sum(round(amount * probability / 100, scale(amount))), 0) AS weighted
        FROM snapshot_deal
        WHERE day = $1 AND stage NOT IN ('won', 'lost')
          AND ($3::text IS NULL OR owner = $3) AND ($4::text IS NULL OR team = $4) AND ($5::text IS NULL OR pipeline = $5)
        GROUP BY 1, 2 ORDER BY 1 NULLS LAST, 2 LIMIT 10000
        """,
        *(day, by, filters.get("owner"), filters.get("team"), filters.get("pipeline")),
    )


async def list_movements(
    conn: Connection, begin: date, end: date, filters: Mapping[str, Any], *, kind: str, after: UUID | None, limit: int
) -> list[Any]:
    """Deals that this became of between two snapshots, in the order of their ids.

    `before_*` is how one stood at the beginning, `after_*` at the end, of a closed one when it was closed.
    """
    return await conn.fetch(
        """
        SELECT opportunity_id, kind, before_stage, after_stage, before_amount, before_currency, after_amount, after_currency,
               before_probability, after_probability, owner
        FROM snapshot_movements($1, $2, $3, $4, $5)
        WHERE kind = $6 AND ($7::uuid IS NULL OR opportunity_id > $7)
        ORDER BY opportunity_id LIMIT $8
        """,
        *(begin, end, filters.get("owner"), filters.get("team"), filters.get("pipeline"), kind, after, limit),
    )


async def count_movements(conn: Connection, begin: date, end: date, filters: Mapping[str, Any]) -> list[Any]:
    """Per kind and pair of currencies: number, value before and after; `advanced` of those moved went to a higher probability."""
    return await conn.fetch(
        """
        SELECT kind, before_currency, after_currency, count(*) AS deals, coalesce(sum(before_amount), 0) AS before,
               coalesce(sum(after_amount), 0) AS after, count(*) FILTER (WHERE after_probability > before_probability) AS advanced
        FROM snapshot_movements($1, $2, $3, $4, $5) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        *(begin, end, filters.get("owner"), filters.get("team"), filters.get("pipeline")),
    )
