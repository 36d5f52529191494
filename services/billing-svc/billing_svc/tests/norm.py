"""The arithmetic rules of EN 16931, checked over the XML alone: it is read back by paths, and knows nothing of how it was written."""

from decimal import ROUND_HALF_UP, Decimal
from xml.etree import ElementTree

NS = {
    "i": "urn:oasis:names:specification:ubl:schema:xsd:Invoice-2",
    "n": "urn:oasis:names:specification:ubl:schema:xsd:CreditNote-2",
    "cac": "urn:oasis:names:specification:ubl:schema:xsd:CommonAggregateComponents-2",
    "cbc": "urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2",
    "rsm": "urn:un:unece:uncefact:data:standard:CrossIndustryInvoice:100",
    "ram": "urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100",
    "udt": "urn:un:unece:uncefact:data:standard:UnqualifiedDataType:100",
}
_SETTLED = ".//ram:ApplicableHeaderTradeSettlement"
_SUM = f"{_SETTLED}/ram:SpecifiedTradeSettlementHeaderMonetarySummation"
_LINE = "ram:SpecifiedLineTradeSettlement"
# Where each term is, in UBL and in CII.
TERMS = {
    "BT-1": ("cbc:ID", "rsm:ExchangedDocument/ram:ID"),
    "BT-5": ("cbc:DocumentCurrencyCode", f"{_SETTLED}/ram:InvoiceCurrencyCode"),
    "BT-9": ("cbc:DueDate", f"{_SETTLED}/ram:SpecifiedTradePaymentTerms/ram:DueDateDateTime/udt:DateTimeString"),
    "BT-20": ("cac:PaymentTerms/cbc:Note", f"{_SETTLED}/ram:SpecifiedTradePaymentTerms/ram:Description"),
    "BT-24": (
        "cbc:CustomizationID",
        "rsm:ExchangedDocumentContext/ram:GuidelineSpecifiedDocumentContextParameter/ram:ID",
    ),
    "BT-25": (
        "cac:BillingReference/cac:InvoiceDocumentReference/cbc:ID",
        f"{_SETTLED}/ram:InvoiceReferencedDocument/ram:IssuerAssignedID",
    ),
    "BT-27": (
        "cac:AccountingSupplierParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
        ".//ram:SellerTradeParty/ram:Name",
    ),
    "BT-31": (
        "cac:AccountingSupplierParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID",
        ".//ram:SellerTradeParty/ram:SpecifiedTaxRegistration/ram:ID",
    ),
    "BT-40": (
        "cac:AccountingSupplierParty/cac:Party/cac:PostalAddress/cac:Country/cbc:IdentificationCode",
        ".//ram:SellerTradeParty/ram:PostalTradeAddress/ram:CountryID",
    ),
    "BT-44": (
        "cac:AccountingCustomerParty/cac:Party/cac:PartyLegalEntity/cbc:RegistrationName",
        ".//ram:BuyerTradeParty/ram:Name",
    ),
    "BT-48": (
        "cac:AccountingCustomerParty/cac:Party/cac:PartyTaxScheme/cbc:CompanyID",
        ".//ram:BuyerTradeParty/ram:SpecifiedTaxRegistration/ram:ID",
    ),
    "BT-55": (
        "cac:AccountingCustomerParty/cac:Party/cac:PostalAddress/cac:Country/cbc:IdentificationCode",
        ".//ram:BuyerTradeParty/ram:PostalTradeAddress/ram:CountryID",
    ),
    "BT-83": ("cac:PaymentMeans/cbc:PaymentID", f"{_SETTLED}/ram:PaymentReference"),
    "BT-106": ("cac:LegalMonetaryTotal/cbc:LineExtensionAmount", f"{_SUM}/ram:LineTotalAmount"),
    "BT-109": ("cac:LegalMonetaryTotal/cbc:TaxExclusiveAmount", f"{_SUM}/ram:TaxBasisTotalAmount"),
    "BT-110": ("cac:TaxTotal/cbc:TaxAmount", f"{_SUM}/ram:TaxTotalAmount"),
    "BT-112": ("cac:LegalMonetaryTotal/cbc:TaxInclusiveAmount", f"{_SUM}/ram:GrandTotalAmount"),
    "BT-115": ("cac:LegalMonetaryTotal/cbc:PayableAmount", f"{_SUM}/ram:DuePayableAmount"),
    "BG-23": ("cac:TaxTotal/cac:TaxSubtotal", f"{_SETTLED}/ram:ApplicableTradeTax"),
    "BT-116": ("cbc:TaxableAmount", "ram:BasisAmount"),
    "BT-117": ("cbc:TaxAmount", "ram:CalculatedAmount"),
    "BT-118": ("cac:TaxCategory/cbc:ID", "ram:CategoryCode"),
    "BT-119": ("cac:TaxCategory/cbc:Percent", "ram:RateApplicablePercent"),
    "BT-120": ("cac:TaxCategory/cbc:TaxExemptionReason", "ram:ExemptionReason"),
    "BG-25": ("cac:InvoiceLine", ".//ram:IncludedSupplyChainTradeLineItem"),
    "BT-129": ("cbc:InvoicedQuantity", "ram:SpecifiedLineTradeDelivery/ram:BilledQuantity"),
    "BT-131": (
        "cbc:LineExtensionAmount",
        f"{_LINE}/ram:SpecifiedTradeSettlementLineMonetarySummation/ram:LineTotalAmount",
    ),
    "BT-146": ("cac:Price/cbc:PriceAmount", "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice/ram:ChargeAmount"),
    "BT-149": (
        "cac:Price/cbc:BaseQuantity",
        "ram:SpecifiedLineTradeAgreement/ram:NetPriceProductTradePrice/ram:BasisQuantity",
    ),
    "BT-151": ("cac:Item/cac:ClassifiedTaxCategory/cbc:ID", f"{_LINE}/ram:ApplicableTradeTax/ram:CategoryCode"),
    "BT-152": ("cac:Item/cac:ClassifiedTaxCategory/cbc:Percent", f"{_LINE}/ram:ApplicableTradeTax/ram:RateApplicablePercent"),
    "BT-153": ("cac:Item/cbc:Name", "ram:SpecifiedTradeProduct/ram:Name"),
    "BG-27": ("cac:AllowanceCharge", f"{_LINE}/ram:SpecifiedTradeAllowanceCharge"),
    "BT-136": ("cbc:Amount", "ram:ActualAmount"),
    "charge": ("cbc:ChargeIndicator", "ram:ChargeIndicator/udt:Indicator"),
    "BT-139": ("cbc:AllowanceChargeReason", "ram:Reason"),
}
_AMOUNTS = ("BT-106", "BT-109", "BT-110", "BT-112", "BT-115")
_CREDIT_NAMES = {"cac:InvoiceLine": "cac:CreditNoteLine", "cbc:InvoicedQuantity": "cbc:CreditedQuantity"}


class Reader:
    """A document by its terms, in either syntax."""

    def __init__(self, xml: bytes) -> None:
        self.root = ElementTree.fromstring(xml)  # noqa: S314 - written by ourselves
        self.cii = self.root.tag.startswith(f"{{{NS['rsm']}}}")
        self.credit = self.root.tag == f"{{{NS['n']}}}CreditNote"

    def path(self, term: str) -> str:
        path = TERMS[term][1 if self.cii else 0]
        return _CREDIT_NAMES.get(path, path) if self.credit else path

    def all(self, term: str) -> list[ElementTree.Element]:
        return self.root.findall(self.path(term), NS)

    def text(self, term: str, within: ElementTree.Element | None = None) -> str | None:
        return (self.root if within is None else within).findtext(self.path(term), None, NS)

    def number(self, term: str, within: ElementTree.Element | None = None) -> Decimal:
        found = self.text(term, within)
        assert found is not None, f"{term} is missing"
        return Decimal(found)


def check(xml: bytes, *, residual: Decimal = Decimal(0)) -> None:
    """Every rule; `residual`: by how much the tax of the last credit note of a rate may differ, since it takes what is left."""
    r = Reader(xml)
    _mandatory(r)
    _totals(r)
    _categories(r, residual)
    _lines(r)


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_UP)


def _mandatory(r: Reader) -> None:
    for term in ("BT-1", "BT-5", "BT-24", "BT-27", "BT-31", "BT-40", "BT-44", "BT-55"):
        assert r.text(term), term
    # BR-CO-25: a due day or terms; BR-16: a line.
    assert r.text("BT-9") or r.text("BT-20")
    assert r.all("BG-25")
    # BR-DEC-*: no amount has more than two decimals.
    for term in _AMOUNTS:
        exponent = r.number(term).as_tuple().exponent
        assert isinstance(exponent, int)
        assert exponent >= -2, term


def _totals(r: Reader) -> None:
    lines = sum((r.number("BT-131", line) for line in r.all("BG-25")), Decimal(0))
    taxes = sum((r.number("BT-117", tax) for tax in r.all("BG-23")), Decimal(0))
    assert r.number("BT-106") == lines, "BR-CO-10"
    # No allowance or charge of the whole document.
    assert r.number("BT-109") == r.number("BT-106"), "BR-CO-13"
    assert r.number("BT-110") == taxes, "BR-CO-14"
    assert r.number("BT-112") == r.number("BT-109") + r.number("BT-110"), "BR-CO-15"
    # Nothing is prepaid, nothing rounded.
    assert r.number("BT-115") == r.number("BT-112"), "BR-CO-16"


def _categories(r: Reader, residual: Decimal) -> None:
    bases: dict[tuple[str | None, Decimal], Decimal] = {}
    for line in r.all("BG-25"):
        key = (r.text("BT-151", line), r.number("BT-152", line))
        bases[key] = bases.get(key, Decimal(0)) + r.number("BT-131", line)
    told = {(r.text("BT-118", tax), r.number("BT-119", tax)): tax for tax in r.all("BG-23")}
    assert len(told) == len(r.all("BG-23")), "one breakdown per category and rate"
    assert set(told) == set(bases), "BR-CO-18, BR-S-1, BR-Z-1, BR-E-1, BR-AE-1"
    for (category, rate), tax in told.items():
        base, reason = r.number("BT-116", tax), r.text("BT-120", tax)
        assert base == bases[category, rate], f"BR-{category}-8"
        assert abs(r.number("BT-117", tax) - _cents(base * rate / 100)) <= residual, f"BR-CO-17, BR-{category}-9"
        if category == "S":
            assert rate > 0, "BR-S-5"
            assert reason is None, "BR-S-10"
        else:
            assert rate == 0, f"BR-{category}-5"
            assert r.number("BT-117", tax) == 0, f"BR-{category}-9"
            assert (reason is None) is (category == "Z"), f"BR-{category}-10"
        if category == "AE":
            assert r.text("BT-48"), "BR-AE-2"


def _lines(r: Reader) -> None:
    for line in r.all("BG-25"):
        assert r.text("BT-153", line), "BR-25"
        price, base, quantity = (r.number(term, line) for term in ("BT-146", "BT-149", "BT-129"))
        assert price >= 0, "BR-27"
        net = _cents(quantity * price / base)
        for change in line.findall(r.path("BG-27"), NS):
            assert r.text("BT-139", change), "BR-42, BR-44"
            amount = r.number("BT-136", change)
            assert amount > 0
            net += amount if r.text("charge", change) == "true" else -amount
        assert r.number("BT-131", line) == net, "quantity x price / base quantity - allowances + charges"
