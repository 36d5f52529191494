"""What was told of orders, for their two axes and their promised days."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection

from order_svc.domain.axes import Axes, Moved


async def get_axes(conn: Connection, order_ids: Sequence[UUID]) -> dict[UUID, Axes]:
    """Of each of these orders."""
    sums = await conn.fetch(
        """
        SELECT order_id, line_id, coalesce(sum(quantity) FILTER (WHERE quantity > 0), 0) AS handed_over,
               coalesce(-sum(quantity) FILTER (WHERE quantity < 0), 0) AS returned
        FROM line_delivery WHERE order_id = ANY($1::uuid[]) GROUP BY order_id, line_id
        """,
        list(order_ids),
    )
    told = await conn.fetch(
        """
        SELECT about, coalesce(sum((data->'net'->>'amount')::numeric) FILTER (WHERE topic = 'invoice.credited'), 0) AS credited_net,
               min((data->>'promised_on')::date) FILTER (WHERE topic = 'delivery.promised' AND nth = 1) AS first_on,
               (array_agg((data->>'promised_on')::date ORDER BY nth DESC, occurred_at DESC) FILTER (WHERE topic = 'delivery.promised'))[1]
                   AS latest_on
        FROM order_fact WHERE about = ANY($1::uuid[]) AND topic IN ('invoice.credited', 'delivery.promised') GROUP BY about
        """,
        list(order_ids),
    )
    moved: dict[UUID, dict[UUID, Moved]] = {}
    for row in sums:
        moved.setdefault(row["order_id"], {})[row["line_id"]] = Moved(row["handed_over"], row["returned"])
    by_order = {row["about"]: row for row in told}
    return {order_id: _axes(moved.get(order_id, {}), by_order.get(order_id)) for order_id in order_ids}


def _axes(moved: dict[UUID, Moved], row: Any) -> Axes:
    if row is None:
        return Axes(moved=moved)
    return Axes(
        moved=moved, credited_net=row["credited_net"], first_promised_on=row["first_on"], latest_promised_on=row["latest_on"]
    )
