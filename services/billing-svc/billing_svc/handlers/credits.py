"""Credit notes: numbered without gaps, booked, told; what was paid of what is taken back is credit on account again."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from billing_svc.domain import billed_order as rules
from billing_svc.domain import credit_note as documents
from billing_svc.domain import payment as cash
from billing_svc.domain.billed_order import Credit
from billing_svc.domain.credit_note import CreditCause, CreditNote, NothingToCredit, Wanted
from billing_svc.domain.invoice import Invoice, document_number
from billing_svc.domain.occasion import InvoiceLine
from billing_svc.handlers.journal import announce, book
from billing_svc.store import credits, invoices, orders, payments, write_offs


async def credit_by_hand(tx: Transaction, invoice_id: UUID, *, reason: str, wanted: Sequence[Wanted] | None) -> CreditNote:
    """Take back these amounts of an invoice's lines, or all that is left of it.

    Raises `NotFound`, `NothingToCredit`, `TooMuchCredited` and `Invalid` with the field.
    """
    invoice = await invoices.get_invoice(tx.conn, invoice_id)
    await orders.lock_order(tx.conn, invoice.order_id, tx.now)
    invoice = (await _locked(tx, [invoice_id]))[invoice_id]
    notes = await credits.list_credits_of(tx.conn, [invoice_id])
    if not invoice.claimed.amount:
        raise NothingToCredit(f"nothing of {invoice.number} is left to credit")
    lines = documents.everything(invoice, notes) if wanted is None else documents.lines_of(invoice, notes, wanted)
    return await _credit(tx, invoice, notes, lines, reason=reason, cause="manual", cause_id=None)


async def credit_by_fact(tx: Transaction, credit: Credit, known: Sequence[Invoice], notes: Sequence[CreditNote]) -> None:
    """Take back what came back, or was changed or cancelled, of the invoices that invoiced it. The order is locked."""
    shared = rules.share_out(credit, known, notes)
    locked = await _locked(tx, [invoice.id for invoice, _ in shared])
    for found, wanted in shared:
        invoice = locked[found.id]
        of_it = [note for note in notes if note.invoice_id == invoice.id]
        lines = documents.everything(invoice, of_it) if wanted is None else documents.lines_of(invoice, of_it, wanted)
        await _credit(
            tx,
            invoice,
            of_it,
            lines,
            reason=credit.reason,
            cause=credit.cause,
            cause_id=credit.cause_id,
            correction=credit.correction,
        )


async def _locked(tx: Transaction, invoice_ids: Sequence[UUID]) -> dict[UUID, Invoice]:
    """Invoices for update, the payments that settled them first."""
    await payments.lock_payments_of(tx.conn, invoice_ids)
    return await invoices.get_invoices_for_update(tx.conn, invoice_ids)


async def _credit(
    tx: Transaction,
    invoice: Invoice,
    notes: Sequence[CreditNote],
    lines: tuple[InvoiceLine, ...],
    *,
    reason: str,
    cause: CreditCause,
    cause_id: UUID | None,
    correction: bool = False,
) -> CreditNote:
    year = tx.now.year
    number = document_number(documents.SERIES, year, await invoices.draw_number(tx.conn, documents.SERIES, year))
    made = documents.credit(
        invoice,
        notes,
        lines,
        credit_id=new_id(),
        number=number,
        reason=reason,
        cause=cause,
        cause_id=cause_id,
        now=tx.now,
    )
    note = made.note
    await credits.insert_credit(tx.conn, note, correction=correction)
    await invoices.save_invoice(tx.conn, made.invoice)
    if made.recovered is not None:
        await write_offs.insert_movement(tx.conn, note.id, made.recovered, None, "credit", tx.now)
        await book(tx, made.recovered.entry, flow_id=note.flow_id, invoice_id=invoice.id, credit_id=note.id)
        announce(tx, made.recovered.invoice, made.recovered.events)
    for entry in made.entries:
        # What is released is booked below, payment by payment: each has a rate of its own in another currency than that of the books.
        if entry.kind != "release":
            await book(tx, entry, flow_id=note.flow_id, invoice_id=invoice.id, credit_id=note.id)
    announce(tx, made.invoice, made.events)
    if note.released.amount:
        await _release(tx, made.invoice, note)
    return note


async def _release(tx: Transaction, invoice: Invoice, note: CreditNote) -> None:
    """What was paid of what is taken back is credit on account again."""
    applied = await payments.list_applied_for_update(tx.conn, invoice.id)
    for payment, part in cash.release(applied, note.released, tx.now):
        await payments.save_payment(tx.conn, payment)
        await payments.insert_release(tx.conn, new_id(), payment.id, note, part, tx.now)
        freed = documents.release(max(note.credited_on, invoice.issued_on), part)
        await book(tx, freed, flow_id=note.flow_id, invoice_id=invoice.id, payment_id=payment.id, credit_id=note.id)
        invoice, told = cash.tell_release(
            invoice, payment, part, credit_id=note.id, number=note.number, on=note.credited_on, now=tx.now
        )
        announce(tx, invoice, [told])
    await invoices.save_invoice(tx.conn, invoice)
