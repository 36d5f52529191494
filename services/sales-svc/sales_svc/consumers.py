"""Events in."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import LeadQualified

from sales_svc.handlers import opportunities

consumers = Consumers()


@consumers.on(LeadQualified)
async def lead_qualified(tx: Transaction, event: LeadQualified, envelope: Envelope) -> None:
    """A qualified lead opens an opportunity."""
    await opportunities.open_from_lead(tx, event, flow_id=envelope.flow_id or event.lead_id)
