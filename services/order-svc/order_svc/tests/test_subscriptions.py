"""Subscriptions over HTTP, on the real database."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import KeyPair

from order_svc.tests.rig import GO_ON, Emissions, RunTimer
from order_svc.tests.subscription_desk import FIRST, Desk, a_line, a_subscription, money, told


@pytest.fixture(autouse=True)
def _today(clock: FixedClock) -> None:
    clock.set(FIRST)


@pytest.fixture
def desk(client: httpx.AsyncClient) -> Desk:
    return Desk(client)


async def test_a_start_orders_its_first_period_on_a_journey_of_its_own(
    desk: Desk, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    flow_id = str(new_id())
    started = await desk.start(flow_id=flow_id, invoicing="on_delivery", payment_terms_days=14)
    assert (started["state"], started["number"], started["charged_until"], started["next_on"]) == (
        *("active", "S-2026-000001", "2026-02-27"),
        "2026-02-28",
    )
    assert started["mrr"] == money("31.00")
    [placed] = (await desk.read("/orders"))["items"]
    order = (await client.get(f"/v1/orders/{placed['order_id']}")).json()
    assert (order["state"], order["source"], order["external_ref"]) == ("confirmed", "subscription", f"{desk.id}/2026-01-31")
    assert (order["subscription_id"], order["period_from"], order["period_until"]) == (desk.id, "2026-01-31", "2026-02-27")
    assert (order["invoicing"], order["payment_terms_days"], order["requested_on"]) == ("on_delivery", 14, "2026-02-27")
    events = await emitted()
    of_order = [item for item in events if item.topic.startswith("order.")]
    assert {str(item.flow_id) for item in of_order} == {order["flow_id"]} != {flow_id}
    assert {item.headers["ce_parentflowid"] for item in of_order} == {flow_id}
    own = [item for item in events if item.topic.startswith("subscription.")]
    assert [(item.topic, item.sequence, str(item.flow_id)) for item in own] == [
        ("subscription.started", 2, flow_id),
        ("subscription.revenue_moved", 3, flow_id),
    ]
    assert str(own[0].event.order_id) == order["id"]


async def test_the_same_reference_is_the_same_subscription(client: httpx.AsyncClient, emitted: Emissions) -> None:
    replies = await asyncio.gather(*(client.post("/v1/subscriptions", json=a_subscription()) for _ in range(6)))
    assert sorted(reply.status_code for reply in replies) == [200] * 5 + [201]
    assert len({reply.json()["id"] for reply in replies}) == 1
    other = await client.post("/v1/subscriptions", json=a_subscription(lines=[a_line("9.00")]))
    assert (other.status_code, other.json()["type"]) == (409, "urn:ltc:problem:subscription-ref-reused")
    assert (await client.post("/v1/subscriptions", json=a_subscription(source="crm"))).status_code == 201
    assert told(await emitted()) == ["started", "revenue_moved"] * 2


async def test_an_upgrade_is_shown_then_confirmed_and_ordered_for_the_rest(
    desk: Desk, clock: FixedClock, run_timer: RunTimer, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    """31.00 to 62.00 with 21 of 31 days left: 21.00 at once."""
    clock.set(datetime(2026, 3, 1, tzinfo=UTC))
    line_id = (await desk.start())["lines"][0]["line_id"]
    clock.set(datetime(2026, 3, 11, 15, tzinfo=UTC))
    wish: dict[str, Any] = {"lines": [a_line("62.00", line_id=line_id)], "when": "now"}
    shown = await desk.do("changes/preview", **wish)
    assert (shown["unused"], shown["rest"], shown["charged"], shown["credited"], shown["due_now"]) == tuple(
        map(money, ("21.00", "42.00", "21.00", "0.00", "21.00"))
    )
    assert (shown["mrr_before"], shown["mrr_after"], shown["effective_on"]) == (money("31.00"), money("62.00"), "2026-03-11")
    assert (shown["next_order"]["order_on"], shown["next_order"]["net"]) == ("2026-04-01", money("62.00"))
    assert await desk.ordered() == [("renewal", "2026-03-01", "31.00")]
    done = await desk.do("changes", **wish, version=shown["version"], effective_on=shown["effective_on"], reason="a second pump")
    assert (done["net"], done["mrr"]) == (money("62.00"), money("62.00"))
    [_, placed] = (await desk.read("/orders"))["items"]
    assert (placed["kind"], placed["period_from"], placed["period_until"]) == ("change", "2026-03-11", "2026-03-31")
    order = (await client.get(f"/v1/orders/{placed['order_id']}")).json()
    assert (order["net"], order["lines"][0]["description"]) == (money("21.00"), "Pump care, 2026-03-11 to 2026-03-31")
    assert (order["state"], order["external_ref"]) == ("confirmed", f"{desk.id}/2026-03-11/change-4")
    assert told(await emitted()) == ["started", "revenue_moved", "changed", "revenue_moved"]


async def test_a_downgrade_is_credited_against_the_next_orders_down_to_nothing(
    desk: Desk, clock: FixedClock, run_timer: RunTimer, client: httpx.AsyncClient
) -> None:
    clock.set(datetime(2026, 3, 1, tzinfo=UTC))
    line_id = (await desk.start(lines=[a_line("62.00")]))["lines"][0]["line_id"]
    clock.set(datetime(2026, 3, 2, tzinfo=UTC))
    shown = await desk.do("changes/preview", lines=[a_line("15.50", line_id=line_id)])
    assert (shown["credited"], shown["due_now"], shown["credit_left"]) == tuple(map(money, ("45.00", "0.00", "45.00")))
    done = await desk.do("changes", lines=[a_line("15.50", line_id=line_id)], version=shown["version"], effective_on="2026-03-02")
    assert (done["balance"], done["credit"]) == (
        money("45.00"),
        [{"tax_category": "S", "tax_rate": "22", "amount": money("45.00")}],
    )
    coming = [(each["order_on"], each["net"]["amount"]) for each in (await desk.read("/upcoming", periods=4))["items"]]
    assert coming == [("2026-04-01", "0.00"), ("2026-05-01", "0.00"), ("2026-06-01", "1.50"), ("2026-07-01", "15.50")]
    clock.set(datetime(2026, 7, 1, tzinfo=UTC))
    await run_timer(GO_ON)
    assert [(first, net) for _, first, net in (await desk.ordered())[1:]] == coming
    orders = (await client.get("/v1/orders", params={"source": "subscription"})).json()["items"]
    assert {order["state"] for order in orders} == {"confirmed"}


async def test_what_was_shown_counts_on_its_day_and_version_only(desk: Desk, clock: FixedClock) -> None:
    line_id = (await desk.start())["lines"][0]["line_id"]
    wish: dict[str, Any] = {"lines": [a_line("62.00", line_id=line_id)]}
    shown = await desk.do("changes/preview", **wish)
    clock.advance(days=1)
    late = await desk.do("changes", **wish, version=shown["version"], effective_on=shown["effective_on"], expect=409)
    assert late["type"] == "urn:ltc:problem:assessment-outdated"
    await desk.do("changes", **wish, version=shown["version"], effective_on="2026-02-01")
    again = await desk.do("changes", **wish, version=shown["version"], effective_on="2026-02-01", expect=409)
    assert (again["type"], again["current_version"]) == ("urn:ltc:problem:version-conflict", shown["version"] + 2)


async def test_a_change_at_the_next_period_comes_with_it(desk: Desk, clock: FixedClock, run_timer: RunTimer) -> None:
    line_id = (await desk.start())["lines"][0]["line_id"]
    wish: dict[str, Any] = {"lines": [a_line("10.00", line_id=line_id), a_line("5.00", sku="MORE")], "when": "renewal"}
    shown = await desk.do("changes/preview", **wish)
    assert (shown["effective_on"], shown["next_order"]["net"]) == ("2026-02-28", money("15.00"))
    waiting = await desk.do("changes", **wish, version=shown["version"], effective_on="2026-02-28")
    assert (waiting["net"], waiting["pending"]["net"], waiting["mrr"]) == (money("31.00"), money("15.00"), money("31.00"))
    clock.advance(days=28)
    await run_timer(GO_ON)
    after = await desk.read()
    assert (after["net"], after["pending"], after["mrr"]) == (money("15.00"), None, money("15.00"))
    assert (await desk.ordered())[1:] == [("renewal", "2026-02-28", "15.00")]


async def test_nothing_is_ordered_while_it_rests(desk: Desk, clock: FixedClock, run_timer: RunTimer, emitted: Emissions) -> None:
    clock.set(datetime(2026, 4, 1, tzinfo=UTC))
    await desk.start(lines=[a_line("30.00")])
    clock.set(datetime(2026, 4, 11, tzinfo=UTC))
    paused = await desk.do("pause", reason="the plant stands still")
    assert (paused["state"], paused["balance"], paused["mrr"]["amount"], paused["next_on"]) == (
        *("paused", money("20.00"), "0.00"),
        None,
    )
    assert (await desk.read("/upcoming"))["items"] == []
    clock.set(datetime(2026, 5, 16, tzinfo=UTC))
    assert await run_timer(GO_ON) == 0
    resumed = await desk.do("resume")
    assert (resumed["state"], resumed["balance"], resumed["charged_until"]) == ("active", money("4.52"), "2026-05-31")
    assert (await desk.ordered())[1:] == [("resume", "2026-05-16", "0.00")]
    assert told(await emitted()) == ["started", "revenue_moved", "paused", "revenue_moved", "resumed", "revenue_moved"]


async def test_it_is_cancelled_kept_cancelled_and_ends_by_the_timer(
    desk: Desk, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    await desk.start()
    assert (await desk.do("cancel", reason="too dear"))["ends_on"] == "2026-02-27"
    assert (await desk.do("withdraw-cancellation", reason="we agreed"))["ends_on"] is None
    await desk.do("cancel", reason="after all")
    clock.set(datetime(2026, 2, 27, 23, tzinfo=UTC))
    assert await run_timer(GO_ON) == 0
    clock.set(datetime(2026, 2, 28, tzinfo=UTC))
    await run_timer(GO_ON)
    ended = await desk.read()
    assert (ended["state"], ended["mrr"]["amount"], ended["next_on"], len(await desk.ordered())) == ("ended", "0.00", None, 1)
    refused = await desk.do("cancel", reason="again", expect=409)
    assert refused["type"] == "urn:ltc:problem:wrong-transition"
    assert told(await emitted()) == [
        *("started", "revenue_moved", "cancelled", "cancellation_withdrawn", "cancelled", "ended", "revenue_moved"),
    ]


async def test_what_was_charged_and_is_not_served_at_the_end_is_owed_of_the_latest_orders(
    desk: Desk, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    two = [a_line("31.00"), a_line("62.00", sku="PARTS", tax_rate="7")]
    await desk.start(lines=two, anchor_day=1, starts_on="2026-02-01", notice_days=0)
    clock.set(datetime(2026, 3, 1, 9, tzinfo=UTC))
    await run_timer(GO_ON)
    clock.set(datetime(2026, 3, 21, 9, tzinfo=UTC))
    await desk.do("cancel", reason="the plant is sold", at="notice")
    clock.set(datetime(2026, 3, 22, 9, tzinfo=UTC))
    await run_timer(GO_ON)
    ended: Any = next(each.event for each in await emitted() if each.topic == "subscription.ended")
    last = (await desk.read("/orders"))["items"][-1]["order_id"]
    # Ten of 31 days.
    assert sorted((str(part.order_id), str(part.tax_rate), str(part.net)) for part in ended.owed) == [
        (last, "22", "10.00 EUR"),
        (last, "7", "20.00 EUR"),
    ]
    assert str(ended.credit_left) == "30.00 EUR"


async def test_a_wish_comes_after_what_time_did_also_before_the_timer(desk: Desk, clock: FixedClock) -> None:
    await desk.start()
    clock.set(datetime(2026, 3, 1, tzinfo=UTC))
    await desk.do("pause")
    assert await desk.ordered() == [("renewal", "2026-01-31", "31.00"), ("renewal", "2026-02-28", "31.00")]


async def test_a_caller_does_not_wait_for_years_of_periods(desk: Desk, clock: FixedClock) -> None:
    await desk.start(interval={"unit": "day"})
    clock.advance(days=30)
    refused = await desk.do("pause", expect=409)
    assert refused["type"] == "urn:ltc:problem:subscription-behind"
    assert len(await desk.ordered()) == 1


async def test_the_history_has_everything_with_who_and_why(desk: Desk) -> None:
    await desk.start()
    await desk.do("pause", reason="the plant stands still")
    page = await desk.read("/history", limit=3)
    rest = await desk.read("/history", after=page["next"])
    items = [*page["items"], *rest["items"]]
    assert [(item["version"], item["what"]) for item in items] == [
        *((1, "agreed"), (2, "started"), (3, "revenue_moved"), (4, "paused"), (5, "revenue_moved")),
    ]
    assert (items[3]["by"], items[3]["reason"], items[3]["state"]) == ("test", "the plant stands still", "paused")
    assert items[1]["event"]["ordered"] == money("31.00")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"lines": [a_line(), a_line(unit_price=money("1.00", "USD"))]}, "one currency"),
        ({"lines": [a_line(tax_category="E")]}, "tax category E has the rate 0"),
        ({"lines": [a_line("9" * 15, quantity="9")]}, "finite and below"),
        ({"lines": [a_line("9" * 14 + "0.00", quantity="1")], "interval": {"unit": "day"}}, "finite and below"),
        ({"starts_on": "2024-12-01"}, "it starts at most"),
        ({"starts_on": "2199-12-01"}, "it starts at most"),
        ({"interval": {"unit": "year", "count": 11}}, "at most 10 years"),
        ({"interval": {"unit": "week"}, "anchor_day": 3}, "no day of the month"),
        ({"lines": [a_line("-5.00")]}, "is below zero"),
        ({"terms": 1000, "interval": {"unit": "year", "count": 10}}, "within 100 years"),
    ],
)
async def test_what_cannot_be_ordered_is_refused(more: dict[str, Any], says: str, client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/subscriptions", json=a_subscription(**more))
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:invalid")
    assert says in reply.json()["detail"]


async def test_each_call_needs_its_scope(desk: Desk, anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    await desk.start()
    reader = {"Authorization": f"Bearer {keys.token('subscriptions:read orders:write')}"}
    assert (await anonymous.get(f"/v1/subscriptions/{desk.id}")).status_code == 401
    assert (await anonymous.get(f"/v1/subscriptions/{desk.id}", headers=reader)).status_code == 200
    for verb in ("pause", "resume", "cancel", "withdraw-cancellation", "changes", "changes/preview"):
        assert (await anonymous.post(f"/v1/subscriptions/{desk.id}/{verb}", headers=reader, json={})).status_code == 403
    unknown = await anonymous.get(f"/v1/subscriptions/{new_id()}", headers=reader)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:ltc:problem:subscription-not-found")
