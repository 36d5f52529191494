"""Which tax applies to a supply and why, by rates of the day; and what is owed for a month equals the ledger."""

import csv
import io
from typing import Any

import httpx
import pytest
from ltc_chassis.testing import Deliver

from billing_svc.domain.tax import is_vat_id
from billing_svc.tests.books import Json, by_hand, ok, refused
from billing_svc.tests.builders import completed, line
from billing_svc.tests.telling import tell

SELLER, ITALIAN = "DE123456789", "IT12345678901"


async def enter(client: httpx.AsyncClient, country: str, rate: str, since: str = "2020-01-01", of: str = "standard") -> None:
    body = {"country": country, "rate": rate, "valid_from": since, "product_class": of, "source": "entered by a test"}
    reply = await client.post("/v1/taxes/rates", json=body)
    assert reply.status_code == 201, reply.text


def question(buyer: str, supply: str = "goods", **changed: Any) -> Json:
    of = changed.pop("product_class", "standard")
    lines = [{"supply": supply, "product_class": of}]
    return {
        "seller_country": "DE",
        "seller_vat_id": SELLER,
        "buyer_country": buyer,
        "supplies": lines,
        "on": "2026-01-01",
        **changed,
    }


async def asked(client: httpx.AsyncClient, buyer: str, supply: str = "goods", **changed: Any) -> tuple[str, str, str]:
    found = await ok(client, "POST", "/v1/taxes/determine", question(buyer, supply, **changed))
    [answer] = found["supplies"]
    return answer["category"], answer["rate"], answer["reason"]


async def test_the_rate_is_that_of_country_class_and_day_and_the_reason_says_why(client: httpx.AsyncClient) -> None:
    await enter(client, "DE", "19")
    await enter(client, "DE", "16", "2020-07-01")
    await enter(client, "DE", "19", "2021-01-01")
    await enter(client, "DE", "7", of="books")
    await enter(client, "DE", "0", of="solar")
    await enter(client, "IT", "22")
    assert await asked(client, "DE") == ("S", "19", "supplied within DE")
    assert (await asked(client, "DE", on="2020-08-15"))[:2] == ("S", "16")
    assert (await asked(client, "DE", product_class="books"))[:2] == ("S", "7")
    assert (await asked(client, "DE", product_class="solar"))[:2] == ("Z", "0")
    # A consumer elsewhere in the EU: goods and what is digital at home, other services at the seller's.
    assert [(await asked(client, "IT", supply))[:2] for supply in ("goods", "digital", "service")] == [
        *(("S", "22"), ("S", "22"), ("S", "19")),
    ]
    assert (await refused(client, "POST", "/v1/taxes/determine", question("FR")))[:2] == (409, "tax-rate-missing")
    assert (await refused(client, "POST", "/v1/taxes/determine", question("DE", on="2019-12-31")))[:2] == (
        409,
        "tax-rate-missing",
    )


async def test_a_business_in_the_eu_owes_the_tax_itself_when_both_have_a_number(client: httpx.AsyncClient) -> None:
    await enter(client, "IT", "22")
    category, rate, reason = await asked(client, "IT", "service", buyer_vat_id=ITALIAN)
    assert (category, rate, "Reverse charge" in reason) == ("AE", "0", True)
    assert (await asked(client, "IT", buyer_vat_id=ITALIAN))[0] == "K"
    # A number that cannot be one is none, and one of the buyer's alone is not enough.
    assert (await asked(client, "IT", buyer_vat_id="IT123"))[:2] == ("S", "22")
    lone = question("IT", "service", buyer_vat_id=ITALIAN, seller_vat_id=None)
    assert await refused(client, "POST", "/v1/taxes/determine", lone) == (400, "invalid", "seller_vat_id")


async def test_what_leaves_the_eu_is_not_taxed_in_it(client: httpx.AsyncClient) -> None:
    await enter(client, "DE", "19")
    assert (await asked(client, "US"))[:2] == ("G", "0")
    assert (await asked(client, "US", "service", business=True))[0] == "O"
    assert (await asked(client, "US", "digital"))[0] == "O"
    assert (await asked(client, "US", "service"))[:2] == ("S", "19")
    assert (await asked(client, "GB"))[0] == "G"
    foreign = {**question("DE"), "seller_country": "US"}
    assert (await refused(client, "POST", "/v1/taxes/determine", foreign))[:2] == (409, "tax-not-decided")


@pytest.mark.parametrize(
    ("number", "country", "valid"),
    [
        ("DE 123.456-789", "DE", True),
        ("DE12345678", "DE", False),
        ("ATU12345678", "AT", True),
        ("EL123456789", "GR", True),
        ("GR123456789", "GR", False),
        ("IT12345678901", "FR", False),
        ("GB123456789", "GB", False),
    ],
)
def test_a_vat_number_has_the_form_of_its_country(number: str, country: str, valid: bool) -> None:
    assert is_vat_id(number, country) is valid


async def test_the_report_of_a_month_deducts_credits_and_equals_the_account_of_tax(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    # 100.00 and 50.00 at 22 %, of which 30.00 are taken back; 10.00 at 4 %.
    delivery = completed(line("100.00", "1", "0", "22"), line("10.00", "1", "0", "4"))
    other = completed(line("50.00", "1", "0", "22"))
    await tell(deliver, [delivery])
    await tell(deliver, [other])
    [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
    part = {"line_id": made["lines"][0]["line_id"], "net": "30.00"}
    await ok(client, "POST", f"/v1/invoices/{made['id']}/credits", {"reason": "a scratch", "lines": [part]})
    await ok(client, "POST", "/v1/ledger/entries", by_hand(("tax", "debit", "5.00"), ("cash", "credit", "5.00")))
    found = await ok(client, "GET", "/v1/taxes/report?month=2026-01")
    assert [(each["country"], each["rate"], each["base"], each["tax"]) for each in found["rows"]] == [
        ("IT", "4", "10.00", "0.40"),
        ("IT", "22", "120.00", "26.40"),
    ]
    [account] = found["account"]
    assert (account["tax"], account["ledger"], account["by_hand"], account["difference"]) == ("26.80", "21.80", "-5.00", "0.00")
    text = (await client.get("/v1/taxes/report.csv?month=2026-01")).text
    assert [row["tax"] for row in csv.DictReader(io.StringIO(text))] == ["0.40", "26.40"]
    assert (await ok(client, "GET", "/v1/taxes/report?month=2026-02"))["rows"] == []
