"""Which held orders may fit now: a queue of customers and SKUs, walked an order at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ltc_chassis.db import Connection
from ltc_contracts.events import Line

from order_svc.domain.order import Order


@dataclass(frozen=True, slots=True)
class Walk:
    """One recheck on its way; `order_id` (of `customer_id`) is the next held order, None when it is through."""

    id: int
    order_id: UUID | None
    customer_id: UUID | None


def wanted_by(order: Order, lines: Sequence[Line]) -> list[tuple[UUID | None, str | None]]:
    """By what an order that is held must be checked again, since what happened meanwhile was not seen: its customer, or a SKU each."""
    reasons = order.hold.reasons if order.hold else ()
    wanted: list[tuple[UUID | None, str | None]] = []
    if "credit" in reasons:
        wanted.append((order.customer.customer_id, None))
    if "stock" in reasons:
        wanted += [(None, sku) for sku in sorted({line.sku for line in lines})]
    return wanted


async def ask(conn: Connection, order: Order, lines: Sequence[Line]) -> None:
    """The order was held: look at it once more after this transaction."""
    wanted = wanted_by(order, lines)
    await conn.execute(
        """
        INSERT INTO recheck (customer_id, sku)
        SELECT r.customer_id, r.sku FROM unnest($1::uuid[], $2::text[]) AS r (customer_id, sku)
        """,
        [customer_id for customer_id, _ in wanted],
        [sku for _, sku in wanted],
    )


async def claim(conn: Connection) -> Walk | None:
    """The oldest recheck that nobody walks, with the next order that was held for its reason, the oldest first."""
    row = await conn.fetchrow(
        """
        WITH claimed AS MATERIALIZED (
            SELECT id, customer_id, sku, after_order FROM recheck ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED)
        SELECT claimed.id, next.order_id, next.customer_id FROM claimed LEFT JOIN LATERAL (
            SELECT o.id AS order_id, o.customer_id FROM sales_order o
            WHERE o.state = 'held' AND (claimed.after_order IS NULL OR o.id > claimed.after_order)
              AND ((o.customer_id = claimed.customer_id AND 'credit' = ANY(o.hold_reasons))
                   OR ('stock' = ANY(o.hold_reasons)
                       AND EXISTS (SELECT 1 FROM order_line l WHERE l.order_id = o.id AND l.sku = claimed.sku)))
            ORDER BY o.id LIMIT 1) AS next ON true
        """
    )
    return None if row is None else Walk(row["id"], row["order_id"], row["customer_id"])


async def go_on(conn: Connection, walk: Walk) -> None:
    """The order was looked at; the next comes after it. A walk that is through is removed."""
    if walk.order_id is None:
        await conn.execute("DELETE FROM recheck WHERE id = $1", walk.id)
    else:
        await conn.execute("UPDATE recheck SET after_order = $2 WHERE id = $1", walk.id, walk.order_id)
