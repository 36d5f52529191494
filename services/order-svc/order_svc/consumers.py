"""Kafka in: what sales, delivery, billing and the ERP say about orders, their customers and their pieces."""

import functools
from collections.abc import Sequence
from typing import TypeVar

from ltc_chassis.arrived import Arrived
from ltc_chassis.consumer import Consumers, Handler
from ltc_chassis.db import Transaction
from ltc_contracts.elsewhere import lies_elsewhere
from ltc_contracts.envelope import Envelope
from ltc_contracts.events import (
    ContractSigned,
    DeliveryCancelled,
    DeliveryChangeDecided,
    DeliveryCompleted,
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryProgressed,
    DeliveryPromised,
    DeliveryReturned,
    DunningEnded,
    DunningStepTaken,
    ErpCustomerChanged,
    ErpOrderPlaced,
    ErpStockChanged,
    Event,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceOverdue,
    InvoicePaid,
    InvoiceRecovered,
    InvoiceVoided,
    InvoiceWrittenOff,
    PaymentAllocated,
    PaymentRefunded,
    PaymentUnapplied,
    PersonErased,
    ProductionCancelled,
    ProductionChanged,
    ProductionCompleted,
    ProductionFailed,
    ProductionOrdered,
    QuoteAccepted,
    QuoteSent,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)

from order_svc.handlers import acceptance, changes, credit, erasure, order_page, orders, stock

consumers = Consumers()
E = TypeVar("E", bound=Event)


def of_our_orders(handler: Handler[E]) -> Handler[E]:
    """Receivables that were taken over name an order of another system: nothing of ours, and nothing to wait for."""

    @functools.wraps(handler)
    async def handle(tx: Transaction, event: E, envelope: Envelope) -> None:
        order_id = getattr(event, "order_id", None)
        if order_id is None or not lies_elsewhere(order_id):
            await handler(tx, event, envelope)

    return handle


@consumers.on(ContractSigned)
async def contract_signed(tx: Transaction, event: ContractSigned, envelope: Envelope) -> None:
    """A signed contract becomes an order."""
    await acceptance.receive_contract(tx, event, flow_id=envelope.flow_id)
    await order_page.record(tx, event, envelope)


@consumers.on(ErpOrderPlaced)
async def erp_order_placed(tx: Transaction, event: ErpOrderPlaced, _: Envelope) -> None:
    """An order placed in the ERP becomes an order."""
    await acceptance.receive_from_erp(tx, event)


@consumers.on(ErpStockChanged)
async def erp_stock_changed(tx: Transaction, event: ErpStockChanged, _: Envelope) -> None:
    """So many pieces lie there."""
    await stock.record_count(tx, event)


@consumers.on(ErpCustomerChanged)
async def erp_customer_changed(tx: Transaction, event: ErpCustomerChanged, envelope: Envelope) -> None:
    """So much a customer may owe."""
    await credit.record_customer(tx, event, envelope.occurred_at)


@consumers.together(DeliveryPromised)
async def delivery_promised(tx: Transaction, told: Sequence[Arrived[DeliveryPromised]]) -> None:
    """Delivery has them, and told a day each."""
    await orders.record_promises(tx, [(each.event.order_id, each.envelope.occurred_at, each.envelope.id) for each in told])
    for each in told:
        await order_page.record(tx, each.event, each.envelope)


@consumers.on(DeliveryProgressed)
async def delivery_progressed(tx: Transaction, event: DeliveryProgressed, envelope: Envelope) -> None:
    """The order is in progress."""
    await orders.record_progress(tx, event.order_id, event.percent, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(DeliveryHandedOver)
async def delivery_handed_over(tx: Transaction, event: DeliveryHandedOver, envelope: Envelope) -> None:
    """The customer has a part."""
    await orders.record_handover(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(DeliveryReturned)
async def delivery_returned(tx: Transaction, event: DeliveryReturned, envelope: Envelope) -> None:
    """A part came back."""
    await orders.record_return(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(DeliveryChangeDecided)
async def delivery_change_decided(tx: Transaction, event: DeliveryChangeDecided, envelope: Envelope) -> None:
    """The order becomes what was wished, or stays what it is."""
    await changes.record_decision(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(DeliveryCompleted)
async def delivery_completed(tx: Transaction, event: DeliveryCompleted, envelope: Envelope) -> None:
    """The order is fulfilled."""
    await orders.record_completion(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(DeliveryCancelled)
async def delivery_cancelled(tx: Transaction, event: DeliveryCancelled, envelope: Envelope) -> None:
    """The order is cancelled."""
    await orders.record_cancelled_delivery(tx, event.order_id, event.reason, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(InvoiceIssued)
@of_our_orders
async def invoice_issued(tx: Transaction, event: InvoiceIssued, envelope: Envelope) -> None:
    """What was ordered is claimed."""
    await credit.record_invoice(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(InvoicePaid)
@of_our_orders
async def invoice_paid(tx: Transaction, event: InvoicePaid, envelope: Envelope) -> None:
    """The order is paid."""
    await orders.record_payment(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(PaymentAllocated)
@of_our_orders
async def payment_allocated(tx: Transaction, event: PaymentAllocated, envelope: Envelope) -> None:
    """The customer owes less."""
    await credit.record_allocation(tx, event, envelope.id, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(DunningStepTaken)
async def dunning_step_taken(tx: Transaction, event: DunningStepTaken, envelope: Envelope) -> None:
    """Further orders of the customer may have to wait."""
    await credit.record_dunning(tx, event, envelope.sequence)


@consumers.on(DunningEnded)
async def dunning_ended(tx: Transaction, event: DunningEnded, envelope: Envelope) -> None:
    """They need not wait any more."""
    await credit.record_dunning(tx, event, envelope.sequence)


@consumers.on(InvoiceCredited)
@of_our_orders
async def invoice_credited(tx: Transaction, event: InvoiceCredited, envelope: Envelope) -> None:
    """The customer owes less, since it was taken back."""
    await credit.record_credit_note(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(PaymentRefunded)
@of_our_orders
async def payment_refunded(tx: Transaction, event: PaymentRefunded, envelope: Envelope) -> None:
    """The customer owes it again."""
    await credit.record_refund(tx, event, envelope.occurred_at)
    await order_page.record(tx, event, envelope)


@consumers.on(PaymentUnapplied)
@of_our_orders
async def payment_unapplied(tx: Transaction, event: PaymentUnapplied, envelope: Envelope) -> None:
    """The customer owes it again: the money was for something else."""
    await credit.record_unapplication(tx, event, envelope.occurred_at)


@consumers.on(InvoiceWrittenOff)
@of_our_orders
async def invoice_written_off(tx: Transaction, event: InvoiceWrittenOff, envelope: Envelope) -> None:
    """We wait for it no longer."""
    await credit.record_write_off(tx, event, envelope.occurred_at)


@consumers.on(InvoiceRecovered)
@of_our_orders
async def invoice_recovered(tx: Transaction, event: InvoiceRecovered, envelope: Envelope) -> None:
    """It came after all, or was taken back."""
    await credit.record_recovery(tx, event, envelope.occurred_at)


@consumers.on(InvoiceVoided)
@of_our_orders
async def invoice_voided(tx: Transaction, event: InvoiceVoided, envelope: Envelope) -> None:
    """The customer owes nothing by it."""
    await credit.record_void(tx, event, envelope.occurred_at)


@consumers.on(PersonErased)
async def person_erased(tx: Transaction, event: PersonErased, _: Envelope) -> None:
    """A person is forgotten."""
    await erasure.erase_person(tx, event)


@of_our_orders
async def told(tx: Transaction, event: Event, envelope: Envelope) -> None:
    """It belongs on an order's page and changes nothing else here."""
    await order_page.record(tx, event, envelope)


for kind in (
    *(QuoteSent, QuoteAccepted, DeliveryFailed, InvoiceOverdue),
    *(ProductionOrdered, ProductionChanged, ProductionCompleted, ProductionFailed, ProductionCancelled),
    *(TicketOpened, TicketResolved, TicketReopened, TicketMerged),
):
    consumers.on(kind)(told)
