"""What the customer gets, part by part: quantities, money, and that nothing is handed over twice."""

import asyncio
from collections import Counter
from decimal import Decimal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.money import Money

from delivery_svc.consumers import consumers
from delivery_svc.domain import handover as rules
from delivery_svc.domain.handover import Part, TooMuchHandedOver
from delivery_svc.domain.plan import Allowance, PlannedLine
from delivery_svc.tests.builders import NOW, a_confirmed_order, a_delivery, a_line, a_plan, a_request, eur
from delivery_svc.tests.rig import Emissions, Json, order_of, plan, post, read, told

HOSE = {
    "sku": "HOSE",
    "quantity": Decimal("2.5"),
    "unit_price": eur("10.00"),
    "discount_percent": Decimal(0),
    "net": eur("25.00"),
}


def parts(delivery: Json, *quantities: str | None) -> Json:
    """So much of each line, in their order; None: nothing of it."""
    return {
        "lines": [
            {"line_id": line["line_id"], "quantity": quantity}
            for line, quantity in zip(delivery["lines"], quantities, strict=True)
            if quantity is not None
        ]
    }


async def test_what_is_handed_over_in_parts_adds_up_and_completes_with_the_last(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    order = a_confirmed_order(lines=(a_line(), a_line(**HOSE)))
    delivery = await plan(deliver, client, order)
    clock.advance(days=1)
    first = await post(client, delivery, "handovers", parts(delivery, "2", None) | {"note": "two pumps"})
    assert (first.status_code, first.json()["number"], first.json()["last"]) == (201, 1, False)
    now = await read(client, delivery)
    assert (now["state"], now["percent"], now["handovers"]) == ("in_progress", "36.36", 1)
    assert [(each["held"], each["left"]) for each in now["quantities"]] == [("2", "1"), ("0", "2.5")]
    assert [(step["done"], step["state"]) for step in now["steps"]] == [("2", "in_progress"), ("0", "planned")]
    at = "2026-01-01T12:00:00Z"
    second = await post(client, delivery, "handovers", parts(delivery, "1", "1") | {"handed_over_at": at})
    assert (second.json()["number"], second.json()["handed_over_at"], second.json()["last"]) == (2, at, False)
    last = await post(client, delivery, "handovers", {})
    assert (last.json()["number"], last.json()["last"]) == (3, True)
    now = await read(client, delivery)
    assert (now["state"], now["percent"], now["completed_at"]) == ("completed", "100", "2026-01-02T00:00:00Z")
    assert [step["state"] for step in now["steps"]] == ["done", "done"]
    events = await emitted()
    assert told(events, delivery) == [
        "delivery.promised",
        *("delivery.handed_over", "delivery.progressed") * 2,
        "delivery.handed_over",
        "delivery.completed",
    ]
    assert [item.sequence for item in events] == list(range(1, 8))
    gone = [item.event for item in events if item.topic == "delivery.handed_over"]
    pump = [line for event in gone for line in event.lines if line.sku == "PUMP-7"]
    assert [(str(line.quantity), str(line.delivered_before)) for line in pump] == [("2", "0"), ("1", "2")]
    assert [line.net for line in pump] == [eur("668.83"), eur("334.42")]
    assert Money.total((event.net for event in gone), "EUR") == order.net
    end = events[-1].event
    assert (end.handovers, end.lines) == (3, order.lines)
    assert (end.handed, end.short, end.beyond, end.changes) == (order.net, eur("0"), eur("0"), 0)
    assert events[3].headers["ce_time"] == "2026-01-01T12:00:00.000000Z"
    listed = (await client.get(f"/v1/deliveries/{delivery['id']}/handovers")).json()
    assert [item["number"] for item in listed["items"]] == [1, 2, 3]
    assert listed["items"][0]["note"] == "two pumps"
    page = (await client.get(f"/v1/deliveries/{delivery['id']}/handovers", params={"after": 1, "limit": 1})).json()
    assert ([item["number"] for item in page["items"]], page["next"]) == ([2], 2)


@settings(deadline=None)
@given(
    quantity=st.decimals("0.01", "9999", places=2),
    price=st.decimals("0", "9999", places=2),
    discount=st.decimals("0", "100", places=1),
    base=st.sampled_from(["1", "7", "1000"]),
    cuts=st.lists(st.integers(0, 1000), max_size=8),
)
def test_parts_of_a_line_add_up_to_its_net_whatever_they_are(
    quantity: Decimal, price: Decimal, discount: Decimal, base: str, cuts: list[int]
) -> None:
    given_line = a_line(
        quantity=quantity, unit_price=Money.of(price, "EUR"), discount_percent=discount, base_quantity=Decimal(base)
    )
    exact = quantity * price * (100 - discount) / (Decimal(base) * 100)
    line = given_line.model_copy(update={"net": Money.rounded(exact, "EUR")})
    delivery, left = a_delivery(a_confirmed_order(lines=(line,))), a_plan(line)
    shares = [max(Decimal("0.01"), (quantity * cut / 1000).quantize(Decimal("0.01"))) for cut in cuts]
    nets: list[Money] = []
    while delivery.state != "completed":
        part = min(shares.pop(), left.lines[0].left) if shares else left.lines[0].left
        made = rules.hand_over(delivery, left, [Part(line.line_id, part)], handover_id=new_id(), at=None, now=NOW, by="anna")
        assert made.delivery.percent >= delivery.percent
        delivery, left = made.delivery, made.plan
        nets.append(made.handover.net)
        assert nets[-1].amount >= 0
    assert Money.total(nets, "EUR") == line.net
    assert (left.steps[0].done, left.steps[0].state) == (quantity, "done")


def test_more_than_ordered_is_worth_nothing_unless_it_is_charged() -> None:
    line = a_line(quantity=Decimal(10), unit_price=eur("1.00"), discount_percent=Decimal(0), net=eur("10.00"))
    free = PlannedLine(line=line, position=1, allowance=Allowance(over_percent=Decimal(20)))
    charged = PlannedLine(line=line, position=1, allowance=Allowance(over_percent=Decimal(20), charge_over=True))
    assert (free.worth(Decimal(12)), charged.worth(Decimal(12))) == (eur("10.00"), eur("12.00"))
    assert free.most == Decimal(12)


async def test_nothing_beyond_what_is_left_is_handed_over(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    refused = await post(client, delivery, "handovers", parts(delivery, "3.000001"))
    assert (refused.status_code, refused.json()["type"], refused.json()["most"]) == (
        409,
        "urn:ltc:problem:too-much-handed-over",
        "3",
    )
    for body, slug in [
        ({"lines": [{"line_id": str(new_id()), "quantity": "1"}]}, "line-not-in-delivery"),
        ({"lines": parts(delivery, "1")["lines"] * 2}, "line-not-in-delivery"),
        ({"handed_over_at": "2026-01-01T00:00:00.000001Z"}, "handover-in-the-future"),
        ({"handed_over_at": "2025-12-31T23:59:59.999999Z"}, "handover-before-planned"),
    ]:
        reply = await post(client, delivery, "handovers", body)
        assert (reply.status_code, reply.json()["type"]) == (400, f"urn:ltc:problem:{slug}")
    for body in (parts(delivery, "0"), parts(delivery, "-1"), {"lines": []}, {"handed_over_at": "9999-12-31T00:00:00Z"}):
        assert (await post(client, delivery, "handovers", body)).status_code == 422
    assert await read(client, delivery) == delivery
    assert told(await emitted(), delivery) == ["delivery.promised"]


async def test_once_something_is_handed_over_progress_is_counted_and_cancelling_is_too_late(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    delivery = await plan(deliver, client)
    await post(client, delivery, "progress", {"percent": "80"})
    await post(client, delivery, "handovers", parts(delivery, "1"))
    assert (await read(client, delivery))["percent"] == "33.33"
    reply = await post(client, delivery, "progress", {"percent": "90"})
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:progress-is-counted")
    await deliver(consumers, a_request(order_of(delivery)))
    now = await read(client, delivery)
    assert (now["state"], now["cancellation"]["state"]) == ("in_progress", "refused")


async def test_who_takes_everything_at_once_or_nothing_gets_no_part(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = a_confirmed_order(lines=(a_line(), a_line(**HOSE)), ship_complete=True)
    delivery = await plan(deliver, client, order)
    reply = await post(client, delivery, "handovers", parts(delivery, "3", None))
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:ships-complete")
    assert (await post(client, delivery, "handovers", parts(delivery, "3", "2.5"))).json()["last"] is True


async def test_the_same_key_hands_over_once(deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    headers = {"Idempotency-Key": "one"}
    replies = [await post(client, delivery, "handovers", parts(delivery, "1"), headers=headers) for _ in range(3)]
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert (await read(client, delivery))["quantities"][0]["held"] == "1"


@pytest.mark.parametrize("cancel", [False, True])
async def test_many_who_hand_over_at_once_never_hand_over_more_than_there_is(
    cancel: bool, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    for _ in range(4):
        delivery = await plan(deliver, client)
        racers = [post(client, delivery, "handovers", parts(delivery, "1")) for _ in range(6)]
        others = [deliver(consumers, a_request(order_of(delivery)))] if cancel else []
        replies = await asyncio.gather(*others, *racers)
        codes = Counter(reply.status_code for reply in replies if isinstance(reply, httpx.Response))
        now = await read(client, delivery)
        topics = Counter(told(await emitted(), delivery))
        assert codes == ({201: 3, 409: 3} if now["state"] == "completed" else {409: 6})
        assert topics["delivery.handed_over"] == codes[201]
        assert (topics["delivery.completed"], topics["delivery.cancelled"]) == ((1, 0) if codes[201] else (0, 1))
        # A delivery that is cancelled has no work left.
        assert {step["state"] for step in now["steps"]} == {"done" if codes[201] else "cancelled"}


def test_a_line_beyond_its_allowance_is_refused_by_the_rule_itself() -> None:
    line = a_line()
    with pytest.raises(TooMuchHandedOver):
        rules.hand_over(
            a_delivery(), a_plan(line), [Part(line.line_id, Decimal(4))], handover_id=new_id(), at=None, now=NOW, by="anna"
        )
