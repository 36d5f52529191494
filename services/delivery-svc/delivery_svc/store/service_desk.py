"""Agents and queues of tickets, as versions; and who is there with how much to do."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from delivery_svc.domain.service_desk import Absence, Agent, Load, Queue


async def lock_desk(conn: Connection) -> None:
    """Agents and queues are written, and tickets given out, one at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('ticket_desk', 0))")


async def insert_agent(conn: Connection, a: Agent, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO service_agent (subject, version, email, capacity, active, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(a.subject, a.version, a.email, a.capacity, a.active, by, now),
    )


async def find_agent(conn: Connection, subject: str) -> Agent | None:
    row = await conn.fetchrow(
        """
        SELECT subject, version, email, capacity, active FROM service_agent WHERE subject = $1 ORDER BY version DESC LIMIT 1
        """,
        subject,
    )
    return None if row is None else Agent(**dict(row))


async def list_agents(conn: Connection) -> list[Agent]:
    """The latest version of each; at most 500."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (subject) subject, version, email, capacity, active FROM service_agent ORDER BY subject, version DESC
        LIMIT 500
        """
    )
    return [Agent(**dict(row)) for row in rows]


async def list_agent_versions(conn: Connection, subject: str) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch(
        """
        SELECT subject, version, email, capacity, active, changed_by, changed_at FROM service_agent WHERE subject = $1
        ORDER BY version DESC LIMIT 200
        """,
        subject,
    )


async def insert_absence(conn: Connection, a: Absence, *, by: str, now: datetime) -> None:
    await conn.execute(
        "INSERT INTO agent_absence (id, agent, starts_at, ends_at, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(a.id, a.agent, a.starts_at, a.ends_at, by, now),
    )


async def delete_absence(conn: Connection, agent: str, absence_id: UUID) -> bool:
    row = await conn.fetchrow("DELETE FROM agent_absence WHERE id = $1 AND agent = $2 RETURNING id", absence_id, agent)
    return row is not None


async def list_absences(conn: Connection, agent: str, now: datetime) -> list[Absence]:
    """Those that are not over; at most 200."""
    rows = await conn.fetch(
        """
        SELECT id, agent, starts_at, ends_at FROM agent_absence WHERE agent = $1 AND ends_at > $2 ORDER BY starts_at, id LIMIT 200
        """,
        *(agent, now),
    )
    return [Absence(**dict(row)) for row in rows]


async def insert_queue(conn: Connection, q: Queue, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO ticket_queue (code, version, name, address, alerts_to, lead, members, auto_assign, reopen_days, active, changed_by,
                                  changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        *(
            q.code,
            q.version,
            q.name,
            q.address,
            q.alerts_to,
            q.lead,
            list(q.members),
            q.auto_assign,
            q.reopen_days,
            q.active,
            by,
            now,
        ),
    )


async def find_queue(conn: Connection, code: str) -> Queue | None:
    row = await conn.fetchrow(
        """
        SELECT code, version, name, address, alerts_to, lead, members, auto_assign, reopen_days, active FROM ticket_queue WHERE code = $1
        ORDER BY version DESC LIMIT 1
        """,
        code,
    )
    return None if row is None else Queue(**dict(row))


async def list_queues(conn: Connection) -> list[Queue]:
    """The latest version of each; at most 200."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (code) code, version, name, address, alerts_to, lead, members, auto_assign, reopen_days, active
        FROM ticket_queue
        ORDER BY code, version DESC LIMIT 200
        """
    )
    return [Queue(**dict(row)) for row in rows]


async def list_queue_versions(conn: Connection, code: str) -> list[Any]:
    """With who wrote them, the newest first; at most 200."""
    return await conn.fetch(
        """
        SELECT code, version, name, address, alerts_to, lead, members, auto_assign, reopen_days, active, changed_by, changed_at
        FROM ticket_queue WHERE code = $1 ORDER BY version DESC LIMIT 200
        """,
        code,
    )


async def list_loads(conn: Connection, members: Sequence[str], now: datetime) -> list[Load]:
    """Of those members who are active and there now."""
    rows = await conn.fetch(
        """
        SELECT a.subject AS agent, a.capacity, coalesce(t.tickets, 0)::int AS tickets, t.last_at
        FROM (SELECT DISTINCT ON (subject) subject, capacity, active FROM service_agent WHERE subject = ANY($1::text[])
              ORDER BY subject, version DESC) AS a
        LEFT JOIN LATERAL (
            SELECT count(*) AS tickets, max(g.at) AS last_at FROM ticket o
            LEFT JOIN LATERAL (SELECT max(c.at) AS at FROM ticket_change c WHERE c.ticket_id = o.id AND c.move = 'assign') AS g ON TRUE
            WHERE o.assignee = a.subject AND o.state IN ('new', 'open', 'waiting', 'on_hold')) AS t ON TRUE
        WHERE a.active AND NOT EXISTS (SELECT 1 FROM agent_absence b WHERE b.agent = a.subject AND b.starts_at <= $2 AND b.ends_at > $2)
        ORDER BY a.subject
        """,
        *(list(members), now),
    )
    return [Load(**dict(row)) for row in rows]


async def has_waiting(conn: Connection, queues: Sequence[str]) -> list[str]:
    """Of these queues those that have a new ticket that nobody has."""
    rows = await conn.fetch(
        "SELECT DISTINCT queue FROM ticket WHERE queue = ANY($1::text[]) AND assignee IS NULL AND state = 'new' ORDER BY queue",
        list(queues),
    )
    return [row["queue"] for row in rows]
