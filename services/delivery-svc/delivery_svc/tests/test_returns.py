"""What comes back, what could not be handed over, and what the customer is told of it."""

import asyncio
from collections import Counter
from datetime import date
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.errors import DomainError
from ltc_contracts.events import DeliveryCompleted
from ltc_contracts.money import Money

from delivery_svc.consumers import consumers
from delivery_svc.domain import goods_return as returns
from delivery_svc.domain import handover as handovers
from delivery_svc.domain.goods_return import Back
from delivery_svc.domain.handover import Part
from delivery_svc.domain.plan import PlannedLine, Step
from delivery_svc.tests.builders import NOW, a_confirmed_order, a_delivery, a_line, a_plan, a_request, eur
from delivery_svc.tests.rig import Emissions, Json, order_of, plan, post, read, told
from delivery_svc.tests.test_handovers import parts


def back(delivery: Json, quantity: str, treatment: str = "restock", **more: object) -> Json:
    line = {"line_id": delivery["lines"][0]["line_id"], "quantity": quantity, "treatment": treatment}
    return {"lines": [line], "reason": "too many"} | more


async def test_what_comes_back_is_told_with_its_worth_also_after_the_end(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "complete", {})
    clock.advance(days=2)
    reply = await post(client, delivery, "returns", back(delivery, "1", "scrap", returned_at="2026-01-02T08:00:00Z"))
    assert (reply.status_code, reply.json()["net"]) == (201, {"amount": "334.42", "currency": "EUR"})
    now = await read(client, delivery)
    assert (now["state"], now["percent"]) == ("completed", "100")
    assert [(each["held"], each["returned"], each["left"]) for each in now["quantities"]] == [("2", "1", "0")]
    event = (await emitted())[-1]
    assert (event.topic, event.sequence, event.headers["ce_time"]) == ("delivery.returned", 4, "2026-01-02T08:00:00.000000Z")
    [line] = event.event.lines
    assert (line.quantity, line.delivered_before, line.treatment, line.net) == (Decimal(1), Decimal(3), "scrap", eur("334.42"))
    listed = (await client.get(f"/v1/deliveries/{delivery['id']}/returns")).json()["items"]
    assert [item["id"] for item in listed] == [reply.json()["id"]]


async def test_nobody_sends_back_more_than_they_have(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "handovers", parts(delivery, "2"))
    await post(client, delivery, "returns", back(delivery, "1"))
    refused = await post(client, delivery, "returns", back(delivery, "1.5"))
    assert (refused.status_code, refused.json()["type"], refused.json()["held"]) == (
        409,
        "urn:ltc:problem:return-beyond-held",
        "1",
    )
    for body, status, slug in [
        (back(delivery, "1", returned_at="2026-01-01T00:00:01Z"), 400, "return-in-the-future"),
        (back(delivery, "1", returned_at="2025-12-31T00:00:00Z"), 400, "return-before-planned"),
        (back(delivery, "1") | {"lines": back(delivery, "0.1")["lines"] * 2}, 400, "line-not-in-delivery"),
        (back(delivery, "0"), 422, "malformed-request"),
    ]:
        reply = await post(client, delivery, "returns", body)
        assert (reply.status_code, reply.json()["type"]) == (status, f"urn:ltc:problem:{slug}")
    # What came back is not delivered again: one is left, as before.
    assert (await read(client, delivery))["quantities"][0]["left"] == "1"


async def test_what_is_replaced_is_delivered_again_while_the_delivery_is_open(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "handovers", parts(delivery, "2"))
    await post(client, delivery, "returns", back(delivery, "2", replace=True))
    now = await read(client, delivery)
    assert (now["quantities"][0]["left"], now["percent"]) == ("3", "0.00")
    assert [(step["quantity"], step["done"], step["state"]) for step in now["steps"]] == [
        ("3", "2", "in_progress"),
        ("2", "0", "planned"),
    ]
    await post(client, delivery, "complete", {})
    done = await read(client, delivery)
    assert (done["state"], done["quantities"][0]["held"]) == ("completed", "3")
    assert {step["state"] for step in done["steps"]} == {"done"}
    refused = await post(client, delivery, "returns", back(delivery, "1", replace=True))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:replacement-needs-order")
    moved = [item.event for item in await emitted() if item.topic in ("delivery.handed_over", "delivery.returned")]
    worth = [event.net if event.TOPIC == "delivery.handed_over" else -event.net for event in moved]
    assert Money.total(worth, "EUR") == eur("1003.25")
    [end] = [item.event for item in await emitted() if item.topic == "delivery.completed"]
    assert (end.net, end.handed, end.short, end.beyond) == (eur("1003.25"), eur("1672.08"), eur("0"), eur("668.83"))


async def test_returns_at_once_never_take_back_more_than_was_handed_over(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "complete", {})
    replies = await asyncio.gather(*(post(client, delivery, "returns", back(delivery, "1")) for _ in range(6)))
    assert Counter(reply.status_code for reply in replies) == {201: 3, 409: 3}
    assert told(await emitted(), delivery).count("delivery.returned") == 3


async def test_a_failed_attempt_plans_the_next_and_promises_it_where_it_is_later(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    first = await post(client, delivery, "attempts", {"code": "absent", "note": "nobody at the gate"})
    # 2026-01-01 is a Thursday.
    assert (first.status_code, first.json()["number"], first.json()["next_attempt_on"]) == (201, 1, "2026-01-02")
    assert (await read(client, delivery))["promised_on"] == "2026-01-15"
    clock.advance(days=14)
    second = await post(client, delivery, "attempts", {"code": "address", "next_attempt_on": "2026-01-20"})
    assert second.json()["number"] == 2
    now = await read(client, delivery)
    assert (now["promised_on"], now["steps"][0]["planned_on"], now["attempts"], now["state"]) == (
        "2026-01-20",
        "2026-01-20",
        2,
        "planned",
    )
    _, one, two, promised = await emitted()
    assert (one.event.code, one.event.attempt, one.event.next_attempt_on) == ("absent", 1, date(2026, 1, 2))
    assert (two.event.attempt, promised.topic) == (2, "delivery.promised")
    assert (promised.event.was, promised.event.reason) == (date(2026, 1, 15), "the address was not found")
    made = (await client.get(f"/v1/deliveries/{delivery['id']}/promises")).json()["items"]
    assert [item["reason"] for item in made] == [None, "the address was not found"]
    listed = (await client.get(f"/v1/deliveries/{delivery['id']}/attempts", params={"limit": 1})).json()
    assert ([item["number"] for item in listed["items"]], listed["next"]) == ([1], 1)


async def test_a_promise_for_an_attempt_that_is_told_late_is_made_when_it_is_told(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    clock.advance(days=18)
    body = {"code": "absent", "failed_at": "2026-01-15T16:00:00Z", "next_attempt_on": "2026-01-20"}
    assert (await post(client, delivery, "attempts", body)).status_code == 201
    times = {item.topic: item.headers["ce_time"][:10] for item in await emitted()}
    assert (times["delivery.failed"], times["delivery.promised"]) == ("2026-01-15", "2026-01-19")


async def test_a_customer_who_refuses_it_can_still_cancel(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    refused = await post(client, delivery, "attempts", {"code": "refused"})
    assert refused.json()["next_attempt_on"] is None
    await deliver(consumers, a_request(order_of(delivery)))
    assert (await read(client, delivery))["state"] == "cancelled"
    assert (await post(client, delivery, "attempts", {"code": "absent"})).status_code == 409


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        ({"failed_at": "2026-01-01T00:00:01Z"}, "attempt-in-the-future"),
        ({"failed_at": "2025-12-31T00:00:00Z"}, "attempt-before-planned"),
        ({"next_attempt_on": "2025-12-31"}, "next-attempt-in-the-past"),
    ],
)
async def test_attempts_lie_behind_us_and_the_next_before_us(
    body: Json, slug: str, deliver: Deliver, client: httpx.AsyncClient
) -> None:
    delivery = await plan(deliver, client)
    reply = await post(client, delivery, "attempts", {"code": "other"} | body)
    assert (reply.status_code, reply.json()["type"]) == (400, f"urn:ltc:problem:{slug}")


def _again(line: PlannedLine, quantity: Decimal) -> list[Step]:
    return [Step(id=new_id(), line_id=line.id, position=99, kind="shipment", quantity=quantity, planned_on=NOW.date())]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["hand", "back", "again"]), st.integers(1, 400)), max_size=25))
def test_whatever_goes_and_comes_back_the_money_is_that_of_what_the_customer_has(moves: list[tuple[str, int]]) -> None:
    line = a_line(quantity=Decimal(7), unit_price=eur("33.33"), discount_percent=Decimal("12.5"), net=eur("204.15"))
    delivery, left, paid, gone = a_delivery(a_confirmed_order(lines=(line,))), a_plan(line), eur("0"), eur("0")
    for move, share in moves:
        quantity = Decimal(share) / 100
        try:
            if move == "hand":
                handed = handovers.hand_over(
                    delivery, left, [Part(line.line_id, quantity)], handover_id=new_id(), at=None, now=NOW, by="anna"
                )
                delivery, left, paid = handed.delivery, handed.plan, paid + handed.handover.net
                gone, end = gone + handed.handover.net, handed.events[-1]
                if isinstance(end, DeliveryCompleted):
                    assert end.short is not None
                    assert end.beyond is not None
                    assert end.handed == gone == end.net - end.short + end.beyond
            else:
                taken = returns.take_back(
                    delivery,
                    left,
                    [Back(line.line_id, quantity, "restock")],
                    _again,
                    return_id=new_id(),
                    reason="",
                    at=None,
                    now=NOW,
                    by="anna",
                    again=move == "again",
                )
                delivery, left, paid = taken.delivery, taken.plan, paid - taken.goods_return.net
        except DomainError:
            continue
        now = left.lines[0]
        assert paid == now.worth(now.held)
        assert Decimal(0) <= now.held <= line.quantity
        assert (delivery.state == "completed") == (now.left == 0)
        assert sum(step.open for step in left.steps) == now.left
