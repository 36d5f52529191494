"""The list of reasons with its versions, and each time a lead left the way to sales."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from lead_svc.domain.disqualification import Disqualification, Reason


async def list_reasons(conn: Connection) -> list[Reason]:
    """In the order of their codes, at most 500."""
    rows = await conn.fetch(
        """
        SELECT code, kind, label, wait_days, sales_reasons, active, version FROM disqualification_reason ORDER BY code LIMIT 500
        """
    )
    return [reason_of(row) for row in rows]


async def find_reason(conn: Connection, code: str) -> Reason | None:
    row = await conn.fetchrow(
        "SELECT code, kind, label, wait_days, sales_reasons, active, version FROM disqualification_reason WHERE code = $1", code
    )
    return None if row is None else reason_of(row)


async def find_reason_for_update(conn: Connection, code: str) -> Reason | None:
    row = await conn.fetchrow("SELECT code FROM disqualification_reason WHERE code = $1 FOR UPDATE", code)
    return None if row is None else await find_reason(conn, code)


async def count_reasons(conn: Connection) -> int:
    count: int = await conn.fetchval("SELECT count(*) FROM disqualification_reason")
    return count


async def insert_reason(conn: Connection, reason: Reason, *, by: str, now: datetime) -> bool:
    """False when the code is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO disqualification_reason (code, kind, label, wait_days, sales_reasons, active, version, changed_by, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING code
        """,
        *(reason.code, reason.kind, reason.label, reason.wait_days, reason.sales_reasons, reason.active, reason.version, by, now),
    )
    if row is not None:
        await _insert_version(conn, reason, by, now)
    return row is not None


async def save_reason(conn: Connection, reason: Reason, *, by: str, now: datetime) -> None:
    await conn.execute(
        """
        UPDATE disqualification_reason SET label = $2, wait_days = $3, sales_reasons = $4, active = $5, version = $6, changed_by = $7,
               changed_at = $8
        WHERE code = $1
        """,
        *(reason.code, reason.label, reason.wait_days, reason.sales_reasons, reason.active, reason.version, by, now),
    )
    await _insert_version(conn, reason, by, now)


async def list_versions(conn: Connection, code: str) -> list[Any]:
    """The newest first, at most 200."""
    return await conn.fetch(
        """
        SELECT version, body, changed_by, changed_at FROM disqualification_reason_version
        WHERE code = $1 ORDER BY version DESC LIMIT 200
        """,
        code,
    )


async def insert_disqualification(conn: Connection, made: Disqualification) -> None:
    """The caller has locked the lead; a decision that still ran is over."""
    await end_running(conn, made.lead_id, made.decided_at)
    await conn.execute(
        """
        INSERT INTO disqualification (id, lead_id, code, kind, reason, from_status, opportunity_id, decided_by, decided_at, returns_at,
                                      ended_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(made.id, made.lead_id, made.code, made.kind, made.reason, made.from_status, made.opportunity_id, made.decided_by),
        *(made.decided_at, made.returns_at, made.ended_at),
    )


async def end_running(conn: Connection, lead_id: UUID, now: datetime) -> None:
    """The caller has locked the lead."""
    await conn.execute("UPDATE disqualification SET ended_at = $2 WHERE lead_id = $1 AND ended_at IS NULL", lead_id, now)


async def claim_due(conn: Connection, now: datetime, limit: int) -> list[Disqualification]:
    """Those whose wait is over, with their leads locked; those of another replica are passed by."""
    rows = await conn.fetch(
        """
        SELECT d.id, d.lead_id, d.code, d.kind, d.reason, d.from_status, d.opportunity_id, d.decided_by, d.decided_at, d.returns_at,
               d.ended_at
        FROM disqualification d JOIN lead l ON l.id = d.lead_id
        WHERE d.ended_at IS NULL AND d.returns_at <= $1 ORDER BY d.returns_at LIMIT $2 FOR UPDATE OF l, d SKIP LOCKED
        """,
        *(now, limit),
    )
    return [Disqualification(**dict(row)) for row in rows]


async def list_disqualifications(conn: Connection, lead_id: UUID) -> list[Disqualification]:
    """The newest first, at most 200."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, code, kind, reason, from_status, opportunity_id, decided_by, decided_at, returns_at, ended_at
        FROM disqualification WHERE lead_id = $1 ORDER BY id DESC LIMIT 200
        """,
        lead_id,
    )
    return [Disqualification(**dict(row)) for row in rows]


async def find_return(conn: Connection, lead_id: UUID) -> datetime | None:
    """When the lead last came back from a wait."""
    moment: datetime | None = await conn.fetchval(
        "SELECT max(ended_at) FROM disqualification WHERE lead_id = $1 AND kind = 'recycle'", lead_id
    )
    return moment


def reason_of(row: Any) -> Reason:
    fields = dict(row)
    return Reason(**{**fields, "sales_reasons": tuple(fields["sales_reasons"])})


async def _insert_version(conn: Connection, reason: Reason, by: str, now: datetime) -> None:
    body = {
        "kind": reason.kind,
        "label": reason.label,
        "wait_days": reason.wait_days,
        "sales_reasons": list(reason.sales_reasons),
        "active": reason.active,
    }
    await conn.execute(
        """
        INSERT INTO disqualification_reason_version (code, version, body, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)
        """,
        *(reason.code, reason.version, body, by, now),
    )
