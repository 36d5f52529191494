"""Events and orders with defaults: a test names only what it is about."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import (
    ContractSigned,
    Customer,
    DeliveryCancelled,
    DeliveryCompleted,
    DeliveryProgressed,
    InvoicePaid,
    Line,
)
from ltc_contracts.money import Money

from order_svc.domain import order as rules
from order_svc.domain.order import Order, PromiseRule

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
    order, _ = rules.receive(contract, order_id=new_id(), flow_id=new_id(), number="O-2026-000001", now=NOW)
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
