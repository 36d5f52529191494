"""Stock, and what of it is reserved."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.db import Connection

from order_svc.domain.stock import Pick, Shelf


def shelf_of(sku: str, site: str, on_hand: Decimal, as_of: datetime, reserved: Decimal) -> Shelf:
    """From the columns of `stock`."""
    return Shelf(sku=sku, site=site, on_hand=on_hand, as_of=as_of, reserved=reserved)


async def get_shelf_for_update(conn: Connection, sku: str, site: str, as_of: datetime) -> Shelf | None:
    """The shelf, locked until the transaction ends; it is made where there is none, and None is returned."""
    made = await conn.fetchval(
        """
        INSERT INTO stock (sku, site, on_hand, as_of) VALUES ($1, $2, 0, $3) ON CONFLICT DO NOTHING RETURNING true
        """,
        sku,
        site,
        as_of,
    )
    if made:
        return None
    row = await conn.fetchrow(
        "SELECT sku, site, on_hand, as_of, reserved FROM stock WHERE sku = $1 AND site = $2 FOR UPDATE", sku, site
    )
    return None if row is None else shelf_of(*row)


async def get_shelves(conn: Connection, skus: Sequence[str]) -> list[Shelf]:
    """The shelves of these SKUs, as they are at the moment."""
    rows = await conn.fetch(
        "SELECT sku, site, on_hand, as_of, reserved FROM stock WHERE sku = ANY($1::text[]) ORDER BY sku, site", sorted(set(skus))
    )
    return [shelf_of(*row) for row in rows]


async def get_shelves_for_update(conn: Connection, skus: Sequence[str]) -> list[Shelf]:
    """The shelves of these SKUs, locked until the transaction ends."""
    rows = await conn.fetch(
        """
        SELECT sku, site, on_hand, as_of, reserved FROM stock WHERE sku = ANY($1::text[]) ORDER BY sku, site FOR UPDATE
        """,
        sorted(set(skus)),
    )
    return [shelf_of(*row) for row in rows]


async def get_left_since(conn: Connection, sku: str, site: str, moment: datetime) -> Decimal:
    """Pieces that were delivered from a shelf after a moment."""
    left: Decimal = await conn.fetchval(
        """
        SELECT (SELECT coalesce(sum(quantity), 0) FROM reservation
                WHERE sku = $1 AND site = $2 AND state = 'consumed' AND ended_at > $3)
             + (SELECT coalesce(sum(quantity), 0) FROM reservation_part WHERE sku = $1 AND site = $2 AND ended_at > $3)
        """,
        sku,
        site,
        moment,
    )
    return left


async def save_counted(conn: Connection, shelf: Shelf) -> None:
    """What was counted; held orders that want the SKU are checked again."""
    await conn.execute(
        """
        WITH shelf AS (UPDATE stock SET on_hand = $3, as_of = $4 WHERE sku = $1 AND site = $2)
        INSERT INTO recheck (sku) VALUES ($1)
        """,
        shelf.sku,
        shelf.site,
        shelf.on_hand,
        shelf.as_of,
    )


async def get_reserved_for_update(conn: Connection, order_id: UUID) -> tuple[list[Pick], list[Shelf]]:
    """What an order has reserved, with the shelves it lies on, locked until the transaction ends."""
    rows = await conn.fetch(
        """
        SELECT r.line_id, r.quantity, s.sku, s.site, s.on_hand, s.as_of, s.reserved
        FROM reservation r JOIN stock s USING (sku, site) WHERE r.order_id = $1 AND r.state = 'reserved'
        ORDER BY s.sku, s.site FOR UPDATE OF s
        """,
        order_id,
    )
    picks = [Pick(row["line_id"], row["sku"], row["site"], row["quantity"]) for row in rows]
    shelves = {
        (row["sku"], row["site"]): shelf_of(row["sku"], row["site"], row["on_hand"], row["as_of"], row["reserved"])
        for row in rows
    }
    return picks, list(shelves.values())


async def end_reservations(conn: Connection, order_id: UUID, state: str, at: datetime, shelves: Sequence[Shelf]) -> None:
    """The order's reservations end as `consumed` or `released`; the shelves are as they are then."""
    await conn.execute(
        """
        WITH ended AS (
            UPDATE reservation SET state = $2, ended_at = $3 WHERE order_id = $1 AND state = 'reserved'),
        asked AS (
            INSERT INTO recheck (sku) SELECT DISTINCT sku FROM unnest($4::text[]) AS sku WHERE $2 = 'released')
        UPDATE stock SET on_hand = given.on_hand, reserved = given.reserved
        FROM unnest($4::text[], $5::text[], $6::numeric[], $7::numeric[]) AS given (sku, site, on_hand, reserved)
        WHERE stock.sku = given.sku AND stock.site = given.site
        """,
        order_id,
        state,
        at,
        [shelf.sku for shelf in shelves],
        [shelf.site for shelf in shelves],
        [shelf.on_hand for shelf in shelves],
        [shelf.reserved for shelf in shelves],
    )


async def release_reservations(conn: Connection, order_id: UUID, picks: Sequence[Pick], at: datetime) -> None:
    """So many pieces of an order are free again; held orders that want them are checked. The shelves must be locked by the caller."""
    await conn.execute(
        """
        WITH pick AS (
            SELECT line_id, sku, site, quantity
            FROM unnest($2::uuid[], $3::text[], $4::text[], $5::numeric[]) AS p (line_id, sku, site, quantity)),
        kept AS (
            UPDATE reservation r SET quantity = CASE WHEN r.quantity > p.quantity THEN r.quantity - p.quantity ELSE r.quantity END,
                   state = CASE WHEN r.quantity > p.quantity THEN 'reserved' ELSE 'released' END,
                   ended_at = CASE WHEN r.quantity > p.quantity THEN NULL ELSE $6::timestamptz END
            FROM pick p WHERE r.order_id = $1 AND r.line_id = p.line_id AND r.site = p.site AND r.state = 'reserved'),
        asked AS (INSERT INTO recheck (sku) SELECT DISTINCT sku FROM pick)
        UPDATE stock SET reserved = stock.reserved - freed.quantity
        FROM (SELECT sku, site, sum(quantity) AS quantity FROM pick GROUP BY sku, site) AS freed
        WHERE stock.sku = freed.sku AND stock.site = freed.site
        """,
        order_id,
        [pick.line_id for pick in picks],
        [pick.sku for pick in picks],
        [pick.site for pick in picks],
        [pick.quantity for pick in picks],
        at,
    )


async def insert_reservations(conn: Connection, order_id: UUID, picks: Sequence[Pick]) -> None:
    """Pieces for an order, beside those that it has. The shelves must be locked by the caller."""
    await conn.execute(
        """
        WITH pick AS (
            SELECT line_id, sku, site, quantity
            FROM unnest($2::uuid[], $3::text[], $4::text[], $5::numeric[]) AS p (line_id, sku, site, quantity)),
        reserved AS (
            INSERT INTO reservation AS r (order_id, line_id, sku, site, quantity, state)
            SELECT $1, p.line_id, p.sku, p.site, p.quantity, 'reserved' FROM pick p
            ON CONFLICT (order_id, line_id, site) DO UPDATE SET state = 'reserved', ended_at = NULL,
                quantity = excluded.quantity + CASE WHEN r.state = 'reserved' THEN r.quantity ELSE 0 END)
        UPDATE stock SET reserved = stock.reserved + taken.quantity
        FROM (SELECT sku, site, sum(quantity) AS quantity FROM pick GROUP BY sku, site) AS taken
        WHERE stock.sku = taken.sku AND stock.site = taken.site
        """,
        order_id,
        [pick.line_id for pick in picks],
        [pick.sku for pick in picks],
        [pick.site for pick in picks],
        [pick.quantity for pick in picks],
    )


async def insert_parts(
    conn: Connection, order_id: UUID, handover_id: UUID, picks: Sequence[Pick], at: datetime, shelves: Sequence[Shelf]
) -> None:
    """These pieces of an order's reservations left with a hand-over; the shelves are as they are then. They are locked by the caller."""
    await conn.execute(
        """
        WITH pick AS (
            SELECT line_id, sku, site, quantity
            FROM unnest($4::uuid[], $5::text[], $6::text[], $7::numeric[]) AS p (line_id, sku, site, quantity)),
        part AS (
            INSERT INTO reservation_part (handover_id, order_id, line_id, sku, site, quantity, ended_at)
            SELECT $2, $1, p.line_id, p.sku, p.site, p.quantity, $3 FROM pick p),
        emptied AS (
            DELETE FROM reservation r USING pick p
            WHERE r.order_id = $1 AND r.line_id = p.line_id AND r.site = p.site AND r.state = 'reserved' AND r.quantity = p.quantity),
        kept AS (
            UPDATE reservation r SET quantity = r.quantity - p.quantity FROM pick p
            WHERE r.order_id = $1 AND r.line_id = p.line_id AND r.site = p.site AND r.state = 'reserved' AND r.quantity > p.quantity)
        UPDATE stock SET on_hand = given.on_hand, reserved = given.reserved
        FROM unnest($8::text[], $9::text[], $10::numeric[], $11::numeric[]) AS given (sku, site, on_hand, reserved)
        WHERE stock.sku = given.sku AND stock.site = given.site
        """,
        order_id,
        handover_id,
        at,
        [pick.line_id for pick in picks],
        [pick.sku for pick in picks],
        [pick.site for pick in picks],
        [pick.quantity for pick in picks],
        [shelf.sku for shelf in shelves],
        [shelf.site for shelf in shelves],
        [shelf.on_hand for shelf in shelves],
        [shelf.reserved for shelf in shelves],
    )


async def list_shelves(conn: Connection, sku: str | None, *, after: tuple[str, str] | None, limit: int) -> list[Shelf]:
    """Shelves by SKU and site."""
    sku_after, site_after = after or (None, None)
    rows = await conn.fetch(
        """
        SELECT sku, site, on_hand, as_of, reserved FROM stock
        WHERE ($1::text IS NULL OR sku = $1) AND ($2::text IS NULL OR (sku, site) > ($2, $3)) ORDER BY sku, site LIMIT $4
        """,
        sku,
        sku_after,
        site_after,
        limit,
    )
    return [shelf_of(*row) for row in rows]


async def list_reservations(conn: Connection, order_id: UUID) -> list[Any]:
    return await conn.fetch(
        """
        SELECT line_id, sku, site, quantity, state FROM reservation WHERE order_id = $1
        UNION ALL
        SELECT line_id, sku, site, sum(quantity), 'consumed' FROM reservation_part WHERE order_id = $1 GROUP BY line_id, sku, site
        ORDER BY line_id, site, state
        """,
        order_id,
    )
