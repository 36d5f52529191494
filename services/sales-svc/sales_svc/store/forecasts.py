"""Forecast, calls and quotas."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from sales_svc.domain.forecast import Call, Grouping, Kind, Part
from sales_svc.domain.period import Period


async def forecast(
    conn: Connection, *, by: Grouping, begin: date | None, until: date | None, filters: Mapping[str, Any]
) -> list[Part]:
    """Open deals that are expected to close in the window (all, without one), and those won in it (none, without one).

    Raises nothing; at most 10,000 parts, by key.
    """
    rows = await conn.fetch(
        """
        WITH deal AS (
            SELECT o.owner, o.team, o.pipeline, o.stage, o.amount, o.currency, o.probability, o.expected_close_on AS day,
                   coalesce(o.category, c.category, 'pipeline') AS category
            FROM opportunity o
            LEFT JOIN stage_category c ON c.pipeline = o.pipeline AND c.version = o.pipeline_version AND c.stage = o.stage
            WHERE o.stage NOT IN ('won', 'lost')
              AND ($2::date IS NULL OR (o.expected_close_on >= $2 AND o.expected_close_on < $3::date))
            UNION ALL
            SELECT owner, team, pipeline, stage, amount, currency, 100, (closed_at AT TIME ZONE 'UTC')::date, 'closed'
            FROM opportunity
            WHERE stage = 'won' AND closed_at >= $2::date::timestamp AT TIME ZONE 'UTC'
              AND closed_at < $3::date::timestamp AT TIME ZONE 'UTC'
        )
        SELECT CASE $1 WHEN 'owner' THEN owner WHEN 'team' THEN team WHEN 'pipeline' THEN pipeline WHEN 'stage' THEN stage
                       WHEN 'month' THEN to_char(day, 'YYYY-MM') WHEN 'category' THEN category END AS key,
               category, currency, count(*) AS deals, coalesce(sum(amount), 0) AS value,
               coalesce(sum(round(amount * probability / 100, scale(amount))), 0) AS weighted
        FROM deal
        WHERE ($4::text IS NULL OR owner = $4) AND ($5::text IS NULL OR team = $5) AND ($6::text IS NULL OR pipeline = $6)
        GROUP BY 1, 2, 3 ORDER BY 1 NULLS LAST, 2, 3 LIMIT 10000
        """,
        *(by, begin, until, filters.get("owner"), filters.get("team"), filters.get("pipeline")),
    )
    return [Part(**dict(row)) for row in rows]


async def count_undated(conn: Connection, filters: Mapping[str, Any]) -> int:
    """Open deals that nobody said when they will close, so that no period has them."""
    number: int = await conn.fetchval(
        """
        SELECT count(*) FROM opportunity
        WHERE stage NOT IN ('won', 'lost') AND expected_close_on IS NULL
          AND ($1::text IS NULL OR owner = $1) AND ($2::text IS NULL OR team = $2) AND ($3::text IS NULL OR pipeline = $3)
        """,
        *(filters.get("owner"), filters.get("team"), filters.get("pipeline")),
    )
    return number


async def insert_call(conn: Connection, call_id: UUID, c: Call) -> None:
    await conn.execute(
        """
        INSERT INTO forecast_call (id, period, kind, name, category, currency, amount, note, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        """,
        *(call_id, c.period, c.kind, c.name, c.category, c.currency, c.amount, c.note, c.created_by, c.created_at),
    )


async def latest_calls(conn: Connection, period: str, kind: Kind) -> list[Call]:
    """The calls that count, by name; at most 5,000."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (name, category, currency)
               period, kind, name, category, currency, amount, note, created_by, created_at
        FROM forecast_call WHERE period = $1 AND kind = $2 ORDER BY name, category, currency, id DESC LIMIT 5000
        """,
        *(period, kind),
    )
    return [Call(**dict(row)) for row in rows]


async def list_calls(
    conn: Connection, *, period: str, kind: Kind, name: str, after: UUID | None, limit: int
) -> list[tuple[UUID, Call]]:
    """Every call, those that no longer count included, in the order in which they were made."""
    rows = await conn.fetch(
        """
        SELECT id, period, kind, name, category, currency, amount, note, created_by, created_at FROM forecast_call
        WHERE period = $1 AND kind = $2 AND name = $3 AND ($4::uuid IS NULL OR id > $4) ORDER BY id LIMIT $5
        """,
        *(period, kind, name, after, limit),
    )
    return [(row["id"], Call(**{name: row[name] for name in Call.__slots__})) for row in rows]


async def latest_quota(conn: Connection, period: str, kind: Kind, name: str, currency: str) -> tuple[int, Decimal] | None:
    """Its version and amount."""
    row = await conn.fetchrow(
        """
        SELECT version, amount FROM quota WHERE period = $1 AND kind = $2 AND name = $3 AND currency = $4
        ORDER BY version DESC LIMIT 1
        """,
        *(period, kind, name, currency),
    )
    return None if row is None else (row["version"], row["amount"])


async def insert_quota(
    conn: Connection,
    *,
    quota_id: UUID,
    period: str,
    kind: Kind,
    name: str,
    currency: str,
    amount: Decimal,
    version: int,
    by: str,
    now: datetime,
) -> bool:
    """False when there is a version of this number."""
    row = await conn.fetchrow(
        """
        INSERT INTO quota (id, period, kind, name, currency, amount, version, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING id
        """,
        *(quota_id, period, kind, name, currency, amount, version, by, now),
    )
    return row is not None


async def list_quotas(conn: Connection, period: str, kind: Kind) -> list[Any]:
    """Every version: name, currency, amount, version, created_by, created_at; the latest of each first; at most 5,000."""
    return await conn.fetch(
        """
        SELECT name, currency, amount, version, created_by, created_at FROM quota
        WHERE period = $1 AND kind = $2 ORDER BY name, currency, version DESC LIMIT 5000
        """,
        *(period, kind),
    )


async def attainment(conn: Connection, period: Period, kind: Kind) -> list[Any]:
    """Per name and currency: quota (null: none), its version, value won in the period, open value weighted that is expected in it."""
    return await conn.fetch(
        """
        WITH plan AS (
            SELECT DISTINCT ON (name, currency) name, currency::text, amount AS quota, version FROM quota
            WHERE period = $1 AND kind = $2 ORDER BY name, currency, version DESC
        ), deal AS (
            SELECT CASE $2 WHEN 'rep' THEN owner ELSE team END AS name, currency::text, stage = 'won' AS won, amount, probability
            FROM opportunity
            WHERE currency IS NOT NULL
              AND ((stage = 'won' AND closed_at >= $3::date::timestamp AT TIME ZONE 'UTC'
                    AND closed_at < $4::date::timestamp AT TIME ZONE 'UTC')
                   OR (stage NOT IN ('won', 'lost') AND expected_close_on >= $3::date AND expected_close_on < $4::date))
        ), done AS (
            SELECT name, currency, coalesce(sum(amount) FILTER (WHERE won), 0) AS won,
                   coalesce(sum(round(amount * probability / 100, scale(amount))) FILTER (WHERE NOT won), 0) AS weighted
            FROM deal WHERE name IS NOT NULL GROUP BY name, currency
        )
        SELECT coalesce(p.name, d.name) AS name, coalesce(p.currency, d.currency) AS currency, p.quota, p.version,
               coalesce(d.won, 0) AS won, coalesce(d.weighted, 0) AS weighted
        FROM plan p FULL JOIN done d ON d.name = p.name AND d.currency = p.currency
        ORDER BY 1, 2 LIMIT 5000
        """,
        *(period.code, kind, period.begin, period.until),
    )
