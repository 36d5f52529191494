"""An EN 16931 document as UN/CEFACT Cross Industry Invoice (D16B), elements in the order of its schema. Pure."""

from datetime import date

from billing_svc.domain.einvoice import EXEMPTIONS, SPECIFICATION, UNIT, Change, Document, LineTerm
from billing_svc.domain.xml_writing import Part, document

_NAMESPACES = {
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}


def write(d: Document) -> bytes:
    """The whole document."""
    parts: list[Part] = [
        (
            "rsm:ExchangedDocumentContext",
            [("ram:GuidelineSpecifiedDocumentContextParameter", [("ram:ID", SPECIFICATION)])],
        ),
        (
            "rsm:ExchangedDocument",
            [
                ("ram:ID", d.number),
                ("ram:TypeCode", d.kind),
                ("ram:IssueDateTime", _day(d.issued_on)),
                ("ram:IncludedNote", [("ram:Content", d.note)] if d.note else None),
            ],
        ),
        (
            "rsm:SupplyChainTradeTransaction",
            [
                *(_line(line) for line in d.lines),
                ("ram:ApplicableHeaderTradeAgreement", _parties(d)),
                ("ram:ApplicableHeaderTradeDelivery", ""),
                ("ram:ApplicableHeaderTradeSettlement", _settlement(d)),
            ],
        ),
    ]
    return document("rsm:CrossIndustryInvoice", _NAMESPACES, parts)


def _day(day: date) -> list[Part]:
    return [("udt:DateTimeString", day.strftime("%Y%m%d"), {"format": "102"})]


def _parties(d: Document) -> list[Part]:
    s, b = d.seller, d.buyer
    one, two = (*s.address, None, None)[:2]
    seller: list[Part] = [
        ("ram:Name", s.name),
        ("ram:SpecifiedLegalOrganization", [("ram:ID", s.registration)] if s.registration else None),
        (
            "ram:PostalTradeAddress",
            [
                ("ram:LineOne", one),
                ("ram:LineTwo", two),
                ("ram:LineThree", ", ".join(s.address[2:]) or None),
                ("ram:CountryID", s.country),
            ],
        ),
        ("ram:SpecifiedTaxRegistration", [("ram:ID", s.vat_id, {"schemeID": "VA"})]),
    ]
    buyer: list[Part] = [
        ("ram:Name", b.name),
        ("ram:PostalTradeAddress", [("ram:CountryID", b.country)]),
        ("ram:SpecifiedTaxRegistration", [("ram:ID", b.vat_id, {"schemeID": "VA"})] if b.vat_id else None),
    ]
    return [("ram:SellerTradeParty", seller), ("ram:BuyerTradeParty", buyer)]


def _settlement(d: Document) -> list[Part]:
    terms: list[Part] = [
        ("ram:Description", d.terms),
        ("ram:DueDateDateTime", _day(d.due_on) if d.due_on else None),
    ]
    return [
        ("ram:PaymentReference", d.reference),
        ("ram:InvoiceCurrencyCode", d.currency),
        *_payment(d),
        *_taxes(d),
        ("ram:SpecifiedTradePaymentTerms", terms),
        (
            "ram:SpecifiedTradeSettlementHeaderMonetarySummation",
            [
                ("ram:LineTotalAmount", f"{d.net.amount:f}"),
                ("ram:TaxBasisTotalAmount", f"{d.net.amount:f}"),
                ("ram:TaxTotalAmount", f"{d.tax.amount:f}", {"currencyID": d.currency}),
                ("ram:GrandTotalAmount", f"{d.gross.amount:f}"),
                ("ram:DuePayableAmount", f"{d.gross.amount:f}"),
            ],
        ),
        ("ram:InvoiceReferencedDocument", [("ram:IssuerAssignedID", d.preceding)] if d.preceding else None),
    ]


def _payment(d: Document) -> list[Part]:
    """Code 30: credit transfer, which needs an account (BR-61)."""
    if d.reference is None:
        return []
    return [
        (
            "ram:SpecifiedTradeSettlementPaymentMeans",
            [
                ("ram:TypeCode", "30"),
                ("ram:PayeePartyCreditorFinancialAccount", [("ram:IBANID", account.number)]),
                ("ram:PayeeSpecifiedCreditorFinancialInstitution", [("ram:BICID", account.bic)] if account.bic else None),
            ],
        )
        for account in d.seller.accounts
    ] or [("ram:SpecifiedTradeSettlementPaymentMeans", [("ram:TypeCode", "1")])]


def _taxes(d: Document) -> list[Part]:
    taxes: list[Part] = []
    for tax in d.taxes:
        reason, code = EXEMPTIONS.get(tax.category, (None, None))
        parts: list[Part] = [
            ("ram:CalculatedAmount", f"{tax.tax.amount:f}"),
            ("ram:TypeCode", "VAT"),
            ("ram:ExemptionReason", reason),
            ("ram:BasisAmount", f"{tax.base.amount:f}"),
            ("ram:CategoryCode", tax.category),
            ("ram:ExemptionReasonCode", code),
            ("ram:RateApplicablePercent", f"{tax.rate:f}"),
        ]
        taxes.append(("ram:ApplicableTradeTax", parts))
    return taxes


def _line(term: LineTerm) -> Part:
    line = term.line
    tax: list[Part] = [
        ("ram:TypeCode", "VAT"),
        ("ram:CategoryCode", line.tax_category),
        ("ram:RateApplicablePercent", f"{line.tax_rate:f}"),
    ]
    price: list[Part] = [
        ("ram:ChargeAmount", f"{term.price:f}"),
        ("ram:BasisQuantity", f"{line.base_quantity:f}", {"unitCode": UNIT}),
    ]
    settlement: list[Part] = [
        ("ram:ApplicableTradeTax", tax),
        *(_change(change) for change in term.changes),
        ("ram:SpecifiedTradeSettlementLineMonetarySummation", [("ram:LineTotalAmount", f"{line.net.amount:f}")]),
    ]
    parts: list[Part] = [
        ("ram:AssociatedDocumentLineDocument", [("ram:LineID", str(term.number))]),
        ("ram:SpecifiedTradeProduct", [("ram:SellerAssignedID", line.sku), ("ram:Name", line.description)]),
        ("ram:SpecifiedLineTradeAgreement", [("ram:NetPriceProductTradePrice", price)]),
        ("ram:SpecifiedLineTradeDelivery", [("ram:BilledQuantity", f"{term.quantity:f}", {"unitCode": UNIT})]),
        ("ram:SpecifiedLineTradeSettlement", settlement),
    ]
    return ("ram:IncludedSupplyChainTradeLineItem", parts)


def _change(change: Change) -> Part:
    parts: list[Part] = [
        ("ram:ChargeIndicator", [("udt:Indicator", "true" if change.charge else "false")]),
        ("ram:CalculationPercent", f"{change.percent:f}" if change.percent is not None else None),
        ("ram:BasisAmount", f"{change.base:f}" if change.base is not None else None),
        ("ram:ActualAmount", f"{change.amount:f}"),
        ("ram:ReasonCode", change.code),
        ("ram:Reason", change.reason),
    ]
    return ("ram:SpecifiedTradeAllowanceCharge", parts)
