"""D5: the page of a ticket: what was said in public, a reply, a click that it is solved; by a link that cannot be made up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing_browser import CHROMIUM, chromium
from ltc_chassis.testing_mail import MailServer
from playwright.async_api import Page

from delivery_svc.tests.desk import Desk, Send, events
from delivery_svc.tests.rig import Emissions

HTML = {"Accept": "text/html"}


async def path_of(desk: Desk, ticket: Any) -> str:
    return str(urlsplit((await desk.call("POST", f"/v1/tickets/{ticket['id']}/link"))["url"]).path)


async def test_the_page_shows_what_was_said_in_public_and_nothing_else(desk: Desk, anonymous: httpx.AsyncClient) -> None:
    await desk.queue("support")
    ticket = await desk.open(queue="support", subject="<script>alert(1)</script>")
    await desk.say(ticket, "for colleagues only", public=False)
    await desk.say(ticket, "A gasket is on its way & more")
    reply = await anonymous.get(await path_of(desk, ticket), headers=HTML)
    assert reply.status_code == 200
    assert "colleagues" not in reply.text
    assert "<script>alert" not in reply.text
    assert "A gasket is on its way &amp; more" in reply.text
    assert ("ACME Support" in reply.text, "test" in reply.text) == (True, False)
    assert reply.headers["cache-control"] == "no-store"
    assert (await desk.read(ticket))["version"] == 2


async def test_a_reply_and_solved_move_the_ticket_and_a_double_click_is_one(
    desk: Desk, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    ticket = await desk.open()
    await desk.say(ticket, "Which?", then="wait")
    path = await path_of(desk, ticket)
    form = {"action": "reply", "text": "The blue one"}
    assert {reply.status_code for reply in await asyncio.gather(*(anonymous.post(path, data=form) for _ in range(4)))} == {303}
    assert [each["text"] for each in await desk.comments(ticket)] == ["It drips since Monday.", "Which?", "The blue one"]
    assert (await desk.read(ticket))["state"] == "open"
    assert (await anonymous.post(path, data={"action": "reply", "text": "  "})).status_code == 400
    for _ in range(2):
        assert (await anonymous.post(path, data={"action": "solved"})).status_code == 303
    assert (await desk.read(ticket))["state"] == "resolved"
    assert [each.by for each in events(await emitted(), "ticket.resolved")] == [None]
    await anonymous.post(path, data={"action": "reply", "text": "it is not"})
    assert (await desk.read(ticket))["reopened"] == 1


async def test_a_reply_that_comes_too_late_goes_on_in_another_ticket(
    desk: Desk, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    ticket = await desk.open()
    await desk.say(ticket, then="resolve")
    path = await path_of(desk, ticket)
    clock.advance(days=8)
    moved, twice = [await anonymous.post(path, data={"action": "reply", "text": "again"}) for _ in range(2)]
    assert moved.headers["location"] == twice.headers["location"]
    await desk.say(ticket, "and more", author="customer")
    assert len((await desk.call("GET", "/v1/tickets"))["items"]) == 2
    page = await anonymous.get(f"/s/{moved.headers['location']}", headers=HTML)
    assert "T-2026-000002" in page.text
    assert (await desk.comments(ticket))[-1]["text"] != "again"


async def test_a_link_that_is_made_up_old_or_of_another_purpose_opens_nothing(
    desk: Desk, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    ticket = await desk.open()
    path = await path_of(desk, ticket)
    for wrong in (f"{path[:-3]}abc", "/s/x", f"/s/{'x' * 3000}"):
        assert (await anonymous.get(wrong, headers=HTML)).status_code == 404
        assert (await anonymous.post(wrong, data={"action": "solved"})).status_code == 404
    clock.advance(days=91)
    assert (await anonymous.get(path, headers=HTML)).status_code == 410


async def test_a_merged_ticket_leads_only_its_own_customer_to_the_other(desk: Desk, anonymous: httpx.AsyncClient) -> None:
    same, strange, into = await desk.open(), await desk.open(requester_email="max@weber.example"), await desk.open(text="OURS")
    paths = [await path_of(desk, ticket) for ticket in (same, strange)]
    for ticket in (same, strange):
        await desk.call("POST", f"/v1/tickets/{ticket['id']}/merge", {"into_id": into["id"]})
    pages = [(await anonymous.get(path, headers=HTML)).text for path in paths]
    assert ["OURS" in page for page in pages] == [True, False]
    assert 'data-state="merged"' in pages[1]
    assert (await anonymous.post(paths[1], data={"action": "reply", "text": "x"})).status_code == 409
    await anonymous.post(paths[1], data={"action": "solved"})
    assert (await desk.read(into))["state"] == "new"


async def test_every_answer_by_mail_has_the_link(
    desk: Desk, mail_server: MailServer, send_mails: Send, anonymous: httpx.AsyncClient
) -> None:
    await desk.say(await desk.open(language="zh"))
    await send_mails()
    [line] = [line for line in mail_server.received[0].part("plain").split("\n") if "/s/" in line]
    assert line.startswith("在此查看和回复: http://service/s/")
    assert (await anonymous.get(urlsplit(line.partition(": ")[2]).path, headers=HTML)).status_code == 200


@contextlib.asynccontextmanager
async def browsing(locale: str) -> AsyncIterator[Page]:
    """A page as wide as a telephone; at the end nothing may have been complained of, the policy against foreign code included."""
    problems: list[str] = []
    async with chromium() as browser:
        context = await browser.new_context(locale=locale, viewport={"width": 390, "height": 800})
        page = await context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        yield page
    assert problems == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
@pytest.mark.parametrize(
    ("locale", "waiting", "resolved"),
    [("en-GB", "waiting for your reply", "resolved"), ("zh-CN", "等待您的回复", "已解决")],
)
async def test_it_is_read_answered_and_solved_in_a_browser(
    desk: Desk, address: str, locale: str, waiting: str, resolved: str
) -> None:
    await desk.queue("support")
    ticket = await desk.open(queue="support", subject="泵漏水" if locale == "zh-CN" else "The pump leaks")
    await desk.say(ticket, "Which pump is it?\n\nThe number is on the plate.", then="wait")
    async with browsing(locale) as page:
        await page.goto(f"{address}{await path_of(desk, ticket)}")
        assert waiting in await page.inner_text("#state")
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.fill("#text", "<b>The blue one</b>")
        await page.click("#send")
        await page.wait_for_selector("#state[data-state=open]")
        assert "<b>The blue one</b>" in await page.inner_text("#thread li:last-child")
        await page.click("#solved")
        await page.wait_for_selector("#state[data-state=resolved]")
        assert resolved in await page.inner_text("#state")
    assert (await desk.read(ticket))["state"] == "resolved"
