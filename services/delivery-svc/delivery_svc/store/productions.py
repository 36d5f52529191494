"""Production orders. Whoever writes one has its delivery's row locked."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from delivery_svc.domain.production import Production, ProductionNotFound, Report, State, number_of
from delivery_svc.domain.silence import news_due_at


async def draw_number(conn: Connection, now: datetime) -> str:
    """The next number; not gap-free, since a draw that is rolled back is lost."""
    return number_of(now.year, await conn.fetchval("SELECT nextval('production_number')"))


async def insert_production(conn: Connection, production: Production) -> None:
    p, r = production, production.report
    await conn.execute(
        """
        INSERT INTO production (id, flow_id, version, number, delivery_id, order_id, order_number, line_id, step_id, sku, description,
                                quantity, needed_by, priority, reorder_of, attempt, state, failure, reordered, settled,
                                job_state, quantity_good, quantity_scrap, segment, work_center, actual_start, actual_end,
                                expected_end, reason, as_of, report_sequence, ended_at, created_at, updated_at, start_on, silence,
                                news_due_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25,
                $26, $27, $28, $29, $30, $31, $32, $33, $34, $35, $36, $37)
        """,
        *(p.id, p.flow_id, p.version, p.number, p.delivery_id, p.order_id, p.order_number, p.line_id, p.step_id, p.sku),
        *(
            p.description,
            p.quantity,
            p.needed_by,
            p.priority,
            p.reorder_of,
            p.attempt,
            p.state,
            p.failure,
            p.reordered,
            p.settled,
        ),
        *(r.job_state, r.quantity_good, r.quantity_scrap, r.segment, r.work_center, r.actual_start, r.actual_end, r.expected_end),
        *(r.reason, r.as_of, r.sequence, p.ended_at, p.created_at, p.updated_at, p.start_on, p.silence, news_due_at(p)),
    )


async def save_production(conn: Connection, production: Production) -> None:
    """Write everything that may change."""
    p, r = production, production.report
    await conn.execute(
        """
        UPDATE production SET version = $2, quantity = $3, needed_by = $4, priority = $5, state = $6, failure = $7, reordered = $8,
               job_state = $9, quantity_good = $10, quantity_scrap = $11, segment = $12, work_center = $13, actual_start = $14,
               actual_end = $15, expected_end = $16, reason = $17, as_of = $18, report_sequence = $19, ended_at = $20, updated_at = $21,
               settled = $22, start_on = $23, silence = $24, news_due_at = $25
        WHERE id = $1
        """,
        *(p.id, p.version, p.quantity, p.needed_by, p.priority, p.state, p.failure, p.reordered, r.job_state, r.quantity_good),
        *(
            r.quantity_scrap,
            r.segment,
            r.work_center,
            r.actual_start,
            r.actual_end,
            r.expected_end,
            r.reason,
            r.as_of,
            r.sequence,
        ),
        *(p.ended_at, p.updated_at, p.settled, p.start_on, p.silence, news_due_at(p)),
    )


async def find_production(conn: Connection, production_id: UUID) -> Production | None:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, version, number, delivery_id, order_id, order_number, line_id, step_id, sku, description, quantity,
               needed_by, priority, reorder_of, attempt, state, failure, reordered, settled, job_state, quantity_good, quantity_scrap,
               segment, work_center, actual_start, actual_end, expected_end, reason, as_of, report_sequence, ended_at, created_at,
               updated_at, start_on, silence
        FROM production WHERE id = $1
        """,
        production_id,
    )
    return None if row is None else _production(row)


async def get_production(conn: Connection, production_id: UUID) -> Production:
    """Raises `ProductionNotFound`."""
    found = await find_production(conn, production_id)
    if found is None:
        raise ProductionNotFound(production_id)
    return found


async def list_productions_of(conn: Connection, delivery_id: UUID) -> list[Production]:
    """All of a delivery, in the order in which they were ordered."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, number, delivery_id, order_id, order_number, line_id, step_id, sku, description, quantity,
               needed_by, priority, reorder_of, attempt, state, failure, reordered, settled, job_state, quantity_good, quantity_scrap,
               segment, work_center, actual_start, actual_end, expected_end, reason, as_of, report_sequence, ended_at, created_at,
               updated_at, start_on, silence
        FROM production WHERE delivery_id = $1 ORDER BY created_at, attempt, id
        """,
        delivery_id,
    )
    return [_production(row) for row in rows]


async def claim_silent(conn: Connection, due_before: datetime, limit: int) -> list[UUID]:
    """Productions of which something was to be heard by then, with their deliveries locked; those that others work on are left to them."""
    rows = await conn.fetch(
        """
        SELECT p.id FROM production p JOIN delivery d ON d.id = p.delivery_id
        WHERE p.news_due_at <= $1 ORDER BY p.news_due_at, p.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED
        """,
        *(due_before, limit),
    )
    return [row["id"] for row in rows]


async def list_productions(
    conn: Connection,
    *,
    delivery_id: UUID | None,
    order_id: UUID | None,
    state: State | None,
    waits_for_a_person: bool,
    needed_by: date | None,
    after: UUID | None,
    limit: int,
) -> list[Production]:
    """Productions in the order in which they were ordered; `needed_by` means on that day or before."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, version, number, delivery_id, order_id, order_number, line_id, step_id, sku, description, quantity,
               needed_by, priority, reorder_of, attempt, state, failure, reordered, settled, job_state, quantity_good, quantity_scrap,
               segment, work_center, actual_start, actual_end, expected_end, reason, as_of, report_sequence, ended_at, created_at,
               updated_at, start_on, silence
        FROM production
        WHERE ($1::uuid IS NULL OR delivery_id = $1) AND ($2::uuid IS NULL OR order_id = $2) AND ($3::text IS NULL OR state = $3)
          AND (NOT $4::boolean OR (state = 'failed' AND NOT reordered AND NOT settled) OR silence IS NOT NULL)
          AND ($5::date IS NULL OR needed_by <= $5)
          AND ($6::uuid IS NULL OR id > $6)
        ORDER BY id LIMIT $7
        """,
        delivery_id,
        order_id,
        state,
        waits_for_a_person,
        needed_by,
        after,
        limit,
    )
    return [_production(row) for row in rows]


def _production(row: Any) -> Production:
    return Production(
        id=row["id"],
        flow_id=row["flow_id"],
        version=row["version"],
        number=row["number"],
        delivery_id=row["delivery_id"],
        order_id=row["order_id"],
        order_number=row["order_number"],
        line_id=row["line_id"],
        step_id=row["step_id"],
        sku=row["sku"],
        description=row["description"],
        quantity=row["quantity"],
        start_on=row["start_on"],
        needed_by=row["needed_by"],
        priority=row["priority"],
        reorder_of=row["reorder_of"],
        attempt=row["attempt"],
        state=row["state"],
        failure=row["failure"],
        reordered=row["reordered"],
        settled=row["settled"],
        silence=row["silence"],
        report=Report(
            job_state=row["job_state"],
            quantity_good=row["quantity_good"],
            quantity_scrap=row["quantity_scrap"],
            segment=row["segment"],
            work_center=row["work_center"],
            actual_start=row["actual_start"],
            actual_end=row["actual_end"],
            expected_end=row["expected_end"],
            reason=row["reason"],
            as_of=row["as_of"],
            sequence=row["report_sequence"],
        ),
        ended_at=row["ended_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
    )
