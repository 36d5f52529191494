"""Examples of what is delivered in parts, comes back, fails and is changed. Beside golden's deal: an order of 16 months, 6 of them."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.money import Money

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]
# 348.35 less 4 %: six are worth 2,006.50, five 1,672.08.
SIX, FIVE = Money.of("2006.50", "EUR"), Money.of("1672.08", "EUR")


def in_all(line: e.Line) -> dict[str, Any]:
    """What the end of the delivery says: six were ordered after the change, and the one that came back went again."""
    six = e.Line.model_validate(line.model_dump() | {"quantity": Decimal(6), "net": SIX})
    again = SIX - FIVE
    told: dict[str, Any] = {"parts_told": True, "handovers": 2, "handed": SIX + again, "short": SIX - SIX, "beyond": again}
    return {"lines": (six,), "net": SIX, "changes": 1, **told}


def steps(
    order_id: UUID,
    contract_id: UUID,
    delivery_id: UUID,
    flow_id: UUID,
    uid: Any,
    customer: e.Customer,
    line: e.Line,
    start: datetime,
) -> Steps:
    """Each with who acts, on which day, on which flow, at which version, and by which event."""
    delivery: dict[str, Any] = {
        "delivery_id": delivery_id, "order_id": order_id, "order_number": "O-2026-000001", "customer": customer,
    }  # fmt: skip
    part = line.model_dump() | {"delivered_before": Decimal(0)}
    one = SIX - FIVE
    return [
        (
            e.DeliveryHandedOver(
                **delivery, handover_id=uid(8, 1), number=1,
                lines=(e.HandedLine.model_validate(part | {"quantity": Decimal(6), "net": SIX}),), net=SIX, payment_terms_days=30,
                promised_on=date(2026, 1, 30), handed_over_at=start + timedelta(22), last=False, proof_sha256="7e" * 32,
            ),
            "delivery", 22, flow_id, 3, None,
        ),
        (
            e.DeliveryFailed(
                delivery_id=delivery_id, attempt_id=uid(8, 2), attempt=1, order_id=order_id, code="absent", note="nobody at the gate",
                failed_at=start + timedelta(21), next_attempt_on=date(2026, 1, 27),
            ),
            "delivery", 21, flow_id, 2, None,
        ),
        (
            e.DeliveryReturned(
                **delivery, return_id=uid(8, 3),
                lines=(
                    e.ReturnedLine.model_validate(
                        part | {"quantity": Decimal(1), "net": one, "delivered_before": Decimal(6), "treatment": "restock"}
                    ),
                ),
                net=one, reason="one too many", returned_at=start + timedelta(23),
            ),
            "delivery", 23, flow_id, 4, None,
        ),
        (
            e.OrderChangeRequested(
                order_id=order_id, number="O-2026-000001", change_id=uid(8, 4),
                lines=(e.Line.model_validate(line.model_dump() | {"quantity": Decimal(6), "net": SIX}),), reason="six months are enough",
            ),
            "order", 22.5, flow_id, 4, None,
        ),
        (
            e.DeliveryChangeDecided(
                delivery_id=delivery_id, order_id=order_id, change_id=uid(8, 4), granted=True,
                delivered=(e.LineQuantity(line_id=line.line_id, quantity=Decimal(6)),), promised_on=date(2026, 1, 30),
            ),
            "delivery", 22.5, flow_id, 4, "order.change_requested",
        ),
        (
            e.OrderChanged(
                order_id=order_id, number="O-2026-000001", contract_id=contract_id, change_id=uid(8, 4), customer=customer,
                before=(line,), lines=(e.Line.model_validate(line.model_dump() | {"quantity": Decimal(6), "net": SIX}),), net=SIX,
                delta=SIX - line.net, payment_terms_days=30, promised_on=date(2026, 1, 30), reason="six months are enough",
                changed_by="Ines Controller",
            ),
            "order", 22.5, flow_id, 5, "delivery.change_decided",
        ),
    ]  # fmt: skip
