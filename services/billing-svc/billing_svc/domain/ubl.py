"""An EN 16931 document as UBL 2.1: Invoice or CreditNote, elements in the order of its schema. Pure."""

from decimal import Decimal
from typing import Any

from billing_svc.domain.einvoice import EXEMPTIONS, SPECIFICATION, UNIT, Change, Document, LineTerm
from billing_svc.domain.xml_writing import Part, document

_NAME = "urn:oasis:names:specification:ubl:schema:xsd:"
_VAT: Part = ("cac:TaxScheme", [("cbc:ID", "VAT")])


def write(d: Document) -> bytes:
    """The whole document."""
    credit = d.kind == "381"
    root = "CreditNote" if credit else "Invoice"
    namespaces = {
        "": f"{_NAME}{root}-2",
        "cac": f"{_NAME}CommonAggregateComponents-2",
        "cbc": f"{_NAME}CommonBasicComponents-2",
    }
    parts: list[Part] = [
        ("cbc:CustomizationID", SPECIFICATION),
        ("cbc:ID", d.number),
        ("cbc:IssueDate", d.issued_on.isoformat()),
        ("cbc:DueDate", d.due_on.isoformat() if d.due_on else None),
        (f"cbc:{root}TypeCode", d.kind),
        ("cbc:Note", d.note),
        ("cbc:DocumentCurrencyCode", d.currency),
        ("cac:BillingReference", [("cac:InvoiceDocumentReference", [("cbc:ID", d.preceding)])] if d.preceding else None),
        ("cac:AccountingSupplierParty", [("cac:Party", _seller(d))]),
        ("cac:AccountingCustomerParty", [("cac:Party", _buyer(d))]),
        *_payment(d),
        ("cac:PaymentTerms", [("cbc:Note", d.terms)] if d.terms else None),
        ("cac:TaxTotal", [_amount("cbc:TaxAmount", d.tax.amount, d), *_taxes(d)]),
        (
            "cac:LegalMonetaryTotal",
            [
                _amount("cbc:LineExtensionAmount", d.net.amount, d),
                _amount("cbc:TaxExclusiveAmount", d.net.amount, d),
                _amount("cbc:TaxInclusiveAmount", d.gross.amount, d),
                _amount("cbc:PayableAmount", d.gross.amount, d),
            ],
        ),
        *(_line(line, d, root) for line in d.lines),
    ]
    return document(root, namespaces, parts)


def _amount(name: str, amount: Decimal, d: Document) -> Part:
    return (name, f"{amount:f}", {"currencyID": d.currency})


def _seller(d: Document) -> list[Part]:
    s = d.seller
    street, more = (*s.address, None, None)[:2]
    further = ", ".join(s.address[2:])
    address: list[Part] = [
        ("cbc:StreetName", street),
        ("cbc:AdditionalStreetName", more),
        ("cac:AddressLine", [("cbc:Line", further)] if further else None),
        ("cac:Country", [("cbc:IdentificationCode", s.country)]),
    ]
    return [
        ("cac:PostalAddress", address),
        ("cac:PartyTaxScheme", [("cbc:CompanyID", s.vat_id), _VAT]),
        ("cac:PartyLegalEntity", [("cbc:RegistrationName", s.name), ("cbc:CompanyID", s.registration)]),
    ]


def _buyer(d: Document) -> list[Part]:
    b = d.buyer
    return [
        ("cac:PostalAddress", [("cac:Country", [("cbc:IdentificationCode", b.country)])]),
        ("cac:PartyTaxScheme", [("cbc:CompanyID", b.vat_id), _VAT] if b.vat_id else None),
        ("cac:PartyLegalEntity", [("cbc:RegistrationName", b.name)]),
    ]


def _payment(d: Document) -> list[Part]:
    """Code 30: credit transfer, which needs an account (BR-61)."""
    if d.reference is None:
        return []
    return [
        (
            "cac:PaymentMeans",
            [
                ("cbc:PaymentMeansCode", "30"),
                ("cbc:PaymentID", d.reference),
                (
                    "cac:PayeeFinancialAccount",
                    [
                        ("cbc:ID", account.number),
                        ("cac:FinancialInstitutionBranch", [("cbc:ID", account.bic)] if account.bic else None),
                    ],
                ),
            ],
        )
        for account in d.seller.accounts
    ] or [("cac:PaymentMeans", [("cbc:PaymentMeansCode", "1"), ("cbc:PaymentID", d.reference)])]


def _taxes(d: Document) -> list[Part]:
    subtotals: list[Part] = []
    for tax in d.taxes:
        reason, code = EXEMPTIONS.get(tax.category, (None, None))
        category: list[Part] = [
            ("cbc:ID", tax.category),
            ("cbc:Percent", f"{tax.rate:f}"),
            ("cbc:TaxExemptionReasonCode", code),
            ("cbc:TaxExemptionReason", reason),
            _VAT,
        ]
        subtotal: list[Part] = [
            _amount("cbc:TaxableAmount", tax.base.amount, d),
            _amount("cbc:TaxAmount", tax.tax.amount, d),
            ("cac:TaxCategory", category),
        ]
        subtotals.append(("cac:TaxSubtotal", subtotal))
    return subtotals


def _line(term: LineTerm, d: Document, root: str) -> Part:
    line = term.line
    parts: list[Any] = [
        ("cbc:ID", str(term.number)),
        (f"cbc:{'Credited' if root == 'CreditNote' else 'Invoiced'}Quantity", f"{term.quantity:f}", {"unitCode": UNIT}),
        _amount("cbc:LineExtensionAmount", line.net.amount, d),
        *(_change(change, d) for change in term.changes),
        (
            "cac:Item",
            [
                ("cbc:Name", line.description),
                ("cac:SellersItemIdentification", [("cbc:ID", line.sku)]),
                (
                    "cac:ClassifiedTaxCategory",
                    [("cbc:ID", line.tax_category), ("cbc:Percent", f"{line.tax_rate:f}"), _VAT],
                ),
            ],
        ),
        (
            "cac:Price",
            [
                _amount("cbc:PriceAmount", term.price, d),
                ("cbc:BaseQuantity", f"{line.base_quantity:f}", {"unitCode": UNIT}),
            ],
        ),
    ]
    return (f"cac:{root}Line", parts)


def _change(change: Change, d: Document) -> Part:
    parts: list[Part] = [
        ("cbc:ChargeIndicator", "true" if change.charge else "false"),
        ("cbc:AllowanceChargeReasonCode", change.code),
        ("cbc:AllowanceChargeReason", change.reason),
        ("cbc:MultiplierFactorNumeric", f"{change.percent:f}" if change.percent is not None else None),
        _amount("cbc:Amount", change.amount, d),
        *([_amount("cbc:BaseAmount", change.base, d)] if change.base is not None else []),
    ]
    return ("cac:AllowanceCharge", parts)
