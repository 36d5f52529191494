"""The credit note: takes back a part of one invoice, or all that is left; together they never pass the invoice (RULES 4)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import Customer, Event, InvoiceCredited, TaxSubtotal
from ltc_contracts.money import Money, minor_units

from billing_svc.domain import invoice as documents
from billing_svc.domain import write_off as write_offs
from billing_svc.domain.amounts import tax_on
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.ledger import Entry, entry
from billing_svc.domain.occasion import InvoiceLine, piece, pieces
from billing_svc.domain.write_off import Movement

CreditCause = Literal["return", "change", "cancellation", "manual"]
SERIES = "CN"
Group = tuple[str, Decimal]


class NothingToCredit(DomainError):
    """Everything on the invoice was credited already."""


class TooMuchCredited(Invalid):
    """More than what is left of the line, or of the invoice."""


@dataclass(frozen=True, slots=True)
class CreditNote:
    """A numbered document that names its invoice; it never changes. `released` was paid and is credit on account since."""

    id: UUID
    flow_id: UUID
    number: str
    invoice_id: UUID
    invoice_number: str
    order_id: UUID
    cause: CreditCause
    cause_id: UUID | None
    customer: Customer
    lines: tuple[InvoiceLine, ...]
    taxes: tuple[TaxSubtotal, ...]
    net: Money
    tax: Money
    gross: Money
    released: Money
    reason: str
    credited_on: date
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """So much of a line, in money (None: all that is left); `quantity` when it is so many pieces. `field` names the caller's input."""

    line_id: UUID
    net: Money | None = None
    quantity: Decimal | None = None
    field: str = "lines"


@dataclass(frozen=True, slots=True)
class Crediting:
    """What was decided: the note, the invoice as it is then, what is booked and told. `recovered` had been written off."""

    note: CreditNote
    invoice: Invoice
    entries: tuple[Entry, ...]
    recovered: Movement | None
    events: tuple[Event, ...]


def left_by_line(invoice: Invoice, notes: Iterable[CreditNote]) -> dict[UUID, Money]:
    """What is not credited yet of each line, net."""
    left: dict[UUID, Money] = {}
    if invoice.state == "void":
        return {line.line_id: Money.zero(line.net.currency) for line in invoice.lines}
    for line in invoice.lines:
        left[line.line_id] = left.get(line.line_id, Money.zero(line.net.currency)) + line.net
    for note in notes:
        for line in note.lines:
            left[line.line_id] = left[line.line_id] - line.net
    return left


def lines_of(invoice: Invoice, notes: Sequence[CreditNote], wanted: Sequence[Wanted]) -> tuple[InvoiceLine, ...]:
    """The lines of a credit note that takes back what is wanted. Raises `Invalid`, `TooMuchCredited` with the field."""
    left = left_by_line(invoice, notes)
    by_id = {line.line_id: line for line in reversed(invoice.lines)}
    lines = []
    for each in wanted:
        line = by_id.pop(each.line_id, None)
        if line is None:
            raise Invalid(f"{invoice.number} has no line {each.line_id}, or it is named twice", field=each.field)
        net = left[line.line_id] if each.net is None else each.net
        if not _within(net, left[line.line_id]):
            raise TooMuchCredited(f"line {line.sku}: {left[line.line_id]} are left to credit, not {net}", field=each.field)
        if net.amount:
            lines.append(_line(line, net, each.quantity))
    return tuple(lines)


def everything(invoice: Invoice, notes: Sequence[CreditNote]) -> tuple[InvoiceLine, ...]:
    """The lines of a credit note that takes back all that is left."""
    left = left_by_line(invoice, notes)
    return lines_of(invoice, notes, [Wanted(line_id) for line_id, net in left.items() if net.amount])


def credit(
    invoice: Invoice,
    notes: Sequence[CreditNote],
    lines: tuple[InvoiceLine, ...],
    *,
    credit_id: UUID,
    number: str,
    reason: str,
    cause: CreditCause,
    cause_id: UUID | None,
    now: datetime,
) -> Crediting:
    """Take these lines back. `notes` are the earlier ones of the invoice.

    Raises `NothingToCredit` when nothing is, `TooMuchCredited` when a tax rate's base would pass that of the invoice.
    """
    taxes = _taxes(invoice, notes, lines)
    currency = invoice.gross.currency
    net = Money.total((line.net for line in lines), currency)
    tax = Money.total((each.tax for each in taxes), currency)
    gross = net + tax
    if gross.amount <= 0:
        raise NothingToCredit(f"nothing of {invoice.number} is left to credit")
    if invoice.claimed < gross:
        raise TooMuchCredited(f"{invoice.number} has {invoice.claimed} left to credit, not {gross}", field="lines")
    today = now.date()
    # Booked on no day before the invoice, so that the accounts are not negative on any.
    day = max(today, invoice.issued_on)
    recovered = None
    given_up = min(gross - invoice.open, invoice.written_off, key=lambda money: money.amount)
    if given_up.amount > 0:
        # What is taken back is no bad debt; the id of the note is that of the recovery.
        recovered = write_offs.claim_again(invoice, given_up, recovery_id=credit_id, cause="credit", on=day, now=now)
        invoice = recovered.invoice
    changed, free, paid = documents.take_back(invoice, gross, now)
    note = CreditNote(
        id=credit_id,
        flow_id=invoice.flow_id,
        number=number,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        order_id=invoice.order_id,
        cause=cause,
        cause_id=cause_id,
        customer=invoice.customer,
        lines=lines,
        taxes=taxes,
        net=net,
        tax=tax,
        gross=gross,
        released=free,
        reason=reason,
        credited_on=today,
        created_at=now,
    )
    told = InvoiceCredited(
        credit_id=note.id,
        number=number,
        invoice_id=invoice.id,
        invoice_number=invoice.number,
        order_id=invoice.order_id,
        net=net,
        tax=tax,
        gross=gross,
        taxes=taxes,
        open_after=changed.open,
        reason=reason,
        credited_on=today,
        cause=cause,
        cause_id=cause_id,
    )
    entries = (
        entry("credit", day, (invoice.income, net), ("tax", tax), ("receivable", -gross)),
        release(day, free),
    )
    return Crediting(note, changed, entries, recovered, (told, *paid))


def release(day: date, free: Money) -> Entry:
    """Money that had settled what was taken back is credit on account again; a part of it, or all."""
    return entry("release", day, ("receivable", free), ("unapplied_cash", -free))


def _line(line: InvoiceLine, net: Money, quantity: Decimal | None) -> InvoiceLine:
    if net == line.net:
        return line
    return piece(line, net) if quantity is None else pieces(line, quantity, net)


def _within(net: Money, left: Money) -> bool:
    """Between nothing and what is left, which is below zero for a line that is a discount."""
    low, high = sorted((Decimal(0), left.amount))
    return low <= net.amount <= high


def _taxes(invoice: Invoice, notes: Sequence[CreditNote], lines: Iterable[InvoiceLine]) -> tuple[TaxSubtotal, ...]:
    """Tax per category and rate. Each note's is rounded by itself; the one that takes the last of a rate absorbs what that left over.

    In between the sum stays within a minor unit of what all that is credited would be taxed, so that no residual piles up.
    """
    currency = invoice.gross.currency
    unit = Decimal(1).scaleb(-minor_units(currency))
    bases: dict[Group, Money] = {}
    for line in lines:
        group = (line.tax_category, line.tax_rate)
        bases[group] = bases.get(group, Money.zero(currency)) + line.net
    before = credited_by_rate(notes)
    subtotals = []
    for subtotal in invoice.taxes:
        group = (subtotal.category, subtotal.rate)
        base = bases.pop(group, Money.zero(currency))
        if not base.amount:
            continue
        base_before, tax_before = before.get(group, (Money.zero(currency), Money.zero(currency)))
        base_after = base_before + base
        if not _within(base_after, subtotal.base):
            raise TooMuchCredited(
                f"at {subtotal.rate} % {subtotal.base - base_before} are left to credit, not {base}", field="lines"
            )
        if base_after == subtotal.base:
            tax = subtotal.tax - tax_before
        else:
            exact = tax_on(base_after, subtotal.rate).amount
            after = min(max((tax_before + tax_on(base, subtotal.rate)).amount, exact - unit), exact + unit)
            low, high = sorted((tax_before.amount, subtotal.tax.amount))
            tax = Money.of(min(max(after, low), high), currency) - tax_before
        subtotals.append(TaxSubtotal.model_validate({"category": group[0], "rate": group[1], "base": base, "tax": tax}))
    return tuple(subtotals)


def credited_by_rate(notes: Iterable[CreditNote]) -> Mapping[Group, tuple[Money, Money]]:
    """Base and tax that were taken back per category and rate."""
    sums: dict[Group, tuple[Money, Money]] = {}
    for note in notes:
        for each in note.taxes:
            group = (each.category, each.rate)
            zero = Money.zero(each.base.currency)
            base, tax = sums.get(group, (zero, zero))
            sums[group] = (base + each.base, tax + each.tax)
    return sums
