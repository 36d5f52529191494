"""Whether money adds up, and what disagrees where it does not."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection


async def conservation_view(conn: Connection, as_of: datetime, known_at: datetime) -> list[Any]:
    return await conn.fetch(
        """
        SELECT currency, count(*) AS flows, coalesce(sum(quoted), 0) AS quoted, coalesce(sum(contracted), 0) AS contracted,
               coalesce(sum(ordered), 0) AS ordered, coalesce(sum(delivered), 0) AS delivered, coalesce(sum(invoiced), 0) AS invoiced,
               coalesce(sum(gross), 0) AS gross, coalesce(sum(paid), 0) AS paid, coalesce(sum(open), 0) AS open,
               coalesce(sum(cancelled), 0) AS cancelled, coalesce(sum(returned), 0) AS returned, coalesce(sum(credited), 0) AS credited,
               coalesce(sum(refunded), 0) AS refunded, coalesce(sum(on_account), 0) AS on_account,
               coalesce(sum(short), 0) AS short, coalesce(sum(beyond), 0) AS beyond, coalesce(sum(residual), 0) AS residual,
               -- An order without a contract was never on its way to be one; what is cancelled before we confirm it is so no longer.
               coalesce(sum(contracted - coalesce(confirmed, cancelled, 0)), 0) AS in_transit_to_order,
               coalesce(sum(to_delivery), 0) AS in_transit_to_delivery, coalesce(sum(to_invoice), 0) AS in_transit_to_invoice,
               coalesce(sum(to_credit), 0) AS in_transit_to_credit,
               coalesce((SELECT sum(i.written_off) FROM invoices($1, $2) i
                         WHERE i.flow_id IS NOT NULL AND i.currency = c.currency), 0) AS written_off
        FROM conservation($1, $2) c GROUP BY currency ORDER BY currency
        """,
        as_of,
        known_at,
    )


async def cash_view(conn: Connection, as_of: datetime, known_at: datetime) -> list[Any]:
    """`allocated` is what settles invoices: what settled what was taken back since, or went back, does so no longer."""
    return await conn.fetch(
        """
        WITH came AS (SELECT currency, coalesce(sum(gross) FILTER (WHERE kind = 'received'), 0) AS received,
                             coalesce(sum(gross) FILTER (WHERE kind = 'refunded'), 0) AS refunded
                      FROM facts($1, $2) WHERE kind IN ('received', 'refunded') GROUP BY currency),
             settles AS (SELECT currency, sum(applied) AS allocated FROM invoices($1, $2) GROUP BY currency)
        SELECT coalesce(c.currency, s.currency) AS currency, coalesce(c.received, 0) AS received, coalesce(c.refunded, 0) AS refunded,
               coalesce(s.allocated, 0) AS allocated
        FROM came c FULL JOIN settles s ON s.currency = c.currency ORDER BY 1
        """,
        as_of,
        known_at,
    )


async def flow_residual(conn: Connection, flow_id: UUID, as_of: datetime, known_at: datetime) -> Any:
    return await conn.fetchval("SELECT coalesce(sum(residual), 0) FROM conservation($2, $3, $1)", flow_id, as_of, known_at)


async def disagreements_view(conn: Connection, flow_id: UUID | None, as_of: datetime, known_at: datetime, most: int) -> list[Any]:
    """What makes up a residual, the most first, each with the topics and ids of the events that disagree."""
    return await conn.fetch(
        """
        SELECT d.flow_id, d.currency, d.what, d.amount,
               ARRAY(SELECT jsonb_build_object('id', e.id, 'topic', e.topic, 'subject', e.subject)
                     FROM event e WHERE e.id = ANY(d.event_ids) ORDER BY e.id) AS events
        FROM disagreements($2, $3, $1, $4) d ORDER BY d.amount DESC, d.flow_id, d.what
        """,
        *(flow_id, as_of, known_at, most),
    )
