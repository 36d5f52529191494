"""Factur-X (ZUGFeRD): a PDF/A-3 for people that carries the CII of the same document for machines. Pure.

The PDF comes with the XML attached; what is missing is that its metadata say so (Factur-X 1.0, chapter 6.3), together with the
description of these properties that PDF/A asks of whoever adds some.
"""

import io

from lxml import etree
from pypdf import PdfReader, PdfWriter
from pypdf.generic import StreamObject

FILE = "factur-x.xml"
# The whole of EN 16931, which the profiles below it are parts of.
LEVEL = "EN 16931"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_SCHEMAS = "{http://www.aiim.org/pdfa/ns/extension/}schemas"
_FX = "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#"
_PROPERTIES = {
    "DocumentFileName": (FILE, "The name of the embedded XML document"),
    "DocumentType": ("INVOICE", "The type of the hybrid document in capital letters, e.g. INVOICE or ORDER"),
    "Version": ("1.0", "The actual version of the standard applying to the embedded XML document"),
    "ConformanceLevel": (LEVEL, "The conformance level of the embedded XML document"),
}


def say_what_it_carries(pdf: bytes) -> bytes:
    """The same PDF/A-3 with the metadata of Factur-X. The same bytes give the same bytes."""
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf)))
    metadata = writer.root_object["/Metadata"].get_object()
    assert isinstance(metadata, StreamObject), "a PDF/A has metadata"
    metadata.set_data(_extended(metadata.get_data()))
    written = io.BytesIO()
    writer.write(written)
    return written.getvalue()


def _extended(packet: bytes) -> bytes:
    """The XMP packet with the values and their description."""
    root = etree.fromstring(packet, etree.XMLParser(resolve_entities=False, no_network=True))
    rdf = root.find(f"{{{_RDF}}}RDF")
    bag = root.find(f".//{_SCHEMAS}/{{{_RDF}}}Bag")
    assert rdf is not None, "metadata are RDF"
    assert bag is not None, "a PDF/A describes what it adds to the metadata"
    bag.append(_description())
    values = etree.SubElement(rdf, f"{{{_RDF}}}Description", {f"{{{_RDF}}}about": ""}, nsmap={"fx": _FX})
    for name, (value, _) in _PROPERTIES.items():
        etree.SubElement(values, f"{{{_FX}}}{name}").text = value
    # Where a packet begins and ends is said around it (XMP part 1, 7.3.2).
    begin, end = b'<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>', b'<?xpacket end="r"?>'
    body: bytes = etree.tostring(root, encoding="utf-8")
    return begin + body + end


def _description() -> etree._Element:
    ns = {name: f"http://www.aiim.org/pdfa/ns/{name[4:].lower()}#" for name in ("pdfaSchema", "pdfaProperty")}
    resource = {f"{{{_RDF}}}parseType": "Resource"}
    described = etree.Element(f"{{{_RDF}}}li", resource, nsmap={"rdf": _RDF, **ns})
    told = {"schema": "Factur-X PDFA Extension Schema", "namespaceURI": _FX, "prefix": "fx"}
    for name, value in told.items():
        etree.SubElement(described, f"{{{ns['pdfaSchema']}}}{name}").text = value
    properties = etree.SubElement(etree.SubElement(described, f"{{{ns['pdfaSchema']}}}property"), f"{{{_RDF}}}Seq")
    for name, (_, meaning) in _PROPERTIES.items():
        each = etree.SubElement(properties, f"{{{_RDF}}}li", resource)
        said = {"name": name, "valueType": "Text", "category": "external", "description": meaning}
        for part, value in said.items():
            etree.SubElement(each, f"{{{ns['pdfaProperty']}}}{part}").text = value
    return described
