"""What is behind an order where nothing lies on a shelf: pumps that are made to order, and projects that are done in milestones."""

import random
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from ltc_chassis.ids import new_id
from ltc_contracts.events import Customer, ErpOrderPlaced, Line
from ltc_contracts.money import Money

from ltc_cli.company.erp import Erp
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Json, Suite

RULES: dict[str, Json] = {
    "pumps": {
        "match": "prefix",
        "pattern": "PUMP-",
        "valid_from": "2026-01-01",
        "steps": [{"kind": "production", "days": 3}, {"kind": "shipment", "days": 2}],
    },
    "rollouts": {
        "match": "exact",
        "pattern": "ROLLOUT",
        "valid_from": "2026-01-01",
        "steps": [
            {"kind": "milestone", "name": "Concept agreed", "days": 2, "share": "40"},
            {"kind": "milestone", "name": "Live", "days": 5, "share": "60"},
        ],
    },
}
_PUMP, _ROLLOUT = Decimal("1890.00"), Decimal("12000.00")
_TIMEOUT = 150.0


async def set_up(suite: Suite) -> None:
    """How pumps and projects are fulfilled. Set up already, nothing changes."""
    known = {rule["code"] for rule in await suite.get("delivery", "/v1/fulfilment-rules")}
    for code, rule in RULES.items():
        if code not in known:
            await suite.put("delivery", f"/v1/fulfilment-rules/{code}", rule)


class Works:
    """Plays made-to-order pumps and projects. `rest` lets so many business days pass."""

    def __init__(
        self,
        suite: Suite,
        feed: EventFeed,
        erp: Erp,
        dice: random.Random,
        *,
        now: Callable[[], datetime],
        rest: Callable[[float], Awaitable[None]],
    ) -> None:
        self._suite = suite
        self._feed = feed
        self._erp = erp
        self._dice = dice
        self._now = now
        self._rest = rest

    async def pumps(self, number: int) -> UUID:
        """The ERP of a customer orders pumps by event; the shop floor makes them, they are sent, invoiced and paid. Returns the flow."""
        quantity = self._dice.randint(2, 20)
        net = Money.of(_PUMP * quantity, "EUR")
        line = Line(
            line_id=new_id(),
            sku=f"PUMP-{self._dice.randint(1, 9)}",
            description="Pump, made to order",
            quantity=Decimal(quantity),
            unit_price=Money.of(_PUMP, "EUR"),
            tax_rate=Decimal(19),
            net=net,
        )
        reference = f"PO-{4500000 + number}-{new_id().hex[-6:]}"
        placed = ErpOrderPlaced(
            external_ref=reference,
            customer=Customer(customer_id=new_id(), name=f"Anlagenbau {number} AG", country="DE"),
            lines=(line,),
            net=net,
            payment_terms_days=14,
            requested_on=(self._now() + timedelta(days=20)).date(),
        )
        await self._erp.tell(placed, self._now())
        order = await self._suite.first("order", "/v1/orders", external_ref=reference)
        flow_id = UUID(order["flow_id"])
        await self._wait(flow_id, "production.completed")
        await self._rest(1)
        await self._hand_over(flow_id)
        await self._paid(flow_id, 1)
        return flow_id

    async def project(self, number: int) -> UUID:
        """A project ordered by checkout: each milestone is handed over, invoiced and paid. Returns the flow."""
        body = {
            "external_ref": f"PRJ-{number}-{new_id().hex[-6:]}",
            "customer": {"name": f"Stadtwerke {number}", "country": "DE"},
            "lines": [
                {
                    "sku": "ROLLOUT",
                    "description": "Rollout of the suite",
                    "quantity": "1",
                    "unit_price": {"amount": str(_ROLLOUT), "currency": "EUR"},
                    "tax_rate": "19",
                    "net": {"amount": str(_ROLLOUT), "currency": "EUR"},
                }
            ],
            "net": {"amount": str(_ROLLOUT), "currency": "EUR"},
            "payment_terms_days": 14,
        }
        order = await self._suite.post("order", "/v1/checkout", body)
        flow_id = UUID(order["flow_id"])
        line = order["lines"][0]["line_id"]
        await self._rest(2)
        await self._hand_over(flow_id, lines=[{"line_id": line, "quantity": "0.4"}])
        await self._paid(flow_id, 1, closes=False)
        await self._rest(3)
        await self._hand_over(flow_id)
        await self._paid(flow_id, 2)
        return flow_id

    async def _hand_over(self, flow_id: UUID, *, lines: list[Json] | None = None) -> None:
        delivery = (await self._wait(flow_id, "delivery.promised"))["delivery_id"]
        await self._suite.post("delivery", f"/v1/deliveries/{delivery}/handovers", {"lines": lines} if lines else {})

    async def _paid(self, flow_id: UUID, number: int, *, closes: bool = True) -> None:
        await self._suite.pay(await self._wait(flow_id, "invoice.issued", count=number))
        await self._wait(flow_id, "order.closed" if closes else "invoice.paid")

    async def _wait(self, flow_id: UUID, topic: str, *, count: int = 1) -> Json:
        return (await self._feed.wait(flow_id, topic, count=count, timeout=_TIMEOUT)).data
