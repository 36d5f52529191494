"""An order wishes to be another: what has left stays, the rest becomes what was wished, and each wish is answered once."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Line, OrderChangeRequested
from ltc_contracts.money import Money

from delivery_svc.consumers import consumers
from delivery_svc.domain.change import Wish, decide
from delivery_svc.domain.fulfilment import Book
from delivery_svc.domain.plan import Plan, PlannedLine, Step
from delivery_svc.tests.builders import NOW, a_confirmed_order, a_delivery, a_line, eur
from delivery_svc.tests.rig import Emissions, Json, plan, post, read, told
from delivery_svc.tests.test_handovers import HOSE, parts

PUMP = {"unit_price": eur("100.00"), "discount_percent": Decimal(0)}


def pumps(quantity: int, **more: Any) -> Line:
    return a_line(**PUMP | {"quantity": Decimal(quantity), "net": eur(str(quantity * 100))} | more)


def wish(delivery: Json, *lines: Line, **more: Any) -> OrderChangeRequested:
    given = {
        "order_id": UUID(delivery["order_id"]),
        "number": delivery["order_number"],
        "change_id": new_id(),
        "lines": lines,
        "reason": "changed their mind",
    }
    return OrderChangeRequested(**given | more)


async def answers(emitted: Emissions) -> list[Any]:
    return [item.event for item in await emitted() if item.topic == "delivery.change_decided"]


async def test_what_is_not_handed_over_becomes_what_was_wished(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    line, hose = pumps(3), a_line(**HOSE)
    delivery = await plan(deliver, client, a_confirmed_order(lines=(line, hose)))
    await post(client, delivery, "handovers", parts(delivery, "1", None))
    extra = pumps(1, sku="VALVE")
    assert await deliver(consumers, wish(delivery, pumps(5, line_id=line.line_id), extra)) == "processed"
    [answer] = await answers(emitted)
    assert (answer.granted, answer.reason) == (True, None)
    assert [(each.line_id, each.quantity) for each in answer.delivered] == [(line.line_id, Decimal(1))]
    now = await read(client, delivery)
    assert [(each["sku"], each["quantity"]) for each in now["lines"]] == [("PUMP-7", "5"), ("VALVE", "1")]
    assert (now["net"]["amount"], [each["left"] for each in now["quantities"]]) == ("600.00", ["4", "1"])
    assert [(step["quantity"], step["done"], step["state"]) for step in now["steps"]] == [
        ("3", "1", "in_progress"),
        ("2", "0", "planned"),
        ("2.5", "0", "cancelled"),
        ("1", "0", "planned"),
    ]
    await post(client, delivery, "complete", {})
    events = [item.event for item in await emitted()]
    gone = [event.net for event in events if event.TOPIC == "delivery.handed_over"]
    assert (Money.total(gone, "EUR"), events[-1].net, len(events[-1].lines)) == (eur("600"), eur("600"), 2)


async def test_when_nothing_is_left_to_deliver_the_delivery_completes(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    line = pumps(3)
    delivery = await plan(deliver, client, a_confirmed_order(lines=(line, a_line(**HOSE))))
    await post(client, delivery, "handovers", parts(delivery, "2", None))
    clock.advance(days=20)
    await deliver(consumers, wish(delivery, pumps(2, line_id=line.line_id)))
    now = await read(client, delivery)
    assert (now["state"], now["percent"], now["completed_at"], now["on_time"]) == (
        "completed",
        "100",
        "2026-01-01T00:00:00Z",
        True,
    )
    assert {step["state"] for step in now["steps"]} == {"done", "cancelled"}
    events = await emitted()
    assert told(events, delivery)[-2:] == ["delivery.change_decided", "delivery.completed"]
    assert [item.sequence for item in events] == list(range(1, len(events) + 1))
    end = events[-1].event
    assert (end.net, end.handovers, end.parts_told) == (eur("200"), 1, True)
    assert (end.handed, end.short, end.beyond, end.changes) == (eur("200"), eur("0"), eur("0"), 1)


async def test_what_the_customer_has_cannot_be_unwished(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    line, hose = pumps(3), a_line(**HOSE)
    delivery = await plan(deliver, client, a_confirmed_order(lines=(line, hose)))
    await post(client, delivery, "handovers", parts(delivery, "2", None))
    before = await read(client, delivery)
    for lines, why in [
        ((pumps(1, line_id=line.line_id), hose), "the customer has 2 of PUMP-7"),
        ((hose,), "the customer has 2 of PUMP-7"),
        (
            (pumps(3, line_id=line.line_id, unit_price=eur("90.00"), net=eur("270")), hose),
            "product and price of PUMP-7 are fixed",
        ),
        ((pumps(3, line_id=line.line_id), pumps(1, line_id=line.line_id)), "a line is named twice"),
    ]:
        await deliver(consumers, wish(delivery, *lines))
        answer = (await answers(emitted))[-1]
        assert (answer.granted, answer.reason[: len(why)]) == (False, why)
    now = await read(client, delivery)
    assert now | {"version": 0, "updated_at": ""} == before | {"version": 0, "updated_at": ""}
    # What came back is not had any more.
    body = {"lines": [{"line_id": str(line.line_id), "quantity": "1"}], "reason": "x"}
    assert (await post(client, delivery, "returns", body)).status_code == 201
    await deliver(consumers, wish(delivery, pumps(1, line_id=line.line_id)))
    assert (await answers(emitted))[-1].granted is True
    assert (await read(client, delivery))["state"] == "completed"


@pytest.mark.parametrize(("wished", "held"), [(4, "4"), (6, "6"), (2, "2"), (5, "4")])
async def test_a_quantity_named_anew_is_what_the_customer_has_in_the_end_whatever_came_back(
    wished: int, held: str, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    """Of five pumps three were handed over, and one came back for credit. Where the quantity stays, it stays given back."""
    line, hose = pumps(5), a_line(**HOSE)
    delivery = await plan(deliver, client, a_confirmed_order(lines=(line, hose)))
    await post(client, delivery, "handovers", parts(delivery, "3", None))
    await post(client, delivery, "returns", {"lines": [{"line_id": str(line.line_id), "quantity": "1"}], "reason": "too heavy"})
    await deliver(consumers, wish(delivery, pumps(wished, line_id=line.line_id), hose, pumps(1, sku="VALVE")))
    assert (await answers(emitted))[-1].granted is True
    now = await read(client, delivery)
    assert now["quantities"][0]["left"] == str(int(held) - 2)
    open_steps = [step for step in now["steps"] if step["line_id"] == str(line.line_id) and step["state"] != "done"]
    assert sum(Decimal(step["quantity"]) - Decimal(step["done"]) for step in open_steps) == int(held) - 2
    await post(client, delivery, "complete", {})
    done = await read(client, delivery)
    assert (done["state"], done["quantities"][0]["held"]) == ("completed", held)
    moved = [item.event for item in await emitted() if item.topic in ("delivery.handed_over", "delivery.returned")]
    worth = [event.net if event.TOPIC == "delivery.handed_over" else -event.net for event in moved]
    assert Money.total(worth, "EUR") == eur(str(int(held) * 100 + 25 + 100)), "what they have is what they pay"


def test_what_was_made_and_came_back_is_no_reason_against_wanting_fewer() -> None:
    """Four were made of three, one of them for one that came back: they may want a valve as well, and not fewer than three."""
    line = PlannedLine(line=pumps(3), position=1, handed_over=Decimal(3), returned=Decimal(1), replaced=Decimal(1))
    step = Step(id=new_id(), line_id=line.id, position=1, kind="production", hands_over=False, quantity=Decimal(4), done=Decimal(4),
                state="done", planned_on=NOW.date())  # fmt: skip
    more = Wish(change_id=new_id(), lines=(line.line, pumps(1, sku="VALVE")), promised_on=None, reason="more")
    delivery = a_delivery()
    book = Book((), {}, NOW.date(), new_id)

    def plan_line(given: Line, position: int) -> PlannedLine:
        return book.line(given, position, of_a_period=False, prepaid=False)

    def decided(wished: Wish) -> str | None:
        return decide(delivery, Plan(lines=(line,), steps=(step,)), wished, plan_line, lambda *_: (), NOW).refused

    assert decided(more) is None
    assert decided(replace(more, lines=(pumps(2, line_id=line.id),))) == "3 of PUMP-7 are made"


async def test_a_delivery_that_has_ended_is_not_changed(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "complete", {})
    await deliver(consumers, wish(delivery, pumps(9)))
    [answer] = await answers(emitted)
    assert (answer.granted, answer.reason) == (False, "the delivery is completed")


async def test_a_wish_is_answered_once_however_often_it_is_told(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    line = pumps(3)
    delivery = await plan(deliver, client, a_confirmed_order(lines=(line,)))
    once = wish(delivery, pumps(2, line_id=line.line_id))
    await deliver(consumers, once)
    await deliver(consumers, wish(delivery, pumps(4, line_id=line.line_id)))
    for _ in range(3):
        await deliver(consumers, once)
    assert len(await answers(emitted)) == 2
    assert (await read(client, delivery))["lines"][0]["quantity"] == "4"


async def test_a_wish_before_its_order_waits(deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions) -> None:
    order, flow_id = a_confirmed_order(), new_id()
    early = wish({"order_id": str(order.order_id), "order_number": order.number}, order.lines[0])
    assert await deliver(consumers, early, flow_id=flow_id) == "parked"
    await deliver(consumers, order, flow_id=flow_id)
    await deliver.retry(consumers)
    assert [answer.granted for answer in await answers(emitted)] == [True]


@pytest.mark.parametrize(("wished", "promised"), [("2026-02-03", "2026-02-03"), ("2025-12-01", "2026-01-01")])
async def test_another_day_is_promised_as_wished_or_as_soon_as_possible(
    wished: str, promised: str, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    line = pumps(3)
    delivery = await plan(deliver, client, a_confirmed_order(lines=(line,)))
    await deliver(consumers, wish(delivery, line, requested_on=wished))
    now = await read(client, delivery)
    assert (now["promised_on"], now["promise_version"], now["steps"][0]["planned_on"]) == (promised, 2, promised)
    [answer] = await answers(emitted)
    assert str(answer.promised_on) == promised
    # Why the order is changed is our people's note; the customer reads the reason of the promise.
    told_why = [item.event.reason for item in await emitted() if item.topic == "delivery.promised"]
    assert told_why == [None, "the order was changed"]


async def test_changes_racing_hand_overs_are_decided_one_after_the_other(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    for count in range(6):
        line = pumps(3)
        delivery = await plan(deliver, client, a_confirmed_order(lines=(line,)))
        less = wish(delivery, pumps(1, line_id=line.line_id))
        racers: list[Any] = [post(client, delivery, "handovers", parts(delivery, "2")), deliver(consumers, less)]
        replies = await asyncio.gather(*(racers if count % 2 else reversed(racers)))
        [reply] = [each for each in replies if isinstance(each, httpx.Response)]
        answer = (await answers(emitted))[-1]
        now = await read(client, delivery)
        # Two left before it was less, or it was less before two left; never both.
        assert answer.granted == (reply.status_code == 409)
        assert now["lines"][0]["quantity"] == ("1" if answer.granted else "3")
        assert now["quantities"][0]["held"] == ("0" if answer.granted else "2")
