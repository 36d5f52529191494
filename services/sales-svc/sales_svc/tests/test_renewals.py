"""Terms over HTTP and timers: reminders once each, late but never lost; renewal; notice."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Emitted
from ltc_chassis.testing_mail import MailServer
from ltc_chassis.timers import Timer, run_until_idle

from sales_svc import timers
from sales_svc.tests.deals import Json, drafted, ok, opened

Emissions = Callable[[], Awaitable[list[Emitted]]]
RunTimer = Callable[[Timer], Awaitable[int]]
SendMails = Callable[[], Awaitable[int]]
TIMERS = {timer.name: timer for timer in timers.TIMERS}
REMIND, TURN = TIMERS["remind-of-renewals"], TIMERS["turn-terms"]


async def subscribed(client: httpx.AsyncClient, **changed: Any) -> Json:
    """Signed on 2026-01-01 for twelve months, ninety days' notice: the term ends on 2026-12-31, notice by 2026-10-02."""
    contract = await drafted(client, await opened(client, owner="Darcel"), {"template": "subscription"}, **changed)
    signed: Json = await ok(client, "POST", f"/v1/contracts/{contract['id']}/sign", {"signed_by": "Anna Rossi"})
    return signed


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(hour=9, tzinfo=UTC)


async def reminded(emitted: Emissions) -> list[tuple[int, int]]:
    return [(each.event.term, each.event.days_before) for each in await emitted() if each.topic == "contract.renewal_due"]


async def test_each_reminder_is_told_once_on_its_day(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    contract = await subscribed(client)
    told = []
    for today in ("2026-07-03", "2026-07-04", "2026-07-05", "2026-09-02", "2026-09-25", "2026-10-02"):
        clock.set(day(today))
        told.append(await run_timer(REMIND))
    assert told == [0, 1, 0, 1, 1, 0]
    assert await reminded(emitted) == [(1, 90), (1, 30), (1, 7)]
    last = (await emitted())[-1]
    assert (last.event.number, last.event.owner, str(last.event.notice_by)) == (contract["number"], "Darcel", "2026-10-02")
    assert (str(last.flow_id), last.event.auto_renew, last.event.customer) == (contract["flow_id"], True, "Rossi")


async def test_reminders_that_nobody_told_in_time_are_told_late_before_the_term_renews(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    contract = await subscribed(client)
    clock.set(day("2027-02-01"))
    assert await run_timer(TURN) == 0, "what is due is told first"
    assert await run_timer(REMIND) == 3
    assert await run_timer(REMIND) == 0
    assert await run_timer(TURN) == 1
    terms = await ok(client, "GET", f"/v1/contracts/{contract['id']}/terms")
    assert [(each["state"], each["starts_on"], each["ends_on"]) for each in terms] == [
        *(("renewed", "2026-01-01", "2026-12-31"), ("running", "2027-01-01", "2027-12-31"))
    ]
    clock.set(day("2027-07-04"))
    assert await run_timer(REMIND) == 1
    assert (await reminded(emitted))[-1] == (2, 90)


async def test_two_replicas_tell_each_reminder_once(
    client: httpx.AsyncClient, clock: FixedClock, runtime: Runtime, emitted: Emissions
) -> None:
    for _ in range(5):
        await subscribed(client)
    clock.set(day("2026-09-25"))
    counts = await asyncio.gather(*(run_until_idle(runtime, REMIND) for _ in range(4)))
    assert sum(counts) == 15
    assert len(await reminded(emitted)) == 15


async def test_notice_in_time_ends_the_term_and_the_reminders(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer
) -> None:
    contract = await subscribed(client)
    path = f"/v1/contracts/{contract['id']}"
    clock.set(day("2026-10-02"))
    given = await ok(client, "POST", f"{path}/notice", {"side": "customer", "reason": "moved to another supplier"})
    assert (given["state"], given["ends_on"]) == ("notice_given", "2026-12-31")
    assert (await client.post(f"{path}/notice", json={"side": "supplier"})).status_code == 409
    assert await run_timer(REMIND) == 0
    clock.set(day("2027-01-01"))
    assert await run_timer(TURN) == 1
    [term] = await ok(client, "GET", f"{path}/terms")
    assert term["state"] == "ended"
    assert (await ok(client, "GET", f"{path}/trail"))[-1]["detail"]["side"] == "customer"


async def test_notice_after_its_day_is_refused(client: httpx.AsyncClient, clock: FixedClock) -> None:
    contract = await subscribed(client)
    clock.set(day("2026-10-03"))
    late = await client.post(f"/v1/contracts/{contract['id']}/notice", json={"side": "customer"})
    assert (late.status_code, late.json()["type"]) == (409, "urn:ltc:problem:notice-too-late")
    plain = await drafted(client)
    assert (await client.post(f"/v1/contracts/{plain['id']}/notice", json={"side": "customer"})).status_code == 404


async def test_the_policy_of_reminders_is_versioned_and_terms_keep_theirs(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, emitted: Emissions
) -> None:
    await subscribed(client)
    policy = await ok(client, "POST", "/v1/renewal-policies", {"days_before": [10, 60, 60]}, status=201)
    assert (policy["version"], policy["days_before"], policy["created_by"]) == (2, [60, 10], "test")
    await subscribed(client)
    clock.set(day("2026-10-01"))
    await run_timer(REMIND)
    assert sorted(days for _, days in await reminded(emitted)) == [7, 10, 30, 60, 90]
    assert [each["version"] for each in await ok(client, "GET", "/v1/renewal-policies")] == [2, 1]
    for address in ("a@b\nBcc: x@y", "nobody", "a b@c"):
        bad = await client.post("/v1/renewal-policies", json={"days_before": [1], "mail_to": [address]})
        assert (bad.status_code, bad.json()["field"]) == (400, "mail_to.0")


async def test_a_reminder_is_a_task_of_the_owner_and_one_mail_to_each_address(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer, mail_server: MailServer, send_mails: SendMails
) -> None:
    to = ["renewals@nord.example", "boss@nord.example"]
    await ok(client, "POST", "/v1/renewal-policies", {"days_before": [30, 7], "mail_to": to})
    contract = await subscribed(client, customer={"name": "Rossi\r\nBcc: eve@evil.example", "country": "IT"})
    clock.set(day("2026-09-30"))
    assert await run_timer(REMIND) == 2
    assert await run_timer(REMIND) == 0
    await send_mails()
    for address in to:
        first, second = mail_server.to(address)
        assert (
            first.message["subject"].strip()
            == f"Contract {contract['number']} with Rossi Bcc: eve@evil.example: notice by 2026-10-02"
        )
        assert "(2 days from now)" in second.part("plain")
    assert len(mail_server.received) == 4
    tasks = (await ok(client, "GET", f"/v1/activities?opportunity_id={contract['opportunity_id']}"))["items"]
    assert [(each["type"], each["assignee"], each["due_at"][:10]) for each in tasks] == [("task", "Darcel", "2026-10-02")] * 2


async def test_the_signature_tells_the_term(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await subscribed(client)
    event = next(each.event for each in await emitted() if each.topic == "contract.signed")
    assert (str(event.starts_on), str(event.ends_on), event.auto_renew) == ("2026-01-01", "2026-12-31", True)
    assert (event.renewal_months, event.notice_days, event.contract_version, event.owner) == (12, 90, 1, "Darcel")
