"""Kafka in: what sales, delivery and billing say about an order."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import ContractSigned, DeliveryCancelled, DeliveryCompleted, DeliveryProgressed, InvoicePaid

from order_svc.handlers import orders

consumers = Consumers()


@consumers.on(ContractSigned)
async def contract_signed(tx: Transaction, event: ContractSigned, envelope: Envelope) -> None:
    """A signed contract becomes an order."""
    await orders.receive_order(tx, event, flow_id=envelope.flow_id)


@consumers.on(DeliveryProgressed)
async def delivery_progressed(tx: Transaction, event: DeliveryProgressed, _: Envelope) -> None:
    """The order is in progress."""
    await orders.record_progress(tx, event.order_id, event.percent)


@consumers.on(DeliveryCompleted)
async def delivery_completed(tx: Transaction, event: DeliveryCompleted, _: Envelope) -> None:
    """The order is fulfilled."""
    await orders.record_completion(tx, event.order_id, event.delivery_id)


@consumers.on(DeliveryCancelled)
async def delivery_cancelled(tx: Transaction, event: DeliveryCancelled, _: Envelope) -> None:
    """The order is cancelled."""
    await orders.record_cancelled_delivery(tx, event.order_id, event.reason)


@consumers.on(InvoicePaid)
async def invoice_paid(tx: Transaction, event: InvoicePaid, _: Envelope) -> None:
    """The order is paid."""
    await orders.record_payment(tx, event)
