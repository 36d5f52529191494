"""What the tests on the database share: the types of the fixtures, and a delivery that came in the way deliveries do."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_contracts.events import OrderConfirmed

from delivery_svc.consumers import consumers
from delivery_svc.tests.builders import a_confirmed_order

Emissions = Callable[[], Awaitable[list[Emitted]]]
Parked = Callable[[], Awaitable[list[asyncpg.Record]]]
Json = dict[str, Any]


async def plan(deliver: Deliver, client: httpx.AsyncClient, order: OrderConfirmed | None = None) -> Json:
    """Deliver a confirmed order; the delivery it became."""
    flow_id = new_id()
    assert await deliver(consumers, order or a_confirmed_order(), flow_id=flow_id) == "processed"
    [delivery] = (await client.get("/v1/deliveries", params={"flow_id": str(flow_id)})).json()["items"]
    assert isinstance(delivery, dict)
    return delivery


async def read(client: httpx.AsyncClient, delivery: Json) -> Json:
    """The delivery as it is now."""
    reply = await client.get(f"/v1/deliveries/{delivery['id']}")
    assert reply.status_code == 200
    found = reply.json()
    assert isinstance(found, dict)
    return found


async def post(client: httpx.AsyncClient, delivery: Json, verb: str, body: Json | None = None, **more: Any) -> httpx.Response:
    """`progress`, `complete` or `promise`."""
    return await client.post(f"/v1/deliveries/{delivery['id']}/{verb}", json=body, **more)


def told(emitted: list[Emitted], delivery: Json) -> list[str]:
    """The topics of what was said about a delivery, in order."""
    return [item.topic for item in emitted if str(item.event.delivery_id) == delivery["id"]]


def order_of(delivery: Json) -> UUID:
    return UUID(delivery["order_id"])
