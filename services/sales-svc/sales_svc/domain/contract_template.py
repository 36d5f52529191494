"""Templates: which clauses make a contract, under which conditions, and its terms. Versions, never edited."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound
from ltc_rules import conditions
from ltc_rules.conditions import Kind

from sales_svc.domain.quote import Quote

# What a condition may ask about a deal.
FIELDS: dict[str, Kind] = {
    "country": "text",
    "currency": "text",
    "net": "number",
    "payment_days": "number",
    "products": "list",
    "has_vat_id": "boolean",
    "language": "text",
    "recurring": "boolean",
}
MOST_CLAUSES = 60


class NoTemplate(DomainError):
    """No template fits this deal, and none was named."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How long it runs. Without `months` it is fulfilled, not ended. Notice is given `notice_days` before the end at the latest."""

    months: int | None = None
    auto_renew: bool = False
    renewal_months: int | None = None
    notice_days: int | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """A clause of a template: a fixed version, or the latest; only where its condition holds."""

    code: str
    version: int | None = None
    condition: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """One version. Of those whose condition holds the one with the highest priority is taken; `automatic` False: only by name."""

    id: UUID
    code: str
    version: int
    name: str
    language: str
    automatic: bool
    priority: int
    condition: Mapping[str, Any] | None
    items: tuple[Item, ...]
    terms: Terms
    countersign: bool
    sign_within_days: int
    valid_from: datetime


def require_sound(template: Template) -> None:
    """Raises `Invalid` with the place."""
    if template.condition is not None:
        conditions.check(template.condition, FIELDS)
    codes = [item.code for item in template.items]
    for number, item in enumerate(template.items):
        if item.condition is not None:
            conditions.check(item.condition, FIELDS, at=f"clauses.{number}.condition")
        if codes.index(item.code) != number:
            raise Invalid(f"the clause '{item.code}' is named twice", field=f"clauses.{number}.code")
    require_terms(template.terms)


def require_terms(terms: Terms) -> None:
    """Renewal and notice need something that ends. Raises `Invalid`."""
    if terms.months is None and (terms.auto_renew or terms.renewal_months or terms.notice_days is not None):
        raise Invalid("renewal and notice need a term in months", field="terms.months")
    if terms.auto_renew and terms.notice_days is None:
        raise Invalid("what renews by itself needs a notice period", field="terms.notice_days")


def facts_of(quote: Quote) -> dict[str, Any]:
    """What conditions see of a deal."""
    return {
        "country": quote.customer.country,
        "currency": quote.net.currency,
        "net": quote.net.amount,
        "payment_days": quote.payment_terms_days,
        "products": sorted({line.sku for line in quote.lines}),
        "has_vat_id": bool(quote.customer.vat_id),
        "language": quote.language,
        "recurring": any(item.kind == "recurring" for item in quote.items),
    }


def choose(templates: Sequence[Template], quote: Quote, code: str | None) -> Template:
    """`templates`: of each the version in force. Raises `NotFound` for an unknown code, `NoTemplate`."""
    if code is not None:
        named = [each for each in templates if each.code == code]
        if not named:
            raise NotFound(f"no contract template '{code}'", field="template")
        return named[0]
    facts = facts_of(quote)
    fitting = [
        each for each in templates if each.automatic and (each.condition is None or conditions.holds(each.condition, facts))
    ]
    if not fitting:
        raise NoTemplate("no contract template fits this deal; name one")
    return min(fitting, key=lambda each: (-each.priority, each.code))


def items_for(template: Template, quote: Quote) -> list[Item]:
    """The clauses whose condition holds, in their order."""
    facts = facts_of(quote)
    return [item for item in template.items if item.condition is None or conditions.holds(item.condition, facts)]
