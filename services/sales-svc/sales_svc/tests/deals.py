"""Deals over HTTP: each step as a company takes it."""

from typing import Any
from uuid import UUID

import httpx

from sales_svc.tests.builders import quote_body

Json = dict[str, Any]


async def ok(client: httpx.AsyncClient, method: str, path: str, body: Any = None, *, status: int | None = None) -> Any:
    """The answer's body, or a failed test that shows the refusal."""
    reply = await client.request(method, path, json=body)
    assert reply.status_code == status if status else reply.is_success, f"{path}: {reply.status_code} {reply.text}"
    return reply.json()


async def opened(client: httpx.AsyncClient, **changed: Any) -> Json:
    body = {"name": "Rossi", "company": "Rossi", "country": "IT", "owner": "Ada", **changed}
    made: Json = await ok(client, "POST", "/v1/opportunities", body)
    return made


async def accepted(client: httpx.AsyncClient, deal: Json, **changed: Any) -> Json:
    quote: Json = await ok(client, "POST", f"/v1/opportunities/{deal['id']}/quotes", quote_body(**changed))
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/send")
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/accept")
    return quote


async def drafted(client: httpx.AsyncClient, deal: Json | None = None, body: Any = None, **changed: Any) -> Json:
    deal = deal or await opened(client)
    quote = await accepted(client, deal, **changed)
    made: Json = await ok(client, "POST", f"/v1/quotes/{quote['id']}/contract", body)
    return made


async def signed(client: httpx.AsyncClient, deal: Json | None = None, **changed: Any) -> Json:
    """A signed contract. Without changes its net is 5,350.66 EUR, with tax 6,527.81."""
    contract = await drafted(client, deal, **changed)
    made: Json = await ok(client, "POST", f"/v1/contracts/{contract['id']}/sign", {"signed_by": "Anna Rossi"})
    return made


def line(net: str, sku: str = "SUPPORT", tax_rate: str = "22") -> Json:
    """A line of one piece at this price."""
    return {"sku": sku, "description": sku.title(), "quantity": "1", "unit_price": net, "tax_rate": tax_rate}


def flow_of(contract: Json) -> UUID:
    return UUID(contract["flow_id"])
