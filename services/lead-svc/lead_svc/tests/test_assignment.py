"""RULES 1: leads are given to reps by territory, capacity and presence, fairly, once, and with the reasons."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.domain import assignment as rules
from lead_svc.domain.assignment import Rep, Standing, Territory
from lead_svc.handlers import assignment
from lead_svc.tests.builders import capture, import_form, timer

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
As = Callable[..., httpx.AsyncClient]
ASSIGN = timer("assign-leads")
GERMAN = {"field": "country", "is": "eq", "value": "DE"}


async def rep(client: httpx.AsyncClient, subject: str, most: int = 300, **more: Any) -> None:
    reply = await client.put(f"/v1/reps/{subject}", json={"name": subject.title(), "max_per_30_days": most, **more})
    assert reply.status_code == 200, reply.text


async def territory(client: httpx.AsyncClient, code: str, *members: str, condition: Any = GERMAN, **more: Any) -> httpx.Response:
    body = {"name": code, "condition": condition, "members": list(members), **more}
    return await client.put(f"/v1/territories/{code}", json=body)


async def owner(client: httpx.AsyncClient, lead: str) -> str | None:
    found: str | None = (await client.get(f"/v1/leads/{lead}")).json()["owner"]
    return found


async def leads_of(client: httpx.AsyncClient, number: int, **facts: Any) -> list[str | None]:
    return [await owner(client, await capture(client, country="DE", **facts)) for _ in range(number)]


@pytest.mark.parametrize(("most", "quota"), [(0, 0), (14, 0), (15, 1), (30, 1), (44, 1), (45, 2), (100, 3), (105, 4)])
def test_the_daily_quota_is_a_thirtieth_rounded_half_up(most: int, quota: int) -> None:
    assert rules.daily(most) == quota


async def test_a_captured_lead_goes_to_a_member_of_its_territory_and_is_protected(
    client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await rep(client, "anna")
    await territory(client, "germany", "anna")
    made = (await client.post("/v1/leads", json={"channel": "web", "source": "Google", "country": "DE"})).json()
    assert (made["owner"], made["version"]) == ("anna", 2)
    abroad = await capture(client, country="FR")
    assert await owner(client, abroad) is None
    lease = (await client.get(f"/v1/leads/{made['id']}/protection")).json()["current"]
    assert (lease["owner"], lease["until"]) == ("anna", "2026-01-11T00:00:00Z")
    [event] = [each.event for each in await emitted() if each.topic == "lead.assigned"]
    assert (str(event.lead_id), event.owner, event.how, event.by, event.territory) == (
        *(made["id"], "anna", "claimed", "rule"),
        "germany",
    )


async def test_a_lead_that_qualifies_at_once_goes_to_sales_with_its_rep(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await rep(client, "anna")
    await territory(client, "germany", "anna")
    lead = await capture(client, country="DE", activities=[{"activity": "demo_request"}])
    shown = (await client.get(f"/v1/leads/{lead}")).json()
    assert (shown["status"], shown["owner"]) == ("qualified", "anna")
    assert [each.event.owner for each in await emitted() if each.topic == "lead.qualified"] == ["anna"]
    assert (await client.get(f"/v1/leads/{lead}/protection")).json()["history"][0]["ended_by"] == "qualified"


async def test_nobody_gets_more_than_the_quota_of_a_day_and_the_rest_waits(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run
) -> None:
    await rep(client, "anna", 60)
    await rep(client, "bert", 30)
    await territory(client, "germany", "anna", "bert")
    assert Counter(await leads_of(client, 5)) == {"anna": 2, "bert": 1, None: 2}
    clock.advance(hours=23, minutes=59)
    await run_timer(ASSIGN)
    assert Counter(await leads_of(client, 1)) == {None: 1}
    clock.advance(hours=1)
    await run_timer(ASSIGN)
    waiting = [item["id"] for item in (await client.get("/v1/pool")).json()["items"]]
    assert len(waiting) == 0
    today = (await client.get("/v1/reps/anna")).json()
    assert (today["daily_quota"], today["left_today"], today["held"]) == (2, 0, 4)


async def test_who_is_inactive_absent_or_does_not_speak_the_language_gets_none(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run
) -> None:
    await rep(client, "anna", languages=["de", "en"])
    await rep(client, "bert", languages=["en"])
    await rep(client, "carl", languages=["de"], active=False)
    await rep(client, "dora", languages=["de"])
    await territory(client, "germany", "anna", "bert", "carl", "dora", language="de")
    away = {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"}
    assert (await client.post("/v1/reps/dora/absences", json=away)).status_code == 201
    assert Counter(await leads_of(client, 3)) == {"anna": 3}
    clock.advance(days=1)
    assert "dora" in await leads_of(client, 2)
    longer = await client.post("/v1/reps/anna/absences", json={"since": "2026-01-01T00:00:00Z", "until": "2026-02-01T00:00:00Z"})
    await client.put("/v1/reps/dora", json={"name": "Dora", "max_per_30_days": 300, "active": False, "version": 1})
    [waits] = [await capture(client, country="DE")]
    explained = (await client.get(f"/v1/leads/{waits}/assignment")).json()
    assert (explained["history"], explained["would_go_to"], explained["never_assigned"]) == ([], None, True)
    assert {each["rep"]: each["blocked"] for each in explained["now"][0]["candidates"]} == {
        "anna": "absent",
        "bert": "does not speak the language",
        "carl": "inactive",
        "dora": "inactive",
    }
    assert (await client.delete(f"/v1/reps/anna/absences/{longer.json()['id']}")).status_code == 204
    await run_timer(ASSIGN)
    assert await owner(client, waits) == "anna"


async def test_the_first_territory_that_has_somebody_takes_the_lead_and_says_why(client: httpx.AsyncClient) -> None:
    await rep(client, "anna", 30)
    await rep(client, "bert")
    await territory(client, "germany", "bert")
    large = {"all": [GERMAN, {"field": "company_size", "is": "gte", "value": 100}]}
    await territory(client, "large", "anna", condition=large, priority=1)
    ids = [await capture(client, country="DE", company_size=500) for _ in range(2)]
    assert [await owner(client, lead) for lead in ids] == ["anna", "bert"]  # anna's day is full
    first, second = [(await client.get(f"/v1/leads/{lead}/assignment")).json()["history"][0] for lead in ids]
    assert (first["territory"], first["territory_version"], first["by"]) == ("large", 1, "rule")
    [candidate] = first["candidates"]
    assert (candidate["rep"], candidate["daily_quota"], candidate["assigned_in_24_hours"], candidate["blocked"]) == (
        *("anna", 1, 0),
        None,
    )
    assert second["territory"] == "germany"


async def test_only_never_assigned_leads_are_assigned_by_rule(
    client: httpx.AsyncClient, seller: As, clock: FixedClock, run_timer: Run
) -> None:
    returned = await capture(client, country="DE")
    await seller("carl").post(f"/v1/leads/{returned}/claim")
    await seller("carl").post(f"/v1/leads/{returned}/release")
    fresh = await capture(client, country="DE")
    await rep(client, "anna")
    await territory(client, "germany", "anna")
    await run_timer(ASSIGN)
    assert [await owner(client, lead) for lead in (returned, fresh)] == [None, "anna"]
    clock.advance(days=11)
    await run_timer(timer("return-to-pool"))
    clock.advance(hours=2)
    await run_timer(ASSIGN)
    assert await owner(client, fresh) is None


async def test_a_duplicate_of_somebodys_lead_is_not_given_to_another(client: httpx.AsyncClient, run_timer: Run) -> None:
    await rep(client, "anna", 30)
    await rep(client, "bert")
    await territory(client, "germany", "anna", "bert")
    mail = {"email": "x@x.example"}
    first, second = [await capture(client, country="DE", contact=mail) for _ in range(2)]
    await run_timer(ASSIGN)
    assert await owner(client, first) is not None
    assert await owner(client, second) in (None, await owner(client, first))
    explained = (await client.get(f"/v1/leads/{second}/protection")).json()
    assert explained["current"]["lead_id"] == first


async def test_an_import_and_new_rules_are_taken_up_by_the_timer_and_on_two_replicas_once(
    client: httpx.AsyncClient, run_timer: Run, db: Database, emitted: Emissions
) -> None:
    csv = "Channel,Source,Country\n" + "web,fair,DE\n" * 60
    mapping = {"channel": "Channel", "source": "Source", "country": "Country"}
    await client.post("/v1/imports", **import_form(csv, mapping))
    await run_timer(timer("import-rows"))
    assert await run_timer(ASSIGN) == 0
    for name in ("anna", "bert", "carl"):
        await rep(client, name, 600)
    await territory(client, "germany", "anna", "bert", "carl")
    await asyncio.gather(*(run_timer(ASSIGN) for _ in range(3)), *(leads_of(client, 2) for _ in range(3)))
    await run_timer(ASSIGN)
    events = [each.event for each in await emitted() if each.topic == "lead.assigned"]
    assert len({event.lead_id for event in events}) == len(events) == 60
    assert Counter(event.owner for event in events) == {"anna": 20, "bert": 20, "carl": 20}
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lease WHERE ended_at IS NULL") == 60
        assert await conn.fetchval("SELECT count(*) FROM assignment") == 60
        assert abs(await conn.fetchval("SELECT sum(credit) FROM rep")) < Decimal("0.001")


async def test_a_manager_gives_a_lead_and_it_counts(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await rep(client, "anna", 30)
    lead, other = await capture(client, country="DE"), None
    for _ in range(2):
        assert (await client.post(f"/v1/leads/{lead}/claim", json={"rep": "anna"})).status_code == 201
    await territory(client, "germany", "anna")
    other = await capture(client, country="DE")
    assert await owner(client, other) is None  # her quota of the day is used up
    [given_] = (await client.get(f"/v1/leads/{lead}/assignment")).json()["history"]
    assert (given_["by"], given_["territory"], given_["candidates"]) == ("test", None, [])
    assert [each.event.by for each in await emitted() if each.topic == "lead.assigned"] == ["manager"]


async def test_rules_of_assignment_are_versioned_checked_and_written_down(client: httpx.AsyncClient, seller: As) -> None:
    assert (await seller("anna").put("/v1/reps/anna", json={"name": "Anna", "max_per_30_days": 900})).status_code == 403
    await rep(client, "anna", team="South")
    stale = await client.put("/v1/reps/anna", json={"name": "Anna", "max_per_30_days": 1})
    assert (stale.status_code, stale.json()["current_version"]) == (409, 1)
    assert (await client.put("/v1/reps/anna", json={"name": "A", "max_per_30_days": 1, "version": 1})).json()["version"] == 2
    assert (await territory(client, "x", "nobody")).json()["type"] == "urn:ltc:problem:no-such-rep"
    bad = await territory(client, "x", "anna", condition={"field": "shoe_size", "is": "eq", "value": 1})
    assert (bad.status_code, bad.json()["field"]) == (400, "condition.field")
    assert (await territory(client, "x", "anna")).json()["version"] == 1
    assert (await territory(client, "x", "anna", version=1, active=False)).json()["version"] == 2
    assert (await territory(client, "x", "anna", version=1)).status_code == 409
    versions = (await client.get("/v1/territories/x/changes")).json()["items"]
    assert [(each["version"], each["body"]["active"], each["by"]) for each in versions] == [(1, True, "test"), (2, False, "test")]
    away = {"since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}
    assert (await client.post("/v1/reps/anna/absences", json=away)).json()["field"] == "until"
    assert (await client.post("/v1/reps/nobody/absences", json={**away, "until": "2026-01-03T00:00:00Z"})).status_code == 404
    assert len((await client.get("/v1/reps/anna/changes")).json()["items"]) == 2
    assert [each["subject"] for each in (await client.get("/v1/reps")).json()["items"]] == ["anna"]


@pytest.mark.parametrize(("held", "blocked"), [(49, None), (50, "holds as many as allowed"), (51, "holds as many as allowed")])
def test_who_holds_as_many_as_allowed_gets_no_more(held: int, blocked: str | None) -> None:
    anna = Rep("anna", "Anna", None, 300, frozenset(), True, Decimal(0), 1)
    south = Territory("south", "South", 1, {}, ("anna",), None, True, 1)
    [candidate] = rules.look(south, {"anna": Standing(anna, False, 0, held, 50)}).candidates
    assert candidate.blocked == blocked


def standing(rep_: Rep, *, absent: bool, assigned: int) -> Standing:
    return Standing(rep_, absent, assigned, 0, 1000)


def month(seed: int) -> None:
    """Thirty days: leads at any hour, two territories, absences of days; quotas are rarely reached."""
    draw = random.Random(seed)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    reps = {
        f"rep{number}": Rep(f"rep{number}", "x", None, draw.choice((150, 200, 300)), frozenset(), True, Decimal(0), 1)
        for number in range(8)
    }
    away = {name: [(day := draw.randrange(30), day + draw.randrange(1, 8)) for _ in range(draw.randrange(3))] for name in reps}
    territories = [
        Territory("north", "x", 1, {"field": "country", "is": "eq", "value": "DK"}, tuple(sorted(reps)[:5]), None, True, 1),
        Territory("all", "x", 2, {"all": []}, tuple(sorted(reps)[3:]), None, True, 1),
    ]
    due: dict[str, Decimal] = dict.fromkeys(reps, Decimal(0))
    got: list[tuple[datetime, str]] = []
    for moment in sorted(start + timedelta(seconds=draw.randrange(30 * 86400)) for _ in range(600)):
        day = (moment - start).days
        standings = {
            name: standing(
                one,
                absent=any(since <= day < until for since, until in away[name]),
                assigned=sum(1 for at, whom in got if whom == name and at > moment - timedelta(days=1)),
            )
            for name, one in reps.items()
        }
        asked = rules.fitting(territories, {"country": draw.choice(("DK", "DE"))})
        choice = rules.choose([rules.look(each, standings) for each in asked])
        if choice is None:
            continue
        could = [
            name
            for name in choice.territory.members
            if not standings[name].absent and standings[name].assigned < rules.daily(reps[name].max_per_30_days)
        ]
        assert choice.rep in could
        total = sum(reps[name].max_per_30_days for name in could)
        for name in could:
            due[name] += Decimal(reps[name].max_per_30_days) / total
        got.append((moment, choice.rep))
        for name, credit in rules.credits(choice).items():
            reps[name] = replace(reps[name], credit=credit)
    counts = Counter(whom for _, whom in got)
    assert len(got) > 500
    assert {name: round(counts[name] - due[name], 2) for name in reps if abs(counts[name] - due[name]) > 1} == {}


@pytest.mark.parametrize("seed", range(12))
def test_over_a_month_with_absences_everybody_is_within_one_of_the_proportional_share(seed: int) -> None:
    month(seed)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from((30, 60, 150, 300)), min_size=1, max_size=8), st.integers(1, 200))
def test_at_every_moment_nobody_present_is_two_leads_behind_or_ahead(most: list[int], leads: int) -> None:
    reps = {
        f"rep{number}": Rep(f"rep{number}", "x", None, each, frozenset(), True, Decimal(0), 1) for number, each in enumerate(most)
    }
    one = Territory("all", "x", 1, {"all": []}, tuple(reps), None, True, 1)
    for _ in range(leads):
        choice = rules.choose([rules.look(one, {name: standing(each, absent=False, assigned=0) for name, each in reps.items()})])
        assert choice is not None
        for name, credit in rules.credits(choice).items():
            reps[name] = replace(reps[name], credit=credit)
            assert abs(credit) < 2


async def test_a_month_over_http_is_fair(client: httpx.AsyncClient, clock: FixedClock, db: Database) -> None:
    """Four reps, five leads a day, one of them away for ten days: shares are by capacity among those who are here."""
    most = {"anna": 300, "bert": 150, "carl": 150, "dora": 300}
    for name, number in most.items():
        await rep(client, name, number)
    away = {"since": "2026-01-11T00:00:00Z", "until": "2026-01-21T00:00:00Z"}
    await client.post("/v1/reps/dora/absences", json=away)
    await territory(client, "germany", *most)
    due: dict[str, Decimal] = dict.fromkeys(most, Decimal(0))
    got: Counter[str | None] = Counter()
    for day in range(30):
        here = [name for name in most if name != "dora" or not 10 <= day < 20]
        for _ in range(5):
            got[await owner(client, await capture(client, country="DE"))] += 1
            for name in here:
                due[name] += Decimal(most[name]) / sum(most[each] for each in here)
        clock.advance(days=1)
        async with db.transaction() as tx:
            await assignment.assign_due(tx, limit=10)
    assert got[None] == 0
    assert all(abs(got[name] - due[name]) <= 1 for name in most), (got, due)
