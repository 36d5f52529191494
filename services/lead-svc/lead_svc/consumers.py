"""Events in."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import (
    ActivityLogged,
    OpportunityLost,
    OpportunityOpened,
    OpportunityWon,
    PaymentAllocated,
    PaymentRefunded,
    PaymentUnapplied,
)

from lead_svc.handlers import activity_log, feedback, outcomes

consumers = Consumers()


@consumers.on(OpportunityOpened)
async def opportunity_opened(tx: Transaction, event: OpportunityOpened, envelope: Envelope) -> None:
    """A lead that sales works on is converted."""
    await outcomes.opportunity_opened(tx, event, envelope.occurred_at)


@consumers.on(OpportunityWon)
async def opportunity_won(tx: Transaction, event: OpportunityWon, envelope: Envelope) -> None:
    """A lead has become a customer."""
    await outcomes.opportunity_won(tx, event, envelope.flow_id, envelope.occurred_at)


@consumers.on(OpportunityLost)
async def opportunity_lost(tx: Transaction, event: OpportunityLost, envelope: Envelope) -> None:
    """A lead is lost, or is nurtured again after a while."""
    await outcomes.opportunity_lost(tx, event, envelope.flow_id, envelope.occurred_at)


@consumers.on(PaymentAllocated)
async def payment_allocated(tx: Transaction, event: PaymentAllocated, envelope: Envelope) -> None:
    """Cash was collected for the lead's flow."""
    await feedback.count_cash(tx, envelope.flow_id, event.amount, event.invoice_id, envelope.occurred_at)


@consumers.on(PaymentRefunded)
async def payment_refunded(tx: Transaction, event: PaymentRefunded, envelope: Envelope) -> None:
    """Collected cash went back; what had settled no invoice was never counted."""
    if event.invoice_id is not None:
        await feedback.count_cash(tx, envelope.flow_id, -event.amount, event.invoice_id, envelope.occurred_at)


@consumers.on(PaymentUnapplied)
async def payment_unapplied(tx: Transaction, event: PaymentUnapplied, envelope: Envelope) -> None:
    """Cash was for something else."""
    await feedback.count_cash(tx, envelope.flow_id, -event.amount, event.invoice_id, envelope.occurred_at)


@consumers.on(ActivityLogged)
async def activity_logged(tx: Transaction, event: ActivityLogged, envelope: Envelope) -> None:
    """Sales was in touch with a lead; perhaps the first of us to be."""
    await activity_log.logged_in_sales(tx, event, envelope.flow_id, envelope.occurred_at)
