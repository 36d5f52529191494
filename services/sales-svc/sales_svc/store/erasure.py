"""What hangs on leads whose person was erased."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.connection import Connection

from sales_svc.domain.contact import ERASED


async def insert_erased_leads(conn: Connection, lead_ids: Sequence[UUID], now: datetime) -> None:
    await conn.execute(
        "INSERT INTO erased_lead (lead_id, erased_at) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING", lead_ids, now
    )


async def is_erased(conn: Connection, lead_id: UUID) -> bool:
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM erased_lead WHERE lead_id = $1)", lead_id)
    return found


async def list_contacts_of_leads(conn: Connection, lead_ids: Sequence[UUID]) -> list[UUID]:
    """In the order of their ids, each once."""
    rows = await conn.fetch(
        """
        SELECT contact_id FROM opportunity WHERE lead_id = ANY($1::uuid[]) AND contact_id IS NOT NULL
        UNION SELECT contact_id FROM held_lead WHERE lead_id = ANY($1::uuid[]) AND contact_id IS NOT NULL
        ORDER BY contact_id
        """,
        lead_ids,
    )
    return [row["contact_id"] for row in rows]


async def erase_names_of_deals(conn: Connection, lead_ids: Sequence[UUID], now: datetime) -> None:
    """A deal with a private person is named after the person."""
    await conn.execute(
        """
        UPDATE opportunity SET name = $2, version = version + 1, updated_at = $3
        WHERE lead_id = ANY($1::uuid[]) AND company IS NULL AND name <> $2
        """,
        *(lead_ids, ERASED, now),
    )
