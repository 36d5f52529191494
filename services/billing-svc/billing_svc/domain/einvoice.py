"""What an invoice or a credit note says as an EN 16931 document, whatever syntax it is written in. Pure.

Terms are named as the norm names them: BT-40 is the seller's country.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from ltc_contracts.errors import DomainError
from ltc_contracts.events import Customer, TaxSubtotal
from ltc_contracts.money import Money, minor_units
from ltc_rules.countries import country_name

from billing_svc.domain.amounts import line_net
from billing_svc.domain.credit_note import CreditNote
from billing_svc.domain.document_print import reference_of
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.occasion import InvoiceLine

SPECIFICATION = "urn:cen.eu:en16931:2017"
# UN/ECE Recommendation 20: "one", of what has no unit of its own.
UNIT = "C62"
_VAT_ID = re.compile(r"([A-Z]{2})[0-9A-Z+*]{2,13}")
# VAT ids that do not begin with the ISO code of their country.
_VAT_COUNTRIES = {"EL": "GR", "XI": "GB"}
# BT-120, BT-121: why no tax is charged. Nothing of the kind may stand with S and Z (BR-S-10, BR-Z-10).
EXEMPTIONS = {"AE": ("Reverse charge", "VATEX-EU-AE"), "E": ("Exempt from tax", None)}


class EInvoiceIncomplete(DomainError):
    """Terms that EN 16931 asks for are not known, so there is no e-invoice; `missing` names them."""

    def __init__(self, number: str, missing: Sequence[str]) -> None:
        super().__init__(f"{number} cannot be an e-invoice yet, missing: {', '.join(missing)}")
        self.missing = tuple(missing)

    def members(self) -> dict[str, Any]:
        return {"missing": list(self.missing)}


@dataclass(frozen=True, slots=True)
class BankAccount:
    """BG-17: where to pay."""

    number: str
    bic: str | None


@dataclass(frozen=True, slots=True)
class Seller:
    """BG-4, from the letterhead. `vat_id` is BT-31, `registration` BT-30."""

    name: str
    address: tuple[str, ...]
    country: str | None
    vat_id: str | None
    registration: str | None
    accounts: tuple[BankAccount, ...] = ()


@dataclass(frozen=True, slots=True)
class LineTerm:
    """BG-25. `price` and `off` are never below zero: a line that takes off has a quantity below zero (BR-27)."""

    number: int
    line: InvoiceLine
    quantity: Decimal
    price: Decimal
    changes: tuple["Change", ...]


@dataclass(frozen=True, slots=True)
class Change:
    """BG-27 or BG-28 of a line: an allowance, or a charge. `percent` of `base` is told only where it is the amount exactly."""

    charge: bool
    amount: Decimal
    code: str | None
    reason: str
    percent: Decimal | None = None
    base: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """The terms of a whole document; `kind` is BT-3: 380 an invoice, 381 a credit note."""

    kind: Literal["380", "381"]
    number: str
    issued_on: date
    due_on: date | None
    terms: str | None
    preceding: str | None
    note: str | None
    currency: str
    reference: str | None
    seller: Seller
    buyer: Customer
    lines: tuple[LineTerm, ...]
    taxes: tuple[TaxSubtotal, ...]
    net: Money
    tax: Money
    gross: Money


def seller_of(
    name: str,
    address: Sequence[str],
    tax_id: str | None,
    registration: str | None,
    accounts: Sequence[tuple[str, str | None]] = (),
) -> Seller:
    """The seller by the letterhead. Its country is that of its VAT id; another tax id says no country."""
    plain = re.sub(r"[\s.-]", "", tax_id or "").upper()
    found = _VAT_ID.fullmatch(plain)
    country = _VAT_COUNTRIES.get(found[1], found[1]) if found else None
    if country is not None and country_name(country) == country:
        country = None
    banks = tuple(BankAccount(re.sub(r"\s", "", number), bic) for number, bic in accounts)
    return Seller(name, tuple(address), country, plain if country else None, registration, banks)


def of_invoice(invoice: Invoice, seller: Seller | None) -> Document:
    """As it was issued, with nothing paid yet. Raises `EInvoiceIncomplete`."""
    return _complete(
        Document(
            kind="380",
            number=invoice.number,
            issued_on=invoice.issued_on,
            due_on=invoice.due_on,
            terms=None,
            preceding=None,
            note=None,
            currency=invoice.gross.currency,
            reference=reference_of(invoice.number),
            seller=seller or _NOBODY,
            buyer=invoice.customer,
            lines=_lines(invoice.lines),
            taxes=invoice.taxes,
            net=invoice.net,
            tax=invoice.tax,
            gross=invoice.gross,
        )
    )


def of_credit(note: CreditNote, seller: Seller | None) -> Document:
    """A credit note names its invoice. Raises `EInvoiceIncomplete`."""
    return _complete(
        Document(
            kind="381",
            number=note.number,
            issued_on=note.credited_on,
            due_on=None,
            terms=f"Set off against {note.invoice_number}",
            preceding=note.invoice_number,
            note=note.reason,
            currency=note.gross.currency,
            reference=None,
            seller=seller or _NOBODY,
            buyer=note.customer,
            lines=_lines(note.lines),
            taxes=note.taxes,
            net=note.net,
            tax=note.tax,
            gross=note.gross,
        )
    )


_NOBODY = Seller("", (), None, None, None)


def _complete(document: Document) -> Document:
    seller, buyer = document.seller, document.buyer
    categories = {tax.category for tax in document.taxes}
    missing = [
        term
        for term, lacks in (
            # BR-DEC: no amount has more than two decimals.
            ("BT-5 (a currency of at most two decimals)", minor_units(document.currency) > 2),
            ("BT-27 (seller's name)", not seller.name),
            ("BT-40 (seller's country)", seller.country is None),
            ("BT-31 (seller's VAT id)", seller.vat_id is None),
            ("BT-48 (buyer's VAT id)", "AE" in categories and not buyer.vat_id),
            # BR-S-5: the standard category has a rate.
            ("BT-152 (a rate above zero for category S)", any(tax.category == "S" and not tax.rate for tax in document.taxes)),
            ("BG-25 (a line)", not document.lines),
        )
        if lacks
    ]
    if missing:
        raise EInvoiceIncomplete(document.number, missing)
    return document


def _lines(lines: Sequence[InvoiceLine]) -> tuple[LineTerm, ...]:
    return tuple(_line(number, line) for number, line in enumerate(lines, start=1))


def _line(number: int, line: InvoiceLine) -> LineTerm:
    """Net = rounded(quantity x price / base quantity) less discount, plus what a part differs by; each exact to the cent."""
    full = line_net(line.model_copy(update={"discount_percent": Decimal(0)}))
    worth = line_net(line)
    changes = [
        *_change(worth - full, "95", "Discount", percent=line.discount_percent, base=full),
        *_change(line.net - worth, None, "Rounding of parts"),
    ]
    negative = line.unit_price.amount < 0
    return LineTerm(number, line, -line.quantity if negative else line.quantity, abs(line.unit_price.amount), tuple(changes))


def _change(
    difference: Money, code: str | None, reason: str, *, percent: Decimal = Decimal(0), base: Money | None = None
) -> list[Change]:
    if not difference.amount:
        return []
    if difference.amount > 0:
        return [Change(True, difference.amount, None, reason)]
    change = Change(False, -difference.amount, code, reason)
    if base is not None and Money.rounded(base.amount * percent / 100, base.currency) == -difference:
        change = replace(change, percent=percent, base=base.amount)
    return [change]
