"""The business verbs of billing: load, decide, save, book, emit. Payments are locked before invoices, invoices in the order of ids."""

import re
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.events import DeliveryCompleted, Event
from ltc_contracts.money import Money

from billing_svc import domain, store
from billing_svc.domain import Invoice, Method, Payment

_NUMBER = re.compile(r"INV-[0-9]{4}-[0-9]{6}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the payer says a part of the payment is for; `amount` None means as much as fits."""

    invoice_id: UUID | None
    number: str | None
    amount: Money | None


async def issue_invoice(tx: Transaction, delivery: DeliveryCompleted, *, flow_id: UUID) -> Invoice | None:
    """One invoice per delivery, numbered without gaps, booked as a receivable; a repeated event changes nothing."""
    # The series' row is locked from here to the commit: a rollback gives the number back.
    series = f"INV-{tx.now.year}"
    number = f"{series}-{await store.next_number(tx.conn, series):06d}"
    if await store.invoice_exists(tx.conn, delivery.delivery_id):
        await store.give_number_back(tx.conn, series)
        return None
    invoice, postings, events = domain.issue(delivery, invoice_id=new_id(), flow_id=flow_id, number=number, now=tx.now)
    await store.insert_invoice(tx.conn, invoice)
    await store.insert_entry(tx.conn, new_id(), "invoice", postings, tx.now, flow_id=flow_id, invoice_id=invoice.id)
    _emit(tx, invoice, events)
    return invoice


async def mark_overdue(tx: Transaction, *, limit: int) -> int:
    """Say once of each invoice that its due day has passed; returns how many."""
    due = await store.list_newly_overdue_for_update(tx.conn, tx.now.date(), limit)
    for invoice in due:
        late, events = domain.fall_overdue(invoice, tx.now)
        await store.save_invoice(tx.conn, late)
        _emit(tx, late, events)
    return len(due)


async def receive_payment(
    tx: Transaction, *, amount: Money, method: Method, reference: str, received_on: date | None, wanted: list[Wanted]
) -> Payment:
    """Book money in, then apply it: as the payer says, else by invoice numbers in the reference; the rest stays on account."""
    day = received_on or tx.now.date()
    if day > tx.now.date():
        raise Invalid("a payment cannot be received in the future", field="received_on")
    if amount.amount <= 0:
        raise Invalid("a payment is above zero", field="amount")
    payment = Payment(
        id=new_id(),
        amount=amount,
        applied=Money.zero(amount.currency),
        method=method,
        reference=reference,
        received_on=day,
        version=1,
        created_at=tx.now,
        updated_at=tx.now,
    )
    await store.insert_payment(tx.conn, payment)
    postings, events = domain.receive(payment)
    await store.insert_entry(tx.conn, new_id(), "payment", postings, tx.now, payment_id=payment.id)
    for event in events:
        tx.emit(event, flow_id=None, sequence=payment.version)
    if wanted:
        return await _apply(tx, payment, wanted)
    named = [Wanted(None, number, None) for number in dict.fromkeys(_NUMBER.findall(reference))]
    open_ones = [each for each in named if await store.is_open(tx.conn, each.number or "", amount.currency)]
    return await _apply(tx, payment, open_ones)


async def allocate_payment(tx: Transaction, payment_id: UUID, wanted: list[Wanted]) -> Payment:
    """Apply what is left of a payment later."""
    return await _apply(tx, await store.get_payment_for_update(tx.conn, payment_id), wanted)


async def _apply(tx: Transaction, payment: Payment, wanted: list[Wanted]) -> Payment:
    found: list[tuple[UUID, Wanted]] = []
    for each in wanted:
        invoice_id = each.invoice_id or await store.find_invoice_id(tx.conn, each.number or "")
        if invoice_id is None:
            raise NotFound(f"no invoice {each.number}", field="allocations")
        found.append((invoice_id, each))
    ids = [invoice_id for invoice_id, _ in found]
    if len(set(ids)) < len(ids):
        raise Invalid("an invoice is named twice", field="allocations")
    locked = {invoice.id: invoice for invoice in await store.list_invoices_for_update(tx.conn, sorted(ids))}
    for invoice_id, each in found:
        if invoice_id not in locked:
            raise NotFound(f"no invoice {invoice_id}", field="allocations")
        if payment.unapplied.amount == 0 and each.amount is None:
            break
        payment, invoice, part, postings, events = domain.allocate(payment, locked[invoice_id], each.amount, tx.now)
        await store.save_invoice(tx.conn, invoice)
        await store.insert_allocation(tx.conn, new_id(), payment, invoice, part, tx.now)
        await store.insert_entry(
            tx.conn,
            new_id(),
            "allocation",
            postings,
            tx.now,
            flow_id=invoice.flow_id,
            invoice_id=invoice.id,
            payment_id=payment.id,
        )
        _emit(tx, invoice, events)
    await store.save_payment(tx.conn, payment)
    return payment


def _emit(tx: Transaction, invoice: Invoice, events: list[Event]) -> None:
    for event in events:
        tx.emit(event, flow_id=invoice.flow_id, sequence=invoice.version)
