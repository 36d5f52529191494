"""The printed invoice and credit note, read back."""

import io
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.money import Money
from pypdf import PdfReader

from billing_svc.consumers import consumers
from billing_svc.domain.document_print import reference_of
from billing_svc.domain.reference import is_reference
from billing_svc.tests.builders import CUSTOMER, completed, handed_over, line, part

Json = dict[str, Any]
HEAD = {"name": "Nord GmbH", "address": ["Hafenstr. 1", "20457 Hamburg"], "tax_id": "DE123456789"}


async def invoiced(client: httpx.AsyncClient, deliver: Deliver, event: Any) -> Json:
    flow_id = new_id()
    assert await deliver(consumers, event, flow_id=flow_id) == "processed"
    [made] = (await client.get("/v1/invoices", params={"flow_id": str(flow_id)})).json()["items"]
    found: Json = made
    return found


async def pdf_of(client: httpx.AsyncClient, path: str, **params: str) -> bytes:
    reply = await client.get(f"/v1/{path}/document", params=params)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/pdf"), reply.text
    return reply.content


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.parametrize(("language", "due"), [("en", "31 January 2026"), ("zh", "2026年1月31日")])
async def test_an_invoice_is_printed_with_what_is_owed_and_the_same_each_time(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, language: str, due: str
) -> None:
    assert (await client.put("/v1/letterhead", json=HEAD)).status_code == 200
    named = line().model_copy(update={"description": "<b>Pump</b> #x $y$ [z]"})
    invoice = await invoiced(client, deliver, completed(named, line("10", "3", "0", "10")))
    first = await pdf_of(client, f"invoices/{invoice['id']}", language=language)
    text = text_of(first)
    reference = reference_of(invoice["number"])
    assert reference is not None
    for wanted in (invoice["number"], "Nord GmbH", "DE123456789", "Rossi", "Italy", "<b>Pump</b> #x $y$ [z]", "4 %", "348.35"):
        assert wanted in text, wanted
    for wanted in (" ".join(reference[at : at + 4] for at in range(0, len(reference), 4)), "5,350.66", "22 %", "10 %"):
        assert wanted in text, wanted
    # Between Han characters and figures there is some air.
    assert due.replace(" ", "") in text.replace(" ", "")
    for money in (invoice["net"], invoice["gross"], *(tax["tax"] for tax in invoice["taxes"])):
        assert f"{Decimal(money['amount']):,} EUR" in text
    # Neither the day nor a later letterhead nor a payment changes a document that was made.
    clock.advance(days=40)
    assert (await client.put("/v1/letterhead", json={**HEAD, "name": "Moved"})).status_code == 200
    assert await pdf_of(client, f"invoices/{invoice['id']}", language=language) == first


async def test_golden_gross_is_printed_and_the_language_follows_the_country(client: httpx.AsyncClient, deliver: Deliver) -> None:
    chinese = CUSTOMER.model_copy(update={"country": "CN", "name": "远洋有限公司"})
    invoice = await invoiced(client, deliver, completed(line(), customer=chinese))
    text = text_of(await pdf_of(client, f"invoices/{invoice['id']}"))
    assert "6,527.81 EUR" in text
    assert "发票" in text
    assert "远洋有限公司" in text


async def test_reverse_charge_is_said_and_both_tax_ids_stand_on_the_paper(client: httpx.AsyncClient, deliver: Deliver) -> None:
    assert (await client.put("/v1/letterhead", json=HEAD)).status_code == 200
    abroad = line(rate="0").model_copy(update={"tax_category": "AE"})
    customer = CUSTOMER.model_copy(update={"vat_id": "IT12345678901"})
    invoice = await invoiced(client, deliver, completed(abroad, customer=customer))
    text = text_of(await pdf_of(client, f"invoices/{invoice['id']}"))
    for wanted in ("Reverse charge: the customer owes the tax", "DE123456789", "IT12345678901", "5,350.66 EUR"):
        assert wanted in text, wanted


async def test_what_a_part_differs_by_is_printed_with_its_line(client: httpx.AsyncClient, deliver: Deliver) -> None:
    whole = line("0.33", "10", "5")
    invoice = await invoiced(client, deliver, handed_over(part(whole, "1", before="1")))
    [shown] = invoice["lines"]
    assert shown["adjustment"] is not None
    text = text_of(await pdf_of(client, f"invoices/{invoice['id']}"))
    assert ("Charge 0.01" in text) or ("Allowance −0.01" in text)


async def test_a_credit_note_names_its_invoice(client: httpx.AsyncClient, deliver: Deliver) -> None:
    invoice = await invoiced(client, deliver, completed())
    body = {"reason": "a scratch", "lines": [{"line_id": invoice["lines"][0]["line_id"], "net": "10.00"}]}
    note = (await client.post(f"/v1/invoices/{invoice['id']}/credits", json=body)).json()
    first = await pdf_of(client, f"credits/{note['id']}")
    text = text_of(first)
    for wanted in ("Credit note", note["number"], invoice["number"], "a scratch", "12.20 EUR", "2.20 EUR"):
        assert wanted in text, wanted
    assert await pdf_of(client, f"credits/{note['id']}") == first
    for path in ("invoices", "credits"):
        assert (await client.get(f"/v1/{path}/{new_id()}/document")).status_code == 404


async def test_five_hundred_lines_are_printed_over_pages_with_repeated_heads(client: httpx.AsyncClient, deliver: Deliver) -> None:
    lines = [line("0.01", "3", "0", "19").model_copy(update={"description": "名前 " + "W" * 100}) for _ in range(500)]
    invoice = await invoiced(client, deliver, completed(*lines))
    pages = PdfReader(io.BytesIO(await pdf_of(client, f"invoices/{invoice['id']}"))).pages
    assert len(pages) > 10
    assert "Quantity" in pages[5].extract_text()
    assert f"{Money.of('17.85', 'EUR').amount} EUR" in pages[-1].extract_text()


@given(count=st.integers(min_value=1, max_value=999_999), place=st.integers(min_value=0, max_value=16), by=st.integers(1, 9))
def test_a_wrong_digit_in_a_payment_reference_is_seen(count: int, place: int, by: int) -> None:
    reference = reference_of(f"INV-2026-{count:06d}")
    assert reference is not None
    assert is_reference(reference)
    if reference[place].isdigit():
        wrong = reference[:place] + str((int(reference[place]) + by) % 10) + reference[place + 1 :]
        assert not is_reference(wrong)


def test_a_foreign_number_that_fits_into_no_reference_has_none() -> None:
    for number in ("EXT-" + "9" * 30, "Überweisung-1", "A/7"):
        assert reference_of(number) is None
