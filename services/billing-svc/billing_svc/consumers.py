"""Kafka in: what was delivered."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import DeliveryCompleted

from billing_svc import handlers

consumers = Consumers()


@consumers.on(DeliveryCompleted)
async def delivery_completed(tx: Transaction, event: DeliveryCompleted, envelope: Envelope) -> None:
    """What was delivered is invoiced."""
    await handlers.issue_invoice(tx, event, flow_id=envelope.flow_id)
