"""Kafka in: what was delivered."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import DeliveryCompleted, DeliveryHandedOver

from billing_svc.handlers import invoices

consumers = Consumers()


@consumers.on(DeliveryHandedOver)
async def delivery_handed_over(tx: Transaction, event: DeliveryHandedOver, envelope: Envelope) -> None:
    """What was handed over is invoiced."""
    await invoices.invoice_handover(tx, event, flow_id=envelope.flow_id)


@consumers.on(DeliveryCompleted)
async def delivery_completed(tx: Transaction, event: DeliveryCompleted, envelope: Envelope) -> None:
    """A delivery whose parts were not told is invoiced whole."""
    await invoices.invoice_delivery(tx, event, flow_id=envelope.flow_id)
