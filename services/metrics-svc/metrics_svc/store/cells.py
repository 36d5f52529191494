"""The events behind one cell of a KPI's answer: read again alone, they give it again."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from metrics_svc.domain.kpi import Evidence


async def cell_events_view(
    conn: Connection,
    evidence: Evidence,
    *,
    start: datetime,
    end: datetime,
    as_of: datetime,
    known_at: datetime,
    by: str,
    key: str | None,
    after: UUID | None,
    limit: int,
) -> list[Any]:
    """What was counted, what it is compared with, and what told the dimension of their flows; of all keys without one.

    Spend belongs to no flow and tells its dimensions itself.
    """
    return await conn.fetch(
        """
        WITH keys AS (SELECT k.flow_id, k.key FROM flow_keys($3, $4, $5) k),
        counted AS (
            SELECT f.event_id, f.flow_id, f.customer_id FROM facts($3, $4) f LEFT JOIN keys k USING (flow_id)
            WHERE (f.kind = ANY($7::text[]) AND f.occurred_at BETWEEN $1 AND $2
                   OR f.kind = ANY($8::text[]) AND f.begun_at BETWEEN $1 AND $2
                   OR f.kind = ANY($9::text[]) AND f.settled_on BETWEEN $1::timestamptz::date AND least($2::timestamptz, $3)::date
                   OR f.kind = ANY($10::text[]) AND f.due_on BETWEEN $1::timestamptz::date AND least($2::timestamptz, $3)::date)
              AND CASE WHEN f.kind = 'spend' THEN $6::text IS NULL OR coalesce(dimension_of(f, $5), 'unknown') = $6
                       ELSE k.key = coalesce($6, k.key) END),
        due AS (
            SELECT d.flow_id FROM due_orders($1, $2, $3, $4) d JOIN keys k USING (flow_id)
            WHERE 'due' = ANY($14::text[]) AND k.key = coalesce($6, k.key)),
        flows AS (SELECT c.flow_id FROM counted c UNION SELECT d.flow_id FROM due d),
        found AS (
            SELECT c.event_id, c.flow_id FROM counted c
            UNION
            SELECT f.event_id, f.flow_id FROM facts($3, $4) f
            WHERE f.kind = ANY($11::text[]) AND f.flow_id IN (SELECT w.flow_id FROM flows w)
            UNION
            SELECT f.event_id, f.flow_id FROM facts($3, $4) f JOIN keys k USING (flow_id)
            WHERE f.kind = ANY($12::text[]) AND k.key = coalesce($6, k.key)
            UNION
            SELECT f.event_id, f.flow_id FROM facts($3, $4) f
            WHERE f.kind = ANY($13::text[]) AND f.customer_id IN (SELECT c.customer_id FROM counted c)
            UNION
            SELECT h.event_id, h.flow_id FROM fulfilled($3, $4) h
            WHERE h.flow_id IN (SELECT w.flow_id FROM flows w) AND ('due' = ANY($14::text[]) OR h.kind = ANY($14::text[]))),
        behind AS (
            SELECT event_id FROM found
            UNION
            SELECT f.event_id FROM facts($3, $4) f
            WHERE dimension_of(f, $5) IS NOT NULL AND f.flow_id IN (SELECT o.flow_id FROM found o))
        SELECT e.id, e.topic, e.flow_id, e.subject, e.occurred_at, e.recorded_at, m.kind, m.net, m.gross, m.currency
        FROM behind b JOIN event e ON e.id = b.event_id LEFT JOIN milestone m ON m.event_id = e.id
        WHERE $15::uuid IS NULL OR e.id > $15 ORDER BY e.id LIMIT $16
        """,
        *(start, end, as_of, known_at, by, key),
        *(evidence.events, evidence.begun, evidence.settled, evidence.due, evidence.beside, evidence.ever, evidence.customers),
        *(evidence.lines, after, limit),
    )
