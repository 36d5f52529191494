"""Leads that are held back, since another rep has an open deal with the customer."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound


@dataclass(frozen=True, slots=True)
class HeldLead:
    """A lead of a customer with whom another rep has an open deal; `deal` is what it would have been opened with."""

    id: UUID
    lead_id: UUID
    flow_id: UUID
    account_id: UUID
    opportunity_id: UUID
    contact_id: UUID | None
    rep: str
    other_rep: str
    deal: dict[str, Any]
    state: str
    decided_by: str | None
    decided_at: datetime | None
    created_at: datetime


async def insert_held_lead(conn: Connection, h: HeldLead) -> bool:
    """False when the lead is held back already."""
    row = await conn.fetchrow(
        """
        INSERT INTO held_lead (id, lead_id, flow_id, account_id, opportunity_id, contact_id, rep, other_rep, deal, state, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id
        """,
        *(h.id, h.lead_id, h.flow_id, h.account_id, h.opportunity_id, h.contact_id, h.rep, h.other_rep, h.deal, h.state),
        h.created_at,
    )
    return row is not None


async def get_held_lead_for_update(conn: Connection, held_id: UUID) -> HeldLead:
    row = await conn.fetchrow(
        """
        SELECT id, lead_id, flow_id, account_id, opportunity_id, contact_id, rep, other_rep, deal, state, decided_by, decided_at,
               created_at
        FROM held_lead WHERE id = $1 FOR UPDATE
        """,
        held_id,
    )
    if row is None:
        raise NotFound(f"no held lead {held_id}")
    return HeldLead(**dict(row))


async def save_held_lead(conn: Connection, h: HeldLead) -> None:
    await conn.execute(
        "UPDATE held_lead SET state = $2, decided_by = $3, decided_at = $4 WHERE id = $1",
        *(h.id, h.state, h.decided_by, h.decided_at),
    )


async def list_held_leads(
    conn: Connection, *, state: str | None, account_id: UUID | None, rep: str | None, after: UUID | None, limit: int
) -> list[HeldLead]:
    """`rep` is either of the two."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, flow_id, account_id, opportunity_id, contact_id, rep, other_rep, deal, state, decided_by, decided_at,
               created_at
        FROM held_lead
        WHERE ($1::text IS NULL OR state = $1) AND ($2::uuid IS NULL OR account_id = $2)
          AND ($3::text IS NULL OR $3 IN (rep, other_rep)) AND ($4::uuid IS NULL OR id > $4)
        ORDER BY id LIMIT $5
        """,
        *(state, account_id, rep, after, limit),
    )
    return [HeldLead(**dict(row)) for row in rows]
