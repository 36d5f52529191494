"""What the tests on the database share: the types of the fixtures, and an order that came in the way orders do."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import asyncpg
import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_chassis.timers import Errand, Timer
from ltc_contracts.events import ContractSigned

from order_svc.consumers import consumers
from order_svc.tests.builders import a_cart, a_contract
from order_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
RunTimer = Callable[[Timer | Errand], Awaitable[int]]
LOOK_AGAIN, TELL_LATE, GO_ON, LAPSE, *_ = TIMERS
Parked = Callable[[], Awaitable[list[asyncpg.Record]]]


async def receive(deliver: Deliver, client: httpx.AsyncClient, contract: ContractSigned | None = None) -> dict[str, Any]:
    """Deliver a signed contract; the order it became."""
    flow_id = new_id()
    assert await deliver(consumers, contract or a_contract(), flow_id=flow_id) == "processed"
    [order] = (await client.get("/v1/orders", params={"flow_id": str(flow_id)})).json()["items"]
    assert isinstance(order, dict)
    return order


async def read(client: httpx.AsyncClient, order: dict[str, Any]) -> dict[str, Any]:
    """The order as it is now."""
    reply = await client.get(f"/v1/orders/{order['id']}")
    assert reply.status_code == 200
    found = reply.json()
    assert isinstance(found, dict)
    return found


async def states(client: httpx.AsyncClient, order: dict[str, Any]) -> list[str]:
    """Every state the order was in."""
    reply = await client.get(f"/v1/orders/{order['id']}/history")
    return [change["to_state"] for change in reply.json()["items"]]


def told(emitted: list[Emitted], order: dict[str, Any]) -> list[str]:
    """The topics of what was said about an order, in order."""
    return [item.topic for item in emitted if str(item.event.order_id) == order["id"]]


def order_id(order: dict[str, Any]) -> UUID:
    return UUID(order["id"])


async def check_out(client: httpx.AsyncClient, external_ref: str = "W-1", **more: Any) -> dict[str, Any]:
    """Place a cart; the order it became, whatever its state."""
    reply = await client.post("/v1/checkout", json=a_cart(external_ref, **more))
    assert reply.status_code == 201, reply.text
    order = reply.json()
    assert isinstance(order, dict)
    return order


async def process_of(client: httpx.AsyncClient, order: dict[str, Any]) -> dict[str, Any]:
    """Where its process stands."""
    reply = await client.get(f"/v1/orders/{order['id']}/process")
    assert reply.status_code == 200
    found = reply.json()
    assert isinstance(found, dict)
    return found
