"""Events and orders with defaults: a test names only what it is about."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import (
    ContractSigned,
    Customer,
    DeliveryCancelled,
    DeliveryChangeDecided,
    DeliveryCompleted,
    DeliveryHandedOver,
    DeliveryProgressed,
    DeliveryPromised,
    DeliveryReturned,
    ErpCustomerChanged,
    ErpOrderPlaced,
    ErpStockChanged,
    HandedLine,
    InvoiceCredited,
    InvoiceIssued,
    InvoicePaid,
    Line,
    LineQuantity,
    PaymentAllocated,
    PaymentRefunded,
    ReturnedLine,
    TaxSubtotal,
)
from ltc_contracts.money import Money

from order_svc.domain import order as rules
from order_svc.domain.order import Order, PromiseRule
from order_svc.domain.placement import Placement

NOW = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)
RULE = PromiseRule(lead_days=14)


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def a_customer(**more: Any) -> Customer:
    given = {"customer_id": new_id(), "name": "Nordwind GmbH", "country": "DE", "vat_id": "DE123456789", "email": "ap@n.example"}
    return Customer(**given | more)


def a_line(**more: Any) -> Line:
    given = {
        "line_id": new_id(),
        "sku": "PUMP-7",
        "description": "Pump, 7 bar",
        "quantity": Decimal("3"),
        "unit_price": eur("348.35"),
        "discount_percent": Decimal("4"),
        "tax_rate": Decimal("22"),
        "net": eur("1003.25"),
    }
    return Line(**given | more)


def a_contract(**more: Any) -> ContractSigned:
    lines = more.pop("lines", (a_line(),))
    given = {
        "contract_id": new_id(),
        "number": "C-2026-000001",
        "opportunity_id": new_id(),
        "quote_id": new_id(),
        "customer": a_customer(),
        "lines": lines,
        "net": Money.total((line.net for line in lines), lines[0].net.currency),
        "payment_terms_days": 30,
        "requested_on": None,
        "document_sha256": "ab" * 32,
        "signed_by": "Ada Nordwind",
        "signed_at": NOW,
    }
    return ContractSigned(**given | more)


def an_order(**more: Any) -> Order:
    """A confirmed order, further changed as named."""
    contract = a_contract(**{key: more.pop(key) for key in ("lines", "requested_on", "net") if key in more})
    order, _ = rules.receive(
        Placement.of_contract(contract), order_id=new_id(), flow_id=new_id(), number="O-2026-000001", now=NOW
    )
    order, _ = rules.confirm(order, contract.lines, RULE, NOW)
    return replace(order, **more)


def progressed(order_id: UUID, percent: str = "40", **more: Any) -> DeliveryProgressed:
    return DeliveryProgressed(**{"delivery_id": new_id(), "order_id": order_id, "percent": Decimal(percent)} | more)


def completed(order_id: UUID, **more: Any) -> DeliveryCompleted:
    line = a_line()
    given = {
        "delivery_id": new_id(),
        "order_id": order_id,
        "order_number": "O-2026-000001",
        "customer": a_customer(),
        "lines": (line,),
        "net": line.net,
        "payment_terms_days": 30,
        "promised_on": date(2026, 1, 15),
        "completed_at": NOW,
        "on_time": True,
    }
    return DeliveryCompleted(**given | more)


def handed_over(order_id: UUID, *parts: tuple[Line, str], **more: Any) -> DeliveryHandedOver:
    """So much of these lines."""
    lines = tuple(
        HandedLine.model_validate(line.model_dump() | {"quantity": Decimal(quantity), "delivered_before": Decimal(0)})
        for line, quantity in parts
    )
    given = {
        "delivery_id": new_id(),
        "handover_id": new_id(),
        "number": 1,
        "order_id": order_id,
        "order_number": "O-2026-000001",
        "customer": a_customer(),
        "lines": lines,
        "net": eur("1.00"),
        "payment_terms_days": 30,
        "promised_on": date(2026, 1, 15),
        "handed_over_at": NOW + timedelta(minutes=1),
        "last": False,
    }
    return DeliveryHandedOver(**given | more)


def returned(order_id: UUID, line: Line, quantity: str, **more: Any) -> DeliveryReturned:
    came_back = line.model_dump() | {"quantity": Decimal(quantity), "delivered_before": Decimal(quantity), "treatment": "restock"}
    given = {
        "delivery_id": new_id(),
        "return_id": new_id(),
        "order_id": order_id,
        "order_number": "O-2026-000001",
        "customer": a_customer(),
        "lines": (ReturnedLine.model_validate(came_back),),
        "net": eur("1.00"),
        "reason": "broken",
        "returned_at": NOW,
    }
    return DeliveryReturned(**given | more)


def decided(
    order_id: UUID, change_id: UUID, *delivered: tuple[Line, str], granted: bool = True, **more: Any
) -> DeliveryChangeDecided:
    """Delivery's answer to a change; what the customer has by then."""
    given = {
        "delivery_id": new_id(),
        "order_id": order_id,
        "change_id": change_id,
        "granted": granted,
        "reason": None if granted else "it has left",
        "delivered": tuple(LineQuantity(line_id=line.line_id, quantity=Decimal(quantity)) for line, quantity in delivered),
        "promised_on": date(2026, 2, 1),
    }
    return DeliveryChangeDecided(**given | more)


def cancelled(order_id: UUID, **more: Any) -> DeliveryCancelled:
    return DeliveryCancelled(**{"delivery_id": new_id(), "order_id": order_id, "reason": "no longer needed"} | more)


def paid(order_id: UUID, **more: Any) -> InvoicePaid:
    given = {
        "invoice_id": new_id(),
        "number": "INV-2026-000001",
        "order_id": order_id,
        "gross": eur("1223.97"),
        "due_on": date(2026, 2, 1),
        "paid_on": date(2026, 1, 20),
        "on_time": True,
    }
    return InvoicePaid(**given | more)


def a_cart(external_ref: str = "W-1", **more: Any) -> dict[str, Any]:
    """The body of a checkout: three pumps, 1,003.25 net, 1,223.97 with tax."""
    customer = more.pop("customer", {})
    given = {
        "external_ref": external_ref,
        "customer": {"name": "Ada Example", "country": "DE", "email": "ada@example.org"} | customer,
        "lines": [a_cart_line()],
        "net": {"amount": "1003.25", "currency": "EUR"},
    }
    return given | more


def a_cart_line(**more: Any) -> dict[str, Any]:
    given = {
        "sku": "PUMP-7",
        "description": "Pump, 7 bar",
        "quantity": "3",
        "unit_price": {"amount": "348.35", "currency": "EUR"},
        "discount_percent": "4",
        "tax_rate": "22",
        "net": {"amount": "1003.25", "currency": "EUR"},
    }
    return given | more


def placed_in_erp(external_ref: str = "PO-1", **more: Any) -> ErpOrderPlaced:
    line = a_line()
    given = {
        "external_ref": external_ref,
        "customer": a_customer(),
        "lines": (line,),
        "net": line.net,
        "payment_terms_days": 30,
    }
    return ErpOrderPlaced(**given | more)


def counted(on_hand: str, *, sku: str = "PUMP-7", site: str = "MUC", as_of: datetime = NOW) -> ErpStockChanged:
    return ErpStockChanged(sku=sku, site=site, on_hand=Decimal(on_hand), as_of=as_of)


def told_by_erp(customer_id: UUID, limit: str | None = None, **more: Any) -> ErpCustomerChanged:
    given = {"customer_id": customer_id, "name": "Nordwind GmbH", "credit_limit": None if limit is None else eur(limit)}
    return ErpCustomerChanged(**given | more)


def promised(order_id: UUID, **more: Any) -> DeliveryPromised:
    given = {"delivery_id": new_id(), "order_id": order_id, "promised_on": date(2026, 1, 15), "promise_version": 1}
    return DeliveryPromised(**given | more)


def issued(order_id: UUID, gross: str = "1223.97", net: str = "1003.25", **more: Any) -> InvoiceIssued:
    tax = eur(gross) - eur(net)
    given = {
        "invoice_id": new_id(),
        "number": "INV-2026-000001",
        "order_id": order_id,
        "delivery_id": new_id(),
        "customer": a_customer(),
        "net": eur(net),
        "tax": tax,
        "gross": eur(gross),
        "taxes": (TaxSubtotal(category="S", rate=Decimal(22), base=eur(net), tax=tax),),
        "issued_on": date(2026, 1, 20),
        "due_on": date(2026, 2, 19),
    }
    return InvoiceIssued(**given | more)


def allocated(order_id: UUID, invoice_id: UUID, amount: str, **more: Any) -> PaymentAllocated:
    given = {
        "payment_id": new_id(),
        "invoice_id": invoice_id,
        "number": "INV-2026-000001",
        "order_id": order_id,
        "amount": eur(amount),
        "open_after": eur("0.00"),
        "received_on": date(2026, 2, 1),
    }
    return PaymentAllocated(**given | more)


def credited(order_id: UUID, invoice_id: UUID, gross: str = "1223.97", net: str = "1003.25", **more: Any) -> InvoiceCredited:
    tax = eur(gross) - eur(net)
    given = {
        "credit_id": new_id(),
        "number": "CN-2026-000001",
        "invoice_id": invoice_id,
        "invoice_number": "INV-2026-000001",
        "order_id": order_id,
        "net": eur(net),
        "tax": tax,
        "gross": eur(gross),
        "taxes": (TaxSubtotal(category="S", rate=Decimal(22), base=eur(net), tax=tax),),
        "open_after": eur("0.00"),
        "reason": "not delivered",
        "credited_on": date(2026, 2, 2),
    }
    return InvoiceCredited(**given | more)


def refunded(order_id: UUID | None, invoice_id: UUID | None, amount: str, **more: Any) -> PaymentRefunded:
    given = {
        "refund_id": new_id(),
        "payment_id": new_id(),
        "amount": eur(amount),
        "invoice_id": invoice_id,
        "order_id": order_id,
        "reason": "paid twice",
        "refunded_on": date(2026, 2, 3),
    }
    return PaymentRefunded(**given | more)
