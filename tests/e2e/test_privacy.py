"""A person is forgotten in every service, and no flow and no number is different for it."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from ltc_chassis.clock import parse_clock
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Json, Suite
from ltc_cli.stack import Stack

from .journey import GOLDEN_LINE, Journey, settled

KPIS = (
    "lead_conversion_rate",
    "win_rate",
    "sales_cycle",
    "collected",
    "invoiced",
    "outstanding",
    "on_time_delivery",
    "order_processing_time",
)


async def test_an_erasure_leaves_flow_and_numbers_whole(suite: Suite, feed: EventFeed, stack: Stack) -> None:
    lead = await suite.capture(country="IT", contact={"name": "Zyxanna Rossi", "email": "zyxanna@rossi.example"})
    await suite.qualify(lead["id"])
    journey = Journey(suite, feed, lead)
    opportunity = await journey.wait("opportunity.opened")
    quote = await suite.quote(
        opportunity["opportunity_id"],
        customer={"name": "Zyxanna Rossi", "country": "IT"},
        lines=[GOLDEN_LINE],
        payment_terms_days=30,
    )
    await suite.sign(quote["id"], "Zyxanna Rossi")
    await journey.deliver()
    await suite.pay(await journey.wait("invoice.issued"))
    await journey.wait("order.closed")
    for stage in ("delivered", "closed"):  # of several topics, so in no order
        await settled(suite, [journey], stage)
    now = parse_clock(stack.clock, stack.clock_anchor).now().astimezone(UTC)
    before = await _numbers(suite, now), await suite.flow(journey.flow_id)

    request = await suite.post("lead", "/v1/privacy/requests", {"kind": "erase", "email": "Zyxanna@Rossi.example"})
    path = f"/v1/privacy/requests/{request['id']}"
    shown = await suite.post("lead", f"{path}/preview")
    assert shown["preview"]["leads"] == [lead["id"]]
    await suite.post("lead", f"{path}/confirm", {"identity": "answered_from_address", "digest": shown["digest"]})
    await _told(feed, request["id"], lead)
    assert (await suite.get("lead", f"/v1/leads/{lead['id']}"))["contact"] is None
    await _forgotten_by_sales(suite, opportunity["opportunity_id"])

    for stage in ("delivered", "closed"):  # of several topics, so in no order
        await settled(suite, [journey], stage)
    after = await _numbers(suite, now), await suite.flow(journey.flow_id)
    assert after[0] == before[0]
    assert after[1]["stages"] == before[1]["stages"]
    assert after[1]["residual"] == before[1]["residual"] == "0.00"
    assert [step["event_id"] for step in after[1]["journey"]] == [step["event_id"] for step in before[1]["journey"]]


async def _numbers(suite: Suite, as_of: datetime) -> dict[str, Any]:
    """The KPIs of that moment, as known now."""
    window = {"from": "2026-01-01T00:00:00Z", "to": as_of.isoformat(), "as_of": as_of.isoformat()}
    return {name: (await suite.get("metrics", f"/v1/kpis/{name}", **window))["rows"] for name in KPIS}


async def _told(feed: EventFeed, erasure_id: str, lead: Json) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while not (events := [seen.data for seen in feed.seen(None, "person.erased") if seen.data["erasure_id"] == erasure_id]):
        assert asyncio.get_running_loop().time() < deadline, "person.erased did not come"
        await asyncio.sleep(0.1)
    assert events == [{"erasure_id": erasure_id, "lead_ids": [lead["id"]], "flow_ids": [lead["flow_id"]]}]


async def _forgotten_by_sales(suite: Suite, opportunity_id: str) -> None:
    deadline = asyncio.get_running_loop().time() + 30
    while True:
        deal: Json = await suite.get("sales", f"/v1/opportunities/{opportunity_id}")
        if "Zyxanna" not in str(deal):
            return
        assert asyncio.get_running_loop().time() < deadline, deal
        await asyncio.sleep(0.2)
