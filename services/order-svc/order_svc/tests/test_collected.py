"""What an order collected is the money that is left of its paid invoices, whatever is told first; its page claims nothing below zero."""

from itertools import permutations

import httpx
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Event

from order_svc.consumers import consumers
from order_svc.tests.builders import allocated, completed, credited, eur, issued, paid, refunded
from order_svc.tests.rig import Emissions, check_out, order_id, read


async def test_a_credit_note_lessens_what_was_collected_before_and_after_closing(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    bill = issued(order_id(order))
    credit = credited(order_id(order), bill.invoice_id, "223.97", "183.58")
    for event in (bill, paid(order_id(order), invoice_id=bill.invoice_id), credit, credit):
        await deliver(consumers, event)
    assert (await read(client, order))["collected"]["amount"] == "1000.00"
    await deliver(consumers, completed(order_id(order)))
    [closed] = [item.event for item in await emitted() if item.topic == "order.closed"]
    assert closed.collected == eur("1000.00")
    await deliver(consumers, credited(order_id(order), bill.invoice_id, "100.00", "81.97"))
    after = await read(client, order)
    assert (after["state"], after["collected"]["amount"]) == ("closed", "900.00")
    assert [item.topic for item in await emitted()].count("order.closed") == 1


async def test_the_same_is_collected_and_open_whatever_is_told_first(deliver: Deliver, client: httpx.AsyncClient) -> None:
    for told in ("credit on account", "refunded", "bounced"):
        for number, order_of in enumerate(list(permutations(range(4)))[::3]):
            order = await check_out(client, f"{told} {number}")
            bill = issued(order_id(order))
            events: list[Event] = [
                bill,
                allocated(order_id(order), bill.invoice_id, "1223.97"),
                paid(order_id(order), invoice_id=bill.invoice_id),
                credited(order_id(order), bill.invoice_id, "223.97", "183.58"),
            ]
            back = {"credit on account": None, "refunded": "223.97", "bounced": "1223.97"}[told]
            events = [events[index] for index in order_of]
            if back is not None:
                events.insert(number % 5, refunded(order_id(order), bill.invoice_id, back))
            for event in events:
                assert await deliver(consumers, event) == "processed"
            [invoice] = (await client.get(f"/v1/orders/{order['id']}/page")).json()["invoices"]["items"]
            expected = ("0.00", "1000.00") if told == "bounced" else ("1000.00", "0.00")
            found = ((await read(client, order))["collected"]["amount"], invoice["open"]["amount"])
            assert found == expected, (told, order_of)
