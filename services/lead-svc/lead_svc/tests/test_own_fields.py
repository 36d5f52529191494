"""L4: the company's own fields on a lead, without a deployment: API, list, change, import, events."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import import_form
from lead_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
LEAD = {"channel": "web", "source": "Google"}
IMPORT = next(timer for timer in TIMERS if timer.name == "import-rows")


async def field(client: httpx.AsyncClient, key: str, kind: str, **more: Any) -> dict[str, Any]:
    body = {"entity": "lead", "key": key, "label": key, "type": kind, **more}
    reply = await client.post("/v1/custom-fields", json=body)
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def capture(client: httpx.AsyncClient, **facts: Any) -> dict[str, Any]:
    reply = await client.post("/v1/leads", json={**LEAD, **facts})
    assert reply.status_code == 201, reply.text
    made: dict[str, Any] = reply.json()
    return made


async def change(client: httpx.AsyncClient, lead: dict[str, Any], **given: Any) -> httpx.Response:
    return await client.patch(f"/v1/leads/{lead['id']}", json={"version": lead["version"], **given})


async def told(emitted: Emissions, topic: str) -> list[Any]:
    return [event.event for event in await emitted() if event.topic == topic]


async def test_a_new_field_is_used_at_once_on_api_import_and_event(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    refused = await client.post("/v1/leads", json={**LEAD, "custom": {"machines": 3}})
    assert (refused.status_code, refused.json()["field"]) == (400, "custom.machines")
    await field(client, "machines", "integer", minimum=0)
    await field(client, "tier", "choice", choices=["Gold", "Silver"])
    await field(client, "birthday", "date", personal=True)
    custom = {"machines": 3, "tier": "Gold", "birthday": "1980-02-29"}
    made = await capture(client, custom=custom)
    assert made["custom"] == custom
    assert (await client.get(f"/v1/leads/{made['id']}")).json()["custom"] == custom
    csv = "Channel,Source,N,Class\nweb,fair,12,gold\nweb,fair,-1,gold\nweb,fair,,\n"
    mapping = {"channel": "Channel", "source": "Source", "custom.machines": "N", "custom.tier": "Class"}
    job = (await client.post("/v1/imports", **import_form(csv, mapping))).json()
    await run_timer(IMPORT)
    done = (await client.get(f"/v1/imports/{job['id']}")).json()
    assert (done["imported"], done["refused"]) == (2, 1)
    [error] = (await client.get(f"/v1/imports/{job['id']}/errors")).json()["items"]
    assert (error["line"], error["field"], error["reason"]) == (3, "custom.machines", "must be at least 0")
    captured = [event.custom for event in await told(emitted, "lead.captured")]
    assert captured == [{"machines": 3, "tier": "Gold"}, {"machines": 12, "tier": "Gold"}, {}]
    assert "1980" not in "".join(event.event.model_dump_json() for event in await emitted())
    await client.post(f"/v1/leads/{made['id']}/qualify")
    [qualified] = await told(emitted, "lead.qualified")
    assert qualified.custom == {"machines": 3, "tier": "Gold"}


async def test_a_mapping_to_a_field_that_does_not_exist_is_refused_whole(client: httpx.AsyncClient) -> None:
    await field(client, "old", "text")
    await client.patch("/v1/custom-fields/lead/old", json={"version": 1, "archived": True})
    for key in ("shoe", "old"):
        mapping = {"channel": "Channel", "source": "Source", f"custom.{key}": "N"}
        reply = await client.post("/v1/imports", **import_form("Channel,Source,N\nweb,fair,1\n", mapping))
        assert (reply.status_code, reply.json()["field"]) == (400, "mapping")


async def test_a_field_archived_while_a_file_waits_refuses_the_rows_and_stops_nothing(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    await field(client, "old", "text")
    mapping = {"channel": "Channel", "source": "Source", "custom.old": "N"}
    job = (await client.post("/v1/imports", **import_form("Channel,Source,N\nweb,fair,1\n", mapping))).json()
    await client.patch("/v1/custom-fields/lead/old", json={"version": 1, "archived": True})
    await run_timer(IMPORT)
    done = (await client.get(f"/v1/imports/{job['id']}")).json()
    assert (done["state"], done["imported"], done["refused"]) == ("done", 0, 1)


async def test_a_required_field_is_required_whatever_the_way_in(client: httpx.AsyncClient, run_timer: Run) -> None:
    await field(client, "consent_text", "text", required=True)
    missing = await client.post("/v1/leads", json=LEAD)
    assert (missing.status_code, missing.json()["field"]) == (400, "custom.consent_text")
    csv = "Channel,Source,Text\nweb,fair,\nweb,fair,v1\n"
    mapping = {"channel": "Channel", "source": "Source", "custom.consent_text": "Text"}
    job = (await client.post("/v1/imports", **import_form(csv, mapping))).json()
    await run_timer(IMPORT)
    done = (await client.get(f"/v1/imports/{job['id']}")).json()
    assert (done["imported"], done["refused"]) == (1, 1)


async def test_leads_are_found_by_their_own_fields(client: httpx.AsyncClient) -> None:
    await field(client, "tier", "choice", choices=["Gold", "Silver"])
    await field(client, "tags", "multi_choice", choices=["EU", "US", "APAC"])
    await field(client, "budget", "number")
    await field(client, "partner", "boolean")
    first = await capture(client, custom={"tier": "Gold", "tags": ["EU", "US"], "budget": "12.5", "partner": True})
    second = await capture(client, custom={"tier": "Silver", "tags": ["EU"], "budget": 12.5})
    await capture(client)

    async def found(**filters: str) -> list[str]:
        reply = await client.get("/v1/leads", params={f"custom.{key}": value for key, value in filters.items()})
        assert reply.status_code == 200, reply.text
        return [item["id"] for item in reply.json()["items"]]

    assert await found(tier="gold") == [first["id"]]
    assert await found(tags="EU") == [first["id"], second["id"]]
    assert await found(tags="EU;US") == [first["id"]]
    assert await found(budget="12.5", tier="Silver") == [second["id"]]
    assert await found(partner="yes") == [first["id"]]
    assert (await client.get("/v1/leads", params={"custom.tier": "Gold", "band": "hot"})).json()["items"] == []
    for params, at in (
        ({"custom.shoe": "x"}, "custom.shoe"),
        ({"custom.budget": "much"}, "custom.budget"),
        ({"custom.tier": ""}, "custom.tier"),
    ):
        reply = await client.get("/v1/leads", params=params)
        assert (reply.status_code, reply.json()["field"]) == (400, at)


async def test_a_change_keeps_what_it_does_not_name_and_tells_nothing_personal(
    client: httpx.AsyncClient, emitted: Emissions, clock: FixedClock
) -> None:
    await field(client, "tier", "text")
    await field(client, "hobby", "text", personal=True)
    made = await capture(
        client, company="Rossi", contact={"name": "Anna", "email": "anna@rossi.example"}, custom={"tier": "A", "hobby": "chess"}
    )
    clock.advance(hours=1)
    reply = await change(
        client, made, company=None, country="IT", contact={"phone": "+39066982"}, custom={"tier": "B", "hobby": None}
    )
    assert reply.status_code == 200, reply.text
    now = reply.json()
    assert (now["version"], now["company"], now["country"], now["custom"]) == (2, None, "IT", {"tier": "B"})
    assert now["contact"] == {"name": "Anna", "email": "anna@rossi.example", "phone": "+39066982"}
    [event] = await told(emitted, "lead.changed")
    assert event.changed == ("company", "contact.phone", "country", "custom.hobby", "custom.tier")
    assert (event.company, event.country, event.custom) == (None, "IT", {"tier": "B"})
    [log] = (await client.get(f"/v1/leads/{made['id']}/changes")).json()["items"]
    assert (log["by"], log["at"], log["version"]) == ("test", "2026-01-01T01:00:00Z", 2)
    assert log["changes"] == {
        "company": ["Rossi", None],
        "country": [None, "IT"],
        "custom.tier": ["A", "B"],
        "custom.hobby": None,
        "contact.phone": None,
    }
    assert (await change(client, now, country="IT", custom={"tier": "B"})).json() == now  # nothing is different
    assert len(await told(emitted, "lead.changed")) == 1


async def test_of_two_changes_at_once_one_wins(client: httpx.AsyncClient) -> None:
    made = await capture(client)
    replies = await asyncio.gather(*(change(client, made, company=f"Rossi {number}") for number in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409, 409]
    assert {reply.json()["type"] for reply in replies if reply.status_code == 409} == {"urn:ltc:problem:version-conflict"}


async def test_a_changed_lead_is_recognised_and_scored_anew(client: httpx.AsyncClient, emitted: Emissions) -> None:
    other = await capture(client, contact={"email": "anna@rossi.example"})
    made = await capture(client, contact={"email": "bert@bianchi.example"}, activities=[{"activity": "form"}])
    assert (await client.get(f"/v1/leads/{made['id']}/duplicates")).json()["total"] == 0
    reply = await change(
        client, made, contact={"email": "ANNA@rossi.example"}, industry="software", company_size=80, country="DE"
    )
    assert (reply.json()["fit"], reply.json()["band"]) == ("40", "warm")
    assert [each["lead_id"] for each in (await client.get(f"/v1/leads/{made['id']}/duplicates")).json()["items"]] == [other["id"]]
    assert [str(event.lead_id) for event in await told(emitted, "lead.scored")][-1] == made["id"]


async def test_a_change_can_make_a_lead_ready_for_sales(client: httpx.AsyncClient) -> None:
    done = [{"activity": "form"}, {"activity": "reply"}]
    made = await capture(client, activities=done)
    assert made["status"] != "qualified"
    reply = await change(client, made, industry="software", company_size=80, country="DE", website="https://rossi.example")
    assert reply.json()["status"] == "qualified"


async def test_a_merge_keeps_what_both_leads_knew_and_places_the_survivor(client: httpx.AsyncClient) -> None:
    await field(client, "tier", "text")
    await field(client, "hobby", "text")
    rule = {"code": "de", "label": "x", "condition": {"field": "country", "is": "eq", "value": "DE"}}
    await client.post("/v1/classifications", json={**rule, "sets": {"region": "central", "industry": "guess"}})
    await client.post("/v1/segments", json={**rule, "condition": {"field": "custom.hobby", "is": "is_set"}})
    first = await capture(client, country="DE", custom={"tier": "A"})
    second = await capture(client, industry="software", custom={"tier": "B", "hobby": "chess"})
    changed = (await change(client, second, company="Rossi")).json()
    merged = await client.post(f"/v1/leads/{second['id']}/merge", json={"into": first["id"]})
    assert merged.status_code == 200, merged.text
    now = (await client.get(f"/v1/leads/{first['id']}")).json()
    assert (now["custom"], now["industry"], now["region"], now["segments"]) == (
        {"tier": "A", "hobby": "chess"},
        "software",
        "central",
        ["de"],
    )
    assert len((await client.get(f"/v1/leads/{first['id']}/changes")).json()["items"]) == 1
    refused = await change(client, changed, company="Bianchi")
    assert refused.status_code == 409
    undone = await client.post(f"/v1/merges/{merged.json()['id']}/undo")
    assert undone.status_code == 200, undone.text
    now = (await client.get(f"/v1/leads/{first['id']}")).json()
    assert (now["custom"], now["industry"], now["region"], now["segments"]) == ({"tier": "A"}, "guess", "central", [])
    assert (await client.get(f"/v1/leads/{second['id']}")).json()["segments"] == ["de"]


@pytest.mark.parametrize(
    ("given", "status", "field_"),
    [
        ({"custom": {"shoe": 1}}, 400, "custom.shoe"),
        ({"custom": {"tier": "x" * 501}}, 400, "custom.tier"),
        ({"custom": {"tier": "\u0000"}}, 400, "custom.tier"),
        ({"custom": {"must": None}}, 400, "custom.must"),
        ({"custom": {"x" * 65: 1}}, 422, None),
        ({"custom": {f"k{n}": 1 for n in range(201)}}, 422, None),
        ({"country": "Italy"}, 422, None),
        ({"status": "qualified"}, 422, None),
        ({"company": "\u0000"}, 400, None),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(
    client: httpx.AsyncClient, given: dict[str, Any], status: int, field_: str | None
) -> None:
    await field(client, "tier", "text")
    await field(client, "must", "text", required=True)
    made = await capture(client, custom={"must": "x"})
    reply = await change(client, made, **given)
    assert (reply.status_code, reply.json().get("field")) == (status, field_)
    assert (await client.get(f"/v1/leads/{made['id']}")).json()["version"] == 1
    gone = await client.patch("/v1/leads/019b0000-0000-7000-8000-000000000000", json={"version": 1})
    assert gone.status_code == 404
