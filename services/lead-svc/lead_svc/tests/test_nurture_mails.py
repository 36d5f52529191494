"""L8: how a nurture mail is taken up: opened, clicked, answered, and how a person gets no more of them."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from ltc_chassis import links
from ltc_chassis.db import Database
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Emitted, KeyPair
from ltc_chassis.testing_browser import CHROMIUM, chromium

from lead_svc.handlers import nurture as steps
from lead_svc.tests.journeys import AGAIN, Nurture

Emissions = Callable[[], Awaitable[list[Emitted]]]
PERSON = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"}
ROBOT = {"User-Agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}


def link(html: str, place: str) -> str:
    found = re.search(rf'"http://service(/{place}/[^"]+)"', html)
    assert found is not None
    return found[1].replace("&amp;", "&")


@pytest.fixture
async def mail(nurture: Nurture) -> dict[str, str]:
    """A mail that arrived at a lead: its links, and whose it is."""
    await nurture.journey()
    lead = await nurture.lead()
    await nurture.work()
    html = nurture.server.received[0].part("html")
    return {place: link(html, place) for place in "ocu"} | {"lead": lead}


async def step(nurture: Nurture) -> dict[str, int]:
    [found] = (await nurture.client.get("/v1/journeys/welcome/statistics")).json()["steps"]
    return dict(found)


async def test_an_open_counts_once_and_what_a_program_opens_is_noted_apart(
    nurture: Nurture, anonymous: httpx.AsyncClient, mail: dict[str, str], emitted: Emissions
) -> None:
    for method, headers in (("GET", ROBOT), ("HEAD", PERSON), ("GET", {"User-Agent": ""})):
        assert (await anonymous.request(method, mail["o"], headers=headers)).status_code == 200
    assert ((await step(nurture))["opened"], (await step(nurture))["opened_by_bots_only"]) == (0, 1)
    for _ in range(3):
        reply = await anonymous.get(mail["o"], headers=PERSON)
        assert (reply.status_code, reply.headers["content-type"], reply.content[:6]) == (200, "image/gif", b"GIF89a")
        assert reply.headers["cache-control"] == "no-store"
    assert ((await step(nurture))["opened"], (await step(nurture))["opened_by_bots_only"]) == (1, 0)
    engaged = [event.event.activity for event in await emitted() if event.topic == "lead.engaged"]
    assert engaged == ["email_open"]


async def test_opens_clicks_and_replies_count_for_the_score_as_the_rule_says(
    nurture: Nurture, anonymous: httpx.AsyncClient, mail: dict[str, str]
) -> None:
    [version] = (await nurture.client.get("/v1/score-rules")).json()[:1]
    body = version.get("rule") or (await nurture.client.get(f"/v1/score-rules/{version['version']}")).json()["rule"]
    points = {"email_open": 2, "email_click": 6}
    activities = {code: {"points": each, "half_life_days": 30, "group": "interest"} for code, each in points.items()}
    rule = {**body, "activities": {**body["activities"], **activities}}
    new = {"version": "mail", "valid_from": "2026-01-01T00:00:01Z", "rule": rule}
    made = await nurture.client.post("/v1/score-rules", json=new)
    assert made.status_code == 201, made.text
    nurture.clock.advance(seconds=1)
    await anonymous.get(mail["o"], headers=PERSON)
    await anonymous.get(mail["c"], headers=PERSON)
    shown = (await nurture.client.get(f"/v1/leads/{mail['lead']}/score")).json()
    assert float(shown["engagement"]) == 8
    reply = {"from": "anna@rossi.example", "message_id": "<r1@rossi.example>"}
    await nurture.client.post("/v1/mail-replies", json=reply)
    shown = (await nurture.client.get(f"/v1/leads/{mail['lead']}/score")).json()
    assert float(shown["engagement"]) == 23


async def test_a_click_leads_to_the_page_of_the_mail_and_nowhere_else(
    nurture: Nurture, anonymous: httpx.AsyncClient, mail: dict[str, str], emitted: Emissions, runtime: Runtime
) -> None:
    for _ in range(2):
        reply = await anonymous.get(mail["c"], headers=PERSON, params={"url": "https://evil.example", "next": "//evil.example"})
        assert (reply.status_code, reply.headers["location"]) == (302, "https://acme.example/guide?a=1&b=2")
        assert reply.headers["referrer-policy"] == "no-referrer"
    assert [event.event.activity for event in await emitted() if event.topic == "lead.engaged"] == ["email_click"]
    token = mail["c"].removeprefix("/c/")
    keys = links.keys(runtime.settings)
    good = links.verify(keys, token, purpose="nurture.click", now=nurture.clock.now())
    beyond = links.sign(keys, purpose=good.purpose, subject=good.subject, expires_at=good.expires_at, claims={"n": 1})
    odd = links.sign(keys, purpose=good.purpose, subject=good.subject, expires_at=good.expires_at, claims={"n": "https://evil"})
    for wrong in (
        f"/c/{token[:-3]}abc",
        mail["o"].replace("/o/", "/c/"),
        mail["u"].replace("/u/", "/c/"),
        f"/c/{beyond}",
        f"/c/{odd}",
    ):
        assert (await anonymous.get(wrong, headers=PERSON)).status_code == 404
    nurture.clock.advance(days=401)
    assert (await anonymous.get(mail["c"], headers=PERSON)).status_code == 410


async def test_one_click_unsubscribes_the_address_for_every_lead_and_for_good(
    nurture: Nurture, anonymous: httpx.AsyncClient, mail: dict[str, str]
) -> None:
    twin = await nurture.lead("Anna@Rossi.example", company="Other")
    await nurture.work()
    header = str(nurture.server.received[0].message["List-Unsubscribe"]).strip("<>").removeprefix("http://service")
    assert header == mail["u"]
    for _ in range(2):  # a mail program may ask twice
        reply = await anonymous.post(header, data={"List-Unsubscribe": "One-Click"})
        assert (reply.status_code, reply.text) == (200, "unsubscribed")
    assert await nurture.ended_by(mail["lead"]) == await nurture.ended_by(twin) == ["unsubscribed"]
    before = len(nurture.server.received)
    assert await nurture.work(days=5) == before
    late = await nurture.lead("anna@rossi.example", company="Third")
    assert await nurture.enrol(late, mail["lead"]) == ["suppressed", "suppressed"]
    assert await nurture.work(days=5) == before
    assert (await step(nurture))["unsubscribed"] == 1
    shown = (await nurture.client.post("/v1/mail-suppressions/look-up", json={"email": "anna@rossi.example"})).json()
    assert (shown["suppressed"], shown["why"], shown["by"]) == (True, "unsubscribed", "recipient")
    for wrong in ("/u/rubbish", mail["o"].replace("/o/", "/u/")):
        assert (await anonymous.post(wrong, data={"List-Unsubscribe": "One-Click"})).status_code == 404


async def test_looking_at_the_page_unsubscribes_nobody(
    nurture: Nurture, anonymous: httpx.AsyncClient, mail: dict[str, str]
) -> None:
    for method in ("GET", "HEAD"):
        await anonymous.request(method, mail["u"], headers=PERSON)
    assert await nurture.ended_by(mail["lead"]) == [None]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
@pytest.mark.parametrize(
    ("language", "button", "done"), [("en-GB", "Unsubscribe", "You are unsubscribed."), ("zh-CN", "退订", "您已退订。")]
)
async def test_a_person_unsubscribes_on_the_page_in_their_language(
    nurture: Nurture, mail: dict[str, str], address: str, language: str, button: str, done: str
) -> None:
    async with chromium() as browser:
        page = await browser.new_page(locale=language, viewport={"width": 390, "height": 700})
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(address + mail["u"])
        assert await page.locator("button").inner_text() == button
        assert await nurture.ended_by(mail["lead"]) == [None]
        await page.click("button")
        assert await page.locator("#done").inner_text() == done
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert (
            await page.evaluate("getComputedStyle(document.querySelector('main')).paddingTop") == "20px"
        )  # the policy lets our style in
    assert problems == []
    assert await nurture.ended_by(mail["lead"]) == ["unsubscribed"]


@pytest.mark.parametrize(
    ("how", "matched_by"),
    [
        ({"in_reply_to": "MESSAGE"}, "message_id"),
        ({"references": ["<other@x.example>", "MESSAGE"]}, "message_id"),
        ({"from": "Anna@ROSSI.example"}, "address"),
    ],
)
async def test_a_reply_stops_the_journey_and_counts(
    nurture: Nurture, mail: dict[str, str], emitted: Emissions, how: dict[str, Any], matched_by: str
) -> None:
    sent = str(nurture.server.received[0].message["Message-ID"])
    text = {name: sent if value == "MESSAGE" else value for name, value in how.items()}
    if "references" in how:
        text["references"] = [sent if each == "MESSAGE" else each for each in how["references"]]
    body = {"from": "someone-else@rossi.example", "message_id": "<answer@rossi.example>", **text}
    first = (await nurture.client.post("/v1/mail-replies", json=body)).json()
    assert first == {"lead_id": mail["lead"], "matched_by": matched_by, "fresh": True}
    again = (await nurture.client.post("/v1/mail-replies", json=body)).json()
    assert again == {**first, "fresh": False}
    assert await nurture.ended_by(mail["lead"]) == ["reply"]
    assert [event.event.activity for event in await emitted() if event.topic == "lead.engaged"] == ["reply"]
    assert (await step(nurture))["replied"] == 1
    assert (await nurture.client.get(f"/v1/leads/{mail['lead']}")).json()["status"] == "nurturing"
    assert await nurture.work(days=5) == 1


async def test_an_automatic_answer_stops_nothing_and_a_stranger_is_nobody(nurture: Nurture, mail: dict[str, str]) -> None:
    auto = {"kind": "auto_reply", "from": "anna@rossi.example", "message_id": "<a@rossi.example>"}
    assert (await nurture.client.post("/v1/mail-replies", json=auto)).json()["lead_id"] == mail["lead"]
    stranger = {"from": "who@nowhere.example", "message_id": "<s@nowhere.example>", "in_reply_to": "<not-ours@x.example>"}
    assert (await nurture.client.post("/v1/mail-replies", json=stranger)).json() == {
        "lead_id": None,
        "matched_by": None,
        "fresh": True,
    }
    assert await nurture.ended_by(mail["lead"]) == [None]
    future = {"from": "anna@rossi.example", "message_id": "<f@x.example>", "received_at": "2027-01-01T00:00:00Z"}
    assert (await nurture.client.post("/v1/mail-replies", json=future)).status_code == 400
    assert await nurture.work(days=2) == 2


@pytest.mark.parametrize(
    ("kind", "why", "by"), [("bounce", "bounced", "undeliverable"), ("complaint", "complained", "unsubscribed")]
)
async def test_a_bounce_or_complaint_silences_the_address_that_was_written_to(
    nurture: Nurture, mail: dict[str, str], kind: str, why: str, by: str
) -> None:
    sent = str(nurture.server.received[0].message["Message-ID"])
    body = {"kind": kind, "from": "MAILER-DAEMON@mx.example", "message_id": "<b@mx.example>", "in_reply_to": sent}
    await nurture.client.post("/v1/mail-replies", json=body)
    assert await nurture.ended_by(mail["lead"]) == [by]
    shown = (await nurture.client.post("/v1/mail-suppressions/look-up", json={"email": "anna@rossi.example"})).json()
    assert (shown["suppressed"], shown["why"]) == (True, why)


async def test_who_cannot_be_reached_is_not_written_to_again(nurture: Nurture) -> None:
    await nurture.journey()
    nurture.server.rcpt_answers = ["550 5.1.1 no such user"]
    lead = await nurture.lead()
    assert await nurture.work() == 0
    assert await nurture.ended_by(lead) == ["undeliverable"]
    assert await nurture.work(days=5) == 0
    assert (await step(nurture))["failed"] == 1


async def test_two_decisions_about_one_address_come_after_each_other(nurture: Nurture, db: Database) -> None:
    await nurture.journey(cap={"mails": 1, "days": 7}, steps=[{"key": "a", "mail": AGAIN}], entry=None)
    leads = [await nurture.lead("anna@rossi.example"), await nurture.lead("ANNA@rossi.example", company="Other")]
    assert await nurture.enrol(*leads) == [None, None]
    async with db.transaction() as first:
        assert await steps.step_due(first, limit=1) == 1

        async def second() -> None:
            async with db.transaction() as tx:
                assert await steps.step_due(tx, limit=1) == 1

        waiting = asyncio.ensure_future(second())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
    await waiting
    assert await nurture.work() == 1
    assert await nurture.work(days=7) == 2


async def test_scopes_guard_every_part(app: FastAPI, keys: KeyPair, nurture: Nurture) -> None:
    await nurture.journey()
    headers = {"Authorization": f"Bearer {keys.token('journeys:read')}"}
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service", headers=headers) as reader:
        assert (await reader.get("/v1/journeys")).json()["items"][0]["code"] == "welcome"
        for path in ("/v1/journeys", "/v1/journeys/welcome/versions/1/pause", "/v1/mail-replies", "/v1/mail-suppressions"):
            assert (await reader.post(path, json={})).status_code == 403, path
