"""Somebody who works on a subscription over HTTP, and what they send."""

from datetime import UTC, datetime
from typing import Any

import httpx
from ltc_chassis.testing import Emitted

FIRST = datetime(2026, 1, 31, 10, tzinfo=UTC)


def money(amount: str, currency: str = "EUR") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def a_line(price: str = "31.00", **more: Any) -> dict[str, Any]:
    return {"sku": "CARE", "description": "Pump care", "quantity": "1", "unit_price": money(price), "tax_rate": "22"} | more


def a_subscription(external_ref: str = "A-1", **more: Any) -> dict[str, Any]:
    given = {
        "source": "shop",
        "external_ref": external_ref,
        "customer": {"name": "Nordwind GmbH", "country": "DE", "email": "ap@n.example"},
        "lines": [a_line()],
        "interval": {"unit": "month"},
    }
    return given | more


class Desk:
    """Somebody who works on one subscription."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client, self.id = client, ""

    async def start(self, **more: Any) -> dict[str, Any]:
        reply = await self.client.post("/v1/subscriptions", json=a_subscription(**more))
        assert reply.status_code == 201, reply.text
        found: dict[str, Any] = reply.json()
        self.id = found["id"]
        return found

    async def do(self, verb: str, *, expect: int = 200, **body: Any) -> dict[str, Any]:
        reply = await self.client.post(f"/v1/subscriptions/{self.id}/{verb}", json=body)
        assert reply.status_code == expect, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def read(self, what: str = "", **query: Any) -> dict[str, Any]:
        reply = await self.client.get(f"/v1/subscriptions/{self.id}{what}", params=query)
        assert reply.status_code == 200, reply.text
        found: dict[str, Any] = reply.json()
        return found

    async def ordered(self) -> list[tuple[str, str, str]]:
        return [(each["kind"], each["period_from"], each["net"]["amount"]) for each in (await self.read("/orders"))["items"]]


def told(emitted: list[Emitted]) -> list[str]:
    return [item.topic.removeprefix("subscription.") for item in emitted if item.topic.startswith("subscription.")]
