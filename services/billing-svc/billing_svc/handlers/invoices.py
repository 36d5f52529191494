"""Invoices of what was delivered, and the day on which they are late."""

from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotYet
from ltc_contracts.events import DeliveryCompleted, DeliveryHandedOver

from billing_svc.domain import invoice as documents
from billing_svc.domain import occasion as occasions
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.occasion import Occasion
from billing_svc.handlers.journal import announce
from billing_svc.store import invoices, ledger, orders


class PartsNotKnownYet(NotYet):
    """A delivery was told whole, and parts of it as well, of which not all have come."""


async def invoice_handover(tx: Transaction, event: DeliveryHandedOver, *, flow_id: UUID | None) -> Invoice | None:
    """A part that was handed over is invoiced, once; None when it is already, or is not invoiced by its parts."""
    if event.invoicing != "on_delivery":
        return None
    await orders.lock_order(tx.conn, event.order_id, tx.now)
    if await invoices.get_net_of_delivery(tx.conn, event.delivery_id, "delivery") is not None:
        # A writer that knows no parts told the whole, and that is invoiced.
        return None
    return await _issue(tx, occasions.of_handover(event), flow_id)


async def invoice_delivery(tx: Transaction, event: DeliveryCompleted, *, flow_id: UUID | None) -> Invoice | None:
    """One invoice of a delivery whose parts were not told; None when it is invoiced already.

    Raises `PartsNotKnownYet` when parts of it were invoiced but not all: two writers of different versions told of it, and
    what is missing must not be invoiced twice.
    """
    if event.parts_told:
        return None
    await orders.lock_order(tx.conn, event.order_id, tx.now)
    parts = await invoices.get_net_of_delivery(tx.conn, event.delivery_id, "handover")
    if parts is None:
        return await _issue(tx, occasions.of_delivery(event), flow_id)
    if parts != event.net.amount:
        raise PartsNotKnownYet(f"of delivery {event.delivery_id} parts of {parts} are invoiced, all is {event.net}")
    return None


async def mark_overdue(tx: Transaction, *, limit: int) -> int:
    """Say once of each invoice that its due day has passed; returns how many."""
    due = await invoices.list_newly_overdue_for_update(tx.conn, tx.now.date(), limit)
    for invoice in due:
        late, events = documents.fall_overdue(invoice, tx.now)
        await invoices.save_invoice(tx.conn, late)
        announce(tx, late, events)
    return len(due)


async def _issue(tx: Transaction, occasion: Occasion, flow_id: UUID | None) -> Invoice | None:
    """Numbered without gaps, booked as a receivable; None when the occasion is invoiced already. The order is locked.

    Issued on the business day of this transaction, not on that of the delivery: one told late must not get a number that
    lies between those of an earlier day, nor lose days of its payment terms.
    """
    if await invoices.is_invoiced(tx.conn, occasion.cause_id):
        return None
    year = tx.now.year
    number = documents.document_number(documents.SERIES, year, await invoices.draw_number(tx.conn, documents.SERIES, year))
    made = documents.issue(occasion, invoice_id=new_id(), flow_id=flow_id or new_id(), number=number, now=tx.now)
    invoice, entry, events = made
    await invoices.insert_invoice(tx.conn, invoice)
    await ledger.insert_entry(tx.conn, new_id(), entry, tx.now, flow_id=invoice.flow_id, invoice_id=invoice.id)
    announce(tx, invoice, events)
    return invoice
