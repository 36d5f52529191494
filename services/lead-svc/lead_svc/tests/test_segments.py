"""L4: classification and segments by rule, with versions; evaluated at capture, change and import."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted, KeyPair
from ltc_chassis.timers import Timer

from lead_svc.handlers import segments
from lead_svc.tests.builders import import_form
from lead_svc.tests.test_own_fields import capture, change, field, told
from lead_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
SPREAD, IMPORT = (next(timer for timer in TIMERS if timer.name == name) for name in ("segments", "import-rows"))
DACH = {"field": "country", "is": "in", "value": ["DE", "AT", "CH"]}
BIG = {"field": "company_size", "is": "gte", "value": 500}


async def segment(client: httpx.AsyncClient, code: str, condition: Any, **more: Any) -> dict[str, Any]:
    reply = await client.post("/v1/segments", json={"code": code, "label": code, "condition": condition, **more})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def classification(client: httpx.AsyncClient, code: str, condition: Any, **sets: str) -> dict[str, Any]:
    body = {"code": code, "label": code, "condition": condition, "sets": sets}
    reply = await client.post("/v1/classifications", json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def test_a_lead_is_placed_at_capture_and_import(client: httpx.AsyncClient, run_timer: Run, emitted: Emissions) -> None:
    await field(client, "machines", "integer")
    await classification(client, "dach", DACH, region="central")
    await classification(client, "search", {"field": "source", "is": "eq", "value": "google"}, channel_group="paid")
    await segment(client, "central-big", {"all": [{"field": "region", "is": "eq", "value": "central"}, BIG]}, priority=1)
    await segment(client, "machines", {"field": "custom.machines", "is": "gt", "value": 10})
    await segment(client, "nobody", {"field": "country", "is": "eq", "value": "XX"})
    made = await capture(client, country="DE", company_size=900, custom={"machines": 11})
    assert (made["region"], made["channel_group"], made["segments"]) == ("central", "paid", ["central-big", "machines"])
    csv = "Channel,Source,Land,N\nweb,fair,Austria,12\nweb,Google,Italy,1\n"
    mapping = {"channel": "Channel", "source": "Source", "country": "Land", "custom.machines": "N"}
    await client.post("/v1/imports", **import_form(csv, mapping))
    await run_timer(IMPORT)
    events = await told(emitted, "lead.captured")
    assert [(event.region, event.channel_group, event.segments) for event in events] == [
        ("central", "paid", ("central-big", "machines")),
        ("central", None, ("machines",)),
        (None, "paid", ()),
    ]
    found = (await client.get("/v1/leads", params={"segment": "machines"})).json()["items"]
    assert [item["id"] for item in found] == [str(event.lead_id) for event in events[:2]]
    assert (await client.get("/v1/leads", params={"segment": "machines", "band": "hot"})).json()["items"] == []
    await client.post(f"/v1/leads/{made['id']}/qualify")
    [qualified] = await told(emitted, "lead.qualified")
    assert (qualified.region, qualified.segments) == ("central", ("central-big", "machines"))


async def test_a_lead_is_placed_anew_when_its_facts_change(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await classification(client, "dach", DACH, region="central")
    await segment(client, "big", BIG)
    made = await capture(client, country="DE")
    now = (await change(client, made, company_size=900, country="IT")).json()
    assert (now["region"], now["segments"]) == (None, ["big"])
    [event] = await told(emitted, "lead.changed")
    assert event.changed == ("company_size", "country", "region", "segments")
    assert (event.region, event.segments, event.company_size) == (None, ("big",), 900)


async def test_what_somebody_gave_no_rule_takes_away(client: httpx.AsyncClient) -> None:
    await classification(client, "dach", DACH, region="central", industry="machines")
    given = await capture(client, country="DE", region="north")
    assert (given["region"], given["industry"]) == ("north", "machines")
    corrected = (await change(client, given, industry="software")).json()
    moved = (await change(client, corrected, country="AT")).json()
    assert (moved["region"], moved["industry"]) == ("north", "software")
    left_to_rules = (await change(client, moved, region=None)).json()
    assert left_to_rules["region"] == "central"


async def test_the_more_important_classification_wins_and_order_means_nothing_else(client: httpx.AsyncClient) -> None:
    await classification(client, "all", {"all": []}, region="world")
    body = {"code": "z-dach", "label": "x", "condition": DACH, "sets": {"region": "central"}, "priority": 1}
    await client.post("/v1/classifications", json=body)
    # A rule that looks at what another one sets sees nothing: the region was not given.
    await classification(client, "by-region", {"field": "region", "is": "is_set"}, channel_group="placed")
    made = await capture(client, country="DE")
    assert (made["region"], made["channel_group"]) == ("central", None)
    assert (await capture(client, country="IT"))["region"] == "world"


async def test_a_segment_follows_the_band(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    await segment(client, "warm", {"field": "band", "is": "in", "value": ["warm", "hot"]})
    made = await capture(client, country="DE", website="https://x.example")
    assert (made["band"], made["segments"]) == ("cold", [])
    for activity in ("form", "reply"):
        reply = await client.post(f"/v1/leads/{made['id']}/activities", json={"activity": activity})
    assert (reply.json()["band"], reply.json()["segments"]) == ("warm", ["warm"])
    clock.advance(days=60)
    assert await run_timer(next(timer for timer in TIMERS if timer.name == "score-due")) > 0
    assert (await client.get(f"/v1/leads/{made['id']}")).json()["segments"] == []
    assert [event.segments for event in await told(emitted, "lead.changed")] == [("warm",), ()]


async def test_a_new_version_spreads_over_the_leads_that_are_here_when_it_begins(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    leads = [await capture(client, company_size=size) for size in (400, 600, 2000)]
    first = await segment(client, "big", BIG)
    assert (first["version"], first["valid_from"]) == (1, "2026-01-01T00:00:00Z")
    await run_timer(SPREAD)

    async def placed() -> list[bool]:
        return [(await client.get(f"/v1/leads/{lead['id']}")).json()["segments"] == ["big"] for lead in leads]

    assert await placed() == [False, True, True]
    bigger = {**BIG, "value": 1000}
    second = await segment(client, "big", bigger, replaces=1, valid_from="2026-02-01T00:00:00Z")
    assert second["version"] == 2
    await run_timer(SPREAD)
    assert await placed() == [False, True, True]
    clock.advance(days=31)
    await run_timer(SPREAD)
    assert await placed() == [False, False, True]
    await segment(client, "big", bigger, replaces=2, active=False)
    await run_timer(SPREAD)
    assert await placed() == [False, False, False]
    assert [event.changed for event in await told(emitted, "lead.changed")] == [("segments",)] * 4
    runs = (await client.get("/v1/segments/runs")).json()
    assert [(run["looked_at"], run["changed"], run["done_at"] is not None) for run in runs] == [(3, 1, True)] * 2 + [(3, 2, True)]
    versions = (await client.get("/v1/segments/big/versions")).json()
    assert [(each["version"], each["active"], each["created_by"]) for each in versions] == [
        (3, False, "test"),
        (2, True, "test"),
        (1, True, "test"),
    ]


async def test_a_run_killed_in_the_middle_goes_on_and_moves_each_lead_once(
    client: httpx.AsyncClient, db: Database, run_timer: Run, emitted: Emissions
) -> None:
    for _ in range(7):
        await capture(client, company_size=900)
    await segment(client, "big", BIG)
    async with db.transaction() as tx:
        assert await segments.run_chunk(tx, limit=3) == 3
    with pytest.raises(RuntimeError):
        await _killed(db)
    chunks = await asyncio.gather(*(_chunk(db) for _ in range(2)))  # two replicas
    assert sorted(chunks) == [0, 3]
    await run_timer(SPREAD)
    assert len({event.lead_id for event in await told(emitted, "lead.changed")}) == 7
    assert len(await told(emitted, "lead.changed")) == 7


async def _killed(db: Database) -> None:
    async with db.transaction() as tx:
        await segments.run_chunk(tx, limit=3)
        raise RuntimeError("killed before the commit")


async def _chunk(db: Database) -> int:
    async with db.transaction() as tx:
        handled = await segments.run_chunk(tx, limit=3)
        await asyncio.sleep(0.3)
        return handled


async def test_a_preview_tells_how_many_it_would_take_and_changes_nothing(
    client: httpx.AsyncClient, emitted: Emissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [(await capture(client, company_size=size))["id"] for size in (1, 600, 700)]
    seen = (await client.post("/v1/segments/preview", json={"condition": BIG})).json()
    assert seen == {"total": 3, "looked_at": 3, "matching": 2, "complete": True, "estimate": 2, "sample": [ids[2], ids[1]]}
    assert await told(emitted, "lead.changed") == []
    monkeypatch.setattr("lead_svc.api.segments._CHUNK", 2)
    monkeypatch.setattr("lead_svc.api.segments._BUDGET_S", 0.000001)
    late = (await client.post("/v1/segments/preview", json={"condition": BIG})).json()
    assert late["complete"] is False
    assert late["looked_at"] in (0, 2)
    refused = await client.post("/v1/segments/preview", json={"condition": {"field": "shoe", "is": "is_set"}})
    assert (refused.status_code, refused.json()["field"]) == (400, "condition.field")


async def test_a_version_names_the_one_it_replaces_so_that_of_two_at_once_one_wins(client: httpx.AsyncClient) -> None:
    await segment(client, "big", BIG)
    body = {"code": "big", "label": "x", "condition": BIG}
    again = await client.post("/v1/segments", json=body)
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:segment-exists")
    replies = await asyncio.gather(*(client.post("/v1/segments", json={**body, "replaces": 1}) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409, 409]
    assert {reply.json()["type"] for reply in replies if reply.status_code == 409} == {"urn:ltc:problem:version-conflict"}
    assert (await client.post("/v1/segments", json={**body, "code": "new", "replaces": 1})).status_code == 404


async def test_the_number_of_segments_is_bounded(client: httpx.AsyncClient) -> None:
    for number in range(50):
        await segment(client, f"s{number}", {"all": []})
    more = await client.post("/v1/segments", json={"code": "more", "label": "x", "condition": BIG})
    assert (more.status_code, more.json()["type"]) == (409, "urn:ltc:problem:too-many-segments")
    assert len((await capture(client))["segments"]) == 50
    await segment(client, "s0", {"all": []}, replaces=1, active=False)
    await segment(client, "more", BIG)


@pytest.mark.parametrize(
    ("path", "wrong", "status", "at"),
    [
        ("segments", {"condition": {"field": "engagement", "is": "gt", "value": 1}}, 400, "condition.field"),
        ("segments", {"condition": {"any": []}}, 400, "condition.any"),
        ("segments", {"valid_from": "2025-01-01T00:00:00Z"}, 400, "valid_from"),
        ("segments", {"code": "Not a code"}, 422, None),
        ("segments", {"sets": {"region": "x"}}, 422, None),
        ("classifications", {"sets": {"owner": "x"}}, 400, "sets.owner"),
        ("classifications", {"sets": {"industry": "x" * 65}}, 400, "sets.industry"),
        ("classifications", {"sets": {}}, 422, None),
        ("classifications", {"condition": {"field": "band", "is": "eq", "value": "hot"}}, 400, "condition.field"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, path: str, wrong: dict[str, Any], status: int, at: str | None
) -> None:
    good = {"code": "x", "label": "x", "condition": BIG, **({"sets": {"region": "x"}} if path == "classifications" else {})}
    reply = await client.post(f"/v1/{path}", json={**good, **wrong})
    assert (reply.status_code, reply.json().get("field")) == (status, at)
    assert (await client.post(f"/v1/{path}", json=good)).status_code == 201


async def test_only_who_may_configure_writes_rules(app: FastAPI, keys: KeyPair) -> None:
    headers = {"Authorization": f"Bearer {keys.token('leads:read leads:write')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=headers) as rep:
        assert (await rep.post("/v1/segments", json={"code": "x", "label": "x", "condition": BIG})).status_code == 403
        assert (await rep.get("/v1/segments")).json() == []
        assert (await rep.get("/v1/segments/x/versions")).status_code == 404
