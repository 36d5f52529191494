"""Flows whose person was erased, and who their customers are.

What is noted about a flow and what erases it never miss each other: both lock the flow. Whoever notes something shares the lock, and takes
it before the rows that they write words to.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from ltc_chassis.connection import Connection


@dataclass(frozen=True, slots=True)
class Traces:
    """By what a person is known here; addresses in lower case. `recipients` are addresses as mails went to them."""

    ids: list[UUID]
    emails: list[str]
    recipients: list[str]


async def insert_erased_flows(conn: Connection, flow_ids: Sequence[UUID], now: datetime) -> None:
    """From now on nothing that somebody notes about them is written down."""
    await conn.execute(
        "INSERT INTO erased_flow (flow_id, erased_at) SELECT unnest($1::uuid[]), $2 ON CONFLICT DO NOTHING", list(flow_ids), now
    )


async def list_erased(conn: Connection, flow_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these flows whose person was erased. Share them before, so that the answer stays true."""
    rows = await conn.fetch("SELECT flow_id FROM erased_flow WHERE flow_id = ANY($1::uuid[])", list(flow_ids))
    return [row["flow_id"] for row in rows]


async def is_erased_customer(conn: Connection, customer_id: UUID) -> bool:
    """Whether an invoice of this customer is on the flow of a person who was erased. Lock the rules of dunning before."""
    found: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM invoice JOIN erased_flow USING (flow_id) WHERE customer->>'customer_id' = $1)",
        str(customer_id),
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
    """What is being noted about these flows is waited for, and what comes waits until the transaction ends."""
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(key)
        FROM (SELECT DISTINCT hashtextextended('erased_flow ' || flow_id, 0) AS key FROM unnest($1::uuid[]) AS flow_id ORDER BY 1) AS keys
        """,
        list(flow_ids),
    )


async def insert_journey(conn: Connection, flow_id: UUID, parent_flow_id: UUID) -> None:
    """The one goes on from the other; the first that is told counts."""
    await conn.execute(
        "INSERT INTO journey (flow_id, parent_flow_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", flow_id, parent_flow_id
    )


async def list_journeys(conn: Connection, flow_ids: Sequence[UUID]) -> list[UUID]:
    """These flows, and all that go on from them."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE own AS (
            SELECT unnest($1::uuid[]) AS flow_id UNION SELECT j.flow_id FROM own JOIN journey j ON j.parent_flow_id = own.flow_id)
        SELECT flow_id FROM own ORDER BY flow_id
        """,
        list(flow_ids),
    )
    return [row["flow_id"] for row in rows]


async def list_flows_of_address(conn: Connection, email: str) -> list[UUID]:
    """Of the invoices whose customer has this address, in lower case."""
    rows = await conn.fetch(
        "SELECT DISTINCT flow_id FROM invoice WHERE lower(trim(customer->>'email')) = $1 ORDER BY flow_id LIMIT 10000", email
    )
    return [row["flow_id"] for row in rows]


async def get_traces(conn: Connection, flow_ids: Sequence[UUID]) -> Traces:
    """Ids of the invoices on these flows, of their customers and payments; addresses of their customers and of mails about them."""
    rows = await conn.fetch(
        """
        SELECT id, (customer->>'customer_id')::uuid AS customer_id, lower(trim(customer->>'email')) AS email
        FROM invoice WHERE flow_id = ANY($1::uuid[])
        """,
        list(flow_ids),
    )
    paid = await conn.fetch(
        "SELECT DISTINCT payment_id FROM allocation WHERE invoice_id = ANY($1::uuid[])", [row["id"] for row in rows]
    )
    emails = sorted({row["email"] for row in rows if row["email"]})
    mails = await conn.fetch(
        """
        SELECT DISTINCT recipient FROM mail
        WHERE (flow_id = ANY($1::uuid[]) OR lower(recipient) = ANY($2::text[])) AND recipient <> 'erased@erased.invalid'
        """,
        *(list(flow_ids), emails),
    )
    ids = {row["id"] for row in rows} | {row["customer_id"] for row in rows} | {row["payment_id"] for row in paid}
    return Traces(sorted(ids), emails, [row["recipient"] for row in mails])
