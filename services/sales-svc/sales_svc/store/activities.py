"""Activities and tasks."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.activity import ERASED, TOUCHES, Activity, Touch


async def insert_activity(conn: Connection, a: Activity) -> None:
    await conn.execute(
        """
        INSERT INTO activity (id, type, subject, body, account_id, opportunity_id, contact_id, by, occurred_at, assignee, due_at,
                              done_at, done_by, version, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
        """,
        *(a.id, a.type, a.subject, a.body, a.account_id, a.opportunity_id, a.contact_id, a.by, a.occurred_at, a.assignee),
        *(a.due_at, a.done_at, a.done_by, a.version, a.created_at, a.updated_at),
    )


async def save_activity(conn: Connection, a: Activity) -> None:
    await conn.execute(
        """
        UPDATE activity SET subject = $2, body = $3, assignee = $4, due_at = $5, done_at = $6, done_by = $7, version = $8,
               updated_at = $9
        WHERE id = $1
        """,
        *(a.id, a.subject, a.body, a.assignee, a.due_at, a.done_at, a.done_by, a.version, a.updated_at),
    )


async def get_activity(conn: Connection, activity_id: UUID) -> Activity:
    row = await conn.fetchrow(
        """
        SELECT id, type, subject, body, account_id, opportunity_id, contact_id, by, occurred_at, assignee, due_at, done_at,
               done_by, version, created_at, updated_at
        FROM activity WHERE id = $1
        """,
        activity_id,
    )
    return _activity(row, activity_id)


async def get_activity_for_update(conn: Connection, activity_id: UUID) -> Activity:
    row = await conn.fetchrow(
        """
        SELECT id, type, subject, body, account_id, opportunity_id, contact_id, by, occurred_at, assignee, due_at, done_at,
               done_by, version, created_at, updated_at
        FROM activity WHERE id = $1 FOR UPDATE
        """,
        activity_id,
    )
    return _activity(row, activity_id)


async def list_activities(conn: Connection, *, filters: Mapping[str, Any], after: UUID | None, limit: int) -> list[Activity]:
    """What was written down last comes first."""
    rows = await conn.fetch(
        """
        SELECT id, type, subject, body, account_id, opportunity_id, contact_id, by, occurred_at, assignee, due_at, done_at,
               done_by, version, created_at, updated_at
        FROM activity
        WHERE ($1::uuid IS NULL OR account_id = $1) AND ($2::uuid IS NULL OR opportunity_id = $2)
          AND ($3::uuid IS NULL OR contact_id = $3) AND ($4::text IS NULL OR type = $4) AND ($5::text IS NULL OR by = $5)
          AND ($6::uuid IS NULL OR id < $6)
        ORDER BY id DESC LIMIT $7
        """,
        *(filters.get(name) for name in ("account_id", "opportunity_id", "contact_id", "type", "by")),
        *(after, limit),
    )
    return [_activity(row) for row in rows]


async def list_tasks(
    conn: Connection,
    *,
    assignee: str | None,
    account_id: UUID | None,
    opportunity_id: UUID | None,
    done: bool | None,
    due_until: datetime | None,
    after: UUID | None,
    limit: int,
) -> list[Activity]:
    """In the order in which they were given."""
    rows = await conn.fetch(
        """
        SELECT id, type, subject, body, account_id, opportunity_id, contact_id, by, occurred_at, assignee, due_at, done_at,
               done_by, version, created_at, updated_at
        FROM activity
        WHERE type = 'task' AND ($1::text IS NULL OR assignee = $1) AND ($2::uuid IS NULL OR account_id = $2)
          AND ($3::uuid IS NULL OR opportunity_id = $3) AND ($4::boolean IS NULL OR $4 = (done_at IS NOT NULL))
          AND ($5::timestamptz IS NULL OR due_at <= $5) AND ($6::uuid IS NULL OR id > $6)
        ORDER BY id LIMIT $7
        """,
        *(assignee, account_id, opportunity_id, done, due_until, after, limit),
    )
    return [_activity(row) for row in rows]


async def last_touches_of_accounts(conn: Connection, account_ids: Sequence[UUID]) -> dict[UUID, Touch]:
    """The last time that anybody met each customer; those nobody met are left out."""
    rows = await conn.fetch(
        """
        SELECT wanted.id, t.type, t.by, t.occurred_at FROM unnest($1::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT type, by, occurred_at FROM activity WHERE account_id = wanted.id AND type = ANY($2::text[])
            ORDER BY occurred_at DESC, id DESC LIMIT 1
        ) t
        """,
        *(account_ids, TOUCHES),
    )
    return {row["id"]: Touch(row["type"], row["by"], row["occurred_at"]) for row in rows}


async def last_touches_of_opportunities(conn: Connection, opportunity_ids: Sequence[UUID]) -> dict[UUID, Touch]:
    """The last time that anybody met the customer of each deal about it; those nobody met are left out."""
    rows = await conn.fetch(
        """
        SELECT wanted.id, t.type, t.by, t.occurred_at FROM unnest($1::uuid[]) AS wanted (id)
        CROSS JOIN LATERAL (
            SELECT type, by, occurred_at FROM activity WHERE opportunity_id = wanted.id AND type = ANY($2::text[])
            ORDER BY occurred_at DESC, id DESC LIMIT 1
        ) t
        """,
        *(opportunity_ids, TOUCHES),
    )
    return {row["id"]: Touch(row["type"], row["by"], row["occurred_at"]) for row in rows}


async def erase_of_persons(conn: Connection, contact_ids: Sequence[UUID], lead_ids: Sequence[UUID], now: datetime) -> None:
    """What was written about persons goes, also in their leads' deals where it is about nobody else; that something was done, when and
    by whom stays."""
    await conn.execute(
        """
        UPDATE activity SET subject = $3, body = NULL, version = version + 1, updated_at = $4
        WHERE (contact_id = ANY($1::uuid[]) OR contact_id IS NULL AND opportunity_id IN (
                   SELECT id FROM opportunity WHERE lead_id = ANY($2::uuid[])))
          AND (subject <> $3 OR body IS NOT NULL)
        """,
        *(list(contact_ids), list(lead_ids), ERASED, now),
    )


def _activity(row: Any, wanted: UUID | None = None) -> Activity:
    if row is None:
        raise NotFound(f"no activity {wanted}")
    return Activity(**dict(row))
