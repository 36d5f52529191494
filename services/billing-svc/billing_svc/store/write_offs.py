"""SQL of write-offs, their policy and what moved by them. They change only while their invoice is locked."""

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from billing_svc.domain.write_off import Cause, Limit, Movement, Policy, RecoveryCause, WriteOff


async def get_policy(conn: Connection, now: datetime) -> Policy:
    """The latest; version 0 while nobody has set one."""
    row = await conn.fetchrow(
        "SELECT version, limits, tax_relief, set_by, set_at FROM write_off_policy ORDER BY version DESC LIMIT 1"
    )
    if row is None:
        return Policy(0, (), (), "nobody", now)
    limits = tuple(
        Limit(each["holder"], each["currency"], None if each["up_to"] is None else Decimal(each["up_to"]))
        for each in row["limits"]
    )
    return Policy(row["version"], limits, tuple(row["tax_relief"]), row["set_by"], row["set_at"])


async def insert_policy(conn: Connection, p: Policy) -> bool:
    """False when there is such a version."""
    limits = [
        {"holder": each.holder, "currency": each.currency, "up_to": None if each.up_to is None else str(each.up_to)}
        for each in p.limits
    ]
    status = await conn.execute(
        """
        INSERT INTO write_off_policy (version, limits, tax_relief, set_by, set_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (version) DO NOTHING
        """,
        *(p.version, limits, list(p.tax_relief), p.set_by, p.set_at),
    )
    return bool(status == "INSERT 0 1")


async def insert_write_off(conn: Connection, w: WriteOff) -> bool:
    """False when another one of the invoice waits for a decision."""
    status = await conn.execute(
        """
        INSERT INTO write_off (id, flow_id, invoice_id, number, order_id, currency, amount, tax, cause, reason, state, policy_version,
                               requested_by, requested_on, decided_by, decision, decided_on, created_at, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT (invoice_id) WHERE state = 'requested' DO NOTHING
        """,
        *(
            w.id,
            w.flow_id,
            w.invoice_id,
            w.number,
            w.order_id,
            w.amount.currency,
            w.amount.amount,
            w.tax.amount,
            w.cause,
            w.reason,
        ),
        *(w.state, w.policy_version, w.requested_by, w.requested_on, w.decided_by, w.decision, w.decided_on, w.created_at),
        w.updated_at,
    )
    return bool(status == "INSERT 0 1")


async def save_write_off(conn: Connection, w: WriteOff) -> None:
    """What was decided."""
    await conn.execute(
        """
        UPDATE write_off SET state = $2, tax = $3, decided_by = $4, decision = $5, decided_on = $6, updated_at = $7, policy_version = $8
        WHERE id = $1
        """,
        *(w.id, w.state, w.tax.amount, w.decided_by, w.decision, w.decided_on, w.updated_at, w.policy_version),
    )


async def insert_movement(
    conn: Connection, movement_id: UUID, m: Movement, write_off_id: UUID | None, cause: Cause | RecoveryCause, now: datetime
) -> None:
    await conn.execute(
        """
        INSERT INTO write_off_movement (id, invoice_id, write_off_id, cause, amount, tax, booked_on, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(movement_id, m.invoice.id, write_off_id, cause, m.amount.amount, m.tax.amount, m.booked_on, now),
    )


async def get_write_off(conn: Connection, write_off_id: UUID) -> WriteOff:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, invoice_id, number, order_id, currency, amount, tax, cause, reason, state, policy_version, requested_by,
               requested_on, decided_by, decision, decided_on, created_at, updated_at
        FROM write_off WHERE id = $1
        """,
        write_off_id,
    )
    if row is None:
        raise NotFound(f"no write-off {write_off_id}")
    return _write_off(row)


async def list_write_offs(
    conn: Connection, *, invoice_id: UUID | None, state: str | None, after: UUID | None, limit: int
) -> list[WriteOff]:
    """In the order in which they were asked for."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, invoice_id, number, order_id, currency, amount, tax, cause, reason, state, policy_version, requested_by,
               requested_on, decided_by, decision, decided_on, created_at, updated_at
        FROM write_off
        WHERE ($1::uuid IS NULL OR invoice_id = $1) AND ($2::text IS NULL OR state = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(invoice_id, state, after, limit),
    )
    return [_write_off(row) for row in rows]


def _write_off(row: Any) -> WriteOff:
    fields = dict(row)
    currency = fields.pop("currency")
    for name in ("amount", "tax"):
        fields[name] = Money.of(fields[name], currency)
    return WriteOff(**fields)
