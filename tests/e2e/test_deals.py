"""Whole deals over HTTP and Kafka only: the happy path, and the ways in which a deal goes otherwise."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from ltc_cli.company.feed import EventFeed
from ltc_cli.company.suite import Refused, Suite

from .journey import EVERY_STAGE, GROSS, Journey, settled, tomorrow_and


async def test_a_deal_goes_from_lead_to_cash_and_every_step_is_seen_once(suite: Suite, feed: EventFeed) -> None:
    journey = await Journey.begin(suite, feed)
    await journey.to_cash()
    invoice = await journey.wait("invoice.issued")
    assert invoice["gross"] == {"amount": GROSS, "currency": "EUR"}
    assert (await journey.wait("order.closed"))["collected"] == {"amount": GROSS, "currency": "EUR"}
    counts = journey.counts()
    assert {topic: counts.get(topic) for topic in EVERY_STAGE} == dict.fromkeys(EVERY_STAGE, 1)
    await settled(suite, [journey], "paid")

    flow = await suite.flow(journey.flow_id)
    topics = [step["topic"] for step in flow["journey"]]
    assert set(EVERY_STAGE) <= set(topics)
    assert {step["service"] for step in flow["journey"]} == {"lead", "sales", "order", "delivery", "billing"}
    # Every step can be found in the traces, and names the event that caused it or none (a person did it).
    assert all(len(step["trace_id"]) == 32 for step in flow["journey"])
    ids = {step["event_id"] for step in flow["journey"]}
    caused = [step for step in flow["journey"] if step["causation_id"]]
    assert {step["topic"] for step in caused} >= {"opportunity.opened", "order.confirmed", "delivery.promised", "invoice.issued"}
    assert all(step["causation_id"] in ids for step in caused)
    # An event and the one it causes are in the same trace: one can be followed through outbox and Kafka.
    by_id = {step["event_id"]: step for step in flow["journey"]}
    assert all(by_id[step["causation_id"]]["trace_id"] == step["trace_id"] for step in caused)
    assert flow["residual"] == "0.00"


async def test_a_lost_deal_ends_with_its_reason_and_orders_nothing(suite: Suite, feed: EventFeed) -> None:
    journey = await Journey.begin(suite, feed)
    quote = await journey.quote()
    opportunity = await journey.wait("opportunity.opened")
    await suite.post("sales", f"/v1/opportunities/{opportunity['opportunity_id']}/lose", {"reason": "price"})
    assert (await journey.wait("opportunity.lost"))["reason"] == "price"
    with pytest.raises(Refused) as refused:
        await suite.post("sales", f"/v1/quotes/{quote['id']}/accept")
    assert refused.value.status == 409
    await settled(suite, [journey], "lost")
    assert "order.received" not in journey.counts()


async def test_an_order_is_cancelled_before_delivery_and_nothing_is_invoiced(suite: Suite, feed: EventFeed) -> None:
    journey = await Journey.begin(suite, feed)
    order = await journey.order()
    await journey.wait("delivery.promised")
    await suite.post("order", f"/v1/orders/{order['order_id']}/cancel", {"reason": "project stopped"})
    assert (await journey.wait("order.cancelled"))["reason"] == "project stopped"
    counts = journey.counts()
    assert counts["delivery.cancelled"] == 1
    assert "invoice.issued" not in counts
    await settled(suite, [journey], "cancelled")


async def test_a_cancellation_after_work_began_does_not_stop_the_delivery(suite: Suite, feed: EventFeed) -> None:
    journey = await Journey.begin(suite, feed)
    order = await journey.order()
    promised = await journey.wait("delivery.promised")
    await suite.post("delivery", f"/v1/deliveries/{promised['delivery_id']}/progress", {"percent": "50"})
    await suite.first("order", "/v1/orders", flow_id=journey.flow_id, state="in_progress")
    await suite.post("order", f"/v1/orders/{order['order_id']}/cancel", {"reason": "too late"})
    await suite.post("delivery", f"/v1/deliveries/{promised['delivery_id']}/complete")
    await journey.wait("order.fulfilled")
    await suite.pay(await journey.wait("invoice.issued"))
    await journey.wait("order.closed")
    assert "order.cancelled" not in journey.counts()
    await settled(suite, [journey], "paid")


async def test_a_late_delivery_counts_as_late(suite: Suite, feed: EventFeed, now: datetime) -> None:
    journey = await Journey.begin(suite, feed)
    await journey.order(requested_on=tomorrow_and(16, now))
    promised = await journey.wait("delivery.promised")
    # A new promise of the day after tomorrow would be kept; the one given to the customer is what counts, so wait it out.
    due = datetime.fromisoformat(promised["promised_on"]).date()
    completed = None
    while completed is None:
        await asyncio.sleep(0.5)
        delivery = await suite.get("delivery", f"/v1/deliveries/{promised['delivery_id']}")
        captured = feed.seen(journey.flow_id, "delivery.promised")[0].envelope.occurred_at
        assert delivery["state"] != "completed"
        clock = await _business_time(suite)
        assert captured <= clock
        if clock.date() > due + timedelta(days=1):
            completed = await suite.post("delivery", f"/v1/deliveries/{promised['delivery_id']}/complete")
    assert (await journey.wait("delivery.completed"))["on_time"] is False
    await settled(suite, [journey], "invoiced")


async def test_a_payment_in_parts_and_late_closes_the_order_and_counts_as_late(suite: Suite, feed: EventFeed) -> None:
    journey = await Journey.begin(suite, feed)
    await journey.order(terms=1)
    await journey.deliver()
    invoice = await journey.wait("invoice.issued")
    overdue = await journey.wait("invoice.overdue", timeout=30)
    assert overdue["open"] == {"amount": GROSS, "currency": "EUR"}
    assert overdue["days_overdue"] >= 1
    first = Decimal("2000.00")
    await suite.pay(invoice, first)
    partial = await journey.wait("payment.allocated")
    assert partial["open_after"]["amount"] == str(Decimal(GROSS) - first)
    shown = await suite.get("billing", f"/v1/invoices/{invoice['invoice_id']}")
    assert (shown["payment_state"], shown["overdue"]) == ("partial", True)
    await suite.pay(invoice, Decimal(GROSS) - first)
    paid = await journey.wait("invoice.paid")
    assert paid["on_time"] is False
    assert (await journey.wait("order.closed"))["collected"]["amount"] == GROSS
    assert journey.counts()["invoice.overdue"] == 1
    await settled(suite, [journey], "paid")


async def _business_time(suite: Suite) -> datetime:
    """What the clock of the services says: the capture time of a lead made now."""
    lead = await suite.capture(company="Clock probe")
    return datetime.fromisoformat(lead["created_at"])
