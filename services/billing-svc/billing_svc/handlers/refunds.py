"""Money that goes back. Lock order: the payment, then the invoice that it settled."""

from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.money import Money

from billing_svc.domain import refund as rules
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.refund import Refund
from billing_svc.handlers.journal import book
from billing_svc.handlers.payments import take_off
from billing_svc.store import invoices, payments, refunds


class ReferenceUsed(DomainError):
    """A refund was executed under this reference already; one transfer executes one refund."""


@dataclass(frozen=True, slots=True)
class Execution:
    """How money left: the reference of the bank or the provider, and the day; None is today."""

    reference: str
    on: date | None


async def request_refund(
    tx: Transaction, payment_id: UUID, *, amount: Money, invoice_id: UUID | None, executed: Execution | None, reason: str, by: str
) -> Refund:
    """Set money of a payment aside to go back: credit on account, or what settles an invoice, which claims it again.

    `executed`: it is gone already. What it settled until then is told by the refund; else it is taken off the invoice now, and
    settles nothing when it goes.
    """
    invoice: Invoice | None = None
    if invoice_id is not None:
        told = executed is None
        payment, invoice = await take_off(tx, payment_id, invoice_id, amount=amount, reason=reason, by=by, tell=told)
    else:
        payment = await payments.get_payment_for_update(tx.conn, payment_id)
    refund, payment, booked = rules.request(
        payment, amount, invoice=invoice, refund_id=new_id(), reason=reason, by=by, now=tx.now
    )
    await refunds.insert_refund(tx.conn, refund)
    await payments.save_payment(tx.conn, payment)
    await book(tx, booked, flow_id=refund.flow_id, invoice_id=refund.invoice_id, payment_id=payment.id)
    if executed is None:
        return refund
    return await _execute(tx, refund, executed, by=by, earliest=payment.received_on, settled=invoice)


async def give_back(tx: Transaction, payment_id: UUID, amount: Money, executed: Execution, *, reason: str, by: str) -> None:
    """So much of a payment went back, whoever sent it: credit on account first, then what it settled last. The payment is locked.

    One transfer may refund what settled several invoices. Raises `Invalid` for more than what is left of the payment.
    """
    payment = await payments.get_payment(tx.conn, payment_id)
    settled = (await payments.list_allocations(tx.conn, [payment_id])).get(payment_id, [])
    # All that this may touch, in the order of ids, before any of it changes: part by part two who give back would wait for each other.
    touched = [each.invoice_id for each in settled]
    await payments.lock_payments_of(tx.conn, touched, also=payment_id)
    await invoices.get_invoices_for_update(tx.conn, touched)
    parts: list[tuple[UUID | None, Money]] = [(None, payment.unapplied)]
    parts += [(each.invoice_id, each.amount) for each in reversed(settled)]
    for number, (invoice_id, there) in enumerate(parts):
        part = min(amount, there, key=lambda money: money.amount)
        if part.amount <= 0:
            continue
        amount = amount - part
        under = replace(executed, reference=executed.reference + (f" {number}" if number else ""))
        await request_refund(tx, payment_id, amount=part, invoice_id=invoice_id, executed=under, reason=reason, by=by)
    if amount.amount:
        raise Invalid(f"{amount} more went back than came")


async def execute_refund(tx: Transaction, refund_id: UUID, executed: Execution, *, by: str) -> Refund:
    """The money left under this reference."""
    refund = await _locked(tx, refund_id)
    return await _execute(tx, refund, executed, by=by, earliest=refund.requested_on, settled=None)


async def withdraw_refund(tx: Transaction, refund_id: UUID) -> Refund:
    """It does not go back after all: credit on account again."""
    refund = await _locked(tx, refund_id)
    payment = await payments.get_payment_for_update(tx.conn, refund.payment_id)
    refund, payment, booked = rules.withdraw(refund, payment, tx.now)
    await refunds.save_refund(tx.conn, refund)
    await payments.save_payment(tx.conn, payment)
    await book(tx, booked, flow_id=refund.flow_id, invoice_id=refund.invoice_id, payment_id=payment.id)
    return refund


async def _execute(
    tx: Transaction, refund: Refund, executed: Execution, *, by: str, earliest: date, settled: Invoice | None
) -> Refund:
    on = executed.on or tx.now.date()
    done, booked, events = rules.execute(
        refund, reference=executed.reference, by=by, on=on, earliest=earliest, settled=settled, now=tx.now
    )
    if await refunds.is_reference_used(tx.conn, executed.reference):
        raise ReferenceUsed(f"a refund was executed under {executed.reference} already", field="reference")
    await refunds.save_refund(tx.conn, done)
    await book(tx, booked, flow_id=done.flow_id, invoice_id=done.invoice_id, payment_id=done.payment_id)
    for event in events:
        tx.emit(event, flow_id=done.flow_id, sequence=done.version)
    return done


async def _locked(tx: Transaction, refund_id: UUID) -> Refund:
    payment_id = (await refunds.get_refund(tx.conn, refund_id)).payment_id
    await payments.get_payment_for_update(tx.conn, payment_id)
    # Read again: refunds change only while their payment is locked.
    return await refunds.get_refund(tx.conn, refund_id)
