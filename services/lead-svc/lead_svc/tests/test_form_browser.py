"""Hosted forms (L1) in a real browser: as a person fills one in, in both languages, without any script of ours."""

import asyncio
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing_browser import CHROMIUM, chromium
from playwright.async_api import async_playwright

from lead_svc.tests.forms import PLAN, published

# The page around the frame comes from the test itself, which a browser takes for a place in the internet.
LOCAL = ["--disable-features=LocalNetworkAccessChecks"]
PEOPLE: dict[str, Any] = {
    "en-GB": {
        "title": "Talk to our engineers",
        "values": {"name": "Anna Rossi", "email": "anna@rossi", "company": "Rossi SpA", "message": "We need two pumps by May."},
        "country": "Italy",
        "problems": ["an e-mail address like", "tick this box"],
        "mended": "anna@rossi.example",
        "thanks": ("Thank you", "An engineer will write to you."),
    },
    "zh-CN": {
        "title": "联系我们的工程师",
        "values": {"name": "张伟", "email": "zhangwei", "company": "深圳设备有限公司", "message": "五月前需要两台水泵。"},
        "country": "中国",
        "problems": ["请输入有效的电子邮箱", "请勾选此项"],
        "mended": "zhangwei@shebei.example",
        "thanks": ("感谢您", "工程师将与您联系。"),
    },
}


@pytest.fixture
async def address(app: FastAPI) -> AsyncIterator[str]:
    """The app on a port of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning", timeout_graceful_shutdown=2))
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.02)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
@pytest.mark.parametrize("locale", PEOPLE)
async def test_a_form_is_filled_in_mended_and_sent_in_a_browser(
    address: str, client: httpx.AsyncClient, clock: FixedClock, locale: str, tmp_path: Path
) -> None:
    person = PEOPLE[locale]
    await published(client, default_country="CN" if locale == "zh-CN" else None)
    async with chromium() as browser:
        context = await browser.new_context(locale=locale, viewport={"width": 390, "height": 800}, java_script_enabled=False)
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        await page.goto(f"{address}/f/contact?utm_source=news")
        assert await page.title() == person["title"]
        assert await page.locator("html").get_attribute("lang") == locale[:2]
        await page.screenshot(path=tmp_path / "empty.png", full_page=True)
        # Nobody meets the field for machines: not by looking, not by the keyboard, not by a screen reader.
        honey = await page.locator("input[name=confirm_note]").bounding_box()
        assert honey is not None
        assert honey["x"] < 0
        assert await page.get_by_role("textbox").count() == len(PLAN["fields"]) - 3
        for name, value in person["values"].items():
            await page.fill(f"[name={name}]", value)
        await page.select_option("[name=country]", label=person["country"])
        await page.select_option("[name=company_size]", index=2)
        await page.check("[name='consent.news']")
        clock.advance(minutes=1)
        await page.click("#send")

        assert (await page.locator("#notice").get_attribute("role")) == "alert"
        summary = await page.inner_text("#notice")
        for words in person["problems"]:
            assert words in summary
        assert await page.locator("[aria-invalid=true]").count() == 2
        assert person["problems"][0] in await page.inner_text("#f1-problem")
        assert await page.input_value("[name=message]") == person["values"]["message"]
        assert await page.is_checked("[name='consent.news']")
        assert (await page.locator("#f4 option:checked").inner_text()) == person["country"]
        await page.screenshot(path=tmp_path / "errors.png", full_page=True)
        # The summary leads to the field.
        await page.click("#notice a >> nth=0")
        assert page.url.endswith("#f1")

        await page.fill("[name=email]", person["mended"])
        await page.check("[name='consent.notice']")
        await page.keyboard.press("Tab")
        await page.click("#send")
        await page.wait_for_selector("#state[data-state=thanks]")
        assert await page.inner_text("#state") == person["thanks"][0]
        assert person["thanks"][1] in await page.inner_text("main")
        await page.screenshot(path=tmp_path / "thanks.png", full_page=True)
        await page.goto("about:blank")
    # The browser notes the 400 of the page with the problems; nothing else may be complained of.
    assert [each for each in complaints if "status of 400" not in each] == []
    [lead] = (await client.get("/v1/leads")).json()["items"]
    assert (lead["contact"]["name"], lead["contact"]["email"]) == (person["values"]["name"], person["mended"])
    assert lead["country"] == ("CN" if locale == "zh-CN" else "IT")
    said = (await client.get(f"/v1/leads/{lead['id']}/consents")).json()
    assert {each["evidence"]["language"] for each in said} == {locale[:2]}
    assert {each["purpose"] for each in said} == {"privacy", "marketing"}


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
async def test_a_form_stands_in_a_frame_of_its_own_origins_and_of_no_other(
    address: str, client: httpx.AsyncClient, clock: FixedClock
) -> None:
    ours, others = address.replace("127.0.0.1", "localhost"), "http://127.0.0.1:1"
    await published(client, origins=[ours])
    await published(client, "strange", origins=[others])
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", *LOCAL])
        page = await browser.new_page(locale="en-GB")
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        await page.route(
            f"{ours}/shop",
            lambda route: route.fulfill(
                content_type="text/html",
                body=f'<iframe id="a" src="{address}/f/contact"></iframe><iframe id="b" src="{address}/f/strange"></iframe>',
            ),
        )
        await page.goto(f"{ours}/shop")
        frame = page.frame_locator("#a")
        for name in ("name", "email", "company"):
            await frame.locator(f"[name={name}]").fill("anna@rossi.example")
        await frame.locator("[name=country]").select_option("IT")
        await frame.locator("[name='consent.notice']").check()
        clock.advance(minutes=1)
        await frame.locator("#send").click()
        await frame.locator("#state[data-state=thanks]").wait_for()
        assert [each for each in complaints if "frame-ancestors http://127.0.0.1:1" in each]
        assert await page.frame_locator("#b").locator("#form").count() == 0
        await page.goto("about:blank")
        await browser.close()
    assert len((await client.get("/v1/leads")).json()["items"]) == 1
