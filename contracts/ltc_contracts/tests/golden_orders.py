"""The examples of orders that are held and late, and of what an ERP tells."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.money import Money

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]


def steps(order_id: UUID, flow_id: UUID, customer: e.Customer, lines: tuple[e.Line, ...], net: Money, start: datetime) -> Steps:
    """Each with who acts, on which day, on which flow, at which version, and by which event."""
    return [
        (
            e.OrderHeld(
                order_id=order_id, number="O-2026-000002", reasons=("credit",),
                detail="credit: 1,200.00 EUR are available, 6,527.81 EUR are needed", net=net,
            ),
            "order", 8.5, flow_id, 2, None,
        ),
        (
            e.OrderReleased(
                order_id=order_id, number="O-2026-000002", reasons=("credit",), released_by="Ines Controller", held_seconds=43200
            ),
            "order", 9, flow_id, 3, None,
        ),
        (
            e.OrderStalled(
                order_id=order_id, number="O-2026-000002", step="promise", waiting_for="delivery.promised",
                since=start + timedelta(9), deadline=start + timedelta(12), attempt=1, compensating=False,
            ),
            "order", 12, flow_id, 4, None,
        ),
        (
            e.ErpOrderPlaced(
                external_ref="PO-4500017", customer=customer, lines=lines, net=net, payment_terms_days=30, requested_on=date(2026, 2, 20)
            ),
            "erp", 9, None, 1, None,
        ),
        (
            e.ErpStockChanged(sku="PUMP-7", site="MUC", on_hand=Decimal("40"), as_of=start + timedelta(9)),
            "erp", 9, None, 1, None,
        ),
        (
            e.ErpCustomerChanged(
                customer_id=customer.customer_id, name=customer.name, credit_limit=Money.of("25000.00", "EUR"), payment_terms_days=30
            ),
            "erp", 9, None, 1, None,
        ),
    ]  # fmt: skip
