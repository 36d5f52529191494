"""Order-svc and delivery-svc are killed at random moments while a shop sells: every order ends legally, nothing doubles.

`make chaos` does so for three minutes; among the other end-to-end tests it is a short form.
"""

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from decimal import Decimal

import pytest
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.shop import Bought, Shop, Way
from ltc_cli.company.suite import SERVICES, Json, Refused, Suite
from ltc_cli.stack import Stack

SECONDS = float(os.environ.get("LTC_CHAOS_S", "20"))
PER_SECOND = float(os.environ.get("LTC_CHAOS_RATE", "4"))
SEED = int(os.environ.get("LTC_CHAOS_SEED", "4711"))
VICTIMS = ("order", "delivery")
WAYS: tuple[Way, ...] = (
    *("by_invoice", "in_parcels", "prepaid", "sent_back", "cancelled", "prepaid_cancelled", "raced"),
    # The race most of all.
    *("raced", "raced"),
)
ONCE = ("order.received", "order.confirmed")

pytestmark = [pytest.mark.fault, pytest.mark.timeout(SECONDS * 4 + 300)]


async def test_killing_order_and_delivery_at_random_moments_leaves_every_order_legal(
    stack: Stack, suite: Suite, feed: EventFeed
) -> None:
    dice = random.Random(SEED)
    shop = Shop(suite, feed, random.Random(SEED))
    # At a day per second an outage of seconds is one of weeks, for which prepaid orders would be cancelled as nobody pays.
    patient = {"step": "collect", "invoicing": "on_confirmation", "timeout_hours": None, "action": "tell", "reason": "outages"}
    await suite.post("order", "/v1/process-policies", patient)
    until = time.monotonic() + SECONDS
    kills: Counter[str] = Counter()

    async def strike() -> None:
        while time.monotonic() < until:
            await asyncio.sleep(dice.uniform(0.5, 5))
            victim = dice.choice(VICTIMS)
            await asyncio.to_thread(stack.kill_service, victim)
            kills[victim] += 1
            await asyncio.sleep(dice.uniform(0, 1.5))
            await asyncio.to_thread(stack.start_service, victim)

    async def sell() -> list[Bought]:
        selling: list[asyncio.Task[Bought]] = []
        ways = random.Random(SEED)
        while time.monotonic() < until:
            selling.append(asyncio.create_task(shop.play(ways.choice(WAYS))))
            await asyncio.sleep(1 / PER_SECOND)
        return list(await asyncio.gather(*selling))

    bought, _ = await asyncio.gather(sell(), strike())
    assert kills.total() >= SECONDS / 20
    await _counted(suite, bought)
    for each in bought:
        await _is_legal(suite, feed, each)
    conservation = await suite.get("metrics", "/v1/conservation")
    assert {row["residual"] for row in conservation["currencies"]} == {"0.00"}, conservation
    trial = await suite.get("billing", "/v1/ledger/trial-balance")
    assert {row["balance"] for row in trial["totals"]} == {"0.00"}, trial
    for service in SERVICES:
        for state in ("dead", "waiting"):
            parked = await suite.get(service, "/v1/parked", state=state)
            assert parked["items"] == [], (service, state)
    ways = Counter(each.way for each in bought)
    print(f"\n{len(bought)} orders, {kills.total()} kills ({dict(kills)}), {feed.repeated} events came again; ways: {dict(ways)}")


async def _counted(suite: Suite, bought: list[Bought]) -> None:
    """Metrics have caught up when every flow shows its end."""
    deadline = time.monotonic() + 120
    for each in bought:
        while True:
            flow: Json = {"residual": None, "stages": []}
            with contextlib.suppress(Refused):  # metrics-svc may know nothing of it yet
                flow = await suite.flow(each.flow_id)
            if flow["residual"] == "0.00" and {"paid", "cancelled"} & {reached["stage"] for reached in flow["stages"]}:
                break
            assert time.monotonic() < deadline, (each, flow["residual"], flow["stages"])
            await asyncio.sleep(0.2)


async def _is_legal(suite: Suite, feed: EventFeed, bought: Bought) -> None:
    """One end, reached once; what was handed over is what was ordered, what is claimed is what the customer keeps."""
    order = await suite.get("order", f"/v1/orders/{bought.order['id']}")
    counts = feed.flow(bought.flow_id)
    assert order["state"] in ("closed", "cancelled"), (bought, order["state"])
    assert {topic: counts.get(topic) for topic in ONCE} == dict.fromkeys(ONCE, 1), (bought, counts)
    ends = {topic: counts.get(topic, 0) for topic in ("order.closed", "order.cancelled")}
    assert sorted(ends.values()) == [0, 1], (bought, ends)
    assert counts.get("delivery.completed", 0) + counts.get("delivery.cancelled", 0) == 1, (bought, counts)
    ordered = Decimal(order["net"]["amount"]) if order["state"] == "closed" else Decimal(0)
    handed_over, returned = _sum(feed, bought, "delivery.handed_over", "net"), _sum(feed, bought, "delivery.returned", "net")
    claimed = _sum(feed, bought, "invoice.issued", "net") - _sum(feed, bought, "invoice.credited", "net")
    assert handed_over == ordered, (bought, handed_over, ordered)
    assert claimed == handed_over - returned, (bought, claimed, handed_over, returned)
    numbers = [seen.data["number"] for seen in feed.seen(bought.flow_id, "delivery.handed_over")]
    assert sorted(numbers) == list(range(1, len(numbers) + 1)), (bought, numbers)


def _sum(feed: EventFeed, bought: Bought, topic: str, name: str) -> Decimal:
    return sum((Decimal(seen.data[name]["amount"]) for seen in feed.seen(bought.flow_id, topic)), Decimal(0))
