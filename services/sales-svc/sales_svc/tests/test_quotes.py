"""Quotes from the catalogue and in free text, in versions, over HTTP."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from sales_svc.tests.builders import quote_body
from sales_svc.tests.deals import Json, ok, opened
from sales_svc.tests.shop import bundle, price, shop
from sales_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]


async def drafted(client: httpx.AsyncClient, *lines: Json, deal: Json | None = None, **changed: Any) -> Json:
    deal = deal or await opened(client)
    body = quote_body(lines=list(lines), customer={"name": "Rossi", "country": "DE"}, **changed)
    made: Json = await ok(client, "POST", f"/v1/opportunities/{deal['id']}/quotes", body, status=201)
    return made


def nets(lines: list[Json]) -> list[str]:
    return [line["net"]["amount"] for line in lines]


async def test_the_golden_line_is_rounded_before_anything_is_summed_and_again_in_the_document(client: httpx.AsyncClient) -> None:
    deal = await opened(client)
    quote = await ok(client, "POST", f"/v1/opportunities/{deal['id']}/quotes", quote_body(), status=201)
    assert (quote["net"]["amount"], quote["tax"]["amount"], quote["gross"]["amount"]) == ("5350.66", "1177.15", "6527.81")
    assert (quote["list_net"]["amount"], quote["discount_of_list"]) == ("5573.60", "4.00")
    assert quote["taxes"][0]["base"]["amount"] == "5350.66"


async def test_the_catalogue_prices_what_has_no_price_and_knows_the_tax(client: httpx.AsyncClient) -> None:
    await shop(client)
    quote = await drafted(
        client,
        {"sku": "PUMP", "quantity": "12", "discount_percent": "10"},
        {"sku": "SEAT", "quantity": "10"},
        {"sku": "CALL", "quantity": "50000"},
        {"sku": "TRAVEL", "description": "Travel", "quantity": "1", "unit_price": "80.00", "tax_rate": "7"},
    )
    pump, seat, call, travel = quote["items"]
    assert [(piece["quantity"], piece["unit_price"]["amount"], piece["net"]["amount"]) for piece in pump["pieces"]] == [
        *(("10", "100.00", "900.00"), ("2", "90.00", "162.00"))
    ]
    assert (pump["list_net"]["amount"], pump["net"]["amount"], pump["source"]["book"]) == ("1180.00", "1062.00", "LIST")
    assert (seat["net"]["amount"], seat["period"], seat["periods"], seat["total"]["amount"]) == ("499.00", "month", 12, "5988.00")
    assert (call["net"]["amount"], call["committed"], call["total"]["amount"]) == ("20.00", False, "0.00")
    assert [(line["sku"], line["quantity"], line["net"]["amount"]) for line in quote["lines"]] == [
        *(("PUMP", "10", "900.00"), ("PUMP", "2", "162.00"), ("SEAT", "12", "5988.00"), ("TRAVEL", "1", "80.00"))
    ]
    assert quote["lines"][2]["description"] == "CRM seat, 10 seat/month"
    assert [(tax["rate"], tax["base"]["amount"], tax["tax"]["amount"]) for tax in quote["taxes"]] == [
        *(("19", "7050.00", "1339.50"), ("7", "80.00", "5.60"))
    ]
    assert (quote["once"]["amount"], quote["recurring"]) == (
        "1142.00",
        [{"period": "month", "net": {"amount": "499.00", "currency": "EUR"}}],
    )
    assert (quote["cost"], quote["margin_percent"]) == (None, None)
    assert travel["list_net"] == travel["net"]


async def test_committed_use_is_a_line_and_use_alone_is_no_offer(client: httpx.AsyncClient) -> None:
    await shop(client)
    quote = await drafted(client, {"sku": "CALL", "quantity": "50000", "committed": True})
    [line] = quote["lines"]
    assert (line["base_quantity"], line["net"]["amount"]) == ("1000", "20.00")
    deal = await opened(client)
    reply = await client.post(
        f"/v1/opportunities/{deal['id']}/quotes",
        json=quote_body(lines=[{"sku": "CALL", "quantity": "1"}], customer={"name": "R", "country": "DE"}),
    )
    assert (reply.status_code, reply.json()["field"]) == (400, "lines")


async def test_a_bundle_is_cut_into_lines_that_add_up_to_it_after_discounts(client: httpx.AsyncClient) -> None:
    await shop(client)
    await bundle(client, "START", {"PUMP": "3", "DAY": "1", "SEAT": "5"}, bundle_discount="10")
    quote = await drafted(client, {"sku": "START", "quantity": "1", "discount_percent": "3.33"}, discount_percent="1")
    once, monthly = quote["items"]
    # 1,256.40 less 3.33 % less 1 %; 224.55 a month likewise.
    assert (once["net"]["amount"], monthly["net"]["amount"]) == ("1202.42", "214.90")
    assert sum(Decimal(net) for net in nets(quote["lines"][:2])) == Decimal("1202.42")
    assert quote["lines"][2]["net"]["amount"] == "2578.80"
    assert {(line["quantity"], line["base_quantity"]) for line in quote["lines"]} == {("3", "3"), ("1", "1"), ("12", "1")}
    assert (once["discount_percent"], once["list_net"]["amount"]) == ("3.33", "1256.40")


async def test_a_discount_in_an_amount_is_shared_out_over_what_is_paid_once(client: httpx.AsyncClient) -> None:
    line = {"sku": "X", "description": "X", "quantity": "1", "tax_rate": "20"}
    prices = ("68.33", "68.33", "57.50", "85.00")
    lines = [{**line, "unit_price": amount} for amount in prices]
    seat = {**line, "kind": "recurring", "period": "year", "unit_price": "100.00"}
    quote = await drafted(client, *lines, seat, discount_amount="100.00")
    assert nets(quote["lines"]) == ["43.86", "43.85", "36.90", "54.55", "100.00"]
    assert (quote["net"]["amount"], quote["list_net"]["amount"], quote["discount_amount"]["amount"]) == (
        "279.16",
        "379.16",
        "100.00",
    )
    deal = await opened(client)
    for changed in (
        {"discount_amount": "279.17"},
        {"discount_amount": "1.00", "discount_percent": "1"},
        {"discount_amount": "1.001"},
    ):
        reply = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(lines=lines, **changed))
        assert (reply.status_code, reply.json()["field"]) == (
            400,
            "discount_amount" if "1.001" not in changed.values() else "amount",
        )


async def test_a_price_of_the_sellers_own_is_measured_by_the_list(client: httpx.AsyncClient) -> None:
    await shop(client)
    quote = await drafted(client, {"sku": "DAY", "quantity": "2", "unit_price": "877.00"})
    [item] = quote["items"]
    assert (item["list_net"]["amount"], item["net"]["amount"], item["source"]) == ("2192.00", "1754.00", None)
    assert (quote["discount_of_list"], quote["margin_percent"], quote["lines"][0]["tax_rate"]) == ("19.98", "31.58", "19")


async def test_reverse_charge_and_unknown_taxes_are_the_sellers_to_say(client: httpx.AsyncClient) -> None:
    await shop(client)
    deal = await opened(client)
    path = f"/v1/opportunities/{deal['id']}/quotes"
    line = {"sku": "DAY", "quantity": "1", "tax_category": "AE"}
    customer = {"name": "R", "country": "DE", "vat_id": "DE1"}
    made = await ok(client, "POST", path, quote_body(lines=[line], customer=customer), status=201)
    assert (made["lines"][0]["tax_category"], made["lines"][0]["tax_rate"], made["tax"]["amount"]) == ("AE", "0", "0.00")
    reply = await client.post(path, json=quote_body(lines=[line]))
    assert (reply.status_code, reply.json()["field"]) == (400, "customer.vat_id")


@pytest.mark.parametrize(
    ("line", "field"),
    [
        ({"sku": "NONE"}, "lines.0.sku"),
        ({"sku": "X", "unit_price": "1"}, "lines.0.description"),
        ({"sku": "X", "unit_price": "1", "description": "X"}, "lines.0.tax_rate"),
        ({"sku": "X", "unit_price": "1", "description": "X", "tax_rate": "1", "kind": "recurring"}, "lines.0.period"),
        ({"sku": "X", "unit_price": "1", "description": "X", "tax_rate": "1", "periods": 3}, "lines.0.periods"),
        ({"sku": "X", "unit_price": "1", "description": "X", "tax_rate": "1", "meter": "m"}, "lines.0.meter"),
        ({"sku": "DAY", "period": "month"}, "lines.0.kind"),
        ({"sku": "SEAT", "quantity": "4"}, "lines.0.quantity"),
        ({"sku": "DAY", "committed": True}, "lines.0.committed"),
        ({"sku": "DAY", "quantity": "99999999999999", "unit_price": "99999999999999.99", "tax_rate": "1"}, "lines.0.amount"),
        ({"sku": "DAY", "quantity": "0"}, None),
        ({"sku": "DAY", "quantity": "-1"}, None),
        ({"sku": "DAY", "quantity": "1e400"}, None),
        ({"sku": "DAY", "discount_percent": "-1"}, None),
        ({"sku": "DAY", "discount_percent": "100.1"}, None),
        ({"sku": "DAY", "unit_price": "-1"}, None),
        ({"sku": "DAY", "quantity": 1.5}, "ok"),
    ],
)
async def test_a_line_that_makes_no_sense_names_its_field(client: httpx.AsyncClient, line: Json, field: str | None) -> None:
    await shop(client)
    deal = await opened(client)
    body = quote_body(lines=[{"quantity": "1", **line}], customer={"name": "R", "country": "DE"})
    reply = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=body)
    if field == "ok":
        assert reply.status_code == 201
    elif field is None:
        assert reply.status_code == 422
    else:
        assert (reply.status_code in (400, 409), reply.json()["field"]) == (True, field), reply.text


@pytest.mark.parametrize(("currency", "price_text", "net"), [("JPY", "333", "480"), ("KWD", "0.333", "0.480")])
async def test_amounts_have_the_places_of_their_currency(
    client: httpx.AsyncClient, currency: str, price_text: str, net: str
) -> None:
    line = {
        "sku": "X",
        "description": "X",
        "quantity": "1.5",
        "unit_price": price_text,
        "tax_rate": "10",
        "discount_percent": "4",
    }
    quote = await drafted(client, line, currency=currency)
    assert quote["net"]["amount"] == net
    bad = {**line, "unit_price": price_text + "5" if currency == "KWD" else "333.5"}
    deal = await opened(client)
    reply = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(lines=[bad], currency=currency))
    assert (reply.status_code, reply.json()["field"]) == (400, "lines.0.amount")


async def test_five_hundred_lines_are_an_offer_and_one_more_is_not(client: httpx.AsyncClient) -> None:
    line = {
        "sku": "X",
        "description": '<b>名前 & "quoted"</b>\nsecond line',
        "quantity": "3",
        "unit_price": "0.01",
        "tax_rate": "19",
    }
    quote = await drafted(client, *[line] * 500)
    assert (len(quote["lines"]), quote["net"]["amount"]) == (500, "15.00")
    assert (await client.post(f"/v1/quotes/{quote['id']}/send")).status_code == 200
    deal = await opened(client)
    body = quote_body(lines=[line] * 501)
    assert (await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=body)).status_code == 422
    await shop(client)
    tiers = [{"sku": "PUMP", "quantity": "60"}] * 200
    reply = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(lines=tiers))
    assert (reply.status_code, reply.json()["field"]) == (400, "lines")


async def test_a_draft_is_changed_under_its_version_and_a_sent_one_is_not(client: httpx.AsyncClient) -> None:
    quote = await drafted(client, quote_body()["lines"][0])
    body = quote_body(lines=[{**quote_body()["lines"][0], "quantity": "8"}], contact="Anna", address=["Via Roma 1", "Torino"])
    path = f"/v1/quotes/{quote['id']}"
    assert (await client.put(path, json=body)).status_code == 400
    changed = await ok(client, "PUT", path, {**body, "version": 1})
    assert (changed["net"]["amount"], changed["contact"], changed["version"], changed["edited_by"]) == (
        "2675.33",
        "Anna",
        2,
        "test",
    )
    stale = await client.put(path, json={**body, "version": 1})
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:ltc:problem:version-conflict")
    await ok(client, "POST", f"{path}/send")
    late = await client.put(path, json={**body, "version": 3})
    assert (late.status_code, late.json()["type"]) == (409, "urn:ltc:problem:wrong-transition")
    assert (await ok(client, "GET", path))["address"] == ["Via Roma 1", "Torino"]


async def test_versions_are_copied_compared_and_the_earlier_superseded(client: httpx.AsyncClient) -> None:
    await shop(client)
    deal = await opened(client)
    first = await drafted(client, {"sku": "PUMP", "quantity": "12"}, {"sku": "DAY", "quantity": "1"}, deal=deal)
    await ok(client, "POST", f"/v1/quotes/{first['id']}/send")
    second = await ok(client, "POST", f"/v1/quotes/{first['id']}/copy", {"valid_until": "2026-03-31"}, status=201)
    assert (second["state"], second["quote_version"], second["copied_from"], second["net"]) == (
        "draft",
        2,
        first["id"],
        first["net"],
    )
    ids = {line["line_id"] for quote in (first, second) for line in quote["lines"]}
    assert len(ids) == len(first["lines"]) + len(second["lines"])
    body = quote_body(
        lines=[{"sku": "PUMP", "quantity": "20", "discount_percent": "5"}, {"sku": "SEAT", "quantity": "5"}],
        customer={"name": "Rossi", "country": "DE"},
        valid_until="2026-03-31",
    )
    await ok(client, "PUT", f"/v1/quotes/{second['id']}", {**body, "version": 1})
    found = await ok(client, "GET", f"/v1/quotes/{first['id']}/difference?to={second['id']}")
    assert ([item["sku"] for item in found["added"]], [item["sku"] for item in found["removed"]]) == (["SEAT"], ["DAY"])
    [pump] = found["changed"]
    assert (pump["sku"], pump["changes"]["quantity"], pump["changes"]["discount_percent"]) == ("PUMP", ["12", "20"], ["0", "5"])
    assert found["head"]["valid_until"] == ["2026-01-31", "2026-03-31"]
    assert found["head"]["net"][0]["amount"] == "2276.00"
    same = await ok(client, "GET", f"/v1/quotes/{first['id']}/difference?to={first['id']}")
    assert same == {"head": {}, "added": [], "removed": [], "changed": []}
    await ok(client, "POST", f"/v1/quotes/{second['id']}/send", {"supersede": True})
    assert (await ok(client, "GET", f"/v1/quotes/{first['id']}"))["state"] == "superseded"
    assert [each["id"] for each in (await ok(client, "GET", "/v1/quotes?state=sent"))["items"]] == [second["id"]]
    other = await drafted(client, {"sku": "DAY", "quantity": "1"})
    assert (await client.get(f"/v1/quotes/{first['id']}/difference?to={other['id']}")).status_code == 400


async def test_prices_that_change_later_leave_a_quote_as_it_was(client: httpx.AsyncClient) -> None:
    await shop(client)
    quote = await drafted(client, {"sku": "DAY", "quantity": "1"})
    await price(client, "DAY", "2000.00", valid_from="2026-01-02", close_previous=True)
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/send")
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["net"]["amount"] == "1096.00"


async def test_sent_and_declined_quotes_say_so_with_reason_and_fields(client: httpx.AsyncClient, emitted: Emissions) -> None:
    for body in (
        {"entity": "quote", "key": "region_code", "label": "Region", "type": "text"},
        {"entity": "quote", "key": "buyer", "label": "Buyer", "type": "text", "personal": True},
    ):
        await ok(client, "POST", "/v1/custom-fields", body, status=201)
    quote = await drafted(client, quote_body()["lines"][0], custom={"region_code": "N1", "buyer": "Anna"})
    assert quote["custom"] == {"region_code": "N1", "buyer": "Anna"}
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/send")
    done = await ok(client, "POST", f"/v1/quotes/{quote['id']}/reject", {"reason": "too dear"})
    assert (done["state"], done["closed_reason"]) == ("rejected", "too dear")
    events = {event.topic: event.event for event in await emitted()}
    assert (events["quote.sent"].custom, str(events["quote.sent"].discount_percent)) == ({"region_code": "N1"}, "4.00")
    assert (events["quote.rejected"].by, events["quote.rejected"].reason) == ("customer", "too dear")
    deal = await opened(client)
    reply = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(custom={"nothing": 1}))
    assert (reply.status_code, reply.json()["field"]) == (400, "custom.nothing")


async def test_an_offer_expires_once_and_tells_it(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Callable[[Timer], Awaitable[int]], emitted: Emissions
) -> None:
    timer = next(each for each in TIMERS if each.name == "expire-quotes")
    quote = await drafted(client, quote_body()["lines"][0])
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/send")
    clock.advance(days=31)
    assert sum(await asyncio.gather(run_timer(timer), run_timer(timer))) == 1
    assert [event.topic for event in await emitted()].count("quote.expired") == 1
    assert (await client.post(f"/v1/quotes/{quote['id']}/reject")).status_code == 409
