"""The canonical text of a contract: one JSON document with everything that is agreed. Its digest is over its UTF-8 bytes."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ltc_contracts.money import Money
from ltc_rules.countries import country_name

from sales_svc.domain.clause import fill
from sales_svc.domain.contract_template import Terms
from sales_svc.domain.line import totals
from sales_svc.domain.quote import Quote

_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


@dataclass(frozen=True, slots=True)
class Wording:
    """A clause in a contract. `source` still has its placeholders, so that a new price fills them again.

    `clause_version` names the library's version it came from; None was added in negotiation. `negotiated`: its words are not
    those of the library any more.
    """

    code: str
    clause_version: int | None
    title: str
    source: str
    negotiated: bool = False


@dataclass(frozen=True, slots=True)
class Supplier:
    """Our side, as the letterhead named it when the contract was drawn up."""

    name: str
    address: tuple[str, ...] = ()
    tax_id: str | None = None
    registration: str | None = None


def compose(
    *,
    number: str,
    contract_version: int,
    language: str,
    supplier: Supplier | None,
    quote: Quote,
    terms: Terms,
    starts_on: date | None,
    wordings: Sequence[Wording],
) -> tuple[str, str]:
    """The canonical text and its SHA-256. Raises `PlaceholderEmpty`."""
    net, tax, gross = totals(quote.lines)
    values = _values(number, language, supplier, quote, terms, starts_on)
    document: dict[str, Any] = {
        "contract": {"number": number, "version": contract_version, "language": language},
        "supplier": None
        if supplier is None
        else {
            "name": supplier.name,
            "address": list(supplier.address),
            "tax_id": supplier.tax_id,
            "registration": supplier.registration,
        },
        "quote": {"number": quote.number, "version": quote.quote_version},
        "customer": quote.customer.model_dump(mode="json"),
        "lines": [line.model_dump(mode="json") for line in quote.lines],
        "totals": {"net": str(net.amount), "tax": str(tax.amount), "gross": str(gross.amount), "currency": net.currency},
        "payment_terms_days": quote.payment_terms_days,
        "requested_on": quote.requested_on.isoformat() if quote.requested_on else None,
        "terms": {
            "months": terms.months,
            "starts_on": starts_on.isoformat() if starts_on else None,
            "auto_renew": terms.auto_renew,
            "renewal_months": terms.renewal_months,
            "notice_days": terms.notice_days,
        },
        "clauses": [
            {
                "code": each.code,
                "version": each.clause_version,
                "negotiated": each.negotiated,
                "title": each.title,
                "text": fill(each.source, values, code=each.code),
            }
            for each in wordings
        ],
    }
    document.update({name: value for name, value in _beside_the_lines(quote).items() if value})
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text, digest(text)


def _beside_the_lines(quote: Quote) -> dict[str, Any]:
    """What the accepted offer says beside committed lines: prices of use that is left open, its own terms, whom it is written to."""
    use = [
        {
            "sku": item.sku,
            "description": item.description,
            "unit": item.unit,
            "meter": item.meter,
            "prices": [
                {
                    "unit_price": str(piece.unit_price.amount),
                    "per": format(piece.base_quantity, "f"),
                    "discount_percent": format(piece.discount_percent, "f"),
                    "tier": piece.tier,
                    "quantity": format(piece.quantity, "f"),
                }
                for piece in item.pieces
            ],
        }
        for item in quote.items
        if not item.committed
    ]
    return {"use": use, "terms_of_offer": quote.terms, "address": list(quote.address), "contact": quote.contact}


def digest(text: str) -> str:
    """SHA-256 of the UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def in_words(day: date, language: str) -> str:
    """A day as people write it."""
    return f"{day.year}年{day.month}月{day.day}日" if language == "zh" else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def country_in_words(code: str, language: str) -> str:
    """As an address carries it: in the language of the country where that is ours, else in English, which every post reads."""
    return "中国" if (code, language) == ("CN", "zh") else country_name(code)


def _values(
    number: str, language: str, supplier: Supplier | None, quote: Quote, terms: Terms, starts_on: date | None
) -> Mapping[str, str | None]:
    net, tax, gross = totals(quote.lines)

    def money(amount: Money) -> str:
        return f"{amount.amount:,} {amount.currency}"

    def count(value: int | None) -> str | None:
        return None if value is None else str(value)

    ends_on = end_of(starts_on, terms.months) if starts_on and terms.months else None
    return {
        "our.name": supplier.name if supplier else None,
        "our.address": ", ".join(supplier.address) if supplier else None,
        "our.tax_id": supplier.tax_id if supplier else None,
        "our.registration": supplier.registration if supplier else None,
        "customer.name": quote.customer.name,
        "customer.country": quote.customer.country,
        "customer.vat_id": quote.customer.vat_id,
        "contract.number": number,
        "quote.number": quote.number,
        "total.net": money(net),
        "total.tax": money(tax),
        "total.gross": money(gross),
        "payment_days": count(quote.payment_terms_days),
        "requested_on": in_words(quote.requested_on, language) if quote.requested_on else None,
        "term.starts_on": in_words(starts_on, language) if starts_on else None,
        "term.ends_on": in_words(ends_on, language) if ends_on else None,
        "term.months": count(terms.months),
        "term.renewal_months": count(terms.renewal_months or terms.months),
        "term.notice_days": count(terms.notice_days),
    }


def end_of(starts_on: date, months: int) -> date:
    """The last day of a term: the day before the same day `months` later; a day that month lacks is its last."""
    total = starts_on.month - 1 + months
    year, month = starts_on.year + total // 12, total % 12 + 1
    following = date(year + month // 12, month % 12 + 1, 1)
    last = (following - date(year, month, 1)).days
    if starts_on.day > last:
        return date(year, month, last)
    return date.fromordinal(date(year, month, starts_on.day).toordinal() - 1)
