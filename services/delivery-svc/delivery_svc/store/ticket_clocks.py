"""Policies of tickets, their clocks and what was told of them. Lock order: the ticket, then its clocks."""

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from delivery_svc.domain.ticket_clock import Clock, Policy, Step


async def lock_policies(conn: Connection) -> None:
    """Policies are written one at a time, so that their number is what it says. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('ticket_policy', 0))")


async def insert_policy(conn: Connection, p: Policy, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO ticket_policy (code, version, name, position, queues, priorities, response_minutes, resolution_minutes,
                                   warn_percent, calendar, steps, active, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
        """,
        *(p.code, p.version, p.name, p.position, list(p.queues), list(p.priorities), p.response_minutes, p.resolution_minutes),
        *(p.warn_percent, dict(p.calendar), [_shown(step) for step in p.steps], p.active, by, now),
    )


async def list_policies(conn: Connection) -> list[Policy]:
    """The latest version of each, in the order in which they are asked."""
    rows = await conn.fetch(
        """
        SELECT code, version, name, position, queues, priorities, response_minutes, resolution_minutes, warn_percent, calendar, steps,
               active
        FROM (SELECT DISTINCT ON (code) code, version, name, position, queues, priorities, response_minutes, resolution_minutes,
                     warn_percent, calendar, steps, active FROM ticket_policy ORDER BY code, version DESC) AS latest
        ORDER BY position, code LIMIT 200
        """
    )
    return [_policy(row) for row in rows]


async def get_policy(conn: Connection, code: str, version: int) -> Policy:
    row = await conn.fetchrow(
        """
        SELECT code, version, name, position, queues, priorities, response_minutes, resolution_minutes, warn_percent, calendar, steps,
               active
        FROM ticket_policy WHERE code = $1 AND version = $2
        """,
        *(code, version),
    )
    if row is None:
        raise NotFound(f"no policy '{code}' of version {version}")
    return _policy(row)


async def find_policy(conn: Connection, code: str) -> Policy | None:
    """The latest version."""
    row = await conn.fetchrow(
        """
        SELECT code, version, name, position, queues, priorities, response_minutes, resolution_minutes, warn_percent, calendar, steps,
               active
        FROM ticket_policy WHERE code = $1 ORDER BY version DESC LIMIT 1
        """,
        code,
    )
    return None if row is None else _policy(row)


async def list_policy_versions(conn: Connection, code: str) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch(
        """
        SELECT code, version, name, position, queues, priorities, response_minutes, resolution_minutes, warn_percent, calendar, steps,
               active, changed_by, changed_at
        FROM ticket_policy WHERE code = $1 ORDER BY version DESC LIMIT 200
        """,
        code,
    )


async def insert_clock(conn: Connection, c: Clock) -> None:
    await conn.execute(
        """
        INSERT INTO ticket_clock (id, ticket_id, kind, policy, policy_version, state, target_minutes, started_at, used, running_since,
                                  due_at, position, next_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
        """,
        *(
            c.id,
            c.ticket_id,
            c.kind,
            c.policy,
            c.policy_version,
            c.state,
            c.target_minutes,
            c.started_at,
            c.used,
            c.running_since,
        ),
        *(c.due_at, c.position, c.next_at),
    )


async def save_clock(conn: Connection, c: Clock) -> None:
    await conn.execute(
        """
        UPDATE ticket_clock SET policy = $2, policy_version = $3, state = $4, target_minutes = $5, used = $6, running_since = $7,
               due_at = $8, position = $9, next_at = $10, business_minutes = $11, within_target = $12, ended_at = $13, trouble = NULL
        WHERE id = $1
        """,
        *(c.id, c.policy, c.policy_version, c.state, c.target_minutes, c.used, c.running_since, c.due_at, c.position, c.next_at),
        *(c.business_minutes, c.within_target, c.ended_at),
    )


async def postpone(conn: Connection, clock_id: UUID, until: datetime, trouble: str) -> None:
    """What cannot be told now is tried again later."""
    await conn.execute(
        "UPDATE ticket_clock SET next_at = $2, trouble = $3 WHERE id = $1 AND state = 'running'", clock_id, until, trouble[:500]
    )


async def list_clocks(conn: Connection, ticket_ids: Collection[UUID]) -> list[Clock]:
    """Of (locked, or only shown) tickets: the first response, then the resolution."""
    rows = await conn.fetch(
        """
        SELECT id, ticket_id, kind, policy, policy_version, state, target_minutes, started_at, used, running_since, due_at, position,
               next_at, business_minutes, within_target, ended_at
        FROM ticket_clock WHERE ticket_id = ANY($1::uuid[]) ORDER BY ticket_id, kind
        """,
        list(ticket_ids),
    )
    return [Clock(**dict(row)) for row in rows]


async def claim_due(conn: Connection, now: datetime, limit: int) -> list[Clock]:
    """Clocks of which something is due, their tickets locked; those that another replica works on are passed by."""
    rows = await conn.fetch(
        """
        SELECT c.ticket_id FROM ticket_clock c JOIN ticket t ON t.id = c.ticket_id
        WHERE c.next_at <= $1 ORDER BY c.next_at, c.id LIMIT $2 FOR UPDATE OF t SKIP LOCKED
        """,
        *(now, limit),
    )
    # Read again under the lock: what the statement above saw may be older than what another replica committed meanwhile.
    clocks = await list_clocks(conn, [row["ticket_id"] for row in rows])
    return [clock for clock in clocks if clock.next_at is not None and clock.next_at <= now]


async def insert_notice(
    conn: Connection, clock: Clock, *, level: int, due_at: datetime, now: datetime, to: str | None, mailed: bool
) -> None:
    await conn.execute(
        "INSERT INTO ticket_notice (clock_id, level, due_at, told_at, escalate_to, mailed) VALUES ($1, $2, $3, $4, $5, $6)",
        *(clock.id, level, due_at, now, to, mailed),
    )


async def list_notices(conn: Connection, clock_ids: Collection[UUID]) -> list[Any]:
    return await conn.fetch(
        """
        SELECT clock_id, level, due_at, told_at, escalate_to, mailed FROM ticket_notice
        WHERE clock_id = ANY($1::uuid[]) ORDER BY clock_id, level
        """,
        list(clock_ids),
    )


def _policy(row: Any) -> Policy:
    fields = dict(row)
    return Policy(**{**fields, "steps": tuple(Step(**step) for step in fields["steps"])})


def _shown(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in Step.__dataclass_fields__}
