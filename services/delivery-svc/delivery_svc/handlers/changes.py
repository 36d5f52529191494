"""What shall be delivered instead."""

from ltc_chassis.db import Transaction
from ltc_contracts.events import OrderChangeRequested

from delivery_svc.domain import change as rules
from delivery_svc.domain.change import Wish
from delivery_svc.domain.delivery import DeliveryNotKnownYet
from delivery_svc.handlers import fulfilment, planning
from delivery_svc.handlers.journal import save, save_plan
from delivery_svc.store import deliveries, plans, returns


async def decide_change(tx: Transaction, event: OrderChangeRequested) -> None:
    """Answer the wish for another order, once: what has left cannot be unwished, the rest becomes what was wished."""
    delivery = await deliveries.get_delivery_of_order_for_update(tx.conn, event.order_id)
    if delivery is None:
        raise DeliveryNotKnownYet(event.order_id)
    if await returns.is_decided(tx.conn, event.change_id):
        return
    before = await plans.get_plan(tx.conn, delivery.id)
    book = await fulfilment.open_book(tx)
    plan_line, steps_for = planning.planners(book, delivery, before)
    day = None
    if event.requested_on is not None:
        of_a_period = delivery.period_until is not None
        day = max(event.requested_on, book.earliest([(line, of_a_period) for line in event.lines]))
    wish = Wish(change_id=event.change_id, lines=event.lines, promised_on=day, reason=event.reason)
    answer = rules.decide(delivery, before, wish, plan_line, steps_for, tx.now)
    granted = answer.refused is None
    await returns.insert_change(tx.conn, event.change_id, delivery.id, granted=granted, reason=answer.refused, now=tx.now)
    saved = await save(tx, delivery, (answer.delivery, answer.events))
    await save_plan(tx, saved, before, answer.plan, reason=event.reason)
    if saved.promised_on != delivery.promised_on:
        await planning.move_plan(tx, saved)
