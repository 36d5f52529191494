"""Policies of the first response, the clocks of leads, and what was told of them. Lock order: the lead, then its clocks."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.first_response import Clock, Policy, Step


async def insert_policy(conn: Connection, p: Policy, *, by: str, now: datetime) -> bool:
    """False when another one wrote this version at this moment."""
    row = await conn.fetchrow(
        """
        INSERT INTO sla_policy (code, version, name, priority, condition, target_minutes, warn_percent, calendar, steps, on_return, active,
                                created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(p.code, p.version, p.name, p.priority, dict(p.condition), p.target_minutes, p.warn_percent, dict(p.calendar)),
        *([_shown(step) for step in p.steps], p.on_return, p.active, by, now),
    )
    return row is not None


async def lock_policies(conn: Connection) -> None:
    """Policies are written one at a time, so that their number is what it says. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('lead.sla_policy', 0))")


async def find_policy(conn: Connection, code: str) -> Policy | None:
    """The latest version."""
    row = await conn.fetchrow(
        """
        SELECT code, version, name, priority, condition, target_minutes, warn_percent, calendar, steps, on_return, active
        FROM sla_policy WHERE code = $1 ORDER BY version DESC LIMIT 1
        """,
        code,
    )
    return None if row is None else _policy(row)


async def get_policy(conn: Connection, code: str, version: int) -> Policy:
    row = await conn.fetchrow(
        """
        SELECT code, version, name, priority, condition, target_minutes, warn_percent, calendar, steps, on_return, active
        FROM sla_policy WHERE code = $1 AND version = $2
        """,
        *(code, version),
    )
    if row is None:
        raise NotFound(f"no policy '{code}' of version {version}")
    return _policy(row)


async def list_policies(conn: Connection) -> list[Policy]:
    """The latest version of each, in the order in which they are asked."""
    rows = await conn.fetch(
        """
        SELECT code, version, name, priority, condition, target_minutes, warn_percent, calendar, steps, on_return, active
        FROM (SELECT DISTINCT ON (code) code, version, name, priority, condition, target_minutes, warn_percent, calendar, steps, on_return,
                     active FROM sla_policy ORDER BY code, version DESC) AS latest
        ORDER BY priority, code LIMIT 200
        """
    )
    return [_policy(row) for row in rows]


async def list_versions(conn: Connection, code: str) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch(
        """
        SELECT code, version, name, priority, condition, target_minutes, warn_percent, calendar, steps, on_return, active, created_by,
               created_at
        FROM sla_policy WHERE code = $1 ORDER BY version DESC LIMIT 200
        """,
        code,
    )


async def insert_clocks(conn: Connection, clocks: Sequence[Clock]) -> None:
    await conn.copy_records_to_table(
        "response_clock",
        records=[
            (
                *(c.id, c.lead_id, c.policy, c.policy_version, c.why, c.state, c.started_at, c.due_at, c.warns, list(c.moments)),
                *(c.position, c.next_at),
            )
            for c in clocks
        ],
        columns=(
            *("id", "lead_id", "policy", "policy_version", "why", "state", "started_at", "due_at", "warns", "moments"),
            *("position", "next_at"),
        ),
    )


async def save_clock(conn: Connection, c: Clock) -> None:
    await conn.execute(
        """
        UPDATE response_clock SET state = $2, position = $3, next_at = $4, responded_at = $5, responded_by = $6, activity = $7,
               business_minutes = $8, within_target = $9, dropped_by = $10, ended_at = $11, trouble = NULL
        WHERE id = $1
        """,
        *(c.id, c.state, c.position, c.next_at, c.responded_at, c.responded_by, c.activity, c.business_minutes, c.within_target),
        *(c.dropped_by, c.ended_at),
    )


async def postpone(conn: Connection, clock_id: UUID, until: datetime, trouble: str) -> None:
    """What cannot be told now is tried again later."""
    await conn.execute(
        "UPDATE response_clock SET next_at = $2, trouble = $3 WHERE id = $1 AND state = 'running'", clock_id, until, trouble[:500]
    )


async def list_clocks(conn: Connection, lead_ids: Collection[UUID]) -> list[Clock]:
    """Of leads, the oldest first; at most 200."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, policy, policy_version, why, state, started_at, due_at, warns, moments, position, next_at, responded_at,
               responded_by, activity, business_minutes, within_target, dropped_by, ended_at
        FROM response_clock WHERE lead_id = ANY($1::uuid[]) ORDER BY id LIMIT 200
        """,
        list(lead_ids),
    )
    return [Clock(**dict(row)) for row in rows]


async def list_running(conn: Connection, lead_ids: Collection[UUID]) -> list[Clock]:
    """Of (locked) leads, locked."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, policy, policy_version, why, state, started_at, due_at, warns, moments, position, next_at, responded_at,
               responded_by, activity, business_minutes, within_target, dropped_by, ended_at
        FROM response_clock WHERE lead_id = ANY($1::uuid[]) AND state = 'running' ORDER BY id FOR UPDATE
        """,
        list(lead_ids),
    )
    return [Clock(**dict(row)) for row in rows]


async def get_clocks(conn: Connection, clock_ids: Collection[UUID]) -> list[Clock]:
    """These, of (locked) leads; locked."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, policy, policy_version, why, state, started_at, due_at, warns, moments, position, next_at, responded_at,
               responded_by, activity, business_minutes, within_target, dropped_by, ended_at
        FROM response_clock WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
        """,
        list(clock_ids),
    )
    return [Clock(**dict(row)) for row in rows]


async def claim_due(conn: Connection, now: datetime, limit: int) -> list[Clock]:
    """Clocks of which something is due, their leads locked; those that another replica works on are passed by."""
    rows = await conn.fetch(
        """
        SELECT c.id FROM response_clock c JOIN lead l ON l.id = c.lead_id
        WHERE c.next_at <= $1 ORDER BY c.next_at, c.id LIMIT $2 FOR UPDATE OF l, c SKIP LOCKED
        """,
        *(now, limit),
    )
    return await get_clocks(conn, [row["id"] for row in rows])


async def insert_notice(
    conn: Connection,
    clock: Clock,
    *,
    level: int,
    due_at: datetime,
    now: datetime,
    to: str | None,
    owner: str | None,
    mailed: bool,
    to_pool: bool,
) -> None:
    await conn.execute(
        """
        INSERT INTO response_notice (clock_id, level, due_at, told_at, escalate_to, owner, mailed, to_pool)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(clock.id, level, due_at, now, to, owner, mailed, to_pool),
    )


async def list_notices(conn: Connection, clock_ids: Collection[UUID]) -> list[Any]:
    return await conn.fetch(
        """
        SELECT clock_id, level, due_at, told_at, escalate_to, owner, mailed, to_pool FROM response_notice
        WHERE clock_id = ANY($1::uuid[]) ORDER BY clock_id, level
        """,
        list(clock_ids),
    )


async def list_breached(conn: Connection, now: datetime, *, after: UUID | None, limit: int) -> list[Any]:
    """Clocks that run beyond their target, in the order in which they started, with the owner of the lead and what is not told."""
    return await conn.fetch(
        """
        SELECT c.id, c.lead_id, c.policy, c.policy_version, c.started_at, c.due_at, c.trouble, l.owner, r.team
        FROM response_clock c JOIN lead l ON l.id = c.lead_id LEFT JOIN rep r ON r.subject = l.owner
        WHERE c.state = 'running' AND c.due_at <= $1 AND ($2::uuid IS NULL OR c.id > $2) ORDER BY c.id LIMIT $3
        """,
        *(now, after, limit),
    )


async def report(conn: Connection, *, since: datetime, until: datetime, by: str, now: datetime) -> list[Any]:
    """Clocks that started in the period, by rep, team or policy (who responded, else who owns the lead); at most 1000 lines."""
    return await conn.fetch(
        """
        SELECT key, count(*) AS started, count(*) FILTER (WHERE state = 'responded') AS responded,
               count(*) FILTER (WHERE within_target) AS within,
               count(*) FILTER (WHERE state = 'responded' OR due_at <= $4) AS judged,
               count(*) FILTER (WHERE state = 'running' AND due_at <= $4) AS breaches_open,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY business_minutes) AS median,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY business_minutes) AS p90
        FROM (SELECT c.state, c.within_target, c.due_at, c.business_minutes,
                     CASE $3 WHEN 'policy' THEN c.policy WHEN 'team' THEN r.team WHEN 'rep' THEN coalesce(c.responded_by, l.owner) END AS key
              FROM response_clock c JOIN lead l ON l.id = c.lead_id
              LEFT JOIN rep r ON r.subject = coalesce(c.responded_by, l.owner)
              WHERE c.started_at >= $1 AND c.started_at < $2 AND c.state <> 'dropped') AS each
        GROUP BY key ORDER BY key NULLS LAST LIMIT 1000
        """,
        *(since, until, by, now),
    )


def _policy(row: Any) -> Policy:
    fields = dict(row)
    return Policy(**{**fields, "steps": tuple(Step(**step) for step in fields["steps"])})


def _shown(step: Step) -> dict[str, Any]:
    return {name: getattr(step, name) for name in Step.__dataclass_fields__}
