"""Examples of what happens to a quote beside being sent and accepted; see golden."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.money import Money


def steps(
    opportunity: UUID, quote: UUID, flow: UUID, net: Money, owner: str
) -> list[tuple[e.Event, str, float, UUID | None, int, str | None]]:
    """Each with who acts, on which day, on which flow, at which version, and the cause."""
    own: dict[str, Any] = {
        "quote_id": quote,
        "opportunity_id": opportunity,
        "number": "Q-2026-000002",
        "quote_version": 1,
        "net": net,
    }
    roles: dict[str, Any] = {"discount_percent": Decimal("18.50"), "roles": ("team_lead", "head_of_sales")}
    return [
        (e.QuoteApprovalRequested(**own, **roles, requested_by=owner), "sales", 3, flow, 2, None),
        (e.QuoteApproved(**own, **roles, waited_seconds=7200), "sales", 3.1, flow, 3, None),
        (e.QuoteRejected(**own, by="customer", reason="too dear"), "sales", 8, flow, 5, None),
        (e.QuoteExpired(**own, valid_until=date(2026, 2, 7)), "sales", 34, flow, 5, None),
    ]
