"""What is printed of invoices and credit notes, with amounts and days as people write them. Pure."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.money import Money
from ltc_rules.countries import country_name

from billing_svc.domain.credit_note import CreditNote
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.occasion import InvoiceLine
from billing_svc.domain.reference import payment_reference, printed

Language = Literal["en", "zh"]
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
# ISO 11649: at most 25 characters, of which four are RF and the check digits.
_REFERENCE_BODY = 21


def language_for(country: str) -> Language:
    """In which language a customer is written to, unless somebody asks for another."""
    return "zh" if country in ("CN", "HK", "MO", "TW") else "en"


def reference_of(number: str) -> str | None:
    """The RF reference of an invoice; None for a foreign number that does not fit into one whole."""
    body = number.replace("-", "")
    fits = body.isascii() and body.isalnum() and len(body) <= _REFERENCE_BODY
    return payment_reference(number) if fits else None


def printable_invoice(invoice: Invoice, language: Language) -> dict[str, Any]:
    """An invoice as it was issued; what was paid or taken back since is not on it. A void one is marked."""
    void = invoice.state == "void"
    reference = reference_of(invoice.number)
    return {
        **_document(invoice.customer, invoice.lines, invoice.taxes, language),
        "kind": "invoice",
        "number": invoice.number,
        "invoice": None,
        "reason": None,
        "day": in_words(invoice.issued_on, language),
        "due": in_words(invoice.due_on, language),
        "reference": printed(reference) if reference else None,
        "mark": None if not void else "作废" if language == "zh" else "VOID",
        "currency": invoice.gross.currency,
        "net": amount(invoice.net),
        "gross": amount(invoice.gross),
    }


def printable_draft(invoice: Invoice, language: Language) -> dict[str, Any]:
    """What a draft would be as an invoice, marked as one: it has no number yet, so nobody can pay by it."""
    mark = "草稿" if language == "zh" else "DRAFT"
    return {**printable_invoice(invoice, language), "number": mark, "reference": None, "mark": mark}


def printable_credit(note: CreditNote, language: Language) -> dict[str, Any]:
    """A credit note, which names its invoice."""
    return {
        **_document(note.customer, note.lines, note.taxes, language),
        "kind": "credit",
        "number": note.number,
        "invoice": note.invoice_number,
        "reason": note.reason,
        "day": in_words(note.credited_on, language),
        "due": None,
        "reference": None,
        "mark": None,
        "currency": note.gross.currency,
        "net": amount(note.net),
        "gross": amount(note.gross),
    }


def in_words(day: date, language: Language) -> str:
    """A day as people write it."""
    return f"{day.year}年{day.month}月{day.day}日" if language == "zh" else f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def amount(money: Money) -> str:
    """With thousands apart and a true minus sign."""
    return f"{money.amount:,}".replace("-", "−")


def count(number: Decimal) -> str:
    """A quantity or a percentage without zeros that say nothing: 50,000, 2.5."""
    return format(number.normalize() + 0, ",f")


def _document(
    customer: Customer, lines: Iterable[InvoiceLine], taxes: Iterable[TaxSubtotal], language: Language
) -> dict[str, Any]:
    return {
        "language": language,
        "customer": {"name": customer.name, "country": _country(customer.country, language), "vat_id": customer.vat_id},
        "lines": [_line(line) for line in lines],
        "taxes": [
            {"category": tax.category, "rate": count(tax.rate), "base": amount(tax.base), "tax": amount(tax.tax)} for tax in taxes
        ],
    }


def _country(code: str, language: Language) -> str:
    """As an address carries it: in the language of the country where that is ours, else in English, which every post reads."""
    return "中国" if (code, language) == ("CN", "zh") else country_name(code)


def _line(line: InvoiceLine) -> dict[str, Any]:
    adjusted = line.adjustment
    return {
        "sku": line.sku,
        "description": line.description,
        "quantity": count(line.quantity),
        "price": amount(line.unit_price),
        "per": count(line.base_quantity) if line.base_quantity != 1 else None,
        "discount": count(line.discount_percent) if line.discount_percent else None,
        "adjustment": {"kind": "allowance" if adjusted.amount < 0 else "charge", "amount": amount(adjusted)}
        if adjusted is not None
        else None,
        "category": line.tax_category,
        "rate": count(line.tax_rate),
        "net": amount(line.net),
    }
