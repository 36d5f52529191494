"""How lines are planned: rules per product, steps with days on working calendars, allowances, work and periods."""

import re
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_rules.calendar import Calendar, Span, calendar_of

import delivery_svc
from delivery_svc.consumers import consumers
from delivery_svc.domain.fulfilment import Book, Rule, StepSpec, schedule
from delivery_svc.tests.builders import a_confirmed_order, a_line, a_request, eur
from delivery_svc.tests.desk import BERLIN
from delivery_svc.tests.rig import Emissions, Json, order_of, plan, post, read, told
from delivery_svc.tests.test_changes import wish
from delivery_svc.tests.test_handovers import parts

TEN = {"quantity": Decimal(10), "unit_price": eur("1.00"), "discount_percent": Decimal(0), "net": eur("10.00")}
SHIPPED = [{"kind": "shipment"}]


def _migration(what: str) -> str:
    [path] = (Path(delivery_svc.__file__).parent / "migrations").glob(f"*_{what}.sql")
    return path.read_text()


async def put_rule(client: httpx.AsyncClient, code: str = "rule", **more: Any) -> Json:
    body = {"match": "exact", "pattern": "PUMP-7", "valid_from": "2026-01-01", "steps": SHIPPED} | more
    reply = await client.put(f"/v1/fulfilment-rules/{code}", json=body)
    assert reply.status_code == 200, reply.text
    made: Json = reply.json()
    return made


def test_golden_days_are_counted_back_from_the_promise_over_weekends_and_holidays() -> None:
    berlin: Calendar = calendar_of(BERLIN)
    # 2026-04-03 is Good Friday, 2026-04-06 Easter Monday.
    assert schedule([5, 2], berlin, date(2026, 1, 1), date(2026, 4, 8)) == [date(2026, 4, 2), date(2026, 4, 8)]
    # A promise on a holiday is kept on the working day before it.
    assert schedule([1, 1], berlin, date(2026, 1, 1), date(2026, 4, 6)) == [date(2026, 4, 1), date(2026, 4, 2)]
    # Too late to be counted back: as soon as possible.
    assert schedule([5, 2], berlin, date(2026, 4, 1), date(2026, 4, 8)) == [date(2026, 4, 10), date(2026, 4, 14)]
    saturdays = Calendar(timezone="UTC", week={5: (Span(*(calendar_of(BERLIN).week[0][0])),)})
    assert schedule([0], saturdays, date(2026, 1, 1), date(2026, 1, 9)) == [date(2026, 1, 3)]


def test_the_exact_product_counts_before_the_longest_prefix_before_all_others() -> None:
    def rule(code: str, match: Any, pattern: str | None) -> Rule:
        steps = (StepSpec("shipment"),)
        return Rule(code=code, version=1, match=match, pattern=pattern, valid_from=date(2026, 1, 1), steps=steps)

    rules = [
        rule("all", "default", None),
        rule("short", "prefix", "PU"),
        rule("long", "prefix", "PUMP"),
        rule("one", "exact", "PUMP-7"),
    ]
    book = Book(rules, {}, date(2026, 1, 1), new_id)
    found = [book.rule_of(sku) for sku in ("PUMP-7", "PUMP-70", "PUT", "HOSE")]
    assert [each.code for each in found if each] == ["one", "long", "short", "all"]
    assert book.rule_of("HOSE", of_a_period=True) is None


async def test_lines_get_the_steps_of_their_rule_and_each_hands_over_as_it_says(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    await put_rule(client, "made", steps=[{"kind": "production", "days": 3}, {"kind": "shipment", "days": 2}])
    milestones = [
        {"kind": "milestone", "name": "pilot", "share": "33.3", "days": 1},
        {"kind": "milestone", "name": "rest", "share": "66.7", "days": 1},
    ]
    await put_rule(client, "rollout", pattern="ROLLOUT", steps=[{"kind": "installation"}, *milestones])
    order = a_confirmed_order(lines=(a_line(), a_line(sku="ROLLOUT", **TEN), a_line(sku="HOSE", **TEN)))
    delivery = await plan(deliver, client, order)
    assert [(step["kind"], step["quantity"], step["planned_on"], step["hands_over"]) for step in delivery["steps"]] == [
        ("production", "3", "2026-01-13", False),
        ("shipment", "3", "2026-01-15", True),
        ("installation", "10", "2026-01-13", False),
        ("milestone", "3.33", "2026-01-14", True),
        ("milestone", "6.67", "2026-01-15", True),
        ("shipment", "10", "2026-01-15", True),
    ]
    # A later milestone is reached before an earlier one; the installation before them was done then.
    body = parts(delivery, None, "6", None)
    body["lines"][0]["step_id"] = delivery["steps"][4]["id"]
    assert (await post(client, delivery, "handovers", body)).status_code == 201
    now = await read(client, delivery)
    assert [(step["done"], step["state"]) for step in now["steps"][2:5]] == [
        ("6", "in_progress"),
        ("0", "planned"),
        ("6", "in_progress"),
    ]
    body["lines"][0] |= {"step_id": delivery["steps"][0]["id"], "quantity": "1"}
    refused = await post(client, delivery, "handovers", body)
    assert (refused.status_code, refused.json()["type"]) == (400, "urn:ltc:problem:no-such-open-step")


async def test_what_is_ordered_later_or_delivered_again_is_planned_beside_what_was_there_and_not_behind_it(
    deliver: Deliver, client: httpx.AsyncClient, db: Database
) -> None:
    """Three days to make and two to ship, whatever was ordered later; milestones of a day each, whatever came back."""
    await put_rule(client, "made", steps=[{"kind": "production", "days": 3}, {"kind": "shipment", "days": 2}])
    milestones = [{"kind": "milestone", "name": name, "share": "50", "days": 1} for name in ("pilot", "rest")]
    await put_rule(client, "rollout", pattern="ROLLOUT", steps=milestones)
    pump, rollout = a_line(), a_line(sku="ROLLOUT", **TEN)
    delivery = await plan(deliver, client, a_confirmed_order(lines=(pump, rollout)))
    more = pump.model_copy(update={"quantity": Decimal(5), "net": eur("1672.08")})
    await deliver(consumers, wish(delivery, more, rollout))
    await post(client, delivery, "handovers", parts(delivery, None, "5"))
    back = {"lines": [{"line_id": str(rollout.line_id), "quantity": "5"}], "reason": "broken", "replace": True}
    assert (await post(client, delivery, "returns", back)).status_code == 201
    assert (await post(client, delivery, "promise", {"promised_on": "2026-03-12"})).status_code == 200
    steps = [(step["kind"], step["name"], step["planned_on"]) for step in (await read(client, delivery))["steps"]]
    assert steps == [
        *[("production", None, "2026-03-10"), ("shipment", None, "2026-03-12")] * 2,
        ("milestone", "pilot", "2026-01-14"),
        ("milestone", "rest", "2026-03-12"),
        ("milestone", "pilot", "2026-03-11"),
        ("milestone", "rest", "2026-03-12"),
    ]
    # Plans that were there before chains were told apart have the same ones.
    [told_apart] = re.findall("UPDATE delivery_step.*?;", _migration("chains_of_steps"), re.DOTALL)
    async with db.connection() as conn:
        chains = "SELECT chain FROM delivery_step ORDER BY line_id, position"
        before = await conn.fetch(chains)
        await conn.execute("UPDATE delivery_step SET chain = 1")
        await conn.execute(told_apart)
        assert [row["chain"] for row in await conn.fetch(chains)] == [row["chain"] for row in before] == [1, 1, 2, 2] * 2


async def test_rules_hold_from_their_day_on_and_what_is_planned_keeps_its_own(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    await put_rule(client, steps=[{"kind": "installation"}])
    delivery = await plan(deliver, client)
    await put_rule(client, version=1, valid_from="2026-01-02", steps=SHIPPED, over_percent="10")
    assert (await read(client, delivery))["steps"][0]["kind"] == "installation"
    assert (await plan(deliver, client))["steps"][0]["kind"] == "installation"
    for day, kind in [("2025-12-31", None), ("2026-01-01", "installation"), ("2026-01-02", "shipment")]:
        rules = (await client.get("/v1/fulfilment-rules", params={"on": day})).json()
        assert [rule["steps"][0]["kind"] for rule in rules] == ([kind] if kind else [])
    versions = (await client.get("/v1/fulfilment-rules/rule/changes")).json()
    assert [(each["version"], each["changed_by"] != "") for each in versions] == [(2, True), (1, True)]
    stale = await client.put(
        "/v1/fulfilment-rules/rule",
        json={"match": "exact", "pattern": "PUMP-7", "valid_from": "2026-01-01", "steps": SHIPPED, "version": 1},
    )
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:ltc:problem:version-conflict")


@pytest.mark.parametrize(
    "wrong",
    [
        {"match": "default"},
        {"pattern": None},
        {"steps": [{"kind": "production"}]},
        {"steps": [{"kind": "shipment"}, {"kind": "production"}, {"kind": "installation"}]},
        {"steps": [{"kind": "period"}, {"kind": "shipment"}]},
        {"steps": [{"kind": "shipment", "share": "100"}]},
        {"steps": [{"kind": "milestone", "share": "60"}, {"kind": "milestone", "share": "39"}]},
        {"steps": [{"kind": "milestone", "share": "100"}, {"kind": "shipment"}]},
        {"steps": [{"kind": "milestone", "share": "0"}, {"kind": "milestone", "share": "100"}]},
        {"steps": [{"kind": "milestone"}]},
        {"steps": [{"kind": "shipment"}, {"kind": "shipment"}]},
    ],
)
async def test_a_rule_by_which_nothing_could_be_delivered_is_refused(wrong: Json, client: httpx.AsyncClient) -> None:
    body = {"match": "exact", "pattern": "PUMP-7", "valid_from": "2026-01-01", "steps": SHIPPED} | wrong
    reply = await client.put("/v1/fulfilment-rules/rule", json=body)
    assert (reply.status_code, reply.json()["type"]) == (400, "urn:ltc:problem:invalid")


async def test_two_rules_are_never_of_the_same_products_and_calendars_are_known(client: httpx.AsyncClient) -> None:
    await put_rule(client)
    body = {"match": "exact", "pattern": "PUMP-7", "valid_from": "2026-01-01", "steps": SHIPPED}
    assert (await client.put("/v1/fulfilment-rules/other", json=body)).status_code == 400
    unknown = await client.put("/v1/fulfilment-rules/other", json=body | {"pattern": "X", "calendar": "mars"})
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:ltc:problem:calendar-not-found")
    for calendar in ({"timezone": "UTC", "week": {}}, {"timezone": "Mars", "week": {"mon": [["08:00", "09:00"]]}}, {}):
        reply = await client.put("/v1/working-calendars/default", json={"name": "x", "calendar": calendar})
        assert reply.status_code == 400


async def test_the_calendar_of_a_rule_or_the_default_says_when_we_work(deliver: Deliver, client: httpx.AsyncClient) -> None:
    mondays = {"timezone": "UTC", "week": {"mon": [["08:00", "16:00"]]}}
    put = await client.put("/v1/working-calendars/default", json={"name": "Mondays", "calendar": mondays})
    assert (put.status_code, put.json()["version"]) == (200, 1)
    assert (await plan(deliver, client))["steps"][0]["planned_on"] == "2026-01-12"
    body = {"name": "Every Berlin day", "calendar": BERLIN}
    assert (await client.put("/v1/working-calendars/berlin", json=body)).status_code == 200
    await put_rule(client, calendar="berlin")
    assert (await plan(deliver, client))["steps"][0]["planned_on"] == "2026-01-15"


async def test_more_or_less_than_ordered_passes_within_the_allowance_of_the_rule(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await put_rule(client, over_percent="10", under_percent="20")
    more = await plan(deliver, client, a_confirmed_order(lines=(a_line(**TEN),)))
    assert (await post(client, more, "handovers", parts(more, "11.1"))).status_code == 409
    assert (await post(client, more, "handovers", parts(more, "9"))).json()["last"] is False
    over = await post(client, more, "handovers", parts(more, "2"))
    assert (over.json()["last"], over.json()["net"]["amount"]) == (True, "1.00")
    less = await plan(deliver, client, a_confirmed_order(lines=(a_line(**TEN),)))
    short = parts(less, "7")
    short["lines"][0]["final"] = True
    refused = await post(client, less, "handovers", short)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:short-beyond-allowance")
    short["lines"][0]["quantity"] = "8"
    closed = await post(client, less, "handovers", short)
    assert (closed.json()["last"], closed.json()["net"]["amount"]) == (True, "8.00")
    assert (await read(client, less))["quantities"][0]["closed"] is True
    later = await plan(deliver, client, a_confirmed_order(lines=(a_line(**TEN),)))
    line = later["lines"][0]["line_id"]
    early = await post(client, later, f"lines/{line}/close", None)
    assert early.json()["type"] == "urn:ltc:problem:short-beyond-allowance"
    await post(client, later, "handovers", parts(later, "9"))
    assert (await post(client, later, f"lines/{line}/close", None)).json()["state"] == "completed"
    assert told(await emitted(), later)[-1] == "delivery.completed"
    # What is more is not charged here; what is less is said.
    ends = [item.event for item in await emitted() if item.topic == "delivery.completed"]
    amounts = [[str(each.amount) for each in (end.handed, end.short, end.beyond)] for end in ends]
    assert amounts == [["10.00", "0.00", "0.00"], ["8.00", "2.00", "0.00"], ["9.00", "1.00", "0.00"]]


async def test_what_was_paid_in_advance_is_never_short_and_never_charged_again(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    await put_rule(client, over_percent="10", under_percent="20", charge_over=True)
    order = a_confirmed_order(lines=(a_line(**TEN),), invoicing="on_confirmation")
    delivery = await plan(deliver, client, order)
    short = parts(delivery, "9")
    short["lines"][0]["final"] = True
    assert (await post(client, delivery, "handovers", short)).status_code == 409
    assert (await post(client, delivery, "handovers", parts(delivery, "11"))).json()["net"]["amount"] == "10.00"


async def test_work_on_a_step_begins_the_delivery_and_never_goes_back(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await put_rule(client, steps=[{"kind": "production"}, {"kind": "shipment"}])
    delivery = await plan(deliver, client)
    make, ship = (f"steps/{step['id']}/progress" for step in delivery["steps"])
    assert (await post(client, delivery, make, {"done": "0"})).json()["state"] == "in_progress"
    await deliver(consumers, a_request(order_of(delivery)))
    now = (await post(client, delivery, make, {"done": "2"})).json()
    assert (now["steps"][0]["state"], now["steps"][0]["done"], now["cancellation"]["state"]) == ("in_progress", "2", "refused")
    for verb, done, slug in [
        (make, "1", "step-goes-back"),
        (make, "100", "invalid"),
        (ship, "1", "step-hands-over"),
        (f"steps/{new_id()}/progress", "1", "step-not-found"),
    ]:
        reply = await post(client, delivery, verb, {"done": done})
        assert reply.json()["type"] == f"urn:ltc:problem:{slug}"
    count = len(await emitted())
    await post(client, delivery, make, {"done": "2"})
    assert len(await emitted()) == count
    # Who hands over has produced, whether that was reported or not.
    done = (await post(client, delivery, "complete", {})).json()
    assert [step["state"] for step in done["steps"]] == ["done", "done"]


async def test_writing_rules_needs_its_own_scope(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    body = {"match": "default", "valid_from": "2026-01-01", "steps": SHIPPED}
    for token, status in [("deliveries:write", 403), ("deliveries:configure", 200)]:
        headers = {"Authorization": f"Bearer {keys.token(token)}"}
        assert (await anonymous.put("/v1/fulfilment-rules/all", json=body, headers=headers)).status_code == status
