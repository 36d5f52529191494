"""Prepaid orders over HTTP and Kafka: invoiced at once, and credited when they are cancelled; the money stays the customer's."""

import asyncio
import contextlib
import random
from decimal import Decimal
from uuid import UUID

from ltc_cli.company.feed import EventFeed
from ltc_cli.company.shop import Bought, Shop, cart
from ltc_cli.company.suite import Json, Refused, Suite


async def _settled(suite: Suite, bought: Bought, topics: set[str], timeout: float = 60) -> Json:
    """The flow as metrics-svc knows it, once it knows these topics."""
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        journey: list[Json] = []
        with contextlib.suppress(Refused):  # metrics-svc may know nothing of it yet
            flow = await suite.flow(bought.flow_id)
            journey = flow["journey"]
        if topics <= {step["topic"] for step in journey}:
            return flow
        assert asyncio.get_running_loop().time() < deadline, journey
        await asyncio.sleep(0.2)


async def _books(suite: Suite) -> None:
    conservation = await suite.get("metrics", "/v1/conservation")
    assert {row["residual"] for row in conservation["currencies"]} == {"0.00"}, conservation
    trial = await suite.get("billing", "/v1/ledger/trial-balance")
    assert {row["balance"] for row in trial["totals"]} == {"0.00"}, trial


async def test_a_prepaid_order_that_is_paid_and_cancelled_is_credited_and_its_money_is_on_account(
    suite: Suite, feed: EventFeed
) -> None:
    shop = Shop(suite, feed, random.Random(1))
    bought = await shop.play("prepaid_cancelled")
    invoice, note = [await shop.wait(bought, topic) for topic in ("invoice.issued", "invoice.credited")]
    assert (note["gross"], note["invoice_number"]) == (invoice["gross"], invoice["number"])
    assert (note["cause"], note["cause_id"], note["open_after"]["amount"]) == ("cancellation", bought.order["id"], "0.00")

    shown = await suite.get("billing", f"/v1/invoices/{invoice['invoice_id']}")
    assert (shown["credited"], shown["paid"]["amount"], shown["overdue"]) == (invoice["gross"], "0.00", False)
    [credit] = (await suite.get("billing", "/v1/credits", order_id=bought.order["id"]))["items"]
    assert (credit["number"], credit["released"]) == (note["number"], invoice["gross"])
    allocated = await shop.wait(bought, "payment.allocated")
    payment = await suite.get("billing", f"/v1/payments/{allocated['payment_id']}")
    assert (payment["unapplied"], payment["allocations"]) == (invoice["gross"], [])

    flow = await _settled(suite, bought, {"order.cancelled", "invoice.credited", "payment.allocated"})
    assert (flow["residual"], flow["stage"]) == ("0.00", "cancelled")
    process = await suite.get("order", f"/v1/orders/{bought.order['id']}/process")
    assert process["waiting_for"] is None, process
    await _books(suite)

    # The money pays for the next order.
    order = await suite.post("order", "/v1/checkout", cart(random.Random(3), prepaid=True))
    other = Bought("prepaid", UUID(order["flow_id"]), order)
    claimed = await shop.wait(other, "invoice.issued")
    named = {"allocations": [{"number": claimed["number"]}]}
    applied = await suite.post("billing", f"/v1/payments/{payment['id']}/allocations", named)
    paid = min(Decimal(claimed["gross"]["amount"]), Decimal(invoice["gross"]["amount"]))
    assert Decimal(applied["allocated"]["amount"]) == paid
    await _settled(suite, other, {"payment.allocated", "invoice.issued"})
    await _books(suite)


async def test_what_is_taken_back_by_hand_is_owed_no_longer_and_the_order_closes_with_the_rest(
    suite: Suite, feed: EventFeed
) -> None:
    shop = Shop(suite, feed, random.Random(2))
    order = await suite.post("order", "/v1/checkout", cart(random.Random(2), prepaid=True))
    bought = Bought("prepaid", UUID(order["flow_id"]), order)
    invoice = await shop.wait(bought, "invoice.issued")
    line = (await suite.get("billing", f"/v1/invoices/{invoice['invoice_id']}"))["lines"][0]
    body = {"reason": "a scratch", "lines": [{"line_id": line["line_id"], "net": "5.00"}]}
    await suite.post("billing", f"/v1/invoices/{invoice['invoice_id']}/credits", body)
    note = await shop.wait(bought, "invoice.credited")
    rest = Decimal(note["open_after"]["amount"])
    assert rest == Decimal(invoice["gross"]["amount"]) - Decimal("5.95")
    await suite.pay(invoice, rest)
    assert (await shop.wait(bought, "invoice.paid"))["credited"]["amount"] == "5.95"
    promised = await shop.wait(bought, "delivery.promised")
    await suite.post("delivery", f"/v1/deliveries/{promised['delivery_id']}/complete")
    closed = await shop.wait(bought, "order.closed")
    assert Decimal(closed["collected"]["amount"]) == rest
    flow = await _settled(suite, bought, {"order.closed", "invoice.credited"})
    assert flow["residual"] == "0.00"
    await _books(suite)
