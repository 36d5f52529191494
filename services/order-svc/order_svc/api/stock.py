"""HTTP in: what lies where, and what of it an order has."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.events.model import Exact
from pydantic import BaseModel

from order_svc.store import orders
from order_svc.store import stock as store

router = make_router(prefix="/v1", tags=["stock"])


class ShelfView(BaseModel):
    """One SKU at one site, as counted at `as_of` less what was delivered since."""

    sku: str
    site: str
    on_hand: Exact
    reserved: Exact
    free: Exact
    as_of: datetime


class StockView(BaseModel):
    """Shelves by SKU and site; go on with the last one as `after_sku` and `after_site` while `more`."""

    items: list[ShelfView]
    more: bool


class ReservationView(BaseModel):
    """Pieces of a line on a shelf: `reserved` until they are `consumed` by the delivery or `released` by a cancellation."""

    line_id: UUID
    sku: str
    site: str
    quantity: Exact
    state: str


class ReservationsView(BaseModel):
    """What an order reserved."""

    items: list[ReservationView]


def _plain(quantity: Decimal) -> Decimal:
    return quantity.quantize(Decimal("0.000001")).normalize() + 0


@router.get("/stock", dependencies=[scope("stock:read")])
async def list_stock(
    conn: Conn,
    sku: Annotated[str | None, Query(max_length=64)] = None,
    after_sku: Annotated[str | None, Query(max_length=64)] = None,
    after_site: Annotated[str | None, Query(max_length=64)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> StockView:
    """What is counted, reserved and free. A SKU that is not here is not stock-kept."""
    after = None if after_sku is None else (after_sku, after_site or "")
    shelves = await store.list_shelves(conn, sku, after=after, limit=limit + 1)
    items = [
        ShelfView(
            sku=shelf.sku,
            site=shelf.site,
            on_hand=_plain(shelf.on_hand),
            reserved=_plain(shelf.reserved),
            free=_plain(shelf.free),
            as_of=shelf.as_of,
        )
        for shelf in shelves[:limit]
    ]
    return StockView(items=items, more=len(shelves) > limit)


@router.get("/orders/{order_id}/reservations", dependencies=[scope("orders:read")])
async def list_reservations(order_id: UUID, conn: Conn) -> ReservationsView:
    """The pieces of an order, by line and site."""
    order = await orders.get_order(conn, order_id)
    rows = await store.list_reservations(conn, order.id)
    return ReservationsView(
        items=[
            ReservationView(
                line_id=row["line_id"], sku=row["sku"], site=row["site"], quantity=_plain(row["quantity"]), state=row["state"]
            )
            for row in rows
        ]
    )
