"""Follow-up tasks. Lock order: the lead, then its tasks."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.task import Task


class Owned(NamedTuple):
    """A task with the owner of its lead, whose it is when nobody else's."""

    task: Task
    owner: str | None


async def insert_tasks(conn: Connection, tasks: Sequence[Task]) -> None:
    await conn.copy_records_to_table(
        "task",
        records=[tuple(getattr(task, name) for name in _COLUMNS) for task in tasks],
        columns=_COLUMNS,
    )


async def save_task(conn: Connection, t: Task) -> None:
    await conn.execute(
        """
        UPDATE task SET priority = $2, title = $3, note = $4, assignee = $5, due_at = $6, state = $7, outcome = $8, cancel_reason = $9,
               overdue_at = $10, version = $11, updated_at = $12, closed_by = $13, closed_at = $14 WHERE id = $1
        """,
        *(t.id, t.priority, t.title, t.note, t.assignee, t.due_at, t.state, t.outcome, t.cancel_reason, t.overdue_at, t.version),
        *(t.updated_at, t.closed_by, t.closed_at),
    )


async def get_task(conn: Connection, task_id: UUID) -> Owned:
    row = await conn.fetchrow(
        """
        SELECT t.id, t.lead_id, t.clock_id, t.type, t.priority, t.title, t.note, t.assignee, t.due_at, t.state, t.outcome,
               t.cancel_reason, t.overdue_at, t.version, t.created_by, t.created_at, t.updated_at, t.closed_by, t.closed_at, l.owner
        FROM task t JOIN lead l ON l.id = t.lead_id WHERE t.id = $1
        """,
        task_id,
    )
    if row is None:
        raise NotFound(f"no task {task_id}")
    return _owned(row)


async def get_task_for_update(conn: Connection, task_id: UUID) -> Owned:
    """With its lead, which is locked first; a merge in between has moved it to another one, which is locked then."""
    while True:
        lead_id = (await get_task(conn, task_id)).task.lead_id
        await conn.execute("SELECT 1 FROM lead WHERE id = $1 FOR UPDATE", lead_id)
        await conn.execute("SELECT 1 FROM task WHERE id = $1 FOR UPDATE", task_id)
        owned = await get_task(conn, task_id)
        if owned.task.lead_id == lead_id:
            return owned


async def list_tasks(
    conn: Connection,
    *,
    whose: str | None,
    lead_id: UUID | None,
    state: str | None,
    due_before: datetime | None,
    nobodys: bool,
    after: UUID | None,
    limit: int,
) -> list[Owned]:
    """In the order in which they were made. `whose` are those of a person by name and those of the leads that the person owns."""
    rows = await conn.fetch(
        """
        SELECT t.id, t.lead_id, t.clock_id, t.type, t.priority, t.title, t.note, t.assignee, t.due_at, t.state, t.outcome,
               t.cancel_reason, t.overdue_at, t.version, t.created_by, t.created_at, t.updated_at, t.closed_by, t.closed_at, l.owner
        FROM task t JOIN lead l ON l.id = t.lead_id
        WHERE ($1::text IS NULL OR t.assignee = $1
               OR t.assignee IS NULL AND t.lead_id IN (SELECT o.id FROM lead o WHERE o.owner = $1))
          AND ($2::uuid IS NULL OR t.lead_id = $2) AND ($3::text IS NULL OR t.state = $3)
          AND ($4::timestamptz IS NULL OR t.due_at < $4) AND (NOT $5 OR (t.assignee IS NULL AND l.owner IS NULL))
          AND ($6::uuid IS NULL OR t.id > $6)
        ORDER BY t.id LIMIT $7
        """,
        *(whose, lead_id, state, due_before, nobodys, after, limit),
    )
    return [_owned(row) for row in rows]


async def list_open(conn: Connection, lead_ids: Collection[UUID]) -> list[Task]:
    """Of (locked) leads, locked."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, clock_id, type, priority, title, note, assignee, due_at, state, outcome, cancel_reason, overdue_at, version,
               created_by, created_at, updated_at, closed_by, closed_at
        FROM task WHERE lead_id = ANY($1::uuid[]) AND state = 'open' ORDER BY id FOR UPDATE
        """,
        list(lead_ids),
    )
    return [Task(**dict(row)) for row in rows]


async def list_of_clocks(conn: Connection, clock_ids: Collection[UUID]) -> list[Task]:
    """The tasks of first responses, locked."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, clock_id, type, priority, title, note, assignee, due_at, state, outcome, cancel_reason, overdue_at, version,
               created_by, created_at, updated_at, closed_by, closed_at
        FROM task WHERE clock_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE
        """,
        list(clock_ids),
    )
    return [Task(**dict(row)) for row in rows]


async def claim_overdue(conn: Connection, now: datetime, limit: int) -> list[Owned]:
    """Open tasks whose moment has come and of which nobody was told, locked; those of other replicas are passed by."""
    rows = await conn.fetch(
        """
        SELECT t.id, t.lead_id, t.clock_id, t.type, t.priority, t.title, t.note, t.assignee, t.due_at, t.state, t.outcome,
               t.cancel_reason, t.overdue_at, t.version, t.created_by, t.created_at, t.updated_at, t.closed_by, t.closed_at, l.owner
        FROM task t JOIN lead l ON l.id = t.lead_id
        WHERE t.state = 'open' AND t.overdue_at IS NULL AND t.due_at <= $1
        ORDER BY t.due_at, t.id LIMIT $2 FOR UPDATE OF t SKIP LOCKED
        """,
        *(now, limit),
    )
    return [_owned(row) for row in rows]


async def mark_overdue(conn: Connection, task_ids: Collection[UUID], now: datetime) -> None:
    await conn.execute("UPDATE task SET overdue_at = $2 WHERE id = ANY($1::uuid[])", list(task_ids), now)


_COLUMNS = list(Task.__dataclass_fields__)


def _owned(row: Any) -> Owned:
    fields = dict(row)
    owner = fields.pop("owner")
    return Owned(Task(**fields), owner)
