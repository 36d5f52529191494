"""The predictive score: learnt from the company's own leads in a process of its own, measured, explained, and never above a person."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.connection import DirectConnection
from ltc_chassis.db import Database, connect
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_chassis.timers import Timer
from ltc_contracts.events import OpportunityOpened
from ltc_contracts.examples import example

from lead_svc import training
from lead_svc.consumers import consumers
from lead_svc.domain import predictive as rules
from lead_svc.domain.predictive import Column, Policy
from lead_svc.domain.score import Activity
from lead_svc.handlers import predictive as handlers
from lead_svc.store import predictive as store
from lead_svc.tests.builders import NOW, import_form, lead, timer

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
TRAIN, SCHEDULE, IMPORT = timer("train-model"), timer("schedule-training"), timer("import-rows")
MODELS, POLICIES = "/v1/predictive-models", "/v1/predictive-policies"
POLICY = Policy(1, True, "converted", (), 50, Decimal("0.65"), Decimal("0.02"), 7, 50_000)
MAPPING = {"external_ref": "Ref", "channel": "Channel", "source": "Source", "outcome": "Became"}
MEANING = {"yes": "converted", "no": "lost"}


def history(rows: int, *, seed: int = 7) -> str:
    """Leads of a world with a rule of its own: referrals and many visits convert, mostly. `Tag` was filled in afterwards."""
    chance = random.Random(seed)
    lines = ["Ref,Channel,Source,Visits,Hobby,Nr,Tag,Became"]
    for number in range(rows):
        source = chance.choice(["Referral", "Google", "Fair"])
        visits = chance.randint(0, 40)
        yes = chance.random() < {"Referral": 0.6, "Google": 0.1, "Fair": 0.3}[source] + visits / 100
        seen = "" if chance.random() < 0.1 else str(visits)
        lines.append(
            f"r{seed}-{number},web,{source},{seen},{chance.choice('abc')},{number},{'good' if yes else 'bad'},{'yes' if yes else 'no'}"
        )
    return "\n".join(lines) + "\n"


async def bring(client: httpx.AsyncClient, run_timer: Run, csv: str) -> None:
    reply = await client.post("/v1/imports", **import_form(csv, MAPPING, outcomes=MEANING))
    assert reply.status_code == 202, reply.text
    await run_timer(IMPORT)
    done = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert (done["state"], done["refused"]) == ("done", 0)


async def add_policy(client: httpx.AsyncClient, version: int = 2, **changed: Any) -> None:
    reply = await client.post(POLICIES, json={"version": version, "excluded": ["Tag"], **changed})
    assert reply.status_code == 201, reply.text


@asynccontextmanager
async def db_connection(dsn: str) -> AsyncIterator[DirectConnection]:
    """A session of its own, as the process has; its locks go with it."""
    conn = await connect(dsn, application="tests")
    try:
        yield conn
    finally:
        await conn.close()


async def asked_for(client: httpx.AsyncClient) -> str:
    asked = await client.post(MODELS)
    assert (asked.status_code, asked.json()["state"]) == (202, "waiting"), asked.text
    return str(asked.json()["id"])


async def trained(client: httpx.AsyncClient, dsn: str, clock: FixedClock) -> Any:
    """What the process does, without starting one: that takes seconds, and other tests show it."""
    model_id = await asked_for(client)
    async with db_connection(dsn) as conn:
        await training.train(conn, UUID(model_id), clock.now())
    return (await client.get(f"{MODELS}/{model_id}")).json()


async def test_a_model_is_learnt_from_own_leads_measured_used_and_explained(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    await bring(client, run_timer, history(600))
    await add_policy(client)
    before = await emitted()
    model_id = await asked_for(client)
    assert await run_timer(TRAIN) == 1
    model = (await client.get(f"{MODELS}/{model_id}")).json()
    assert (model["state"], model["examples"], model["version"], model["note"]) == ("active", 600, 1, None)
    assert 0.65 < model["auc"] < 0.95
    assert len(model["auc_folds"]) == 5
    assert model["auc"] == pytest.approx(sum(model["auc_folds"]) / 5)
    assert 0 < model["brier"] < 0.25
    assert sum(part["leads"] for part in model["calibration"]) == 600
    assert model["left_out"]["attributes.Tag"] == "excluded"
    assert model["left_out"]["attributes.Nr"] == "names the lead"
    assert await emitted() == before
    columns = {column["name"]: column for column in model["columns"]}
    assert (columns["source"]["kind"], columns["attributes.Visits"]["kind"]) == ("category", "number")
    by_source = dict(zip(columns["source"]["levels"], columns["source"]["effects"], strict=False))
    assert by_source["Referral"] > by_source["Fair"] > by_source["Google"]

    made = (await client.post("/v1/leads", json={"channel": "web", "source": "Referral"})).json()
    shown = (await client.get(f"/v1/leads/{made['id']}/score")).json()["predictive"]
    assert shown["log_odds"] == pytest.approx(shown["average"] + sum(effect["log_odds"] for effect in shown["effects"]))
    strongest = next(effect for effect in shown["effects"] if effect["column"] == "source")
    assert strongest["text"].endswith("times the odds, as source is Referral")
    assert strongest["log_odds"] > 0
    assert (await client.get(f"/v1/leads/{made['id']}")).json()["predictive"] == shown["percent"]
    assert (await client.get("/v1/leads", params={"source": "Referral", "limit": 1})).json()["items"][0]["predictive"]

    qualified = await client.post(f"/v1/leads/{made['id']}/qualify")
    assert qualified.status_code == 200
    assert str((await emitted())[-1].event.predictive) == shown["percent"]


async def test_a_persons_value_counts_instead_until_it_expires_or_is_withdrawn(
    client: httpx.AsyncClient, run_timer: Run, clock: FixedClock, emitted: Emissions, dsn: str
) -> None:
    await bring(client, run_timer, history(300))
    await add_policy(client, min_auc="0.5")
    await trained(client, dsn, clock)
    made = (await client.post("/v1/leads", json={"channel": "web", "source": "Google"})).json()
    path = f"/v1/leads/{made['id']}"
    said = {"value": "91.5", "reason": "knows the owner", "expires_at": "2026-01-03T00:00:00Z"}
    assert (await client.put(f"{path}/score/manual", json={**said, "value": "80"})).status_code == 200
    assert (await client.put(f"{path}/score/manual", json=said)).json()["set_by"] == "test"
    model = (await client.get(path)).json()["predictive"]
    assert (await client.get(path)).json()["manual"] == "91.5"
    await trained(client, dsn, clock)  # a newer model changes nothing of it
    shown = (await client.get(f"{path}/score")).json()
    assert (shown["manual"]["value"], shown["predictive"]["percent"]) == ("91.5", model)
    assert [row["value"] for row in (await client.get(f"{path}/score/manual")).json()] == ["91.5", "80"]
    clock.advance(days=2)
    assert (await client.get(path)).json()["manual"] is None
    assert (await client.delete(f"{path}/score/manual")).status_code == 404
    await client.put(f"{path}/score/manual", json={"value": 3, "reason": "a student"})
    await client.post(f"{path}/qualify")
    assert (await emitted())[-1].event.predictive == 3
    assert (await client.delete(f"{path}/score/manual")).status_code == 204
    assert (await client.get(path)).json()["manual"] is None
    for wrong in ({"value": 101, "reason": "x"}, {"value": 1, "reason": " "}, {"value": 1}):
        assert (await client.put(f"{path}/score/manual", json=wrong)).status_code == 422
    past = {"value": 1, "reason": "x", "expires_at": "2026-01-02T00:00:00Z"}
    assert (await client.put(f"{path}/score/manual", json=past)).json()["field"] == "expires_at"


async def test_too_few_examples_make_no_model(client: httpx.AsyncClient, run_timer: Run, dsn: str, clock: FixedClock) -> None:
    await bring(client, run_timer, history(60))
    model = await trained(client, dsn, clock)
    assert (model["state"], model["columns"]) == ("failed", None)
    assert "50 of each are needed" in model["note"]
    made = (await client.post("/v1/leads", json={"channel": "web", "source": "Google"})).json()
    assert (await client.get(f"/v1/leads/{made['id']}/score")).json()["predictive"] is None


async def test_a_model_below_the_floor_is_not_used_whoever_wants_it_and_one_that_is_worse_waits_for_a_person(
    client: httpx.AsyncClient, run_timer: Run, dsn: str, clock: FixedClock
) -> None:
    await bring(client, run_timer, history(400))
    await add_policy(client, excluded=["Tag", "source", "Visits", "Nr"])
    weak = await trained(client, dsn, clock)
    assert weak["state"] == "candidate"
    assert "below the floor" in weak["note"]
    refused = await client.post(f"{MODELS}/{weak['id']}/activate")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:not-good-enough")

    await add_policy(client, 3)
    good = await trained(client, dsn, clock)
    await add_policy(client, 4, excluded=["Tag", "Visits"], min_auc="0.5")
    worse = await trained(client, dsn, clock)
    assert (good["state"], worse["state"]) == ("active", "candidate")
    assert "below that of the present model" in worse["note"]
    chosen = await client.post(f"{MODELS}/{worse['id']}/activate")
    assert (chosen.status_code, chosen.json()["state"], chosen.json()["decided_by"]) == (200, "active", "test")
    assert [row["state"] for row in (await client.get(MODELS)).json()["items"]] == ["candidate", "retired", "active"]
    assert (await client.post(f"{MODELS}/{good['id']}/retire")).status_code == 409
    assert (await client.post(f"{MODELS}/{worse['id']}/retire")).json()["state"] == "retired"
    replies = await asyncio.gather(*(client.post(f"{MODELS}/{each['id']}/activate") for each in (good, worse, good)))
    assert sorted(reply.status_code for reply in replies) in ([200, 200, 200], [200, 200, 409])
    assert [row["state"] for row in (await client.get(MODELS)).json()["items"]].count("active") == 1


async def test_what_happened_after_the_outcome_is_not_learnt_and_an_open_lead_teaches_nothing(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, dsn: str
) -> None:
    sample: Any = example("opportunity.opened").event
    for _ in range(12):
        made = (await client.post("/v1/leads", json={"channel": "web", "source": "Google"})).json()
        await client.post(f"/v1/leads/{made['id']}/activities", json={"activity": "form"})
        await client.post(f"/v1/leads/{made['id']}/qualify")
        event = OpportunityOpened(**{**dict(sample), "lead_id": UUID(made["id"]), "opportunity_id": new_id()})
        await deliver(consumers, event, flow_id=UUID(made["flow_id"]))
        gone = (await client.post("/v1/leads", json={"channel": "web", "source": "Fair"})).json()
        await client.post(f"/v1/leads/{gone['id']}/disqualify", json={"code": "no_need"})
        clock.advance(minutes=1)
        await client.post(f"/v1/leads/{made['id']}/activities", json={"activity": "meeting"})
    await client.post("/v1/leads", json={"channel": "web", "source": "Open"})
    back = (await client.post("/v1/leads", json={"channel": "web", "source": "Back"})).json()
    await client.post(f"/v1/leads/{back['id']}/recycle", json={"wait_days": 0})
    await add_policy(client, min_examples=10, min_auc="0.5")
    model = await trained(client, dsn, clock)
    assert (model["examples"], model["positives"]) == (24, 12)
    assert "activities.meeting" not in {*model["left_out"], *(column["name"] for column in model["columns"])}


async def test_models_are_trained_again_when_there_is_enough_new(
    client: httpx.AsyncClient, run_timer: Run, clock: FixedClock, dsn: str
) -> None:
    async def train() -> int:
        async with db_connection(dsn) as conn:
            waiting = await store.find_next(conn)
            if waiting is not None:
                await training.train(conn, waiting, clock.now())
            return 0 if waiting is None else 1

    assert await run_timer(SCHEDULE) == 1
    assert await run_timer(TRAIN) == 0
    await bring(client, run_timer, history(200))
    assert await run_timer(SCHEDULE) == 0
    await add_policy(client, min_auc="0.5")
    clock.advance(days=1)
    await run_timer(SCHEDULE)
    assert await train() == 1
    clock.advance(days=7)
    await run_timer(SCHEDULE)
    assert await train() == 0  # nothing new to learn
    await bring(client, run_timer, history(60, seed=8))
    clock.advance(days=7)
    await run_timer(SCHEDULE)
    await train()
    models = (await client.get(MODELS)).json()["items"]
    assert [(model["requested_by"], model["examples"]) for model in models] == [("schedule", 200), ("schedule", 260)]


async def test_two_replicas_train_a_model_once_and_a_process_that_dies_is_tried_again_but_not_for_ever(
    client: httpx.AsyncClient, run_timer: Run, db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bring(client, run_timer, history(200))
    await add_policy(client, min_auc="0.5")
    asked = (await client.post(MODELS)).json()
    assert (await client.post(MODELS)).json()["type"] == "urn:ltc:problem:training-runs"
    monkeypatch.setattr(sys, "executable", "/bin/false")
    async with db.transaction() as tx:
        assert await handlers.train_due(tx) == 0
    monkeypatch.undo()

    async def replica() -> int:
        async with db.transaction() as tx:
            return await handlers.train_due(tx)

    assert 1 in await asyncio.gather(replica(), replica())
    [model] = (await client.get(MODELS)).json()["items"]
    assert (model["id"], model["state"]) == (asked["id"], "active")

    broken = (await client.post(MODELS)).json()
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert [await replica() for _ in range(4)] == [0, 0, 1, 0]
    shown = (await client.get(f"{MODELS}/{broken['id']}")).json()
    assert (shown["state"], shown["note"]) == ("failed", "the training process failed 3 times (1)")


async def test_policies_are_versions_and_need_sense(client: httpx.AsyncClient) -> None:
    await add_policy(client)
    stale = await client.post(POLICIES, json={"version": 2})
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:ltc:problem:policy-exists")
    for wrong in ({"min_auc": "0.4"}, {"margin": 1}, {"min_examples": 1}, {"positive": "rich"}, {"max_rows": 10**9}):
        assert (await client.post(POLICIES, json={"version": 3, **wrong})).status_code == 422
    versions = (await client.get(POLICIES)).json()
    assert [(row["version"], row["created_by"], row["excluded"]) for row in versions] == [
        (2, "test", ["Tag"]),
        (1, "migration", []),
    ]


async def test_imported_history_is_settled_and_sales_is_not_told(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    csv = "Ref,Channel,Source,Became\na,web,Google,yes\nb,web,Google,no\nc,web,Fair,\nd,web,Fair,perhaps\n"
    reply = await client.post("/v1/imports", **import_form(csv, {**MAPPING, "activities.demo_request": "Ref"}, outcomes=MEANING))
    await run_timer(IMPORT)
    [refusal] = (await client.get(f"/v1/imports/{reply.json()['id']}/errors")).json()["items"]
    assert (refusal["line"], refusal["field"]) == (5, "outcome")
    leads = {row["external_ref"]: row for row in (await client.get("/v1/leads")).json()["items"]}
    assert {ref: row["status"] for ref, row in leads.items()} == {"a": "converted", "b": "disqualified", "c": "qualified"}
    assert [event.topic for event in await emitted()].count("lead.qualified") == 1
    counted = (await client.get("/v1/outcomes", params={"by": "source"})).json()
    assert [(row["value"], row["leads"], row["converted"], row["lost"]) for row in counted] == [
        ("Google", 2, 1, 1),
        ("Fair", 1, 0, 0),
    ]
    wrong = await client.post("/v1/imports", **import_form(csv, MAPPING, outcomes={"yes": "rich"}))
    assert (wrong.status_code, wrong.json()["field"]) == (400, "outcomes")


def test_columns_are_found_with_rare_unseen_and_missing_values() -> None:
    rows = [
        {"size": str(number % 50), "word": "ab"[number % 2] if number % 10 else f"rare{number}", "same": "x"}
        for number in range(400)
    ]
    del rows[0]["size"]
    columns, left_out = rules.learn_columns(rows, [])
    assert left_out == {"same": "the same for nearly all"}
    size, word = sorted(columns, key=lambda column: column.name)
    assert (size.kind, word.kind, word.levels) == ("number", "category", ("b", "a"))
    assert word.label(word.bucket("never seen")) == "another value"
    assert (size.label(size.bucket(None)), size.label(size.bucket("n/a")), size.label(size.bucket("NaN"))) == ("missing",) * 3
    assert size.label(size.bucket("-1e9")).startswith("below")
    assert size.label(size.bucket("1e9")).endswith("or more")


def test_what_a_lead_did_counts_up_to_the_moment_and_nothing_personal_is_known() -> None:
    made = lead(attributes={"City": "Pune"}, website="https://rossi.example", company="Rossi")
    done = [Activity("form", NOW), Activity("form", NOW - timedelta(days=1)), Activity("form", NOW + timedelta(days=1))]
    raw = rules.raw_of(made, done, NOW)
    assert raw["activities.form"] == "2"
    assert (raw["attributes.City"], raw["company"], raw["website"]) == ("Pune", "given", "given")
    assert "rossi" not in " ".join(raw.values()).lower()


@pytest.mark.parametrize(
    ("auc", "present", "state"),
    [(0.70, None, "active"), (0.6499, None, "candidate"), (0.70, 0.72, "active"), (0.70, 0.73, "candidate")],
)
def test_a_model_is_used_from_the_floor_on_unless_it_is_worse_by_more_than_the_margin(
    auc: float, present: float | None, state: str
) -> None:
    assert rules.verdict(auc, present, POLICY)[0] == state


@given(st.floats(-800, 800, allow_nan=False))
def test_a_chance_is_a_percentage_whatever_the_odds(log_odds: float) -> None:
    assert 0 <= rules.percent(log_odds) <= 100


@given(st.floats(allow_nan=True) | st.text(max_size=5), st.lists(st.floats(-5, 5), min_size=1, max_size=5, unique=True))
def test_every_value_has_a_bucket(value: Any, edges: list[float]) -> None:
    column = Column("x", "number", edges=tuple(sorted(edges)))
    assert 0 <= column.bucket(str(value)) < column.size
