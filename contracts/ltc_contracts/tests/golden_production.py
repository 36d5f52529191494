"""Examples of a production that is ordered, changed, slips, and is good; and of one that fails and one that is not needed."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_contracts import events as e

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]


def steps(order_id: UUID, delivery_id: UUID, flow_id: UUID, ids: tuple[UUID, ...], line: e.Line, start: datetime) -> Steps:
    """Each with who acts, on which day, on which flow, at which version, and by which event."""
    made, spare, other = ids
    of = {"delivery_id": delivery_id, "order_id": order_id}
    job: dict[str, Any] = {
        "production_id": made, "number": "P-2026-000001", **of, "order_number": "O-2026-000001", "line_id": line.line_id,
        "sku": "PUMP-7", "description": "Pump, 7 bar", "priority": 50,
    }  # fmt: skip
    return [
        (
            e.ProductionOrdered(**job, quantity=Decimal(20), needed_by=date(2026, 1, 27)),
            "delivery", 10, flow_id, 1, None,
        ),
        (
            e.ProductionChanged(**job, quantity=Decimal(16), needed_by=date(2026, 1, 27)),
            "delivery", 11, flow_id, 2, "production.ordered",
        ),
        (
            e.MesProductionProgressed(
                production_id=made, state="Interrupted", quantity_good=Decimal(5), quantity_scrap=Decimal(1), as_of=start + timedelta(13),
                sequence=4, segment="assembly", work_center="WC-2", actual_start=start + timedelta(12),
                expected_end=start + timedelta(24), reason="spindle broken, spare part on Monday",
            ),
            "mes", 13, None, 4, None,
        ),
        (
            e.ProductionCompleted(
                production_id=made, number="P-2026-000001", **of, sku="PUMP-7", quantity=Decimal(16), quantity_good=Decimal(16),
                quantity_scrap=Decimal(1), work_center="WC-2", ordered_at=start + timedelta(10), started_at=start + timedelta(12),
                completed_at=start + timedelta(23), needed_by=date(2026, 1, 27), late=True,
            ),
            "delivery", 23, flow_id, 6, "mes.production_progressed",
        ),
        (
            e.ProductionFailed(
                production_id=spare, number="P-2026-000002", **of, sku="HOSE-2", code="short", quantity=Decimal(10),
                quantity_good=Decimal(8), quantity_scrap=Decimal(2), missing=Decimal(2), reason="out of material",
                failed_at=start + timedelta(14), reordered=True,
            ),
            "delivery", 14, flow_id, 5, None,
        ),
        (
            e.ProductionCancelled(production_id=other, number="P-2026-000003", **of, reason="six months are enough"),
            "delivery", 14, flow_id, 2, None,
        ),
    ]  # fmt: skip
