"""Opportunities and their moves."""

from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money

from sales_svc.domain.opportunity import Opportunity, StageChange


async def insert_opportunity(conn: Connection, o: Opportunity) -> bool:
    """False when the lead has an opportunity already."""
    row = await conn.fetchrow(
        """
        INSERT INTO opportunity (id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency,
                                 channel, source, stage_since, version, created_at, updated_at, account_id, contact_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
        ON CONFLICT (lead_id) DO NOTHING RETURNING id
        """,
        *(o.id, o.flow_id, o.lead_id, o.name, o.company, o.country, o.owner, o.stage, o.probability, *_split(o.value)),
        *(o.channel, o.source, o.stage_since, o.version, o.created_at, o.updated_at, o.account_id, o.contact_id),
    )
    return row is not None


async def get_opportunity(conn: Connection, opportunity_id: UUID) -> Opportunity:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel, source,
               stage_since, lost_reason, version, created_at, updated_at, account_id, contact_id
        FROM opportunity WHERE id = $1
        """,
        opportunity_id,
    )
    return _opportunity(row, opportunity_id)


async def get_opportunity_for_update(conn: Connection, opportunity_id: UUID) -> Opportunity:
    row = await conn.fetchrow(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel, source,
               stage_since, lost_reason, version, created_at, updated_at, account_id, contact_id
        FROM opportunity WHERE id = $1 FOR UPDATE
        """,
        opportunity_id,
    )
    return _opportunity(row, opportunity_id)


async def save_opportunity(conn: Connection, o: Opportunity) -> None:
    await conn.execute(
        """
        UPDATE opportunity SET stage = $2, probability = $3, amount = $4, currency = $5, stage_since = $6, lost_reason = $7,
               version = $8, updated_at = $9, contact_id = $10 WHERE id = $1
        """,
        *(o.id, o.stage, o.probability, *_split(o.value), o.stage_since, o.lost_reason, o.version, o.updated_at, o.contact_id),
    )


async def list_opportunities(
    conn: Connection,
    *,
    flow_id: UUID | None,
    stage: str | None,
    owner: str | None,
    lead_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[Opportunity]:
    rows = await conn.fetch(
        """
        SELECT id, flow_id, lead_id, name, company, country, owner, stage, probability, amount, currency, channel, source,
               stage_since, lost_reason, version, created_at, updated_at, account_id, contact_id
        FROM opportunity
        WHERE ($1::uuid IS NULL OR flow_id = $1) AND ($2::text IS NULL OR stage = $2) AND ($3::text IS NULL OR owner = $3)
          AND ($4::uuid IS NULL OR lead_id = $4) AND ($5::uuid IS NULL OR id > $5) ORDER BY id LIMIT $6
        """,
        *(flow_id, stage, owner, lead_id, after, limit),
    )
    return [_opportunity(row) for row in rows]


async def insert_stage_change(conn: Connection, change_id: UUID, opportunity_id: UUID, change: StageChange) -> None:
    await conn.execute(
        """
        INSERT INTO stage_change (id, opportunity_id, from_stage, to_stage, seconds_in_stage, changed_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(change_id, opportunity_id, change.from_stage, change.to_stage, change.seconds_in_stage, change.changed_at),
    )


async def list_stage_changes(conn: Connection, opportunity_id: UUID) -> list[StageChange]:
    rows = await conn.fetch(
        "SELECT from_stage, to_stage, seconds_in_stage, changed_at FROM stage_change WHERE opportunity_id = $1 ORDER BY id",
        opportunity_id,
    )
    return [StageChange(**dict(row)) for row in rows]


def _split(value: Money | None) -> tuple[Any, Any]:
    return (None, None) if value is None else (value.amount, value.currency)


def _opportunity(row: Any, wanted: UUID | None = None) -> Opportunity:
    if row is None:
        raise NotFound(f"no opportunity {wanted}")
    fields = dict(row)
    amount, currency = fields.pop("amount"), fields.pop("currency")
    return Opportunity(**fields, value=None if amount is None else Money.of(amount, currency))
