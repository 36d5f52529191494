"""Flows whose person was erased, and whom their orders name."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Connection


async def insert_erased_flows(conn: Connection, flow_ids: Sequence[UUID], now: datetime) -> None:
    """From now on nothing that somebody wrote about them is written down."""
    await conn.execute(
        "INSERT INTO erased_flow (flow_id, erased_at) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING", list(flow_ids), now
    )


async def lock_orders(conn: Connection, flow_ids: Sequence[UUID]) -> list[str]:
    """Lock the orders of these flows, in one order; the addresses of their customers, in lower case."""
    rows = await conn.fetch(
        "SELECT customer_email FROM sales_order WHERE flow_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(flow_ids)
    )
    return sorted({row["customer_email"].strip().lower() for row in rows if row["customer_email"]})
