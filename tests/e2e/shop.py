"""Orders without a lead, as a shop places them: each goes the way its script says, in the words of the business."""

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID, uuid4

from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Json, Refused, Suite

Way = Literal["delivered", "prepaid", "cancelled", "prepaid_cancelled", "raced"]
WAYS: tuple[Way, ...] = ("delivered", "delivered", "prepaid", "cancelled", "prepaid_cancelled", "raced")
PRICES = {"MUG": Decimal("12.90"), "SHIRT": Decimal("24.95"), "POSTER": Decimal("8.33")}


@dataclass(slots=True)
class Bought:
    """An order of the shop, and how it ended."""

    way: Way
    reference: str
    flow_id: UUID
    order: Json
    quantities: dict[str, Decimal] = field(default_factory=dict)


def cart(dice: random.Random, *, prepaid: bool) -> Json:
    """One to three lines at 19 %."""
    lines: list[Json] = []
    for sku in dice.sample(sorted(PRICES), dice.randint(1, 3)):
        quantity = dice.randint(1, 9)
        lines.append(
            {
                "sku": sku,
                "description": sku.title(),
                "quantity": str(quantity),
                "unit_price": {"amount": str(PRICES[sku]), "currency": "EUR"},
                "tax_rate": "19",
                "net": {"amount": str(PRICES[sku] * quantity), "currency": "EUR"},
            }
        )
    net = sum(Decimal(line["net"]["amount"]) for line in lines)
    return {
        "external_ref": f"W-{uuid4().hex[:12]}",
        "customer": {"name": "A shopper", "country": "DE"},
        "lines": lines,
        "net": {"amount": str(net), "currency": "EUR"},
        "payment_terms_days": 30,
        "invoicing": "on_confirmation" if prepaid else "on_delivery",
    }


class Shop:
    """Plays orders through the running suite."""

    def __init__(self, suite: Suite, feed: EventFeed, dice: random.Random) -> None:
        self._suite = suite
        self._feed = feed
        self._dice = dice

    async def play(self, way: Way) -> Bought:
        """From the cart to the end that the way says."""
        body = cart(self._dice, prepaid=way.startswith("prepaid"))
        order = await self._suite.post("order", "/v1/checkout", body)
        bought = Bought(way, body["external_ref"], UUID(order["flow_id"]), order)
        # The same cart again, as a shop does whose answer got lost: the same order.
        again = await self._suite.post("order", "/v1/checkout", body)
        assert again["id"] == order["id"]
        await getattr(self, f"_{way}")(bought)
        return bought

    async def wait(self, bought: Bought, topic: str, **how: Any) -> Json:
        """The data of this order's event."""
        return (await self._feed.wait(bought.flow_id, topic, timeout=150, **how)).data

    async def _delivered(self, bought: Bought) -> None:
        await self._hand_over(bought)
        await self._pay(bought)
        await self.wait(bought, "order.closed")

    async def _prepaid(self, bought: Bought) -> None:
        await self._pay(bought)
        await self._hand_over(bought)
        await self.wait(bought, "order.closed")

    async def _cancelled(self, bought: Bought) -> None:
        await self._cancel(bought)
        await self.wait(bought, "order.cancelled")

    async def _prepaid_cancelled(self, bought: Bought) -> None:
        await self._pay(bought)
        await self._cancel(bought)
        await self.wait(bought, "order.cancelled")
        await self.wait(bought, "invoice.credited")

    async def _raced(self, bought: Bought) -> None:
        """The customer cancels while the parcel is handed over: one of the two holds, never both."""
        await self.wait(bought, "delivery.promised")
        await asyncio.gather(self._cancel(bought), self._hand_over(bought, may_lose=True))
        ended = (
            asyncio.create_task(self.wait(bought, "order.cancelled")),
            asyncio.create_task(self.wait(bought, "order.fulfilled")),
        )
        _, pending = await asyncio.wait(ended, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if self._feed.seen(bought.flow_id, "order.fulfilled"):
            await self._pay(bought)
            await self.wait(bought, "order.closed")

    async def _hand_over(self, bought: Bought, *, may_lose: bool = False) -> None:
        promised = await self.wait(bought, "delivery.promised")
        try:
            await self._suite.post("delivery", f"/v1/deliveries/{promised['delivery_id']}/complete")
        except Refused as refused:
            if not (may_lose and refused.status == 409):
                raise

    async def _cancel(self, bought: Bought) -> None:
        try:
            await self._suite.post("order", f"/v1/orders/{bought.order['id']}/cancel", {"reason": "changed my mind"})
        except Refused as refused:
            # Fulfilled already: the parcel was faster.
            if not (bought.way == "raced" and refused.status == 409):
                raise

    async def _pay(self, bought: Bought) -> None:
        await self._suite.pay(await self.wait(bought, "invoice.issued"))
        await self.wait(bought, "invoice.paid")
