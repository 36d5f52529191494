"""The facts of orders' pages, and what is read of them. Every list is bounded, the latest first."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection

from order_svc.domain.order_page import Fact
from order_svc.store import erasure


async def insert_facts(conn: Connection, facts: Sequence[Fact]) -> None:
    """Each once, whatever was told again; in one order, so that two writers never wait for each other in a circle.

    Of a flow whose person was erased nothing that somebody wrote is kept.
    """
    rows = sorted(facts, key=lambda fact: (fact.about, fact.topic, fact.fact_id, fact.nth))
    flows = [fact.flow_id if fact.data.get("reason") or fact.data.get("note") else None for fact in rows]
    if told_of := [flow_id for flow_id in flows if flow_id]:
        await erasure.share_flows(conn, told_of)
    await conn.execute(
        """
        INSERT INTO order_fact (about, topic, fact_id, nth, occurred_at, data, flow_id)
        SELECT f.about, f.topic, f.fact_id, f.nth, f.occurred_at,
               CASE WHEN e.flow_id IS NULL THEN f.data ELSE without_person(f.topic, f.data) END, f.flow_id
        FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::int[], $5::timestamptz[], $6::jsonb[], $7::uuid[])
             AS f (about, topic, fact_id, nth, occurred_at, data, flow_id)
        LEFT JOIN erased_flow e ON e.flow_id = f.flow_id
        ON CONFLICT DO NOTHING
        """,
        [fact.about for fact in rows],
        [fact.topic for fact in rows],
        [fact.fact_id for fact in rows],
        [fact.nth for fact in rows],
        [fact.occurred_at for fact in rows],
        [fact.data for fact in rows],
        flows,
    )


async def papers_view(conn: Connection, contract_id: UUID) -> list[Any]:
    """What is known of the contract, and of the quote that it names."""
    return await conn.fetch(
        """
        WITH contract AS (
            SELECT topic, fact_id, occurred_at, data FROM order_fact WHERE about = $1 AND topic = 'contract.signed')
        SELECT topic, fact_id, occurred_at, data FROM contract
        UNION ALL
        SELECT f.topic, f.fact_id, f.occurred_at, f.data FROM contract c JOIN order_fact f ON f.about = (c.data->>'quote_id')::uuid
        """,
        contract_id,
    )


async def facts_view(conn: Connection, order_id: UUID, topics: Sequence[str], limit: int) -> list[Any]:
    """The latest facts of each of these topics, up to `limit`, each with how many (`total`) there are of its topic."""
    return await conn.fetch(
        """
        SELECT topic, fact_id, nth, occurred_at, data, total FROM (
            SELECT topic, fact_id, nth, occurred_at, data, count(*) OVER (PARTITION BY topic) AS total,
                   row_number() OVER (PARTITION BY topic ORDER BY occurred_at DESC, fact_id DESC, nth DESC) AS place
            FROM order_fact WHERE about = $1 AND topic = ANY($2::text[])) AS f
        WHERE place <= $3 ORDER BY topic, place
        """,
        order_id,
        list(topics),
        limit,
    )


async def invoices_view(conn: Connection, order_id: UUID, limit: int) -> list[Any]:
    """The latest invoices with what they claim still, and the fact that they were paid, if any.

    What was paid of an invoice and credited since is credit on account, or was refunded: the invoice claims nothing, and never less.
    """
    return await conn.fetch(
        """
        SELECT f.fact_id, f.occurred_at, f.data, f.total, coalesce(greatest(r.open, 0), (f.data->'gross'->>'amount')::numeric) AS open,
               coalesce(r.credited, 0) AS credited, p.data AS paid
        FROM (SELECT about, fact_id, occurred_at, data, count(*) OVER () AS total FROM order_fact
              WHERE about = $1 AND topic = 'invoice.issued' ORDER BY occurred_at DESC, fact_id DESC LIMIT $2) AS f
        LEFT JOIN receivable r ON r.invoice_id = f.fact_id
        LEFT JOIN order_fact p ON p.about = f.about AND p.topic = 'invoice.paid' AND p.fact_id = f.fact_id
        ORDER BY f.occurred_at DESC, f.fact_id DESC
        """,
        order_id,
        limit,
    )


async def productions_view(conn: Connection, order_id: UUID, limit: int) -> list[Any]:
    """The latest productions as they were ordered or changed last, when and for which day first, and how they ended, if they did.

    Of one that failed and was good after all the good end counts.
    """
    return await conn.fetch(
        """
        SELECT p.fact_id, p.data, p.ordered_at, p.first_needed_by, e.topic AS ended, e.occurred_at AS ended_at, e.data AS told,
               count(*) OVER () AS total
        FROM (SELECT DISTINCT ON (fact_id) fact_id, data, first_value(occurred_at) OVER w AS ordered_at,
                     first_value(data->>'needed_by') OVER w AS first_needed_by
              FROM order_fact WHERE about = $1 AND topic IN ('production.ordered', 'production.changed')
              WINDOW w AS (PARTITION BY fact_id ORDER BY nth) ORDER BY fact_id, nth DESC) AS p
        LEFT JOIN LATERAL (
            SELECT topic, occurred_at, data FROM order_fact o
            WHERE o.about = $1 AND o.fact_id = p.fact_id
              AND o.topic IN ('production.completed', 'production.failed', 'production.cancelled')
            ORDER BY o.topic = 'production.completed' DESC, o.occurred_at DESC LIMIT 1) AS e ON true
        ORDER BY p.ordered_at DESC, p.fact_id DESC LIMIT $2
        """,
        order_id,
        limit,
    )


async def tickets_view(conn: Connection, order_id: UUID, limit: int) -> list[Any]:
    """The latest tickets about the order, and whether they are done: resolved as often as they were opened, or part of another."""
    return await conn.fetch(
        """
        SELECT f.fact_id, f.occurred_at, f.data, f.total, r.resolved_at, r.times, m.into_id, m.into_number,
               (SELECT max(nth) FROM order_fact o WHERE o.about = f.fact_id AND o.topic = 'ticket.reopened') AS reopened
        FROM (SELECT about, fact_id, occurred_at, data, count(*) OVER () AS total FROM order_fact
              WHERE about = $1 AND topic = 'ticket.opened' ORDER BY occurred_at DESC, fact_id DESC LIMIT $2) AS f
        LEFT JOIN LATERAL (
            SELECT nth AS times, occurred_at AS resolved_at FROM order_fact o
            WHERE o.about = f.about AND o.topic = 'ticket.resolved' AND o.fact_id = f.fact_id ORDER BY nth DESC LIMIT 1) AS r ON true
        LEFT JOIN LATERAL (
            SELECT (data->>'into_id')::uuid AS into_id, data->>'into_number' AS into_number FROM order_fact o
            WHERE o.about = f.fact_id AND o.topic = 'ticket.merged' LIMIT 1) AS m ON true
        ORDER BY f.occurred_at DESC, f.fact_id DESC
        """,
        order_id,
        limit,
    )


async def changes_view(conn: Connection, order_id: UUID, limit: int) -> list[Any]:
    """The latest changes of the order that were wished in earnest."""
    return await conn.fetch(
        """
        SELECT id AS change_id, state, path, reason, confirmed_by AS by, requested_at, decided_at, decision, lines_version,
               count(*) OVER () AS total
        FROM order_change WHERE order_id = $1 AND state <> 'assessed' ORDER BY id DESC LIMIT $2
        """,
        order_id,
        limit,
    )


async def timeline_view(
    conn: Connection, order_id: UUID, contract_id: UUID, *, after: tuple[datetime, str] | None, limit: int
) -> list[Any]:
    """Everything that happened, in the order in which it did; `key` tells apart what happened at the same moment."""
    at, key = after if after else (None, None)
    return await conn.fetch(
        """
        WITH about AS (
            SELECT $1::uuid AS id UNION SELECT $2::uuid
            UNION SELECT (data->>'quote_id')::uuid FROM order_fact WHERE about = $2 AND topic = 'contract.signed'
            UNION SELECT fact_id FROM order_fact WHERE about = $1 AND topic = 'ticket.opened'),
        happened AS (
            SELECT f.occurred_at AS at, f.topic || ' ' || f.fact_id || lpad(f.nth::text, 11) AS key, f.topic AS what, f.fact_id AS id, f.data
            FROM about a JOIN order_fact f ON f.about = a.id
            UNION ALL
            SELECT changed_at, 'order ' || lpad(version::text, 11), 'order.' || to_state, order_id,
                   jsonb_build_object('from_state', from_state, 'reason', reason, 'by', changed_by)
            FROM state_change WHERE order_id = $1
            UNION ALL
            SELECT w.at, 'order change ' || c.id || w.what, 'order.' || w.what, c.id,
                   jsonb_build_object('reason', c.reason, 'by', c.confirmed_by, 'decision', c.decision)
            FROM order_change c CROSS JOIN LATERAL (
                SELECT c.requested_at AS at, 'change_requested' AS what WHERE c.requested_at IS NOT NULL
                UNION ALL
                SELECT c.decided_at, CASE c.state WHEN 'granted' THEN 'changed' ELSE 'change_refused' END WHERE c.decided_at IS NOT NULL
            ) AS w WHERE c.order_id = $1 AND c.state <> 'assessed' AND c.path <> 'cancellation')
        SELECT at, key, what, id, data FROM happened
        WHERE $3::timestamptz IS NULL OR (at, key COLLATE "C") > ($3, $4::text COLLATE "C")
        ORDER BY at, key COLLATE "C" LIMIT $5
        """,
        *(order_id, contract_id, at, key, limit),
    )
