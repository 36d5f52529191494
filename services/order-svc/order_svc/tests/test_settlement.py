"""An order is closed when all that was handed over is invoiced and paid, whatever is heard first."""

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver

from order_svc.consumers import consumers
from order_svc.tests.builders import NOW, completed, decided, eur, handed_over, issued, paid, promised
from order_svc.tests.rig import TELL_LATE, Emissions, RunTimer, check_out, order_id, process_of, read, told
from order_svc.tests.wishes import change, lines_of, wished


async def test_an_order_of_several_invoices_is_closed_with_the_last_of_them_whatever_comes_first(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    for number, early in enumerate((False, True)):
        order = await check_out(client, f"W-{number}")
        [pump] = lines_of(order)
        parts = [
            handed_over(order_id(order), (pump, quantity), net=eur(net)) for quantity, net in (("1", "334.42"), ("2", "668.83"))
        ]
        bills = [issued(order_id(order), gross, net) for gross, net in (("407.99", "334.42"), ("815.97", "668.83"))]
        money = [paid(order_id(order), invoice_id=bill.invoice_id, gross=bill.gross) for bill in bills]
        done = completed(order_id(order), handovers=2, parts_told=True)
        # Everything about the first part, and that all is delivered, before or after the second part is heard of.
        for event in (parts[0], bills[0], money[0], *(() if early else (parts[1],)), done):
            await deliver(consumers, event)
        assert (await read(client, order))["state"] == "fulfilled"
        assert (await process_of(client, order))["step"] == "collect"
        rest = (money[1], parts[1], bills[1]) if early else (bills[1], money[1])
        for event in rest:
            assert (await read(client, order))["state"] == "fulfilled"
            await deliver(consumers, event)
        assert (await read(client, order))["state"] == "closed"
        assert (await process_of(client, order))["step"] == "closed"
        assert told(await emitted(), order).count("order.closed") == 1


async def test_a_paid_order_waits_for_the_invoice_of_what_was_sent_again_for_what_came_back(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    [pump] = lines_of(order)
    first, again = issued(order_id(order)), issued(order_id(order), "407.99", "334.42")
    parts = [
        handed_over(order_id(order), (pump, quantity), net=eur(net)) for quantity, net in (("3", "1003.25"), ("1", "334.42"))
    ]
    done = completed(order_id(order), handovers=2, parts_told=True)
    for event in (first, paid(order_id(order), invoice_id=first.invoice_id), *parts, done):
        await deliver(consumers, event)
    assert (await read(client, order))["state"] == "fulfilled"
    for event in (again, paid(order_id(order), invoice_id=again.invoice_id, gross=again.gross)):
        await deliver(consumers, event)
    assert (await read(client, order))["state"] == "closed"


async def test_what_a_paid_order_became_dearer_by_has_its_own_time_to_be_paid(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    order = await check_out(client, invoicing="on_confirmation")
    bill = issued(order_id(order))
    for event in (promised(order_id(order)), bill, paid(order_id(order), invoice_id=bill.invoice_id)):
        await deliver(consumers, event, occurred_at=NOW)
    assert (await process_of(client, order))["step"] == "deliver"
    clock.advance(days=20)
    change_id = await wished(client, order, change((lines_of(order)[0], "4")))
    await deliver(consumers, decided(order_id(order), change_id), occurred_at=clock.now())
    process = await process_of(client, order)
    assert (process["step"], process["since"][:10], process["deadline"][:10]) == ("collect", "2026-01-21", "2026-02-04")
    await run_timer(TELL_LATE)
    assert "order.cancellation_requested" not in told(await emitted(), order)
    more = issued(order_id(order), "407.98", "334.41", change_id=change_id)
    for event in (more, paid(order_id(order), invoice_id=more.invoice_id, gross=more.gross)):
        await deliver(consumers, event, occurred_at=clock.now())
    assert (await process_of(client, order))["step"] == "deliver"
