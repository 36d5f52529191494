"""Cash application: applied + unapplied + refunded = amount, never negative; nothing is guessed (RULES 5)."""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid5

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import Event, PaymentAllocated, PaymentReceived, PaymentUnapplied
from ltc_contracts.money import CurrencyMismatch, Money

from billing_svc.domain.invoice import SERIES, Invoice, pay, unpay
from billing_svc.domain.ledger import Entry, entry
from billing_svc.domain.write_off import Movement, claim_again

Method = Literal["bank_transfer", "card", "cash", "other"]
# Whole numbers only: INV-2026-0000017 does not name INV-2026-000001.
_NUMBER = re.compile(rf"(?<![0-9A-Z]){SERIES}-[0-9]{{4}}-[0-9]{{6,}}(?![0-9A-Z])")


class InvoiceAlreadyPaid(DomainError):
    """Nothing is open on the invoice."""


class PaymentUsedUp(DomainError):
    """Nothing is left of the payment."""


class NotApplied(DomainError):
    """Nothing of the payment settles this invoice."""


class TooMuchUnapplied(Invalid):
    """More than what of the payment settles the invoice."""


class TooMuchAllocated(Invalid):
    """More than the invoice claims, or more than the payment has left."""


@dataclass(frozen=True, slots=True)
class Payment:
    """Money received; applied + unapplied + refunded = amount, always. `refunded` went back, or is set aside to."""

    id: UUID
    amount: Money
    applied: Money
    refunded: Money
    method: Method
    reference: str
    received_on: date
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def unapplied(self) -> Money:
        return self.amount - self.applied - self.refunded


@dataclass(frozen=True, slots=True)
class Claim:
    """An invoice to settle from a payment. `amount` None: as much as both allow. `field` names the caller's input in a refusal."""

    invoice: Invoice
    amount: Decimal | None = None
    field: str = "allocations"


@dataclass(frozen=True, slots=True)
class Settlement:
    """A part of a payment that settled a part of an invoice; `invoice` is as it is afterwards. `recovered` had been written off."""

    invoice: Invoice
    amount: Money
    allocated_on: date
    entry: Entry
    recovered: Movement | None
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Unapplication:
    """So much of a payment settles an invoice no longer; both are as they are afterwards."""

    id: UUID
    payment: Payment
    invoice: Invoice
    amount: Money
    reason: str
    by: str
    unapplied_on: date
    entry: Entry
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Allocation:
    """A settlement as it is read back."""

    payment_id: UUID
    invoice_id: UUID
    number: str
    amount: Money


def receive(
    *, payment_id: UUID, amount: Money, method: Method, reference: str, received_on: date, now: datetime
) -> tuple[Payment, Entry, list[Event]]:
    """Money in, owed to nobody in particular yet. Raises `Invalid` for nothing, and for money of the future."""
    if received_on > now.date():
        raise Invalid(f"today is {now.date()}; a payment cannot be received in the future", field="received_on")
    if amount.amount <= 0:
        raise Invalid("a payment is above zero", field="amount")
    payment = Payment(
        id=payment_id,
        amount=amount,
        applied=Money.zero(amount.currency),
        refunded=Money.zero(amount.currency),
        method=method,
        reference=reference,
        received_on=received_on,
        version=1,
        created_at=now,
        updated_at=now,
    )
    event = PaymentReceived(payment_id=payment.id, amount=amount, method=method, reference=reference, received_on=received_on)
    return payment, entry("payment", received_on, ("cash", amount), ("unapplied_cash", -amount)), [event]


def numbers_in(reference: str) -> list[str]:
    """The invoice numbers that a remittance text names, in its order, each once; banks change the case of letters."""
    return list(dict.fromkeys(_NUMBER.findall(reference.upper())))


def collectable(invoice: Invoice) -> Money:
    """What a payment may settle: what is open, and what was written off, since money may come for it after all."""
    return invoice.open + invoice.written_off


def can_take(invoice: Invoice, payment: Payment) -> bool:
    """Whether a payment can settle something of this invoice."""
    return invoice.state == "final" and collectable(invoice).amount > 0 and invoice.gross.currency == payment.amount.currency


def spread(payment: Payment, invoices: Sequence[Invoice], unnamed: Collection[UUID]) -> list[Claim]:
    """What of a payment settles what: what is open in this order; then, of those that the payer names, what had been given up.

    What was waived of the `unnamed` is not claimed again, and what was waived of any never before what is open.
    """
    taking = [invoice for invoice in invoices if can_take(invoice, payment)]
    left, parts = payment.unapplied, dict[UUID, Money]()
    for invoice in taking:
        parts[invoice.id] = min(left, invoice.open, key=lambda money: money.amount)
        left = left - parts[invoice.id]
    for invoice in taking:
        if invoice.id not in unnamed:
            more = min(left, collectable(invoice) - parts[invoice.id], key=lambda money: money.amount)
            parts[invoice.id], left = parts[invoice.id] + more, left - more
    return [Claim(invoice, parts[invoice.id].amount) for invoice in taking if parts[invoice.id].amount > 0]


def allocate(payment: Payment, claims: Sequence[Claim], *, on: date, now: datetime) -> tuple[Payment, list[Settlement]]:
    """Settle claims in their order, all or none. A claim without an amount takes what is left, which may be nothing.

    `on` is the day on which it counts: that of the receipt when the payer's word came with the money, else the day of the
    decision, since until then the money was credit on account. Raises `InvoiceAlreadyPaid`, `PaymentUsedUp` (conflicts),
    `TooMuchAllocated`, `CurrencyMismatch` (invalid), each with the field.
    """
    for claim in claims:
        _require_takes(claim, payment)
    if claims and payment.unapplied.amount == 0:
        raise PaymentUsedUp("nothing is left of this payment", field="allocations")
    settlements: list[Settlement] = []
    for claim in claims:
        if claim.amount is None and payment.unapplied.amount == 0:
            continue
        payment, settlement = _settle(payment, claim, on, now)
        settlements.append(settlement)
    if settlements:
        payment = replace(payment, version=payment.version + 1, updated_at=now)
    return payment, settlements


def release(applied: Sequence[tuple[Payment, Money]], free: Money, now: datetime) -> list[tuple[Payment, Money]]:
    """Payments that settled an invoice, each with how much of it, give back `free`: it is credit on account again.

    What settled it last is given back first; `applied` is in the order in which it was applied.
    """
    given: list[tuple[Payment, Money]] = []
    for payment, amount in reversed(applied):
        if free.amount == 0:
            break
        part = amount if amount < free else free
        freed = replace(payment, applied=payment.applied - part, version=payment.version + 1, updated_at=now)
        given.append((freed, part))
        free = free - part
    if free.amount:
        raise ValueError(f"{free} was paid by nobody")
    return given


def tell_release(
    invoice: Invoice, payment: Payment, part: Money, *, credit_id: UUID, number: str, on: date, now: datetime
) -> tuple[Invoice, PaymentUnapplied]:
    """So much of a payment settled what a credit note (`number`) took back: said by itself, at a version of the invoice of its own.

    Without it nobody outside could tell what still settles the invoice once more of it is taken off or goes back.
    """
    changed = replace(invoice, version=invoice.version + 1, updated_at=now)
    told = PaymentUnapplied(
        unapplication_id=uuid5(credit_id, str(payment.id)),
        payment_id=payment.id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        amount=part,
        open_after=changed.open,
        reason=f"taken back by {number}",
        received_on=payment.received_on,
        unapplied_on=on,
        credit_id=credit_id,
    )
    return changed, told


def unapply(
    payment: Payment,
    invoice: Invoice,
    applied: Sequence[tuple[Payment, Money]],
    amount: Money | None,
    *,
    unapplication_id: UUID,
    reason: str,
    by: str,
    now: datetime,
) -> Unapplication:
    """Take so much of a payment off an invoice (None: all of it): credit on account again, and the invoice claims it again.

    `applied` is what settles the invoice now. Raises `NotApplied`, and `Invalid`, `TooMuchUnapplied` with the field.
    """
    settles = next((part for each, part in applied if each.id == payment.id), Money.zero(payment.amount.currency))
    if not settles.amount:
        raise NotApplied(f"nothing of this payment settles {invoice.number}", field="invoice_id")
    part = settles if amount is None else amount
    if part.currency != settles.currency:
        raise CurrencyMismatch(f"the payment is in {settles.currency}", field="amount")
    if part.amount <= 0:
        raise Invalid("above zero", field="amount")
    if settles < part:
        raise TooMuchUnapplied(f"{settles} of this payment settle {invoice.number}, not {part}", field="amount")
    left = [each.received_on for each, many in applied if each.id != payment.id or part < many]
    changed = unpay(invoice, part, max(left, default=None), now)
    freed = replace(payment, applied=payment.applied - part, version=payment.version + 1, updated_at=now)
    day = max(now.date(), payment.received_on, invoice.issued_on)
    told = PaymentUnapplied(
        unapplication_id=unapplication_id,
        payment_id=payment.id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        amount=part,
        open_after=changed.open,
        reason=reason,
        received_on=payment.received_on,
        unapplied_on=day,
    )
    booked = entry("unapply", day, ("receivable", part), ("unapplied_cash", -part))
    return Unapplication(unapplication_id, freed, changed, part, reason, by, day, booked, (told,))


def _require_takes(claim: Claim, payment: Payment) -> None:
    invoice = claim.invoice
    if invoice.state != "final":
        raise WrongTransition(f"invoice {invoice.number}", invoice.state, "settle")
    if invoice.gross.currency != payment.amount.currency:
        reason = f"{invoice.number} claims {invoice.gross.currency}, the payment is {payment.amount.currency}"
        raise CurrencyMismatch(reason, field=claim.field)
    if collectable(invoice).amount == 0:
        raise InvoiceAlreadyPaid(f"{invoice.number} is paid", field=claim.field)


def _settle(payment: Payment, claim: Claim, on: date, now: datetime) -> tuple[Payment, Settlement]:
    invoice, part = claim.invoice, _part(payment, claim)
    # Never before the invoice or the money was there, so that the accounts are not negative on any day.
    day = max(on, payment.received_on, invoice.issued_on)
    recovered = None
    if invoice.open < part:
        # A payment claims a part of an invoice once per version of the invoice: the name of the recovery is made of both.
        name = uuid5(payment.id, f"{invoice.id}:{invoice.version}")
        recovered = claim_again(invoice, part - invoice.open, recovery_id=name, cause="payment", on=day, now=now)
        invoice = recovered.invoice
    settled, paid = pay(invoice, part, payment.received_on, now)
    allocated = PaymentAllocated(
        payment_id=payment.id,
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        amount=part,
        open_after=settled.open,
        received_on=payment.received_on,
    )
    booked = entry("allocation", day, ("unapplied_cash", part), ("receivable", -part))
    settlement = Settlement(settled, part, day, booked, recovered, (allocated, *paid))
    return replace(payment, applied=payment.applied + part), settlement


def _part(payment: Payment, claim: Claim) -> Money:
    invoice, left, field = claim.invoice, payment.unapplied, f"{claim.field}.amount"
    if claim.amount is None:
        most = collectable(invoice)
        return most if most < left else left
    try:
        part = Money.of(claim.amount, payment.amount.currency)
    except Invalid as error:
        raise Invalid(error.reason, field=field) from error
    if part.amount <= 0:
        raise Invalid("an allocation is above zero", field=field)
    if collectable(invoice) < part:
        raise TooMuchAllocated(f"{invoice.number} claims {collectable(invoice)}, not {part}", field=field)
    if left < part:
        raise TooMuchAllocated(f"the payment has {left} left, not {part}", field=field)
    return part
