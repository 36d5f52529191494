"""The invoice: EN 16931 arithmetic, and what is derived from amounts and dates (RULES 4)."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, WrongTransition
from ltc_contracts.events import Customer, Event, InvoiceIssued, InvoiceOverdue, InvoicePaid, InvoiceVoided, TaxSubtotal
from ltc_contracts.money import Money

from billing_svc.domain.amounts import tax_subtotals
from billing_svc.domain.ledger import Account, Entry, entry
from billing_svc.domain.occasion import Cause, InvoiceLine, Occasion

# The document's own state; what is paid and what is overdue are other axes, derived below. Invoices of deliveries are born final.
State = Literal["draft", "final", "void"]
PaymentState = Literal["open", "partial", "paid"]
SERIES = "INV"


class CreditInstead(DomainError):
    """The document is known outside, or its month is closed: what is wrong with it is mended by a credit note."""


@dataclass(frozen=True, slots=True)
class Invoice:
    """A numbered document, what was paid on it and what was taken back. Payment state and overdue are derived, never set by hand.

    `cause_id` names what it invoices (`cause`); nothing is invoiced twice. `settled_on` is the day on which nothing was open first.
    `next_due_on`: paid in instalments, and the oldest that is open falls due then.
    `written_off_tax` is the part of `written_off` that is tax we need not pay any more. While `disputed` nobody is reminded of it.
    """

    id: UUID
    flow_id: UUID
    number: str
    state: State
    order_id: UUID
    delivery_id: UUID
    cause: Cause
    cause_id: UUID
    customer: Customer
    lines: tuple[InvoiceLine, ...]
    taxes: tuple[TaxSubtotal, ...]
    net: Money
    tax: Money
    gross: Money
    issued_on: date
    due_on: date
    paid: Money
    credited: Money
    written_off: Money
    written_off_tax: Money
    disputed: bool
    voided_on: date | None
    last_received_on: date | None
    settled_on: date | None
    called_overdue_on: date | None
    next_due_on: date | None
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def open(self) -> Money:
        """What is claimed and neither paid nor given up; never below zero. A void document claims nothing."""
        if self.state == "void":
            return Money.zero(self.gross.currency)
        return self.gross - self.paid - self.credited - self.written_off

    @property
    def claimed(self) -> Money:
        """What was not taken back, paid or not."""
        return Money.zero(self.gross.currency) if self.state == "void" else self.gross - self.credited

    @property
    def income(self) -> Account:
        """The account of what it claims net: what is claimed for being late is no revenue of what we sell."""
        return "late_charges" if self.cause == "late_charge" else "revenue"

    @property
    def payment_state(self) -> PaymentState:
        if self.open.amount == 0:
            return "paid"
        return "partial" if self.paid.amount else "open"

    @property
    def paid_on(self) -> date | None:
        """The day on which nothing was open any more; cash that lay here before the invoice pays it as it is issued."""
        return self.settled_on

    @property
    def falls_due_on(self) -> date:
        """The day after which it is late: that of the oldest open instalment where there are some."""
        return self.next_due_on or self.due_on

    def is_overdue(self, today: date) -> bool:
        """Something is open after the due day."""
        return self.open.amount > 0 and today > self.falls_due_on


def document_number(series: str, year: int, count: int) -> str:
    """`INV-2026-000001`."""
    return f"{series}-{year:04d}-{count:06d}"


def issue(
    occasion: Occasion, *, invoice_id: UUID, flow_id: UUID, number: str, now: datetime
) -> tuple[Invoice, Entry, list[Event]]:
    """The final invoice of an occasion, issued on the business day of `now`. Raises `Invalid` when we would owe the customer."""
    taxes = tax_subtotals(occasion.lines)
    net, currency = occasion.net, occasion.net.currency
    tax = Money.total((each.tax for each in taxes), currency)
    gross = Money.of((net + tax).amount, currency)
    if gross.amount < 0:
        raise Invalid(f"gross is {gross}: what we owe the customer is a credit note, not an invoice", field="net")
    today = now.date()
    invoice = Invoice(
        id=invoice_id,
        flow_id=flow_id,
        number=number,
        state="final",
        order_id=occasion.order_id,
        delivery_id=occasion.delivery_id,
        cause=occasion.cause,
        cause_id=occasion.cause_id,
        customer=occasion.customer,
        lines=occasion.lines,
        taxes=taxes,
        net=net,
        tax=tax,
        gross=gross,
        issued_on=today,
        due_on=today + timedelta(days=occasion.payment_terms_days),
        paid=Money.zero(currency),
        credited=Money.zero(currency),
        written_off=Money.zero(currency),
        written_off_tax=Money.zero(currency),
        disputed=False,
        voided_on=None,
        last_received_on=None,
        settled_on=None if gross.amount else today,
        called_overdue_on=None,
        next_due_on=None,
        version=1,
        created_at=now,
        updated_at=now,
    )
    events: list[Event] = [
        InvoiceIssued(
            invoice_id=invoice.id,
            number=number,
            order_id=invoice.order_id,
            delivery_id=invoice.delivery_id,
            customer=invoice.customer,
            net=net,
            tax=tax,
            gross=gross,
            taxes=taxes,
            issued_on=invoice.issued_on,
            due_on=invoice.due_on,
            handover_id=invoice.cause_id if invoice.cause == "handover" else None,
            change_id=invoice.cause_id if invoice.cause == "change" else None,
        )
    ]
    # A claim of nothing is settled as it is made; without this its order would wait for ever.
    events += paid_events(invoice)
    return invoice, entry("invoice", today, ("receivable", gross), (invoice.income, -net), ("tax", -tax)), events


def fall_overdue(invoice: Invoice, now: datetime) -> tuple[Invoice, list[Event]]:
    """The due day has passed and something is open; said once per invoice."""
    late = replace(invoice, called_overdue_on=now.date(), version=invoice.version + 1, updated_at=now)
    event = InvoiceOverdue(
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        due_on=invoice.falls_due_on,
        days_overdue=(now.date() - invoice.falls_due_on).days,
        open=invoice.open,
    )
    return late, [event]


def pay(invoice: Invoice, part: Money, received_on: date, now: datetime) -> tuple[Invoice, list[Event]]:
    """`part` of what is open is paid by money that came on a day; with `invoice.paid` when it was the last."""
    latest = max(received_on, invoice.last_received_on or received_on)
    paid = replace(invoice, paid=invoice.paid + part, last_received_on=latest, version=invoice.version + 1, updated_at=now)
    return settle(paid, max(invoice.issued_on, latest))


def take_back(invoice: Invoice, gross: Money, now: datetime) -> tuple[Invoice, Money, list[Event]]:
    """So much is claimed no longer; returns what was paid beyond the rest and is the customer's again.

    With `invoice.paid` when that left nothing open: who waits for the money of this invoice need not wait any more.
    """
    free = Money.zero(gross.currency)
    if invoice.open < gross:
        free = gross - invoice.open
    changed = replace(
        invoice, credited=invoice.credited + gross, paid=invoice.paid - free, version=invoice.version + 1, updated_at=now
    )
    settled, events = settle(changed, now.date())
    return settled, free, events


def unpay(invoice: Invoice, part: Money, last_received_on: date | None, now: datetime) -> Invoice:
    """`part` of what was paid is not paid any more; `last_received_on` is of what still is. It can be settled anew."""
    return replace(
        invoice,
        paid=invoice.paid - part,
        last_received_on=last_received_on or invoice.last_received_on,
        settled_on=None if part.amount else invoice.settled_on,
        version=invoice.version + 1,
        updated_at=now,
    )


def void(
    invoice: Invoice, *, reason: str, known: str | None, month_open: bool, now: datetime
) -> tuple[Invoice, Entry, list[Event]]:
    """The document never counted: its number stays, what it booked is reversed. `known`: how somebody outside has learnt of it.

    Raises `WrongTransition` for one that is no final document, and `CreditInstead` with the reason.
    """
    if invoice.state != "final":
        raise WrongTransition(f"invoice {invoice.number}", invoice.state, "void")
    why = _why_not_void(invoice, known, month_open)
    if why is not None:
        raise CreditInstead(f"{invoice.number} {why}: make a credit note")
    today = max(now.date(), invoice.issued_on)
    changed = replace(invoice, state="void", voided_on=today, version=invoice.version + 1, updated_at=now)
    told = InvoiceVoided(
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        net=invoice.net,
        tax=invoice.tax,
        gross=invoice.gross,
        reason=reason,
        voided_on=today,
    )
    return (
        changed,
        entry("void", today, (invoice.income, invoice.net), ("tax", invoice.tax), ("receivable", -invoice.gross)),
        [told],
    )


def _why_not_void(invoice: Invoice, known: str | None, month_open: bool) -> str | None:
    if invoice.last_received_on is not None:
        return "was paid"
    if invoice.settled_on is not None or invoice.credited.amount or invoice.written_off.amount:
        return "is settled or credited in part"
    if invoice.called_overdue_on is not None:
        return "was called overdue"
    if known is not None:
        return known
    return None if month_open else "belongs to a closed month"


def settle(invoice: Invoice, on: date) -> tuple[Invoice, list[Event]]:
    """The day on which nothing is open any more, with `invoice.paid`; once until something is open again."""
    if invoice.open.amount or invoice.settled_on is not None:
        return invoice, []
    invoice = replace(invoice, settled_on=on)
    return invoice, paid_events(invoice)


def paid_events(invoice: Invoice) -> list[Event]:
    """`invoice.paid` when nothing is open, else nothing."""
    if invoice.paid_on is None:
        return []
    return [
        InvoicePaid(
            invoice_id=invoice.id,
            number=invoice.number,
            order_id=invoice.order_id,
            gross=invoice.gross,
            due_on=invoice.due_on,
            paid_on=invoice.paid_on,
            on_time=invoice.paid_on <= invoice.due_on,
            credited=invoice.credited if invoice.credited.amount else None,
            written_off=invoice.written_off if invoice.written_off.amount else None,
        )
    ]
