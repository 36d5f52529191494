"""The page, in a real browser."""

import httpx
import pytest
from ltc_chassis.testing import Deliver, KeyPair
from ltc_chassis.testing_browser import CHROMIUM, chromium
from ltc_contracts.examples import all_examples, example

from metrics_svc.consumers import consumers
from metrics_svc.tests.test_facts import changed, record


async def test_without_a_token_the_page_says_how_to_get_one(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    reply = await anonymous.get("/live")
    assert (reply.status_code, "ltc token" in reply.text) == (401, True)
    assert (await anonymous.get("/login", params={"token": "rubbish"})).status_code == 401
    assert (await anonymous.get("/static/live.js")).status_code == 401
    login = await anonymous.get("/login", params={"token": keys.token()})
    assert (login.status_code, login.headers["location"]) == (303, "/live")
    assert "HttpOnly" in login.headers["set-cookie"]
    assert (await anonymous.get("/static/secrets")).status_code == 404


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
async def test_the_page_shows_numbers_and_events_as_they_happen(address: str, keys: KeyPair, deliver: Deliver) -> None:
    samples = [sample for sample in all_examples() if sample.topic != "payment.allocated"]
    await deliver.records(consumers, [record(sample) for sample in samples])
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 390, "height": 800})
        problems: list[str] = []
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(f"{address}/login?token={keys.token()}")
        await page.wait_for_selector("#link.on")
        await page.wait_for_selector("#residual.good")
        assert await page.locator("#funnel canvas").count() == 1
        await page.locator("#events li", has_text="invoice.issued").wait_for()

        await deliver.records(consumers, [record(changed(example("payment.allocated")))])
        await page.locator("#events li", has_text="payment.allocated").wait_for(timeout=5000)
        await page.fill("#q", "INV-2026-000001")
        await page.click("#search button")
        await page.locator("#journey li", has_text="contract.signed").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.goto("about:blank")
    assert problems == []
