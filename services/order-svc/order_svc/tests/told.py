"""What sales, delivery, billing and service tell of one deal, as events; a test changes what it is about."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import (
    ContractSigned,
    DeliveryFailed,
    DeliveryHandedOver,
    DeliveryReturned,
    HandedLine,
    InvoiceOverdue,
    Line,
    ProductionCancelled,
    ProductionChanged,
    ProductionCompleted,
    ProductionFailed,
    ProductionOrdered,
    QuoteAccepted,
    QuoteSent,
    ReturnedLine,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from ltc_contracts.money import Money

from order_svc.tests.builders import a_customer, eur

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def at(day: float) -> datetime:
    """So many days after New Year's Day."""
    return DAY + timedelta(days=day)


def quote_sent(contract: ContractSigned, **more: Any) -> QuoteSent:
    return QuoteSent(**_quote(contract) | {"lines": contract.lines, "valid_until": date(2026, 1, 31)} | more)


def quote_accepted(contract: ContractSigned, **more: Any) -> QuoteAccepted:
    return QuoteAccepted(**_quote(contract) | {"via": "link"} | more)


def _quote(contract: ContractSigned) -> dict[str, Any]:
    return {
        "quote_id": contract.quote_id,
        "opportunity_id": contract.opportunity_id,
        "number": "Q-2026-000001",
        "quote_version": 2,
        "net": contract.net,
    }


def handed_over(order_id: UUID, line: Line, quantity: str, *, before: str = "0", net: Money | None = None, **more: Any) -> Any:
    """A part of a line; `before` is what the customer had of it."""
    worth = net if net is not None else eur("100.00")
    part = HandedLine(
        **line.model_dump() | {"quantity": Decimal(quantity), "net": worth, "delivered_before": Decimal(before)},
    )
    given = {
        "delivery_id": new_id(),
        "handover_id": new_id(),
        "number": 1,
        "order_id": order_id,
        "order_number": "O-2026-000001",
        "customer": a_customer(),
        "lines": (part,),
        "net": worth,
        "payment_terms_days": 30,
        "promised_on": date(2026, 1, 15),
        "handed_over_at": at(12),
        "last": False,
        "proof_sha256": "7e" * 32,
    }
    return DeliveryHandedOver(**given | more)


def came_back(order_id: UUID, line: Line, quantity: str, **more: Any) -> DeliveryReturned:
    part = ReturnedLine(
        **line.model_dump() | {"quantity": Decimal(quantity), "delivered_before": Decimal(2), "treatment": "restock"},
    )
    given = {
        "delivery_id": new_id(),
        "return_id": new_id(),
        "order_id": order_id,
        "order_number": "O-2026-000001",
        "customer": a_customer(),
        "lines": (part,),
        "net": part.net,
        "reason": "one too many",
        "returned_at": at(14),
    }
    return DeliveryReturned(**given | more)


def failed(order_id: UUID, **more: Any) -> DeliveryFailed:
    given = {"delivery_id": new_id(), "attempt_id": new_id(), "attempt": 1, "order_id": order_id, "code": "absent"}
    return DeliveryFailed(**given | {"note": "nobody at the gate", "failed_at": at(11)} | more)


def overdue(order_id: UUID, invoice_id: UUID, still: str, **more: Any) -> InvoiceOverdue:
    given = {"invoice_id": invoice_id, "number": "INV-2026-000001", "order_id": order_id, "due_on": date(2026, 2, 19)}
    return InvoiceOverdue(**given | {"days_overdue": 1, "open": eur(still)} | more)


def ticket_opened(order_id: UUID | None, ticket_id: UUID, **more: Any) -> TicketOpened:
    given = {"ticket_id": ticket_id, "number": "T-2026-000001", "channel": "portal", "priority": "high", "queue": "service"}
    return TicketOpened(**given | {"order_id": order_id} | more)


def ticket_resolved(order_id: UUID | None, ticket_id: UUID, reopened: int = 0) -> TicketResolved:
    given: dict[str, Any] = {"ticket_id": ticket_id, "number": "T-2026-000001", "priority": "high", "queue": "service"}
    return TicketResolved(**given, order_id=order_id, reopened=reopened)


def ticket_reopened(ticket_id: UUID, reopened: int = 1) -> TicketReopened:
    return TicketReopened(ticket_id=ticket_id, number="T-2026-000001", reopened=reopened)


def production_ordered(order_id: UUID, line: Line, production_id: UUID, **more: Any) -> ProductionOrdered:
    return ProductionOrdered(**_job(order_id, line, production_id) | more)


def production_changed(order_id: UUID, line: Line, production_id: UUID, **more: Any) -> ProductionChanged:
    return ProductionChanged(**_job(order_id, line, production_id) | more)


def _job(order_id: UUID, line: Line, production_id: UUID) -> dict[str, Any]:
    return {
        **_production(order_id, production_id),
        "order_number": "O-2026-000001",
        "line_id": line.line_id,
        "sku": line.sku,
        "description": line.description,
        "quantity": line.quantity,
        "needed_by": date(2026, 1, 8),
        "priority": 50,
    }


def _production(order_id: UUID, production_id: UUID) -> dict[str, Any]:
    return {"production_id": production_id, "number": "P-2026-000001", "delivery_id": new_id(), "order_id": order_id}


def production_completed(order_id: UUID, line: Line, production_id: UUID, **more: Any) -> ProductionCompleted:
    made = {"sku": line.sku, "quantity": line.quantity, "quantity_good": line.quantity, "quantity_scrap": Decimal(1)}
    days = {"ordered_at": at(1), "completed_at": at(10), "needed_by": date(2026, 1, 10), "late": True, "work_center": "TEST-1"}
    return ProductionCompleted(**_production(order_id, production_id) | made | days | more)


def production_failed(order_id: UUID, line: Line, production_id: UUID, **more: Any) -> ProductionFailed:
    made = {"sku": line.sku, "quantity": line.quantity, "quantity_good": Decimal(1), "quantity_scrap": Decimal(2)}
    ended = {"code": "short", "missing": line.quantity - 1, "reason": "a crack", "failed_at": at(9), "reordered": True}
    return ProductionFailed(**_production(order_id, production_id) | made | ended | more)


def production_cancelled(order_id: UUID, production_id: UUID, **more: Any) -> ProductionCancelled:
    return ProductionCancelled(**_production(order_id, production_id) | {"reason": "taken from stock"} | more)
