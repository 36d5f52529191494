"""What is printed and shown of a quote, with amounts and days as people write them. Pure."""

from decimal import Decimal
from typing import Any

from ltc_contracts.money import Money

from sales_svc.domain.contract_text import country_in_words, in_words
from sales_svc.domain.line import subtotals, totals
from sales_svc.domain.position import Item
from sales_svc.domain.price import plain
from sales_svc.domain.quote import Quote

# Units that the suite gives by itself, or that are codes in English; any other is printed as it was entered.
_UNITS = {
    "en": {"piece": "pcs"},
    "zh": {
        "piece": "件",
        "hour": "小时",
        "day": "天",
        "month": "个月",
        "year": "年",
        "seat": "席",
        "licence": "个许可",
        "user": "用户",
    },
}


def printable(quote: Quote) -> dict[str, Any]:
    """One version, ready for a template."""
    net, tax, gross = totals(quote.lines)
    currency, language = net.currency, quote.language
    before = Money.total((_before(item, quote) for item in quote.items if item.committed), currency)
    off = before - net
    periods = dict.fromkeys(item.period for item in quote.items if item.period is not None)
    return {
        "number": quote.number,
        "quote_version": quote.quote_version,
        "language": language,
        "day": in_words(quote.created_at.date(), language),
        "valid_until": in_words(quote.valid_until, language),
        "requested_on": in_words(quote.requested_on, language) if quote.requested_on else None,
        "payment_days": quote.payment_terms_days,
        "customer": {
            "name": quote.customer.name,
            "country": country_in_words(quote.customer.country, language),
            "vat_id": quote.customer.vat_id,
        },
        "contact": quote.contact,
        "address": list(quote.address),
        "introduction": quote.introduction,
        "terms": [part for part in quote.terms.split("\n\n") if part.strip()],
        "currency": currency,
        "items": [_shown(item, quote) for item in quote.items],
        "discount": amount(off) if off.amount > 0 else None,
        "discount_percent": plain(quote.discount_percent) if quote.discount_percent else None,
        "before": amount(before),
        "net": amount(net),
        "tax": amount(tax),
        "gross": amount(gross),
        "taxes": [
            {"category": part.category, "rate": plain(part.rate), "base": amount(part.base), "tax": amount(part.tax)}
            for part in subtotals(quote.lines)
        ],
        "recurring": [
            {
                "period": period,
                "net": amount(Money.total((item.net for item in quote.items if item.period == period), currency)),
            }
            for period in periods
        ],
    }


def amount(money: Money) -> str:
    return f"{money.amount:,}"


def count(number: Decimal) -> str:
    """A quantity with thousands apart and no zeros that say nothing: 50,000, 2.5."""
    return format(number.normalize() + 0, ",f")


def _shown(item: Item, quote: Quote) -> dict[str, Any]:
    once = item.pieces[0]
    return {
        "sku": item.sku,
        "description": item.description,
        "quantity": count(item.quantity),
        "unit": _UNITS.get(quote.language, _UNITS["en"]).get(item.unit, item.unit),
        "kind": item.kind,
        "period": item.period,
        "periods": item.periods,
        "committed": item.committed,
        "bundle": item.bundle,
        "discount": plain(item.discount_percent) if item.discount_percent else None,
        "taxes": [plain(rate) for rate in dict.fromkeys(piece.tax_rate for piece in item.pieces)],
        "price": amount(once.unit_price) if len(item.pieces) == 1 and not item.bundle and quote.discount_amount is None else None,
        "per": count(once.base_quantity)
        if once.base_quantity != 1 and not item.bundle and quote.discount_amount is None
        else None,
        "net": amount(_net_of(item, quote)),
        "total": amount(_before(item, quote)),
        "pieces": [
            {
                "sku": piece.sku,
                # A tier is called as its position is.
                "description": None if piece.description == item.description else piece.description,
                "quantity": count(piece.quantity),
                "price": None if item.bundle or quote.discount_amount is not None else amount(piece.unit_price),
            }
            for piece in item.pieces
            if len(item.pieces) > 1 or item.bundle
        ],
    }


def _net_of(item: Item, quote: Quote) -> Money:
    """Once or for one period, after the position's own discount and before the document's."""
    currency = item.net.currency
    if not quote.discount_percent and (quote.discount_amount is None or item.kind != "one_off"):
        return item.net
    if item.bundle or quote.discount_amount is not None:
        return Money.rounded(item.list_net.amount * (100 - item.discount_percent) / 100, currency)
    left = (Decimal(100) - item.discount_percent) / 100
    parts = (
        Money.rounded(piece.quantity * piece.unit_price.amount / piece.base_quantity * left, currency) for piece in item.pieces
    )
    return Money.total(parts, currency)


def _before(item: Item, quote: Quote) -> Money:
    """What is committed to before the document's discount."""
    return Money(_net_of(item, quote).amount * item.periods, item.net.currency)
