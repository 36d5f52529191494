"""Objects with defaults; a test names only what it is about."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import Customer, LeadQualified, Line
from ltc_contracts.money import Money

from sales_svc.domain.line import price_line
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.pipeline import Pipeline, Stage
from sales_svc.domain.quote import Quote

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def line(**changed: Any) -> Line:
    """RULES 4's golden line."""
    given: dict[str, Any] = {
        "line_id": new_id(),
        "sku": "SUPPORT",
        "description": "Premium support",
        "quantity": Decimal(16),
        "unit_price": Decimal("348.35"),
        "currency": "EUR",
        "discount_percent": Decimal(4),
        "tax_rate": Decimal(22),
    }
    return price_line(**{**given, **changed})


def pipeline(*stages: Stage) -> Pipeline:
    """RULES 2's default, unless the stages are given."""
    codes = ("qualification", "discovery", "proposal", "negotiation", "commit")
    usual = tuple(Stage(code, n, p) for n, (code, p) in enumerate(zip(codes, (10, 25, 50, 70, 90), strict=True), 1))
    return Pipeline("default", 1, "Default", stages or usual)


def opportunity(**changed: Any) -> Opportunity:
    given: dict[str, Any] = {
        "id": new_id(),
        "flow_id": new_id(),
        "lead_id": None,
        "name": "Rossi",
        "company": "Rossi",
        "country": "IT",
        "owner": None,
        "stage": "qualification",
        "probability": 10,
        "value": None,
        "channel": None,
        "source": None,
        "stage_since": NOW,
        "lost_reason": None,
        "version": 1,
        "created_at": NOW,
        "updated_at": NOW,
        "opened_at": NOW,
    }
    return Opportunity(**{**given, **changed})


def quote(**changed: Any) -> Quote:
    given: dict[str, Any] = {
        "id": new_id(),
        "flow_id": new_id(),
        "opportunity_id": new_id(),
        "number": "Q-2026-000001",
        "quote_version": 1,
        "state": "draft",
        "customer": Customer(customer_id=new_id(), name="Rossi", country="IT"),
        "lines": (line(),),
        "net": Money.of("5350.66", "EUR"),
        "valid_until": date(2026, 1, 31),
        "payment_terms_days": 30,
        "requested_on": None,
        "version": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Quote(**{**given, **changed})


def lead_qualified(lead_id: UUID | None = None, **changed: Any) -> LeadQualified:
    given: dict[str, Any] = {
        "lead_id": lead_id or new_id(),
        "reason": "person",
        "channel": "web",
        "source": "Google",
        "company": "Rossi",
        "country": "IT",
        "fit": Decimal(30),
        "engagement": Decimal(20),
    }
    return LeadQualified(**{**given, **changed})


def quote_body(**changed: Any) -> dict[str, Any]:
    line_body = {"sku": "SUPPORT", "description": "Premium support", "quantity": "16", "unit_price": "348.35"}
    given = {
        "currency": "EUR",
        "customer": {"name": "Rossi", "country": "IT"},
        "lines": [{**line_body, "discount_percent": "4", "tax_rate": "22"}],
    }
    return {**given, **changed}
