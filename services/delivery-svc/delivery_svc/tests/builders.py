"""Events and deliveries with defaults: a test names only what it is about."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import Customer, Event, Line, OrderCancellationRequested, OrderConfirmed
from ltc_contracts.money import Money

from delivery_svc.domain import delivery as rules
from delivery_svc.domain import handover as handovers
from delivery_svc.domain.delivery import Delivery
from delivery_svc.domain.plan import Allowance, Plan, PlannedLine, Step

NOW = datetime(2026, 1, 1, 9, 30, tzinfo=UTC)


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


def a_confirmed_order(**more: Any) -> OrderConfirmed:
    lines = more.pop("lines", (a_line(),))
    given = {
        "order_id": new_id(),
        "number": "O-2026-000001",
        "contract_id": new_id(),
        "customer": a_customer(),
        "lines": lines,
        "net": Money.total((line.net for line in lines), lines[0].net.currency),
        "payment_terms_days": 30,
        "requested_on": None,
        "promised_on": date(2026, 1, 15),
    }
    return OrderConfirmed(**given | more)


def a_delivery(order: OrderConfirmed | None = None, **more: Any) -> Delivery:
    """A planned delivery, further changed as named."""
    delivery, _ = rules.plan(order or a_confirmed_order(), delivery_id=new_id(), flow_id=new_id(), now=NOW)
    return replace(delivery, **more)


def a_request(order_id: UUID, **more: Any) -> OrderCancellationRequested:
    return OrderCancellationRequested(**{"order_id": order_id, "number": "O-2026-000001", "reason": "budget cut"} | more)


def a_plan(*lines: Line, allowance: Allowance | None = None) -> Plan:
    """Each line is shipped."""
    return Plan(
        lines=tuple(
            PlannedLine(line=line, position=position, allowance=allowance or Allowance())
            for position, line in enumerate(lines, start=1)
        ),
        steps=tuple(
            Step(id=new_id(), line_id=line.line_id, position=1, kind="shipment", quantity=line.quantity, planned_on=NOW.date())
            for line in lines
        ),
    )


def complete(delivery: Delivery, lines: tuple[Line, ...], at: datetime | None, now: datetime) -> tuple[Delivery, list[Event]]:
    """All that was left is handed over; what is told of the end."""
    handovers.require_completion_time(delivery, at, now)
    plan = a_plan(*lines)
    handing = handovers.hand_over(
        delivery, plan, handovers.everything_left(plan), handover_id=new_id(), at=at, now=now, by="anna"
    )
    return handing.delivery, handing.events[1:]
