"""Order-svc and delivery-svc are killed at random moments while a shop sells: every order ends legally, nothing doubles.

`make chaos` does so for three minutes; among the other end-to-end tests it is a short form.
"""

import asyncio
import contextlib
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import get_args
from uuid import UUID

import pytest
from ltc_cli.company.after_sales import CHANGES, RETURNS, AfterSales
from ltc_cli.company.erp import Erp
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.shop import Bought, Way
from ltc_cli.company.subscribers import PLANS, Plan, Subscribed, Subscribers
from ltc_cli.company.suite import SERVICES, Json, Refused
from ltc_cli.stack import Stack
from ltc_contracts.events import ErpStockChanged

from .money_audit import audit_money
from .order_audit import Findings, audit_orders, audit_requests, audit_stock
from .order_log import Books, NotingSuite, at_rest, open_books, read_log
from .subscription_audit import audit_subscriptions

SECONDS = float(os.environ.get("LTC_CHAOS_S", "20"))
PER_SECOND = float(os.environ.get("LTC_CHAOS_RATE", "4"))
SEED = int(os.environ.get("LTC_CHAOS_SEED", "4711"))
COUNTED = {"LAMP": Decimal(1_000_000), "NOVEL": Decimal(1_000_000)}
VICTIMS = ("order", "delivery")
# On a machine so busy that services start slowly it goes on until so many were struck.
ENOUGH = SECONDS / 20
# Work piles up while they are down; what counts is how it ends.
PATIENCE_S = 150 + 2 * SECONDS
# Every way in turn, in an order drawn anew for each turn; those in which two things happen at once more often.
WAYS: tuple[str, ...] = (
    *get_args(Way),
    *CHANGES,
    *RETURNS,
    *PLANS,
    *("raced", "changed_while_sent", "prepaid_changed_while_sent"),
)

pytestmark = [pytest.mark.fault, pytest.mark.timeout(SECONDS * 6 + 600)]


@pytest.fixture
async def noting(stack: Stack) -> AsyncIterator[NotingSuite]:
    """Calls the services, and remembers what they accepted."""
    async with NotingSuite({name: stack.url(name) for name in SERVICES}, stack.token(), patience_s=PATIENCE_S) as made:
        yield made


@pytest.fixture
async def books(stack: Stack) -> AsyncIterator[Books]:
    """The databases."""
    async with contextlib.AsyncExitStack() as opened:
        made = await open_books(stack)
        for conn in made.pools.values():
            opened.push_async_callback(conn.close)
        yield made


async def test_killing_order_and_delivery_at_random_moments_leaves_every_order_legal(
    stack: Stack, noting: NotingSuite, feed: EventFeed, books: Books, now: datetime
) -> None:
    suite, dice = noting, random.Random(SEED)
    shop = AfterSales(suite, feed, random.Random(SEED), mixed=0.5, patience_s=PATIENCE_S)
    subscribers = Subscribers(suite, feed, random.Random(SEED), patience_s=PATIENCE_S)
    await _let_orders_wait(suite)
    await _count_stock(stack, suite, now)
    before = {row["id"] for row in await books.rows("order", "SELECT id FROM sales_order")}
    began = time.monotonic()
    until = began + SECONDS
    kills: Counter[str] = Counter()
    lasted: list[float] = []

    def goes_on() -> bool:
        return time.monotonic() < until or kills.total() < ENOUGH

    async def strike() -> None:
        while goes_on():
            await asyncio.sleep(dice.uniform(0.5, 5))
            victim = dice.choice(VICTIMS)
            await asyncio.to_thread(stack.kill_service, victim)
            kills[victim] += 1
            await asyncio.sleep(dice.uniform(0, 1.5))
            await asyncio.to_thread(stack.start_service, victim)

    async def sell() -> list[Bought | Subscribed | BaseException]:
        selling: list[asyncio.Task[Bought | Subscribed]] = []
        turn: list[str] = []
        drawn = random.Random(SEED)
        while goes_on():
            turn = turn or drawn.sample(WAYS, len(WAYS))
            selling.append(asyncio.create_task(_play(shop, subscribers, turn.pop())))
            await asyncio.sleep(1 / PER_SECOND)
        lasted.append(time.monotonic() - began)
        return list(await asyncio.gather(*selling, return_exceptions=True))

    ends, _ = await asyncio.gather(sell(), strike())
    failed = [f"{type(each).__name__}: {each}" for each in ends if isinstance(each, BaseException)]
    found = await _audited(stack, suite, books, [each for each in ends if not isinstance(each, BaseException)], before)
    faults = [*failed, *found.faults]
    print(f"{len(ends)} customers in {lasted[0]:.0f} s, {kills.total()} kills {dict(kills)}; {len(faults)} faults")
    assert not faults, "\n".join(faults[:100])


async def _audited(
    stack: Stack, suite: NotingSuite, books: Books, played: Sequence[Bought | Subscribed], before: set[UUID]
) -> Findings:
    """Judge how what was played ended, once nothing moves any more; `before` are orders that were there already."""
    found = Findings()
    try:
        await at_rest(stack, books)
    except TimeoutError as moving:
        found.faults.append(str(moving))
    log = await read_log(stack.kafka_bootstrap)
    found.check(not log.twice, "ids that came again with another content:", log.twice)
    subscribed = [each for each in played if isinstance(each, Subscribed)]
    bought = [each for each in played if isinstance(each, Bought)]
    of_subscriptions = await audit_subscriptions(log, books, subscribed, suite.accepted, found)
    orders = {row["id"] for row in await books.rows("order", "SELECT id FROM sales_order")} - before
    found.same("orders: those of carts and subscriptions", len(orders), len(bought) + len(of_subscriptions))
    accepted = await audit_requests(log, books, suite.accepted, orders - of_subscriptions, found)
    endings = await audit_orders(log, books, orders, found)
    await audit_stock(books, endings, COUNTED, found)
    paid = [each for each in suite.accepted if each.path == "/v1/payments"]
    await audit_money(log, books, endings, paid, found)
    await _conserved(suite, [*bought, *(order for each in subscribed for order in each.orders)], found)
    for service in SERVICES:
        dead = await books.rows(service, "SELECT topic, error FROM parked WHERE state <> 'discarded'")
        found.check(not dead, service, "parked", [tuple(row) for row in dead])
    ways = Counter(each.way if isinstance(each, Bought) else each.plan for each in played)
    print(f"\nways: {dict(ways)}")
    print(f"accepted: {dict(accepted)}")
    states = Counter(each.order["state"] for each in endings)
    print(f"{len(orders)} orders {dict(states)}, {len(subscribed)} subscriptions; {log.repeated} records came again")
    return found


async def _let_orders_wait(suite: NotingSuite) -> None:
    """At a day per second an outage of seconds is one of weeks: nobody is told that it is late, and no order is cancelled as nobody pays."""
    for_ever: Json = {"timeout_hours": None, "action": "tell", "reason": "outages"}
    for step in ("promise", "deliver", "invoice", "collect", "change", "stop_delivery", "credit_note"):
        await suite.post("order", "/v1/process-policies", {**for_ever, "step": step, "invoicing": "any"})
    await suite.post("order", "/v1/process-policies", {**for_ever, "step": "collect", "invoicing": "on_confirmation"})


async def _count_stock(stack: Stack, suite: NotingSuite, now: datetime) -> None:
    """Some of what the shop sells lies on a shelf, in plenty."""
    async with Erp(stack.kafka_bootstrap) as erp:
        for sku, pieces in COUNTED.items():
            await erp.tell(ErpStockChanged(sku=sku, site="store", on_hand=pieces, as_of=now), now)
    for sku in COUNTED:
        await suite.first("order", "/v1/stock", sku=sku)


async def _play(shop: AfterSales, subscribers: Subscribers, way: str) -> Bought | Subscribed:
    plans: dict[str, Plan] = {plan: plan for plan in PLANS}
    return await (subscribers.play(plans[way]) if way in plans else shop.play(way))


async def _conserved(suite: NotingSuite, bought: list[Bought], found: Findings) -> None:
    """What metrics-svc says: residual 0.00 of every order and in total; and what billing-svc says of its ledger."""
    for each in bought:
        flow: Json = {"residual": None, "stages": []}
        with contextlib.suppress(Refused):
            flow = await suite.flow(each.flow_id)
        ended = {"closed", "cancelled"} & {reached["stage"] for reached in flow["stages"]}
        found.check(flow["residual"] == "0.00" and bool(ended), each.order["number"], each.way, flow["residual"], flow["stages"])
    conservation = await suite.get("metrics", "/v1/conservation")
    found.check({row["residual"] for row in conservation["currencies"]} == {"0.00"}, conservation)
    trial = await suite.get("billing", "/v1/ledger/trial-balance")
    found.check({row["balance"] for row in trial["totals"]} == {"0.00"}, trial)
