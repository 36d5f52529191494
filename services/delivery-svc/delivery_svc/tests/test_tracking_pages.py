"""D2: the page on which a customer follows a delivery: promises, steps, hand-overs, a question; by a link that cannot be made up."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Deliver
from ltc_chassis.testing_browser import CHROMIUM, chromium
from playwright.async_api import Page

from delivery_svc.tests.builders import a_confirmed_order, a_customer, a_line
from delivery_svc.tests.desk import Desk
from delivery_svc.tests.rig import Json, plan, post, read

HTML = {"Accept": "text/html"}
EVA = "eva@nordwind.example"


async def planned(deliver: Deliver, client: httpx.AsyncClient, **customer: Any) -> Json:
    given = {"email": EVA, **customer}
    lines = (a_line(), a_line(sku="HOSE", description="<b>Hose</b>"))
    return await plan(deliver, client, a_confirmed_order(customer=a_customer(**given), lines=lines))


async def path_of(desk: Desk, delivery: Json) -> str:
    return str(urlsplit((await desk.call("POST", f"/v1/deliveries/{delivery['id']}/tracking-link"))["url"]).path)


async def test_the_page_shows_what_happened_and_neither_prices_nor_names(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    delivery = await planned(deliver, client)
    path = await path_of(desk, delivery)
    first = await anonymous.get(path, headers=HTML)
    assert first.status_code == 200
    assert ("2026-01-15" in first.text, "Nothing was delivered yet." in first.text) == (True, True)
    clock.advance(days=1)
    await post(client, delivery, "promise", {"promised_on": "2026-01-20", "reason": "The <i>ship</i> is late"})
    await post(client, delivery, "handovers", {"lines": [{"line_id": delivery["lines"][0]["line_id"], "quantity": "2"}]})
    page = (await anonymous.get(path, headers=HTML)).text
    assert 'class="day" datetime="2026-01-20"' in page
    assert "2026-01-20 (told on 2026-01-02) · Reason: The &lt;i&gt;ship&lt;/i&gt; is late" in page
    assert "Before: 2026-01-15 (told on 2026-01-01)" in page
    assert "There is a proof of it" not in page
    assert ("2 / 3 delivered" in page, "2 × Pump, 7 bar" in page) == (True, True)
    assert ("&lt;b&gt;Hose&lt;/b&gt;" in page, "<b>Hose" in page) == (True, False)
    for secret in ("Nordwind", EVA, "348", "1003", "DE123456789"):
        assert secret not in page, secret
    last = (await post(client, delivery, "handovers", {})).json()
    proof = {"kind": "signature", "name": "Eva SECRET.png", "handover_id": last["id"]}
    kept = await client.post(f"/v1/deliveries/{delivery['id']}/proofs", content=b"\x89PNG\r\n\x1a\n signed", params=proof)
    assert kept.status_code == 201
    done = (await anonymous.get(path, headers=HTML)).text
    assert ('data-state="completed"' in done, 'id="promise"' in done) == (True, False)
    assert (done.count("There is a proof of it"), "SECRET" in done) == (1, False)
    assert done.index("3 × &lt;b&gt;Hose") < done.index("2 × Pump, 7 bar")
    assert (await read(client, delivery))["version"] > 1


async def test_a_failed_attempt_is_shown_with_the_next_try_and_without_our_own_notes(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, anonymous: httpx.AsyncClient
) -> None:
    delivery = await planned(deliver, client)
    path = await path_of(desk, delivery)
    body = {"code": "absent", "note": "SECRET dog", "next_attempt_on": "2026-01-07"}
    assert (await post(client, delivery, "attempts", body)).is_success
    page = (await anonymous.get(path, headers=HTML)).text
    assert ("Nobody was there. Next try: 2026-01-07" in page, "SECRET" in page) == (True, False)
    assert "送达时无人接收。 下次尝试: 2026-01-07" in (await anonymous.get(f"{path}?lang=zh", headers=HTML)).text
    await post(client, delivery, "handovers", {})
    assert "Next try" not in (await anonymous.get(path, headers=HTML)).text


async def test_looking_changes_nothing_and_headers_are_strict(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, anonymous: httpx.AsyncClient
) -> None:
    delivery = await planned(deliver, client)
    path = await path_of(desk, delivery)
    reply = await anonymous.get(path, headers=HTML)
    assert (reply.headers["cache-control"], "default-src 'none'" in reply.headers["content-security-policy"]) == (
        "no-store",
        True,
    )
    assert (await read(client, delivery))["version"] == delivery["version"]


async def test_a_question_becomes_one_ticket_about_the_order(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, anonymous: httpx.AsyncClient
) -> None:
    delivery = await planned(deliver, client, country="CN")
    path = await path_of(desk, delivery)
    assert (await anonymous.post(path, data={"text": "  "})).status_code == 400
    replies = await asyncio.gather(*(anonymous.post(path, data={"text": "Can it come on Monday?"}) for _ in range(3)))
    assert {reply.status_code for reply in replies} == {303}
    [ticket] = (await desk.call("GET", "/v1/tickets"))["items"]
    assert (ticket["order_id"], ticket["requester_email"], ticket["channel"]) == (delivery["order_id"], EVA, "portal")
    assert (ticket["subject"], ticket["language"]) == ("订单 O-2026-000001", "zh")
    page = await anonymous.get(f"/t/{replies[0].headers['location']}", headers=HTML)
    assert (page.status_code, "Can it come on Monday?" in page.text) == (200, True)


async def test_a_link_that_got_around_opens_no_flood_of_tickets(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, app: FastAPI
) -> None:
    delivery = await planned(deliver, client)
    path = await path_of(desk, delivery)
    statuses = []
    for number in range(7):
        # Each from an address of its own, as fast as they like.
        transport = httpx.ASGITransport(app, client=(f"10.0.0.{number}", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://service", headers=HTML) as stranger:
            statuses.append((await stranger.post(path, data={"text": f"question {number}"})).status_code)
            again = await stranger.post(path, data={"text": "question 0"})
            assert again.status_code == 303
    assert statuses == [303] * 5 + [409] * 2
    assert len((await desk.call("GET", "/v1/tickets"))["items"]) == 5


async def test_a_link_that_is_made_up_old_or_of_another_purpose_opens_nothing(
    deliver: Deliver, client: httpx.AsyncClient, desk: Desk, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    path = await path_of(desk, await planned(deliver, client))
    ticket = await desk.open()
    portal = urlsplit((await desk.call("POST", f"/v1/tickets/{ticket['id']}/link"))["url"]).path
    for wrong in (f"{path[:-3]}abc", "/t/x", f"/t/{'x' * 3000}", portal.replace("/s/", "/t/"), path.replace("/t/", "/s/")):
        assert (await anonymous.get(wrong, headers=HTML)).status_code == 404, wrong
    clock.advance(days=180)
    assert (await anonymous.get(path, headers=HTML)).status_code == 410
    assert (await anonymous.post(path, data={"text": "x"})).status_code == 410


@contextlib.asynccontextmanager
async def browsing(locale: str, width: int) -> AsyncIterator[Page]:
    """A page without scripts; at the end nothing may have been complained of."""
    problems: list[str] = []
    async with chromium() as browser:
        context = await browser.new_context(locale=locale, viewport={"width": width, "height": 800}, java_script_enabled=False)
        page = await context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        yield page
    assert [each for each in problems if "Failed to load resource" not in each] == []


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize(
    ("locale", "country", "words"),
    [
        (
            "en-GB",
            "DE",
            ("Your order O-2026-000001", "on its way", "Promised for 2026-01-20", "2 / 3 delivered", "Order O-2026-000001"),
        ),
        ("zh-CN", "CN", ("您的订单 O-2026-000001", "进行中", "承诺交付日期 2026-01-20", "2 / 3 已交付", "订单 O-2026-000001")),
    ],
)
async def test_it_is_followed_and_asked_about_in_a_browser(
    deliver: Deliver,
    client: httpx.AsyncClient,
    desk: Desk,
    clock: FixedClock,
    address: str,
    locale: str,
    country: str,
    words: tuple[str, ...],
    width: int,
) -> None:
    title, state, promise, held, subject = words
    delivery = await planned(deliver, client, country=country)
    path = await path_of(desk, delivery)
    await post(client, delivery, "promise", {"promised_on": "2026-01-20"})
    await post(client, delivery, "handovers", {"lines": [{"line_id": delivery["lines"][0]["line_id"], "quantity": "2"}]})
    async with browsing(locale, width) as page:
        await page.goto(f"{address}{path}")
        assert await page.inner_text("h1") == title
        assert state in await page.inner_text("#state")
        assert promise in await page.inner_text("#promise")
        assert held in await page.inner_text("#lines li:first-child")
        assert "<b>Hose</b>" in await page.inner_text("#lines")
        for selector in ("main", "#lines", "#handovers", "#ask"):
            box = await page.locator(selector).bounding_box()
            assert box is not None
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        await page.click("#send")
        await page.wait_for_selector("#missing")
        await page.fill("#text", "Can it come on Monday? 周一可以吗？")
        await page.click("#send")
        await page.wait_for_selector("#thread")
        assert subject in await page.inner_text("h1")
        assert "周一可以吗？" in await page.inner_text("#thread")
        await page.goto(f"{address}{path}")
        await page.click("#other")
        assert await page.locator("html").get_attribute("lang") == ("en" if locale == "zh-CN" else "zh")
        clock.advance(days=180)
        expired = await page.goto(f"{address}{path}")
        assert expired is not None
        assert expired.status == 410
