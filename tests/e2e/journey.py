"""The steps that several end-to-end tests share, each in the words of the business."""

import contextlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Json, Refused, Suite

# RULES 4, golden: 348.35 x 16 less 4 % at 22 % is 6,527.81.
GOLDEN_LINE: Json = {
    "sku": "SUPPORT",
    "description": "Premium support",
    "quantity": "16",
    "unit_price": "348.35",
    "discount_percent": "4",
    "tax_rate": "22",
}
GROSS = "6527.81"
EVERY_STAGE = (
    "lead.captured",
    "lead.qualified",
    "opportunity.opened",
    "quote.sent",
    "quote.accepted",
    "contract.signed",
    "opportunity.won",
    "order.received",
    "order.confirmed",
    "delivery.promised",
    "delivery.completed",
    "order.fulfilled",
    "invoice.issued",
    "payment.allocated",
    "invoice.paid",
    "order.closed",
)


class Journey:
    """One deal in a test."""

    def __init__(self, suite: Suite, feed: EventFeed, lead: Json) -> None:
        self.suite = suite
        self.feed = feed
        self.lead = lead
        self.flow_id = UUID(lead["flow_id"])

    @classmethod
    async def begin(cls, suite: Suite, feed: EventFeed) -> "Journey":
        """A captured and qualified lead."""
        company = f"Test {uuid4().hex[:8]} GmbH"
        lead = await suite.capture(company=company, country="IT", contact={"name": "A. Rossi"})
        await suite.qualify(lead["id"])
        return cls(suite, feed, lead)

    async def wait(self, topic: str, **how: Any) -> Json:
        """The data of this flow's event."""
        return (await self.feed.wait(self.flow_id, topic, **how)).data

    async def quote(self, requested_on: datetime | None = None, terms: int = 30) -> Json:
        """An opportunity with a quote at the customer's."""
        opportunity = await self.wait("opportunity.opened")
        more: Json = {"payment_terms_days": terms}
        if requested_on is not None:
            more["requested_on"] = requested_on.date().isoformat()
        customer = {"name": self.lead["company"], "country": "IT"}
        return await self.suite.quote(opportunity["opportunity_id"], customer=customer, lines=[GOLDEN_LINE], **more)

    async def order(self, **how: Any) -> Json:
        """A signed contract, and the order it became."""
        quote = await self.quote(**how)
        await self.suite.sign(quote["id"], "A. Rossi")
        return await self.wait("order.confirmed")

    async def deliver(self) -> Json:
        """The delivery, begun and completed at once."""
        promised = await self.wait("delivery.promised")
        await self.suite.post("delivery", f"/v1/deliveries/{promised['delivery_id']}/progress", {"percent": "50"})
        await self.suite.post("delivery", f"/v1/deliveries/{promised['delivery_id']}/complete")
        return await self.wait("delivery.completed")

    async def to_cash(self) -> None:
        """Everything, without any human wait."""
        await self.order()
        await self.deliver()
        await self.suite.pay(await self.wait("invoice.issued"))
        await self.wait("order.closed")

    def counts(self) -> dict[str, int]:
        """Distinct events per topic."""
        return self.feed.flow(self.flow_id)


def tomorrow_and(days: int, now: datetime) -> datetime:
    """A requested day that lies ahead."""
    return now + timedelta(days=1 + days)


async def settled(suite: Suite, journeys: list[Journey], stage: str, timeout: float = 60) -> None:
    """Wait until metrics-svc knows every journey at `stage`, then see that no cent appeared or disappeared."""
    import asyncio

    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    for journey in journeys:
        while True:
            stages: list[Json] = []
            with contextlib.suppress(Refused):  # metrics-svc may know nothing of it yet
                stages = (await suite.flow(journey.flow_id))["stages"]
            if stage in {reached["stage"] for reached in stages}:
                break
            assert loop.time() < deadline, f"{journey.flow_id} has not reached {stage}: {stages}"
            await asyncio.sleep(0.1)
    conservation = await suite.get("metrics", "/v1/conservation")
    for row in conservation["currencies"]:
        assert row["residual"] == "0.00", conservation
    trial = await suite.get("billing", "/v1/ledger/trial-balance")
    for row in trial["totals"]:
        assert row["balance"] == "0.00", trial
