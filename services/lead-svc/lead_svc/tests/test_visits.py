"""Visitor tracking (L3): consent, Do Not Track, where a visit came from, touches stitched to the lead at capture."""

import asyncio
import http.server
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Emitted
from ltc_chassis.testing_browser import CHROMIUM, chromium
from ltc_chassis.timers import Timer

from lead_svc.domain import visit as rules
from lead_svc.domain.visit import Site
from lead_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Json = dict[str, Any]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SITE = Site("shop", "Shop", ["www.shop.example"], True, 1, "anna", NOW, "anna", NOW)
BROWSER = {
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    "content-type": "text/plain",
    "origin": "https://www.shop.example",
}
PAGE = "https://www.shop.example"
AD = f"{PAGE}/pumps?utm_source=google&utm_medium=cpc&utm_campaign=spring&utm_term=pump&gclid=Cj0KCQ"


@pytest.fixture
async def site(client: httpx.AsyncClient) -> None:
    made = await client.post("/v1/sites", json={"key": "shop", "name": "Shop", "hosts": ["WWW.shop.example"]})
    assert made.status_code == 201, made.text
    for prefix, activity in (("/pricing", "pricing_page"), ("/", "web_visit")):
        rule = await client.post("/v1/sites/shop/page-rules", json={"path_prefix": prefix, "activity": activity})
        assert rule.status_code == 201, rule.text


async def see(anonymous: httpx.AsyncClient, url: str = f"{PAGE}/", **more: Any) -> httpx.Response:
    headers = {**BROWSER, **more.pop("headers", {})}
    told = {"site": "shop", "url": url, **{name: str(value) for name, value in more.items()}}
    return await anonymous.post("/t", content=json.dumps(told), headers=headers)


async def capture(client: httpx.AsyncClient, **more: Any) -> Json:
    reply = await client.post("/v1/leads", json={"channel": "web", "source": "website", **more})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


@pytest.mark.parametrize(
    ("url", "referrer", "channel", "source", "campaign"),
    [
        (AD, "https://www.google.com/", "search_ads", "google", "spring"),
        (f"{PAGE}/", "https://www.google.co.uk/search?q=secret", "organic_search", "google", None),
        (f"{PAGE}/", "https://www.baidu.com/link", "organic_search", "baidu", None),
        (f"{PAGE}/", "https://lnkd.in/x", "social", "lnkd.in", None),
        (f"{PAGE}/?fbclid=IwAR", "", "social", "fbclid", None),
        (f"{PAGE}/?bd_vid=123", "", "search_ads", "bd_vid", None),
        (f"{PAGE}/?utm_source=news&utm_medium=email&utm_campaign=may", "", "email", "news", "may"),
        (f"{PAGE}/", "https://blog.partner.example/post", "referral", "blog.partner.example", None),
        (f"{PAGE}/", f"{PAGE}/before", "direct", "direct", None),
        (f"{PAGE}/", "javascript:alert(1)", "direct", "direct", None),
        (f"{PAGE}/?utm_source=a%00b%0d%0ac", "", "direct", "abc", None),
    ],
)
def test_where_a_visit_came_from(url: str, referrer: str, channel: str, source: str, campaign: str | None) -> None:
    touch = rules.touch_of(url, referrer, SITE, NOW)
    assert (touch.channel, touch.source, touch.campaign) == (channel, source, campaign)
    assert "secret" not in (touch.referrer or "")


def test_a_touch_begins_after_silence_or_by_another_way_and_never_by_a_page_of_ours() -> None:
    ad = rules.touch_of(AD, "", SITE, NOW)
    soon = rules.touch_of(f"{PAGE}/pricing", AD, SITE, NOW + timedelta(minutes=5))
    assert rules.is_new(ad, None, None)
    assert not rules.is_new(soon, ad, NOW)
    assert rules.is_new(soon, ad, NOW - timedelta(minutes=26))
    mail = rules.touch_of(f"{PAGE}/?utm_medium=email&utm_source=n", "", SITE, NOW + timedelta(minutes=1))
    assert rules.is_new(mail, ad, NOW)
    assert not rules.is_new(rules.touch_of(AD, "", SITE, NOW + timedelta(minutes=1)), ad, NOW)


def test_only_known_click_ids_are_kept_and_many_touches_are_told_as_the_first_and_the_latest() -> None:
    assert rules.allowed_clicks({"gclid": "a\x00b", "evil": "x", "fbclid": " "}) == {"gclid": "ab"}
    touches = [rules.touch_of(f"{PAGE}/{n}", "", SITE, NOW + timedelta(hours=n)) for n in range(150)]
    told = rules.told(touches)
    assert (len(told), told[0].page, told[1].page, told[-1].page) == (100, "/0", "/51", "/149")


@pytest.mark.usefixtures("site")
async def test_touches_before_capture_are_the_leads_and_later_ones_are_told(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    visitor = new_id()
    await see(anonymous, AD, visitor=visitor)
    clock.advance(minutes=2)
    await see(anonymous, f"{PAGE}/pricing", visitor=visitor)
    clock.advance(days=3)
    await see(anonymous, f"{PAGE}/?utm_source=news&utm_medium=email", visitor=visitor)
    lead = await capture(client, visitor_id=str(visitor))
    touches = (await client.get(f"/v1/leads/{lead['id']}/touches")).json()
    assert [touch["channel"] for touch in touches["items"]] == ["search_ads", "email"]
    assert (touches["first"]["click_ids"], touches["last"]["source"]) == ({"gclid": "Cj0KCQ"}, "news")
    captured, *others = await emitted()
    assert [touch.campaign for touch in captured.event.touches] == ["spring", None]
    # The pricing page, seen three days ago, counts with its age: 5 x 2^-(3/14) = 4.31.
    explained = (await client.get(f"/v1/leads/{lead['id']}/score")).json()["items"]
    assert [(item["what"], item["counted"]) for item in explained if item["part"] == "engagement"] == [("pricing_page", "4.31")]
    assert [each.topic for each in others] == ["lead.engaged", "lead.engaged", "lead.engaged", "lead.scored"]

    clock.advance(days=1)
    await see(anonymous, f"{PAGE}/pricing/all", referrer="https://duckduckgo.com/", visitor=visitor)
    await see(anonymous, f"{PAGE}/pricing", visitor=visitor)
    later = (await emitted())[len(others) + 1 :]
    assert [each.topic for each in later] == ["lead.touched", "lead.engaged", "lead.scored"]
    assert (later[0].event.touch.channel, later[1].event.activity) == ("organic_search", "pricing_page")
    assert {each.flow_id for each in later} == {captured.flow_id}
    seen = (await client.get(f"/v1/leads/{lead['id']}/visits")).json()["items"]
    assert [view["path"] for view in seen] == ["/pumps", "/pricing", "/", "/pricing/all", "/pricing"]
    [row] = (await client.get("/v1/visit-report", params={**window(), "by": "source"})).json()[:1]
    assert (row["views"], row["visitors"], row["leads"]) == (2, 1, 1)


def window() -> Json:
    return {"start": "2026-01-01T00:00:00Z", "end": "2026-02-01T00:00:00Z"}


@pytest.mark.usefixtures("site")
async def test_without_consent_a_page_is_counted_and_nobody_recognised(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Database
) -> None:
    assert (await see(anonymous)).status_code == 204
    assert (await see(anonymous, kind="form")).headers["access-control-allow-origin"] == "https://www.shop.example"
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM visitor") == await conn.fetchval("SELECT count(*) FROM touch") == 0
    [row] = (await client.get("/v1/visit-report", params=window())).json()
    assert (row["key"], row["views"], row["form_views"], row["visitors"]) == ("direct", 2, 1, 0)


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize("header", [{"dnt": "1"}, {"sec-gpc": "1"}, {"user-agent": "Googlebot/2.1"}, {"user-agent": ""}])
async def test_who_does_not_want_to_be_tracked_and_robots_leave_nothing(
    anonymous: httpx.AsyncClient, db: Database, header: dict[str, str]
) -> None:
    assert (await see(anonymous, visitor=new_id(), headers=header)).status_code == 204
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT (SELECT count(*) FROM page_view) + (SELECT count(*) FROM visitor)") == 0


@pytest.mark.usefixtures("site")
async def test_a_withdrawn_consent_forgets_the_browser_and_leaves_the_lead_its_touches(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Database
) -> None:
    stranger, known = new_id(), new_id()
    for visitor in (stranger, known):
        await see(anonymous, AD, visitor=visitor)
    lead = await capture(client, visitor_id=str(known))
    for visitor in (stranger, known, known):
        assert (await see(anonymous, visitor=visitor, forget="true", headers={"dnt": "1"})).status_code == 204
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM visitor") == 0
        assert await conn.fetchval("SELECT count(*) FROM page_view WHERE visitor_id IS NOT NULL") == 0
        assert await conn.fetchval("SELECT count(*) FROM touch") == 1
    assert len((await client.get(f"/v1/leads/{lead['id']}/touches")).json()["items"]) == 1


@pytest.mark.usefixtures("site")
@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        (b"{", 400, "body"),
        (b"[1]", 400, "body"),
        (b"\xff\xfe", 400, "body"),
        (b'{"site": "shop", "url": "' + b"x" * 9000 + b'"}', 400, "body"),
        (b'{"site": "none", "url": "https://www.shop.example/"}', 404, "site"),
        (b'{"site": "shop", "url": "https://elsewhere.example/"}', 404, "url"),
        (b'{"site": "shop", "url": "file:///etc/passwd"}', 400, "url"),
        (b'{"site": "shop", "url": "https://[bad/"}', 400, "url"),
        (b'{"site": "shop", "url": "https://www.shop.example/", "visitor": "me"}', 400, "visitor"),
        (b'{"site": "shop", "url": "https://www.shop.example/", "kind": "party"}', 400, "kind"),
    ],
)
async def test_what_a_browser_may_not_tell(anonymous: httpx.AsyncClient, body: bytes, status: int, field: str) -> None:
    reply = await anonymous.post("/t", content=body, headers=BROWSER)
    assert (reply.status_code, reply.json()["field"]) == (status, field)
    assert "access-control-allow-origin" not in reply.headers


@pytest.mark.usefixtures("site")
async def test_pages_at_once_of_one_visitor_are_one_touch(anonymous: httpx.AsyncClient, db: Database) -> None:
    visitor = new_id()
    replies = await asyncio.gather(*(see(anonymous, AD, visitor=visitor) for _ in range(8)))
    assert {reply.status_code for reply in replies} == {204}
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM touch") == 1
        assert await conn.fetchval("SELECT count(*) FROM page_view") == 8


@pytest.mark.usefixtures("site")
async def test_a_second_lead_of_a_browser_begins_with_its_latest_touch(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    visitor = new_id()
    await see(anonymous, AD, visitor=visitor)
    leads = [await capture(client, visitor_id=str(visitor)) for _ in range(2)]
    for lead in leads:
        touches = (await client.get(f"/v1/leads/{lead['id']}/touches")).json()["items"]
        assert [touch["campaign"] for touch in touches] == ["spring"]


async def test_callers_may_bring_touches_of_their_own(client: httpx.AsyncClient, emitted: Emissions) -> None:
    touch = {
        "occurred_at": "2025-12-24T00:00:00Z",
        "channel": "event",
        "source": "Fair\u0000",
        "click_ids": {"gclid": "x", "other": "y"},
    }
    lead = await capture(client, touches=[touch])
    [kept] = (await client.get(f"/v1/leads/{lead['id']}/touches")).json()["items"]
    assert (kept["source"], kept["click_ids"]) == ("Fair", {"gclid": "x"})
    assert (await emitted())[0].event.touches[0].channel == "event"
    future = await client.post(
        "/v1/leads", json={"channel": "w", "source": "x", "touches": [{"occurred_at": "2027-01-01T00:00:00Z"}]}
    )
    assert (future.status_code, future.json()["field"]) == (400, "touches")


@pytest.mark.usefixtures("site")
async def test_strangers_are_forgotten_after_their_time_and_leads_are_not(
    client: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    clock: FixedClock,
    db: Database,
    run_timer: Callable[[Timer], Awaitable[int]],
) -> None:
    known = new_id()
    for visitor in (new_id(), known):
        await see(anonymous, AD, visitor=visitor)
    await capture(client, visitor_id=str(known))
    forget = next(timer for timer in TIMERS if timer.name == "forget-visits")
    clock.advance(days=394)
    assert await run_timer(forget) == 0
    clock.advance(days=2)
    assert await run_timer(forget) == 3
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM visitor") == await conn.fetchval("SELECT count(*) FROM touch") == 1


@pytest.mark.usefixtures("site")
async def test_sites_and_rules_are_changed_by_version_and_retired(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    assert (await client.post("/v1/sites", json={"key": "shop", "name": "S", "hosts": ["a.example"]})).status_code == 409
    assert (await client.post("/v1/sites", json={"key": "two", "name": "S", "hosts": ["https://a"]})).json()["field"] == "hosts"
    assert (await client.patch("/v1/sites/shop", json={"version": 7, "name": "S"})).json()[
        "type"
    ] == "urn:ltc:problem:site-changed"
    off = (await client.patch("/v1/sites/shop", json={"version": 1, "active": False})).json()
    assert (off["active"], off["hosts"], off["version"]) == (False, ["www.shop.example"], 2)
    assert (await see(anonymous)).status_code == 404
    assert [site["key"] for site in (await client.get("/v1/sites")).json()] == ["shop"]
    first, *_ = (await client.get("/v1/sites/shop/page-rules")).json()
    twice = await client.post("/v1/sites/shop/page-rules", json={"path_prefix": first["path_prefix"], "activity": "x"})
    assert (twice.status_code, twice.json()["type"]) == (409, "urn:ltc:problem:rule-exists")
    path = f"/v1/sites/shop/page-rules/{first['id']}/retire"
    assert [(await client.post(path)).status_code for _ in range(2)] == [204, 404]
    assert len((await client.get("/v1/sites/shop/page-rules")).json()) == 1


@pytest.fixture
def shop(tmp_path: Path, address: str) -> Iterator[str]:
    """Somebody's web site, on another origin than the service."""
    (tmp_path / "pricing.html").write_text(
        f'<!doctype html><title>Prices</title><script src="{address}/t.js" data-site="local" defer></script>'
        '<form data-ltc><input name="visitor_id" type="hidden"></form>'
    )

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(tmp_path))

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://localhost:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
async def test_in_a_browser_a_cookie_comes_with_consent_only_and_goes_with_it(
    client: httpx.AsyncClient, shop: str, db: Database
) -> None:
    await client.post("/v1/sites", json={"key": "local", "name": "Local", "hosts": ["localhost"]})

    async def counted(sql: str) -> int:
        async with db.connection() as conn:
            return int(await conn.fetchval(sql))

    async def until(sql: str, wanted: int) -> None:
        async with asyncio.timeout(10):
            while await counted(sql) != wanted:
                await asyncio.sleep(0.05)

    async with chromium() as browser:
        agent = BROWSER["user-agent"]
        context = await browser.new_context(user_agent=agent)
        page = await context.new_page()
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.goto(f"{shop}/pricing.html?utm_source=news&utm_medium=email")
        await until("SELECT count(*) FROM page_view WHERE kind = 'form' AND visitor_id IS NULL", 1)
        assert await context.cookies() == []
        await page.evaluate("ltc.consent(true)")
        await until("SELECT count(*) FROM touch WHERE channel = 'email'", 1)
        [cookie] = await context.cookies()
        assert (cookie["name"], cookie["sameSite"]) == ("ltc_vid", "Lax")
        assert await page.evaluate("ltc.visitor()") == cookie["value"]
        await page.evaluate("ltc.consent(false)")
        await until("SELECT count(*) FROM visitor", 0)
        assert await context.cookies() == []
        await context.close()

        wary = await browser.new_context(user_agent=agent)
        await wary.add_init_script("Object.defineProperty(navigator, 'doNotTrack', {get: () => '1'})")
        page = await wary.new_page()
        before = await counted("SELECT count(*) FROM page_view")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await page.goto(f"{shop}/pricing.html")
        await page.evaluate("ltc.consent(true)")
        await page.wait_for_timeout(300)
        assert not [url for url in asked if url.endswith("/t")]
        assert await wary.cookies() == []
        assert await counted("SELECT count(*) FROM page_view") == before
        await page.goto("about:blank")
    assert problems == []
