"""What customers of a shop want after they have ordered: more or fewer pieces, other lines, less of it, something else for what came back."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal, get_args

from ltc_cli.company.shop import BOOKS, Bought, Shop, cart_line
from ltc_cli.company.suite import Json, Refused

Change = Literal[
    "more",
    "fewer",
    "other_lines",
    "changed_in_parts",
    "changed_while_sent",
    "prepaid_more",
    "prepaid_fewer",
    "prepaid_unpaid_fewer",
    "prepaid_changed_while_sent",
    "cut",
    "prepaid_cut",
    "rest_cancelled",
]
Return = Literal[
    "replaced",
    "prepaid_replaced",
    "paid_and_sent_back",
    "all_sent_back",
    "prepaid_sent_back",
    "sent_back_and_changed",
    "prepaid_sent_back_and_changed",
]
CHANGES: tuple[Change, ...] = get_args(Change)
RETURNS: tuple[Return, ...] = get_args(Return)
# What is shown holds for some time only, and an outage of seconds may be one of weeks by the clock.
_ATTEMPTS = 20
_LATER = timedelta(days=400)


class AfterSales(Shop):
    """A shop whose customers change their minds. Their carts have lines of two tax rates."""

    def _is_mixed(self, way: str) -> bool:
        return way in CHANGES or way in RETURNS or super()._is_mixed(way)

    async def _more(self, bought: Bought) -> None:
        """More of the first line, and another line that comes on top."""
        await self._change(bought, more=True, quantities=[_sized(bought, 0, +2)], added=[self._book()])
        await self._send(bought)
        await self._pay_and_close(bought)

    async def _fewer(self, bought: Bought) -> None:
        await self._change(bought, quantities=[_sized(bought, 0, -1), _sized(bought, -1, -1)])
        await self._send(bought)
        await self._pay_and_close(bought)

    async def _other_lines(self, bought: Bought) -> None:
        """The first line is dropped and another taken instead; then one piece more of that as well."""
        await self._change(
            bought, more=True, dropped=[bought.order["lines"][0]["line_id"]], added=[self._book(), cart_line("LAMP", 2)]
        )
        lamp = (await self._suite.get("order", f"/v1/orders/{bought.order['id']}"))["lines"][-1]
        await self._change(bought, more=True, quantities=[{"line_id": lamp["line_id"], "quantity": "3"}])
        await self._send(bought)
        await self._pay_and_close(bought)

    async def _changed_in_parts(self, bought: Bought) -> None:
        """One piece of the first line is delivered, then there shall be fewer of it and more of the last; the rest is delivered."""
        first = bought.order["lines"][0]
        await self._send(bought, lines=[{"line_id": first["line_id"], "quantity": "1"}])
        await self._change(bought, more=True, quantities=[_sized(bought, 0, -1), _sized(bought, -1, +3)])
        await self._send(bought)
        await self._pay_and_close(bought, invoices=2)

    async def _changed_while_sent(self, bought: Bought) -> None:
        """The wish for fewer and the parcel cross: it is granted or refused, and what was handed over is paid."""
        await self.wait(bought, "delivery.promised")
        await asyncio.gather(self._change(bought, may_lose=True, quantities=[_sized(bought, 0, -1)]), self._send(bought))
        await self._pay_and_close(bought)

    async def _prepaid_more(self, bought: Bought) -> None:
        """What is dearer is invoiced by itself."""
        await self._pay(bought)
        await self._change(bought, more=True, quantities=[_sized(bought, 0, +2)], added=[self._book()])
        await self._pay(bought, number=2)
        await self._send(bought)
        await self.wait(bought, "order.closed")

    async def _prepaid_fewer(self, bought: Bought) -> None:
        """What was paid for the pieces that nobody wants any more is the customer's again."""
        await self._pay(bought)
        await self._change(bought, quantities=[_sized(bought, 0, -1)], dropped=[bought.order["lines"][-1]["line_id"]])
        await self.wait(bought, "invoice.credited")
        await self._send(bought)
        await self.wait(bought, "order.closed")

    async def _prepaid_unpaid_fewer(self, bought: Bought) -> None:
        await self._change(bought, quantities=[_sized(bought, 0, -1), _sized(bought, -1, -1)])
        await self._pay_what_is_open(bought, await self.wait(bought, "invoice.credited"))
        await self._send(bought)
        await self.wait(bought, "order.closed")

    async def _prepaid_changed_while_sent(self, bought: Bought) -> None:
        await self.wait(bought, "delivery.promised")
        wish = self._change(bought, may_lose=True, quantities=[_sized(bought, 0, -1)])
        granted, _ = await asyncio.gather(wish, self._send(bought))
        if granted:
            await self._pay_what_is_open(bought, await self.wait(bought, "invoice.credited"))
        else:
            await self._pay(bought)
        await self.wait(bought, "order.closed")

    async def _cut(self, bought: Bought) -> None:
        """The last line is cancelled before anything is delivered."""
        await self._change(bought, wish="cancel", line_ids=[bought.order["lines"][-1]["line_id"]])
        await self._send(bought)
        await self._pay_and_close(bought)

    async def _prepaid_cut(self, bought: Bought) -> None:
        await self._pay(bought)
        await self._change(bought, wish="cancel", line_ids=[bought.order["lines"][-1]["line_id"]])
        await self.wait(bought, "invoice.credited")
        await self._send(bought)
        await self.wait(bought, "order.closed")

    async def _rest_cancelled(self, bought: Bought) -> None:
        """One piece is delivered and kept, all else is cancelled."""
        await self._send(bought, lines=[{"line_id": bought.order["lines"][0]["line_id"], "quantity": "1"}])
        await self.wait(bought, "delivery.handed_over")
        await self._cancel_rest(bought)
        await self._pay_and_close(bought)

    async def _replaced(self, bought: Bought) -> None:
        """A piece comes back while the rest is still to be sent, and is sent again with it. Both parts are invoiced, the piece is credited."""
        line_id = bought.order["lines"][0]["line_id"]
        await self._send(bought, lines=[{"line_id": line_id, "quantity": "2"}])
        await self._send_back(bought, [(line_id, "1")], replace=True)
        await self._send(bought)
        credit = await self.wait(bought, "invoice.credited")
        await self.wait(bought, "invoice.issued", count=2)
        for seen in self._feed.seen(bought.flow_id, "invoice.issued"):
            credited = seen.data["invoice_id"] == credit["invoice_id"]
            await self._suite.pay(seen.data, Decimal(credit["open_after"]["amount"]) if credited else None)
        await self.wait(bought, "order.closed")

    async def _prepaid_replaced(self, bought: Bought) -> None:
        """The piece is credited as it comes back and invoiced again as it is replaced."""
        line_id = bought.order["lines"][0]["line_id"]
        await self._pay(bought)
        await self._send(bought, lines=[{"line_id": line_id, "quantity": "2"}])
        await self._send_back(bought, [(line_id, "1")], replace=True)
        await self._send(bought)
        await self.wait(bought, "invoice.credited")
        await self._pay(bought, number=2)
        await self.wait(bought, "order.closed")

    async def _paid_and_sent_back(self, bought: Bought) -> None:
        """What comes back when all is paid is credited, and the money stays on the customer's account."""
        await self._send(bought)
        await self._pay_and_close(bought)
        await self._send_back(bought, [(bought.order["lines"][-1]["line_id"], "1")])
        await self.wait(bought, "invoice.credited")

    async def _prepaid_sent_back(self, bought: Bought) -> None:
        await self._pay(bought)
        await self._send(bought)
        await self._send_back(bought, [(bought.order["lines"][0]["line_id"], "1")])
        await self.wait(bought, "invoice.credited")
        await self.wait(bought, "order.closed")

    async def _all_sent_back(self, bought: Bought) -> None:
        """Piece by piece and line by line, until nothing is owed: credit notes add up to the invoice to the cent."""
        await self._send(bought)
        first, *others = bought.order["lines"]
        left = Decimal(first["quantity"]) - 1
        await self._send_back(bought, [(first["line_id"], "1")])
        await self._send_back(bought, [(first["line_id"], str(left)), *((each["line_id"], each["quantity"]) for each in others)])
        await self.wait(bought, "invoice.credited", count=2)
        await self.wait(bought, "order.closed")

    async def _sent_back_and_changed(self, bought: Bought) -> None:
        """Two pieces come, one goes back for credit, then there shall be one more than ordered: so many the customer has in the end."""
        line_id = bought.order["lines"][0]["line_id"]
        await self._send(bought, lines=[{"line_id": line_id, "quantity": "2"}])
        await self._send_back(bought, [(line_id, "1")])
        await self._change(bought, more=True, quantities=[_sized(bought, 0, +1)])
        await self._send(bought)
        await self._pay_what_is_open(bought, await self.wait(bought, "invoice.credited"))
        await self._pay(bought, number=2)
        await self.wait(bought, "order.closed")

    async def _prepaid_sent_back_and_changed(self, bought: Bought) -> None:
        line_id = bought.order["lines"][0]["line_id"]
        await self._pay(bought)
        await self._send(bought, lines=[{"line_id": line_id, "quantity": "2"}])
        await self._send_back(bought, [(line_id, "1")])
        await self._change(bought, more=True, quantities=[_sized(bought, 0, +1)])
        await self._pay(bought, number=2)
        await self._send(bought)
        await self.wait(bought, "order.fulfilled")
        # What was credited for the return is claimed again with the piece that is delivered for it.
        await self._pay(bought, number=3)
        await self.wait(bought, "order.closed")

    async def _change(
        self, bought: Bought, *, may_lose: bool = False, more: bool = False, wish: str = "change", **wished: object
    ) -> bool:
        """Have it assessed, look at it, confirm it. Whether it was granted; `may_lose`: it may as well be too late.

        `more`: something comes on top, for which there is time.
        """
        orders = f"/v1/orders/{bought.order['id']}/assessments"
        if more:
            # A day of their own: else it is promised as an order of today is, and today may be another day before they have said yes.
            wished["requested_on"] = (datetime.fromisoformat(bought.order["created_at"]) + _LATER).date().isoformat()
        for _ in range(_ATTEMPTS):
            shown = await self._suite.post("order", orders, {"wish": wish, "reason": "thought again", **wished})
            if shown["allowed"]:
                try:
                    await self._suite.post("order", f"{orders}/{shown['id']}/confirm")
                except Refused as refused:
                    again = refused.problem.get("type", "").rpartition(":")[2] in ("assessment-expired", "change-outdated")
                    if again:
                        continue
                    if not (may_lose and refused.status == 409):
                        raise
                    return False
                return await self._decided(bought, shown["id"], may_lose=may_lose)
            if may_lose:
                return False
            raise AssertionError(f"{bought.order['number']} cannot be changed: {shown['effects']['reasons']}")
        raise TimeoutError(f"no assessment of {bought.order['number']} held until it was confirmed")

    async def _decided(self, bought: Bought, change_id: str, *, may_lose: bool) -> bool:
        answer = await self._about(bought, "delivery.change_decided", change_id)
        if answer["granted"]:
            await self._about(bought, "order.changed", change_id)
        elif not may_lose:
            raise AssertionError(f"the change of {bought.order['number']} was refused: {answer['reason']}")
        return bool(answer["granted"])

    async def _about(self, bought: Bought, topic: str, change_id: str) -> Json:
        count = 1
        while (told := await self.wait(bought, topic, count=count))["change_id"] != change_id:
            count += 1
        return told

    async def _send_back(self, bought: Bought, parts: list[tuple[str, str]], *, replace: bool = False) -> None:
        delivery = (await self.wait(bought, "delivery.promised"))["delivery_id"]
        treatment = self._dice.choice(("restock", "scrap"))
        lines = [{"line_id": line_id, "quantity": quantity, "treatment": treatment} for line_id, quantity in parts]
        body = {"lines": lines, "reason": "did not fit", "replace": replace}
        await self._suite.post("delivery", f"/v1/deliveries/{delivery}/returns", body)

    async def _cancel_rest(self, bought: Bought) -> None:
        """Asked before the order knows what was delivered, all of it is to be cancelled, which delivery refuses: asked again."""
        path = f"/v1/orders/{bought.order['id']}"
        for _ in range(_ATTEMPTS):
            order = await self._suite.post("order", f"{path}/cancel", {"reason": "that one is enough"})
            if order["change"] is not None:
                await self._about(bought, "order.changed", order["change"]["change_id"])
                return
            while (await self._suite.get("order", path))["state"] == "cancelling":
                await asyncio.sleep(0.2)
        raise TimeoutError(f"the rest of {bought.order['number']} could not be cancelled")

    async def _pay_what_is_open(self, bought: Bought, credit: Json) -> None:
        invoice = await self.wait(bought, "invoice.issued")
        await self._suite.pay(invoice, Decimal(credit["open_after"]["amount"]))
        await self.wait(bought, "invoice.paid")

    async def _pay_and_close(self, bought: Bought, *, invoices: int = 1) -> None:
        for number in range(1, invoices + 1):
            await self._pay(bought, number=number)
        await self.wait(bought, "order.closed")

    def _book(self) -> Json:
        return cart_line(self._dice.choice(sorted(BOOKS)), self._dice.randint(1, 4), discount=self._dice.choice(("0", "5")))


def _sized(bought: Bought, position: int, by: int) -> Json:
    line = bought.order["lines"][position]
    return {"line_id": line["line_id"], "quantity": str(Decimal(line["quantity"]) + by)}
