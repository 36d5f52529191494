"""How one deal goes: a script drawn from a seeded random, and the player that acts it out over HTTP, waiting on events."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_cli.company.feed import EventFeed
from ltc_cli.company.front_office import REPS, accept_by_link, call, sign_by_link
from ltc_cli.company.suite import Json, Suite

Ending = Literal["disqualified", "lost", "cancelled", "paid", "paid_late", "paid_in_parts", "unpaid"]

PRODUCTS = (
    ("CRM-BASIC", "CRM Basic, per seat and year", "550.00"),
    ("CRM-PRO", "CRM Pro, per seat and year", "4821.00"),
    ("SUPPORT", "Premium support, per month", "348.35"),
    ("ONBOARDING", "Onboarding, per day", "1096.00"),
)
COUNTRIES = (("DE", "19"), ("FR", "20"), ("IT", "22"), ("AT", "20"), ("NL", "21"))


@dataclass(frozen=True, slots=True)
class Script:
    """What will happen, and after how many business days each."""

    ending: Ending
    late: bool
    to_quote: float
    to_sign: float
    lead_time: int
    terms: int
    to_pay: float
    lines: tuple[tuple[int, int], ...]  # product, quantity
    discount: int
    country: int
    rep: int
    by_link: bool


def write_script(dice: random.Random, *, must_be_paid: bool = False, brisk: bool = False) -> Script:
    """Draw one deal. `must_be_paid` leaves out the endings without cash; `brisk` makes every wait shorter."""
    endings: dict[Ending, int] = {
        "disqualified": 12,
        "lost": 20,
        "cancelled": 6,
        "paid": 32,
        "paid_late": 12,
        "paid_in_parts": 10,
        "unpaid": 8,
    }
    if must_be_paid:
        endings = {name: weight for name, weight in endings.items() if name.startswith("paid")}
    ending = dice.choices(list(endings), list(endings.values()))[0]
    lead_time, terms = (5, 6) if brisk else (dice.choice((7, 10, 14)), dice.choice((7, 10, 14)))
    return Script(
        ending=ending,
        late=dice.random() < 0.2,
        to_quote=dice.uniform(0.5, 2) if brisk else dice.uniform(1, 4),
        to_sign=dice.uniform(0.5, 2) if brisk else dice.uniform(1, 6),
        lead_time=lead_time,
        terms=terms,
        to_pay=terms + dice.uniform(2, 6) if ending == "paid_late" else dice.uniform(0.3, 0.8) * terms,
        lines=tuple((dice.randrange(len(PRODUCTS)), dice.randint(1, 12)) for _ in range(dice.randint(1, 3))),
        discount=dice.choice((0, 0, 0, 4, 10)),
        country=dice.randrange(len(COUNTRIES)),
        rep=dice.randrange(len(REPS)),
        by_link=dice.random() < 0.15,
    )


class Player:
    """Acts deals out. `day_s` is the length of a business day in wall seconds."""

    def __init__(self, suite: Suite, feed: EventFeed, *, day_s: float, now: Callable[[], datetime]) -> None:
        self._suite = suite
        self._feed = feed
        self._day_s = day_s
        self._now = now

    async def play(self, lead: Json, script: Script, *, company: str) -> str:
        """From a captured lead to the script's end; returns the ending."""
        suite, flow_id = self._suite, UUID(lead["flow_id"])
        await self._days(0.5)
        if not script.late:
            await call(suite, lead["id"], REPS[script.rep])
        # A lead that asked for a demo qualifies by itself, so it may have done so meanwhile.
        qualified = (await suite.get("lead", f"/v1/leads/{lead['id']}"))["status"] in ("qualified", "converted")
        if script.ending == "disqualified":
            if not qualified:
                await suite.post("lead", f"/v1/leads/{lead['id']}/disqualify", {"reason": "no budget"})
                return script.ending
            # Sales finds out what marketing could not.
            script = replace(script, ending="lost")
        if not qualified:
            await suite.qualify(lead["id"], REPS[script.rep])
        opportunity = (await self._feed.wait(flow_id, "opportunity.opened")).data
        opportunity_id = opportunity["opportunity_id"]
        if opportunity["owner"] is None:
            await suite.give(opportunity_id, REPS[script.rep])
        await suite.post("sales", f"/v1/opportunities/{opportunity_id}/stage", {"stage": "discovery"})
        await self._days(script.to_quote)
        if script.late:
            await call(suite, lead["id"], REPS[script.rep])
        quote = await suite.quote(opportunity_id, **self._offer(script, company))
        await self._days(script.to_sign)
        if script.ending == "lost":
            await suite.post("sales", f"/v1/opportunities/{opportunity_id}/lose", {"reason": "chose a competitor"})
            return script.ending
        if script.by_link:
            await accept_by_link(suite, quote["id"], f"Buyer of {company}")
            contract = await suite.draw_up(quote["id"])
            await sign_by_link(suite, contract["id"], f"Buyer of {company}")
        else:
            await suite.sign(quote["id"], f"Buyer of {company}")
        order = (await self._feed.wait(flow_id, "order.confirmed")).data
        if script.ending == "cancelled":
            await suite.post("order", f"/v1/orders/{order['order_id']}/cancel", {"reason": "project stopped"})
            await self._feed.wait(flow_id, "order.cancelled")
            return script.ending
        await self._deliver(flow_id, script)
        await self._pay(flow_id, script)
        return script.ending

    def _offer(self, script: Script, company: str) -> dict[str, Any]:
        country, rate = COUNTRIES[script.country]
        lines = [
            {
                "sku": PRODUCTS[product][0],
                "description": PRODUCTS[product][1],
                "quantity": str(quantity),
                "unit_price": PRODUCTS[product][2],
                "discount_percent": str(script.discount),
                "tax_rate": rate,
            }
            for product, quantity in script.lines
        ]
        wanted = self._now() + timedelta(days=script.to_sign + script.lead_time + 1)
        return {
            "customer": {"name": company, "country": country},
            "lines": lines,
            "payment_terms_days": script.terms,
            "requested_on": wanted.date().isoformat(),
        }

    async def _deliver(self, flow_id: UUID, script: Script) -> None:
        promised = (await self._feed.wait(flow_id, "delivery.promised")).data
        path = f"/v1/deliveries/{promised['delivery_id']}"
        await self._days(script.lead_time * 0.4)
        await self._suite.post("delivery", f"{path}/progress", {"percent": "50", "note": "half of it is installed"})
        due = datetime.fromisoformat(promised["promised_on"]).replace(tzinfo=UTC)
        # On time is any moment until the end of the promised day; late is the day after, at the earliest.
        if script.late:
            await self._days(max((due + timedelta(days=1.2) - self._now()) / timedelta(days=1), 0.0))
        else:
            await self._days(script.lead_time * 0.4)
        await self._suite.post("delivery", f"{path}/complete")

    async def _pay(self, flow_id: UUID, script: Script) -> None:
        invoice = (await self._feed.wait(flow_id, "invoice.issued")).data
        if script.ending == "unpaid":
            return
        await self._days(script.to_pay)
        if script.ending == "paid_in_parts":
            part = (Decimal(invoice["gross"]["amount"]) * Decimal("0.4")).quantize(Decimal("0.01"), ROUND_HALF_UP)
            await self._suite.pay(invoice, part)
            await self._days(1)
            await self._suite.pay(invoice, Decimal(invoice["gross"]["amount"]) - part)
        else:
            await self._suite.pay(invoice)
        await self._feed.wait(flow_id, "invoice.paid")
        await self._feed.wait(flow_id, "order.closed")

    async def _days(self, days: float) -> None:
        await asyncio.sleep(days * self._day_s)
