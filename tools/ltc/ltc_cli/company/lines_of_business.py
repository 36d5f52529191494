"""What the company sells beside its deals: a shop for consumers, projects in milestones, pumps that are made to order."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

from ltc_chassis.clock import Clock

from ltc_cli.company import works
from ltc_cli.company.erp import Erp
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.shop import Shop, Way
from ltc_cli.company.suite import Suite
from ltc_cli.mes.connector import Mes
from ltc_cli.mes.shop_floor import Shop as ShopFloor

WAYS: tuple[Way, ...] = ("by_invoice", "in_parcels", "prepaid", "sent_back", "cancelled", "prepaid_cancelled")


@dataclass(frozen=True, slots=True)
class Volume:
    """How many of each."""

    carts: int
    projects: int
    pumps: int


@dataclass(slots=True)
class Sold:
    """How orders ended, by line of business, and the flow of one that was made to order."""

    endings: Counter[tuple[str, str]] = field(default_factory=Counter)
    made_to_order: UUID | None = None
    failures: list[BaseException] = field(default_factory=list)


async def play(
    suite: Suite, feed: EventFeed, bootstrap: str, clock: Clock, volume: Volume, dice: random.Random, *, day_s: float
) -> Sold:
    """All of it at once, with a shop floor behind it. `day_s` is a business day in wall seconds."""

    async def rest(days: float) -> None:
        await asyncio.sleep(days * day_s)

    await works.set_up(suite)
    sold = Sold()
    floor = asyncio.create_task(Mes(bootstrap, clock, ShopFloor(seed=dice.randrange(1000), slip_rate=0.15)).run())
    try:
        async with Erp(bootstrap) as erp:
            shop = Shop(suite, feed, dice, rest)
            maker = works.Works(suite, feed, erp, dice, now=clock.now, rest=rest)
            outcomes = await asyncio.gather(
                *(_cart(shop, WAYS[number % len(WAYS)], rest, number, sold) for number in range(volume.carts)),
                *(_work("project", maker.project, number, sold) for number in range(volume.projects)),
                *(_work("made to order", maker.pumps, number, sold) for number in range(volume.pumps)),
                return_exceptions=True,
            )
        sold.failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    finally:
        floor.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await floor
    return sold


async def _cart(shop: Shop, way: Way, rest: Callable[[float], Awaitable[None]], number: int, sold: Sold) -> None:
    await rest(number * 0.4)
    await shop.play(way)
    sold.endings["shop", way.replace("_", " ")] += 1


async def _work(kind: str, verb: Callable[[int], Awaitable[UUID]], number: int, sold: Sold) -> None:
    flow_id = await verb(number)
    sold.endings[kind, "delivered and paid"] += 1
    if kind == "made to order" and sold.made_to_order is None:
        sold.made_to_order = flow_id
