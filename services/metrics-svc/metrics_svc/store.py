"""Every SQL statement of metrics-svc but those of the KPIs, which have a file each in `kpis/`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.records import Received
from ltc_contracts.envelope import Envelope

from metrics_svc.domain import Milestone
from metrics_svc.fulfilment import Fulfilment

_EVENT = (
    *("id", "topic", "flow_id", "parent_flow_id", "subject", "sequence", "source", "occurred_at", "recorded_at"),
    *("causation_id", "correlation_id", "trace_id", "partition", "offset", "published_at", "data"),
)
_MILESTONE = (
    *("event_id", "flow_id", "kind", "occurred_at", "recorded_at", "currency", "net", "gross", "open_after", "due_on"),
    *("settled_on", "on_time", "begun_at", "channel", "source", "owner", "country"),
    *("team", "region", "product", "segment", "campaign", "minutes", "score"),
    *("sequence", "cause", "cause_id", "invoice_id", "stated", "prepaid"),
    *("handovers", "last", "handed", "ordered", "short", "beyond", "changes"),
)

_FULFILMENT = ("event_id", "flow_id", "order_id", "kind", "occurred_at", "recorded_at", "line_id", "quantity", "day", "version")


def event_row(item: Received, data: dict[str, Any]) -> tuple[object, ...]:
    """In the order of `_EVENT`."""
    e = item.envelope
    trace_id = e.traceparent[3:35] if e.traceparent and len(e.traceparent) == 55 else None
    return (
        *(e.id, item.topic, e.flow_id, e.parent_flow_id, e.subject, e.sequence, e.source, e.occurred_at, e.recorded_at),
        *(e.causation_id, e.correlation_id, trace_id, item.partition, item.offset, item.published_at, data),
    )


def milestone_row(envelope: Envelope, m: Milestone) -> tuple[object, ...]:
    """In the order of `_MILESTONE`."""
    return (
        *(envelope.id, envelope.flow_id, m.kind, envelope.occurred_at, envelope.recorded_at, m.currency, m.net, m.gross),
        *(m.open_after, m.due_on, m.settled_on, m.on_time, m.begun_at, m.channel, m.source, m.owner, m.country),
        *(m.team, m.region, m.product, m.segment, m.campaign, m.minutes, m.score),
        *(envelope.sequence, m.cause, m.cause_id, m.invoice_id, m.stated, m.prepaid),
        *(m.handovers, m.last, m.handed, m.ordered, m.short, m.beyond, m.changes),
    )


def fulfilment_row(envelope: Envelope, f: Fulfilment) -> tuple[object, ...]:
    """In the order of `_FULFILMENT`."""
    return (
        *(envelope.id, envelope.flow_id, f.order_id, f.kind, f.at or envelope.occurred_at, envelope.recorded_at),
        *(f.line_id, f.quantity, f.day, f.version),
    )


async def insert_facts(conn: Connection, events: Sequence[tuple[object, ...]], milestones: Sequence[tuple[object, ...]]) -> None:
    """By COPY; the inbox has left only new events."""
    await conn.copy_records_to_table("event", records=events, columns=list(_EVENT))
    if milestones:
        await conn.copy_records_to_table("milestone", records=milestones, columns=list(_MILESTONE))


async def insert_fulfilments(conn: Connection, rows: Sequence[tuple[object, ...]]) -> None:
    """By COPY, as `insert_facts`."""
    if rows:
        await conn.copy_records_to_table("fulfilment", records=rows, columns=list(_FULFILMENT))


async def kpi_view(
    conn: Connection, sql: str, *, start: datetime, end: datetime, as_of: datetime, known_at: datetime, by: str
) -> list[Any]:
    """Run a KPI's own statement: rows of key, name, value."""
    return await conn.fetch(sql, start, end, as_of, known_at, by)


async def kpi_events_view(
    conn: Connection, kinds: Sequence[str], *, start: datetime, end: datetime, known_at: datetime, after: UUID | None, limit: int
) -> list[Any]:
    """The events behind a number."""
    return await conn.fetch(
        """
        SELECT e.id, e.topic, e.flow_id, e.subject, e.occurred_at, e.recorded_at, m.kind, m.net, m.gross, m.currency
        FROM milestone m JOIN event e ON e.id = m.event_id
        WHERE m.kind = ANY($1::text[]) AND m.occurred_at BETWEEN $2 AND $3 AND m.recorded_at <= $4
          AND ($5::uuid IS NULL OR e.id > $5)
        ORDER BY e.id LIMIT $6
        """,
        *(list(kinds), start, end, known_at, after, limit),
    )


async def first_occurred_at(conn: Connection) -> datetime | None:
    found: datetime | None = await conn.fetchval("SELECT min(occurred_at) FROM milestone")
    return found


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


async def conservation_view(conn: Connection, as_of: datetime, known_at: datetime) -> list[Any]:
    return await conn.fetch(
        """
        SELECT currency, count(*) AS flows, coalesce(sum(quoted), 0) AS quoted, coalesce(sum(contracted), 0) AS contracted,
               coalesce(sum(ordered), 0) AS ordered, coalesce(sum(delivered), 0) AS delivered, coalesce(sum(invoiced), 0) AS invoiced,
               coalesce(sum(gross), 0) AS gross, coalesce(sum(paid), 0) AS paid, coalesce(sum(open), 0) AS open,
               coalesce(sum(cancelled), 0) AS cancelled, coalesce(sum(returned), 0) AS returned, coalesce(sum(credited), 0) AS credited,
               coalesce(sum(refunded), 0) AS refunded, coalesce(sum(on_account), 0) AS on_account,
               coalesce(sum(short), 0) AS short, coalesce(sum(beyond), 0) AS beyond, coalesce(sum(residual), 0) AS residual,
               -- An order without a contract was never on its way to be one; what is cancelled before we confirm it is so no longer.
               coalesce(sum(contracted - coalesce(confirmed, cancelled, 0)), 0) AS in_transit_to_order,
               coalesce(sum(to_delivery), 0) AS in_transit_to_delivery, coalesce(sum(to_invoice), 0) AS in_transit_to_invoice,
               coalesce(sum(to_credit), 0) AS in_transit_to_credit,
               coalesce((SELECT sum(i.written_off) FROM invoices($1, $2) i
                         WHERE i.flow_id IS NOT NULL AND i.currency = c.currency), 0) AS written_off
        FROM conservation($1, $2) c GROUP BY currency ORDER BY currency
        """,
        as_of,
        known_at,
    )


async def cash_view(conn: Connection, as_of: datetime, known_at: datetime) -> list[Any]:
    """`allocated` is what settles invoices: what settled what was taken back since, or went back, does so no longer."""
    return await conn.fetch(
        """
        WITH came AS (SELECT currency, coalesce(sum(gross) FILTER (WHERE kind = 'received'), 0) AS received,
                             coalesce(sum(gross) FILTER (WHERE kind = 'refunded'), 0) AS refunded
                      FROM facts($1, $2) WHERE kind IN ('received', 'refunded') GROUP BY currency),
             settles AS (SELECT currency, sum(applied) AS allocated FROM invoices($1, $2) GROUP BY currency)
        SELECT coalesce(c.currency, s.currency) AS currency, coalesce(c.received, 0) AS received, coalesce(c.refunded, 0) AS refunded,
               coalesce(s.allocated, 0) AS allocated
        FROM came c FULL JOIN settles s ON s.currency = c.currency ORDER BY 1
        """,
        as_of,
        known_at,
    )


async def flow_residual(conn: Connection, flow_id: UUID, as_of: datetime, known_at: datetime) -> Any:
    return await conn.fetchval("SELECT coalesce(sum(residual), 0) FROM conservation($2, $3, $1)", flow_id, as_of, known_at)


async def disagreements_view(conn: Connection, flow_id: UUID | None, as_of: datetime, known_at: datetime, most: int) -> list[Any]:
    """What makes up a residual, the most first, each with the topics and ids of the events that disagree."""
    return await conn.fetch(
        """
        SELECT d.flow_id, d.currency, d.what, d.amount,
               ARRAY(SELECT jsonb_build_object('id', e.id, 'topic', e.topic, 'subject', e.subject)
                     FROM event e WHERE e.id = ANY(d.event_ids) ORDER BY e.id) AS events
        FROM disagreements($2, $3, $1, $4) d ORDER BY d.amount DESC, d.flow_id, d.what
        """,
        *(flow_id, as_of, known_at, most),
    )


async def latest_events_view(conn: Connection, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT seq, id, topic, flow_id, source, occurred_at, coalesce(data->>'number', '') AS number
        FROM event ORDER BY seq DESC LIMIT $1
        """,
        limit,
    )
