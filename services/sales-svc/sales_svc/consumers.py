"""Events in."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import (
    InvoiceCredited,
    InvoiceIssued,
    InvoiceVoided,
    LeadMerged,
    LeadQualified,
    LeadUnmerged,
    OrderCancelled,
    PaymentAllocated,
    PaymentRefunded,
    PaymentUnapplied,
    PersonErased,
)

from sales_svc.handlers import commissions, erasure, merged_leads, opening

consumers = Consumers()


@consumers.on(LeadQualified)
async def lead_qualified(tx: Transaction, event: LeadQualified, envelope: Envelope) -> None:
    """A qualified lead opens an opportunity, unless another rep has one with the customer."""
    await opening.open_from_lead(tx, event, flow_id=envelope.flow_id or event.lead_id)


@consumers.on(LeadMerged)
async def lead_merged(tx: Transaction, event: LeadMerged, envelope: Envelope) -> None:  # noqa: ARG001 - the consumer's shape
    """Deals of leads that became one belong together."""
    await merged_leads.merged(tx, event.merge_id, event.lead_id, [each.lead_id for each in event.merged])


@consumers.on(LeadUnmerged)
async def lead_unmerged(tx: Transaction, event: LeadUnmerged, envelope: Envelope) -> None:  # noqa: ARG001 - the consumer's shape
    """They do not any more."""
    await merged_leads.unmerged(tx, event.merge_id, event.lead_id, [each.lead_id for each in event.restored])


@consumers.on(PersonErased)
async def person_erased(tx: Transaction, event: PersonErased, envelope: Envelope) -> None:  # noqa: ARG001 - the consumer's shape
    """A person is forgotten."""
    await erasure.erase_person(tx, event)


@consumers.on(OrderCancelled)
async def order_cancelled(tx: Transaction, event: OrderCancelled, envelope: Envelope) -> None:
    """What is not invoiced any more cannot be earned."""
    await commissions.order_cancelled(tx, event, flow_id=envelope.flow_id)


@consumers.on(InvoiceIssued)
async def invoice_issued(tx: Transaction, event: InvoiceIssued, envelope: Envelope) -> None:
    """Tells how much of an invoice's cash is net of tax."""
    await commissions.invoice_issued(tx, event, flow_id=envelope.flow_id)


@consumers.on(PaymentAllocated)
async def payment_allocated(tx: Transaction, event: PaymentAllocated, envelope: Envelope) -> None:
    """Cash vests commission."""
    await commissions.payment_allocated(tx, event, flow_id=envelope.flow_id, event_id=envelope.id)


@consumers.on(PaymentRefunded)
async def payment_refunded(tx: Transaction, event: PaymentRefunded, envelope: Envelope) -> None:
    """A refund claws back."""
    await commissions.payment_refunded(tx, event, flow_id=envelope.flow_id)


@consumers.on(InvoiceCredited)
async def invoice_credited(tx: Transaction, event: InvoiceCredited, envelope: Envelope) -> None:
    """A credit claws back."""
    await commissions.invoice_credited(tx, event, flow_id=envelope.flow_id)


@consumers.on(InvoiceVoided)
async def invoice_voided(tx: Transaction, event: InvoiceVoided, envelope: Envelope) -> None:
    """A void document claws back like a credit of all of it."""
    await commissions.invoice_voided(tx, event, flow_id=envelope.flow_id)


@consumers.on(PaymentUnapplied)
async def payment_unapplied(tx: Transaction, event: PaymentUnapplied, envelope: Envelope) -> None:
    """Cash that was for something else claws back."""
    await commissions.payment_unapplied(tx, event, flow_id=envelope.flow_id)
