"""Kafka in: what was ordered and delivered, changed, cancelled and came back."""

from collections.abc import Sequence

from ltc_chassis.arrived import Arrived
from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import (
    DeliveryCompleted,
    DeliveryHandedOver,
    DeliveryPromised,
    DeliveryReturned,
    OrderCancelled,
    OrderChanged,
    OrderConfirmed,
    PersonErased,
    SubscriptionEnded,
)

from billing_svc.handlers import erasure, invoices, orders

consumers = Consumers()


@consumers.on(OrderConfirmed)
async def order_confirmed(tx: Transaction, event: OrderConfirmed, envelope: Envelope) -> None:
    """A prepaid order is invoiced; what goes on from another journey is the same person's."""
    if envelope.flow_id is not None and envelope.parent_flow_id is not None:
        await erasure.follow(tx, envelope.flow_id, envelope.parent_flow_id)
    await orders.record_confirmation(tx, event, flow_id=envelope.flow_id)


@consumers.together(DeliveryPromised)
async def delivery_promised(tx: Transaction, told: Sequence[Arrived[DeliveryPromised]]) -> None:
    """Orders have a delivery now: those that are prepaid are invoiced."""
    turns = {each.event.order_id: each.turn for each in told}
    await orders.record_promises(tx, {each.event.order_id: each.event.delivery_id for each in told}, turns)


@consumers.on(OrderChanged)
async def order_changed(tx: Transaction, event: OrderChanged, _: Envelope) -> None:
    """What became more of a prepaid order is invoiced, what was invoiced beyond the new order is credited."""
    await orders.record_fact(tx, event)


@consumers.on(OrderCancelled)
async def order_cancelled(tx: Transaction, event: OrderCancelled, _: Envelope) -> None:
    """What was invoiced is credited."""
    await orders.record_fact(tx, event)


@consumers.on(SubscriptionEnded)
async def subscription_ended(tx: Transaction, event: SubscriptionEnded, _: Envelope) -> None:
    """What it charged and did not serve is credited."""
    await orders.give_back(tx, event)


@consumers.on(DeliveryReturned)
async def delivery_returned(tx: Transaction, event: DeliveryReturned, _: Envelope) -> None:
    """What was invoiced of what came back is credited."""
    await orders.record_fact(tx, event)


@consumers.together(DeliveryHandedOver)
async def delivery_handed_over(tx: Transaction, told: Sequence[Arrived[DeliveryHandedOver]]) -> None:
    """What was handed over is invoiced."""
    await invoices.invoice_handovers(tx, [invoices.Told(each.event, each.envelope.flow_id, each.turn) for each in told])


@consumers.on(DeliveryCompleted)
async def delivery_completed(tx: Transaction, event: DeliveryCompleted, envelope: Envelope) -> None:
    """A delivery whose parts were not told is invoiced whole."""
    await invoices.invoice_delivery(tx, event, flow_id=envelope.flow_id)


@consumers.on(PersonErased)
async def person_erased(tx: Transaction, event: PersonErased, _: Envelope) -> None:
    """A person is forgotten."""
    await erasure.erase_person(tx, event)
