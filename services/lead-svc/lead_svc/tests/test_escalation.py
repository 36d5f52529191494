"""L9: warnings and breaches of first responses are told once, at their moment, whatever happens."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Emitted
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import capture, timer
from lead_svc.tests.responses import BERLIN, clock_of, events, local, log, policy, tasks

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
Send = Callable[[], Awaitable[int]]
TELL = timer("tell-responses")


async def test_the_timer_warns_and_escalates_each_step_once_at_its_moment(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions, mail_server: MailServer, send_mails: Send
) -> None:
    clock.set(local("2026-01-16T15:00", 1))
    await client.put("/v1/reps/anna", json={"name": "Anna", "team": "DACH", "max_per_30_days": 300})
    await client.put("/v1/desks/rep/anna", json={"email": "anna@acme.example", "calendar": BERLIN})
    await client.put("/v1/desks/team/DACH", json={"subject": "petra", "email": "petra@acme.example"})
    steps = [
        {"to": "rep"},
        {"after_minutes": 60, "to": "team"},
        {"after_minutes": 120, "to": "team", "to_pool": True, "mail": False},
    ]
    assert (await policy(client, target_minutes=100, warn_percent=80, steps=steps)).status_code == 200
    lead = await capture(client)
    await client.post(f"/v1/leads/{lead}/claim", json={"rep": "anna"})
    clock.set(local("2026-01-16T16:19", 1))
    assert await run_timer(TELL) == 0
    clock.advance(minutes=1)
    assert (await run_timer(TELL), await run_timer(TELL), await send_mails()) == (1, 0, 1)
    assert mail_server.received[-1].message["subject"] == "Get back to a lead by 2026-01-16 16:40 CET"
    clock.set(local("2026-01-16T16:40", 1))
    assert (await run_timer(TELL), await send_mails()) == (1, 1)
    # The second step is an hour of work later: 20 minutes on Friday, 40 on Monday.
    clock.set(local("2026-01-19T09:39", 1))
    assert await run_timer(TELL) == 0
    clock.advance(minutes=1)
    assert (await run_timer(TELL), await send_mails()) == (1, 1)
    assert [len(mail_server.to(f"{who}@acme.example")) for who in ("anna", "petra")] == [2, 1]
    clock.set(local("2026-01-19T10:40", 1))
    assert await run_timer(TELL) == 1
    told = [(each.level, each.escalate_to, each.owner) for each in events(await emitted(), "lead.sla_breached")]
    assert told == [(1, "anna", "anna"), (2, "petra", "anna"), (3, "petra", "anna")]
    assert (await client.get(f"/v1/leads/{lead}")).json()["owner"] is None
    [task] = await tasks(client, lead)
    assert (task["assignee"], task["state"]) == (None, "open")
    clock.advance(days=30)
    assert await run_timer(TELL) == 0
    notices = (await clock_of(client, lead))["notices"]
    assert [(each["level"], each["mailed"], each["to_pool"]) for each in notices] == [
        *((0, True, False), (1, True, False), (2, True, False)),
        (3, False, True),
    ]


async def test_a_late_timer_tells_every_step_in_order_with_its_own_moment(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions, mail_server: MailServer, send_mails: Send
) -> None:
    clock.set(local("2026-01-14T10:00", 1))
    await client.put("/v1/desks/queue/default", json={"email": "desk@acme.example"})
    await policy(client, target_minutes=60, warn_percent=50, steps=[{"after_minutes": 60, "to": "queue"}])
    lead = await capture(client)
    clock.advance(days=10)
    assert await run_timer(TELL) == 1
    told = [(each.level, each.escalate_to, each.due_at) for each in events(await emitted(), "lead.sla_breached")]
    assert told == [(1, None, local("2026-01-14T11:00", 1)), (2, "default", local("2026-01-14T12:00", 1))]
    assert await send_mails() == 1
    assert [each["level"] for each in (await clock_of(client, lead))["notices"]] == [0, 1, 2]
    assert lead in mail_server.received[0].part("plain")


async def test_replicas_tell_each_step_once(
    client: httpx.AsyncClient, clock: FixedClock, runtime: Runtime, emitted: Emissions
) -> None:
    await policy(client, target_minutes=60, calendar={"timezone": "UTC", "week": {"thu": [["00:00", "24:00"]]}})
    for _ in range(12):
        await capture(client)
    clock.advance(hours=2)

    async def replica() -> int:
        async with runtime.db.transaction() as tx:
            return await TELL.work(tx)

    counts = await asyncio.gather(*(replica() for _ in range(4)))
    assert sum(counts) == 12
    assert len(events(await emitted(), "lead.sla_breached")) == 12


async def test_a_kill_in_the_middle_loses_and_doubles_nothing(
    client: httpx.AsyncClient, clock: FixedClock, runtime: Runtime, dsn: str, run_timer: Run, emitted: Emissions
) -> None:
    await client.put("/v1/desks/queue/default", json={"email": "desk@acme.example"})
    await policy(
        client, target_minutes=60, calendar={"timezone": "UTC", "week": {"thu": [["00:00", "24:00"]]}}, steps=[{"to": "queue"}]
    )
    lead = await capture(client)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LTC_")},
        "LTC_POSTGRES_DSN": dsn,
        "LTC_AUTH_PUBLIC_KEY": str(runtime.settings.auth_public_key),
        "LTC_SECRETS_DIR": str(runtime.settings.secrets_dir),
        "LTC_PUBLIC_URL": "http://service",
        "LTC_CLOCK": "2026-01-01T02:00Z@1",
    }
    child = await asyncio.create_subprocess_exec(sys.executable, "-m", "lead_svc.tests.response_crash_child", env=environment)
    assert await child.wait() == -signal.SIGKILL
    assert not events(await emitted(), "lead.sla_breached")
    clock.advance(hours=3)
    assert (await run_timer(TELL), await run_timer(TELL)) == (1, 0)
    assert len(events(await emitted(), "lead.sla_breached")) == 1
    [notice] = (await clock_of(client, lead))["notices"]
    assert (notice["level"], notice["mailed"]) == (1, True)


async def test_a_broken_policy_stops_nothing_for_others(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions, db: Database
) -> None:
    clock.set(local("2026-01-14T10:00", 1))
    await policy(client, "broken", priority=1, condition={"field": "source", "is": "eq", "value": "X"}, target_minutes=60)
    await policy(client, target_minutes=60)
    bad, good = await capture(client, source="X"), await capture(client)
    async with db.connection() as conn:
        await conn.execute("UPDATE sla_policy SET steps = '[]', calendar = '{}' WHERE code = 'broken'")
    clock.advance(hours=2)
    await run_timer(TELL)
    assert [str(each.lead_id) for each in events(await emitted(), "lead.sla_breached")] == [good]
    [breach] = [each for each in (await client.get("/v1/sla-breaches")).json()["items"] if each["lead_id"] == bad]
    assert breach["trouble"] == "IndexError"
    # A capture is not refused by it: the next policy that holds is taken.
    assert (await clock_of(client, await capture(client, source="X")))["policy"] == "standard"
    # Nor is a response: without business hours the time that passed is told.
    assert (await log(client, bad)).status_code == 201
    assert (await clock_of(client, bad))["business_minutes"] == 120
