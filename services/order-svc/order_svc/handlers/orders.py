"""One function per business verb of a confirmed order: load, decide, save, emit."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.events import DeliveryCompleted, DeliveryHandedOver, DeliveryReturned, InvoicePaid

from order_svc.domain import cancellation, fulfilment
from order_svc.domain.change import percent_of
from order_svc.handlers import erasure
from order_svc.handlers.journal import consume_parts, known_order_for_update, known_orders_for_update, save, save_promises
from order_svc.store import deliveries, orders


async def record_promises(tx: Transaction, told: Sequence[tuple[UUID, datetime, UUID]]) -> None:
    """Delivery told customers a day: their orders' processes go on. Of each: the order, when it was told, and by which event."""
    known = await known_orders_for_update(tx, [order_id for order_id, _, _ in told])
    now, causes = dict(known), dict[UUID, UUID]()
    for order_id, at, event_id in told:
        now[order_id], _ = fulfilment.note_promise(now[order_id], at, tx.now)
        causes.setdefault(order_id, event_id)
    await save_promises(tx, [(known[order_id], order, causes[order_id]) for order_id, order in now.items()])


async def record_progress(tx: Transaction, order_id: UUID, percent: Decimal, at: datetime) -> None:
    """Delivery went on: the order is in progress and shows how much is delivered."""
    order = await known_order_for_update(tx, order_id)
    await save(tx, order, fulfilment.progress(order, percent, tx.now, at))


async def record_completion(tx: Transaction, event: DeliveryCompleted, at: datetime) -> None:
    """Everything was delivered: the order is fulfilled, and closed if it is settled."""
    order = await known_order_for_update(tx, event.order_id)
    told = event.handovers if event.parts_told else None
    await save(tx, order, fulfilment.fulfil(order, event.delivery_id, tx.now, at, handovers=told))


async def record_cancelled_delivery(tx: Transaction, order_id: UUID, reason: str, at: datetime) -> None:
    """Nothing was and nothing will be delivered: the order is cancelled."""
    order = await known_order_for_update(tx, order_id)
    await save(tx, order, cancellation.cancel(order, await erasure.said(tx, order.flow_id, reason), tx.now, at))


async def record_payment(tx: Transaction, event: InvoicePaid, at: datetime) -> None:
    """An invoice was paid: remember the money once, and close the order if it is fulfilled. What was taken back or given up is no money."""
    order = await known_order_for_update(tx, event.order_id)
    paid = event.gross
    for never in (event.credited, event.written_off):
        paid = paid if never is None else paid - never
    if await orders.insert_paid_invoice(tx.conn, order.id, event.invoice_id, paid, event.paid_on):
        collected = await orders.get_collected(tx.conn, order.id, paid.currency)
        await save(tx, order, fulfilment.settle(order, collected, tx.now, at))


async def record_handover(tx: Transaction, event: DeliveryHandedOver, at: datetime) -> None:
    """The customer has a part of some lines, once: so much is delivered, and the pieces leave our shelves."""
    order = await known_order_for_update(tx, event.order_id)
    parts = [(line.line_id, line.quantity) for line in event.lines]
    if not await deliveries.insert_parts(tx.conn, order.id, event.handover_id, parts, at):
        return
    await consume_parts(tx, order.id, event.handover_id, parts, event.handed_over_at)
    lines = (await orders.list_lines(tx.conn, [order.id]))[order.id]
    percent = percent_of(lines, await deliveries.get_handed(tx.conn, order.id))
    await save(tx, order, fulfilment.hand_over(order, event.net, percent, tx.now))


async def record_return(tx: Transaction, event: DeliveryReturned, at: datetime) -> None:
    """The customer sent a part of some lines back."""
    order = await known_order_for_update(tx, event.order_id)
    parts = [(line.line_id, -line.quantity) for line in event.lines]
    await deliveries.insert_parts(tx.conn, order.id, event.return_id, parts, at)
