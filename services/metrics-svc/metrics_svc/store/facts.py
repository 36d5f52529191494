"""Facts in, by COPY, and the latest of them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ltc_chassis.connection import Connection
from ltc_chassis.records import Received
from ltc_contracts.envelope import Envelope

from metrics_svc.domain.fulfilment import Fulfilment
from metrics_svc.domain.milestone import Milestone

_EVENT = (
    *("id", "topic", "flow_id", "parent_flow_id", "subject", "sequence", "source", "occurred_at", "recorded_at"),
    *("causation_id", "correlation_id", "trace_id", "partition", "offset", "published_at", "data"),
)
_MILESTONE = (
    *("event_id", "flow_id", "kind", "occurred_at", "recorded_at", "currency", "net", "gross", "open_after", "due_on"),
    *("settled_on", "on_time", "begun_at", "channel", "source", "owner", "country"),
    *("team", "region", "product", "segment", "campaign", "minutes", "score"),
    *("sequence", "cause", "cause_id", "invoice_id", "stated", "prepaid"),
    *("handovers", "last", "handed", "ordered", "short", "beyond", "changes", "customer_id"),
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
        *(m.handovers, m.last, m.handed, m.ordered, m.short, m.beyond, m.changes, m.customer_id),
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


async def first_occurred_at(conn: Connection, as_of: datetime, known_at: datetime) -> datetime | None:
    """Of what was known then: what came later begins no window of the past."""
    found: datetime | None = await conn.fetchval("SELECT min(occurred_at) FROM facts($1, $2)", as_of, known_at)
    return found


async def latest_events_view(conn: Connection, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT seq, id, topic, flow_id, source, occurred_at, coalesce(data->>'number', '') AS number
        FROM event ORDER BY seq DESC LIMIT $1
        """,
        limit,
    )
