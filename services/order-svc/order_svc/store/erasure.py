"""Flows whose person was erased, and whom their orders name.

What is written about a flow and what erases it never miss each other: both lock the order or the subscription, and, where there may be
none yet, the flow itself. So it is with a customer: both lock the account, or, where there may be none yet, the customer.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Connection


async def insert_erased_flows(conn: Connection, flow_ids: Sequence[UUID], now: datetime) -> None:
    """From now on nothing that somebody wrote about them is written down."""
    await conn.execute(
        "INSERT INTO erased_flow (flow_id, erased_at) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING", list(flow_ids), now
    )


async def insert_erased_child(conn: Connection, flow_id: UUID, parent_flow_id: UUID, now: datetime) -> None:
    """A journey that goes on from an erased one is the same person's."""
    await conn.execute(
        """
        INSERT INTO erased_flow (flow_id, erased_at) SELECT $1, $3 FROM erased_flow WHERE flow_id = $2 ON CONFLICT DO NOTHING
        """,
        *(flow_id, parent_flow_id, now),
    )


async def is_erased(conn: Connection, flow_id: UUID) -> bool:
    """Whether the person of a flow was erased. Lock what is on it before, so that the answer stays true."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT FROM erased_flow WHERE flow_id = $1)", flow_id)
    return found


async def is_erased_customer(conn: Connection, customer_id: UUID) -> bool:
    """Whether an order of this customer is on the flow of a person who was erased. Lock the account before, or the customer."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM sales_order JOIN erased_flow USING (flow_id) WHERE customer_id = $1)", customer_id
    )
    return found


async def share_flows(conn: Connection, flow_ids: Sequence[UUID]) -> None:
    """No erasure of these flows goes on until the transaction ends; one that had begun is waited for."""
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock_shared(key)
        FROM (SELECT DISTINCT hashtextextended('erased_flow ' || flow_id, 0) AS key FROM unnest($1::uuid[]) AS flow_id ORDER BY 1) AS keys
        """,
        list(flow_ids),
    )


async def lock_flows(conn: Connection, flow_ids: Sequence[UUID]) -> None:
    """What is being written about these flows is waited for, and what comes waits until the transaction ends."""
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(key)
        FROM (SELECT DISTINCT hashtextextended('erased_flow ' || flow_id, 0) AS key FROM unnest($1::uuid[]) AS flow_id ORDER BY 1) AS keys
        """,
        list(flow_ids),
    )


async def lock_customer(conn: Connection, customer_id: UUID) -> None:
    """Lock a customer who may have no account yet; before the account."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('erased_customer ' || $1::uuid, 0))", customer_id)


async def lock_orders(conn: Connection, flow_ids: Sequence[UUID]) -> tuple[list[UUID], list[str]]:
    """Lock the subscriptions on these flows, the customers, their accounts, and the orders on the flows or of the subscriptions.

    In the order in which everybody locks them. The flows of the orders, and their customers' addresses.
    """
    await conn.execute("SELECT FROM subscription WHERE flow_id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", list(flow_ids))
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(key)
        FROM (SELECT DISTINCT hashtextextended('erased_customer ' || customer_id, 0) AS key FROM sales_order
              WHERE flow_id = ANY($1::uuid[]) OR subscription_id IN (SELECT id FROM subscription WHERE flow_id = ANY($1::uuid[]))
              ORDER BY 1) AS keys
        """,
        list(flow_ids),
    )
    await conn.execute(
        """
        SELECT FROM credit_account WHERE customer_id IN (SELECT customer_id FROM sales_order
            WHERE flow_id = ANY($1::uuid[]) OR subscription_id IN (SELECT id FROM subscription WHERE flow_id = ANY($1::uuid[])))
        ORDER BY customer_id FOR UPDATE
        """,
        list(flow_ids),
    )
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
