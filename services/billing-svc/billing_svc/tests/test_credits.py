"""Prepaid orders, changes, cancellations and returns: the same claim remains, whatever came first and however often."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import UUID

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, record_of
from ltc_chassis.timers import Timer
from ltc_contracts.events import Event
from ltc_contracts.examples import example
from ltc_contracts.money import Money

from billing_svc.consumers import consumers
from billing_svc.tests.builders import (
    amended,
    came_back,
    cancelled,
    completed,
    confirmed,
    handed_over,
    line,
    order_changed,
    part,
    payment_body,
    promised,
)
from billing_svc.tests.telling import Emissions, Json, balances, claimed, tell, told
from billing_svc.timers import TIMERS


@pytest.mark.parametrize("promise_first", [False, True])
async def test_a_prepaid_order_is_invoiced_whole_once_it_is_confirmed_and_its_delivery_known(
    deliver: Deliver, emitted: Emissions, promise_first: bool
) -> None:
    whole = line("10.35", "4")
    order = confirmed(whole)
    known = promised(order.order_id)
    pair: list[Event] = [known, order] if promise_first else [order, known]
    await tell(deliver, pair[:1])
    assert await told(emitted, "invoice.issued", order.order_id) == []
    same: Json = {"order_id": order.order_id, "delivery_id": known.delivery_id}
    parts = [handed_over(part(whole, "2", before), invoicing="on_confirmation", **same) for before in ("0", "2")]
    await tell(deliver, [*pair[1:], *pair, promised(order.order_id, promise_version=2), *parts])
    # A writer that knows neither parts nor prepaid orders tells the whole.
    await tell(deliver, [completed(whole, **same), completed(whole, parts_told=True, **same)])
    [invoice] = await told(emitted, "invoice.issued", order.order_id)
    assert (invoice.net, invoice.delivery_id, invoice.handover_id) == (whole.net, known.delivery_id, None)
    assert str(invoice.due_on) == "2026-01-15"


async def test_promises_of_a_batch_lead_to_the_invoices_of_those_that_are_prepaid_and_confirmed(
    deliver: Deliver, emitted: Emissions
) -> None:
    prepaid, later = confirmed(line("10.35", "4")), confirmed(line("1.00", "1"))
    await tell(deliver, [prepaid])
    records = [record_of(promised(order_id), flow_id=new_id()) for order_id in (new_id(), prepaid.order_id, later.order_id)]
    await deliver.records(consumers, records)
    [issued] = [each for each in await emitted() if each.topic == "invoice.issued"]
    assert issued.event.order_id == prepaid.order_id
    assert issued.headers["ce_causationid"].encode() == dict(records[1].headers)["ce_id"]
    await tell(deliver, [later, promised(prepaid.order_id, promise_version=2)])
    assert await claimed(emitted, later.order_id) == later.net.amount
    assert await claimed(emitted, prepaid.order_id) == prepaid.net.amount


async def test_an_order_that_is_cancelled_before_is_never_invoiced(deliver: Deliver, emitted: Emissions) -> None:
    order = confirmed(line())
    await tell(deliver, [cancelled(order.order_id, order.net), order, promised(order.order_id)])
    assert await told(emitted, "invoice.issued", order.order_id) == []


async def test_a_cancelled_order_is_credited_whole_and_what_was_paid_is_on_account(
    deliver: Deliver,
    emitted: Emissions,
    client: httpx.AsyncClient,
    clock: FixedClock,
    run_timer: Callable[[Timer], Awaitable[int]],
) -> None:
    order = confirmed(line("100.00", "2", "0", "19"), line("50.00", "1", "0", "7"))
    await tell(deliver, [order, promised(order.order_id)])
    [invoice] = await told(emitted, "invoice.issued", order.order_id)
    payment = (await client.post("/v1/payments", json=payment_body("200.00", reference=invoice.number))).json()
    for _ in range(2):
        await tell(deliver, [cancelled(order.order_id, order.net)])
    [note] = await told(emitted, "invoice.credited", order.order_id)
    assert (note.number, note.invoice_number, note.cause, note.cause_id) == (
        "CN-2026-000001",
        invoice.number,
        "cancellation",
        order.order_id,
    )
    assert (note.net, note.tax, note.gross, note.open_after) == (invoice.net, invoice.tax, invoice.gross, Money.zero("EUR"))
    [settled] = await told(emitted, "invoice.paid", order.order_id)
    assert settled.credited == invoice.gross
    assert await balances(client) == {
        "cash": "200.00",
        "receivable": "0.00",
        "revenue": "0.00",
        "tax": "0.00",
        "unapplied_cash": "-200.00",
    }
    shown = (await client.get(f"/v1/payments/{payment['id']}")).json()
    assert (shown["unapplied"]["amount"], shown["allocations"]) == ("200.00", [])
    clock.advance(days=60)
    assert await run_timer(TIMERS[0]) == 0
    assert (await client.get("/v1/receivables/ageing")).json()["currencies"] == []
    # The money can pay for something else.
    other = completed(line("150.00", "1", "0", "0"))
    await tell(deliver, [other])
    [next_invoice] = await told(emitted, "invoice.issued", other.order_id)
    body = {"allocations": [{"number": next_invoice.number}]}
    again = (await client.post(f"/v1/payments/{payment['id']}/allocations", json=body)).json()
    assert (again["allocated"]["amount"], again["unapplied"]["amount"]) == ("150.00", "50.00")


async def test_a_prepaid_order_that_becomes_more_is_invoiced_further_and_one_that_becomes_less_is_credited(
    deliver: Deliver, emitted: Emissions
) -> None:
    kept, less, new = line("10.35", "4"), line("20.05", "3", "33"), line("7.00", "2")
    order = confirmed(kept, less)
    change = order_changed(order.order_id, [kept, less], [amended(kept, "7"), amended(less, "1"), new])
    await tell(deliver, [change, promised(order.order_id), order, change])
    first, further = await told(emitted, "invoice.issued", order.order_id)
    assert (first.change_id, further.change_id) == (None, change.change_id)
    assert further.net == amended(kept, "7").net - kept.net + new.net
    [note] = await told(emitted, "invoice.credited", order.order_id)
    assert (note.net, note.cause, note.cause_id) == (less.net - amended(less, "1").net, "change", change.change_id)
    assert await claimed(emitted, order.order_id) == change.net.amount


async def test_a_change_of_what_is_invoiced_on_delivery_credits_only_what_became_cheaper(
    deliver: Deliver, emitted: Emissions
) -> None:
    whole = line("10.00", "10", "0")
    order_id, delivery = new_id(), new_id()
    same: Json = {"order_id": order_id, "delivery_id": delivery}
    fewer = order_changed(order_id, [whole], [amended(whole, "6")], invoicing="on_delivery")
    first = handed_over(part(whole, "5"), **same)
    await tell(deliver, [first, fewer])
    assert await told(emitted, "invoice.credited", order_id) == []
    cheap = amended(whole, "6", unit_price=Money.of("8.00", "EUR"))
    cheaper = order_changed(order_id, fewer.lines, [cheap], invoicing="on_delivery")
    rest = handed_over(part(cheap, "1", "5"), **same)
    await tell(deliver, [rest, cheaper, cheaper])
    notes = await told(emitted, "invoice.credited", order_id)
    assert sum(note.net.amount for note in notes) == 10
    assert {note.cause_id for note in notes} == {cheaper.change_id}
    assert await claimed(emitted, order_id) == cheaper.net.amount


async def test_what_comes_back_is_credited_on_the_latest_invoice_of_it(deliver: Deliver, emitted: Emissions) -> None:
    whole, other = line("10.35", "6", "33"), line("5.00", "1")
    same: Json = {"order_id": new_id(), "delivery_id": new_id()}
    order_id: UUID = same["order_id"]
    returned = came_back(order_id, (whole, "5", "6"))
    await tell(deliver, [returned])
    assert await told(emitted, "invoice.credited", order_id) == []
    parts = [handed_over(part(whole, "4"), **same), handed_over(part(whole, "2", "4"), part(other, "1"), **same)]
    await tell(deliver, [*parts, returned])
    notes = await told(emitted, "invoice.credited", order_id)
    first, second = await told(emitted, "invoice.issued", order_id)
    assert [note.invoice_id for note in notes] == [second.invoice_id, first.invoice_id]
    assert {(note.cause, note.cause_id) for note in notes} == {("return", returned.return_id)}
    assert notes[0].net == parts[1].lines[0].net
    assert await claimed(emitted, order_id) == parts[0].net.amount + parts[1].net.amount - returned.net.amount


async def test_a_return_takes_only_what_nobody_credited_by_hand(
    deliver: Deliver, emitted: Emissions, client: httpx.AsyncClient
) -> None:
    whole = line("100.00", "1", "0", "0")
    handed = handed_over(part(whole, "1"))
    await tell(deliver, [handed])
    [invoice] = await told(emitted, "invoice.issued", handed.order_id)
    body = {"reason": "a scratch", "lines": [{"line_id": str(whole.line_id), "net": "10.00"}]}
    assert (await client.post(f"/v1/invoices/{invoice.invoice_id}/credits", json=body)).status_code == 201
    await tell(deliver, [came_back(handed.order_id, (whole, "1", "1"))])
    assert [str(note.net.amount) for note in await told(emitted, "invoice.credited", handed.order_id)] == ["10.00", "90.00"]


def prepaid_history() -> tuple[UUID, list[list[Event]], Decimal]:
    """A prepaid order: five became ten, eight were handed over, two of those came back and one was replaced; the rest was dropped.

    Events of one topic stay in their order, as Kafka keeps it.
    """
    was, more = line("10.35", "5", "33"), line("3.33", "3")
    order = confirmed(was, more)
    order_id, delivery = order.order_id, new_id()
    ten, eight = amended(was, "10"), amended(was, "8")
    same: Json = {"order_id": order_id, "delivery_id": delivery, "invoicing": "on_confirmation"}
    back = came_back(order_id, (eight, "2", "8"), invoicing="on_confirmation")
    topics: list[list[Event]] = [
        [order],
        [promised(order_id, delivery_id=delivery)],
        [order_changed(order_id, [was, more], [ten, more]), order_changed(order_id, [ten, more], [eight, more])],
        [handed_over(part(ten, "8"), part(more, "3"), **same), handed_over(part(eight, "1", "6"), number=2, **same)],
        [back],
    ]
    seven = amended(was, "7")
    return order_id, topics, seven.net.amount + more.net.amount


async def test_whatever_comes_first_the_same_is_claimed_in_the_end(deliver: Deliver, emitted: Emissions) -> None:
    draw = random.Random(4)
    for _ in range(25):
        order_id, topics, expected = prepaid_history()
        flow = new_id()
        waiting = [list(events) for events in topics]
        while any(waiting):
            events = draw.choice([each for each in waiting if each])
            event = events.pop(0)
            await tell(deliver, [event, event] if draw.random() < 0.3 else [event], flow)
        assert await claimed(emitted, order_id) == expected
        issued = await told(emitted, "invoice.issued", order_id)
        assert len({(each.handover_id, each.change_id) for each in issued}) == len(issued)


async def test_returns_and_hand_overs_in_any_order_leave_what_the_customer_has(deliver: Deliver, emitted: Emissions) -> None:
    draw = random.Random(5)
    for _ in range(15):
        whole = line("10.35", "9", "33")
        same: Json = {"order_id": new_id(), "delivery_id": new_id()}
        parts: list[Event] = [handed_over(part(whole, "3", before), **same) for before in ("0", "3", "4")]
        back: list[Event] = [came_back(same["order_id"], (whole, "2", "6")), came_back(same["order_id"], (whole, "1", "7"))]
        waiting = [parts, back]
        while any(waiting):
            await tell(deliver, [draw.choice([each for each in waiting if each]).pop(0)])
        assert await claimed(emitted, same["order_id"]) == amended(whole, "6").net.amount


async def test_the_golden_examples_are_accepted(deliver: Deliver) -> None:
    for topic in ("order.confirmed", "delivery.promised", "order.changed", "order.cancelled", "delivery.returned"):
        sample = example(topic)
        assert await deliver(consumers, sample.event, flow_id=sample.envelope.flow_id) == "processed", topic


async def test_an_invoice_is_credited_by_hand_in_part_and_whole_once_per_key(
    deliver: Deliver, emitted: Emissions, client: httpx.AsyncClient
) -> None:
    delivery = completed(line("100.00", "1", "0", "19"), line("50.00", "2", "0", "7"))
    await tell(deliver, [delivery])
    [invoice] = await told(emitted, "invoice.issued", delivery.order_id)
    where, first = f"/v1/invoices/{invoice.invoice_id}/credits", str(delivery.lines[0].line_id)
    body: Json = {"reason": "goodwill", "lines": [{"line_id": first, "net": "30.00"}]}
    replies = [await client.post(where, json=body, headers={"Idempotency-Key": "one"}) for _ in range(2)]
    note = replies[0].json()
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[1].json() == note
    assert (note["number"], note["gross"]["amount"], note["cause"]) == ("CN-2026-000001", "35.70", "manual")
    shown = (await client.get(f"/v1/invoices/{invoice.invoice_id}")).json()
    assert (shown["credited"]["amount"], shown["open"]["amount"], shown["payment_state"]) == ("35.70", "190.30", "open")
    for wrong, status, field in (
        ({"reason": "x", "lines": [{"line_id": first, "net": "70.01"}]}, 400, "lines.0"),
        ({"reason": "x", "lines": [{"line_id": str(new_id())}]}, 400, "lines.0"),
        ({"reason": "x", "lines": [{"line_id": first, "net": "1.001"}]}, 400, "lines.0.net"),
        ({"reason": "x", "lines": [{"line_id": first, "net": "0"}]}, 409, None),
        ({"reason": " "}, 422, None),
        ({"reason": "x", "lines": []}, 422, None),
    ):
        reply = await client.post(where, json=wrong)
        assert (reply.status_code, reply.json().get("field")) == (status, field), reply.text
    rest = (await client.post(where, json={"reason": "all of it"})).json()
    assert (rest["number"], rest["gross"]["amount"]) == ("CN-2026-000002", "190.30")
    assert (await client.post(where, json={"reason": "more"})).status_code == 409
    assert (await client.post(f"/v1/invoices/{new_id()}/credits", json={"reason": "x"})).status_code == 404
    shown = (await client.get(f"/v1/invoices/{invoice.invoice_id}")).json()
    assert (shown["open"]["amount"], shown["payment_state"], shown["overdue"]) == ("0.00", "paid", False)
    listed = (await client.get("/v1/credits", params={"invoice_id": str(invoice.invoice_id)})).json()["items"]
    assert [each["number"] for each in listed] == ["CN-2026-000001", "CN-2026-000002"]
    assert (await client.get(f"/v1/credits/{listed[0]['id']}")).json() == note
    assert (await client.get("/v1/credits", params={"order_id": str(new_id())})).json()["items"] == []
    assert set((await balances(client)).values()) == {"0.00"}
    kinds = (await client.get("/v1/ledger/entries", params={"invoice_id": str(invoice.invoice_id)})).json()["items"]
    assert [each["kind"] for each in kinds] == ["invoice", "credit", "credit"]


async def test_credits_and_payments_at_once_never_pass_the_invoice(
    deliver: Deliver, emitted: Emissions, client: httpx.AsyncClient
) -> None:
    delivery = completed(line("100.00", "1", "0", "0"))
    await tell(deliver, [delivery])
    [invoice] = await told(emitted, "invoice.issued", delivery.order_id)
    name = str(delivery.lines[0].line_id)

    async def pay() -> int:
        return (await client.post("/v1/payments", json=payment_body("40.00", reference=invoice.number))).status_code

    async def take_back() -> int:
        body = {"reason": "x", "lines": [{"line_id": name, "net": "30.00"}]}
        for _ in range(20):
            status = (await client.post(f"/v1/invoices/{invoice.invoice_id}/credits", json=body)).status_code
            if status < 500:
                return status
        raise AssertionError("never answered")

    replies = await asyncio.gather(*(each() for _ in range(5) for each in (pay, take_back)))
    assert sorted(replies[1::2]) == [201, 201, 201, 400, 400]
    shown = (await client.get(f"/v1/invoices/{invoice.invoice_id}")).json()
    assert shown["credited"]["amount"] == "90.00"
    assert Decimal(shown["paid"]["amount"]) + Decimal(shown["open"]["amount"]) == 10
    payments = (await client.get("/v1/payments")).json()["items"]
    assert sum(Decimal(each["allocated"]["amount"]) for each in payments) == Decimal(shown["paid"]["amount"])
    found = await balances(client)
    assert Decimal(found["receivable"]) == Decimal(shown["open"]["amount"])


async def test_numbers_of_credit_notes_have_no_gap_and_a_note_never_changes(
    db: Database, deliver: Deliver, emitted: Emissions, client: httpx.AsyncClient
) -> None:
    for _ in range(3):
        delivery = completed(line("10.00", "1", "0", "0"))
        await tell(deliver, [delivery])
        [invoice] = await told(emitted, "invoice.issued", delivery.order_id)
        wrong = {"reason": "x", "lines": [{"line_id": str(delivery.lines[0].line_id), "net": "11.00"}]}
        assert (await client.post(f"/v1/invoices/{invoice.invoice_id}/credits", json=wrong)).status_code == 400
        assert (await client.post(f"/v1/invoices/{invoice.invoice_id}/credits", json={"reason": "x"})).status_code == 201
    listed = (await client.get("/v1/credits")).json()["items"]
    assert [each["number"] for each in listed] == [f"CN-2026-{number:06d}" for number in (1, 2, 3)]
    for statement in ("UPDATE credit_note SET reason = 'y'", "DELETE FROM credit_note", "TRUNCATE credit_note CASCADE"):
        async with db.connection() as conn:
            with pytest.raises(asyncpg.RestrictViolationError):
                await conn.execute(statement)
    async with db.connection() as conn:
        with pytest.raises(asyncpg.CheckViolationError):
            await conn.execute("UPDATE invoice SET credited = gross, paid = 1, last_received_on = '2026-01-01'")


async def test_what_never_leads_to_an_invoice_holds_nothing_up(
    deliver: Deliver, parked: Callable[[], Awaitable[list[asyncpg.Record]]]
) -> None:
    lost, whole = new_id(), line()
    await tell(deliver, [came_back(lost, (whole, "1", "1")), order_changed(lost, [whole], [amended(whole, "1")])])
    await tell(deliver, [cancelled(new_id(), whole.net), promised(new_id())])
    assert await parked() == []
