"""D5: tickets over HTTP: opened once, moved by the table, answered, reopened, followed, assigned and merged."""

import asyncio
from collections import Counter
from typing import Any, get_args
from uuid import UUID, uuid4

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_mail import MailServer

from delivery_svc.domain.ticket import TRANSITIONS, Move, State
from delivery_svc.tests.desk import Desk, Run, Send, events, timer
from delivery_svc.tests.rig import Emissions, plan


async def test_a_ticket_about_an_order_rides_on_its_flow_and_knows_its_customer(
    desk: Desk, deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    delivery = await plan(deliver, client)
    ticket = await desk.open(order_number=delivery["order_number"], priority="high")
    assert (ticket["flow_id"], ticket["order_id"]) == (delivery["flow_id"], delivery["order_id"])
    assert (ticket["customer_id"], ticket["number"], ticket["state"]) == (
        delivery["customer"]["customer_id"],
        "T-2026-000001",
        "new",
    )
    alone = await desk.open()
    assert alone["flow_id"] != ticket["flow_id"]
    told = [each for each in await emitted() if each.topic == "ticket.opened"]
    assert [str(each.flow_id) for each in told] == [ticket["flow_id"], alone["flow_id"]]
    assert [str(each.event.order_id) for each in told] == [delivery["order_id"], "None"]
    refused = await client.post("/v1/tickets", json={"subject": "x", "text": "x", "order_id": str(uuid4())})
    assert (refused.status_code, refused.json()["field"]) == (400, "order_id")


async def test_nothing_that_was_said_is_told_to_anybody_else(desk: Desk, emitted: Emissions) -> None:
    await desk.agent()
    ticket = await desk.open(subject="SECRET subject", text="SECRET text", requester_name="SECRET name")
    await desk.say(ticket, "SECRET answer", then="resolve")
    await desk.say(ticket, "SECRET reply", author="customer")
    other = await desk.open(text="SECRET too")
    await desk.call("POST", f"/v1/tickets/{other['id']}/merge", {"into_id": ticket["id"]})
    told = await emitted()
    assert {each.topic for each in told} == {
        f"ticket.{what}" for what in ("opened", "responded", "resolved", "reopened", "merged")
    }
    assert not [each for each in told if "SECRET" in each.event.model_dump_json() or "nordwind" in each.event.model_dump_json()]


async def test_a_known_reference_is_the_same_ticket_however_many_ask_at_once(desk: Desk, client: httpx.AsyncClient) -> None:
    body = {"subject": "x", "text": "x", "external_ref": "shop/77"}
    replies = await asyncio.gather(*(client.post("/v1/tickets", json=body) for _ in range(6)))
    assert Counter(reply.status_code for reply in replies) == {201: 1, 200: 5}
    assert len({reply.json()["id"] for reply in replies}) == 1
    assert len(await desk.comments(replies[0].json())) == 1
    key = {"Idempotency-Key": "k-1"}
    twice = [await client.post("/v1/tickets", json={"subject": "y", "text": "y"}, headers=key) for _ in range(2)]
    assert twice[0].json()["id"] == twice[1].json()["id"]


@pytest.mark.parametrize("state", get_args(State))
@pytest.mark.parametrize("move", get_args(Move))
async def test_a_move_is_possible_where_the_table_says_so(
    desk: Desk, client: httpx.AsyncClient, state: State, move: Move
) -> None:
    ticket = await desk.open(requester_email=None)
    way: dict[State, list[str]] = {
        "new": [],
        "open": [],
        "waiting": ["wait"],
        "on_hold": ["hold"],
        "resolved": ["resolve"],
        "closed": ["resolve", "close"],
    }
    if state != "new":
        await desk.say(ticket)
    for step in way[state]:
        await desk.move(ticket, step)
    assert (await desk.read(ticket))["state"] == state
    reply = await client.post(f"/v1/tickets/{ticket['id']}/move", json={"move": move})
    allowed = TRANSITIONS.get((state, move))
    if allowed is None or (state, move) == ("new", "resolve"):
        assert reply.status_code == 409
        assert reply.json()["type"].endswith("wrong-transition" if allowed is None else "not-answered-yet")
        assert (await desk.read(ticket))["state"] == state
    else:
        assert (reply.status_code, reply.json()["state"]) == (200, allowed)


async def test_a_reply_within_the_days_reopens_and_later_another_ticket_follows(
    desk: Desk, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    await desk.queue("support", reopen_days=3)
    ticket = await desk.open(queue="support")
    resolved = (await desk.say(ticket, then="resolve"))["ticket"]
    assert resolved["close_at"] == "2026-01-04T00:00:00Z"
    clock.advance(days=2, hours=23)
    again = (await desk.say(ticket, "It drips again", author="customer"))["ticket"]
    assert (again["id"], again["state"], again["reopened"], again["resolved_at"]) == (ticket["id"], "open", 1, None)
    await desk.say(ticket, then="resolve")
    clock.advance(days=3)
    # The days are over, although no timer has closed it.
    follow = (await desk.say(ticket, "And again", author="customer"))["ticket"]
    assert (follow["parent_id"], follow["state"], follow["flow_id"]) == (ticket["id"], "new", ticket["flow_id"])
    assert follow["number"] == "T-2026-000002"
    await desk.move(ticket, "reopen", status=409)
    assert (await run_timer(timer("close-tickets")), await run_timer(timer("close-tickets"))) == (1, 0)
    assert (await desk.read(ticket))["state"] == "closed"
    assert [each.reopened for each in events(await emitted(), "ticket.resolved")] == [0, 1]
    assert [each.reopened for each in events(await emitted(), "ticket.reopened")] == [1]
    late = (await desk.say(ticket, "Hello?", author="customer"))["ticket"]
    assert late["parent_id"] == ticket["id"]
    await desk.call("POST", f"/v1/tickets/{ticket['id']}/comments", {"text": "no"}, status=409)


async def test_an_answer_goes_out_by_mail_and_a_note_does_not(
    desk: Desk, mail_server: MailServer, send_mails: Send, emitted: Emissions
) -> None:
    await desk.queue("support", address="support@acme.example")
    ticket = await desk.open(queue="support", requester_name="Eva Nord")
    await desk.say(ticket, "between us", public=False)
    assert (await desk.read(ticket))["responded_at"] is None
    await desk.say(ticket, "We send a gasket.")
    await desk.say(ticket, "It left today.")
    assert await send_mails() == 2
    first, second = (mail.message for mail in mail_server.received)
    assert first["Subject"].startswith("Re: The pump leaks [T-2026-000001/")
    assert first["Reply-To"].startswith("support+2026-000001-")
    assert second["In-Reply-To"] == second["References"] == first["Message-ID"]
    assert "We send a gasket." in mail_server.received[0].part("plain")
    assert [each.by for each in events(await emitted(), "ticket.responded")] == ["test"]
    assert [(each["public"], each["author"]) for each in await desk.comments(ticket)] == [
        (True, "customer"),
        (False, "agent"),
        (True, "agent"),
        (True, "agent"),
    ]
    assert len(await desk.comments(ticket, public_only=True)) == 3


async def test_merged_tickets_go_on_as_one_with_all_that_was_said(desk: Desk, emitted: Emissions, run_timer: Run) -> None:
    await desk.policy()
    first, second, third = [await desk.open(subject=subject) for subject in "abc"]
    await desk.say(second, "known")
    for gone, into in ((first, second), (second, third)):
        survivor = await desk.call("POST", f"/v1/tickets/{gone['id']}/merge", {"into_id": into["id"]})
        assert survivor["id"] == into["id"]
    assert [each["told_to"] for each in await desk.comments(third)] == [first["id"], second["id"], None, second["id"]]
    assert await desk.comments(first) == []
    assert [(await desk.read(each))["merged_into"] for each in (first, second)] == [third["id"], third["id"]]
    assert [(await desk.clock(each))["state"] for each in (first, second, third)] == ["dropped", "dropped", "running"]
    assert [each.into_number for each in events(await emitted(), "ticket.merged")] == ["T-2026-000002", "T-2026-000003"]
    for body in ({"into_id": third["id"]}, {"into_id": first["id"]}):
        await desk.call("POST", f"/v1/tickets/{third['id']}/merge", body, status=409)
    assert await run_timer(timer("tell-tickets")) == 0


async def test_what_another_person_said_stays_between_us_when_merged(desk: Desk) -> None:
    mine, other = await desk.open(), await desk.open(requester_email="max@weber.example", text="my private matter")
    await desk.call("POST", f"/v1/tickets/{other['id']}/merge", {"into_id": mine["id"]})
    assert [each["text"] for each in await desk.comments(mine, public_only=True)] == ["It drips since Monday."]
    assert len(await desk.comments(mine)) == 2


async def test_of_two_merges_at_once_into_each_other_one_goes_through(desk: Desk, client: httpx.AsyncClient) -> None:
    for _ in range(3):
        a, b = await desk.open(), await desk.open()
        pairs = ((a, b), (b, a))
        replies = await asyncio.gather(
            *(client.post(f"/v1/tickets/{x['id']}/merge", json={"into_id": y["id"]}) for x, y in pairs)
        )
        assert sorted(reply.status_code for reply in replies) == [200, 409]


async def test_an_agent_is_given_a_ticket_by_hand(desk: Desk, client: httpx.AsyncClient, emitted: Emissions) -> None:
    await desk.agent("anna")
    await desk.agent("ben", active=False)
    ticket = await desk.open()
    for who in ("ben", "nobody"):
        await desk.call("POST", f"/v1/tickets/{ticket['id']}/assign", {"assignee": who}, status=404)
    mine = await desk.call("POST", f"/v1/tickets/{ticket['id']}/assign", {"assignee": "anna", "version": 1})
    assert (mine["assignee"], mine["state"], mine["version"]) == ("anna", "open", 2)
    stale = await client.post(f"/v1/tickets/{ticket['id']}/assign", json={"assignee": None, "version": 1})
    assert (stale.status_code, stale.json()["current_version"]) == (409, 2)
    await desk.call("POST", f"/v1/tickets/{ticket['id']}/assign", {"assignee": "anna"})
    await desk.call("POST", f"/v1/tickets/{ticket['id']}/assign", {"assignee": None})
    told = [(each.was, each.assignee, each.automatic) for each in events(await emitted(), "ticket.assigned")]
    assert told == [(None, "anna", False), ("anna", None, False)]


async def test_a_queue_gives_tickets_to_who_is_there_and_has_room(
    desk: Desk, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    for name, capacity in (("anna", 2), ("ben", 4), ("cleo", 9)):
        await desk.agent(name, capacity=capacity)
    away = {"starts_at": "2025-12-31T00:00:00Z", "ends_at": "2026-01-02T00:00:00Z"}
    await desk.call("POST", "/v1/service-agents/cleo/absences", away)
    await desk.queue("support", members=["anna", "ben", "cleo"], auto_assign=True)
    tickets = [await desk.open(queue="support") for _ in range(7)]
    urgent = await desk.open(queue="support", priority="urgent")
    by_hand = await desk.open()
    assert (await run_timer(timer("assign-tickets")), await run_timer(timer("assign-tickets"))) == (6, 0)
    owners = [(await desk.read(ticket))["assignee"] for ticket in (*tickets, urgent)]
    assert Counter(owners) == {"anna": 2, "ben": 4, None: 2}
    # The most urgent came first, and what there was no room for is the youngest.
    assert owners[-1] == "anna"
    assert owners[5:7] == [None, None]
    assert (await desk.read(by_hand))["assignee"] is None
    clock.advance(days=2)
    assert await run_timer(timer("assign-tickets")) == 2
    assert [(await desk.read(ticket))["assignee"] for ticket in tickets[5:]] == ["cleo", "cleo"]
    assert {each.automatic for each in events(await emitted(), "ticket.assigned")} == {True}


async def test_tickets_are_listed_by_what_they_are(desk: Desk, deliver: Deliver, client: httpx.AsyncClient) -> None:
    delivery = await plan(deliver, client)
    await desk.agent()
    await desk.queue("support")
    await desk.policy(priorities=["urgent"])
    a = await desk.open(order_id=delivery["order_id"])
    b = await desk.open(queue="support", priority="urgent", requester_email="Max@Weber.example")
    await desk.call("POST", f"/v1/tickets/{b['id']}/assign", {"assignee": "anna"})
    for params, expected in [
        ({}, [a, b]),
        ({"queue": "support"}, [b]),
        ({"assignee": "anna"}, [b]),
        ({"nobodys": "true"}, [a]),
        ({"state": ["open", "waiting"]}, [b]),
        ({"order_id": delivery["order_id"]}, [a]),
        ({"customer_id": delivery["customer"]["customer_id"]}, [a]),
        ({"requester": "max@weber.example"}, [b]),
        ({"number": a["number"]}, [a]),
        ({"due_before": "2027-01-01T00:00:00Z"}, [b]),
        ({"priority": "low"}, []),
    ]:
        items = (await desk.call("GET", "/v1/tickets", params=params))["items"]
        assert [item["id"] for item in items] == [ticket["id"] for ticket in expected], params
    assert (await desk.call("GET", "/v1/tickets/counts"))["states"] == {"new": 1, "open": 1}


async def test_a_ticket_is_changed_by_the_version_that_was_read_and_its_history_names_no_person(desk: Desk) -> None:
    ticket = await desk.open()
    path = f"/v1/tickets/{ticket['id']}"
    given = {"requester_name": "Eva", "requester_email": "eva@new.example"}
    changed = await desk.call("PATCH", path, {"version": 1, "priority": "low", **given})
    assert (changed["priority"], changed["version"], changed["subject"]) == ("low", 2, ticket["subject"])
    await desk.call("PATCH", path, {"version": 1, "priority": "high"}, status=409)
    await desk.call("PATCH", path, {"version": 2, "priority": None}, status=400)
    await desk.call("PATCH", path, {"version": 2, "queue": "nowhere"}, status=404)
    history = (await desk.call("GET", f"{path}/history"))["items"]
    assert [each["move"] for each in history] == ["open", "change"]
    assert history[1]["detail"] == {"priority": "low", "changed": ["priority", *sorted(given)]}
    assert history[1]["by"] == "test"


@pytest.mark.parametrize(
    "body",
    [
        {"subject": "", "text": "x"},
        {"subject": "a\r\nBcc: x@y.example", "text": "x"},
        {"subject": "x", "text": "a\x00b"},
        {"subject": "x", "text": "x" * 50_001},
        {"subject": "x", "text": "x", "requester_email": "not an address"},
        {"subject": "x", "text": "x", "requester_email": "a@b.example\nBcc: c@d.example"},
        {"subject": "x", "text": "x", "priority": "asap"},
        {"subject": "x", "text": "x", "state": "closed"},
    ],
)
async def test_what_makes_no_ticket_is_refused(client: httpx.AsyncClient, body: dict[str, Any]) -> None:
    reply = await client.post("/v1/tickets", json=body)
    assert reply.status_code in (400, 422)
    assert (await client.get("/v1/tickets")).json()["items"] == []


async def test_every_route_asks_for_its_scope(desk: Desk, keys: KeyPair, anonymous: httpx.AsyncClient) -> None:
    ticket = await desk.open()
    reader = {"Authorization": f"Bearer {keys.token('tickets:read')}"}
    assert (await anonymous.get(f"/v1/tickets/{ticket['id']}")).status_code == 401
    assert (await anonymous.get(f"/v1/tickets/{ticket['id']}", headers=reader)).status_code == 200
    for method, path in (
        ("POST", "/v1/tickets"),
        ("POST", f"/v1/tickets/{ticket['id']}/comments"),
        ("PUT", "/v1/ticket-queues/x"),
        ("PUT", "/v1/ticket-policies/x"),
        ("PUT", "/v1/service-agents/x"),
    ):
        assert (await anonymous.request(method, path, headers=reader, json={})).status_code == 403, path


async def test_queues_agents_and_policies_are_versions_with_who_wrote_them(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.agent("anna")
    await desk.queue("support", members=["anna"])
    await desk.call("PUT", "/v1/ticket-queues/support", {"name": "x"}, status=409)
    await desk.queue("support", name="Service", version=1)
    rows = await desk.call("GET", "/v1/ticket-queues/support/changes")
    assert [(row["version"], row["name"], row["changed_by"]) for row in rows] == [
        (2, "Service", "test"),
        (1, "ACME Support", "test"),
    ]
    for body, field in (
        ({"name": "x", "members": ["nobody"]}, "members"),
        ({"name": "x", "lead": "nobody"}, "lead"),
        ({"name": "x", "auto_assign": True}, "members"),
    ):
        reply = await client.put("/v1/ticket-queues/other", json=body)
        assert (reply.status_code, reply.json()["field"]) == (400, field)
    assert UUID((await desk.open(queue="support"))["id"])
    await desk.call("PUT", "/v1/ticket-queues/default", {"name": "x", "active": False, "version": 1}, status=400)
