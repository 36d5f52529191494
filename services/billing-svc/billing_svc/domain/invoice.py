"""The invoice: EN 16931 arithmetic, and what is derived from amounts and dates (RULES 4)."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, Event, InvoiceIssued, InvoiceOverdue, InvoicePaid, TaxSubtotal
from ltc_contracts.money import Money

from billing_svc.domain.amounts import tax_subtotals
from billing_svc.domain.ledger import Entry, entry
from billing_svc.domain.occasion import Cause, InvoiceLine, Occasion

# The document's own state; what is paid and what is overdue are other axes, derived below. Invoices of deliveries are born final.
State = Literal["draft", "final", "void"]
PaymentState = Literal["open", "partial", "paid"]
SERIES = "INV"


@dataclass(frozen=True, slots=True)
class Invoice:
    """A numbered document and what was paid on it. Payment state and overdue are derived, never set by hand.

    `cause_id` names what it invoices, the hand-over or the delivery as a whole (`cause`); nothing is invoiced twice.
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
    last_received_on: date | None
    called_overdue_on: date | None
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

    @property
    def paid_on(self) -> date | None:
        """The day on which the last part that was missing had arrived; cash that lay here before the invoice pays it as it is issued."""
        if self.open.amount:
            return None
        return max(self.issued_on, self.last_received_on or self.issued_on)

    def is_overdue(self, today: date) -> bool:
        """Something is open after the due day."""
        return self.open.amount > 0 and today > self.due_on


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
        last_received_on=None,
        called_overdue_on=None,
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
        )
    ]
    # A claim of nothing is settled as it is made; without this its order would wait for ever.
    events += paid_events(invoice)
    return invoice, entry("invoice", today, ("receivable", gross), ("revenue", -net), ("tax", -tax)), events


def fall_overdue(invoice: Invoice, now: datetime) -> tuple[Invoice, list[Event]]:
    """The due day has passed and something is open; said once per invoice."""
    late = replace(invoice, called_overdue_on=now.date(), version=invoice.version + 1, updated_at=now)
    event = InvoiceOverdue(
        invoice_id=invoice.id,
        number=invoice.number,
        order_id=invoice.order_id,
        due_on=invoice.due_on,
        days_overdue=(now.date() - invoice.due_on).days,
        open=invoice.open,
    )
    return late, [event]


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
        )
    ]
