"""What is printed and shown of a contract: its canonical text, with amounts and days as people write them."""

import json
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sales_svc.domain.contract import Contract, ContractVersion
from sales_svc.domain.contract_text import country_in_words, in_words
from sales_svc.domain.proof import Record, Signature


def printable(contract: Contract, version: ContractVersion) -> dict[str, Any]:
    """One version, ready for a template."""
    document = json.loads(version.document)
    language, totals = contract.language, document["totals"]
    requested_on = document["requested_on"]
    lines = [
        {
            "sku": line["sku"],
            "description": line["description"],
            "quantity": plain(line["quantity"]),
            "unit_price": amount(line["unit_price"]["amount"]),
            "per": plain(line["base_quantity"]) if Decimal(line["base_quantity"]) != 1 else None,
            "discount": plain(line["discount_percent"]) if Decimal(line["discount_percent"]) else None,
            "tax": plain(line["tax_rate"]),
            "net": amount(line["net"]["amount"]),
        }
        for line in document["lines"]
    ]
    return {
        "number": contract.number,
        "contract_version": version.contract_version,
        "language": language,
        "day": in_words(version.created_at.date(), language),
        "supplier": document["supplier"],
        "customer": {**document["customer"], "country": country_in_words(document["customer"]["country"], language)},
        "quote": f"{document['quote']['number']} / {document['quote']['version']}",
        "lines": lines,
        "use": [
            {
                "sku": each["sku"],
                "description": each["description"],
                "unit": each["unit"],
                "prices": [
                    {
                        "unit_price": amount(price["unit_price"]),
                        "per": plain(price["per"]),
                        "discount": plain(price["discount_percent"]) if Decimal(price["discount_percent"]) else None,
                    }
                    for price in each["prices"]
                ],
            }
            for each in document.get("use", [])
        ],
        "terms_of_offer": document.get("terms_of_offer", ""),
        "address": document.get("address", []),
        "contact": document.get("contact"),
        "currency": totals["currency"],
        "net": amount(totals["net"]),
        "tax": amount(totals["tax"]),
        "gross": amount(totals["gross"]),
        "payment_days": document["payment_terms_days"],
        "requested_on": in_words(date.fromisoformat(requested_on), language) if requested_on else None,
        "clauses": [
            {"title": each["title"], "paragraphs": [part for part in each["text"].split("\n\n") if part.strip()]}
            for each in document["clauses"]
        ],
        "document_sha256": version.document_sha256,
    }


def certificate(
    contract: Contract, version: ContractVersion, signatures: Sequence[Signature], trail: Sequence[Record]
) -> dict[str, Any]:
    """The certificate of a signed contract: who signed what, when and from where, and what happened until then."""
    document = json.loads(version.document)
    last = max(record.number for record in trail if record.happening in ("signed", "countersigned"))
    return {
        "number": contract.number,
        "contract_version": version.contract_version,
        "language": contract.language,
        "supplier": (document["supplier"] or {}).get("name"),
        "customer": document["customer"]["name"],
        "gross": f"{amount(document['totals']['gross'])} {document['totals']['currency']}",
        "document_sha256": version.document_sha256,
        "pdf_sha256": version.pdf_sha256,
        "signatures": [
            {
                "party": each.party,
                "name": each.name,
                "method": each.method,
                "consent": each.consent,
                "at": moment(each.signed_at),
                "address": each.place.address,
                "user_agent": each.place.user_agent,
            }
            for each in signatures
        ],
        "trail": [
            {
                "number": each.number,
                "happening": each.happening,
                "by": each.by,
                "at": moment(each.at),
                "address": each.place.address,
                "digest": each.digest,
            }
            for each in trail
            if each.number <= last
        ],
        "trail_digest": next(record.digest for record in trail if record.number == last),
    }


def customer_of(version: ContractVersion) -> str:
    """The customer's name, as the version has it."""
    return str(json.loads(version.document)["customer"]["name"])


def amount(text: str) -> str:
    """With thousands apart: 5,350.66."""
    return f"{Decimal(text):,}"


def plain(text: str) -> str:
    """Without zeros that say nothing: 16, 2.5."""
    return format(Decimal(text).normalize() + 0, "f")


def moment(at: datetime) -> str:
    """To the second, in UTC."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
