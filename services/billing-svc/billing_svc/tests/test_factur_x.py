"""Factur-X: read back by the reader of the library that others use for it."""

import io
from typing import Any

import httpx
import pytest
from facturx import get_facturx_xml_from_pdf, xml_check_xsd
from ltc_chassis.testing import Deliver
from lxml import etree
from pypdf import PdfReader

from billing_svc.tests.builders import CUSTOMER, completed
from billing_svc.tests.schematron import broken
from billing_svc.tests.test_documents import HEAD, invoiced

NS = {
    "fx": "urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#",
    "pdfaid": "http://www.aiim.org/pdfa/ns/id/",
    "pdfaSchema": "http://www.aiim.org/pdfa/ns/schema#",
}
TAXED = CUSTOMER.model_copy(update={"vat_id": "IT12345678901"})


@pytest.mark.parametrize("document", ["invoice", "credit"])
async def test_a_document_as_factur_x_is_one_file_for_people_and_machines(
    client: httpx.AsyncClient, deliver: Deliver, document: str
) -> None:
    assert (await client.put("/v1/letterhead", json=HEAD)).status_code == 200
    invoice = await invoiced(client, deliver, completed(customer=TAXED))
    path = f"/v1/invoices/{invoice['id']}"
    number = invoice["number"]
    if document == "credit":
        note = (await client.post(f"{path}/credits", json={"reason": "back"})).json()
        path, number = f"/v1/credits/{note['id']}", note["number"]
    reply = await client.get(f"{path}/document?form=factur-x&language=en")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/pdf"), reply.text
    name, xml = get_facturx_xml_from_pdf(reply.content)
    assert name == "factur-x.xml"
    assert xml == (await client.get(f"{path}/einvoice?syntax=cii")).content
    assert xml_check_xsd(xml, flavor="factur-x", level="en16931")
    assert broken(xml) == []
    pdf = PdfReader(io.BytesIO(reply.content))
    assert number in pdf.pages[0].extract_text()
    root: Any = pdf.trailer["/Root"]
    metadata = etree.fromstring(root["/Metadata"].get_object().get_data())
    said = {
        each: metadata.findtext(f".//{each}", namespaces=NS) for each in ("fx:ConformanceLevel", "fx:DocumentType", "pdfaid:part")
    }
    assert said == {"fx:ConformanceLevel": "EN 16931", "fx:DocumentType": "INVOICE", "pdfaid:part": "3"}
    assert NS["fx"] in [each.text for each in metadata.iterfind(".//pdfaSchema:namespaceURI", NS)]
    assert root["/AF"][0].get_object()["/AFRelationship"] == "/Alternative"
    assert (await client.get(f"{path}/document?form=factur-x&language=en")).content == reply.content


async def test_without_the_terms_of_the_norm_there_is_no_factur_x_but_there_is_paper(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    invoice = await invoiced(client, deliver, completed())
    reply = await client.get(f"/v1/invoices/{invoice['id']}/document?form=factur-x")
    assert (reply.status_code, reply.json()["missing"][0].split()[0]) == (409, "BT-27")
    assert (await client.get(f"/v1/invoices/{invoice['id']}/document")).status_code == 200
    assert (await client.get(f"/v1/invoices/{invoice['id']}/document?form=zip")).status_code == 422
