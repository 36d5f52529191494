"""L9: how soon somebody gets back to a lead, in business hours with holidays, and who stops the clock."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver, Emitted
from ltc_chassis.timers import Timer
from ltc_contracts.events import ActivityLogged

from lead_svc.consumers import consumers
from lead_svc.tests.builders import capture, import_form, timer
from lead_svc.tests.responses import BERLIN, SHANGHAI, WEEK, clock_of, clocks, events, local, log, policy, tasks

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
As = Callable[..., httpx.AsyncClient]
TELL = timer("tell-responses")


@pytest.mark.parametrize(
    ("captured", "calendar", "minutes", "due"),
    [
        # Friday 16:30 in Berlin: half an hour on Friday, the rest on Monday.
        (local("2026-01-16T16:30", 1), BERLIN, 480, local("2026-01-19T16:30", 1)),
        # Before and after hours, and on Saturday: from the next opening.
        (local("2026-01-16T06:00", 1), BERLIN, 60, local("2026-01-16T10:00", 1)),
        (local("2026-01-15T20:00", 1), BERLIN, 60, local("2026-01-16T10:00", 1)),
        (local("2026-01-17T12:00", 1), BERLIN, 60, local("2026-01-19T10:00", 1)),
        # Christmas: the 24th is the company's own, 25 and 26 December are public, the 27th is a Sunday.
        (local("2026-12-23T16:00", 1), BERLIN, 480, local("2026-12-28T16:00", 1)),
        # New Year's Day 2027 is a Friday.
        (local("2026-12-31T16:30", 1), BERLIN, 60, local("2027-01-04T09:30", 1)),
        # Clocks go forward on Sunday 29 March and back on Sunday 25 October.
        (local("2026-03-27T16:30", 1), BERLIN, 480, local("2026-03-30T16:30", 2)),
        (local("2026-10-23T16:30", 2), BERLIN, 480, local("2026-10-26T16:30", 1)),
        # Shanghai knows no summer time; 1 to 3 October are public holidays.
        (local("2026-09-18T16:30", 8), SHANGHAI, 60, local("2026-09-21T09:30", 8)),
        (local("2026-01-05T08:00", 8), SHANGHAI, 120, local("2026-01-05T11:00", 8)),
        (
            local("2026-09-30T16:30", 8),
            {**SHANGHAI, "extra_holidays": ["2026-10-05", "2026-10-06", "2026-10-07"]},
            60,
            local("2026-10-08T09:30", 8),
        ),
    ],
)
async def test_golden_moments_by_which_somebody_responds(
    client: httpx.AsyncClient, clock: FixedClock, captured: datetime, calendar: dict[str, Any], minutes: int, due: datetime
) -> None:
    clock.set(captured)
    assert (await policy(client, calendar=calendar, target_minutes=minutes)).status_code == 200
    made = await clock_of(client, await capture(client))
    assert datetime.fromisoformat(made["due_at"]) == due
    assert datetime.fromisoformat(made["started_at"]) == captured


async def test_the_first_policy_that_holds_starts_the_clock_and_others_do_not(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    clock.set(local("2026-01-14T10:00", 1))
    assert not await clocks(client, await capture(client))
    await policy(client, priority=200)
    await policy(client, "hot", priority=1, condition={"field": "band", "is": "eq", "value": "hot"}, target_minutes=60)
    await policy(client, "off", priority=0, active=False)
    usual = await clock_of(client, await capture(client))
    facts = {"industry": "software", "company_size": 80, "country": "DE", "website": "https://acme.example"}
    hot = await clock_of(client, await capture(client, **facts, activities=[{"activity": "demo_request"}]))
    assert (usual["policy"], hot["policy"]) == ("standard", "hot")
    assert hot["due_at"] == "2026-01-14T10:00:00Z"


async def test_a_clock_keeps_the_version_it_started_under_and_every_version_is_kept(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    clock.set(local("2026-01-14T10:00", 1))
    await policy(client, target_minutes=60)
    lead = await capture(client)
    assert (await policy(client, target_minutes=30)).status_code == 409
    assert (await policy(client, target_minutes=30, version=1)).json()["version"] == 2
    assert (await clock_of(client, await capture(client)))["policy_version"] == 2
    clock.advance(minutes=60)
    await run_timer(TELL)
    [event] = [each for each in events(await emitted(), "lead.sla_breached") if str(each.lead_id) == lead]
    assert (event.policy_version, event.target_minutes) == (1, 60)
    shown = (await client.get("/v1/sla-policies/standard/versions")).json()
    assert [(each["version"], each["target_minutes"], each["created_by"]) for each in shown] == [(2, 30, "test"), (1, 60, "test")]
    assert [each["version"] for each in (await client.get("/v1/sla-policies")).json()] == [2]


@pytest.mark.parametrize(
    "changed",
    [
        {"calendar": {"timezone": "Moon/Sea", "week": WEEK}},
        {"calendar": {"timezone": "Europe/Berlin", "week": {}}},
        {"condition": {"field": "no_such", "is": "eq", "value": "x"}},
        {"steps": [{"after_minutes": 60, "to": "rep"}, {"after_minutes": 0, "to": "team"}]},
        {"steps": [{"after_minutes": 0, "to": "rep", "queue": "night"}]},
        {"steps": [{"after_minutes": 5 * each} for each in range(1, 11)]},
    ],
)
async def test_a_policy_that_could_not_be_kept_is_refused(client: httpx.AsyncClient, changed: dict[str, Any]) -> None:
    reply = await policy(client, **changed)
    assert (reply.status_code, reply.json()["type"]) in ((400, "urn:ltc:problem:invalid"), (400, "urn:ltc:problem:never-open"))


async def test_a_call_stops_the_clock_and_tells_how_long_it_took(
    client: httpx.AsyncClient, seller: As, clock: FixedClock, emitted: Emissions
) -> None:
    clock.set(local("2026-01-16T16:30", 1))
    await policy(client)
    lead = await capture(client)
    clock.set(local("2026-01-19T10:00", 1))
    reply = await log(seller("anna"), lead, subject="Called", note="Wants a demo", outcome="reached")
    assert (reply.status_code, reply.json()["status"]) == (201, "contacted")
    [event] = events(await emitted(), "lead.first_responded")
    assert (event.activity, event.by, event.business_minutes, event.within_target) == ("call", "anna", 90, True)
    assert (event.policy, event.policy_version, event.target_minutes, event.due_at) == (
        *("standard", 1, 480),
        local("2026-01-19T16:30", 1),
    )
    [task] = await tasks(client, lead)
    assert (task["state"], task["closed_by"], task["first_response"]) == ("done", "anna", True)
    await log(seller("berta"), lead)
    assert len(events(await emitted(), "lead.first_responded")) == 1


@pytest.mark.parametrize(
    ("body", "stops"),
    [
        ({"type": "email", "direction": "outbound"}, True),
        ({"type": "meeting"}, True),
        ({"activity": "reply"}, True),
        ({"type": "email", "direction": "inbound"}, True),
        ({"type": "call", "direction": "inbound"}, False),
        ({"type": "note", "note": "thinking"}, False),
        ({"activity": "pricing_page"}, False),
    ],
)
async def test_what_is_a_first_response(client: httpx.AsyncClient, body: dict[str, Any], stops: bool) -> None:
    await policy(client)
    lead = await capture(client)
    assert (await client.post(f"/v1/leads/{lead}/activities", json=body)).status_code == 201
    assert ((await clock_of(client, lead))["state"] == "responded") is stops


async def test_what_is_written_down_late_counts_when_it_happened_but_not_before_the_lead_came(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    clock.set(local("2026-01-14T10:00", 1))
    await policy(client, target_minutes=60)
    lead = await capture(client)
    await log(client, lead, occurred_at="2026-01-14T08:00:00Z")
    assert (await clock_of(client, lead))["state"] == "running"
    clock.advance(hours=3)
    await run_timer(TELL)
    await log(client, lead, occurred_at="2026-01-14T09:30:00Z")
    made = await clock_of(client, lead)
    assert (made["within_target"], made["business_minutes"], made["responded_at"]) == (True, 30, "2026-01-14T09:30:00Z")
    assert len(events(await emitted(), "lead.sla_breached")) == 1


async def test_a_task_that_is_done_and_a_call_in_sales_are_responses(
    client: httpx.AsyncClient, seller: As, deliver: Deliver
) -> None:
    await policy(client)
    first, second = await capture(client), await capture(client)
    [task] = await tasks(client, first)
    done = await seller("anna").post(f"/v1/tasks/{task['id']}/complete", json={"outcome": "spoke to her"})
    assert (done.status_code, done.json()["state"]) == (200, "done")
    assert (await clock_of(client, first))["responded_by"] == "anna"
    flow = (await client.get(f"/v1/leads/{second}")).json()["flow_id"]
    event = ActivityLogged(activity_id=flow, type="call", by="berta")
    await deliver(consumers, event, flow_id=flow, occurred_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert (await clock_of(client, second))["responded_by"] == "berta"


async def test_a_lead_that_is_given_up_is_awaited_no_more_and_comes_back_as_the_policy_says(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    await policy(client, on_return=True)
    lead = await capture(client)
    await client.post("/v1/tasks", json={"lead_id": lead, "title": "Send a brochure", "due_in_minutes": 60})
    reply = await client.post(f"/v1/leads/{lead}/disqualify", json={"code": "not_now"})
    assert reply.status_code == 200, reply.text
    assert (await clock_of(client, lead))["dropped_by"] == "disqualified"
    assert {(each["state"], each["cancel_reason"]) for each in await tasks(client, lead)} == {("cancelled", "disqualified")}
    clock.advance(days=91)
    await run_timer(TELL)
    assert not events(await emitted(), "lead.sla_breached")
    await run_timer(timer("return-to-nurturing"))
    assert [(each["why"], each["state"]) for each in await clocks(client, lead)] == [
        ("captured", "dropped"),
        ("returned", "running"),
    ]


async def test_being_assigned_starts_nothing_anew_and_the_task_is_the_owners(
    client: httpx.AsyncClient, seller: As, clock: FixedClock
) -> None:
    await policy(client)
    lead = await capture(client)
    assert (await client.get("/v1/tasks", params={"nobodys": True})).json()["items"][0]["lead_id"] == lead
    before = await clock_of(client, lead)
    for rep in ("anna", "berta"):
        clock.advance(hours=1)
        assert (await seller(rep).post(f"/v1/leads/{lead}/claim")).status_code == 201
        [mine] = (await seller(rep).get("/v1/tasks", params={"mine": True, "state": "open"})).json()["items"]
        assert (mine["assignee"], mine["by_ownership"]) == (rep, True)
        await seller(rep).post(f"/v1/leads/{lead}/release")
    assert not (await seller("anna").get("/v1/tasks", params={"mine": True})).json()["items"]
    assert await clock_of(client, lead) == before


async def test_of_merged_leads_one_clock_runs_a_response_stops_it_and_an_undo_brings_both_back(
    client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    await policy(client)
    older = await capture(client, company="Acme")
    clock.advance(hours=1)
    newer = await capture(client, company="Acme")
    merge = (await client.post(f"/v1/leads/{newer}/merge", json={"into": older})).json()
    assert [(each["state"], each["dropped_by"]) for each in await clocks(client, older)] == [
        ("running", None),
        ("dropped", "merged"),
    ]
    assert sorted(each["state"] for each in await tasks(client, older)) == ["cancelled", "open"]
    undone = await client.post(f"/v1/merges/{merge['merge_id'] if 'merge_id' in merge else merge['id']}/undo")
    assert undone.status_code == 200, undone.text
    for lead in (older, newer):
        assert (await clock_of(client, lead))["state"] == "running"
        assert [each["state"] for each in await tasks(client, lead)] == ["open"]
    await client.post(f"/v1/leads/{newer}/merge", json={"into": older})
    await log(client, newer)
    assert len(events(await emitted(), "lead.first_responded")) == 1
    assert {each["state"] for each in await clocks(client, older)} == {"responded", "dropped"}


async def test_who_was_answered_waits_no_more_as_a_duplicate(client: httpx.AsyncClient, clock: FixedClock) -> None:
    await policy(client)
    answered, waiting = await capture(client), await capture(client)
    clock.advance(hours=1)
    await log(client, answered)
    await client.post(f"/v1/leads/{waiting}/merge", json={"into": answered})
    assert sorted(each["state"] for each in await clocks(client, answered)) == ["dropped", "responded"]


async def test_an_import_starts_a_clock_for_each_lead_and_none_for_those_that_come_with_their_history(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    await policy(client)
    mapping = {"source": "Source", "channel": "Channel", "external_ref": "Id", "outcome": "Won"}
    csv = "Id,Source,Channel,Won\n1,Fair,event,\n2,Fair,event,yes\n"
    form = import_form(csv, mapping, outcomes={"yes": "won"})
    assert (await client.post("/v1/imports", **form)).status_code == 202
    await run_timer(timer("import-rows"))
    leads = (await client.get("/v1/leads", params={"source": "Fair"})).json()["items"]
    found = {lead["external_ref"]: len(await clocks(client, lead["id"])) for lead in leads}
    assert found == {"1": 1, "2": 0}


async def test_the_report_has_share_median_and_p90_per_rep_team_and_policy(
    client: httpx.AsyncClient, seller: As, clock: FixedClock
) -> None:
    clock.set(local("2026-01-14T09:00", 1))
    await client.put("/v1/reps/anna", json={"name": "Anna", "team": "DACH", "max_per_30_days": 300})
    await policy(client, target_minutes=60)
    for minutes in (10, 20, 30, 90):
        clock.set(local("2026-01-14T09:00", 1))
        lead = await capture(client)
        clock.advance(minutes=minutes)
        await log(seller("anna"), lead)
    clock.set(local("2026-01-14T09:00", 1))
    await capture(client)
    clock.set(local("2026-01-14T16:00", 1))
    await capture(client)
    clock.advance(minutes=1)
    [line] = (await client.get("/v1/sla-report")).json()["lines"]
    assert line == {
        "key": None,
        "started": 6,
        "responded": 4,
        "within_target": 3,
        "within_target_share": "0.6000",
        "breaches_open": 1,
        "median_minutes": "25.0",
        "p90_minutes": "72.0",
    }
    for by, key in (("rep", "anna"), ("team", "DACH")):
        named, nobody = (await client.get("/v1/sla-report", params={"by": by})).json()["lines"]
        assert (named["key"], named["within_target_share"], nobody["key"], nobody["breaches_open"]) == (key, "0.7500", None, 1)
    [line] = (await client.get("/v1/sla-report", params={"by": "policy"})).json()["lines"]
    assert line["key"] == "standard"
    assert len((await client.get("/v1/sla-breaches")).json()["items"]) == 1
    bad = await client.get("/v1/sla-report", params={"since": "2020-01-01T00:00:00Z"})
    assert bad.status_code == 400


async def test_scopes_are_asked(client: httpx.AsyncClient, seller: As) -> None:
    rep = seller("anna", "leads:read leads:write")
    assert (await policy(rep)).status_code == 403
    assert (await rep.put("/v1/desks/rep/anna", json={})).status_code == 403
    assert (await seller("x", "other").get("/v1/sla-report")).status_code == 403
