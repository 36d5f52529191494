"""Events and bodies with defaults; a test names only what it is about."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ltc_chassis.ids import new_id
from ltc_contracts.events import Customer, DeliveryCompleted, DeliveryHandedOver, HandedLine, Line
from ltc_contracts.money import Money

from billing_svc.domain.amounts import line_net, worth

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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
        "customer": Customer(customer_id=new_id(), name="Rossi", country="IT"),
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
        "customer": Customer(customer_id=new_id(), name="Rossi", country="IT"),
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
