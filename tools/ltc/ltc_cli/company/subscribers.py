"""Customers who subscribe: periods follow each other by themselves, more or less is wanted within one, and some day it ends."""

import asyncio
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args
from uuid import UUID, uuid4

from ltc_cli.company.feed import EventFeed
from ltc_cli.company.shop import PATIENCE_S, Bought
from ltc_cli.company.suite import Json, Refused, Suite

Plan = Literal["subscribed", "subscribed_in_arrears", "subscribed_for_less"]
PLANS: tuple[Plan, ...] = get_args(Plan)
# What is shown counts for its day, and a day may be a second.
_ATTEMPTS = 40


@dataclass(slots=True)
class Subscribed:
    """A subscription that has ended, as it was answered at its start, and its orders, each delivered and paid."""

    plan: Plan
    flow_id: UUID
    subscription: Json
    orders: list[Bought]


def _lines(care: int, magazines: int) -> list[Json]:
    """Two products of two tax rates; a line keeps its id when it becomes more or less."""
    return [_line("CARE", care, "31.00", "19", 1), _line("MAGAZINE", magazines, "6.45", "7", 2)]


def _line(sku: str, quantity: int, price: str, rate: str, number: int) -> Json:
    return {
        "line_id": f"019b7a3c-5c00-7000-8000-{number:012d}",
        "sku": sku,
        "description": sku.title(),
        "quantity": str(quantity),
        "unit_price": {"amount": price, "currency": "EUR"},
        "tax_rate": rate,
    }


class Subscribers:
    """Plays subscriptions of a week's periods through the running suite."""

    def __init__(self, suite: Suite, feed: EventFeed, dice: random.Random, *, patience_s: float = PATIENCE_S) -> None:
        self._suite = suite
        self._feed = feed
        self._dice = dice
        self._patience_s = patience_s

    async def play(self, plan: Plan) -> Subscribed:
        """It starts, becomes more within a period, is renewed (and becomes less), and ends; all of its orders are paid."""
        care, magazines = self._dice.randint(1, 4), self._dice.randint(1, 3)
        body = {
            "source": "shop",
            "external_ref": f"S-{uuid4().hex[:12]}",
            "customer": {"name": "A reader", "country": "DE"},
            "lines": _lines(care, magazines),
            "interval": {"unit": "week"},
            "invoicing": "on_delivery" if plan == "subscribed_in_arrears" else "on_confirmation",
            "payment_terms_days": 14,
        }
        made = await self._suite.post("order", "/v1/subscriptions", body)
        again = await self._suite.post("order", "/v1/subscriptions", body)
        if again["id"] != made["id"]:
            raise AssertionError(f"{body['external_ref']} became two subscriptions: {made['number']} and {again['number']}")
        flow_id = UUID(made["flow_id"])
        await self._wait(flow_id, "subscription.started")
        await self._change(made["id"], _lines(care + self._dice.randint(1, 3), magazines + 1))
        renewed = len(self._feed.seen(flow_id, "subscription.renewed"))
        await self._wait(flow_id, "subscription.renewed", count=renewed + 1)
        if plan == "subscribed_for_less":
            await self._change(made["id"], _lines(max(1, care - 1), magazines))
            renewed = len(self._feed.seen(flow_id, "subscription.renewed"))
            await self._wait(flow_id, "subscription.renewed", count=renewed + 1)
        end = {"reason": "read enough", "at": self._dice.choice(("period_end", "notice"))}
        await self._suite.post("order", f"/v1/subscriptions/{made['id']}/cancel", end)
        await self._wait(flow_id, "subscription.ended")
        orders = [
            Bought(plan, UUID(each["flow_id"]), await self._suite.get("order", f"/v1/orders/{each['order_id']}"))
            for each in (await self._suite.get("order", f"/v1/subscriptions/{made['id']}/orders", limit=100))["items"]
        ]
        await asyncio.gather(*(self._settle(order) for order in orders))
        return Subscribed(plan, flow_id, made, orders)

    async def _change(self, subscription_id: str, lines: list[Json]) -> None:
        """Have it shown, then do as was shown; shown again where the day is another by now, or a period has begun."""
        path = f"/v1/subscriptions/{subscription_id}/changes"
        wish = {"lines": lines, "when": "now"}
        for _ in range(_ATTEMPTS):
            try:
                shown = await self._suite.post("order", f"{path}/preview", wish)
                seen = {"version": shown["version"], "effective_on": shown["effective_on"]}
                await self._suite.post("order", path, {**wish, **seen, "reason": "as agreed"})
            except Refused as refused:
                if refused.status != 409:
                    raise
                await asyncio.sleep(0.05)
            else:
                return
        raise TimeoutError(f"what was shown of {subscription_id} never held until it was confirmed")

    async def _settle(self, order: Bought) -> None:
        invoice = await self._wait(order.flow_id, "invoice.issued")
        for _ in range(_ATTEMPTS):
            # What credit covers wholly is invoiced at nothing, and what was not served when it ended is credited meanwhile.
            claimed = await self._suite.get("billing", f"/v1/invoices/{invoice['invoice_id']}")
            if not Decimal(claimed["open"]["amount"]):
                break
            try:
                await self._suite.pay(invoice, Decimal(claimed["open"]["amount"]))
            except Refused as refused:
                if refused.status not in (400, 409):
                    raise
            else:
                break
        await self._wait(order.flow_id, "order.closed")

    async def _wait(self, flow_id: UUID, topic: str, *, count: int = 1) -> Json:
        return (await self._feed.wait(flow_id, topic, count=count, timeout=self._patience_s)).data
