"""What is sold is made: the reference MES and delivery-svc talk over Kafka, both are killed in the middle, and each pump is made once."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Json, Suite
from ltc_cli.stack import Stack

pytestmark = [pytest.mark.fault, pytest.mark.timeout(300)]
RULE = {
    "match": "exact", "pattern": "PUMP-MTO", "valid_from": "2026-01-01",
    "steps": [{"kind": "production", "days": 3}, {"kind": "shipment", "days": 2}],
}  # fmt: skip


@contextlib.asynccontextmanager
async def shop_floor(stack: Stack) -> AsyncIterator[None]:
    """`ltc mes` as anybody starts it, until it is killed. Sixteen hours a pump, so that twenty take two weeks, and things break."""
    command = [str(Path(sys.executable).with_name("ltc")), "mes", "--minutes", "960", "--slips", "0.3", "--spare", "100"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "LTC_KAFKA_BOOTSTRAP": stack.kafka_bootstrap,
        "LTC_CLOCK": stack.clock,
        "LTC_CLOCK_ANCHOR": stack.clock_anchor,
    }
    with stack.log("mes").open("ab") as output:
        child = await asyncio.create_subprocess_exec(*command, env=environment, stdout=output, stderr=output)
        try:
            yield
            assert child.returncode is None, stack.log("mes").read_text()
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def cart() -> Json:
    line = {
        "sku": "PUMP-MTO", "description": "Pump, made to order", "quantity": "20", "tax_rate": "19",
        "unit_price": {"amount": "100.00", "currency": "EUR"}, "net": {"amount": "2000.00", "currency": "EUR"},
    }  # fmt: skip
    return {
        "external_ref": f"M-{uuid4().hex[:12]}",
        "customer": {"name": "A plant", "country": "DE"},
        "lines": [line],
        "net": {"amount": "2000.00", "currency": "EUR"},
        "payment_terms_days": 30,
    }


async def test_what_is_ordered_is_made_though_shop_floor_and_service_are_killed(
    stack: Stack, suite: Suite, feed: EventFeed
) -> None:
    await suite.put("delivery", "/v1/fulfilment-rules/made-to-order", RULE)
    order = await suite.post("order", "/v1/checkout", cart())
    flow = UUID(order["flow_id"])
    ordered = (await feed.wait(flow, "production.ordered")).data

    async def told(state: str, good: int = 0) -> None:
        """The MES has said so of this production."""
        while True:
            reports = [each.data for each in feed.seen(None, "mes.production_progressed")]
            mine = [each for each in reports if each["production_id"] == ordered["production_id"]]
            if any(each["state"] == state and float(each["quantity_good"]) >= good for each in mine):
                return
            await asyncio.sleep(0.05)

    async with asyncio.timeout(200):
        async with shop_floor(stack):
            await told("Running", good=2)
        await asyncio.to_thread(stack.kill_service, "delivery")
        async with shop_floor(stack):
            await told("Running", good=6)
            await asyncio.to_thread(stack.start_service, "delivery")
            completed = (await feed.wait(flow, "production.completed", timeout=150)).data
    assert float(completed["quantity_good"]) == 20
    assert completed["production_id"] == ordered["production_id"]
    assert {
        topic: feed.flow(flow).get(topic) for topic in ("production.ordered", "production.completed", "production.failed")
    } == {
        "production.ordered": 1,
        "production.completed": 1,
        "production.failed": None,
    }
    # Two weeks of work for what is to leave in ten days: the customer heard of another day, with the reason, each day once.
    async with asyncio.timeout(20):
        # It is told on a topic of its own, which may be read a moment later.
        while len(feed.seen(flow, "delivery.promised")) < 2:
            await asyncio.sleep(0.05)
    promises = [each.data for each in feed.seen(flow, "delivery.promised")]
    days = [date.fromisoformat(each["promised_on"]) for each in promises]
    assert len(days) > 1
    assert days == sorted(set(days))
    assert {each["reason"] for each in promises[1:]} == {"Pump, made to order will be ready later than planned"}

    await suite.post("delivery", f"/v1/deliveries/{ordered['delivery_id']}/complete")
    await feed.wait(flow, "order.fulfilled")
    assert (await suite.get("delivery", f"/v1/productions/{ordered['production_id']}"))["state"] == "completed"
    assert (await suite.get("delivery", "/v1/parked", state="dead"))["items"] == []
