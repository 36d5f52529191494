"""Events in."""

from ltc_chassis.consumer import Consumers
from ltc_chassis.db import Transaction
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import (
    InvoiceCredited,
    InvoiceIssued,
    LeadQualified,
    OrderCancelled,
    PaymentAllocated,
    PaymentRefunded,
    PersonErased,
)

from sales_svc.handlers import commissions, erasure, opening

consumers = Consumers()


@consumers.on(LeadQualified)
async def lead_qualified(tx: Transaction, event: LeadQualified, envelope: Envelope) -> None:
    """A qualified lead opens an opportunity, unless another rep has one with the customer."""
    await opening.open_from_lead(tx, event, flow_id=envelope.flow_id or event.lead_id)


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
