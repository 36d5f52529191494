"""How deals of an entry cohort went through a pipeline, per rep and for a team."""

from datetime import datetime

from ltc_chassis.connection import Connection

from sales_svc.domain.coaching import Reached, Stay


async def reached(
    conn: Connection, pipeline: str, *, begin: datetime | None, until: datetime | None, team: str | None, owner: str | None = None
) -> dict[str | None, list[Reached]]:
    """By owner (null: nobody's): deals that were opened in the window, by their furthest stage and whether they were won."""
    rows = await conn.fetch(
        """
        SELECT owner, furthest, stage = 'won' AS won, count(*) AS deals FROM opportunity
        WHERE pipeline = $1 AND ($2::timestamptz IS NULL OR opened_at >= $2) AND ($3::timestamptz IS NULL OR opened_at < $3)
          AND ($4::text IS NULL OR team = $4) AND ($5::text IS NULL OR owner = $5)
        GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
        """,
        *(pipeline, begin, until, team, owner),
    )
    found: dict[str | None, list[Reached]] = {}
    for row in rows:
        found.setdefault(row["owner"], []).append(Reached(row["furthest"], row["won"], row["deals"]))
    return found


async def stays(
    conn: Connection, pipeline: str, *, begin: datetime | None, until: datetime | None, team: str | None, owner: str | None = None
) -> dict[str | None, dict[str, Stay]]:
    """By owner, then stage: how long those deals stayed before they left it. The key '' holds all of them together."""
    rows = await conn.fetch(
        """
        SELECT CASE WHEN grouping(o.owner) = 1 THEN '' ELSE o.owner END AS owner, c.from_stage, count(*) AS stays,
               round(avg(c.seconds_in_stage))::bigint AS mean,
               round(percentile_cont(0.5) WITHIN GROUP (ORDER BY c.seconds_in_stage))::bigint AS median
        FROM stage_change c JOIN opportunity o ON o.id = c.opportunity_id
        WHERE o.pipeline = $1 AND ($2::timestamptz IS NULL OR o.opened_at >= $2) AND ($3::timestamptz IS NULL OR o.opened_at < $3)
          AND ($4::text IS NULL OR o.team = $4) AND ($5::text IS NULL OR o.owner = $5)
        GROUP BY GROUPING SETS ((o.owner, c.from_stage), (c.from_stage))
        """,
        *(pipeline, begin, until, team, owner),
    )
    found: dict[str | None, dict[str, Stay]] = {}
    for row in rows:
        found.setdefault(row["owner"], {})[row["from_stage"]] = Stay(row["stays"], row["mean"], row["median"])
    return found
