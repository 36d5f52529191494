"""What became of leads: how far each one got, and sales' opportunities for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_chassis.connection import Connection

from lead_svc.domain.lead import Outcome


async def mark_qualified(conn: Connection, lead_ids: Sequence[UUID], at: datetime) -> None:
    """The first time counts."""
    await conn.execute(
        """
        INSERT INTO lead_outcome (lead_id, qualified_at) SELECT unnest($1::uuid[]), $2
        ON CONFLICT (lead_id) DO UPDATE SET qualified_at = coalesce(lead_outcome.qualified_at, excluded.qualified_at), lost_at = NULL
        """,
        *(sorted(lead_ids), at),
    )


async def mark_converted(conn: Connection, lead_id: UUID, at: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO lead_outcome (lead_id, converted_at) VALUES ($1, $2)
        ON CONFLICT (lead_id) DO UPDATE SET converted_at = coalesce(lead_outcome.converted_at, excluded.converted_at), lost_at = NULL
        """,
        *(lead_id, at),
    )


async def mark_won(conn: Connection, lead_id: UUID, at: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO lead_outcome (lead_id, won_at) VALUES ($1, $2)
        ON CONFLICT (lead_id) DO UPDATE SET won_at = coalesce(lead_outcome.won_at, excluded.won_at), lost_at = NULL
        """,
        *(lead_id, at),
    )


async def mark_lost(conn: Connection, lead_id: UUID, at: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO lead_outcome (lead_id, lost_at) VALUES ($1, $2)
        ON CONFLICT (lead_id) DO UPDATE SET lost_at = excluded.lost_at
        """,
        *(lead_id, at),
    )


async def insert_history(conn: Connection, settled: Sequence[tuple[UUID, Outcome]], at: datetime) -> None:
    """Of leads that were just inserted."""
    await conn.execute(
        """
        INSERT INTO lead_outcome (lead_id, converted_at, won_at, lost_at)
        SELECT lead_id, CASE WHEN outcome IN ('converted', 'won') THEN $3::timestamptz END, CASE outcome WHEN 'won' THEN $3 END,
               CASE outcome WHEN 'lost' THEN $3 END
        FROM unnest($1::uuid[], $2::text[]) AS n (lead_id, outcome)
        """,
        *([lead_id for lead_id, _ in settled], [outcome for _, outcome in settled], at),
    )


async def mark_open(conn: Connection, lead_id: UUID) -> None:
    """The lead is nurtured again: it is not lost for good."""
    await conn.execute("UPDATE lead_outcome SET lost_at = NULL WHERE lead_id = $1", lead_id)


async def find_outcome(conn: Connection, lead_id: UUID) -> Any:
    return await conn.fetchrow("SELECT qualified_at, converted_at, won_at, lost_at FROM lead_outcome WHERE lead_id = $1", lead_id)


async def insert_opportunity(conn: Connection, opportunity_id: UUID, lead_id: UUID, at: datetime) -> bool:
    """False when it is known already."""
    row = await conn.fetchrow(
        """
        INSERT INTO lead_opportunity (opportunity_id, lead_id, state, opened_at) VALUES ($1, $2, 'open', $3)
        ON CONFLICT DO NOTHING RETURNING opportunity_id
        """,
        *(opportunity_id, lead_id, at),
    )
    return row is not None


async def close_opportunity(
    conn: Connection, opportunity_id: UUID, state: Literal["won", "lost"], reason: str | None, at: datetime
) -> None:
    await conn.execute(
        "UPDATE lead_opportunity SET state = $2, reason = $3, closed_at = $4 WHERE opportunity_id = $1",
        *(opportunity_id, state, reason, at),
    )


async def find_lead_of(conn: Connection, opportunity_id: UUID) -> UUID | None:
    """The lead that an opportunity was opened for."""
    found: UUID | None = await conn.fetchval("SELECT lead_id FROM lead_opportunity WHERE opportunity_id = $1", opportunity_id)
    return found


async def find_lead_of_flow(conn: Connection, flow_id: UUID) -> UUID | None:
    found: UUID | None = await conn.fetchval("SELECT id FROM lead WHERE flow_id = $1", flow_id)
    return found


async def list_opportunities(conn: Connection, lead_id: UUID) -> list[Any]:
    """The oldest first, at most 200."""
    return await conn.fetch(
        """
        SELECT opportunity_id, state, reason, opened_at, closed_at FROM lead_opportunity
        WHERE lead_id = $1 ORDER BY opened_at, opportunity_id LIMIT 200
        """,
        lead_id,
    )


async def count_by(conn: Connection, dimension: Literal["source", "channel", "campaign", "country"]) -> list[Any]:
    """How many leads came and what became of them, the most first, at most 200 lines."""
    return await conn.fetch(
        """
        SELECT CASE $1 WHEN 'source' THEN l.source WHEN 'channel' THEN l.channel WHEN 'campaign' THEN l.campaign ELSE l.country END
                   AS value,
               count(*) AS leads, count(o.qualified_at) AS qualified, count(o.converted_at) AS converted, count(o.won_at) AS won,
               count(o.lost_at) AS lost
        FROM lead l LEFT JOIN lead_outcome o ON o.lead_id = l.id WHERE l.status <> 'merged'
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 200
        """,
        dimension,
    )
