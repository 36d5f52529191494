"""What every document begins with, and what every change of an invoice ends with."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import Event

from billing_svc.domain import invoice as documents
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.ledger import Entry
from billing_svc.domain.occasion import Occasion
from billing_svc.handlers.valuations import value_bookings
from billing_svc.store import erasure as erasures
from billing_svc.store import invoices, ledger
from billing_svc.store.ledger import Origin


async def issue(tx: Transaction, occasion: Occasion, flow_id: UUID | None, *, parent: UUID | None = None) -> Invoice | None:
    """Numbered without gaps, booked as a receivable; None when the occasion is invoiced already. The order (or draft) is locked.

    Without a flow it begins one; `parent` is the flow that led to it.

    Issued on the business day of this transaction, not on that of the delivery: one told late must not get a number that
    lies between those of an earlier day, nor lose days of its payment terms.
    """
    if await invoices.is_invoiced(tx.conn, occasion.cause_id):
        return None
    if parent is not None:
        await erasures.share_flows(tx.conn, [parent])
    [(invoice, events)] = await issue_all(tx, [(occasion, flow_id)])
    if parent is not None:
        # Whoever is erased on the one journey is the same person on the other.
        await erasures.insert_journey(tx.conn, invoice.flow_id, parent)
        if await erasures.list_erased(tx.conn, [parent]):
            await erasures.insert_erased_flows(tx.conn, [invoice.flow_id], tx.now)
    for event in events:
        tx.emit(event, flow_id=invoice.flow_id, sequence=invoice.version, parent_flow_id=parent)
    return invoice


async def issue_all(tx: Transaction, occasions: Sequence[tuple[Occasion, UUID | None]]) -> list[tuple[Invoice, list[Event]]]:
    """Numbered under one lock in their order, and booked; what is left to the caller is to announce the events of each.

    None of them is invoiced yet, and their orders are locked.
    """
    if not occasions:
        return []
    year = tx.now.year
    numbers = await invoices.draw_numbers(tx.conn, documents.SERIES, year, len(occasions))
    made = [
        documents.issue(
            occasion,
            invoice_id=new_id(),
            flow_id=flow_id or new_id(),
            number=documents.document_number(documents.SERIES, year, number),
            now=tx.now,
        )
        for (occasion, flow_id), number in zip(occasions, numbers, strict=True)
    ]
    await invoices.insert_invoices(tx.conn, [invoice for invoice, _, _ in made])
    booked = [
        (new_id(), entry, Origin(flow_id=invoice.flow_id, invoice_id=invoice.id)) for invoice, entry, _ in made if entry.postings
    ]
    await write(tx, booked)
    return [(invoice, events) for invoice, _, events in made]


async def book(
    tx: Transaction,
    entry: Entry,
    *,
    flow_id: UUID | None = None,
    invoice_id: UUID | None = None,
    payment_id: UUID | None = None,
    credit_id: UUID | None = None,
) -> None:
    """Write down what a money event books. What counts for a day whose month is closed is booked on the first open day.

    An entry of nothing is left out. Everything that the program books comes through here or `issue_all`.
    """
    if not entry.postings:
        return
    of = Origin(flow_id=flow_id, invoice_id=invoice_id, payment_id=payment_id, credit_id=credit_id)
    await write(tx, [(new_id(), entry, of)])


async def write(tx: Transaction, booked: Sequence[tuple[UUID, Entry, Origin]]) -> None:
    """Entries by their ids, with what they are worth in the reporting currency. Raises `RateMissing`."""
    await ledger.insert_bookings(tx.conn, booked, tx.now)
    await value_bookings(tx, booked)


def announce(tx: Transaction, invoice: Invoice, events: Sequence[Event]) -> None:
    """Tell what happened on the invoice's flow, under the version it made."""
    for event in events:
        tx.emit(event, flow_id=invoice.flow_id, sequence=invoice.version)
