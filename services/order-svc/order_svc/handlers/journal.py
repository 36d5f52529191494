"""What every change of an order brings with it: its row, history and events, its place in the process, its pieces and its credit."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.events import Line

from order_svc.domain import fulfilment, process, stock
from order_svc.domain.order import Change, Decision, Order, OrderNotFound, OrderNotKnownYet
from order_svc.store import changes as wishes
from order_svc.store import credit, deliveries, orders, subscription
from order_svc.store import process as processes
from order_svc.store import stock as shelves
from order_svc.store.process import Moved


async def known_order_for_update(tx: Transaction, order_id: UUID) -> Order:
    """The order of an event, locked. Raises `OrderNotKnownYet`."""
    return (await known_orders_for_update(tx, [order_id]))[order_id]


async def known_orders_for_update(tx: Transaction, order_ids: Sequence[UUID]) -> dict[UUID, Order]:
    """The orders of several events, locked. Raises `OrderNotKnownYet` where one is missing."""
    found = await orders.get_orders_for_update(tx.conn, order_ids)
    for order_id in order_ids:
        if order_id not in found:
            raise OrderNotKnownYet(order_id)
    return found


async def order_for_update(tx: Transaction, order_id: UUID) -> Order:
    """The order of a request, locked. Raises `OrderNotFound`."""
    order = await orders.get_order_for_update(tx.conn, order_id)
    if order is None:
        raise OrderNotFound(order_id)
    return order


async def save(tx: Transaction, before: Order, decision: Decision, *, refused: bool = False) -> Order:
    """Write what was decided, and what follows from it, whoever decided it; `refused`: a change that the order waited for."""
    order, changes = decision
    if order == before:
        return order
    await orders.save_order(tx.conn, order)
    await record(tx, order, changes)
    moved = _moved(tx, before, order, cause_of(tx), refused=refused)
    if moved is not None:
        await processes.save_positions(tx.conn, [moved])
    await _follow(tx, before, order)
    return order


async def save_promises(tx: Transaction, noted: Sequence[tuple[Order, Order, UUID]]) -> None:
    """What `fulfilment.note_promise` made of several orders: each as it was, as it is, and the event that told it."""
    changed = [(before, order, cause) for before, order, cause in noted if order != before]
    await orders.save_promises(tx.conn, [order for _, order, _ in changed])
    moved = (_moved(tx, before, order, cause) for before, order, cause in changed)
    await processes.save_positions(tx.conn, [each for each in moved if each is not None])


def _moved(tx: Transaction, before: Order, order: Order, cause: UUID | None, *, refused: bool = False) -> Moved | None:
    then, now = process.position(before), process.position(order)
    return (
        None if then == now else Moved(order.id, order.invoicing, now, process.ended(then, now, tx.now, refused=refused), cause)
    )


async def record(tx: Transaction, order: Order, changes: list[Change]) -> None:
    """Append to the history, and tell."""
    if changes:
        await orders.insert_changes(tx.conn, order.id, changes)
    tell(tx, order, changes)


def tell(tx: Transaction, order: Order, changes: list[Change], *, parent_flow_id: UUID | None = None) -> None:
    """The events of changes, on the order's flow, under the versions they made; of a new order with the flow it goes on from."""
    for change in changes:
        if change.event is not None:
            tx.emit(change.event, flow_id=order.flow_id, sequence=change.version, parent_flow_id=parent_flow_id)


def cause_of(tx: Transaction) -> UUID | None:
    """The event that is being handled."""
    return tx.cause.event_id if tx.cause else None


async def _follow(tx: Transaction, before: Order, order: Order) -> None:
    """Pieces go with what was delivered and come back from what is cancelled; what is cancelled owes nothing any more."""
    if order.state == "cancelled" != before.state:
        await end_reservations(tx, order, "released")
        await wishes.end_requested(tx.conn, order.id, "cancellation", "granted", None, tx.now)
        await wishes.end_requested(tx.conn, order.id, "change", "refused", "the order was cancelled", tx.now)
        if before.state != "held":
            await credit.ask_recheck(tx.conn, order.customer.customer_id)
        if order.subscription_id is not None:
            await subscription.ask_lapse(tx.conn, order.subscription_id, order.id)
    elif fulfilment.knows_all_parts(order) and not fulfilment.knows_all_parts(before):
        await end_reservations(tx, order, "released")
    elif order.handovers_told is None and fulfilment.has_left(order) and not fulfilment.has_left(before):
        await end_reservations(tx, order, "consumed")
    if before.state == "cancelling" and order.cancellation is not None and order.cancellation.state == "refused":
        await wishes.end_requested(tx.conn, order.id, "cancellation", "refused", "delivery has begun", tx.now)


async def fit_reservations(tx: Transaction, order_id: UUID, lines: Iterable[Line]) -> None:
    """What is reserved beyond these lines is free again."""
    picks, _ = await shelves.get_reserved_for_update(tx.conn, order_id)
    freed = stock.surplus(picks, lines, await deliveries.get_handed(tx.conn, order_id))
    if freed:
        await shelves.release_reservations(tx.conn, order_id, freed, tx.now)


async def consume_parts(
    tx: Transaction, order_id: UUID, handover_id: UUID, parts: Sequence[tuple[UUID, Decimal]], at: datetime
) -> None:
    """What was reserved of these parts left the shelves at `at`. Call once per hand-over, with the order locked."""
    picks, found = await shelves.get_reserved_for_update(tx.conn, order_id)
    wanted: dict[UUID, Decimal] = {}
    for line_id, quantity in parts:
        wanted[line_id] = wanted.get(line_id, Decimal(0)) + quantity
    gone = stock.leaving(picks, wanted)
    if not gone:
        return
    by_place = {(shelf.sku, shelf.site): shelf for shelf in found}
    for pick in gone:
        by_place[pick.sku, pick.site] = stock.consume(by_place[pick.sku, pick.site], pick.quantity, at)
    await shelves.insert_parts(tx.conn, order_id, handover_id, gone, at, list(by_place.values()))


async def end_reservations(tx: Transaction, order: Order, state: str) -> None:
    """The order's reserved pieces left with the delivery, or are free again."""
    picks, found = await shelves.get_reserved_for_update(tx.conn, order.id)
    if not picks:
        return
    at = order.milestones.delivered_at if state == "consumed" and order.milestones.delivered_at else tx.now
    by_place = {(shelf.sku, shelf.site): shelf for shelf in found}
    for pick in picks:
        shelf = by_place[pick.sku, pick.site]
        by_place[pick.sku, pick.site] = (
            stock.consume(shelf, pick.quantity, at) if state == "consumed" else stock.release(shelf, pick.quantity)
        )
    await shelves.end_reservations(tx.conn, order.id, state, at, list(by_place.values()))
