"""Products, price books, prices and price lists over HTTP."""

import asyncio
from typing import Any

import httpx
import pytest
from ltc_chassis.testing import KeyPair

from sales_svc.tests.deals import ok
from sales_svc.tests.shop import TAXES, ask, book, bundle, price, product, shop

TIERS = [{"up_to": "10", "unit_price": "100.00"}, {"up_to": "50", "unit_price": "90.00"}, {"unit_price": "80.00"}]


async def test_a_product_changes_in_versions_with_who_and_what(client: httpx.AsyncClient) -> None:
    made = await product(client, "PUMP", description="Steel")
    body = {"name": "Pump 7", "kind": "one_off", "taxes": TAXES}
    assert (await client.put("/v1/products/PUMP", json=body)).status_code == 400
    changed = await ok(client, "PUT", "/v1/products/PUMP", {**body, "version": made["version"]})
    assert (changed["version"], changed["name"], changed["description"]) == (2, "Pump 7", "")
    stale = await client.put("/v1/products/PUMP", json=body, headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["type"], stale.json()["current_version"]) == (
        409,
        "urn:ltc:problem:version-conflict",
        2,
    )
    same = await client.put("/v1/products/PUMP", json=body, headers={"If-Match": '"2"'})
    assert same.json()["version"] == 2
    first, second = (await ok(client, "GET", "/v1/products/PUMP/changes"))["items"]
    assert (first["version"], first["by"], second["version"]) == (1, "test", 2)
    assert second["changes"] == {"name": ["Pump", "Pump 7"], "description": ["Steel", ""]}


async def test_a_sku_is_taken_once_also_by_two_at_once(client: httpx.AsyncClient) -> None:
    body = {"sku": "PUMP", "name": "Pump", "kind": "one_off"}
    replies = await asyncio.gather(*(client.post("/v1/products", json=body) for _ in range(4)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409]
    refused = await client.put("/v1/products/PUMP", json={"name": "Pump", "kind": "recurring", "period": "month", "version": 1})
    assert (refused.status_code, refused.json()["field"]) == (400, "kind")


async def test_products_are_found_by_name_kind_and_state(client: httpx.AsyncClient) -> None:
    await shop(client)
    await ok(client, "PUT", "/v1/products/DAY", {"name": "Day", "kind": "one_off", "unit": "day", "version": 1, "active": False})
    page = await ok(client, "GET", "/v1/products?limit=2")
    rest = await ok(client, "GET", f"/v1/products?limit=2&cursor={page['next']}")
    assert [each["sku"] for each in (*page["items"], *rest["items"])] == ["CALL", "DAY", "PUMP", "SEAT"]
    assert rest["next"] is None
    assert [each["sku"] for each in (await ok(client, "GET", "/v1/products?q=crm"))["items"]] == ["SEAT"]
    assert [each["sku"] for each in (await ok(client, "GET", "/v1/products?active=false"))["items"]] == ["DAY"]
    assert [each["sku"] for each in (await ok(client, "GET", "/v1/products?kind=usage"))["items"]] == ["CALL"]
    assert (await ok(client, "GET", "/v1/products?q=%25"))["items"] == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"kind": "recurring"}, "period"),
        ({"period": "month"}, "period"),
        ({"kind": "usage"}, "meter"),
        ({"kind": "bundle", "taxes": {}}, "pricing"),
        ({"kind": "bundle", "taxes": {}, "pricing": "sum"}, "components"),
        ({"kind": "bundle", "taxes": {}, "pricing": "sum", "components": [{"sku": "NONE"}]}, "components"),
        ({"taxes": {"DE": {"category": "AE", "rate": "19"}}}, "taxes.DE"),
        ({"bundle_discount": "5"}, "bundle_discount"),
    ],
)
async def test_a_product_that_makes_no_sense_is_refused(client: httpx.AsyncClient, changed: dict[str, Any], field: str) -> None:
    reply = await client.post("/v1/products", json={"sku": "X", "name": "X", "kind": "one_off", "taxes": TAXES, **changed})
    assert (reply.status_code, reply.json()["field"]) == (400, field), reply.text


async def test_the_book_that_counts_is_told_with_tier_and_rule(client: httpx.AsyncClient) -> None:
    await shop(client)
    await book(client, "VIP", segment="vip", priority=10)
    await price(client, "PUMP", "70.00", code="VIP")
    await book(client, "CH", countries=["CH"], priority=5)
    [item] = (await ask(client, "PUMP", "60"))["items"]
    assert item["net"] == {"amount": "5400.00", "currency": "EUR"}
    assert [(part["quantity"], part["unit_price"]["amount"], part["tier"]) for part in item["slices"]] == [
        *(("10", "100.00", 1), ("40", "90.00", 2), ("10", "80.00", 3))
    ]
    assert (item["source"]["book"], item["source"]["price_version"], item["source"]["model"]) == ("LIST", 1, "graduated")
    assert item["source"]["passed_over"] == ["VIP is for the segment vip", "CH is for CH"]
    assert "40 at 90.00 EUR (tier 2)" in item["because"]
    [vip] = (await ask(client, "PUMP", "60", segment="vip"))["items"]
    assert (vip["net"]["amount"], vip["source"]["book"]) == ("4200.00", "VIP")
    [swiss] = (await ask(client, "PUMP", "1", country="CH"))["items"]
    assert swiss["source"]["passed_over"] == ["VIP is for the segment vip", "CH has no price for it on 2026-01-01"]
    [alone] = (await ask(client, "PUMP", "1", book="LIST"))["items"]
    assert alone["source"]["book"] == "LIST"


async def test_the_whole_quantity_takes_the_tier_of_a_volume_price(client: httpx.AsyncClient) -> None:
    await book(client)
    await product(client, "PUMP")
    await price(client, "PUMP", model="volume", tiers=TIERS)
    nets = {q: (await ask(client, "PUMP", q))["items"][0]["net"]["amount"] for q in ("10", "10.5", "11", "50", "51")}
    assert nets == {"10": "1000.00", "10.5": "945.00", "11": "990.00", "50": "4500.00", "51": "4080.00"}


async def test_use_is_priced_per_thousand_and_quantities_have_limits(client: httpx.AsyncClient) -> None:
    await shop(client)
    [item] = (await ask(client, "CALL", "12345"))["items"]
    assert (item["net"]["amount"], item["meter"]) == ("4.94", "api_calls")
    for quantity in ("4", "1001"):
        body = {"currency": "EUR", "items": [{"sku": "DAY"}, {"sku": "SEAT", "quantity": quantity}]}
        reply = await client.post("/v1/prices", json=body)
        assert (reply.status_code, reply.json()["field"]) == (400, "items.1.quantity")
    unknown = await client.post("/v1/prices", json={"currency": "USD", "items": [{"sku": "DAY"}]})
    assert (unknown.status_code, unknown.json()["type"]) == (409, "urn:ltc:problem:not-for-sale")


async def test_a_price_is_that_of_the_day_asked_for(client: httpx.AsyncClient) -> None:
    await book(client)
    await product(client, "PUMP")
    await price(client, "PUMP", "100.00", valid_until="2026-06-30")
    await price(client, "PUMP", "110.00", valid_from="2026-07-01")
    nets = [
        (await ask(client, "PUMP", on=day))["items"][0]["net"]["amount"] for day in ("2026-06-30", "2026-07-01", "2030-01-01")
    ]
    assert nets == ["100.00", "110.00", "110.00"]
    early = await client.post("/v1/prices", json={"currency": "EUR", "on": "2025-12-31", "items": [{"sku": "PUMP"}]})
    assert early.json()["type"] == "urn:ltc:problem:not-for-sale"


async def test_prices_of_a_product_do_not_overlap(client: httpx.AsyncClient) -> None:
    await book(client)
    await product(client, "PUMP")
    first = await price(client, "PUMP", "100.00")
    body = {"sku": "PUMP", "valid_from": "2026-07-01", "tiers": [{"unit_price": "110.00"}]}
    path = "/v1/price-books/LIST/prices"
    refused = await client.post(path, json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:validity-overlaps")
    second = await ok(client, "POST", path, {**body, "close_previous": True}, status=201)
    ended = (await ok(client, "GET", f"{path}?sku=PUMP"))["items"][0]
    assert (ended["id"], ended["valid_until"], ended["version"]) == (first["id"], "2026-06-30", 2)
    log = (await ok(client, "GET", f"{path}/{first['id']}/changes"))["items"]
    assert log[-1]["changes"] == {"valid_until": [None, "2026-06-30"]}
    wider = {"valid_from": "2026-01-01", "tiers": [{"unit_price": "101.00"}], "version": 2}
    assert (await client.put(f"{path}/{first['id']}", json=wider)).status_code == 409
    corrected = await ok(client, "PUT", f"{path}/{first['id']}", {**wider, "valid_until": "2026-06-30"})
    assert (corrected["version"], corrected["tiers"][0]["unit_price"]) == (3, "101.00")
    assert second["valid_from"] == "2026-07-01"


async def test_of_two_overlapping_prices_made_at_once_one_is_kept(client: httpx.AsyncClient) -> None:
    await book(client)
    await product(client, "PUMP")
    bodies = [{"sku": "PUMP", "valid_from": f"2026-0{n}-01", "tiers": [{"unit_price": "1.00"}]} for n in range(1, 6)]
    replies = await asyncio.gather(*(client.post("/v1/price-books/LIST/prices", json=body) for body in bodies))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409, 409]


async def test_books_for_the_same_customers_need_different_priorities(client: httpx.AsyncClient) -> None:
    await book(client, "A", countries=["DE", "AT"])
    body = {"code": "B", "name": "B", "currency": "EUR", "countries": ["AT"], "valid_from": "2026-05-01"}
    refused = await client.post("/v1/price-books", json=body)
    assert (refused.status_code, refused.json()["field"]) == (409, "priority")
    made = await ok(client, "POST", "/v1/price-books", {**body, "priority": 1}, status=201)
    del body["code"]
    assert (await client.put("/v1/price-books/B", json={**body, "version": made["version"]})).status_code == 409
    other = await client.put("/v1/price-books/B", json={**body, "version": made["version"], "currency": "USD", "priority": 1})
    assert (other.status_code, other.json()["field"]) == (400, "currency")
    await ok(client, "PUT", "/v1/price-books/B", {**body, "version": made["version"], "active": False})
    assert (await ok(client, "GET", "/v1/price-books/B/changes"))["items"][-1]["changes"]["active"] == [True, False]
    assert [each["code"] for each in (await ok(client, "GET", "/v1/price-books?currency=EUR"))["items"]] == ["A", "B"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"tiers": [{"unit_price": "1.001"}]}, "tiers.0.unit_price"),
        ({"tiers": [{"up_to": "5", "unit_price": "1"}]}, "tiers"),
        (
            {
                "model": "volume",
                "tiers": [{"up_to": "5", "unit_price": "1"}, {"up_to": "5", "unit_price": "1"}, {"unit_price": "1"}],
            },
            "tiers",
        ),
        ({"tiers": [{"up_to": "5", "unit_price": "1"}, {"unit_price": "1"}]}, "model"),
        ({"minimum_quantity": "5", "maximum_quantity": "4"}, "minimum_quantity"),
        ({"valid_until": "2025-12-31"}, "valid_until"),
    ],
)
async def test_a_price_that_makes_no_sense_is_refused(client: httpx.AsyncClient, changed: dict[str, Any], field: str) -> None:
    await book(client)
    await product(client, "PUMP")
    body = {"sku": "PUMP", "valid_from": "2026-01-01", "tiers": [{"unit_price": "1.00"}], **changed}
    reply = await client.post("/v1/price-books/LIST/prices", json=body)
    assert (reply.status_code, reply.json()["field"]) == (400, field), reply.text


@pytest.mark.parametrize(("currency", "good", "bad"), [("JPY", "1500", "1500.5"), ("KWD", "1.234", "1.2345")])
async def test_prices_have_the_places_of_their_currency(client: httpx.AsyncClient, currency: str, good: str, bad: str) -> None:
    await book(client, currency=currency)
    await product(client, "PUMP")
    path, body = "/v1/price-books/LIST/prices", {"sku": "PUMP", "valid_from": "2026-01-01"}
    assert (await client.post(path, json={**body, "tiers": [{"unit_price": bad}]})).status_code == 400
    await price(client, "PUMP", good)
    [item] = (await ask(client, "PUMP", "3", currency=currency))["items"]
    assert item["net"]["amount"] == {"JPY": "4500", "KWD": "3.702"}[currency]


async def test_a_bundle_costs_its_sum_less_a_discount_or_a_price_of_its_own(client: httpx.AsyncClient) -> None:
    await shop(client)
    await bundle(client, "START", {"PUMP": "3", "DAY": "1", "SEAT": "5"}, bundle_discount="10")
    once, monthly = (await ask(client, "START", "2"))["items"]
    assert (once["kind"], once["list_net"]["amount"], once["net"]["amount"]) == ("one_off", "2792.00", "2512.80")
    assert (monthly["period"], monthly["list_net"]["amount"], monthly["net"]["amount"]) == ("month", "499.00", "449.10")
    await bundle(client, "FIX", {"PUMP": "3", "DAY": "1"}, pricing="fixed")
    assert (await client.post("/v1/prices", json={"currency": "EUR", "items": [{"sku": "FIX"}]})).status_code == 409
    await price(client, "FIX", "1000.00")
    [fixed] = (await ask(client, "FIX", "1"))["items"]
    assert [(part["sku"], part["list_net"]["amount"], part["net"]["amount"]) for part in fixed["components"]] == [
        *(("PUMP", "300.00", "214.90"), ("DAY", "1096.00", "785.10"))
    ]
    mixed = {"sku": "M", "name": "M", "kind": "bundle", "pricing": "fixed", "components": [{"sku": "PUMP"}, {"sku": "SEAT"}]}
    assert (await client.post("/v1/products", json=mixed)).json()["field"] == "pricing"
    nested = {**mixed, "pricing": "sum", "components": [{"sku": "FIX"}]}
    assert (await client.post("/v1/products", json=nested)).json()["field"] == "components"
    summed = await client.post(
        "/v1/price-books/LIST/prices", json={"sku": "START", "valid_from": "2026-01-01", "tiers": [{"unit_price": "1"}]}
    )
    assert (summed.status_code, summed.json()["field"]) == (400, "sku")


async def test_a_withdrawn_product_is_not_for_sale(client: httpx.AsyncClient) -> None:
    await shop(client)
    await bundle(client, "START", {"PUMP": "3", "DAY": "1"})
    await ok(client, "PUT", "/v1/products/DAY", {"name": "Day", "kind": "one_off", "unit": "day", "version": 1, "active": False})
    for sku in ("DAY", "START"):
        reply = await client.post("/v1/prices", json={"currency": "EUR", "items": [{"sku": sku}]})
        assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:not-for-sale")


async def test_reading_the_catalogue_does_not_allow_changing_it(client: httpx.AsyncClient, keys: KeyPair) -> None:
    reader = {"Authorization": f"Bearer {keys.token('catalogue:read')}"}
    assert (await client.get("/v1/products", headers=reader)).status_code == 200
    assert (await client.post("/v1/products", json={}, headers=reader)).status_code == 403
    assert (await client.get("/v1/products/NONE")).status_code == 404
    assert (await client.get("/v1/price-books/NONE/prices")).status_code == 404
