import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_contracts.events import Contact

from sales_svc.consumers import consumers
from sales_svc.domain.light import Light, LightPolicy, bounds, light_of
from sales_svc.tests.builders import NOW, lead_qualified, opportunity
from sales_svc.tests.test_api import Emissions
from sales_svc.tests.test_pipelines import opened

Json = dict[str, Any]
POLICY = LightPolicy(due_days=2, young_days=7)


async def listed(client: httpx.AsyncClient, **params: Any) -> list[str]:
    reply = await client.get("/v1/opportunities", params=params)
    assert reply.status_code == 200, reply.text
    return [deal["name"] for deal in reply.json()["items"]]


async def test_a_qualified_lead_brings_all_it_knows(client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions) -> None:
    for key, kind in (("machines", "integer"), ("erp", "text")):
        field = {"entity": "opportunity", "key": key, "label": key, "type": kind, "personal": key == "erp"}
        assert (await client.post("/v1/custom-fields", json=field)).status_code == 201
    await client.put("/v1/reps/Darcel", json={"team": "Central"})
    lead = lead_qualified(
        owner="Darcel",
        contact=Contact(name="Anna", email="anna@rossi.example"),
        campaign="spring",
        region="south",
        segments=("b2b", "pumps"),
        industry="water",
        company_size=80,
        custom={"machines": 12, "erp": "none", "unknown": "x"},
    )
    await deliver(consumers, lead, flow_id=new_id())
    [deal] = (await client.get("/v1/opportunities")).json()["items"]
    wanted = {
        "campaign": "spring",
        "region": "south",
        "segment": "b2b",
        "team": "Central",
        "custom": {"machines": 12, "erp": "none"},
    }
    assert {name: deal[name] for name in wanted} == wanted
    assert (await client.get(f"/v1/contacts/{deal['contact_id']}")).json()["account_id"] == deal["account_id"]
    account = (await client.get(f"/v1/accounts/{deal['account_id']}")).json()
    assert (account["industry"], account["size"]) == ("water", 80)
    [event] = [each.event for each in await emitted()]
    assert (event.campaign, event.region, event.segment, event.team) == ("spring", "south", "b2b", "Central")
    assert (str(event.account_id), event.pipeline, event.country) == (deal["account_id"], "default", "IT")
    assert event.custom == {"machines": 12}  # not what is personal


async def test_a_deal_is_changed_by_the_version_that_was_read(client: httpx.AsyncClient) -> None:
    deal = await opened(client, owner="Anna")
    path = f"/v1/opportunities/{deal['id']}"
    body = {
        "name": "Pumps",
        "value": {"amount": "120.50", "currency": "EUR"},
        "expected_close_on": "2026-03-31",
        "next_step": "Demo",
        "next_step_due": "2026-01-05T10:00:00Z",
        "competitors": ["ACME crm"],
    }
    unknown = await client.patch(path, json={**body, "version": 1})
    assert (unknown.status_code, unknown.json()["field"]) == (400, "competitors")
    await client.put("/v1/competitors/Acme CRM", json={})
    changed = (await client.patch(path, json={**body, "version": 1})).json()
    assert {name: changed[name] for name in body} == {**body, "competitors": ["Acme CRM"]}
    assert (changed["version"], changed["light"]) == (2, "green")
    stale = await client.patch(path, json={"name": "Other", "version": 1})
    assert (stale.status_code, stale.json()["current_version"]) == (409, 2)
    assert (await client.patch(path, json={"name": "Other"})).json()["field"] == "version"
    half = await client.patch(path, json={"next_step": None}, headers={"If-Match": '"2"'})
    assert (half.status_code, half.json()["field"]) == (400, "next_step_due")
    history = (await client.get(f"{path}/changes")).json()["items"]
    assert history[1]["changes"]["value"] == [None, {"amount": "120.50", "currency": "EUR"}]
    for bad, status in (({"value": {"amount": "1.001", "currency": "EUR"}}, 422), ({"account_id": str(new_id())}, 400)):
        assert (await client.patch(path, json={**bad, "version": 2})).status_code == status
    await client.post(f"{path}/lose", json={"reason": "price"})
    closed = await client.patch(path, json={"name": "Late", "version": 3})
    assert (closed.status_code, closed.json()["type"]) == (409, "urn:ltc:problem:deal-closed")


async def test_of_two_changes_at_once_one_is_refused(client: httpx.AsyncClient) -> None:
    path = f"/v1/opportunities/{(await opened(client))['id']}"
    replies = await asyncio.gather(*(client.patch(path, json={"owner": who, "version": 1}) for who in "ABC"))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409]


async def test_a_deal_has_a_team_with_roles_and_shares(client: httpx.AsyncClient) -> None:
    deal = await opened(client, owner="Anna", members=[{"member": "Ben", "role": "expert", "share": "20"}])
    path = f"/v1/opportunities/{deal['id']}/members"
    assert deal["members"] == [{"member": "Ben", "role": "expert", "share": "20"}]
    members = [{"member": "Ben", "role": "expert", "share": "33.33"}, {"member": "Carla", "role": "legal", "share": None}]
    assert (await client.put(path, json={"members": members, "version": 1})).json()["members"] == members
    too_much = [{"member": name, "role": "sales", "share": "60"} for name in ("Ben", "Carla")]
    assert (await client.put(path, json={"members": too_much, "version": 2})).json()["field"] == "members"
    assert (await client.put(path, json={"members": [], "version": 1})).status_code == 409
    assert await listed(client, member="Carla") == [deal["name"]]


async def test_deals_are_filtered_by_owner_team_stage_pipeline_account_and_text(client: httpx.AsyncClient) -> None:
    await client.put("/v1/reps/Anna", json={"team": "South"})
    await client.put("/v1/reps/Ben", json={"team": "North"})
    one = await opened(client, name="Pumps for Milan", company="Rossi", owner="Anna")
    await opened(client, name="Valves", company="Verdi Impianti", owner="Ben", stage="discovery")
    await opened(client, name="Pipes", company="Bianchi", owner="Anna", external_ref="P-1")
    assert await listed(client, owner="Anna") == ["Pumps for Milan", "Pipes"]
    assert await listed(client, team="North") == ["Valves"]
    assert await listed(client, stage="discovery") == ["Valves"]
    assert await listed(client, pipeline="other") == []
    assert await listed(client, account_id=one["account_id"]) == ["Pumps for Milan"]
    assert await listed(client, q="impianty") == ["Valves"]
    assert await listed(client, q="milan") == ["Pumps for Milan"]
    await client.post(f"/v1/opportunities/{one['id']}/lose", json={"reason": "price"})
    assert await listed(client, state="open", owner="Anna") == ["Pipes"]
    first = (await client.get("/v1/opportunities", params={"limit": 2})).json()
    assert len((await client.get("/v1/opportunities", params={"limit": 2, "cursor": first["next"]})).json()["items"]) == 1
    again = await client.post("/v1/opportunities", json={"name": "Pipes", "external_ref": "P-1"})
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:reference-taken")


async def test_the_light_of_a_list_is_the_light_of_each_deal(client: httpx.AsyncClient, clock: FixedClock) -> None:
    await opened(client, name="Old without step")
    clock.advance(days=7, seconds=1)
    now = clock.now()
    for name, due in (("Overdue", -timedelta(minutes=1)), ("Soon", timedelta(days=2)), ("Later", timedelta(days=3))):
        await opened(client, name=name, next_step="Call", next_step_due=(now + due).isoformat())
    await opened(client, name="Young without step")
    lost = await opened(client, name="Lost")
    await client.post(f"/v1/opportunities/{lost['id']}/lose", json={"reason": "price"})
    deals = {deal["name"]: deal["light"] for deal in (await client.get("/v1/opportunities")).json()["items"]}
    assert deals == {
        "Old without step": "red",
        "Overdue": "red",
        "Soon": "amber",
        "Later": "green",
        "Young without step": "amber",
        "Lost": None,
    }
    for light in ("green", "amber", "red"):
        assert await listed(client, light=light) == [name for name, shown in deals.items() if shown == light]


@given(
    due=st.none() | st.timedeltas(timedelta(days=-9), timedelta(days=9)),
    age=st.timedeltas(timedelta(0), timedelta(days=20)),
    policy=st.builds(LightPolicy, st.integers(0, 5), st.integers(0, 10)),
)
def test_every_open_deal_has_exactly_one_light(due: timedelta | None, age: timedelta, policy: LightPolicy) -> None:
    deal = opportunity(
        next_step_due=None if due is None else NOW + due, next_step=None if due is None else "Call", opened_at=NOW - age
    )
    lights: tuple[Light, ...] = ("green", "amber", "red")
    assert [light for light in lights if bounds(light, policy, NOW).include(deal)] == [light_of(deal, policy, NOW)]


async def test_the_policy_of_lights_has_versions(client: httpx.AsyncClient) -> None:
    deal = await opened(client)
    assert deal["light"] == "amber"
    body = {"due_days": 1, "young_days": 0, "small_sample": 5, "version": 1}
    assert (await client.put("/v1/sales-policies", json=body)).json()["version"] == 2
    assert (await client.put("/v1/sales-policies", json=body)).status_code == 409
    assert (await client.get(f"/v1/opportunities/{deal['id']}")).json()["light"] == "red"
    assert [each["version"] for each in (await client.get("/v1/sales-policies")).json()] == [2, 1]


async def test_a_lead_of_a_customer_of_another_rep_is_held_back_not_doubled(
    client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions
) -> None:
    mine = await opened(client, owner="Anna")
    flow_id, lead = new_id(), lead_qualified(owner="Ben", contact=Contact(name="Carla"))
    await deliver(consumers, lead, flow_id=flow_id)
    await deliver(consumers, lead, flow_id=flow_id)
    assert await listed(client) == ["Rossi"]
    [held] = (await client.get("/v1/held-leads", params={"state": "waiting", "rep": "Anna"})).json()["items"]
    assert (held["rep"], held["other_rep"], held["opportunity_id"]) == ("Ben", "Anna", mine["id"])
    assert [event.topic for event in await emitted()] == ["opportunity.opened"]
    # Decided once: it gets a deal after all, on its own flow, with all that was known.
    path = f"/v1/held-leads/{held['id']}"
    replies = await asyncio.gather(*(client.post(f"{path}/open", json={"owner": "Anna"}) for _ in range(3)))
    assert sorted(reply.status_code for reply in replies) == [200, 409, 409]
    assert (await client.post(f"{path}/attach")).json()["type"] == "urn:ltc:problem:wrong-transition"
    [made] = (await client.get("/v1/opportunities", params={"lead_id": str(lead.lead_id)})).json()["items"]
    assert (made["flow_id"], made["owner"], made["source"]) == (str(flow_id), "Anna", "Google")
    assert (await client.get(f"/v1/contacts/{made['contact_id']}")).json()["name"] == "Carla"


async def test_a_held_lead_can_belong_to_the_deal_that_is_open(client: httpx.AsyncClient, deliver: Deliver) -> None:
    mine = await opened(client, owner="Anna")
    await deliver(consumers, lead_qualified(owner="Ben"), flow_id=new_id())
    [held] = (await client.get("/v1/held-leads")).json()["items"]
    assert (await client.post(f"/v1/held-leads/{held['id']}/attach")).json()["state"] == "attached"
    history = (await client.get(f"/v1/opportunities/{mine['id']}/changes")).json()["items"]
    assert history[-1]["changes"] == {"lead_attached": [None, held["lead_id"]]}
    assert (await client.get("/v1/held-leads", params={"state": "waiting"})).json()["items"] == []


@pytest.mark.parametrize(("lead_owner", "owner"), [(None, "Anna"), ("Anna", "Anna")])
async def test_a_lead_without_a_rep_goes_to_the_one_who_has_the_customer(
    client: httpx.AsyncClient, deliver: Deliver, lead_owner: str | None, owner: str
) -> None:
    await opened(client, owner="Anna")
    lead = lead_qualified(owner=lead_owner)
    await deliver(consumers, lead, flow_id=new_id())
    [made] = (await client.get("/v1/opportunities", params={"lead_id": str(lead.lead_id)})).json()["items"]
    assert made["owner"] == owner


async def test_no_two_reps_on_one_customer_unless_they_agreed(client: httpx.AsyncClient) -> None:
    mine = await opened(client, owner="Anna")
    body = {"name": "Other", "account_id": mine["account_id"], "owner": "Ben"}
    refused = await client.post("/v1/opportunities", json=body)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:customer-taken")
    assert (refused.json()["owner"], refused.json()["opportunity_id"]) == ("Anna", mine["id"])
    agreed = await client.post("/v1/opportunities", json={**body, "despite_other_rep": True})
    assert (agreed.status_code, agreed.json()["company"]) == (201, "Rossi")
    changes = (await client.get(f"/v1/opportunities/{agreed.json()['id']}/changes")).json()["items"]
    assert changes[0]["changes"]["despite_other_rep"] == [None, True]
    for deal in (mine, agreed.json()):
        await client.post(f"/v1/opportunities/{deal['id']}/lose", json={"reason": "price"})
    assert (await client.post("/v1/opportunities", json=body)).status_code == 201


async def test_of_two_reps_who_open_at_once_one_has_the_customer(client: httpx.AsyncClient) -> None:
    await client.post("/v1/accounts", json={"name": "Rossi", "country": "IT"})
    body = {"name": "Rossi", "company": "Rossi", "country": "IT"}
    replies = await asyncio.gather(*(client.post("/v1/opportunities", json={**body, "owner": who}) for who in "ABCDE"))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409, 409]


async def test_a_deal_of_the_past_keeps_its_dates_in_its_events(
    client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, keys: KeyPair
) -> None:
    deal = await opened(client, occurred_at="2025-10-25T00:00:00Z")
    path = f"/v1/opportunities/{deal['id']}"
    assert (deal["opened_at"], deal["created_at"]) == ("2025-10-25T00:00:00Z", "2026-01-01T00:00:00Z")
    await client.post(f"{path}/stage", json={"stage": "discovery", "occurred_at": "2025-10-27T00:00:00Z"})
    lost = await client.post(f"{path}/lose", json={"reason": "price", "occurred_at": "2025-11-01T00:00:00Z"})
    assert lost.json()["closed_at"] == "2025-11-01T00:00:00Z"
    events = await emitted()
    assert [event.headers["ce_time"][:10] for event in events] == ["2025-10-25", "2025-10-27", "2025-11-01"]
    assert events[-1].event.opened_at.isoformat() == "2025-10-25T00:00:00+00:00"
    seller = {"Authorization": f"Bearer {keys.token('opportunities:write')}"}
    body = {"name": "Old", "occurred_at": "2025-10-25T00:00:00Z"}
    assert (await client.post("/v1/opportunities", json=body, headers=seller)).status_code == 403
    future = await client.post("/v1/opportunities", json={"name": "New", "occurred_at": "2026-10-25T00:00:00Z"})
    assert (future.status_code, future.json()["field"]) == (400, "occurred_at")


async def test_a_companys_own_fields_are_typed_on_deals_and_accounts(client: httpx.AsyncClient) -> None:
    for entity in ("account", "opportunity"):
        field = {
            "entity": entity,
            "key": "tier",
            "label": "Tier",
            "type": "choice",
            "choices": ["gold", "silver"],
            "required": True,
        }
        assert (await client.post("/v1/custom-fields", json=field)).status_code == 201
    for path in ("/v1/accounts", "/v1/opportunities"):
        for custom in ({}, {"tier": "tin"}, {"other": 1}):
            reply = await client.post(path, json={"name": "Rossi", "custom": custom})
            assert (reply.status_code, reply.json()["field"][:7]) == (400, "custom."), (path, custom)
        made = (await client.post(path, json={"name": "Rossi", "custom": {"tier": "gold"}})).json()
        changed = await client.patch(f"{path}/{made['id']}", json={"custom": {"tier": "silver"}, "version": 1})
        assert (made["custom"], changed.json()["custom"]) == ({"tier": "gold"}, {"tier": "silver"})


async def test_a_reps_team_has_versions_and_deals_keep_theirs(client: httpx.AsyncClient) -> None:
    made = (await client.put("/v1/reps/Anna Rossi", json={"team": "South", "manager": "Rocco"})).json()
    deal = await opened(client, owner="Anna Rossi")
    assert (await client.put("/v1/reps/Anna Rossi", json={"team": "North"})).json()["field"] == "version"
    assert (await client.put("/v1/reps/Anna Rossi", json={"team": "North", "version": 1})).json()["version"] == 2
    assert (await client.get(f"/v1/opportunities/{deal['id']}")).json()["team"] == "South"
    assert [rep["id"] for rep in (await client.get("/v1/reps", params={"team": "North"})).json()["items"]] == [made["id"]]
    history = (await client.get("/v1/reps/Anna Rossi/changes")).json()["items"]
    assert history[1]["changes"]["team"] == ["South", "North"]
    given = await client.patch(f"/v1/opportunities/{deal['id']}", json={"owner": "Nobody", "version": 1})
    assert given.json()["team"] == "South"
