"""A proposed scoring rule is tried over the past: who would change band, who would have qualified; nothing else happens."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.domain.score import Activity, Facts, Rule, qualifies, score
from lead_svc.domain.what_if import compare, first_qualified
from lead_svc.handlers import what_if
from lead_svc.tests.builders import NOW, RULE
from lead_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
WHAT_IF = next(timer for timer in TIMERS if timer.name == "what-if")
PATH = "/v1/score-rules/what-if"
LEAD = {"channel": "web", "source": "Google", "website": "https://rossi.example"}


async def body_of(client: httpx.AsyncClient, **changed: Any) -> dict[str, Any]:
    return {**(await client.get("/v1/score-rules/v1")).json()["rule"], **changed}


async def capture(client: httpx.AsyncClient, *activities: str, **more: Any) -> str:
    reply = await client.post("/v1/leads", json={**LEAD, "activities": [{"activity": code} for code in activities], **more})
    assert reply.status_code == 201, reply.text
    return str(reply.json()["id"])


async def test_a_proposal_tells_who_would_change_band_and_who_would_qualify_and_changes_nothing(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    warmed = await capture(client, "form", country="IT")  # 20 and cold; 50 with the proposal
    ready = await capture(
        client, "reply", "form", industry="software", source="Fair"
    )  # 45 and warm; 45, and qualified by T1 = 20
    gone = await capture(client, "demo_request")  # qualified by a demo request, which the proposal does not know
    same = await capture(client)
    clock.advance(days=1)
    later = await capture(client, "form", country="IT")
    before = await emitted()
    rule = await body_of(
        client,
        region={"points": 40, "targets": ["IT"]},
        qualify={"fit": 20, "engagement": 20, "high_intent": []},
    )
    reply = await client.post(PATH, json={"rule": rule, "as_of": "2026-01-01T12:00:00Z"})
    assert (reply.status_code, reply.json()["state"], reply.json()["total"]) == (202, "waiting", 4), reply.text
    path = f"{PATH}/{reply.json()['id']}"
    await run_timer(WHAT_IF)
    done = (await client.get(path)).json()
    assert {name: done[name] for name in ("state", "processed", "matched", "changed_band", "newly", "no_longer", "listed")} == {
        "state": "done",
        "processed": 4,
        "matched": 4,
        "changed_band": 1,
        "newly": 1,
        "no_longer": 1,
        "listed": 3,
    }
    assert done["matrix"] == {
        "cold": {"cold": 2, "warm": 1, "hot": 0},
        "warm": {"cold": 0, "warm": 1, "hot": 0},
        "hot": {"cold": 0, "warm": 0, "hot": 0},
    }
    lines = {line["lead_id"]: line for line in (await client.get(f"{path}/leads")).json()["items"]}
    assert set(lines) == {warmed, ready, gone}
    assert not {same, later} & set(lines)
    assert (lines[warmed]["from_band"], lines[warmed]["to_band"]) == ("cold", "warm")
    assert (lines[ready]["newly"], lines[ready]["qualifies_at"], lines[gone]["no_longer"]) == (True, "2026-01-01T00:00:00Z", True)
    assert [
        line["lead_id"] for line in (await client.get(f"{path}/leads", params={"to": "warm", "from": "cold"})).json()["items"]
    ] == [warmed]
    assert [line["lead_id"] for line in (await client.get(f"{path}/leads", params={"newly": True})).json()["items"]] == [ready]
    assert await emitted() == before
    assert [row["version"] for row in (await client.get("/v1/score-rules")).json()] == ["v1"]
    assert (await client.get(f"/v1/leads/{ready}")).json()["status"] == "new"
    assert [run["id"] for run in (await client.get(PATH)).json()["items"]] == [done["id"]]


async def test_a_population_is_chosen_by_fields_and_by_a_condition(client: httpx.AsyncClient, run_timer: Run) -> None:
    await capture(client, company_size=5)
    large = await capture(client, company_size=500)
    await capture(client, company_size=500, source="Fair")
    rule = await body_of(client, size={"points": 35, "from": 50})
    population = {"source": "Google", "when": {"field": "company_size", "is": "gte", "value": 100}}
    made = (await client.post(PATH, json={"rule": rule, "population": population})).json()
    await run_timer(WHAT_IF)
    done = (await client.get(f"{PATH}/{made['id']}")).json()
    assert (done["total"], done["matched"], done["population"]) == (2, 1, population)
    assert [line["lead_id"] for line in (await client.get(f"{PATH}/{made['id']}/leads")).json()["items"]] == [large]


async def test_a_run_that_is_killed_goes_on_where_it_was_and_two_replicas_count_nobody_twice(
    client: httpx.AsyncClient, db: Database
) -> None:
    for _ in range(25):
        await capture(client, country="IT")
    rule = await body_of(client, region={"points": 40, "targets": ["IT"]})
    runs = [(await client.post(PATH, json={"rule": rule})).json()["id"] for _ in range(2)]
    async with db.transaction() as tx:
        assert await what_if.run_chunk(tx, limit=10) == 10
    with pytest.raises(RuntimeError):
        await _killed(db)
    shown = (await client.get(f"{PATH}/{runs[0]}")).json()
    assert (shown["state"], shown["processed"]) == ("running", 10)

    async def replica() -> None:
        while True:
            async with db.transaction() as tx:
                if not await what_if.run_chunk(tx, limit=4):
                    return

    await asyncio.gather(replica(), replica())
    for run in runs:
        done = (await client.get(f"{PATH}/{run}")).json()
        assert (done["state"], done["processed"], done["matrix"]["cold"]["warm"], done["listed"]) == ("done", 25, 25, 25)


async def _killed(db: Database) -> None:
    async with db.transaction() as tx:
        assert await what_if.run_chunk(tx, limit=10) == 10
        raise RuntimeError("killed before the commit")


async def test_old_runs_are_forgotten_and_waiting_ones_are_bounded(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run
) -> None:
    lead = await capture(client, country="IT")
    rule = await body_of(client, region={"points": 40, "targets": ["IT"]})
    replies = [await client.post(PATH, json={"rule": rule}) for _ in range(21)]
    assert [reply.status_code for reply in replies] == [202] * 20 + [409]
    assert replies[-1].json()["type"] == "urn:ltc:problem:too-many-jobs"
    await run_timer(WHAT_IF)
    assert (await client.get(f"{PATH}/{replies[0].json()['id']}")).json()["state"] == "done"
    clock.advance(days=91)
    await run_timer(WHAT_IF)
    assert (await client.get(f"{PATH}/{replies[0].json()['id']}")).status_code == 404
    assert (await client.get(f"/v1/leads/{lead}")).status_code == 200


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({"as_of": "2026-01-01T00:00:01Z"}, 400, "as_of"),
        ({"population": {"when": {"field": "shoe", "is": "is_set"}}}, 400, "population.when.field"),
        ({"population": {"status": ["gone"]}}, 422, "population.status.0"),
        ({"rule": {}}, 422, "rule.industries"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
async def test_a_proposal_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, change: dict[str, Any], status: int, field: str
) -> None:
    reply = await client.post(PATH, json={"rule": await body_of(client), **change})
    assert reply.status_code == status, reply.text
    assert (reply.json()["errors"][0]["field"] if status == 422 else reply.json()["field"]) == field


async def test_no_version_may_be_called_as_a_path_of_ours(client: httpx.AsyncClient) -> None:
    new = {"version": "what-if", "valid_from": "2030-01-01T00:00:00Z", "rule": await body_of(client)}
    assert (await client.post("/v1/score-rules", json=new)).status_code == 422


@pytest.mark.parametrize("was_qualified", [False, True])
def test_who_was_qualified_anyway_does_not_newly_qualify(was_qualified: bool) -> None:
    rule = Rule("strict", {**RULE.body, "qualify": {"fit": 90, "engagement": 90, "high_intent": []}})
    easy = Rule("easy", {**RULE.body, "qualify": {"fit": 0, "engagement": 0, "high_intent": []}})
    facts = Facts("software", None, None, "x.example", None)
    change = compare(new_id(), facts, NOW, [], base=rule, proposed=easy, was_qualified=was_qualified, as_of=NOW)
    assert (change.newly, change.no_longer, change.qualifies_at) == (not was_qualified, False, NOW)


DONE = st.lists(st.tuples(st.sampled_from(["form", "demo_request", "unknown"]), st.integers(0, 90)), max_size=8)


@given(DONE, st.integers(0, 90), st.sampled_from([0, 12, 30]), st.booleans())
def test_the_first_moment_of_qualifying_is_that_of_a_replay_step_by_step(
    done: list[tuple[str, int]], captured: int, threshold: int, intent: bool
) -> None:
    wanted = {"fit": 20, "engagement": threshold, "high_intent": ["demo_request"] if intent else []}
    rule = Rule("replay", {**RULE.body, "qualify": wanted})
    facts = Facts("software", None, None, "x.example", None)
    activities = [Activity(code, NOW - timedelta(days=age)) for code, age in done]
    captured_at = NOW - timedelta(days=captured)
    moments = sorted({captured_at, *(each.occurred_at for each in activities if each.occurred_at > captured_at)})
    replay = (
        moment
        for moment in moments
        for known in [[each for each in activities if each.occurred_at <= moment]]
        if qualifies(score(facts, known, rule, moment), known, rule)
    )
    assert first_qualified(facts, captured_at, activities, rule, NOW) == next(itertools.chain(replay, [None]))
