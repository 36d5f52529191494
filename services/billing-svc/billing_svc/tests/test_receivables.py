"""Ageing by customer, statements of account and the forecast, over receivables that came by the importer and by delivery."""

import io
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_chassis.timers import Timer
from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.events import Customer
from pypdf import PdfReader

from billing_svc.consumers import consumers
from billing_svc.tests.builders import completed, line, payment_body
from billing_svc.tests.test_imports import taken

Run = Callable[[Timer], Awaitable[int]]
Json = dict[str, Any]
FIRST = str(id_elsewhere("customer", "", "C1"))
ROWS = [
    "1,C1,2025-10-01,2025-10-31,2025-11-10,100.00,No",
    "2,C1,2025-11-01,2025-12-01,2025-12-11,200.00,No",
    "3,C1,2025-11-20,2025-12-20,,300.00,No",
    "4,C2,2025-12-10,2026-01-09,,50.00,No",
]


@pytest.fixture
async def books(client: httpx.AsyncClient, run_timer: Run, deliver: Deliver) -> str:
    """Four receivables of two customers, and an invoice in yen of the first one; part of the third is paid and part credited."""
    job, _ = await taken(client, run_timer, ROWS)
    assert job["imported"] == 4
    customer = Customer(customer_id=FIRST, name="C1", country="DE")
    await deliver(consumers, completed(line("5000", "1", "0", "0", "JPY"), customer=customer), flow_id=new_id())
    paid = payment_body("80.00", allocations=[{"number": "EXT-3"}], received_on="2025-12-30")
    assert (await client.post("/v1/payments", json=paid)).status_code == 201
    [third] = (await client.get("/v1/invoices", params={"number": "EXT-3"})).json()["items"]
    part = {"reason": "a scratch", "lines": [{"line_id": third["lines"][0]["line_id"], "net": "20.00"}]}
    assert (await client.post(f"/v1/invoices/{third['id']}/credits", json=part)).status_code == 201
    return FIRST


async def statement(client: httpx.AsyncClient, customer: str, begin: str, end: str) -> Json:
    reply = await client.get(f"/v1/customers/{customer}/statement", params={"from": begin, "to": end})
    assert reply.status_code == 200, reply.text
    found: Json = reply.json()
    return found


async def test_a_statement_leads_from_what_was_owed_to_what_is_owed(client: httpx.AsyncClient, books: str) -> None:
    found = await statement(client, books, "2025-11-05", "2026-01-01")
    assert (found["name"], [each["currency"] for each in found["accounts"]]) == ("C1", ["EUR", "JPY"])
    euro, yen = found["accounts"]
    assert [
        (each["day"], each["kind"], each["number"], each["amount"]["amount"], each["balance"]["amount"]) for each in euro["lines"]
    ] == [
        ("2025-11-10", "allocation", "EXT-1", "-100.00", "200.00"),
        ("2025-11-20", "invoice", "EXT-3", "300.00", "500.00"),
        ("2025-12-11", "allocation", "EXT-2", "-200.00", "300.00"),
        ("2025-12-30", "allocation", "EXT-3", "-80.00", "220.00"),
        ("2026-01-01", "credit", "CN-2026-000001", "-20.00", "200.00"),
    ]
    amounts = {name: euro[name]["amount"] for name in ("opening", "charged", "settled", "closing")}
    assert amounts == {"opening": "300.00", "charged": "300.00", "settled": "400.00", "closing": "200.00"}
    assert (euro["ageing"]["outstanding"], euro["ageing"]["buckets"]["1-30"]) == ("200.00", "200.00")
    assert (yen["opening"]["amount"], yen["closing"]["amount"], yen["ageing"]["buckets"]["not_due"]) == ("0", "5000", "5000")


async def test_statements_that_follow_each_other_meet_and_each_ends_with_its_ageing(
    client: httpx.AsyncClient, books: str
) -> None:
    ends = ["2025-10-15", "2025-11-10", "2025-11-30", "2025-12-20", "2026-01-01"]
    begins = ["2025-09-01", "2025-10-16", "2025-11-11", "2025-12-01", "2025-12-21"]
    before = "0.00"
    for begin, end in zip(begins, ends, strict=True):
        euro = (await statement(client, books, begin, end))["accounts"][0]
        assert euro["opening"]["amount"] == before
        before = euro["closing"]["amount"]
        ageing = euro["ageing"] or {"outstanding": "0.00", "buckets": {}}
        assert ageing["outstanding"] == before
        assert sum(map(Decimal, ageing["buckets"].values()), Decimal(0)) == Decimal(before)


@pytest.mark.usefixtures("books")
@pytest.mark.parametrize("as_of", ["2025-10-31", "2025-11-10", "2025-12-15", "2025-12-30", "2026-01-01"])
async def test_customers_add_up_to_the_ageing_of_any_day_page_by_page(client: httpx.AsyncClient, as_of: str) -> None:
    total = (await client.get("/v1/receivables/ageing", params={"as_of": as_of})).json()["currencies"]
    items: list[Json] = []
    cursor: str | None = None
    while True:
        params = {"as_of": as_of, "limit": "1", **({"cursor": cursor} if cursor else {})}
        page = (await client.get("/v1/receivables/ageing/customers", params=params)).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert len({item["customer_id"] for item in items}) == len(items)
    for each in total:
        parts = [row for item in items for row in item["currencies"] if row["currency"] == each["currency"]]
        assert sum(Decimal(part["outstanding"]) for part in parts) == Decimal(each["outstanding"])
        for bucket, amount in each["buckets"].items():
            assert sum(Decimal(part["buckets"][bucket]) for part in parts) == Decimal(amount), bucket


async def test_the_forecast_says_when_and_why_and_nothing_is_left_out(client: httpx.AsyncClient, books: str) -> None:
    found = (await client.get("/v1/receivables/forecast", params={"as_of": "2025-12-12", "weeks": 2})).json()
    # Both invoices that are known were paid ten days late: EXT-3 comes on the 30th of December, EXT-4, whose payer is new, so too.
    assert [(each["starts_on"], each["expected"]["amount"], each["by_due"]["amount"]) for each in found["weeks"]] == [
        ("2025-12-15", "0.00", "300.00")
    ]
    assert [each["expected"]["amount"] for each in found["later"]] == ["350.00"]
    [third] = (await client.get(f"/v1/customers/{books}/forecast", params={"as_of": "2025-12-12"})).json()["invoices"]
    assert (third["number"], third["expected_on"], third["known"], third["payer_median"]) == ("EXT-3", "2025-12-30", 2, 10)
    # Before anything was paid nothing is known, and everybody pays on the due day.
    early = (await client.get("/v1/receivables/forecast", params={"as_of": "2025-10-02"})).json()
    assert [(each["starts_on"], each["expected"]["amount"]) for each in early["weeks"]] == [("2025-10-27", "100.00")]


async def test_what_cannot_be_asked_is_refused(client: httpx.AsyncClient, books: str) -> None:
    assert (await client.get(f"/v1/customers/{new_id()}/statement")).status_code == 404
    assert (await client.get(f"/v1/customers/{new_id()}/forecast")).status_code == 404
    wrong = {"from": "2026-01-01", "to": "2025-01-01"}
    assert (await client.get(f"/v1/customers/{books}/statement", params=wrong)).json()["field"] == "to"
    long = {"from": "1990-01-01", "to": "2025-01-01"}
    assert (await client.get(f"/v1/customers/{books}/statement", params=long)).json()["field"] == "from"


async def test_the_statement_on_paper_says_what_the_statement_says(client: httpx.AsyncClient, books: str) -> None:
    span = {"from": "2025-11-05", "to": "2026-01-01"}
    reply = await client.get(f"/v1/customers/{books}/statement.pdf", params=span)
    assert (reply.status_code, reply.headers["content-type"]) == (200, "application/pdf"), reply.text
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(reply.content)).pages)
    for words in (
        "Statement of account",
        "EXT-3",
        "CN-2026-000001",
        "-200.00",
        "300.00",
        "5,000",
        "1-30",
        "Balance on 2026-01-01",
    ):
        assert words in text, words
    nothing = await client.get(f"/v1/customers/{books}/statement.pdf", params={"from": "2025-01-01", "to": "2025-01-31"})
    assert nothing.status_code == 200
