"""Journeys: their events, the stages reached, and finding them."""

from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection


async def flow_events_view(conn: Connection, flow_id: UUID) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, topic, subject, sequence, source, occurred_at, recorded_at, causation_id, trace_id, published_at, ingested_at,
               data->>'number' AS number
        FROM event WHERE flow_id = $1 ORDER BY id
        """,
        flow_id,
    )


async def flow_stages_view(conn: Connection, flow_id: UUID) -> list[Any]:
    return await conn.fetch(
        "SELECT kind, min(occurred_at) AS reached_at FROM milestone WHERE flow_id = $1 GROUP BY kind ORDER BY 2", flow_id
    )


async def list_flows_view(conn: Connection, *, stage: str | None, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT flow_id, array_agg(DISTINCT kind) AS kinds, min(occurred_at) AS began_at, max(occurred_at) AS latest_at
        FROM milestone WHERE flow_id IS NOT NULL AND ($1::uuid IS NULL OR flow_id > $1)
        GROUP BY flow_id HAVING $2::text IS NULL OR bool_or(kind = $2) ORDER BY flow_id LIMIT $3
        """,
        *(after, stage, limit),
    )


async def find_flows(conn: Connection, text: str) -> list[UUID]:
    """Flows by a business number, or by any id on their events."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT flow_id FROM event
        WHERE flow_id IS NOT NULL AND (data->>'number' = $1 OR subject = $1 OR flow_id::text = $1) LIMIT 50
        """,
        text,
    )
    return [row["flow_id"] for row in rows]
