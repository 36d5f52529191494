"""A shop that sells to consumers: carts checked out in one call, paid at once or by invoice, sent in parcels, cancelled and sent back."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal
from uuid import UUID, uuid4

from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Json, Refused, Suite

Way = Literal["by_invoice", "in_parcels", "prepaid", "sent_back", "cancelled", "prepaid_cancelled", "raced"]
PRICES = {"MUG": Decimal("12.90"), "SHIRT": Decimal("24.95"), "POSTER": Decimal("8.33"), "LAMP": Decimal("119.00")}
# Taxed at 7 %, the others at 19 %.
BOOKS = {"ATLAS": Decimal("39.90"), "NOVEL": Decimal("11.99"), "SCORE": Decimal("3.45")}
PATIENCE_S = 150.0


@dataclass(slots=True)
class Bought:
    """An order of the shop, as it was answered at the checkout, and the way that it went."""

    way: str
    flow_id: UUID
    order: Json


def cart_line(sku: str, quantity: int, *, discount: str = "0") -> Json:
    """So many of it, at its price and tax."""
    price = {**PRICES, **BOOKS}[sku]
    net = (price * quantity * (100 - Decimal(discount)) / 100).quantize(Decimal("0.01"), ROUND_HALF_UP)
    line: Json = {
        "sku": sku,
        "description": sku.title(),
        "quantity": str(quantity),
        "unit_price": {"amount": str(price), "currency": "EUR"},
        "tax_rate": "7" if sku in BOOKS else "19",
        "net": {"amount": str(net), "currency": "EUR"},
    }
    return line if discount == "0" else {**line, "discount_percent": discount}


def cart(dice: random.Random, *, prepaid: bool, mixed: bool = False) -> Json:
    """One to three lines at 19 %; `mixed`: and a book at 7 %, now and then at a discount."""
    lines = [cart_line(sku, dice.randint(2, 9)) for sku in dice.sample(sorted(PRICES), dice.randint(1, 3))]
    if mixed:
        lines.append(cart_line(dice.choice(sorted(BOOKS)), dice.randint(2, 9), discount=dice.choice(("0", "3", "12.5"))))
    net = sum((Decimal(line["net"]["amount"]) for line in lines), Decimal(0))
    return {
        "external_ref": f"W-{uuid4().hex[:12]}",
        "customer": {"name": "A shopper", "country": "DE"},
        "lines": lines,
        "net": {"amount": str(net), "currency": "EUR"},
        "payment_terms_days": 14,
        "invoicing": "on_confirmation" if prepaid else "on_delivery",
    }


async def _at_once(_: float) -> None:
    return None


class Shop:
    """Plays orders through the running suite. `rest` lets so many business days pass; without it nobody waits for anything.

    `mixed` is the share of carts that have lines of two tax rates; `patience_s` how long customers wait for what comes next.
    """

    def __init__(
        self,
        suite: Suite,
        feed: EventFeed,
        dice: random.Random,
        rest: Callable[[float], Awaitable[None]] = _at_once,
        *,
        mixed: float = 0,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._suite = suite
        self._feed = feed
        self._dice = dice
        self._rest = rest
        self._mixed = mixed
        self._patience_s = patience_s

    async def play(self, way: str) -> Bought:
        """From the cart to the end that the way (a `Way`, or one of a kind of shop that knows more) says."""
        body = cart(self._dice, prepaid=way.startswith("prepaid"), mixed=self._is_mixed(way))
        order = await self._suite.post("order", "/v1/checkout", body)
        bought = Bought(way, UUID(order["flow_id"]), order)
        # The same cart again, as a shop does whose answer got lost: the same order.
        again = await self._suite.post("order", "/v1/checkout", body)
        if again["id"] != order["id"]:
            raise AssertionError(f"{body['external_ref']} became two orders: {order['number']} and {again['number']}")
        await getattr(self, f"_{way}")(bought)
        return bought

    def _is_mixed(self, _: str) -> bool:
        return self._dice.random() < self._mixed

    async def _by_invoice(self, bought: Bought) -> None:
        await self._rest(2)
        await self._send(bought)
        await self._pay(bought)
        await self.wait(bought, "order.closed")

    async def _in_parcels(self, bought: Bought) -> None:
        """The first line today, the rest another day; each parcel has its invoice."""
        first = bought.order["lines"][0]
        await self._rest(1)
        await self._send(bought, lines=[{"line_id": first["line_id"], "quantity": "1"}])
        await self._rest(2)
        await self._send(bought)
        await self._pay(bought)
        await self._pay(bought, number=2)
        await self.wait(bought, "order.closed")

    async def _prepaid(self, bought: Bought) -> None:
        await self._pay(bought)
        await self._rest(2)
        await self._send(bought)
        await self.wait(bought, "order.closed")

    async def _sent_back(self, bought: Bought) -> None:
        """One piece comes back before it is paid: it is credited, and the rest is paid."""
        delivery = await self._send(bought)
        invoice = await self.wait(bought, "invoice.issued")
        line = bought.order["lines"][0]
        body = {
            "lines": [{"line_id": line["line_id"], "quantity": "1", "treatment": self._dice.choice(("restock", "scrap"))}],
            "reason": "did not fit",
        }
        await self._rest(3)
        await self._suite.post("delivery", f"/v1/deliveries/{delivery}/returns", body)
        credit = await self.wait(bought, "invoice.credited")
        open_after = Decimal(credit["open_after"]["amount"])
        await self._suite.pay(invoice, open_after)
        await self.wait(bought, "order.closed")

    async def _cancelled(self, bought: Bought) -> None:
        await self._rest(1)
        await self._cancel(bought)
        await self.wait(bought, "order.cancelled")

    async def _prepaid_cancelled(self, bought: Bought) -> None:
        await self._pay(bought)
        await self._rest(1)
        await self._cancel(bought)
        await self.wait(bought, "order.cancelled")
        await self.wait(bought, "invoice.credited")

    async def _raced(self, bought: Bought) -> None:
        """The customer cancels while the parcel is handed over: one of the two holds, never both."""
        await self.wait(bought, "delivery.promised")
        await asyncio.gather(self._cancel(bought, may_lose=True), self._send(bought, may_lose=True))
        ends = [asyncio.create_task(self.wait(bought, topic)) for topic in ("order.cancelled", "order.fulfilled")]
        _, pending = await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in pending:
            task.cancel()
        if self._feed.seen(bought.flow_id, "order.fulfilled"):
            await self._pay(bought)
            await self.wait(bought, "order.closed")

    async def wait(self, bought: Bought, topic: str, *, count: int = 1) -> Json:
        """The data of this order's event."""
        return (await self._feed.wait(bought.flow_id, topic, count=count, timeout=self._patience_s)).data

    async def _send(self, bought: Bought, *, lines: list[Json] | None = None, may_lose: bool = False) -> str:
        delivery: str = (await self.wait(bought, "delivery.promised"))["delivery_id"]
        try:
            await self._suite.post("delivery", f"/v1/deliveries/{delivery}/handovers", {"lines": lines} if lines else {})
        except Refused as refused:
            if not (may_lose and refused.status == 409):
                raise
        return delivery

    async def _cancel(self, bought: Bought, *, may_lose: bool = False) -> None:
        try:
            await self._suite.post("order", f"/v1/orders/{bought.order['id']}/cancel", {"reason": "changed my mind"})
        except Refused as refused:
            if not (may_lose and refused.status == 409):
                raise

    async def _pay(self, bought: Bought, *, number: int = 1) -> None:
        await self._suite.pay(await self.wait(bought, "invoice.issued", count=number))
        await self.wait(bought, "invoice.paid", count=number)
