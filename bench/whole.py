"""The suite as a whole: one flow's machine time, and what a service costs to start and to keep."""

import time
from decimal import Decimal
from uuid import UUID

from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import SERVICES, Suite
from ltc_cli.stack import Stack

from bench.report import Row, percentile
from bench.rig import serve

_FLOWS = 20
_LINE = {"sku": "PUMP", "description": "Pump", "quantity": "2", "unit_price": "950.00", "tax_rate": "22"}


async def flow(stack: Stack) -> list[Row]:
    """From the capture of a lead to its order closed, one deal at a time, everybody answering at once."""
    took: list[float] = []
    async with (
        Suite({name: stack.url(name) for name in SERVICES}, stack.token()) as suite,
        EventFeed(stack.kafka_bootstrap) as feed,
    ):
        for number in range(_FLOWS + 3):
            began = time.perf_counter()
            await _deal(suite, feed, number)
            if number >= 3:  # the first ones warm up
                took.append((time.perf_counter() - began) * 1000)
    p50 = percentile(took, 0.5)
    return [
        Row(
            "one flow, lead to cash, 14 HTTP calls, 20 events",
            f"p50 {p50:.0f} ms, worst {max(took):.0f} ms",
            "all six services, one machine",
            "<= 500 ms",
            p50 <= 500,
        )
    ]


async def _deal(suite: Suite, feed: EventFeed, number: int) -> None:
    lead = await suite.capture(company=f"Bench {number}", country="IT")
    flow_id = UUID(lead["flow_id"])
    await suite.qualify(lead["id"])
    opportunity = (await feed.wait(flow_id, "opportunity.opened")).data["opportunity_id"]
    quote = await suite.quote(opportunity, customer={"name": f"Bench {number}", "country": "IT"}, lines=[_LINE])
    await suite.sign(quote["id"], "A. Buyer")
    delivery = (await feed.wait(flow_id, "delivery.promised")).data["delivery_id"]
    await suite.post("delivery", f"/v1/deliveries/{delivery}/complete")
    invoice = (await feed.wait(flow_id, "invoice.issued")).data
    await suite.pay(invoice, Decimal(invoice["gross"]["amount"]))
    await feed.wait(flow_id, "order.closed")


async def start(stack: Stack) -> list[Row]:
    """Each service started alone: from its process to ready, and its memory then."""
    rows = []
    for service in SERVICES:
        async with serve(stack, f"{service}_svc", stack.dsn(service)) as served:
            rows.append(
                Row(
                    f"start and memory, {service}-svc",
                    f"{served.ready_s:.1f} s, {served.rss_mb:.0f} MB",
                    "",
                    "<= 3 s, <= 150 MB",
                    served.ready_s <= 3 and served.rss_mb <= 150,
                )
            )
    return rows
