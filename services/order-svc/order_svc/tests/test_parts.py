"""What is handed over part by part: counted from quantities, off the shelf with each part, once, in whatever order it is told."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import httpx
import pytest
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Line

from order_svc.consumers import consumers
from order_svc.tests.builders import NOW, completed, counted, handed_over, progressed
from order_svc.tests.rig import Emissions, check_out, order_id, read, told
from order_svc.tests.test_stock import reserved, shelf


def pump_of(order: dict[str, Any]) -> Line:
    return Line.model_validate_json(Line.model_validate(order["lines"][0]).model_dump_json())


async def test_each_part_leaves_the_shelf_and_counts_for_the_order_once(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client)
    pump = pump_of(order)
    first = handed_over(order_id(order), (pump, "2"))
    for _ in range(3):
        await deliver(consumers, first)
    now = await read(client, order)
    assert (now["state"], now["percent_delivered"]) == ("in_progress", "66.66")
    assert await reserved(client, order) == [("MUC", "2", "consumed"), ("MUC", "1", "reserved")]
    assert await shelf(client) == {"MUC": ("7", "1", "6")}
    await deliver(consumers, progressed(order_id(order), "90"))
    assert (await read(client, order))["percent_delivered"] == "66.66"
    await deliver(consumers, handed_over(order_id(order), (pump, "1"), number=2, last=True))
    await deliver(consumers, completed(order_id(order), handovers=2, parts_told=True))
    assert (await read(client, order))["percent_delivered"] == "100"
    assert await reserved(client, order) == [("MUC", "3", "consumed")]
    assert await shelf(client) == {"MUC": ("6", "0", "6")}
    assert told(await emitted(), order) == ["order.received", "order.confirmed", "order.fulfilled"]


async def test_a_count_between_two_parts_knows_the_first_and_not_the_second(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client)
    pump = pump_of(order)
    # The count is told before the part that it knows already.
    await deliver(consumers, counted("7", as_of=NOW + timedelta(hours=1)))
    await deliver(consumers, handed_over(order_id(order), (pump, "2")))
    assert await shelf(client) == {"MUC": ("7", "1", "6")}
    await deliver(consumers, handed_over(order_id(order), (pump, "1"), number=2, handed_over_at=NOW + timedelta(hours=2)))
    assert await shelf(client) == {"MUC": ("6", "0", "6")}
    # A count from before the second part, told after it.
    await deliver(consumers, counted("8", as_of=NOW + timedelta(hours=1, minutes=30)))
    assert await shelf(client) == {"MUC": ("7", "0", "7")}


@pytest.mark.parametrize("sequence", list(permutations(range(3))))
async def test_what_was_not_delivered_is_free_once_every_part_is_known(
    sequence: tuple[int, ...], deliver: Deliver, client: httpx.AsyncClient
) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client)
    pump = pump_of(order)
    # Two of three: the line was closed short within its allowance.
    facts = [
        handed_over(order_id(order), (pump, "1")),
        handed_over(order_id(order), (pump, "1"), number=2),
        completed(order_id(order), handovers=2, parts_told=True),
    ]
    for index in sequence:
        await deliver(consumers, facts[index])
    now = await read(client, order)
    assert now["state"] == "fulfilled"
    assert await shelf(client) == {"MUC": ("7", "0", "7")}


async def test_a_part_is_the_answer_to_a_cancellation_request(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await check_out(client)
    assert (await client.post(f"/v1/orders/{order['id']}/cancel", json={"reason": "too late"})).status_code == 202
    await deliver(consumers, handed_over(order_id(order), (pump_of(order), "1")))
    now = await read(client, order)
    assert (now["state"], now["cancellation"]["state"]) == ("in_progress", "refused")


async def test_a_completion_that_knows_no_parts_takes_all_that_was_reserved(deliver: Deliver, client: httpx.AsyncClient) -> None:
    await deliver(consumers, counted("9"))
    order = await check_out(client)
    await deliver(consumers, completed(order_id(order)), occurred_at=NOW + timedelta(hours=1))
    assert await shelf(client) == {"MUC": ("6", "0", "6")}
