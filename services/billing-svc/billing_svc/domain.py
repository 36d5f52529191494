"""Invoices, cash application and the double entry of both (RULES 4 and 5). Pure: time and ids come in as arguments."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.events import (
    Customer,
    DeliveryCompleted,
    Event,
    InvoiceIssued,
    InvoiceOverdue,
    InvoicePaid,
    Line,
    PaymentAllocated,
    PaymentReceived,
    TaxSubtotal,
)
from ltc_contracts.money import Money

Method = Literal["bank_transfer", "card", "cash", "other"]
Account = Literal["receivable", "revenue", "tax", "cash", "unapplied_cash", "bad_debt", "refund"]
Kind = Literal["invoice", "payment", "allocation"]
PaymentState = Literal["open", "partial", "paid"]


class InvoiceAlreadyPaid(DomainError):
    """Nothing is open on the invoice."""


class TooMuchAllocated(DomainError):
    """More than the invoice claims, or more than the payment has left."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Invoice:
    """A final, numbered document and what was paid on it. Payment state and overdue are derived, never set by hand."""

    id: UUID
    flow_id: UUID
    number: str
    state: Literal["final", "void"]
    order_id: UUID
    delivery_id: UUID
    customer: Customer
    lines: tuple[Line, ...]
    taxes: tuple[TaxSubtotal, ...]
    net: Money
    tax: Money
    gross: Money
    issued_on: date
    due_on: date
    paid: Money
    paid_on: date | None
    overdue_since: date | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def open(self) -> Money:
        return self.gross - self.paid

    @property
    def payment_state(self) -> PaymentState:
        if self.open.amount == 0:
            return "paid"
        return "partial" if self.paid.amount else "open"

    def is_overdue(self, today: date) -> bool:
        """Something is open after the due day."""
        return self.open.amount > 0 and today > self.due_on


@dataclass(frozen=True, slots=True)
class Payment:
    """Money received; applied + unapplied = amount, always."""

    id: UUID
    amount: Money
    applied: Money
    method: Method
    reference: str
    received_on: date
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def unapplied(self) -> Money:
        return self.amount - self.applied


@dataclass(frozen=True, slots=True)
class Allocation:
    """A part of a payment that settles a part of an invoice."""

    payment_id: UUID
    invoice_id: UUID
    number: str
    amount: Money


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of a double entry; exactly one of debit and credit is above zero."""

    account: Account
    debit: Money
    credit: Money


def line_net(line: Line) -> Money:
    """Quantity x (price / base quantity) less discount, rounded half up (EN 16931 BR-CO, RULES 4)."""
    exact = line.quantity * line.unit_price.amount / line.base_quantity * (100 - line.discount_percent) / 100
    return Money.rounded(exact, line.net.currency)


def tax_subtotals(lines: Sequence[Line]) -> tuple[TaxSubtotal, ...]:
    """Tax per category and rate, on the sum of rounded lines."""
    bases: dict[tuple[str, Decimal], Money] = {}
    for line in lines:
        key = (line.tax_category, line.tax_rate)
        bases[key] = bases.get(key, Money.zero(line.net.currency)) + line.net
    return tuple(
        TaxSubtotal.model_validate(
            {"category": category, "rate": rate, "base": base, "tax": Money.rounded(base.amount * rate / 100, base.currency)}
        )
        for (category, rate), base in bases.items()
    )


def issue(
    delivery: DeliveryCompleted, *, invoice_id: UUID, flow_id: UUID, number: str, now: datetime
) -> tuple[Invoice, list[Posting], list[Event]]:
    """The invoice of a delivery, issued today. Raises `Invalid` when the delivery's own arithmetic is wrong."""
    for line in delivery.lines:
        if line.net != line_net(line):
            raise Invalid(f"line {line.sku}: net is {line.net}, should be {line_net(line)}", field="lines")
    currency = delivery.net.currency
    net = Money.total((line.net for line in delivery.lines), currency)
    if net != delivery.net:
        raise Invalid(f"net is {delivery.net}, the lines add up to {net}", field="net")
    taxes = tax_subtotals(delivery.lines)
    tax = Money.total((each.tax for each in taxes), currency)
    today = now.date()
    invoice = Invoice(
        id=invoice_id,
        flow_id=flow_id,
        number=number,
        state="final",
        order_id=delivery.order_id,
        delivery_id=delivery.delivery_id,
        customer=delivery.customer,
        lines=delivery.lines,
        taxes=taxes,
        net=net,
        tax=tax,
        gross=net + tax,
        issued_on=today,
        due_on=today + timedelta(days=delivery.payment_terms_days),
        paid=Money.zero(currency),
        paid_on=None if (net + tax).amount else today,
        overdue_since=None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    event = InvoiceIssued(
        invoice_id=invoice.id,
        number=number,
        order_id=invoice.order_id,
        delivery_id=invoice.delivery_id,
        customer=invoice.customer,
        net=net,
        tax=tax,
        gross=invoice.gross,
        taxes=taxes,
        issued_on=invoice.issued_on,
        due_on=invoice.due_on,
    )
    events: list[Event] = [event]
    if invoice.paid_on is not None:
        events.append(_paid(invoice))  # a claim of nothing is settled as it is made
    return invoice, _entry(("receivable", invoice.gross, "debit"), ("revenue", net, "credit"), ("tax", tax, "credit")), events


def fall_overdue(invoice: Invoice, now: datetime) -> tuple[Invoice, list[Event]]:
    """The due day has passed; said once per invoice."""
    late = replace(invoice, overdue_since=now.date(), version=invoice.version + 1, updated_at=now)
    event = InvoiceOverdue(
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        due_on=invoice.due_on,
        days_overdue=(now.date() - invoice.due_on).days,
        open=invoice.open,
    )
    return late, [event]


def receive(payment: Payment) -> tuple[list[Posting], list[Event]]:
    """Money in: cash, owed to nobody in particular yet."""
    event = PaymentReceived(
        payment_id=payment.id,
        amount=payment.amount,
        method=payment.method,
        reference=payment.reference,
        received_on=payment.received_on,
    )
    return _entry(("cash", payment.amount, "debit"), ("unapplied_cash", payment.amount, "credit")), [event]


def allocate(
    payment: Payment, invoice: Invoice, amount: Money | None, now: datetime
) -> tuple[Payment, Invoice, Money, list[Posting], list[Event]]:
    """Apply cash to an invoice: `amount`, or as much as both allow. Returns what was applied and the events of the invoice."""
    if (amount is not None and amount.currency != payment.amount.currency) or invoice.gross.currency != payment.amount.currency:
        raise Invalid(
            f"{invoice.number} claims {invoice.gross.currency}, the payment is {payment.amount.currency}", field="currency"
        )
    if invoice.open.amount == 0:
        raise InvoiceAlreadyPaid(f"{invoice.number} is paid")
    part = amount if amount is not None else min(invoice.open, payment.unapplied, key=lambda money: money.amount)
    if part.amount <= 0:
        raise TooMuchAllocated("the payment has nothing left, or the amount is not above zero", field="allocations")
    if part.amount > invoice.open.amount:
        raise TooMuchAllocated(f"{invoice.number} claims {invoice.open} more, not {part}", field="allocations")
    if part.amount > payment.unapplied.amount:
        raise TooMuchAllocated(f"the payment has {payment.unapplied} left, not {part}", field="allocations")
    applied = replace(payment, applied=payment.applied + part, version=payment.version + 1, updated_at=now)
    settled = replace(invoice, paid=invoice.paid + part, version=invoice.version + 1, updated_at=now)
    events: list[Event] = [
        PaymentAllocated(
            payment_id=payment.id,
            invoice_id=invoice.id,
            number=invoice.number,
            order_id=invoice.order_id,
            amount=part,
            open_after=settled.open,
            received_on=payment.received_on,
        )
    ]
    if settled.open.amount == 0:
        settled = replace(settled, paid_on=payment.received_on)
        events.append(_paid(settled))
    return applied, settled, part, _entry(("unapplied_cash", part, "debit"), ("receivable", part, "credit")), events


def _paid(invoice: Invoice) -> InvoicePaid:
    assert invoice.paid_on is not None
    return InvoicePaid(
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        gross=invoice.gross,
        due_on=invoice.due_on,
        paid_on=invoice.paid_on,
        on_time=invoice.paid_on <= invoice.due_on,
    )


def _entry(*lines: tuple[Account, Money, Literal["debit", "credit"]]) -> list[Posting]:
    """Lines of nothing are left out."""
    return [
        Posting(
            account,
            amount if side == "debit" else Money.zero(amount.currency),
            amount if side == "credit" else Money.zero(amount.currency),
        )
        for account, amount, side in lines
        if amount.amount
    ]
