"""The ERP counts; held orders may fit then."""

from ltc_chassis.db import Transaction
from ltc_contracts.events import ErpStockChanged

from order_svc.domain import stock as rules
from order_svc.domain.stock import Shelf
from order_svc.store import stock


async def record_count(tx: Transaction, event: ErpStockChanged) -> None:
    """So many pieces lay there at that moment; an older count than the one known says nothing new."""
    known = await stock.get_shelf_for_update(tx.conn, event.sku, event.site, event.as_of)
    told = Shelf(sku=event.sku, site=event.site, on_hand=event.on_hand, as_of=event.as_of)
    left = await stock.get_left_since(tx.conn, event.sku, event.site, event.as_of)
    counted = rules.count(known, told, left)
    if counted is not None:
        await stock.save_counted(tx.conn, counted)
