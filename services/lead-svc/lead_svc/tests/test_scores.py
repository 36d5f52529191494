"""RULES 1: the golden numbers of the score, its decay and bands, versions of the rule, and the ranking."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted, KeyPair
from ltc_chassis.timers import Timer
from ltc_contracts.errors import Invalid

from lead_svc.domain import score_rules
from lead_svc.domain.fields import fields
from lead_svc.domain.score import Activity, Facts, Rule, score, words
from lead_svc.handlers import decay
from lead_svc.tests.builders import NOW, RULE
from lead_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
SCORE_DUE = next(timer for timer in TIMERS if timer.name == "score-due")
LEAD = {"channel": "web", "source": "Google", "website": "https://rossi.example"}
FIT = {"industry": "software", "company_size": 50, "country": "DE"}
NOBODY = Facts(None, None, None, "x.example", None)


async def rule_body(client: httpx.AsyncClient) -> dict[str, Any]:
    body: dict[str, Any] = (await client.get("/v1/score-rules/v1")).json()["rule"]
    return body


async def capture(client: httpx.AsyncClient, **more: Any) -> str:
    reply = await client.post("/v1/leads", json={**LEAD, **more})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def test_golden_seeds_of_fit_and_engagement(client: httpx.AsyncClient) -> None:
    seeds = {"form": 10, "pricing_page": 5, "demo_request": 25, "reply": 15, "meeting": 20}
    made = await capture(
        client,
        **FIT,
        website=None,
        contact={"email": "a@gmail.com"},
        activities=[{"activity": code} for code in seeds],
    )
    shown = (await client.get(f"/v1/leads/{made}/score")).json()
    assert {item["what"]: item["points"] for item in shown["items"]} == {
        "industries": "20",
        "size": "15",
        "region": "10",
        "free_mail": "-5",
        "no_website": "-5",
        **{code: str(points) for code, points in seeds.items()},
    }
    assert (shown["fit"], shown["engagement"], shown["total"], shown["band"]) == ("35", "75.00", "110.00", "hot")


def test_golden_a_demo_request_of_twelve_points_nine_days_ago_is_explained_in_words() -> None:
    body = {**RULE.body, "activities": {"demo_request": {"points": 12, "half_life_days": 12.9, "group": "intent"}}}
    rule = Rule("words", body)
    result = score(Facts("software", None, None, None, None), [Activity("demo_request", NOW - timedelta(days=9))], rule, NOW)
    assert [words(item, rule) for item in result.items] == [
        "+20 for an industry we sell to",
        "-5 for no website",
        "+12 from a demo request 9 days ago, decayed to 7.4",
    ]


@pytest.mark.parametrize(("points", "band"), [("29.99", "cold"), ("30", "warm"), ("59.99", "warm"), ("60", "hot")])
def test_golden_bands(points: str, band: str) -> None:
    body = {**RULE.body, "industries": {"points": points, "targets": ["software"]}}
    assert score(Facts("software", None, None, "x.example", None), [], Rule("bands", body), NOW).band == band


async def test_a_group_counts_at_most_its_cap_and_says_so(client: httpx.AsyncClient) -> None:
    made = await capture(client, activities=[{"activity": "form"}] * 4)
    shown = (await client.get(f"/v1/leads/{made}/score")).json()
    assert shown["engagement"] == "30.00"
    assert shown["items"][-1]["text"] == "-10 since interest counts at most 30"


async def test_a_score_is_known_as_of_any_moment(client: httpx.AsyncClient, clock: FixedClock) -> None:
    clock.advance(days=60)
    days = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC))
    made = await capture(client, activities=[{"activity": "form", "occurred_at": day.isoformat()} for day in days])
    path = f"/v1/leads/{made}/score"
    for moment, engagement in (
        ("2025-12-31T00:00:00Z", "0"),
        ("2026-01-01T00:00:00Z", "10.00"),
        ("2026-01-31T00:00:00Z", "15.00"),
        ("2026-03-02T00:00:00Z", "7.50"),
        ("2026-04-01T00:00:00Z", "3.75"),
    ):
        shown = (await client.get(path, params={"as_of": moment})).json()
        assert (shown["engagement"], datetime.fromisoformat(shown["as_of"])) == (engagement, datetime.fromisoformat(moment))
    assert (await client.get(path)).json()["engagement"] == "7.50"
    for wrong in ("2026-03-02T00:00:00", "1026-03-02T00:00:00Z"):
        assert (await client.get(path, params={"as_of": wrong})).json()["field"] == "as_of"
    assert (await client.get(path, params={"as_of": "tomorrow"})).status_code == 422


async def test_a_band_that_drops_by_decay_is_told_once_at_its_time(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    # 45 of fit, and a form and a pricing page: 60 at the beginning, warm from the first cent that is lost.
    made = await capture(client, **FIT, activities=[{"activity": "form"}, {"activity": "pricing_page"}])
    lead_path = "/v1/leads"
    assert (await client.get(lead_path, params={"band": "hot"})).json()["items"][0]["id"] == made
    assert await run_timer(SCORE_DUE) == 0
    clock.advance(hours=1)
    await run_timer(SCORE_DUE)
    clock.advance(hours=1)
    await run_timer(SCORE_DUE)
    told = [event.event for event in await emitted() if event.topic == "lead.scored"]
    assert [(event.band, event.rule_version) for event in told] == [("hot", "v1"), ("warm", "v1")]
    assert (await client.get(lead_path, params={"band": "hot"})).json()["items"] == []
    assert [item["id"] for item in (await client.get(lead_path, params={"band": "warm"})).json()["items"]] == [made]
    clock.advance(days=4000)
    assert await run_timer(SCORE_DUE) == 0  # 45 of fit are warm for ever


async def test_a_list_by_band_shows_nobody_who_has_left_it(client: httpx.AsyncClient, clock: FixedClock) -> None:
    await capture(client, **FIT, activities=[{"activity": "form"}, {"activity": "pricing_page"}])
    clock.advance(days=1)  # and no timer ran
    assert (await client.get("/v1/leads", params={"band": "hot"})).json()["items"] == []
    assert (await client.get("/v1/leads", params={"band": "lukewarm"})).status_code == 422


async def test_two_replicas_tell_a_new_band_once(
    client: httpx.AsyncClient, db: Database, clock: FixedClock, emitted: Emissions
) -> None:
    for _ in range(20):
        await capture(client, **FIT, activities=[{"activity": "form"}, {"activity": "pricing_page"}])
    clock.advance(days=1)

    async def replica() -> None:
        while True:
            async with db.transaction() as tx:
                if not await decay.score_due(tx, limit=3):
                    return

    await asyncio.gather(replica(), replica(), replica())
    assert [event.event.band for event in await emitted() if event.topic == "lead.scored"].count("warm") == 20


async def test_a_kill_in_the_middle_tells_nothing_twice(
    client: httpx.AsyncClient, db: Database, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    await capture(client, **FIT, activities=[{"activity": "form"}, {"activity": "pricing_page"}])
    clock.advance(days=1)
    with pytest.raises(RuntimeError):
        await _killed(db)
    await run_timer(SCORE_DUE)
    assert [event.event.band for event in await emitted() if event.topic == "lead.scored"] == ["hot", "warm"]


async def _killed(db: Database) -> None:
    async with db.transaction() as tx:
        assert await decay.score_due(tx, limit=10) == 1
        raise RuntimeError("killed before the commit")


async def test_a_version_begins_on_its_day_and_is_never_edited(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions, app: FastAPI, keys: KeyPair
) -> None:
    made = await capture(client, **FIT)
    body = await rule_body(client)
    body["industries"] = {"points": 70, "targets": ["software"]}
    new = {"version": "v2", "valid_from": "2026-01-02T00:00:00Z", "rule": body}
    transport = httpx.ASGITransport(app)
    token = keys.token("leads:read leads:configure", subject="maria")
    async with httpx.AsyncClient(transport=transport, base_url="http://x", headers={"Authorization": f"Bearer {token}"}) as maria:
        kept = await maria.post("/v1/score-rules", json=new)
    assert (kept.status_code, kept.json()["created_by"], kept.json()["rule"]) == (201, "maria", body)
    again = await client.post("/v1/score-rules", json=new)
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:rule-exists")
    assert [row["version"] for row in (await client.get("/v1/score-rules")).json()] == ["v2", "v1"]
    assert (await client.get(f"/v1/leads/{made}")).json()["rule_version"] == "v1"
    assert await run_timer(SCORE_DUE) == 0

    clock.advance(days=1)
    assert (await client.get("/v1/lead-ranking")).json()["exact"] is False
    assert await run_timer(SCORE_DUE) == 1
    shown = (await client.get(f"/v1/leads/{made}/score")).json()
    assert (shown["rule_version"], shown["fit"], shown["band"]) == ("v2", "95", "hot")
    assert (await client.get(f"/v1/leads/{made}/score", params={"as_of": "2026-01-01T00:00:00Z"})).json()["fit"] == "45"
    told = [event.event for event in await emitted() if event.topic == "lead.scored"]
    assert [(event.band, event.rule_version) for event in told] == [("warm", "v1"), ("hot", "v2")]


async def test_a_new_version_qualifies_those_it_finds_ready(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    made = await capture(client, **FIT, activities=[{"activity": "form"}])
    body = await rule_body(client)
    body["qualify"] = {"fit": 40, "engagement": 5, "high_intent": []}
    new = {"version": "v2", "valid_from": "2026-01-02T00:00:00Z", "rule": body}
    assert (await client.post("/v1/score-rules", json=new)).status_code == 201
    clock.advance(days=1)
    await run_timer(SCORE_DUE)
    assert (await client.get(f"/v1/leads/{made}")).json()["status"] == "qualified"
    assert [event.event.reason for event in await emitted() if event.topic == "lead.qualified"] == ["score"]


async def test_a_rule_looks_at_any_field_by_a_condition(client: httpx.AsyncClient, clock: FixedClock) -> None:
    made = await capture(client, **FIT, estimated_value={"amount": "20000.00", "currency": "EUR"})
    small = await capture(client, **FIT, estimated_value={"amount": "19999.99", "currency": "EUR"})
    body = await rule_body(client)
    large = {"all": [{"field": "estimated_value", "is": "gte", "value": 20000}, {"field": "attributes.VIP", "is": "is_empty"}]}
    body["conditions"] = [{"code": "large_deal", "label": "a large deal", "points": 12.5, "when": large}]
    new = {"version": "v2", "valid_from": "2026-01-02T00:00:00Z", "rule": body}
    reply = await client.post("/v1/score-rules", json=new)
    assert (reply.status_code, reply.json()["rule"]) == (201, body), reply.text
    clock.advance(days=1)
    shown = (await client.get(f"/v1/leads/{made}/score")).json()
    assert (shown["fit"], shown["items"][-1]["text"]) == ("57.5", "+12.5 for a large deal")
    assert (await client.get(f"/v1/leads/{small}/score")).json()["fit"] == "45"


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"rule.conditions": [{"code": "size", "label": "x", "points": 1, "when": {"all": []}}]}, 400, "rule.conditions.0.code"),
        (
            {"rule.conditions": [{"code": "x", "label": "x", "points": 1, "when": {"field": "shoe", "is": "is_set"}}]},
            400,
            "rule.conditions.0.when.field",
        ),
        ({"valid_from": "2025-12-31T23:59:59Z"}, 400, "valid_from"),
        ({"valid_from": "2026-01-01T00:00:00"}, 422, "valid_from"),
        ({"version": ""}, 422, "version"),
        ({"rule.colour": "red"}, 422, "rule.colour"),
        ({"rule.caps": {"interest": 30, "intent": 50}}, 400, "rule.activities.reply.group"),
        ({"rule.caps.interest": 0}, 422, "rule.caps.interest"),
        ({"rule.caps.more": 901}, 400, "rule.caps"),
        ({"rule.bands": {"warm": 60, "hot": 60}}, 400, "rule.bands.warm"),
        ({"rule.qualify.high_intent": ["phone_call"]}, 400, "rule.qualify.high_intent"),
        ({"rule.activities.form.half_life_days": 0}, 422, "rule.activities.form.half_life_days"),
        ({"rule.activities.form.points": "1e400"}, 422, "rule.activities.form.points"),
        ({"rule.activities.form.points": "NaN"}, 422, "rule.activities.form.points"),
        ({"rule.activities.form.label": "\x00"}, 400, None),
        ({"rule.region.targets": ["Germany"]}, 422, "rule.region.targets.0"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_with_the_place(
    client: httpx.AsyncClient, change: dict[str, Any], status: int, field: str | None
) -> None:
    new: dict[str, Any] = {"version": "v2", "valid_from": "2026-01-02T00:00:00Z", "rule": await rule_body(client)}
    for path, value in change.items():
        *way, last = path.split(".")
        place = new
        for step in way:
            place = place[step]
        place[last] = value
    reply = await client.post("/v1/score-rules", json=new)
    assert reply.status_code == status, reply.text
    given = reply.json()
    assert (given["errors"][0]["field"] if status == 422 else given.get("field")) == field


async def test_the_ranking_is_by_the_score_of_this_moment(client: httpx.AsyncClient, clock: FixedClock) -> None:
    # The second was hotter when it came; it decays faster than the others.
    steady = await capture(client, industry="software", company_size=50, activities=[{"activity": "form"}])
    fading = await capture(client, industry="software", activities=[{"activity": "pricing_page"}] * 6)
    quiet = await capture(client)
    assert [item["id"] for item in (await client.get("/v1/lead-ranking")).json()["items"]] == [fading, steady, quiet]
    clock.advance(days=14)
    ranking = (await client.get("/v1/lead-ranking", params={"limit": 2})).json()
    assert ([item["id"] for item in ranking["items"]], ranking["exact"]) == ([steady, fading], True)
    assert (await client.get("/v1/lead-ranking", params={"band": "hot"})).json()["items"] == []


async def test_rules_need_the_scope_to_configure(app: FastAPI, keys: KeyPair) -> None:
    headers = {"Authorization": f"Bearer {keys.token('leads:read leads:write')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x", headers=headers) as reader:
        assert (await reader.post("/v1/score-rules", json={})).status_code == 403
        assert (await reader.get("/v1/score-rules")).status_code == 200


WEIGHTS = st.lists(st.tuples(st.sampled_from(["form", "demo_request"]), st.floats(0, 200, allow_nan=False)), max_size=8)


@given(WEIGHTS, st.floats(0, 60))
def test_a_band_never_changes_before_the_moment_to_look_again(done: list[tuple[str, float]], base: float) -> None:
    body = {**RULE.body, "industries": {"points": round(base, 2), "targets": ["software"]}}
    rule, facts = Rule("any", body), Facts("software", None, None, "x.example", None)
    activities = [Activity(code, NOW - timedelta(days=age)) for code, age in done]
    now = score(facts, activities, rule, NOW)
    look = score_rules.next_look(activities, rule, now, NOW)
    assert look is None or look > NOW
    last = look - timedelta(seconds=3) if look else NOW + timedelta(days=3650)
    for part in (0.2, 0.6, 1.0):
        moment = NOW + (last - NOW) * part
        if moment > NOW:
            assert score(facts, activities, rule, moment).band == now.band
    if look is not None:
        assert score(facts, activities, rule, look + timedelta(seconds=1)).band != now.band


@given(WEIGHTS, st.floats(0, 400, allow_nan=False))
def test_no_score_rises_above_its_ceiling_without_an_activity(done: list[tuple[str, float]], later: float) -> None:
    weights = {**RULE.body["activities"], "form": {"points": -10, "half_life_days": 5, "group": "interest"}}
    rule = Rule("down", {**RULE.body, "activities": weights, "caps": {"interest": 15, "intent": 20}})
    activities = [Activity(code, NOW - timedelta(days=age)) for code, age in done]
    now = score(NOBODY, activities, rule, NOW)
    then = score(NOBODY, activities, rule, NOW + timedelta(days=later))
    assert then.fit + then.engagement <= score_rules.ceiling(rule, now)
    assert abs(then.engagement) <= 35
    look = score_rules.next_look(activities, rule, now, NOW)
    assert look is None or NOW < look <= NOW + timedelta(days=1)


def test_points_without_end_are_refused() -> None:
    with pytest.raises(Invalid, match="fit"):
        score_rules.check({**RULE.body, "industries": {"points": Decimal(991), "targets": []}}, fields())
