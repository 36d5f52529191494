"""Merges of leads, and the deals of leads that are one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection


@dataclass(frozen=True, slots=True)
class Belonging:
    """To which lead a deal belongs since a merge (None without one), and the other open deals of that lead."""

    living_lead_id: UUID | None
    linked: tuple[UUID, ...]


async def lock_merges(conn: Connection) -> None:
    """One change of what belongs together at a time. Until the transaction ends; merges are rare."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.merged_leads', 0))")


async def lock_opening(conn: Connection) -> None:
    """No merge is taken in while a lead's deal is opened: either the deal sees the merge, or the merge the deal."""
    await conn.execute("SELECT pg_advisory_xact_lock_shared(hashtextextended('sales.merged_leads', 0))")


async def save_merge(conn: Connection, merge_id: UUID, survivor_id: UUID, lead_ids: Sequence[UUID], *, undone: bool) -> None:
    """A merge that is known as undone stays so, whichever came first."""
    await conn.execute(
        """
        INSERT INTO merged_lead (merge_id, lead_id, survivor_id, undone) SELECT $1, unnest($2::uuid[]), $3, $4
        ON CONFLICT (merge_id, lead_id) DO UPDATE SET undone = merged_lead.undone OR excluded.undone
        """,
        *(merge_id, list(lead_ids), survivor_id, undone),
    )


async def living(conn: Connection, lead_id: UUID) -> UUID:
    """The lead that this one is part of by the merges that stand; the latest counts for each."""
    found: UUID = await conn.fetchval(
        """
        WITH RECURSIVE way (lead_id, seen) AS (
            SELECT $1::uuid, ARRAY[$1::uuid]
            UNION ALL
            SELECT n.survivor_id, w.seen || n.survivor_id FROM way w, LATERAL (
                SELECT survivor_id FROM merged_lead WHERE lead_id = w.lead_id AND NOT undone ORDER BY merge_id DESC LIMIT 1) AS n
            WHERE NOT n.survivor_id = ANY(w.seen))
        SELECT lead_id FROM way ORDER BY cardinality(seen) DESC LIMIT 1
        """,
        lead_id,
    )
    return found


async def touched(conn: Connection, lead_ids: Sequence[UUID]) -> list[UUID]:
    """These leads and all that were ever merged into them, one after another."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE part (lead_id) AS (
            SELECT unnest($1::uuid[])
            UNION SELECT m.lead_id FROM part p JOIN merged_lead m ON m.survivor_id = p.lead_id)
        SELECT lead_id FROM part ORDER BY lead_id
        """,
        list(lead_ids),
    )
    return [row["lead_id"] for row in rows]


async def deals_of(conn: Connection, lead_ids: Sequence[UUID]) -> list[Any]:
    """Deals that were opened for these leads, locked."""
    return await conn.fetch(
        """
        SELECT id, lead_id, living_lead_id, version FROM opportunity WHERE lead_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
        """,
        list(lead_ids),
    )


async def attach(conn: Connection, opportunity_id: UUID, living_lead_id: UUID | None) -> None:
    await conn.execute("UPDATE opportunity SET living_lead_id = $2 WHERE id = $1", opportunity_id, living_lead_id)


async def belonging_of(conn: Connection, opportunity_ids: Sequence[UUID]) -> dict[UUID, Belonging]:
    """For deals of leads that were merged; any other one is left out. Closed deals are linked with none."""
    rows = await conn.fetch(
        """
        SELECT o.id, o.living_lead_id, array_remove(array_agg(p.id ORDER BY p.id), NULL) AS linked
        FROM opportunity o LEFT JOIN opportunity p
             ON coalesce(p.living_lead_id, p.lead_id) = coalesce(o.living_lead_id, o.lead_id) AND p.id <> o.id
                AND p.stage NOT IN ('won', 'lost') AND o.stage NOT IN ('won', 'lost')
        WHERE o.id = ANY($1::uuid[]) AND o.lead_id IS NOT NULL
        GROUP BY o.id HAVING o.living_lead_id IS NOT NULL OR count(p.id) > 0
        """,
        list(opportunity_ids),
    )
    return {row["id"]: Belonging(row["living_lead_id"], tuple(row["linked"])) for row in rows}
