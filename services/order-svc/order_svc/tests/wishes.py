"""What the tests of changes share: a wish that is assessed and confirmed, and the order as its lines say."""

from typing import Any
from uuid import UUID

import httpx
from ltc_contracts.events import Line

from order_svc.tests.builders import a_cart_line

HOSE = a_cart_line(
    sku="HOSE", description="Hose", quantity="2", unit_price={"amount": "50.00", "currency": "EUR"}, discount_percent="0",
    net={"amount": "100.00", "currency": "EUR"},
)  # fmt: skip
TWO_LINES: dict[str, Any] = {"lines": [a_cart_line(), HOSE], "net": {"amount": "1103.25", "currency": "EUR"}}


def cancel(*lines: Line, reason: str = "no money") -> dict[str, Any]:
    return {"wish": "cancel", "line_ids": [str(line.line_id) for line in lines], "reason": reason}


def change(*sizes: tuple[Line, str], reason: str = "as agreed by phone", **more: Any) -> dict[str, Any]:
    quantities = [{"line_id": str(line.line_id), "quantity": quantity} for line, quantity in sizes]
    return {"wish": "change", "quantities": quantities, "reason": reason} | more


def lines_of(order: dict[str, Any]) -> tuple[Line, ...]:
    return tuple(Line.model_validate(line) for line in order["lines"])


def sizes(order: dict[str, Any]) -> list[tuple[str, str]]:
    """SKU and quantity of each line."""
    return [(line["sku"], line["quantity"]) for line in order["lines"]]


async def assess(client: httpx.AsyncClient, order: dict[str, Any], wish: dict[str, Any]) -> dict[str, Any]:
    reply = await client.post(f"/v1/orders/{order['id']}/assessments", json=wish)
    assert reply.status_code == 201, reply.text
    found = reply.json()
    assert isinstance(found, dict)
    return found


async def confirm(client: httpx.AsyncClient, assessed: dict[str, Any]) -> httpx.Response:
    return await client.post(f"/v1/orders/{assessed['order_id']}/assessments/{assessed['id']}/confirm")


async def wished(client: httpx.AsyncClient, order: dict[str, Any], wish: dict[str, Any]) -> UUID:
    """Assess and confirm; the id of the change."""
    assessed = await assess(client, order, wish)
    reply = await confirm(client, assessed)
    assert reply.status_code == 202, reply.text
    return UUID(assessed["id"])


async def outcome(client: httpx.AsyncClient, order: dict[str, Any], change_id: UUID) -> dict[str, Any]:
    """The assessment as it is now."""
    reply = await client.get(f"/v1/orders/{order['id']}/assessments/{change_id}")
    assert reply.status_code == 200, reply.text
    found = reply.json()
    assert isinstance(found, dict)
    return found
