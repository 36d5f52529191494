"""Which tax applies to a supply, and why (Directive 2006/112/EC); rates are data, entered with their source.

Categories are those of EN 16931: S standard and reduced rates, Z zero rate, AE reverse charge, K intra-Community supply, G export,
O outside the scope of tax. A supply by a seller outside the EU to another country is not decided here.
"""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

from ltc_contracts.errors import DomainError, Invalid

Category = Literal["S", "Z", "AE", "K", "G", "O"]
# `digital`: supplied electronically, as telecommunication or broadcast (article 58).
Supply = Literal["goods", "service", "digital"]
# Numbers as VIES takes them, by the country of their prefix; Greece calls itself EL there.
_NUMBERS = {
    "AT": r"U[0-9]{8}",
    "BE": r"[01][0-9]{9}",
    "BG": r"[0-9]{9,10}",
    "CY": r"[0-9]{8}[A-Z]",
    "CZ": r"[0-9]{8,10}",
    "DE": r"[0-9]{9}",
    "DK": r"[0-9]{8}",
    "EE": r"[0-9]{9}",
    "GR": r"[0-9]{9}",
    "ES": r"[0-9A-Z][0-9]{7}[0-9A-Z]",
    "FI": r"[0-9]{8}",
    "FR": r"[0-9A-Z]{2}[0-9]{9}",
    "HR": r"[0-9]{11}",
    "HU": r"[0-9]{8}",
    "IE": r"[0-9][0-9A-Z+*][0-9]{5}[A-Z]{1,2}",
    "IT": r"[0-9]{11}",
    "LT": r"(?:[0-9]{9}|[0-9]{12})",
    "LU": r"[0-9]{8}",
    "LV": r"[0-9]{11}",
    "MT": r"[0-9]{8}",
    "NL": r"[0-9A-Z+*]{9}B[0-9]{2}",
    "PL": r"[0-9]{10}",
    "PT": r"[0-9]{9}",
    "RO": r"[0-9]{2,10}",
    "SE": r"[0-9]{12}",
    "SI": r"[0-9]{8}",
    "SK": r"[0-9]{10}",
}
EU = frozenset(_NUMBERS)
# Of those who were not in it always; and the one that left.
_JOINED = {"HR": date(2013, 7, 1), "BG": date(2007, 1, 1), "RO": date(2007, 1, 1)}
_BRITAIN_LEFT = date(2021, 1, 1)


class TaxRateMissing(DomainError):
    """No rate of the country and class on or before the day is entered."""


class TaxNotDecided(DomainError):
    """The rules here do not decide this supply."""


@dataclass(frozen=True, slots=True)
class Parties:
    """`business`: the buyer acts as one, as far as is known; a buyer with a VAT number of valid form is taken for one."""

    seller_country: str
    seller_vat_id: str | None
    buyer_country: str
    buyer_vat_id: str | None
    business: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """`rate_country` says by whose rate it is taxed; None where there is none and `reason` is what the document says (BT-120)."""

    category: Category
    rate_country: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Determined:
    """`category` is Z instead of S where the rate is zero."""

    category: Category
    rate: Decimal
    reason: str


def is_vat_id(text: str, country: str) -> bool:
    """Of the form that numbers of a country of the EU have; whether it is registered is asked elsewhere."""
    number = re.sub(r"[ .-]", "", text.upper())
    form = _NUMBERS.get(country)
    return form is not None and re.fullmatch(("EL" if country == "GR" else country) + form, number) is not None


def in_eu(country: str, on: date) -> bool:
    """Whether a country belongs to the VAT territory of the EU on a day."""
    if country == "GB":
        return on < _BRITAIN_LEFT
    return country in EU and on >= _JOINED.get(country, date.min)


def decide(parties: Parties, supply: Supply, on: date) -> Decision:
    """Raises `TaxNotDecided`, and `Invalid` when a reverse charge or intra-Community supply lacks the seller's number."""
    seller, buyer = parties.seller_country, parties.buyer_country
    if seller == buyer:
        return Decision("S", seller, f"supplied within {seller}")
    if not in_eu(seller, on):
        raise TaxNotDecided(f"a supply from {seller} to {buyer} is not decided here")
    if in_eu(buyer, on):
        return _within_eu(parties, supply)
    if supply == "goods":
        return Decision("G", None, "Export outside the EU (article 146 of Directive 2006/112/EC)")
    if parties.business:
        return Decision("O", None, f"Supplied in {buyer}, outside the scope of EU VAT (article 44 of Directive 2006/112/EC)")
    if supply == "digital":
        return Decision("O", None, f"Supplied in {buyer}, outside the scope of EU VAT (article 58 of Directive 2006/112/EC)")
    return Decision("S", seller, f"a service to a consumer is supplied in {seller} (article 45 of Directive 2006/112/EC)")


def at_rate(decision: Decision, rate: Decimal | None) -> Determined:
    """The decision with the rate of its country; `rate` None where none is entered. Raises `TaxRateMissing`."""
    if decision.rate_country is None:
        return Determined(decision.category, Decimal(0), decision.reason)
    if rate is None:
        raise TaxRateMissing(f"no rate of {decision.rate_country} is entered for this class and day")
    return Determined(decision.category if rate else "Z", rate, decision.reason)


def _within_eu(parties: Parties, supply: Supply) -> Decision:
    seller, buyer = parties.seller_country, parties.buyer_country
    if parties.buyer_vat_id is None or not is_vat_id(parties.buyer_vat_id, buyer):
        if supply == "service":
            return Decision("S", seller, f"a service to a consumer is supplied in {seller} (article 45 of Directive 2006/112/EC)")
        article = "33" if supply == "goods" else "58"
        return Decision("S", buyer, f"supplied to a consumer in {buyer} (article {article} of Directive 2006/112/EC)")
    if parties.seller_vat_id is None or not is_vat_id(parties.seller_vat_id, seller):
        raise Invalid(
            f"without tax a supply to {buyer} needs a VAT number of {seller} too (BR-AE-02, BR-IC-02)", field="seller_vat_id"
        )
    if supply == "goods":
        return Decision("K", None, "Intra-Community supply (article 138 of Directive 2006/112/EC)")
    return Decision("AE", None, "Reverse charge (articles 44 and 196 of Directive 2006/112/EC)")
