"""D5: clocks of tickets in business hours: golden moments, pauses, and escalations told once whatever happens."""

import asyncio
import os
import signal
import sys
from datetime import datetime

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing_mail import MailServer

from delivery_svc.tests.desk import ALWAYS, BERLIN, Desk, Run, Send, events, local, timer
from delivery_svc.tests.rig import Emissions

TELL = timer("tell-tickets")


@pytest.mark.parametrize(
    ("opened", "response_due", "resolution_due"),
    [
        pytest.param(local("2026-01-14T10:00", 1), local("2026-01-14T14:00", 1), local("2026-01-16T10:00", 1), id="within a week"),
        pytest.param(local("2026-01-16T15:00", 1), local("2026-01-19T11:00", 1), local("2026-01-20T15:00", 1), id="over a weekend"),
        pytest.param(local("2026-04-02T15:00", 2), local("2026-04-07T11:00", 2), local("2026-04-08T15:00", 2), id="over Easter"),
        pytest.param(local("2026-03-27T15:00", 1), local("2026-03-30T11:00", 2), local("2026-03-31T15:00", 2), id="clocks set on"),
        pytest.param(local("2026-10-23T15:00", 2), local("2026-10-26T11:00", 1), local("2026-10-27T15:00", 1), id="clocks set back"),
        pytest.param(local("2026-01-17T12:00", 1), local("2026-01-19T13:00", 1), local("2026-01-20T17:00", 1), id="opened on a Saturday"),
    ],
)  # fmt: skip
async def test_targets_are_business_hours_with_holidays(
    desk: Desk, clock: FixedClock, emitted: Emissions, opened: datetime, response_due: datetime, resolution_due: datetime
) -> None:
    clock.set(opened)
    await desk.policy()
    ticket = await desk.open()
    [told] = events(await emitted(), "ticket.opened")
    assert (told.response_due_at, told.resolution_due_at) == (response_due, resolution_due)
    assert datetime.fromisoformat(ticket["due_at"]) == response_due


async def test_the_clock_rests_while_the_customer_is_waited_for(desk: Desk, clock: FixedClock, emitted: Emissions) -> None:
    clock.set(local("2026-01-16T10:00", 1))
    await desk.policy()
    ticket = await desk.open()
    clock.set(local("2026-01-16T12:00", 1))
    waiting = (await desk.say(ticket, "Which pump is it?", then="wait"))["ticket"]
    assert (waiting["state"], waiting["due_at"]) == ("waiting", None)
    rests = await desk.clock(ticket)
    assert (rests["state"], rests["used_seconds"], rests["due_at"]) == ("paused", 7200, None)
    clock.set(local("2026-01-26T16:00", 1))
    back = (await desk.say(ticket, "The blue one", author="customer"))["ticket"]
    assert (back["state"], back["due_at"]) == ("open", "2026-01-28T13:00:00Z")  # 14 of 16 hours are left: 1 + 8 + 5
    # On hold it is we who wait, so the time counts.
    await desk.move(ticket, "hold")
    clock.set(local("2026-01-27T11:00", 1))
    await desk.say(ticket, then="resolve")
    [done] = events(await emitted(), "ticket.resolved")
    assert (done.business_minutes, done.within_target, done.target_minutes) == (120 + 60 + 120, True, 960)
    [responded] = events(await emitted(), "ticket.responded")
    assert (responded.business_minutes, responded.within_target, responded.policy) == (120, True, "standard")


async def test_a_reopened_ticket_goes_on_where_its_clock_stood(desk: Desk, clock: FixedClock, emitted: Emissions) -> None:
    clock.set(local("2026-01-12T09:00", 1))
    await desk.policy(response_minutes=None, resolution_minutes=600)
    ticket = await desk.open()
    clock.set(local("2026-01-12T16:00", 1))
    await desk.say(ticket, then="resolve")
    clock.set(local("2026-01-14T16:00", 1))
    again = (await desk.say(ticket, "no", author="customer"))["ticket"]
    assert datetime.fromisoformat(again["due_at"]) == local("2026-01-15T11:00", 1)  # 3 hours are left
    clock.set(local("2026-01-15T11:30", 1))
    await desk.say(ticket, then="resolve")
    first, second = events(await emitted(), "ticket.resolved")
    assert (first.business_minutes, first.within_target, first.reopened) == (420, True, 0)
    assert (second.business_minutes, second.within_target, second.reopened) == (630, False, 1)
    # The breach was told although the timer never ran, at its own moment.
    [late] = events(await emitted(), "ticket.escalated")
    assert (late.clock, late.level, late.due_at) == ("resolution", 1, local("2026-01-15T11:00", 1))


async def test_nobody_waits_for_a_customer_who_was_never_answered(desk: Desk, client: httpx.AsyncClient) -> None:
    ticket = await desk.open()
    await desk.say(ticket, "note", public=False)
    await desk.agent()
    await desk.call("POST", f"/v1/tickets/{ticket['id']}/assign", {"assignee": "anna"})
    for move in ("wait", "resolve"):
        reply = await client.post(f"/v1/tickets/{ticket['id']}/move", json={"move": move})
        assert (reply.status_code, reply.json()["type"].rpartition(":")[2]) == (409, "not-answered-yet")


async def test_a_higher_priority_has_its_own_target_and_keeps_the_time_that_passed(
    desk: Desk, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    clock.set(local("2026-01-14T09:00", 1))
    await desk.policy()
    await desk.policy("urgent", position=1, priorities=["urgent"], response_minutes=60, resolution_minutes=240)
    ticket = await desk.open()
    clock.set(local("2026-01-14T11:00", 1))
    body = {"priority": "urgent", "version": 1}
    changed = await desk.call("PATCH", f"/v1/tickets/{ticket['id']}", body)
    assert (await desk.clock(ticket))["policy"] == "urgent"
    assert datetime.fromisoformat((await desk.clock(ticket))["due_at"]) == local("2026-01-14T13:00", 1)
    # Two hours have passed, one was the target: it is late at once.
    assert datetime.fromisoformat(changed["due_at"]) == local("2026-01-14T11:00", 1)
    assert await run_timer(TELL) == 1
    [told] = events(await emitted(), "ticket.escalated")
    assert (told.clock, told.policy, told.target_minutes) == ("first_response", "urgent", 60)


async def test_each_step_is_told_once_at_its_moment_to_whom_it_says(
    desk: Desk, clock: FixedClock, run_timer: Run, emitted: Emissions, mail_server: MailServer, send_mails: Send
) -> None:
    clock.set(local("2026-01-16T15:00", 1))
    await desk.agent("anna")
    await desk.agent("petra")
    await desk.queue("support", lead="petra", alerts_to="team@acme.example", members=["anna"])
    steps = [
        {"clock": "first_response", "to": "assignee"},
        {"clock": "first_response", "after_minutes": 60, "to": "lead"},
        {"clock": "first_response", "after_minutes": 120, "to": "queue"},
    ]
    await desk.policy(response_minutes=100, resolution_minutes=None, warn_percent=80, steps=steps)
    ticket = await desk.open(queue="support")
    await desk.call("POST", f"/v1/tickets/{ticket['id']}/assign", {"assignee": "anna"})
    clock.set(local("2026-01-16T16:19", 1))
    assert await run_timer(TELL) == 0
    clock.advance(minutes=1)
    assert (await run_timer(TELL), await run_timer(TELL), await send_mails()) == (1, 0, 1)
    assert mail_server.received[-1].message["subject"] == "Ticket T-2026-000001: the first response is due 2026-01-16 16:40 CET"
    clock.set(local("2026-01-16T16:40", 1))
    assert (await run_timer(TELL), await send_mails()) == (1, 1)
    # An hour of work later: 20 minutes on Friday, 40 on Monday.
    clock.set(local("2026-01-19T09:39", 1))
    assert await run_timer(TELL) == 0
    clock.advance(minutes=1)
    assert (await run_timer(TELL), await send_mails()) == (1, 1)
    clock.set(local("2026-01-19T10:40", 1))
    assert (await run_timer(TELL), await send_mails()) == (1, 1)
    clock.advance(days=30)
    assert await run_timer(TELL) == 0
    assert [len(mail_server.to(f"{who}@acme.example")) for who in ("anna", "petra", "team")] == [2, 1, 1]
    assert not any("leaks" in mail.raw.decode() or "nordwind" in mail.raw.decode() for mail in mail_server.received)
    told = [(each.level, each.escalate_to, each.assignee) for each in events(await emitted(), "ticket.escalated")]
    assert told == [(1, "anna", "anna"), (2, "petra", "anna"), (3, "support", "anna")]
    notices = (await desk.clock(ticket, "first_response"))["notices"]
    assert [(each["level"], each["mailed"]) for each in notices] == [(0, True), (1, True), (2, True), (3, True)]
    await desk.say(ticket)
    [responded] = events(await emitted(), "ticket.responded")
    assert (responded.within_target, responded.policy_version) == (False, 1)


async def test_a_late_timer_tells_every_step_in_order_with_its_own_moment(
    desk: Desk, clock: FixedClock, run_timer: Run, emitted: Emissions, mail_server: MailServer, send_mails: Send
) -> None:
    clock.set(local("2026-01-14T10:00", 1))
    await desk.queue("support", alerts_to="team@acme.example")
    steps = [{"clock": "resolution", "after_minutes": 60, "to": "queue"}]
    await desk.policy(response_minutes=None, resolution_minutes=60, warn_percent=50, steps=steps)
    await desk.open(queue="support")
    clock.advance(days=10)
    assert await run_timer(TELL) == 1
    told = [(each.level, each.due_at) for each in events(await emitted(), "ticket.escalated")]
    assert told == [(1, local("2026-01-14T11:00", 1)), (2, local("2026-01-14T12:00", 1))]
    assert (await send_mails(), len(mail_server.received)) == (1, 1)


async def test_replicas_tell_each_step_once(desk: Desk, clock: FixedClock, runtime: Runtime, emitted: Emissions) -> None:
    await desk.policy(response_minutes=60, resolution_minutes=None, calendar=ALWAYS)
    for _ in range(12):
        await desk.open()
    clock.advance(hours=2)

    async def replica() -> int:
        async with runtime.db.transaction() as tx:
            return await TELL.work(tx)

    assert sum(await asyncio.gather(*(replica() for _ in range(4)))) == 12
    assert len(events(await emitted(), "ticket.escalated")) == 12


async def test_an_answer_at_the_moment_of_the_timer_tells_the_breach_once(
    desk: Desk, client: httpx.AsyncClient, clock: FixedClock, runtime: Runtime, emitted: Emissions
) -> None:
    await desk.policy(response_minutes=60, resolution_minutes=None, calendar=ALWAYS)
    tickets = [await desk.open() for _ in range(4)]
    clock.advance(hours=2)

    async def replica() -> None:
        async with runtime.db.transaction() as tx:
            await TELL.work(tx)

    answers = (client.post(f"/v1/tickets/{ticket['id']}/comments", json={"text": "x"}) for ticket in tickets)
    await asyncio.gather(replica(), *answers, replica())
    assert len(events(await emitted(), "ticket.escalated")) == 4
    assert {each.within_target for each in events(await emitted(), "ticket.responded")} == {False}


async def test_a_kill_in_the_middle_loses_and_doubles_nothing(
    desk: Desk, clock: FixedClock, runtime: Runtime, dsn: str, run_timer: Run, emitted: Emissions, client: httpx.AsyncClient
) -> None:
    await desk.queue("support", alerts_to="team@acme.example")
    steps = [{"clock": "first_response", "to": "queue"}]
    await desk.policy(response_minutes=60, resolution_minutes=None, calendar=ALWAYS, steps=steps)
    ticket = await desk.open(queue="support")
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LTC_")},
        "LTC_POSTGRES_DSN": dsn,
        "LTC_AUTH_PUBLIC_KEY": str(runtime.settings.auth_public_key),
        "LTC_SECRETS_DIR": str(runtime.settings.secrets_dir),
        "LTC_PUBLIC_URL": "http://service",
        "LTC_CLOCK": "2026-01-01T02:00Z@1",
    }
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "delivery_svc.tests.ticket_crash_child", env=environment)
    assert await child.wait() == -signal.SIGKILL
    assert events(await emitted(), "ticket.escalated") == []
    clock.advance(hours=2)
    assert (await run_timer(TELL), await run_timer(TELL)) == (1, 0)
    assert len(events(await emitted(), "ticket.escalated")) == 1
    assert len((await desk.clock(ticket, "first_response"))["notices"]) == 1
    assert len((await client.get("/v1/mails")).json()["items"]) == 1


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"response_minutes": None, "resolution_minutes": None}, "response_minutes"),
        ({"calendar": {"timezone": "Europe/Berlin", "week": {}}}, "week"),
        ({"calendar": {**BERLIN, "timezone": "Mars/Base"}}, "timezone"),
        ({"calendar": {**BERLIN, "country": "XX"}}, "country"),
        ({"steps": [{"clock": "resolution", "after_minutes": 60}, {"clock": "resolution", "after_minutes": 60}]}, "steps"),
        ({"resolution_minutes": None, "steps": [{"clock": "resolution", "to": "lead"}]}, "steps"),
        ({"queues": ["nowhere"]}, "queues"),
    ],
)
async def test_a_policy_that_cannot_hold_is_refused(client: httpx.AsyncClient, changed: dict[str, object], field: str) -> None:
    body = {"name": "x", "response_minutes": 240, "resolution_minutes": 960, "calendar": BERLIN, **changed}
    reply = await client.put("/v1/ticket-policies/x", json=body)
    assert (reply.status_code, reply.json()["field"]) == (404 if field == "queues" else 400, field)
    assert (await client.get("/v1/ticket-policies")).json() == []


async def test_open_tickets_keep_the_version_they_began_with(desk: Desk, client: httpx.AsyncClient) -> None:
    await desk.policy()
    old = await desk.open()
    await desk.policy(version=1, resolution_minutes=60)
    assert (
        await client.put("/v1/ticket-policies/standard", json={"name": "x", "response_minutes": 1, "calendar": BERLIN})
    ).status_code == 409
    new = await desk.open()
    assert [(await desk.clock(each))["policy_version"] for each in (old, new)] == [1, 2]
    rows = await desk.call("GET", "/v1/ticket-policies/standard/changes")
    assert [(row["version"], row["changed_by"]) for row in rows] == [(2, "test"), (1, "test")]
