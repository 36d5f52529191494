"""The invoice: EN 16931 arithmetic, and what is derived from amounts and dates (RULES 4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Context, Decimal, localcontext
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, DeliveryCompleted, Event, InvoiceIssued, InvoiceOverdue, InvoicePaid, Line, TaxSubtotal
from ltc_contracts.money import CurrencyMismatch, Money

from billing_svc.domain.ledger import Entry, entry

# The document's own state; what is paid and what is overdue are other axes, derived below. Invoices of deliveries are born final.
State = Literal["draft", "final", "void"]
PaymentState = Literal["open", "partial", "paid"]
SERIES = "INV"
# Wide enough that quantity x price x percentage is exact: a quotient on the half must not be mistaken for one just below it.
_EXACT = Context(prec=80)


@dataclass(frozen=True, slots=True)
class Invoice:
    """A numbered document and what was paid on it. Payment state and overdue are derived, never set by hand."""

    id: UUID
    flow_id: UUID
    number: str
    state: State
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


def line_net(line: Line) -> Money:
    """Quantity x (price / base quantity) less discount, rounded half up to the minor unit (RULES 4). One division, at the end."""
    if line.unit_price.currency != line.net.currency:
        raise CurrencyMismatch(
            f"line {line.sku}: the price is {line.unit_price.currency}, the net {line.net.currency}", field="lines"
        )
    with localcontext(_EXACT):
        exact = line.quantity * line.unit_price.amount * (100 - line.discount_percent) / (line.base_quantity * 100)
        return Money.rounded(exact, line.net.currency)


def tax_subtotals(lines: Sequence[Line]) -> tuple[TaxSubtotal, ...]:
    """Tax per category and rate, on the sum of the rounded lines."""
    bases: dict[tuple[str, Decimal], Money] = {}
    for line in lines:
        key = (line.tax_category, line.tax_rate)
        bases[key] = bases.get(key, Money.zero(line.net.currency)) + line.net
    subtotals = []
    for (category, rate), base in bases.items():
        with localcontext(_EXACT):
            tax = Money.rounded(base.amount * rate / 100, base.currency)
        subtotals.append(TaxSubtotal.model_validate({"category": category, "rate": rate, "base": base, "tax": tax}))
    return tuple(subtotals)


def require_true(delivery: DeliveryCompleted) -> None:
    """What is carried is verified by own arithmetic; raises `Invalid` with the first thing that is wrong."""
    for line in delivery.lines:
        if line.net != line_net(line):
            raise Invalid(f"line {line.sku}: net is {line.net}, should be {line_net(line)}", field="lines")
        if line.tax_category != "S" and line.tax_rate != 0:
            raise Invalid(f"line {line.sku}: tax category {line.tax_category} has the rate 0", field="lines")
        if line.tax_category == "AE" and not delivery.customer.vat_id:
            raise Invalid(f"line {line.sku}: reverse charge (AE) needs the customer's VAT id", field="customer.vat_id")
    net = Money.total((line.net for line in delivery.lines), delivery.net.currency)
    if net != delivery.net:
        raise Invalid(f"net is {delivery.net}, the lines add up to {net}", field="net")


def issue(
    delivery: DeliveryCompleted, *, invoice_id: UUID, flow_id: UUID, number: str, now: datetime
) -> tuple[Invoice, Entry, list[Event]]:
    """The final invoice of a delivery, issued on the business day of `now`. Raises `Invalid` when the delivery's figures are wrong."""
    require_true(delivery)
    taxes = tax_subtotals(delivery.lines)
    net, currency = delivery.net, delivery.net.currency
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
        order_id=delivery.order_id,
        delivery_id=delivery.delivery_id,
        customer=delivery.customer,
        lines=delivery.lines,
        taxes=taxes,
        net=net,
        tax=tax,
        gross=gross,
        issued_on=today,
        due_on=today + timedelta(days=delivery.payment_terms_days),
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
