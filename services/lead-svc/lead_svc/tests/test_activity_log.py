"""L9: what people did with a lead is written down once, counts as the rules say, and everybody sees who was last on it."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import capture, timer
from lead_svc.tests.journeys import Nurture
from lead_svc.tests.responses import log, policy

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
As = Callable[..., httpx.AsyncClient]


async def lines(client: httpx.AsyncClient, lead: str) -> list[dict[str, Any]]:
    reply = await client.get(f"/v1/leads/{lead}/timeline", params={"limit": 200})
    assert reply.status_code == 200, reply.text
    return list(reply.json()["items"])


async def kinds(client: httpx.AsyncClient, lead: str) -> list[str]:
    return [each["kind"] for each in await lines(client, lead)]


async def test_what_is_written_down_has_who_when_it_happened_and_when_it_was_written(
    client: httpx.AsyncClient, seller: As, clock: FixedClock
) -> None:
    lead = await capture(client)
    clock.advance(hours=5)
    words = {"subject": "Price", "note": "Wants 10 % off", "outcome": "reached"}
    made = await log(seller("anna"), lead, occurred_at="2026-01-01T02:00:00Z", **words)
    assert made.status_code == 201
    logged = made.json()["logged"]
    assert (logged["recorded_by"], logged["occurred_at"], logged["recorded_at"]) == (
        *("anna", "2026-01-01T02:00:00Z"),
        "2026-01-01T05:00:00Z",
    )
    shown = (await client.get(f"/v1/leads/{lead}/timeline")).json()
    assert shown["last"] == logged
    [line] = [each for each in shown["items"] if each["kind"] == "call"]
    assert (line["by"], line["occurred_at"], line["recorded_at"]) == ("anna", "2026-01-01T02:00:00Z", "2026-01-01T05:00:00Z")
    assert line["what"] == {"direction": "outbound", "task_id": None, **words}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"type": "call"}, 400),
        ({"type": "note", "direction": "inbound"}, 400),
        ({"type": "meeting", "occurred_at": "2026-01-01T00:00:01Z"}, 400),
        ({"type": "meeting", "activity": "meeting"}, 400),
        ({}, 400),
        ({"activity": "reply", "note": "x"}, 400),
        ({"type": "note", "note": "x" * 5001}, 422),
        ({"type": "note", "note": "a\u0000b"}, 400),
        ({"type": "fax"}, 422),
    ],
)
async def test_what_is_not_well_formed_is_refused(client: httpx.AsyncClient, body: dict[str, Any], status: int) -> None:
    assert (await client.post(f"/v1/leads/{await capture(client)}/activities", json=body)).status_code == status


async def test_a_repeated_request_is_written_down_once(client: httpx.AsyncClient) -> None:
    lead = await capture(client)
    body = {"type": "meeting", "note": "at the fair"}
    path, key = f"/v1/leads/{lead}/activities", {"Idempotency-Key": "meeting-1"}
    replies = await asyncio.gather(*(client.post(path, json=body, headers=key) for _ in range(3)))
    assert {reply.status_code for reply in replies} == {201}
    assert len({reply.json()["logged"]["id"] for reply in replies}) == 1
    assert (await kinds(client, lead)).count("meeting") == 1
    assert (await client.get(f"/v1/leads/{lead}")).json()["engagement"] == "20.00"


@pytest.mark.parametrize(
    ("body", "engagement", "until", "told"),
    [
        ({"type": "email", "direction": "inbound"}, "15.00", "2026-01-13T00:00:00Z", ["reply"]),
        ({"type": "meeting"}, "20.00", "2026-01-13T00:00:00Z", ["meeting"]),
        ({"type": "call", "direction": "outbound"}, "0", "2026-01-13T00:00:00Z", []),
        ({"type": "call", "direction": "inbound"}, "0", "2026-01-13T00:00:00Z", ["call"]),
        ({"type": "email", "direction": "outbound"}, "0", "2026-01-11T00:00:00Z", []),
        ({"type": "note", "note": "hm"}, "0", "2026-01-11T00:00:00Z", []),
    ],
)
async def test_it_counts_once_for_score_and_protection_as_the_rules_say(
    client: httpx.AsyncClient,
    seller: As,
    clock: FixedClock,
    emitted: Emissions,
    body: dict[str, Any],
    engagement: str,
    until: str,
    told: list[str],
) -> None:
    lead = await capture(client)
    await seller("anna").post(f"/v1/leads/{lead}/claim")
    clock.set(datetime(2026, 1, 10, tzinfo=UTC))
    assert (await seller("anna").post(f"/v1/leads/{lead}/activities", json=body)).status_code == 201
    assert (await client.get(f"/v1/leads/{lead}")).json()["engagement"] == engagement
    assert (await client.get(f"/v1/leads/{lead}/protection")).json()["current"]["until"] == until
    assert [each.event.activity for each in await emitted() if each.topic == "lead.engaged"] == told


async def test_no_words_of_a_person_are_in_events(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await policy(client)
    lead = await capture(client)
    task = (
        await client.post("/v1/tasks", json={"lead_id": lead, "title": "SECRET", "note": "SECRET", "due_in_minutes": 5})
    ).json()
    await log(client, lead, "email", direction="inbound", subject="SECRET", note="SECRET", outcome="SECRET")
    await client.post(f"/v1/tasks/{task['id']}/complete", json={"outcome": "SECRET"})
    assert not [each for each in await emitted() if "SECRET" in each.event.model_dump_json()]


async def test_the_timeline_has_everything_newest_first_and_in_pages(
    client: httpx.AsyncClient, seller: As, nurture: Nurture, clock: FixedClock, run_timer: Run
) -> None:
    await policy(client, target_minutes=60, calendar={"timezone": "UTC", "week": {"thu": [["00:00", "24:00"]]}})
    await nurture.journey()
    lead = await nurture.lead()
    touch = {"occurred_at": "2025-12-30T00:00:00Z", "channel": "search", "source": "Google"}
    other = await capture(client, touches=[touch], activities=[{"activity": "form"}])
    await nurture.work()
    clock.advance(hours=2)
    await run_timer(timer("tell-responses"))
    await seller("anna").post(f"/v1/leads/{lead}/claim")
    task = (
        await seller("anna").post("/v1/tasks", json={"lead_id": lead, "title": "Call", "type": "call", "due_in_minutes": 5})
    ).json()
    await seller("anna").post(f"/v1/tasks/{task['id']}/complete", json={"outcome": "spoke"})
    await log(client, lead, "note", note="nice")
    await log(client, lead, "meeting")
    await client.post(f"/v1/leads/{other}/merge", json={"into": lead})
    await client.patch(
        f"/v1/leads/{lead}", json={"version": (await client.get(f"/v1/leads/{lead}")).json()["version"], "company_size": 90}
    )
    await nurture.agree(lead, given=False)
    clock.advance(days=1)
    await client.post(f"/v1/leads/{lead}/disqualify", json={"code": "no_budget"})
    found = await lines(client, lead)
    assert [each["occurred_at"] for each in found] == sorted((each["occurred_at"] for each in found), reverse=True)
    wanted = {
        *(
            "captured",
            "touch",
            "activity",
            "mail_sent",
            "journey_entered",
            "journey_ended",
            "claimed",
            "protection_ended",
            "status",
        ),
        *("owner", "disqualified", "task_added", "task_done", "consent_given", "consent_withdrawn", "merged", "changed", "note"),
        *("meeting", "call", "response_awaited", "response_breached", "first_responded"),
    }
    assert wanted - {each["kind"] for each in found} == set()
    by = {each["kind"]: each["by"] for each in found}
    assert (by["claimed"], by["task_done"], by["call"], by["first_responded"], by["merged"]) == (*("anna",) * 4, "test")
    paged: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = (
            await client.get(f"/v1/leads/{lead}/timeline", params={"limit": 7, **({"cursor": cursor} if cursor else {})})
        ).json()
        paged += page["items"]
        cursor = page["next"]
        if cursor is None:
            break
    assert paged == found
    assert (await client.get(f"/v1/leads/{lead}/timeline", params={"cursor": "x"})).status_code == 400
    assert (await client.get(f"/v1/leads/{other}/timeline")).json()["lead_id"] == lead


async def test_a_band_that_changes_is_in_the_timeline_with_its_moment(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run
) -> None:
    lead = await capture(client, industry="software", country="DE", activities=[{"activity": "form"}])
    clock.advance(hours=1)
    await log(client, lead, "note", note="x")
    clock.advance(days=40)
    await run_timer(timer("score-due"))
    bands = [each for each in await lines(client, lead) if each["kind"] == "band"]
    assert [(each["what"]["was"], each["what"]["became"]) for each in bands] == [("warm", "cold")]
    assert bands[0]["occurred_at"] == "2026-02-10T01:00:00Z"
