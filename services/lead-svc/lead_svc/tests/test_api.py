import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_contracts.events import OpportunityOpened
from ltc_contracts.examples import example

from lead_svc.consumers import consumers

Emissions = Callable[[], Awaitable[list[Emitted]]]
LEAD = {"channel": "web", "source": "Google", "company": "Rossi", "contact": {"name": "Anna", "email": "anna@rossi.example"}}
GOOD_FIT = {"industry": "software", "company_size": 80, "country": "DE", "website": "https://rossi.example"}


async def test_a_lead_is_captured_scored_and_nothing_personal_leaves(client: httpx.AsyncClient, emitted: Emissions) -> None:
    reply = await client.post("/v1/leads", json={**LEAD, **GOOD_FIT})
    assert reply.status_code == 201, reply.text
    made = reply.json()
    assert (made["status"], made["fit"], made["band"]) == ("new", "45", "warm")
    assert made.pop("possible_duplicates") == {"items": [], "total": 0, "more": False}
    events = await emitted()
    assert [event.topic for event in events] == ["lead.captured", "lead.scored"]
    assert all("anna" not in event.event.model_dump_json().lower() for event in events)
    assert (await client.get(f"/v1/leads/{made['id']}")).json() == made
    assert (await client.get("/v1/leads", params={"flow_id": made["flow_id"]})).json()["items"] == [made]


async def test_a_score_is_explained_and_decays(client: httpx.AsyncClient, clock: FixedClock) -> None:
    made = (await client.post("/v1/leads", json={**LEAD, "activities": [{"activity": "form"}]})).json()
    clock.advance(days=30)
    shown = (await client.get(f"/v1/leads/{made['id']}/score")).json()
    assert shown["engagement"] == "5.00"
    assert {item["what"] for item in shown["items"]} == {"form", "no_website"}


async def test_engagement_qualifies_a_fitting_lead_by_rule(client: httpx.AsyncClient, emitted: Emissions) -> None:
    made = (await client.post("/v1/leads", json={**LEAD, **GOOD_FIT})).json()
    path = f"/v1/leads/{made['id']}/activities"
    assert (await client.post(path, json={"activity": "form"})).json()["status"] == "new"
    assert (await client.post(path, json={"activity": "reply"})).json()["status"] == "qualified"
    assert (await client.post(path, json={"activity": "meeting"})).json()["status"] == "qualified"
    qualified = [event for event in await emitted() if event.topic == "lead.qualified"]
    assert [event.event.reason for event in qualified] == ["score"]
    assert qualified[0].event.contact.email == "anna@rossi.example"


async def test_a_demo_request_qualifies_at_once(client: httpx.AsyncClient, emitted: Emissions) -> None:
    made = (await client.post("/v1/leads", json={**LEAD, "activities": [{"activity": "demo_request"}]})).json()
    assert made["status"] == "qualified"
    assert (await emitted())[-1].event.reason == "high_intent"


async def test_a_person_qualifies_or_disqualifies_once(client: httpx.AsyncClient, emitted: Emissions) -> None:
    first, second = [(await client.post("/v1/leads", json=LEAD)).json()["id"] for _ in range(2)]
    assert (await client.post(f"/v1/leads/{first}/qualify", json={"owner": "Darcel"})).json()["owner"] == "Darcel"
    assert (await client.post(f"/v1/leads/{first}/disqualify", json={"reason": "x"})).status_code == 409
    assert (await client.post(f"/v1/leads/{second}/disqualify", json={})).status_code == 422
    assert (await client.post(f"/v1/leads/{second}/disqualify", json={"reason": "no budget"})).json()["status"] == "disqualified"
    assert (await client.post(f"/v1/leads/{second}/qualify")).json()["type"] == "urn:ltc:problem:wrong-transition"
    assert [event.topic for event in await emitted()].count("lead.qualified") == 1


async def test_two_qualifications_at_once_are_one(client: httpx.AsyncClient, emitted: Emissions) -> None:
    made = (await client.post("/v1/leads", json=LEAD)).json()
    replies = await asyncio.gather(*(client.post(f"/v1/leads/{made['id']}/qualify") for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409, 409, 409]
    assert [event.topic for event in await emitted()].count("lead.qualified") == 1


async def test_a_known_reference_is_a_duplicate_and_the_future_is_refused(client: httpx.AsyncClient, emitted: Emissions) -> None:
    made = (await client.post("/v1/leads", json={**LEAD, "external_ref": "r1"})).json()
    again = await client.post("/v1/leads", json={**LEAD, "external_ref": "r1"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:duplicate-lead")
    assert made["id"] in again.json()["detail"]
    future = await client.post(
        f"/v1/leads/{made['id']}/activities", json={"activity": "form", "occurred_at": "2030-01-01T00:00:00Z"}
    )
    assert (future.status_code, future.json()["field"]) == (400, "occurred_at")
    assert [event.topic for event in await emitted()].count("lead.captured") == 1


async def test_an_opportunity_converts_the_lead_however_often_it_is_told(client: httpx.AsyncClient, deliver: Deliver) -> None:
    made = (await client.post("/v1/leads", json=LEAD)).json()
    await client.post(f"/v1/leads/{made['id']}/qualify")
    sample: Any = example("opportunity.opened").event
    assert isinstance(sample, OpportunityOpened)
    event = sample.model_copy(update={"lead_id": UUID(made["id"])})
    for _ in range(2):
        assert await deliver(consumers, event, flow_id=new_id()) == "processed"
    assert (await client.get(f"/v1/leads/{made['id']}")).json()["status"] == "converted"
    assert await deliver(consumers, sample, flow_id=new_id()) == "parked"  # a lead we do not know (yet)
