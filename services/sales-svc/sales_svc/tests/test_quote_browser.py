"""The page of an offer in a real browser, as wide as a telephone and as a desk."""

import hashlib

import httpx
import pytest

from sales_svc.tests.browser import browsing, in_a_browser
from sales_svc.tests.deals import ok
from sales_svc.tests.test_quote_links import ANNA, linked, sent
from sales_svc.tests.test_quote_pages import answer_of

WORDS = {
    "en-GB": ("Quote", "Thank you, Anna Rossi.", "You declined this quote", "Thank you for your question"),
    "zh-CN": ("报价单", "感谢您，张伟", "您已拒绝本报价", "感谢您的提问"),
}


@in_a_browser
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_it_is_asked_about_and_accepted_in_a_browser(
    address: str, client: httpx.AsyncClient, locale: str, width: int
) -> None:
    title, thanks, _, heard = WORDS[locale]
    customer = {"name": "深圳设备", "country": "CN"} if locale == "zh-CN" else {"name": "Rossi", "country": "IT"}
    quote = await sent(client, customer=customer, language=locale[:2])
    _, path = await linked(client, quote, **ANNA)
    async with browsing(locale, width=width) as page:
        await page.goto(f"{address}{path}")
        assert title in await page.title()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        pdf = await page.context.request.get(await page.evaluate("document.getElementById('pdf').href"))
        sha256 = hashlib.sha256(await pdf.body()).hexdigest()
        assert await page.inner_text("#digest") == sha256
        await page.click("#ask summary")
        await page.fill("#ask textarea", "Is it blue? / 是蓝色的吗？")
        await page.click("#ask button")
        assert heard in await page.inner_text("#done")
        # The browser itself does not let the form go without name, role and the tick.
        await page.click("#accept button")
        assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "sent"
        await page.fill("#accept input[name=name]", "张伟" if locale == "zh-CN" else "Anna Rossi")
        await page.fill("#accept input[name=role]", "CEO")
        await page.check("#accept input[name=consent]")
        await page.dblclick("#accept button")
        await page.wait_for_selector("#state[data-state=accepted]")
        assert thanks in await page.inner_text("#state")
        await page.go_back()
        await page.wait_for_selector("#state[data-state=accepted]")
        assert await page.query_selector("#accept") is None
    answer = await answer_of(client, quote)
    assert (answer["answer"], answer["pdf_sha256"]) == ("accepted", sha256)
    assert answer["consent"].startswith("本人有权代表深圳设备" if locale == "zh-CN" else "I may bind Rossi")


@in_a_browser
@pytest.mark.parametrize("locale", ["en-GB", "zh-CN"])
async def test_it_is_declined_in_a_browser(address: str, client: httpx.AsyncClient, locale: str) -> None:
    quote = await sent(client)
    _, path = await linked(client, quote)
    async with browsing(locale) as page:
        await page.goto(f"{address}{path}")
        assert not await page.is_visible("#decline textarea")
        await page.click("#decline summary")
        await page.click("#decline button")
        assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "sent"
        await page.fill("#decline textarea", "太贵了 / too dear")
        await page.click("#decline button")
        await page.wait_for_selector("#state[data-state=rejected]")
        assert WORDS[locale][2] in await page.inner_text("#state")
    assert (await answer_of(client, quote))["reason"] == "太贵了 / too dear"
