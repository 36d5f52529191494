"""Invoices of what was delivered, and the day on which they are late."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound, NotYet, WrongTransition
from ltc_contracts.events import DeliveryCompleted, DeliveryHandedOver

from billing_svc.domain import invoice as documents
from billing_svc.domain import occasion as occasions
from billing_svc.domain.invoice import Invoice
from billing_svc.handlers.journal import announce, book, issue, issue_all
from billing_svc.handlers.orders import Turn, record_fact, settle
from billing_svc.store import invoices, ledger
from billing_svc.store.orders import get_known_of_handovers, is_prepaid, lock_order, lock_orders


@dataclass(frozen=True, slots=True)
class Told:
    """A hand-over as it was told; what is announced in its turn was caused by it."""

    event: DeliveryHandedOver
    flow_id: UUID | None
    turn: Turn


class PartsNotKnownYet(NotYet):
    """A delivery was told whole, and parts of it as well, of which not all have come."""


async def invoice_handovers(tx: Transaction, told: Sequence[Told]) -> None:
    """Parts that were handed over are invoiced, each once; not those whose orders are not invoiced by their parts."""
    await lock_orders(tx.conn, (each.event.order_id for each in told), tx.now)
    parts: dict[UUID, Told] = {}
    for each in told:
        if each.event.invoicing == "on_delivery":
            parts.setdefault(each.event.handover_id, each)
    known = await get_known_of_handovers(tx.conn, [each.event for each in parts.values()]) if parts else {}
    # A writer that knows no parts told the whole, and that is invoiced: so are its parts.
    due = [each for handover_id, each in parts.items() if not known[handover_id].invoiced]
    made = await issue_all(tx, [(occasions.of_handover(each.event), each.flow_id) for each in due])
    for each, (invoice, events) in zip(due, made, strict=True):
        with each.turn(tx):
            announce(tx, invoice, events)
            if known[each.event.handover_id].facts:
                await settle(tx, each.event.order_id)
    for each in told:
        if each.event.invoicing != "on_delivery":
            with each.turn(tx):
                await record_fact(tx, each.event)


async def invoice_delivery(tx: Transaction, event: DeliveryCompleted, *, flow_id: UUID | None) -> Invoice | None:
    """One invoice of a delivery whose parts were not told; None when it is invoiced already.

    Raises `PartsNotKnownYet` when parts of it were invoiced but not all: two writers of different versions told of it, and
    what is missing must not be invoiced twice.
    """
    if event.parts_told:
        return None
    await lock_order(tx.conn, event.order_id, tx.now)
    if await is_prepaid(tx.conn, event.order_id):
        return None
    parts = await invoices.get_net_of_delivery(tx.conn, event.delivery_id, "handover")
    if parts is None:
        invoice = await issue(tx, occasions.of_delivery(event), flow_id)
        if invoice is not None:
            await settle(tx, event.order_id)
        return invoice
    if parts != event.net.amount:
        raise PartsNotKnownYet(f"of delivery {event.delivery_id} parts of {parts} are invoiced, all is {event.net}")
    return None


async def record_sending(tx: Transaction, invoice_id: UUID, *, channel: str, on: date, by: str) -> None:
    """The document has left the house by this way: from now on it can be credited, not voided."""
    invoice = await _locked(tx, invoice_id)
    if invoice.state != "final":
        raise WrongTransition(f"invoice {invoice.number}", invoice.state, "send")
    if not invoice.issued_on <= on <= tx.now.date():
        raise Invalid(f"between {invoice.issued_on} and {tx.now.date()}", field="sent_on")
    await invoices.insert_sending(tx.conn, new_id(), invoice_id, channel=channel, on=on, by=by, now=tx.now)


async def void_invoice(tx: Transaction, invoice_id: UUID, *, reason: str) -> Invoice:
    """A document that nobody outside knows, of an open month, never counted. Else `CreditInstead` says why not."""
    invoice = await _locked(tx, invoice_id)
    known = await invoices.find_how_known(tx.conn, invoice_id)
    month_open = await ledger.is_open_day(tx.conn, invoice.issued_on)
    changed, booked, events = documents.void(invoice, reason=reason, known=known, month_open=month_open, now=tx.now)
    await invoices.save_invoice(tx.conn, changed)
    await book(tx, booked, flow_id=changed.flow_id, invoice_id=invoice_id)
    announce(tx, changed, events)
    return changed


async def _locked(tx: Transaction, invoice_id: UUID) -> Invoice:
    found = await invoices.get_invoices_for_update(tx.conn, [invoice_id])
    if invoice_id not in found:
        raise NotFound(f"no invoice {invoice_id}")
    return found[invoice_id]


async def mark_overdue(tx: Transaction, *, limit: int) -> int:
    """Say once of each invoice that its due day has passed; returns how many."""
    due = await invoices.list_newly_overdue_for_update(tx.conn, tx.now.date(), limit)
    for invoice in due:
        late, events = documents.fall_overdue(invoice, tx.now)
        await invoices.save_invoice(tx.conn, late)
        announce(tx, late, events)
    return len(due)
