"""One function per business verb of a delivery as a whole: load, decide, save, emit."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis.arrived import Arrived
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import OrderCancellationRequested, OrderConfirmed

from delivery_svc.domain import delivery as rules
from delivery_svc.domain.delivery import Delivery, DeliveryNotKnownYet
from delivery_svc.handlers import fulfilment, notices, planning, production
from delivery_svc.handlers.journal import announce, delivery_for_update, save
from delivery_svc.store import deliveries, plans


async def plan_deliveries(tx: Transaction, confirmed: Sequence[Arrived[OrderConfirmed]]) -> None:
    """Confirmed orders are planned for delivery, line by line, and their days promised; an order has one delivery, ever."""
    book = await fulfilment.open_book(tx)
    decided = {}
    for each in confirmed:
        order, day = each.event, planning.first_promise(book, each.event)
        flow_id = each.envelope.flow_id or new_id()
        delivery, events = rules.plan(order, delivery_id=new_id(), flow_id=flow_id, now=tx.now, promised_on=day)
        decided[delivery.id] = (each, delivery, events, planning.plan_lines(book, delivery, order.lines))
    new = await deliveries.insert_deliveries(tx.conn, [delivery for _, delivery, _, _ in decided.values()])
    made = [decided[delivery_id] for delivery_id in decided if delivery_id in new]
    await plans.insert_plans(tx.conn, [(delivery.id, plan) for _, delivery, _, plan in made])
    await deliveries.insert_promises(tx.conn, [delivery for _, delivery, _, _ in made])
    for each, delivery, events, plan in made:
        with each.turn(tx):
            announce(tx, delivery, events)
            await notices.note(tx, delivery, events)
            await production.follow_plan(tx, delivery, plan)


async def decide_cancellation(tx: Transaction, event: OrderCancellationRequested, *, requested_at: datetime) -> None:
    """Stop what has not begun; put on record that the rest is too late."""
    delivery = await deliveries.get_delivery_of_order_for_update(tx.conn, event.order_id)
    if delivery is None:
        raise DeliveryNotKnownYet(event.order_id)
    made = await production.why_not(tx, delivery.id, {}) is not None
    decided = await save(tx, delivery, rules.decide_cancellation(delivery, event.reason, requested_at, tx.now, made=made))
    if decided.state == "cancelled" and delivery.state != "cancelled":
        await planning.cancel_plan(tx, decided, event.reason)


async def report_progress(tx: Transaction, delivery_id: UUID, percent: Decimal, note: str | None) -> Delivery:
    """Work on the delivery began or went on."""
    delivery = await delivery_for_update(tx, delivery_id)
    return await save(tx, delivery, rules.progress(delivery, percent, note, tx.now))


async def promise_day(tx: Transaction, delivery_id: UUID, promised_on: date, *, reason: str | None = None) -> Delivery:
    """Promise the customer another day, and why; earlier promises are kept. What is planned follows."""
    delivery = await delivery_for_update(tx, delivery_id)
    saved = await save(tx, delivery, rules.promise(delivery, promised_on, tx.now, reason=reason))
    if saved != delivery:
        await planning.move_plan(tx, saved)
    return saved
