"""Events in."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import OpportunityOpened

from lead_svc.handlers import leads

consumers = Consumers()


@consumers.on(OpportunityOpened)
async def opportunity_opened(tx: Transaction, event: OpportunityOpened, envelope: Envelope) -> None:  # noqa: ARG001 - the chassis' shape
    """A lead that sales works on is converted."""
    if event.lead_id is not None:
        await leads.convert(tx, event.lead_id)
