"""A delivery whose goods have to be made, and what a shop floor tells of it."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
from ltc_chassis.testing import Deliver
from ltc_contracts.events import MesProductionProgressed

from delivery_svc.tests.builders import a_confirmed_order, a_line, eur
from delivery_svc.tests.rig import Json, plan

NEEDED_BY = date(2026, 1, 12)
# Shipped in three working days, so that what is promised for the 15th is needed by the 12th.
RULE = {
    "match": "exact", "pattern": "PUMP-10", "valid_from": "2026-01-01",
    "steps": [{"kind": "production", "days": 5}, {"kind": "shipment", "days": 3}],
}  # fmt: skip


async def ordered(deliver: Deliver, client: httpx.AsyncClient, quantity: int = 10) -> Json:
    """The production that is ordered for a delivery of pumps."""
    assert (await client.put("/v1/fulfilment-rules/made", json=RULE)).status_code in (200, 409), "made, or there already"
    line = a_line(sku="PUMP-10", description="Pump, 10 bar", quantity=Decimal(quantity), net=eur("3344.16"))
    delivery = await plan(deliver, client, a_confirmed_order(lines=(line,)))
    [found] = (await client.get("/v1/productions", params={"delivery_id": delivery["id"]})).json()["items"]
    assert isinstance(found, dict)
    return found


def report(production: Json, day: float, good: int = 0, **more: Any) -> MesProductionProgressed:
    """How it was so many days after the beginning of the year."""
    given = {
        "production_id": production["id"], "state": "Running", "quantity_good": Decimal(good), "quantity_scrap": Decimal(0),
        "as_of": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day),
    }  # fmt: skip
    return MesProductionProgressed(**given | more)
