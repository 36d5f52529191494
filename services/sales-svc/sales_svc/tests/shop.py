"""A catalogue over HTTP: what the tests sell."""

from typing import Any

import httpx

from sales_svc.tests.deals import Json, ok

TAXES = {"DE": {"category": "S", "rate": "19"}, "*": {"category": "S", "rate": "22"}}


async def product(client: httpx.AsyncClient, sku: str, **changed: Any) -> Json:
    body = {"sku": sku, "name": sku.title(), "kind": "one_off", "taxes": TAXES, **changed}
    made: Json = await ok(client, "POST", "/v1/products", body, status=201)
    return made


async def bundle(client: httpx.AsyncClient, sku: str, components: dict[str, str], **changed: Any) -> Json:
    parts = [{"sku": part, "quantity": quantity} for part, quantity in components.items()]
    return await product(client, sku, kind="bundle", taxes={}, components=parts, **{"pricing": "sum", **changed})


async def book(client: httpx.AsyncClient, code: str = "LIST", **changed: Any) -> Json:
    body = {"code": code, "name": code.title(), "currency": "EUR", "valid_from": "2026-01-01", **changed}
    made: Json = await ok(client, "POST", "/v1/price-books", body, status=201)
    return made


async def price(
    client: httpx.AsyncClient, sku: str, unit_price: str | None = None, *, code: str = "LIST", **changed: Any
) -> Json:
    tiers = {} if unit_price is None else {"tiers": [{"unit_price": unit_price}]}
    body = {"sku": sku, "valid_from": "2026-01-01", **tiers, **changed}
    made: Json = await ok(client, "POST", f"/v1/price-books/{code}/prices", body, status=201)
    return made


async def ask(client: httpx.AsyncClient, sku: str, quantity: str = "1", **changed: Any) -> Json:
    body = {"currency": "EUR", "country": "DE", "items": [{"sku": sku, "quantity": quantity}], **changed}
    answer: Json = await ok(client, "POST", "/v1/prices", body, status=200)
    return answer


async def shop(client: httpx.AsyncClient) -> None:
    """A pump in tiers, a licence per seat and month, a call by use, and a day of work, in euro."""
    await book(client)
    await product(client, "PUMP")
    await product(client, "SEAT", name="CRM seat", unit="seat", kind="recurring", period="month")
    await product(client, "CALL", name="API call", unit="call", kind="usage", meter="api_calls")
    await product(client, "DAY", name="Day on site", unit="day")
    tiers = [{"up_to": "10", "unit_price": "100.00"}, {"up_to": "50", "unit_price": "90.00"}, {"unit_price": "80.00"}]
    await price(client, "PUMP", model="graduated", tiers=tiers, unit_cost="60.00")
    await price(client, "SEAT", "49.90", minimum_quantity="5", maximum_quantity="1000", unit_cost="10.00")
    await price(client, "CALL", "0.40", base_quantity="1000")
    await price(client, "DAY", "1096.00", unit_cost="600.00")
