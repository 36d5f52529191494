"""Deals told by events, consistent to the cent: in parts, prepaid, sent back, replaced, changed, cancelled, short and more than ordered."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts import events as e
from ltc_contracts.money import Money

START = datetime(2026, 3, 1, tzinfo=UTC)
CUSTOMER = e.Customer(customer_id=new_id(), name="Rossi", country="IT")


class Told(NamedTuple):
    """An event on a day, at a version of its aggregate."""

    event: e.Event
    day: int
    sequence: int = 1


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def line(quantity: str = "10") -> dict[str, Any]:
    net = Decimal(quantity) * 10
    return {
        "line_id": UUID(int=7),
        "sku": "PUMP",
        "description": "Pump",
        "quantity": Decimal(quantity),
        "unit_price": eur("10.00"),
        "tax_rate": Decimal(20),
        "net": eur(f"{net}.00"),
    }


class Deal:
    """The ids of a flow, and its events with 20 % tax."""

    def __init__(self, invoicing: str) -> None:
        self.flow, self.order, self.delivery = new_id(), new_id(), new_id()
        self.invoicing = invoicing

    def confirmed(self) -> e.Event:
        return e.OrderConfirmed(
            order_id=self.order,
            number="O-2026-000001",
            contract_id=self.order,
            customer=CUSTOMER,
            lines=(e.Line(**line()),),
            net=eur("100.00"),
            payment_terms_days=14,
            promised_on=date(2026, 3, 5),
            source="checkout",
            invoicing=self.invoicing,
        )

    def part(self, quantity: str, before: str, **given: Any) -> dict[str, Any]:
        net = eur(f"{Decimal(quantity) * 10}.00")
        return {
            "delivery_id": self.delivery,
            "order_id": self.order,
            "order_number": "O-2026-000001",
            "customer": CUSTOMER,
            "lines": ({**line(quantity), "delivered_before": Decimal(before), **given},),
            "net": net,
            "invoicing": self.invoicing,
        }

    def handed(self, handover: UUID, quantity: str, before: str, *, number: int = 1, last: bool = False) -> e.Event:
        return e.DeliveryHandedOver(
            **self.part(quantity, before),
            handover_id=handover,
            number=number,
            payment_terms_days=14,
            promised_on=date(2026, 3, 5),
            handed_over_at=START,
            last=last,
        )

    def returned(self, back: UUID, quantity: str, before: str) -> e.Event:
        given = self.part(quantity, before, treatment="restock")
        return e.DeliveryReturned(**given, return_id=back, reason="too many", returned_at=START)

    def completed(self, handed: str, *, ordered: str = "10", handovers: int = 2, **told: Any) -> e.Event:
        """`handed` in money, `ordered` in pieces."""
        given = line(ordered)
        difference = Decimal(handed) - given["net"].amount
        return e.DeliveryCompleted(
            delivery_id=self.delivery,
            order_id=self.order,
            order_number="O-2026-000001",
            customer=CUSTOMER,
            lines=(e.Line(**given),),
            net=given["net"],
            payment_terms_days=14,
            promised_on=date(2026, 3, 5),
            completed_at=START,
            on_time=True,
            parts_told=True,
            handovers=handovers,
            handed=eur(handed),
            **{"short": eur(str(max(0, -difference))), "beyond": eur(str(max(0, difference))), "changes": 0} | told,
        )

    def changed(self, change: UUID, before: str, after: str) -> e.Event:
        net = eur(f"{Decimal(after) * 10}.00")
        return e.OrderChanged(
            order_id=self.order,
            number="O-2026-000001",
            contract_id=self.order,
            change_id=change,
            customer=CUSTOMER,
            before=(e.Line(**line(before)),),
            lines=(e.Line(**line(after)),),
            net=net,
            delta=net - eur(f"{Decimal(before) * 10}.00"),
            payment_terms_days=14,
            invoicing=self.invoicing,
            promised_on=date(2026, 3, 5),
            reason="fewer",
        )

    def invoiced(self, invoice: UUID, net: str, **cause: UUID) -> e.Event:
        base, tax, gross = amounts(net)
        return e.InvoiceIssued(
            invoice_id=invoice,
            number="INV-2026-000001",
            order_id=self.order,
            delivery_id=self.delivery,
            customer=CUSTOMER,
            net=base,
            tax=tax,
            gross=gross,
            taxes=(e.TaxSubtotal(category="S", rate=Decimal(20), base=base, tax=tax),),
            issued_on=date(2026, 3, 1),
            due_on=date(2026, 3, 20),
            **cause,
        )

    def credited(self, invoice: UUID, net: str, open_after: str, cause: str, cause_id: UUID) -> e.Event:
        base, tax, gross = amounts(net)
        return e.InvoiceCredited(
            credit_id=new_id(),
            number="CN-2026-000001",
            invoice_id=invoice,
            invoice_number="INV-2026-000001",
            order_id=self.order,
            net=base,
            tax=tax,
            gross=gross,
            taxes=(e.TaxSubtotal(category="S", rate=Decimal(20), base=base, tax=tax),),
            open_after=eur(open_after),
            reason="came back",
            credited_on=date(2026, 3, 9),
            cause=cause,
            cause_id=cause_id,
        )

    def paid(self, invoice: UUID, amount: str, open_after: str) -> e.Event:
        return e.PaymentAllocated(
            payment_id=new_id(),
            invoice_id=invoice,
            number="INV-2026-000001",
            order_id=self.order,
            amount=eur(amount),
            open_after=eur(open_after),
            received_on=date(2026, 3, 8),
        )

    def closed(self, collected: str) -> e.Event:
        return e.OrderClosed(order_id=self.order, number="O-2026-000001", collected=eur(collected))

    def cancelled(self, net: str) -> e.Event:
        return e.OrderCancelled(order_id=self.order, number="O-2026-000001", reason="stopped", net=eur(net))


def amounts(net: str) -> tuple[Money, Money, Money]:
    base = eur(net)
    tax = Money.rounded(base.amount * 20 / 100, "EUR")
    return base, tax, base + tax


def valued(event: e.Event, net: str) -> e.Event:
    """A part that is worth another amount, as it says of itself and of its line."""
    assert isinstance(event, e.DeliveryHandedOver | e.DeliveryReturned)
    [one] = event.lines
    return event.model_copy(update={"net": eur(net), "lines": (one.model_copy(update={"net": eur(net)}),)})


def parts() -> tuple[Deal, list[Told]]:
    """Delivered and invoiced in two parts, of which two pieces came back; the rest is paid."""
    deal = Deal("on_delivery")
    first, second, back = new_id(), new_id(), new_id()
    one, two = new_id(), new_id()
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.handed(first, "6", "0"), 3),
        Told(deal.invoiced(one, "60.00", handover_id=first), 3, 1),
        Told(deal.paid(one, "72.00", "0.00"), 4, 2),
        Told(deal.handed(second, "4", "6", number=2, last=True), 5),
        Told(deal.completed("100.00"), 5),
        Told(deal.invoiced(two, "40.00", handover_id=second), 5, 1),
        Told(deal.returned(back, "2", "10"), 8),
        Told(deal.credited(two, "20.00", "24.00", "return", back), 9, 2),
        Told(deal.paid(two, "24.00", "0.00"), 10, 3),
        Told(deal.closed("96.00"), 10),
    ]


def prepaid() -> tuple[Deal, list[Told]]:
    """Invoiced on confirmation and paid; then it became less, and was cancelled: all is credited, the money is on account."""
    deal = Deal("on_confirmation")
    change, invoice = new_id(), new_id()
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.invoiced(invoice, "100.00"), 1, 1),
        Told(e.PaymentReceived(payment_id=new_id(), amount=eur("120.00"), method="card", reference="x", received_on=date(2026, 3, 2)), 2),
        Told(deal.paid(invoice, "120.00", "0.00"), 2, 2),
        Told(deal.changed(change, "10", "7"), 4),
        Told(deal.credited(invoice, "30.00", "0.00", "change", change), 5, 3),
        Told(deal.cancelled("70.00"), 6),
        Told(deal.credited(invoice, "70.00", "0.00", "cancellation", deal.order), 7, 4),
    ]  # fmt: skip


def replaced() -> tuple[Deal, list[Told]]:
    """Prepaid; of the first part two pieces came back and were credited, and went again with the second, for which they are invoiced."""
    deal = Deal("on_confirmation")
    first, second, back, invoice, again = (new_id() for _ in range(5))
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.invoiced(invoice, "100.00"), 1, 1),
        Told(deal.paid(invoice, "120.00", "0.00"), 2, 2),
        Told(deal.handed(first, "6", "0"), 3),
        Told(deal.returned(back, "2", "6"), 4),
        Told(deal.credited(invoice, "20.00", "0.00", "return", back), 5, 3),
        Told(deal.handed(second, "6", "4", number=2, last=True), 6),
        Told(deal.completed("120.00"), 6),
        Told(deal.invoiced(again, "20.00", handover_id=second), 7, 1),
        Told(deal.paid(again, "24.00", "0.00"), 8, 2),
        Told(deal.closed("144.00"), 9),
    ]


def changed() -> tuple[Deal, list[Told]]:
    """After a part the order became less; then two pieces more than that went, and are charged."""
    deal = Deal("on_delivery")
    first, second, one, two = (new_id() for _ in range(4))
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.handed(first, "4", "0"), 2),
        Told(deal.invoiced(one, "40.00", handover_id=first), 2, 1),
        Told(deal.changed(new_id(), "10", "7"), 3),
        Told(deal.handed(second, "5", "4", number=2, last=True), 4),
        Told(deal.completed("90.00", ordered="7", changes=1), 4),
        Told(deal.invoiced(two, "50.00", handover_id=second), 5, 1),
        Told(deal.paid(one, "48.00", "0.00"), 6, 2),
        Told(deal.paid(two, "60.00", "0.00"), 6, 2),
        Told(deal.closed("108.00"), 7),
    ]


def reduced() -> tuple[Deal, list[Told]]:
    """Prepaid; the rest was cancelled, so the delivery ended without a last hand-over, and the rest was credited."""
    deal = Deal("on_confirmation")
    change, invoice = new_id(), new_id()
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.invoiced(invoice, "100.00"), 1, 1),
        Told(deal.paid(invoice, "120.00", "0.00"), 2, 2),
        Told(deal.handed(new_id(), "6", "0"), 3),
        Told(deal.completed("60.00", ordered="6", handovers=1, changes=1), 4),
        Told(deal.changed(change, "10", "6"), 4),
        Told(deal.credited(invoice, "40.00", "0.00", "change", change), 5, 3),
        Told(deal.closed("120.00"), 6),
    ]


def short() -> tuple[Deal, list[Told]]:
    """One piece is missing for good, within the allowance."""
    deal = Deal("on_delivery")
    handover, invoice = new_id(), new_id()
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.handed(handover, "9", "0", last=True), 2),
        Told(deal.completed("90.00", handovers=1), 2),
        Told(deal.invoiced(invoice, "90.00", handover_id=handover), 2, 1),
        Told(deal.paid(invoice, "108.00", "0.00"), 3, 2),
        Told(deal.closed("108.00"), 4),
    ]


def rounded() -> tuple[Deal, list[Told]]:
    """Prepaid; what came back before the rest went was rounded otherwise than what the customer lacks: the cent is credited too."""
    deal = Deal("on_confirmation")
    first, second, back, invoice = (new_id() for _ in range(4))
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.invoiced(invoice, "100.00"), 1, 1),
        Told(deal.paid(invoice, "120.00", "0.00"), 2, 2),
        Told(valued(deal.handed(first, "6", "0"), "60.01"), 3),
        Told(deal.returned(back, "2", "6"), 4),
        Told(deal.credited(invoice, "20.00", "0.00", "return", back), 5, 3),
        Told(valued(deal.handed(second, "4", "4", number=2, last=True), "39.98"), 6),
        Told(deal.completed("99.99"), 6),
        Told(deal.credited(invoice, "0.01", "0.00", "return", back), 7, 4),
        Told(deal.closed("120.00"), 7),
    ]


DEALS = (parts, prepaid, replaced, changed, reduced, short, rounded)
