"""One function per business verb: load, decide, save, emit."""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import Event, OrderCancellationRequested, OrderConfirmed

from delivery_svc.domain import delivery as rules
from delivery_svc.domain.delivery import Decision, Delivery, DeliveryNotFound, DeliveryNotKnownYet
from delivery_svc.handlers import survey_triggers
from delivery_svc.store import deliveries


async def plan_delivery(tx: Transaction, order: OrderConfirmed, *, flow_id: UUID | None) -> None:
    """A confirmed order is planned for delivery and its day promised; an order has one delivery, ever."""
    delivery, events = rules.plan(order, delivery_id=new_id(), flow_id=flow_id or new_id(), now=tx.now)
    if await deliveries.insert_delivery(tx.conn, delivery, order.lines):
        await deliveries.insert_promise(tx.conn, delivery)
        _announce(tx, delivery, events)


async def decide_cancellation(tx: Transaction, event: OrderCancellationRequested, *, requested_at: datetime) -> None:
    """Stop what has not begun; put on record that the rest is too late."""
    delivery = await deliveries.get_delivery_of_order_for_update(tx.conn, event.order_id)
    if delivery is None:
        raise DeliveryNotKnownYet(event.order_id)
    await _save(tx, delivery, rules.decide_cancellation(delivery, event.reason, requested_at, tx.now))


async def report_progress(tx: Transaction, delivery_id: UUID, percent: Decimal, note: str | None) -> Delivery:
    """Work on the delivery began or went on."""
    delivery = await _delivery_for_update(tx, delivery_id)
    return await _save(tx, delivery, rules.progress(delivery, percent, note, tx.now))


async def complete_delivery(tx: Transaction, delivery_id: UUID, completed_at: datetime | None) -> Delivery:
    """The customer has everything: billing may invoice it, the order is fulfilled."""
    delivery = await _delivery_for_update(tx, delivery_id)
    lines = (await deliveries.list_lines(tx.conn, [delivery.id]))[delivery.id]
    decision = rules.complete(delivery, lines, completed_at, tx.now)
    # The fact lies where it happened, not where it was typed in.
    done = await _save(tx, delivery, decision, occurred_at=decision[0].completed_at)
    await survey_triggers.delivery_completed(tx, done)
    return done


async def promise_day(tx: Transaction, delivery_id: UUID, promised_on: date) -> Delivery:
    """Promise the customer another day; earlier promises are kept."""
    delivery = await _delivery_for_update(tx, delivery_id)
    return await _save(tx, delivery, rules.promise(delivery, promised_on, tx.now))


async def _delivery_for_update(tx: Transaction, delivery_id: UUID) -> Delivery:
    delivery = await deliveries.get_delivery_for_update(tx.conn, delivery_id)
    if delivery is None:
        raise DeliveryNotFound(delivery_id)
    return delivery


async def _save(tx: Transaction, before: Delivery, decision: Decision, *, occurred_at: datetime | None = None) -> Delivery:
    delivery, events = decision
    if delivery != before:
        await deliveries.save_delivery(tx.conn, delivery)
    if delivery.promise_version != before.promise_version:
        await deliveries.insert_promise(tx.conn, delivery)
    _announce(tx, delivery, events, occurred_at)
    return delivery


def _announce(tx: Transaction, delivery: Delivery, events: list[Event], occurred_at: datetime | None = None) -> None:
    for event in events:
        tx.emit(event, flow_id=delivery.flow_id, sequence=delivery.version, occurred_at=occurred_at)
