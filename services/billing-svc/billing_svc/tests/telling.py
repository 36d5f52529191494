"""Tell billing-svc what happened to an order, and read what it told of it."""

from collections.abc import Awaitable, Callable, Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_contracts.events import Event

from billing_svc.consumers import consumers

Emissions = Callable[[], Awaitable[list[Emitted]]]
Json = dict[str, Any]


async def tell(deliver: Deliver, events: Iterable[Event], flow: UUID | None = None) -> None:
    """Each as its own record on one flow; none may be parked."""
    flow = flow or new_id()
    for event in events:
        assert await deliver(consumers, event, flow_id=flow) == "processed", event.TOPIC


async def told(emitted: Emissions, topic: str, order_id: UUID) -> list[Any]:
    return [each.event for each in await emitted() if each.topic == topic and each.event.order_id == order_id]


async def claimed(emitted: Emissions, order_id: UUID) -> Decimal:
    """Net, of all documents of an order."""
    issued = await told(emitted, "invoice.issued", order_id)
    credited = await told(emitted, "invoice.credited", order_id)
    return sum((each.net.amount for each in issued), Decimal(0)) - sum((each.net.amount for each in credited), Decimal(0))


async def balances(client: httpx.AsyncClient) -> dict[str, str]:
    trial = (await client.get("/v1/ledger/trial-balance")).json()
    assert all(total["balance"] == "0.00" for total in trial["totals"])
    return {row["account"]: row["balance"] for row in trial["accounts"]}
