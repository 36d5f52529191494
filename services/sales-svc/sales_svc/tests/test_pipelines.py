import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import KeyPair
from ltc_contracts.errors import Invalid

from sales_svc.domain import opportunity as deals
from sales_svc.domain.pipeline import ActivityNeed, CriteriaMissing, Evidence, Item, Stage, missing
from sales_svc.tests.builders import NOW, opportunity, pipeline, quote_body
from sales_svc.tests.test_api import Emissions

Json = dict[str, Any]
STAGES: list[Json] = [
    {
        "code": "fit",
        "label": "Fit",
        "probability": 20,
        "playbook": "Ask who decides.",
        "exit": {
            "fields": {
                "all": [{"field": "amount", "is": "gte", "value": 1000}, {"field": "custom.budget", "is": "eq", "value": True}]
            },
            "activities": [{"type": "call", "at_least": 2}],
        },
        "checklist": [
            {"code": "decider", "label": "Decider known"},
            {"code": "nice", "label": "Nice to know", "required": False},
        ],
    },
    {"code": "offer", "label": "Offer", "probability": 60, "category": "best_case", "exit": {"documents": ["quote_sent"]}},
    {"code": "close", "label": "Close", "probability": 90, "category": "commit"},
]


async def configured(client: httpx.AsyncClient) -> Json:
    field = {"entity": "opportunity", "key": "budget", "label": "Budget agreed", "type": "boolean"}
    assert (await client.post("/v1/custom-fields", json=field)).status_code == 201
    reply = await client.post("/v1/pipelines", json={"code": "partners", "name": "Partners", "stages": STAGES})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


async def opened(client: httpx.AsyncClient, **given: Any) -> Json:
    reply = await client.post("/v1/opportunities", json={"name": "Rossi", "company": "Rossi", "country": "IT", **given})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


async def to_stage(client: httpx.AsyncClient, deal: Json, stage: str) -> httpx.Response:
    return await client.post(f"/v1/opportunities/{deal['id']}/stage", json={"stage": stage})


async def test_the_default_pipeline_has_the_probabilities_of_the_rules(client: httpx.AsyncClient) -> None:
    [shown] = (await client.get("/v1/pipelines")).json()
    assert [(stage["code"], stage["probability"]) for stage in shown["stages"]] == [
        *(
            ("qualification", 10),
            ("discovery", 25),
            ("proposal", 50),
            ("negotiation", 70),
            ("commit", 90),
            ("won", 100),
            ("lost", 0),
        )
    ]
    assert [stage["kind"] for stage in shown["stages"]] == ["open"] * 5 + ["won", "lost"]
    assert (shown["code"], shown["is_default"], shown["version"]) == ("default", True, 1)


async def test_a_move_that_fails_criteria_names_everything_that_is_missing(client: httpx.AsyncClient) -> None:
    await configured(client)
    deal = await opened(client, pipeline="partners")
    refused = await to_stage(client, deal, "close")
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:criteria-missing")
    assert [(each["stage"], each["kind"], each["what"]) for each in refused.json()["missing"]] == [
        *(("fit", "field", "amount"), ("fit", "field", "custom.budget"), ("fit", "activity", "call")),
        *(("fit", "checklist", "decider"), ("offer", "document", "quote_sent")),
    ]
    assert refused.json()["missing"][1]["reason"].startswith("Budget agreed must be")
    guide = (await client.get(f"/v1/opportunities/{deal['id']}/guide")).json()
    assert (guide["stage"], guide["playbook"], len(guide["missing"])) == ("fit", "Ask who decides.", 4)


async def test_a_deal_moves_on_when_nothing_is_missing(client: httpx.AsyncClient, db: Database, emitted: Emissions) -> None:
    await configured(client)
    deal = await opened(client, pipeline="partners", value={"amount": "2000.00", "currency": "EUR"}, custom={"budget": True})
    async with db.connection() as conn:
        for _ in range(2):
            await conn.execute(
                """
                INSERT INTO activity (id, type, subject, opportunity_id, by, occurred_at, version, created_at, updated_at)
                VALUES ($1, 'call', 'Hello', $2, 'test', $3, 1, $3, $3)
                """,
                *(new_id(), deal["id"], NOW),
            )
    path = f"/v1/opportunities/{deal['id']}/checklist/fit/decider"
    assert (await client.put(path, json={"done": True})).json()["checklist"][0]["done_by"] == "test"
    assert (await to_stage(client, deal, "offer")).json()["probability"] == 60
    # Sending a quote is what the second stage asks for.
    quote = (await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body())).json()
    assert (await to_stage(client, deal, "close")).json()["missing"][0]["what"] == "quote_sent"
    await client.post(f"/v1/quotes/{quote['id']}/send")
    assert (await to_stage(client, deal, "close")).json()["stage"] == "close"
    # Backwards is free, and told.
    assert (await client.put(path, json={"done": False})).status_code == 200
    assert (await to_stage(client, deal, "fit")).json()["stage"] == "fit"
    history = (await client.get(f"/v1/opportunities/{deal['id']}/history")).json()
    assert [(move["to_stage"], move["backward"], move["by"]) for move in history] == [
        *(("offer", False, "test"), ("close", False, "test"), ("fit", True, "test"))
    ]
    moves = [event.event for event in await emitted() if event.topic == "opportunity.stage_changed"]
    assert [(move.pipeline, move.backward) for move in moves] == [("partners", False), ("partners", False), ("partners", True)]


async def test_a_quote_is_sent_even_where_the_stage_cannot_be_left(client: httpx.AsyncClient) -> None:
    stages = [{**STAGES[0], "exit": {"activities": [{"type": "call"}]}}, {"code": "proposal", "label": "P", "probability": 50}]
    await client.post("/v1/pipelines", json={"code": "strict", "name": "Strict", "stages": stages})
    deal = await opened(client, pipeline="strict")
    quote = (await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body())).json()
    assert (await client.post(f"/v1/quotes/{quote['id']}/send")).json()["state"] == "sent"
    assert (await client.get(f"/v1/opportunities/{deal['id']}")).json()["stage"] == "fit"


async def test_a_deal_goes_on_under_the_version_it_was_opened_in(client: httpx.AsyncClient) -> None:
    made = await configured(client)
    old = await opened(client, pipeline="partners")
    body = {"name": "Partners", "stages": [{"code": "fit", "label": "Fit", "probability": 30}, STAGES[2]], "version": 1}
    changed = await client.put("/v1/pipelines/partners", json=body)
    assert (made["version"], changed.json()["version"]) == (1, 2)
    assert (await client.put("/v1/pipelines/partners", json=body)).json()["current_version"] == 2
    new = await opened(client, pipeline="partners")
    assert [(deal["pipeline_version"], deal["probability"]) for deal in (old, new)] == [(1, 20), (2, 30)]
    assert (await to_stage(client, old, "offer")).json()["type"] == "urn:ltc:problem:criteria-missing"
    assert (await to_stage(client, new, "offer")).json()["field"] == "stage"
    assert (await to_stage(client, new, "close")).status_code == 200
    # Until a person takes it over to the latest version.
    moved = await client.post(f"/v1/opportunities/{old['id']}/pipeline", json={"pipeline": "partners"})
    assert (moved.json()["pipeline_version"], moved.json()["probability"], moved.json()["stage"]) == (2, 30, "fit")
    other = await client.post(f"/v1/opportunities/{old['id']}/pipeline", json={"pipeline": "default"})
    assert (other.status_code, other.json()["field"]) == (400, "stage")
    other = await client.post(f"/v1/opportunities/{old['id']}/pipeline", json={"pipeline": "default", "stage": "discovery"})
    assert (other.json()["pipeline"], other.json()["stage"], other.json()["probability"]) == ("default", "discovery", 25)
    versions = (await client.get("/v1/pipelines/partners/versions")).json()
    assert [(each["version"], each["created_by"]) for each in versions] == [(2, "test"), (1, "test")]
    assert (await client.get("/v1/pipelines/partners", params={"version": 1})).json() == made


async def test_the_default_is_configuration_and_an_archived_pipeline_takes_no_deals(client: httpx.AsyncClient) -> None:
    await configured(client)
    running = await opened(client, pipeline="partners")
    archive = {"archived": True}
    assert (await client.put("/v1/pipelines/default/state", json=archive)).json()["field"] == "archived"
    assert (await client.put("/v1/pipelines/default/state", json={})).json()["field"] == "is_default"
    assert (await client.put("/v1/pipelines/partners/state", json={"is_default": True})).json()["is_default"] is True
    assert (await opened(client))["pipeline"] == "partners"
    assert (await client.put("/v1/pipelines/default/state", json=archive)).json()["archived"] is True
    refused = await client.post("/v1/opportunities", json={"name": "Rossi", "pipeline": "default"})
    assert (refused.status_code, refused.json()["field"]) == (400, "pipeline")
    assert (await to_stage(client, running, "party")).json()["field"] == "stage"
    history = (await client.get("/v1/pipelines/partners/changes")).json()["items"]
    assert history[0]["changes"]["is_default"] == [False, True]


async def test_there_is_one_default_also_when_two_choose_at_once(client: httpx.AsyncClient) -> None:
    for code in ("one", "two"):
        await client.post("/v1/pipelines", json={"code": code, "name": code, "stages": [STAGES[2]]})
    replies = await asyncio.gather(*(client.put(f"/v1/pipelines/{c}/state", json={"is_default": True}) for c in ("one", "two")))
    assert {reply.status_code for reply in replies} == {200}
    assert sum(each["is_default"] for each in (await client.get("/v1/pipelines")).json()) == 1


async def test_bad_pipelines_name_the_place(client: httpx.AsyncClient) -> None:
    stage = STAGES[2]
    for stages, status, field in (
        ([], 422, None),
        ([{**stage, "probability": 101}], 422, None),
        ([{**stage, "code": "No Slug"}], 422, None),
        ([stage, stage], 400, "stages.0.code"),
        ([{**stage, "code": "won"}], 400, "stages.0.code"),
        ([{**stage, "exit": {"documents": ["passport"]}}], 422, None),
        ([{**stage, "exit": {"fields": {"field": "custom.nothing", "is": "is_set"}}}], 400, "stages.0.exit.fields.field"),
        ([{**stage, "exit": {"fields": {"field": "amount", "is": "contains", "value": 1}}}], 400, "stages.0.exit.fields.is"),
        ([{**stage, "exit": {"activities": [{"type": "call"}] * 2}}], 400, "stages.0.exit.activities"),
        ([{**stage, "checklist": [{"code": "a", "label": "A"}] * 2}], 400, "stages.0.checklist"),
    ):
        reply = await client.post("/v1/pipelines", json={"code": "bad", "name": "Bad", "stages": stages})
        assert (reply.status_code, reply.json().get("field")) == (status, field), stages
    twice = await client.post("/v1/pipelines", json={"code": "default", "name": "Default", "stages": [stage]})
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:ltc:problem:pipeline-exists")
    assert (await client.get("/v1/pipelines/none")).status_code == 404
    deal = await opened(client)
    unknown = await client.put(f"/v1/opportunities/{deal['id']}/checklist/discovery/nothing", json={})
    assert (unknown.status_code, unknown.json()["field"]) == (400, "item")


async def test_configuring_needs_a_scope_of_its_own(client: httpx.AsyncClient, keys: KeyPair) -> None:
    headers = {"Authorization": f"Bearer {keys.token('opportunities:write pipelines:read')}"}
    body = {"code": "mine", "name": "Mine", "stages": [STAGES[2]]}
    assert (await client.post("/v1/pipelines", json=body, headers=headers)).status_code == 403
    assert (await client.get("/v1/pipelines", headers=headers)).status_code == 200


@given(st.lists(st.integers(0, 4), max_size=12))
def test_wherever_a_deal_goes_the_furthest_stage_is_the_last_it_reached(path: list[int]) -> None:
    way, codes = pipeline(), [stage.code for stage in pipeline().stages]
    deal, reached = opportunity(furthest="qualification"), 0
    for step, index in enumerate(path, 1):
        moved, change, events = deals.move(deal, way, codes[index], None, NOW + timedelta(hours=step))
        assert (change is None) == (codes[index] == deal.stage)
        assert (moved.version, len(events)) == (deal.version + (change is not None), int(change is not None))
        assert change is None or change.backward == (index < codes.index(deal.stage))
        deal, reached = moved, max(reached, index)
    assert deal.furthest == codes[reached]


def test_only_what_is_required_is_missing_and_only_of_stages_that_are_left() -> None:
    stages = (
        Stage("one", 1, 10, checklist=(Item("a", "A"), Item("b", "B", required=False))),
        Stage("two", 2, 20, fields={"any": [{"field": "owner", "is": "is_set"}, {"field": "team", "is": "is_set"}]}),
        Stage("three", 3, 30, activities=(ActivityNeed("meeting", 2),), documents=("quote_accepted",)),
    )
    nothing = Evidence(values=opportunity().values)
    assert [each.what for each in missing(stages, nothing)] == ["a", "owner, team", "meeting", "quote_accepted"]
    enough = Evidence({"team": "South"}, {"meeting": 2}, {"quote_accepted"}, {("one", "a")})
    assert missing(stages, enough) == []
    way = pipeline(*stages)
    with pytest.raises(CriteriaMissing) as refused:
        deals.move(opportunity(stage="one"), way, "two", nothing, NOW)
    assert [each.stage for each in refused.value.missing] == ["one"]
    assert deals.move(opportunity(stage="three"), way, "one", nothing, NOW)[0].stage == "one"


def test_a_fact_of_the_past_lies_between_the_last_move_and_now() -> None:
    deal, now = opportunity(), NOW + timedelta(days=5)
    moved, change, _ = deals.move(deal, pipeline(), "proposal", None, now, at=NOW + timedelta(days=2))
    assert change is not None
    assert (change.seconds_in_stage, moved.stage_since) == (172800, NOW + timedelta(days=2))
    for wrong in (NOW - timedelta(seconds=1), now + timedelta(seconds=1)):
        with pytest.raises(Invalid):
            deals.move(deal, pipeline(), "proposal", None, now, at=wrong)
        with pytest.raises(Invalid):
            deals.lose(deal, "price", now, at=wrong)


def test_a_loss_needs_a_reason() -> None:
    for nothing in ("", "  "):
        with pytest.raises(Invalid):
            deals.lose(opportunity(), nothing, NOW)


async def test_history_tells_how_long_each_stage_took(client: httpx.AsyncClient, clock: FixedClock) -> None:
    deal = await opened(client)
    clock.advance(hours=3)
    await to_stage(client, deal, "discovery")
    clock.advance(hours=1)
    shown = (await client.get(f"/v1/opportunities/{deal['id']}")).json()
    assert (shown["stage"], shown["seconds_in_stage"]) == ("discovery", 3600)
    assert (await client.get(f"/v1/opportunities/{deal['id']}/history")).json()[0]["seconds_in_stage"] == 10800


def test_time_in_a_stage_is_counted_from_the_move_before_not_from_the_beginning() -> None:
    first, _, _ = deals.move(opportunity(), pipeline(), "discovery", None, NOW + timedelta(days=3))
    second, change, [event] = deals.move(first, pipeline(), "proposal", None, NOW + timedelta(days=4))
    _, lost, _ = deals.lose(second, "price", NOW + timedelta(days=9))
    assert change is not None
    assert (change.seconds_in_stage, event.model_dump()["seconds_in_stage"], lost.seconds_in_stage) == (86400, 86400, 5 * 86400)


def test_one_activity_is_not_two() -> None:
    stages = (Stage("one", 1, 10, activities=(ActivityNeed("meeting", 2),)),)
    assert [each.what for each in missing(stages, Evidence({}, {"meeting": 1}))] == ["meeting"]


def test_shares_of_a_deal_are_exact() -> None:
    thirds = [deals.Member(name, "sales", Decimal("33.33")) for name in ("A", "B", "C")]
    deals.check_team(thirds)
    with pytest.raises(Invalid):
        deals.check_team([*thirds, deals.Member("D", "sales", Decimal("0.02"))])
    with pytest.raises(Invalid):
        deals.check_team([thirds[0], thirds[0]])
