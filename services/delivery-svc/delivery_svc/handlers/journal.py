"""What every change of a delivery brings with it: its row, a further promise, and its events."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.events import DeliveryPromised, Event

from delivery_svc.domain.delivery import Decision, Delivery, DeliveryNotFound
from delivery_svc.domain.plan import Plan
from delivery_svc.handlers import notices, production, survey_triggers
from delivery_svc.store import deliveries, plans


async def delivery_for_update(tx: Transaction, delivery_id: UUID) -> Delivery:
    """The delivery of a request, locked. Raises `DeliveryNotFound`."""
    delivery = await deliveries.get_delivery_for_update(tx.conn, delivery_id)
    if delivery is None:
        raise DeliveryNotFound(delivery_id)
    return delivery


async def save(tx: Transaction, before: Delivery, decision: Decision, *, occurred_at: datetime | None = None) -> Delivery:
    """Write what was decided, and tell it. `occurred_at`: the facts lie where they happened, not where they were typed in."""
    delivery, events = decision
    if delivery != before:
        await deliveries.save_delivery(tx.conn, delivery)
    if delivery.promise_version != before.promise_version:
        reason = next((event.reason for event in events if isinstance(event, DeliveryPromised)), None)
        await deliveries.insert_promise(tx.conn, delivery, reason)
    announce(tx, delivery, events, occurred_at)
    await notices.note(tx, delivery, events)
    if delivery.state == "completed" != before.state:
        await survey_triggers.delivery_completed(tx, delivery)
    return delivery


async def save_plan(
    tx: Transaction, delivery: Delivery, before: Plan, plan: Plan, *, reason: str = "not needed any more"
) -> None:
    """Write what changed of a plan, once the delivery is saved; what is to be produced follows it."""
    if plan != before:
        await plans.save_plan(tx.conn, delivery.id, before, plan)
        await production.follow_plan(tx, delivery, plan, reason=reason)


def announce(tx: Transaction, delivery: Delivery, events: Sequence[Event], occurred_at: datetime | None = None) -> None:
    """Events on the delivery's flow; the last one has its version, those before it the ones before."""
    for sequence, event in enumerate(events, start=delivery.version - len(events) + 1):
        if isinstance(event, DeliveryPromised):
            # A promise is made when it is told: one for a failed attempt of last week did not mend last week.
            tx.emit(event, flow_id=delivery.flow_id, sequence=sequence)
            continue
        # Everything is delivered with the hand-over that was last, which need not be the one that was told last.
        moment = delivery.completed_at if event.TOPIC == "delivery.completed" else occurred_at
        tx.emit(event, flow_id=delivery.flow_id, sequence=sequence, occurred_at=moment)
