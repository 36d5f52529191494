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


async def lock_orders(conn: Connection, flow_ids: Sequence[UUID]) -> tuple[list[UUID], list[str]]:
    """Lock the orders on these flows and those of subscriptions on them, in one order: their flows, and their customers' addresses."""
    rows = await conn.fetch(
        """
        SELECT flow_id, customer_email FROM sales_order
        WHERE flow_id = ANY($1::uuid[]) OR subscription_id IN (SELECT id FROM subscription WHERE flow_id = ANY($1::uuid[]))
        ORDER BY id FOR UPDATE
        """,
        list(flow_ids),
    )
    emails = {row["customer_email"].strip().lower() for row in rows if row["customer_email"]}
    return sorted({row["flow_id"] for row in rows} | set(flow_ids)), sorted(emails)
