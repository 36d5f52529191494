"""Money in, and what it settles. Lock order: the payment, then its invoices in the order of their ids."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.money import Money

from billing_svc.domain import allocation
from billing_svc.domain import payment as cash
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.payment import Claim, Method, Payment
from billing_svc.domain.write_off import is_small_rest
from billing_svc.handlers import erasure
from billing_svc.handlers.journal import announce, book
from billing_svc.handlers.write_offs import write_off_rest
from billing_svc.store import erasure as erasures
from billing_svc.store import invoices, payments, write_offs
from billing_svc.store.cash_application import get_setting
from billing_svc.store.late_charges import list_charge_ids


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the payer says a part of the payment is for, by id or number; no amount means as much as fits."""

    invoice_id: UUID | None = None
    number: str | None = None
    amount: Decimal | None = None


async def receive_payment(
    tx: Transaction, *, amount: Money, method: Method, reference: str, received_on: date | None, wanted: Sequence[Wanted]
) -> Payment:
    """Book money in, then apply it: as the payer says, else by the invoice numbers in the reference; the rest stays on account."""
    payment = await book_payment(tx, amount=amount, method=method, reference=reference, received_on=received_on)
    claims = await _claims(tx, wanted) if wanted else await _remitted(tx, payment)
    return (await _settle(tx, payment, claims, on=payment.received_on))[0]


async def book_payment(tx: Transaction, *, amount: Money, method: Method, reference: str, received_on: date | None) -> Payment:
    """Book money in; all of it is credit on account."""
    payment, entry, events = cash.receive(
        payment_id=new_id(),
        amount=amount,
        method=method,
        reference=reference,
        received_on=received_on or tx.now.date(),
        now=tx.now,
    )
    await payments.insert_payment(tx.conn, payment)
    await book(tx, entry, payment_id=payment.id)
    for event in events:
        tx.emit(event, flow_id=None, sequence=payment.version)
    return payment


async def apply(tx: Transaction, payment: Payment, wanted: Sequence[Wanted], *, on: date) -> tuple[Payment, list[Invoice]]:
    """Settle these invoices of a (locked) payment; with them as they are afterwards."""
    return await _settle(tx, payment, await _claims(tx, wanted), on=on)


async def allocate_payment(tx: Transaction, payment_id: UUID, wanted: Sequence[Wanted]) -> Payment:
    """Apply what is left of a payment, as of today: until now it was credit on account."""
    payment = await payments.get_payment_for_update(tx.conn, payment_id)
    return (await _settle(tx, payment, await _claims(tx, wanted), on=tx.now.date()))[0]


async def unapply_payment(
    tx: Transaction, payment_id: UUID, invoice_id: UUID, *, amount: Money | None, reason: str, by: str
) -> Payment:
    """Take so much of a payment off an invoice, or all of it: it is credit on account again, and the invoice claims it again."""
    payment, _ = await take_off(tx, payment_id, invoice_id, amount=amount, reason=reason, by=by, tell=True)
    return payment


async def take_off(
    tx: Transaction, payment_id: UUID, invoice_id: UUID, *, amount: Money | None, reason: str, by: str, tell: bool
) -> tuple[Payment, Invoice]:
    """Take so much of a payment off an invoice, both locked since. `tell` is False when another event of the same move says so."""
    # Together with the others that settle the invoice, in the order of ids, so that two never wait for each other.
    await payments.lock_payments_of(tx.conn, [invoice_id], also=payment_id)
    found = await invoices.get_invoices_for_update(tx.conn, [invoice_id])
    if invoice_id not in found:
        raise NotFound(f"no invoice {invoice_id}", field="invoice_id")
    payment = await payments.get_payment(tx.conn, payment_id)
    applied = await payments.list_applied_for_update(tx.conn, invoice_id)
    made = cash.unapply(payment, found[invoice_id], applied, amount, unapplication_id=new_id(), reason=reason, by=by, now=tx.now)
    await invoices.save_invoice(tx.conn, made.invoice)
    await payments.save_payment(tx.conn, made.payment)
    await payments.insert_unapplication(tx.conn, made, tx.now)
    await book(tx, made.entry, flow_id=made.invoice.flow_id, invoice_id=invoice_id, payment_id=payment_id)
    if tell:
        announce(tx, made.invoice, made.events)
    return made.payment, made.invoice


async def _claims(tx: Transaction, wanted: Sequence[Wanted]) -> list[Claim]:
    """The named invoices, locked, in the caller's order. Raises `NotFound` and `Invalid` with the field."""
    known = await invoices.get_ids_by_number(tx.conn, [each.number for each in wanted if each.number])
    ids: list[UUID] = []
    for place, each in enumerate(wanted):
        invoice_id = each.invoice_id or known.get(each.number or "")
        if invoice_id is None:
            raise NotFound(f"no invoice {each.number}", field=f"allocations.{place}")
        if invoice_id in ids:
            raise Invalid("the same invoice is named twice", field=f"allocations.{place}")
        ids.append(invoice_id)
    locked = await invoices.get_invoices_for_update(tx.conn, ids)
    for place, invoice_id in enumerate(ids):
        if invoice_id not in locked:
            raise NotFound(f"no invoice {invoice_id}", field=f"allocations.{place}")
    return [
        Claim(locked[invoice_id], each.amount, f"allocations.{place}")
        for place, (invoice_id, each) in enumerate(zip(ids, wanted, strict=True))
    ]


async def _remitted(tx: Transaction, payment: Payment) -> list[Claim]:
    """The invoices that the reference names and what is claimed for their being late, as far as they can take something.

    Money is here whatever the text says: nothing is refused.
    """
    numbers = cash.numbers_in(payment.reference)
    if not numbers:
        return []
    known = await invoices.get_ids_by_number(tx.conn, numbers)
    late = await list_charge_ids(tx.conn, list(known.values()))
    locked = await invoices.get_invoices_for_update(tx.conn, sorted({*known.values(), *late}))
    named = [locked[known[number]] for number in numbers if number in known]
    charges = [locked[each] for each in late if locked[each] not in named]
    if charges:
        named = allocation.with_charges(named, charges, (await get_setting(tx.conn)).policy)
    return cash.spread(payment, named, {invoice.id for invoice in charges})


async def _settle(tx: Transaction, payment: Payment, claims: Sequence[Claim], *, on: date) -> tuple[Payment, list[Invoice]]:
    await erasures.share_flows(tx.conn, [claim.invoice.flow_id for claim in claims])
    payment, settlements = cash.allocate(payment, claims, on=on, now=tx.now)
    settled: list[Invoice] = []
    for made in settlements:
        invoice = made.invoice
        await invoices.save_invoice(tx.conn, invoice)
        if made.recovered is not None:
            await write_offs.insert_movement(tx.conn, new_id(), made.recovered, None, "payment", tx.now)
            recovered = made.recovered.entry
            await book(tx, recovered, flow_id=invoice.flow_id, invoice_id=invoice.id, payment_id=payment.id)
            announce(tx, made.recovered.invoice, made.recovered.events)
        await payments.insert_allocation(tx.conn, new_id(), payment.id, made, tx.now)
        await book(tx, made.entry, flow_id=invoice.flow_id, invoice_id=invoice.id, payment_id=payment.id)
        announce(tx, invoice, made.events)
        # Of money that is left, the rest could be paid: then it is open because somebody wants it to be.
        settled.append(invoice if payment.unapplied.amount else await _without_small_rest(tx, invoice, made.amount))
    if settlements:
        await payments.save_payment(tx.conn, payment)
        await erasure.forget_payers(tx, settled)
    return payment, settled


async def _without_small_rest(tx: Transaction, invoice: Invoice, paid: Money) -> Invoice:
    """The invoice, its rest written off if that is within the tolerance, on the authority of who set it."""
    if not invoice.open.amount:
        return invoice
    setting = await get_setting(tx.conn)
    if not is_small_rest(invoice, paid, setting.tolerances):
        return invoice
    reason = f"within the tolerance of version {setting.version} of the cash setting"
    return await write_off_rest(tx, invoice, reason=reason, by=setting.changed_by)
