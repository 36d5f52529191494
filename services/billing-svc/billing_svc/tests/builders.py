"""Events and bodies with defaults; a test names only what it is about."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import (
    Customer,
    DeliveryCompleted,
    DeliveryHandedOver,
    DeliveryPromised,
    DeliveryReturned,
    HandedLine,
    Line,
    OrderCancelled,
    OrderChanged,
    OrderConfirmed,
    ReturnedLine,
)
from ltc_contracts.money import Money

from billing_svc.domain.amounts import line_net, worth

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CUSTOMER = Customer(customer_id=new_id(), name="Rossi", country="IT")


def line(price: str = "348.35", quantity: str = "16", discount: str = "4", rate: str = "22", currency: str = "EUR") -> Line:
    """RULES 4's golden line."""
    draft = Line(
        line_id=new_id(),
        sku="SUPPORT",
        description="Premium support",
        quantity=Decimal(quantity),
        unit_price=Money.of(price, currency),
        discount_percent=Decimal(discount),
        tax_rate=Decimal(rate),
        net=Money.zero(currency),
    )
    return draft.model_copy(update={"net": line_net(draft)})


def completed(*lines: Line, **changed: Any) -> DeliveryCompleted:
    parts = lines or (line(),)
    given: dict[str, Any] = {
        "delivery_id": new_id(),
        "order_id": new_id(),
        "order_number": "O-2026-000001",
        "lines": parts,
        "customer": CUSTOMER,
        "payment_terms_days": 30,
        "net": Money.total((each.net for each in parts), parts[0].net.currency),
        "promised_on": date(2026, 1, 1),
        "completed_at": NOW,
        "on_time": True,
    }
    return DeliveryCompleted(**{**given, **changed})


def part(of: Line, quantity: str, before: str = "0", **changed: Any) -> HandedLine:
    """So many of a line, after so many before."""
    many, earlier = Decimal(quantity), Decimal(before)
    net = worth(of, earlier + many) - worth(of, earlier)
    return HandedLine.model_validate({**dict(of), "quantity": many, "delivered_before": earlier, "net": net, **changed})


def handed_over(*lines: HandedLine, **changed: Any) -> DeliveryHandedOver:
    given: dict[str, Any] = {
        "delivery_id": new_id(),
        "handover_id": new_id(),
        "number": 1,
        "order_id": new_id(),
        "order_number": "O-2026-000001",
        "customer": CUSTOMER,
        "lines": lines,
        "net": Money.total((each.net for each in lines), lines[0].net.currency),
        "payment_terms_days": 30,
        "promised_on": date(2026, 1, 1),
        "handed_over_at": NOW,
        "last": False,
    }
    return DeliveryHandedOver(**{**given, **changed})


def payment_body(amount: str, /, currency: str = "EUR", **changed: Any) -> dict[str, Any]:
    return {
        "amount": {"amount": amount, "currency": currency},
        "method": "bank_transfer",
        "reference": "thank you",
        **changed,
    }


def confirmed(*lines: Line, **changed: Any) -> OrderConfirmed:
    """A prepaid order."""
    given: dict[str, Any] = {
        "order_id": new_id(),
        "number": "O-2026-000001",
        "contract_id": new_id(),
        "customer": CUSTOMER,
        "lines": lines,
        "net": Money.total((each.net for each in lines), lines[0].net.currency),
        "payment_terms_days": 14,
        "promised_on": date(2026, 1, 9),
        "source": "checkout",
        "invoicing": "on_confirmation",
    }
    return OrderConfirmed(**{**given, **changed})


def promised(order_id: UUID, **changed: Any) -> DeliveryPromised:
    given: dict[str, Any] = {
        "delivery_id": new_id(),
        "order_id": order_id,
        "promised_on": date(2026, 1, 9),
        "promise_version": 1,
    }
    return DeliveryPromised(**{**given, **changed})


def cancelled(order_id: UUID, net: Money) -> OrderCancelled:
    return OrderCancelled(order_id=order_id, number="O-2026-000001", reason="project stopped", net=net)


def amended(line: Line, quantity: str, **changed: Any) -> Line:
    """The line with another quantity, at the same price unless said otherwise."""
    draft = line.model_copy(update={"quantity": Decimal(quantity), **changed})
    return draft.model_copy(update={"net": line_net(draft)})


def order_changed(order_id: UUID, before: Sequence[Line], lines: Sequence[Line], **changed: Any) -> OrderChanged:
    currency = before[0].net.currency
    net = Money.total((each.net for each in lines), currency)
    given: dict[str, Any] = {
        "order_id": order_id,
        "number": "O-2026-000001",
        "contract_id": new_id(),
        "change_id": new_id(),
        "customer": CUSTOMER,
        "before": tuple(before),
        "lines": tuple(lines),
        "net": net,
        "delta": net - Money.total((each.net for each in before), currency),
        "payment_terms_days": 14,
        "invoicing": "on_confirmation",
        "promised_on": date(2026, 1, 9),
        "reason": "other quantities",
    }
    return OrderChanged(**{**given, **changed})


def came_back(order_id: UUID, *parts: tuple[Line, str, str], **changed: Any) -> DeliveryReturned:
    """So many of each line, of so many that the customer had."""
    lines = [
        ReturnedLine.model_validate(
            {
                **dict(of),
                "quantity": Decimal(quantity),
                "delivered_before": Decimal(before),
                "net": worth(of, Decimal(before)) - worth(of, Decimal(before) - Decimal(quantity)),
                "treatment": "restock",
            }
        )
        for of, quantity, before in parts
    ]
    given: dict[str, Any] = {
        "delivery_id": new_id(),
        "return_id": new_id(),
        "order_id": order_id,
        "order_number": "O-2026-000001",
        "customer": CUSTOMER,
        "lines": tuple(lines),
        "net": Money.total((each.net for each in lines), lines[0].net.currency),
        "reason": "one too many",
        "returned_at": NOW,
    }
    return DeliveryReturned(**{**given, **changed})
