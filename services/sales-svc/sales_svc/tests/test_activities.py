import asyncio
from typing import Any

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_contracts.events import Contact, PersonErased

from sales_svc.consumers import consumers
from sales_svc.tests.builders import lead_qualified
from sales_svc.tests.test_accounts import account
from sales_svc.tests.test_api import Emissions
from sales_svc.tests.test_pipelines import opened

Json = dict[str, Any]


async def logged(client: httpx.AsyncClient, **given: Any) -> Json:
    reply = await client.post("/v1/activities", json={"type": "call", "subject": "Asked about pumps", **given})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


async def test_an_activity_is_told_without_its_content(client: httpx.AsyncClient, emitted: Emissions) -> None:
    deal = await opened(client)
    person = (await client.post(f"/v1/accounts/{deal['account_id']}/contacts", json={"name": "Anna"})).json()
    made = await logged(
        client, opportunity_id=deal["id"], contact_id=person["id"], body="secret", occurred_at="2025-12-30T08:00:00Z"
    )
    assert (made["account_id"], made["by"], made["warning"]) == (deal["account_id"], "test", None)
    event = (await emitted())[-1]
    assert (event.topic, str(event.flow_id), event.headers["ce_time"][:10]) == ("activity.logged", deal["flow_id"], "2025-12-30")
    assert event.event.model_dump(mode="json") == {
        "activity_id": made["id"],
        "type": "call",
        "by": "test",
        "account_id": deal["account_id"],
        "opportunity_id": deal["id"],
    }
    without = await logged(client, contact_id=person["id"])
    event = (await emitted())[-1]
    assert (without["account_id"], event.flow_id, event.key) == (deal["account_id"], None, without["id"])


async def test_everybody_sees_who_was_there_last_and_who_is_on_it(client: httpx.AsyncClient, clock: FixedClock) -> None:
    deal = await opened(client, owner="Anna")
    assert (await client.get(f"/v1/accounts/{deal['account_id']}")).json()["last_touch"] is None
    for kind, by in (("call", "Anna"), ("meeting", "Ben"), ("note", "Carla")):
        clock.advance(days=1)
        await logged(client, type=kind, by=by, opportunity_id=deal["id"])
    touch = {"type": "meeting", "by": "Ben", "at": "2026-01-03T00:00:00Z"}
    shown = (await client.get(f"/v1/accounts/{deal['account_id']}")).json()
    assert (shown["last_touch"], shown["reps"]) == (touch, ["Anna"])
    assert (await client.get(f"/v1/opportunities/{deal['id']}")).json()["last_touch"] == touch
    assert (await client.get("/v1/opportunities")).json()["items"][0]["last_touch"] == touch
    assert (await client.get("/v1/accounts")).json()["items"][0]["last_touch"] == touch


async def test_a_second_rep_on_the_same_day_is_warned_of_the_first(client: httpx.AsyncClient, clock: FixedClock) -> None:
    one = await account(client)
    assert (await logged(client, account_id=one["id"], by="Anna"))["warning"] is None
    assert (await logged(client, account_id=one["id"], by="Anna", type="email"))["warning"] is None
    assert (await logged(client, account_id=one["id"], by="Ben", type="note"))["warning"] is None
    warned = (await logged(client, account_id=one["id"], by="Ben"))["warning"]
    assert warned["last_touch"]["by"] == "Anna"
    assert warned["reason"] == "Anna was in touch with this customer on the same day (email)"
    clock.advance(days=1)
    assert (await logged(client, account_id=one["id"], by="Carla"))["warning"] is None


async def test_of_reps_who_log_at_once_only_the_first_is_not_warned(client: httpx.AsyncClient) -> None:
    one = await account(client)
    made = await asyncio.gather(*(logged(client, account_id=one["id"], by=who) for who in "ABCDE"))
    assert sum(each["warning"] is None for each in made) == 1


async def test_tasks_are_given_overdue_and_done(client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions) -> None:
    deal = await opened(client)
    task = await logged(
        client, type="task", subject="Send offer", due_at="2026-01-03T00:00:00Z", opportunity_id=deal["id"], assignee="Ben"
    )
    mine = await logged(client, type="task", due_at="2026-02-01T00:00:00Z", opportunity_id=deal["id"])
    assert (task["assignee"], mine["assignee"], task["overdue"]) == ("Ben", "test", False)
    assert [event.topic for event in await emitted()] == ["opportunity.opened"]
    clock.advance(days=2)
    overdue = (await client.get("/v1/tasks", params={"state": "overdue"})).json()["items"]
    assert [(each["id"], each["overdue"]) for each in overdue] == [(task["id"], True)]
    path = f"/v1/activities/{task['id']}"
    replies = await asyncio.gather(*(client.post(f"{path}/complete") for _ in range(3)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409]
    assert [event.topic for event in await emitted()].count("activity.logged") == 1
    assert (await client.get("/v1/tasks", params={"state": "open"})).json()["items"][0]["id"] == mine["id"]
    assert (await client.get("/v1/tasks", params={"state": "done", "assignee": "Ben"})).json()["items"][0]["done_by"] == "test"
    assert (await client.post(f"{path}/reopen")).json()["done_at"] is None
    later = await client.patch(path, json={"due_at": "2026-03-01T00:00:00Z", "assignee": "Anna", "version": 3})
    assert (later.json()["overdue"], later.json()["assignee"], later.json()["version"]) == (False, "Anna", 4)
    assert (await client.patch(path, json={"subject": "Late", "version": 3})).status_code == 409
    assert (await client.patch(path, json={"subject": None, "version": 4})).json()["field"] == "subject"
    call = await logged(client, opportunity_id=deal["id"])
    assert (await client.post(f"/v1/activities/{call['id']}/complete")).json()["field"] == "type"


async def test_activities_are_listed_newest_first_a_page_at_a_time(client: httpx.AsyncClient) -> None:
    one, other = await account(client, "One"), await account(client, "Other")
    for subject in ("a", "b", "c"):
        await logged(client, account_id=one["id"], subject=subject)
    await logged(client, account_id=other["id"], subject="d", type="note")
    params = {"account_id": one["id"], "limit": 2}
    first = (await client.get("/v1/activities", params=params)).json()
    rest = (await client.get("/v1/activities", params={**params, "cursor": first["next"]})).json()
    assert [each["subject"] for each in first["items"] + rest["items"]] == ["c", "b", "a"]
    assert [each["subject"] for each in (await client.get("/v1/activities", params={"type": "note"})).json()["items"]] == ["d"]


async def test_bad_activities_name_the_field(client: httpx.AsyncClient, keys: KeyPair) -> None:
    one, deal = await account(client, "One"), await opened(client, company="Other")
    body = {"type": "call", "subject": "Hello", "account_id": one["id"]}
    for given, status, field in (
        ({"account_id": None}, 400, "account_id"),
        ({"account_id": str(new_id())}, 400, "account_id"),
        ({"contact_id": str(new_id())}, 400, "contact_id"),
        ({"opportunity_id": str(new_id())}, 400, "opportunity_id"),
        ({"opportunity_id": deal["id"]}, 400, "opportunity_id"),
        ({"occurred_at": "2026-01-02T00:00:00Z"}, 400, "occurred_at"),
        ({"due_at": "2026-01-02T00:00:00Z"}, 400, "type"),
        ({"type": "task"}, 400, "due_at"),
        ({"type": "fax"}, 422, None),
        ({"subject": ""}, 422, None),
        ({"body": "x" * 20_001}, 422, None),
    ):
        reply = await client.post("/v1/activities", json={**body, **given})
        assert (reply.status_code, reply.json().get("field")) == (status, field), given
    seller = {"Authorization": f"Bearer {keys.token('activities:write')}"}
    assert (await client.post("/v1/activities", json={**body, "by": "Ben"}, headers=seller)).status_code == 403


async def test_a_merge_moves_activities_and_an_erased_person_leaves_none_of_their_words(client: httpx.AsyncClient) -> None:
    stays, goes = await account(client, "Stays"), await account(client, "Goes")
    person = (await client.post(f"/v1/accounts/{goes['id']}/contacts", json={"name": "Anna", "email": "a@b.example"})).json()
    made = await logged(client, contact_id=person["id"], body="She is ill", by="Ben")
    await client.post(f"/v1/accounts/{stays['id']}/merge", json={"account_id": goes["id"], "version": 1})
    assert (await client.get(f"/v1/accounts/{stays['id']}")).json()["last_touch"]["by"] == "Ben"
    await client.delete(f"/v1/contacts/{person['id']}")
    shown = (await client.get(f"/v1/activities/{made['id']}")).json()
    assert (shown["subject"], shown["body"], shown["by"], shown["account_id"]) == ("erased", None, "Ben", stays["id"])


async def test_a_person_who_is_erased_elsewhere_is_erased_here_also_when_the_lead_comes_late(
    client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions
) -> None:
    known, late = (
        lead_qualified(company=None, contact=Contact(name="Anna", email="anna@rossi.example"), source="Fair") for _ in range(2)
    )
    await deliver(consumers, known, flow_id=new_id())
    [deal] = (await client.get("/v1/opportunities")).json()["items"]
    made = await logged(client, opportunity_id=deal["id"], contact_id=deal["contact_id"])
    erased = PersonErased(erasure_id=new_id(), lead_ids=(known.lead_id, late.lead_id))
    assert await deliver(consumers, erased) == "processed"
    await deliver(consumers, late, flow_id=new_id())
    first, second = (await client.get("/v1/opportunities")).json()["items"]
    assert (deal["name"], first["name"], second["name"], second["contact_id"]) == ("Anna", "erased", "Lead from Fair", None)
    assert (await client.get(f"/v1/contacts/{deal['contact_id']}")).json()["name"] == "erased"
    assert (await client.get(f"/v1/activities/{made['id']}")).json()["subject"] == "erased"
    # And the person's name was in no event.
    assert {e.event.name for e in await emitted() if e.topic == "opportunity.opened"} == {"Lead from Fair"}
