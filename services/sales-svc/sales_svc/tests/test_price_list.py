"""Price lists as spreadsheets write them, over HTTP."""

from typing import Any

import httpx
import pytest

from sales_svc.tests.deals import Json, ok
from sales_svc.tests.shop import book, bundle, price, product

HEAD = "sku,unit_price,valid_from\n"


async def imported(client: httpx.AsyncClient, content: str | bytes, **params: Any) -> httpx.Response:
    return await client.post("/v1/price-books/LIST/import", content=content, params=params, headers={"Content-Type": "text/csv"})


@pytest.fixture
async def stocked(client: httpx.AsyncClient) -> None:
    await book(client)
    for sku in ("PUMP", "DAY"):
        await product(client, sku)


@pytest.mark.usefixtures("stocked")
async def test_a_list_makes_changes_and_leaves_prices(client: httpx.AsyncClient) -> None:
    await price(client, "PUMP", "100.00")
    await price(client, "DAY", "900.00")
    content = HEAD + "PUMP,100,2026-01-01\nDAY,950.00,2026-01-01\nDAY,990.00,2027-01-01\n"
    refused = await imported(client, content)
    assert refused.status_code == 400
    assert [(error["row"], error["field"]) for error in refused.json()["errors"]] == [(4, "valid_from")]
    done = (await imported(client, content, close_previous=True)).json()
    assert done == {"created": 1, "changed": 1, "unchanged": 1, "closed": 0, "errors": []}
    first, second = (await ok(client, "GET", "/v1/price-books/LIST/prices?sku=DAY"))["items"]
    assert (first["tiers"][0]["unit_price"], first["valid_until"], first["version"]) == ("950.00", "2026-12-31", 2)
    assert (second["valid_from"], second["version"]) == ("2027-01-01", 1)
    again = (await imported(client, HEAD + "PUMP,120.00,2026-03-01\n", close_previous=True)).json()
    assert (again["created"], again["closed"]) == (1, 1)
    log: Json = await ok(client, "GET", f"/v1/price-books/LIST/prices/{first['id']}/changes")
    assert log["items"][-1]["changes"]["tiers"][1] == [{"up_to": None, "unit_price": "950.00"}]


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    "content",
    [
        "\ufeffsku;unit_price;valid_from;unit_cost\r\nPUMP;1234.50;2026-01-01;10\r\n\r\n".encode(),
        "SKU\tunit_price\tvalid_from\nPUMP\t1234.50\t2026-01-01\n".encode("utf-16"),
        b'valid_from,sku,unit_price\n2026-01-01,"PUMP"," 1234.50 "\n',
    ],
)
async def test_a_list_is_read_as_spreadsheets_write_it(client: httpx.AsyncClient, content: bytes) -> None:
    assert (await imported(client, content)).json()["created"] == 1
    [made] = (await ok(client, "GET", "/v1/price-books/LIST/prices"))["items"]
    assert made["tiers"] == [{"up_to": None, "unit_price": "1234.50"}]


@pytest.mark.usefixtures("stocked")
async def test_tiers_stand_in_one_cell(client: httpx.AsyncClient) -> None:
    content = (
        "sku,tiers,model,valid_from,minimum_quantity,base_quantity\nPUMP,10:95.00 100:90.00 *:80.00,graduated,2026-01-01,2,1\n"
    )
    assert (await imported(client, content)).json()["created"] == 1
    [made] = (await ok(client, "GET", "/v1/price-books/LIST/prices"))["items"]
    assert (made["model"], made["tiers"][1], made["minimum_quantity"]) == (
        "graduated",
        {"up_to": "100", "unit_price": "90.00"},
        "2",
    )


@pytest.mark.usefixtures("stocked")
async def test_every_wrong_row_is_told_and_nothing_is_taken_unless_asked(client: httpx.AsyncClient) -> None:
    await bundle(client, "SUM", {"PUMP": "1"})
    rows = [
        "PUMP,100.00,2026-01-01",
        "NONE,1.00,2026-01-01",
        "=cmd|' /C calc'!A1,1.00,2026-01-01",
        "PUMP,-1,2026-02-01",
        "PUMP,12 000,2026-02-01",
        'PUMP,"1,50",2026-02-01',
        "PUMP,1.005,2026-02-01",
        "PUMP,NaN,2026-02-01",
        "PUMP,1e99,2026-02-01",
        "PUMP,,2026-02-01",
        "PUMP,1.00,01.02.2026",
        "DAY,1.00,2026-01-01,extra",
        "DAY,900.00,2026-01-01",
        "DAY,901.00,2026-01-01",
        "SUM,1.00,2026-01-01",
    ]
    refused = await imported(client, HEAD + "\n".join(rows))
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:ltc:problem:price-list-refused")
    assert [error["row"] for error in refused.json()["errors"]] == [3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 15, 16]
    assert (await ok(client, "GET", "/v1/price-books/LIST/prices"))["items"] == []
    done = (await imported(client, HEAD + "\n".join(rows), partial=True)).json()
    assert (done["created"], len(done["errors"])) == (2, 13)


@pytest.mark.usefixtures("stocked")
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"sku,unit_price,valid_from\nP\xdcMP,1,2026-01-01\n",
        b"sku,unit_price\nPUMP,1\n",
        b"sku,sku,unit_price,valid_from\n",
        b"sku,unit_price,valid_from,colour\n",
        b"sku,unit_price,valid_from\nPUMP\x00,1,2026-01-01\n",
        (HEAD + "PUMP,1,2026-01-01\n" * 20_001).encode(),
        b"PK\x03\x04binary",
    ],
)
async def test_what_is_no_price_list_is_refused_as_a_whole(client: httpx.AsyncClient, content: bytes) -> None:
    reply = await imported(client, content, partial=True)
    assert (reply.status_code, reply.json()["field"]) == (400, "file"), reply.text


@pytest.mark.usefixtures("stocked")
async def test_an_open_quote_is_told_and_a_body_is_bounded(client: httpx.AsyncClient) -> None:
    done = (await imported(client, HEAD + 'PUMP,1.00,2026-01-01\n"DAY,1.00,2026-01-01\n', partial=True)).json()
    assert (done["created"], done["errors"][0]["field"]) == (1, None)
    assert (await imported(client, b"x" * 8_400_000)).status_code == 413
    assert (await client.post("/v1/price-books/NONE/import", content=HEAD)).status_code == 404
