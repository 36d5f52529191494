"""The printed quote, read back."""

import io
import re
from decimal import Decimal
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from pypdf import PdfReader

from sales_svc.tests.deals import ok
from sales_svc.tests.shop import bundle, shop
from sales_svc.tests.test_quotes import drafted

HEAD = {"name": "Nord GmbH", "address": ["Hafenstr. 1", "20457 Hamburg"], "tax_id": "DE123456789"}
LINES = (
    {"sku": "PUMP", "quantity": "12", "discount_percent": "10"},
    {"sku": "START", "quantity": "1"},
    {"sku": "SEAT", "quantity": "10"},
    {"sku": "CALL", "quantity": "50000"},
    {"sku": "TRAVEL", "description": "<b>Travel</b> #x $y$ \n [z]", "quantity": "1", "unit_price": "80.00", "tax_rate": "7"},
)


async def pdf_of(client: httpx.AsyncClient, quote_id: str) -> bytes:
    reply = await client.get(f"/v1/quotes/{quote_id}/pdf")
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/pdf"), reply.text
    return reply.content


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_a_sent_quote_is_printed_once_and_says_what_it_offers(
    client: httpx.AsyncClient, clock: FixedClock, language: str
) -> None:
    await ok(client, "PUT", "/v1/letterhead", HEAD)
    await shop(client)
    await bundle(client, "START", {"PUMP": "3", "DAY": "1"}, bundle_discount="10")
    more: dict[str, Any] = {
        "contact": "Anna Rossi",
        "address": ["Via Roma 1", "Torino"],
        "terms": "Delivery in May.",
        "discount_percent": "2",
    }
    quote = await drafted(client, *LINES, language=language, **more)
    assert ("DRAFT" if language == "en" else "草稿") in text_of(await pdf_of(client, quote["id"]))
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/send")
    sent = await pdf_of(client, quote["id"])
    text = text_of(sent)
    for wanted in (quote["number"], "Nord GmbH", "Anna Rossi", "Torino", "Delivery in May.", "CRM seat", "<b>Travel</b> #x $y$"):
        assert wanted in text, wanted
    for money in (quote["net"], quote["gross"], *(part["tax"] for part in quote["taxes"])):
        assert f"{Decimal(money['amount']):,} EUR" in text
    # Positions are numbered as they stand, quantities have thousands apart, and a term says what it comes to.
    assert re.findall(r"([0-9])\s+(Pump|Start|<b>Travel|CRM seat|API call)\b", text)[0] == ("1", "Pump")
    for number, name in ((3, "<b>Travel"), (4, "CRM seat"), (5, "API call")):
        assert re.search(rf"\b{number}\s+{name}", text), name
    for wanted in ("50,000", "Germany", "12 months, 5,988.00 in all" if language == "en" else "12 个月，共 5,988.00"):
        assert wanted in text, wanted
    clock.advance(days=1)
    await ok(client, "PUT", "/v1/letterhead", {**HEAD, "name": "Moved"})
    assert await pdf_of(client, quote["id"]) == sent


async def test_five_hundred_lines_are_printed_over_pages_with_repeated_heads(client: httpx.AsyncClient) -> None:
    line = {"sku": "X", "description": "名前 " + "W" * 150, "quantity": "3", "unit_price": "0.01", "tax_rate": "19"}
    quote = await drafted(client, *[line] * 500)
    pages = PdfReader(io.BytesIO(await pdf_of(client, quote["id"]))).pages
    assert len(pages) > 10
    assert "Quantity" in pages[5].extract_text()
