"""The process of each order, what it went through, and the policies of its steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection

from order_svc.domain.process import Ended, Policy, Position


@dataclass(frozen=True, slots=True)
class Moved:
    """An order whose process is elsewhere now: where, the step that is over with it (if one is), and the event that did it."""

    order_id: UUID
    invoicing: str
    position: Position
    ended: Ended | None
    cause: UUID | None


async def save_positions(conn: Connection, moved: Sequence[Moved]) -> None:
    """Where processes are now, under the policies of their steps as they are now; and the steps that are over. Lock the orders before.

    Deadlines that were told stay told when a process comes back to the same wait (a cancellation was refused).
    """
    await conn.execute(
        """
        WITH moved AS MATERIALIZED (
            SELECT m.* FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::boolean[], $7::uuid[],
                                   $8::text[], $9::timestamptz[], $10::timestamptz[], $11::text[])
                AS m (order_id, invoicing, step, waiting_for, since, compensating, cause, ended_step, started_at, ended_at, outcome)),
        ended AS (
            INSERT INTO order_process_step (order_id, step, started_at, ended_at, outcome, cause)
            SELECT order_id, ended_step, started_at, ended_at, outcome, cause FROM moved WHERE ended_step IS NOT NULL)
        INSERT INTO order_process AS p (order_id, step, waiting_for, since, deadline, attempt, compensating, policy_id)
        SELECT m.order_id, m.step, m.waiting_for, m.since,
               CASE WHEN told.attempt < policy.attempts THEN m.since + policy.timeout * (told.attempt + 1) END,
               told.attempt, m.compensating, policy.id
        FROM moved m
        CROSS JOIN LATERAL (
            SELECT count(*)::int AS attempt FROM order_process_step s
            WHERE s.order_id = m.order_id AND s.step = m.step AND s.outcome = 'late' AND s.started_at = m.since) AS told
        LEFT JOIN LATERAL (
            SELECT y.id, y.timeout, y.attempts FROM process_policy y WHERE y.step = m.step AND y.invoicing IN ('any', m.invoicing)
            ORDER BY (y.invoicing = 'any'), y.version DESC LIMIT 1) AS policy ON true
        ON CONFLICT (order_id) DO UPDATE SET step = excluded.step, waiting_for = excluded.waiting_for, since = excluded.since,
            deadline = excluded.deadline, attempt = excluded.attempt, compensating = excluded.compensating,
            policy_id = excluded.policy_id
        """,
        [each.order_id for each in moved],
        [each.invoicing for each in moved],
        [each.position.step for each in moved],
        [each.position.waiting_for for each in moved],
        [each.position.since for each in moved],
        [each.position.compensating for each in moved],
        [each.cause for each in moved],
        [each.ended and each.ended.step for each in moved],
        [each.ended and each.ended.started_at for each in moved],
        [each.ended and each.ended.ended_at for each in moved],
        [each.ended and each.ended.outcome for each in moved],
    )


async def claim_late(conn: Connection, now: datetime, limit: int) -> list[Any]:
    """Processes whose deadline has passed, with their orders locked; those that somebody works on come later."""
    return await conn.fetch(
        """
        SELECT p.order_id, p.step, p.waiting_for, p.since, p.deadline, p.attempt, p.compensating, y.timeout, y.attempts, y.action
        FROM order_process p JOIN sales_order o ON o.id = p.order_id JOIN process_policy y ON y.id = p.policy_id
        WHERE p.deadline <= $1 ORDER BY p.deadline, p.order_id LIMIT $2 FOR UPDATE OF o, p SKIP LOCKED
        """,
        now,
        limit,
    )


async def save_late(
    conn: Connection, order_id: UUID, attempt: int, deadline: datetime | None, step: Ended, cause: UUID | None
) -> None:
    """A deadline was told; the next one, if any."""
    await conn.execute(
        """
        WITH late AS (
            INSERT INTO order_process_step (order_id, step, started_at, ended_at, outcome, cause) VALUES ($1, $4, $5, $6, 'late', $7))
        UPDATE order_process SET attempt = $2, deadline = $3 WHERE order_id = $1
        """,
        order_id,
        attempt,
        deadline,
        step.step,
        step.started_at,
        step.ended_at,
        cause,
    )


async def get_process(conn: Connection, order_id: UUID) -> Any:
    return await conn.fetchrow(
        """
        SELECT step, waiting_for, since, deadline, attempt, compensating FROM order_process WHERE order_id = $1
        """,
        order_id,
    )


async def list_steps(conn: Connection, order_id: UUID, *, limit: int) -> list[Any]:
    """The steps that are over, oldest first; of very many the latest."""
    rows = await conn.fetch(
        """
        SELECT id, step, started_at, ended_at, outcome, cause FROM order_process_step WHERE order_id = $1 ORDER BY id DESC LIMIT $2
        """,
        order_id,
        limit,
    )
    return list(reversed(rows))


async def insert_policy(
    conn: Connection, step: str, invoicing: str, policy: Policy, *, by: str, reason: str | None, now: datetime
) -> int:
    """The next version of a step's policy. Two at once: the second waits, and is the version after."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('process_policy:' || $1 || ':' || $2, 0))", step, invoicing)
    version: int = await conn.fetchval(
        """
        INSERT INTO process_policy (step, invoicing, version, timeout, attempts, action, changed_by, reason, created_at)
        SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5, $6, $7, $8 FROM process_policy WHERE step = $1 AND invoicing = $2
        RETURNING version
        """,
        step,
        invoicing,
        policy.timeout,
        policy.attempts,
        policy.action,
        by,
        reason,
        now,
    )
    return version


async def list_policies(conn: Connection, *, step: str | None, after: int | None, limit: int) -> list[Any]:
    """Every version of every policy, in the order in which they were made."""
    return await conn.fetch(
        """
        SELECT id, step, invoicing, version, timeout, attempts, action, changed_by, reason, created_at FROM process_policy
        WHERE ($1::text IS NULL OR step = $1) AND ($2::bigint IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        step,
        after,
        limit,
    )
