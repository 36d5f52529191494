"""Each event on the real consumer path and a real database: its effect, once, in whatever order it comes."""

from collections import Counter
from datetime import date
from decimal import Decimal
from random import Random
from uuid import UUID, uuid5

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.events import Event
from ltc_contracts.examples import example
from ltc_contracts.money import Money
from ltc_contracts.topics import owned_by, read_by

from order_svc.consumers import consumers
from order_svc.tests.builders import (
    a_contract,
    a_line,
    allocated,
    cancelled,
    completed,
    credited,
    eur,
    handed_over,
    issued,
    paid,
    progressed,
    refunded,
)
from order_svc.tests.rig import Emissions, Parked, order_id, read, receive, states, told
from order_svc.tests.worlds import Fact, World, make_world


def test_the_service_consumes_exactly_the_topics_it_is_a_reader_of() -> None:
    assert consumers.topics == sorted(topic.name for topic in read_by("order"))


async def test_a_signed_contract_becomes_a_confirmed_order(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    contract = a_contract(lines=(a_line(), a_line(sku="HOSE", quantity=Decimal("2.5"), net=eur("836.04"))))
    order = await receive(deliver, client, contract)
    assert (order["state"], order["number"], order["promised_on"]) == ("confirmed", "O-2026-000001", "2026-01-15")
    assert [line["sku"] for line in order["lines"]] == ["PUMP-7", "HOSE"]
    assert await states(client, order) == ["received", "confirmed"]
    received, confirmed = await emitted()
    assert (received.topic, confirmed.topic) == ("order.received", "order.confirmed")
    assert received.event.lines == confirmed.event.lines == contract.lines
    assert (confirmed.event.payment_terms_days, confirmed.event.promised_on) == (30, date(2026, 1, 15))
    assert (received.sequence, confirmed.sequence) == (1, 2)
    assert str(received.flow_id) == str(confirmed.flow_id) == order["flow_id"]


async def test_lines_come_back_from_the_database_as_they_were_signed(deliver: Deliver, client: httpx.AsyncClient) -> None:
    yen = Money.of("1200", "JPY")
    line = a_line(
        quantity=Decimal("0.000001"),
        unit_price=yen,
        base_quantity=Decimal("0.000001"),
        discount_percent=Decimal(0),
        tax_category="AE",
        tax_rate=Decimal(0),
        net=yen,
    )
    order = await receive(deliver, client, a_contract(lines=(line,)))
    assert order["lines"] == [line.model_dump(mode="json")]
    assert order["net"] == {"amount": "1200", "currency": "JPY"}


async def test_a_requested_day_beyond_the_lead_time_is_promised(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await receive(deliver, client, a_contract(requested_on=date(2026, 3, 1)))
    assert (order["requested_on"], order["promised_on"]) == ("2026-03-01", "2026-03-01")


async def test_the_promise_rule_in_force_on_the_day_counts(
    deliver: Deliver, client: httpx.AsyncClient, db: Database, clock: FixedClock
) -> None:
    async with db.connection() as conn:
        await conn.execute("INSERT INTO promise_rule (valid_from, lead_days) VALUES ('2026-02-01', 5)")
    clock.advance(days=30)
    assert (await receive(deliver, client))["promised_on"] == "2026-02-14"
    clock.advance(days=1)
    assert (await receive(deliver, client))["promised_on"] == "2026-02-06"


async def test_without_a_rule_in_force_the_contract_waits(deliver: Deliver, db: Database, parked: Parked) -> None:
    async with db.connection() as conn:
        await conn.execute("DELETE FROM promise_rule")
    assert await deliver(consumers, a_contract(), flow_id=new_id()) == "parked"
    [row] = await parked()
    assert (row["state"], row["error"]) == ("waiting", "no promise rule is in force on 2026-01-01")


async def test_a_contract_has_one_order_however_often_it_is_told(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    contract, event_id = a_contract(), new_id()
    assert await deliver(consumers, contract, flow_id=new_id(), event_id=event_id) == "processed"
    assert await deliver(consumers, contract, flow_id=new_id(), event_id=event_id) == "duplicate"
    assert await deliver(consumers, contract, flow_id=new_id()) == "processed"
    assert len((await client.get("/v1/orders")).json()["items"]) == 1
    assert len(await emitted()) == 2


async def test_a_contract_without_a_flow_begins_one(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    await deliver(consumers, a_contract(), flow_id=None)
    [order] = (await client.get("/v1/orders")).json()["items"]
    assert {str(item.flow_id) for item in await emitted()} == {order["flow_id"]}


async def test_an_order_lives_from_confirmation_to_cash(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await receive(deliver, client)
    await deliver(consumers, progressed(order_id(order), "40"))
    order = await read(client, order)
    assert (order["state"], order["percent_delivered"]) == ("in_progress", "40")
    await deliver(consumers, completed(order_id(order)))
    order = await read(client, order)
    assert (order["state"], order["percent_delivered"], order["paid"]) == ("fulfilled", "100", False)
    await deliver(consumers, issued(order_id(order)))
    await deliver(consumers, paid(order_id(order)))
    order = await read(client, order)
    assert (order["state"], order["paid"], order["collected"]["amount"]) == ("closed", True, "1223.97")
    assert await states(client, order) == ["received", "confirmed", "in_progress", "fulfilled", "closed"]
    events = await emitted()
    assert told(events, order) == ["order.received", "order.confirmed", "order.fulfilled", "order.closed"]
    assert {str(item.flow_id) for item in events} == {order["flow_id"]}
    sequences = [item.sequence for item in events]
    assert sequences == sorted(set(sequences))


async def test_payment_that_overtakes_the_delivery_closes_at_fulfilment(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    order = await receive(deliver, client)
    await deliver(consumers, paid(order_id(order)))
    assert (await read(client, order))["state"] == "confirmed"
    await deliver(consumers, completed(order_id(order)))
    assert (await read(client, order))["state"] == "fulfilled"  # what was paid is not known yet
    await deliver(consumers, issued(order_id(order)))
    assert (await read(client, order))["state"] == "closed"
    assert told(await emitted(), order)[2:] == ["order.fulfilled", "order.closed"]


async def test_an_invoice_paid_twice_over_is_counted_once(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    order = await receive(deliver, client)
    event = paid(order_id(order))
    for _ in range(3):
        assert await deliver(consumers, event) == "processed"
    await deliver(consumers, completed(order_id(order)))
    await deliver(consumers, issued(order_id(order), invoice_id=event.invoice_id))
    assert (await read(client, order))["collected"] == {"amount": "1223.97", "currency": "EUR"}
    assert told(await emitted(), order).count("order.closed") == 1


@pytest.mark.parametrize("make", [progressed, completed, cancelled, paid])
async def test_a_fact_about_an_unknown_order_waits_for_it(make: object, deliver: Deliver, parked: Parked) -> None:
    assert callable(make)
    assert await deliver(consumers, make(new_id())) == "parked"
    [row] = await parked()
    assert (row["state"], row["reason"]) == ("waiting", "not_yet")


async def test_a_second_completion_changes_nothing(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    order = await receive(deliver, client)
    event = completed(order_id(order))
    await deliver(consumers, event)
    before = await read(client, order)
    assert await deliver(consumers, event) == "processed"
    assert await deliver(consumers, progressed(order_id(order), "50")) == "processed"
    assert await read(client, order) == before
    assert told(await emitted(), order).count("order.fulfilled") == 1


async def test_a_cancellation_that_contradicts_a_delivery_is_kept_for_a_person(
    deliver: Deliver, client: httpx.AsyncClient, parked: Parked
) -> None:
    order = await receive(deliver, client)
    await deliver(consumers, completed(order_id(order)))
    assert await deliver(consumers, cancelled(order_id(order))) == "parked"
    assert (await read(client, order))["state"] == "fulfilled"
    [row] = await parked()
    assert row["reason"] == "error"
    assert "is fulfilled; 'cancel' is not possible" in row["error"]


async def test_money_in_another_currency_than_the_order_is_refused(
    deliver: Deliver, client: httpx.AsyncClient, parked: Parked, db: Database
) -> None:
    order = await receive(deliver, client)
    assert await deliver(consumers, paid(order_id(order), gross=Money.of("5.00", "USD"))) == "parked"
    assert [row["state"] for row in await parked()] == ["dead"]
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM paid_invoice") == 0


@pytest.mark.parametrize("seed", range(12))
async def test_any_interleaving_and_repetition_of_facts_converges(
    seed: int, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, parked: Parked
) -> None:
    random = Random(seed)
    orders = [(make_world(random), await receive(deliver, client)) for _ in range(4)]
    arrivals = [(index, fact) for index, (world, _) in enumerate(orders) for fact in world.facts]
    # Interleave the flows too; within a flow the order of the world stands.
    by_flow = {index: iter(world.facts) for index, (world, _) in enumerate(orders)}
    random.shuffle(arrivals)
    for index, _ in arrivals:
        world, order = orders[index]
        await arrive(deliver, client, world, order_id(order), next(by_flow[index]), random)
    events = await emitted()
    for world, order in orders:
        now = await read(client, order)
        assert now["state"] == world.expected_state
        assert (now["cancellation"] or {}).get("state", world.expected_cancellation) == world.expected_cancellation
        counted = Counter(told(events, order))
        counted.pop("order.cancellation_requested", None)
        assert counted == {"order.received": 1, "order.confirmed": 1, **world.expected_topics}
        assert (await states(client, order))[-1] == world.expected_state
    assert await parked() == []


async def arrive(deliver: Deliver, client: httpx.AsyncClient, world: World, order: UUID, fact: Fact, random: Random) -> None:
    """One fact comes in: as a redelivery of the same event, or told anew under another id."""
    if fact.kind == "ask":
        reply = await client.post(f"/v1/orders/{order}/cancel", json={"reason": "budget cut"})
        assert reply.status_code in {202, 409}
        return
    event_id = derived(world.delivery_id, fact.name) if random.random() < 0.5 else None
    assert await deliver(consumers, event_of(world, order, fact), event_id=event_id) in {"processed", "duplicate"}


def event_of(world: World, order: UUID, fact: Fact) -> Event:
    if fact.kind == "progressed":
        return progressed(order, str(fact.amount), delivery_id=world.delivery_id)
    if fact.kind == "handed_over":
        line = a_line(line_id=derived(world.delivery_id, "line"))
        return handed_over(order, (line, "1"), handover_id=derived(world.delivery_id, fact.name), net=eur(str(fact.amount)))
    if fact.kind == "completed":
        return completed(order, delivery_id=world.delivery_id, parts_told=bool(fact.amount), handovers=int(fact.amount) or None)
    if fact.kind == "cancelled":
        return cancelled(order, delivery_id=world.delivery_id)
    amount, invoice_id = str(fact.amount), derived(world.delivery_id, f"invoice-{fact.name.rpartition('-')[2]}")
    if fact.kind == "issued":
        return issued(order, amount, amount, invoice_id=invoice_id)
    return paid(order, invoice_id=invoice_id, gross=eur(amount))


def derived(base: UUID, name: str) -> UUID:
    """An id that is the same for the same name of the same world."""
    return uuid5(base, name)


@pytest.mark.parametrize("name", [topic.name for topic in read_by("order")])
async def test_the_golden_examples_of_what_we_read_are_accepted(name: str, deliver: Deliver, parked: Parked) -> None:
    event = example(name).event
    outcome = await deliver(consumers, event, flow_id=new_id())
    assert outcome == "processed" or [row["reason"] for row in await parked()] == ["not_yet"]


def test_what_we_tell_is_what_we_own() -> None:
    assert {topic.name for topic in owned_by("order")} == {
        "order.received",
        "order.confirmed",
        "order.cancellation_requested",
        "order.cancelled",
        "order.change_requested",
        "order.changed",
        "order.fulfilled",
        "order.closed",
        "order.held",
        "order.released",
        "order.stalled",
        *(f"subscription.{what}" for what in ("started", "renewed", "changed", "paused", "resumed", "cancelled")),
        *(f"subscription.{what}" for what in ("cancellation_withdrawn", "order_lapsed", "ended", "revenue_moved")),
    }


async def test_what_was_taken_back_of_a_paid_invoice_is_no_money(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await receive(deliver, client, a_contract())
    told_paid = paid(order_id(order), credited=eur("223.97"))
    await deliver(consumers, told_paid, flow_id=UUID(order["flow_id"]))
    assert (await read(client, order))["collected"] == {"amount": "1000.00", "currency": "EUR"}


async def test_receivables_of_another_system_wait_for_no_order_of_ours(deliver: Deliver, parked: Parked) -> None:
    elsewhere, invoice = id_elsewhere("order", "", "611365"), new_id()
    facts = [
        issued(elsewhere, invoice_id=invoice),
        allocated(elsewhere, invoice, "1223.97"),
        paid(elsewhere, invoice_id=invoice),
        credited(elsewhere, invoice, "1.00", "1.00"),
        refunded(elsewhere, invoice, "1.00"),
    ]
    assert [await deliver(consumers, fact, flow_id=new_id()) for fact in facts] == ["processed"] * 5
    assert await parked() == []
    # One of ours that is not known yet is waited for.
    assert await deliver(consumers, issued(new_id()), flow_id=new_id()) != "processed"
