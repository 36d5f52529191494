"""Hosted forms (L1): what strangers send becomes a lead, once, with proof of what they agreed to."""

import asyncio
from collections.abc import Awaitable, Callable
from html import unescape
from urllib.parse import quote, urljoin

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Emitted

from lead_svc.tests.forms import ANNA, HTML, NEWS, NOTICE, PLAN, hidden, leads_of, opened, published, sent, stats_of

SWITCHBOARD = {"email": "ugo@rossi.example", "phone": "+39 06 69812345"}
Emissions = Callable[[], Awaitable[list[Emitted]]]


async def test_a_form_that_is_filled_in_becomes_a_lead_with_score_touch_and_thanks(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    await published(client)
    page = await opened(anonymous, query="?utm_source=google&utm_medium=cpc&utm_campaign=spring&gclid=Cj0&evil=1")
    assert page["utm_campaign"] == "spring"
    assert "evil" not in page
    clock.advance(seconds=20)
    answers = {**page, **ANNA, "phone": "06 698 12345", "company_size": "50", "message": "Two pumps.\r\nSoon."}
    done = await sent(anonymous, answers)
    assert done.status_code == 303, done.text
    thanks = await anonymous.get(urljoin("/f/contact", done.headers["location"]), headers=HTML)
    assert (thanks.status_code, "An engineer will write to you." in thanks.text) == (200, True)

    [lead] = await leads_of(client)
    assert lead["contact"] == {"name": "Anna Rossi", "email": "anna@rossi.example", "phone": "+390669812345"}
    assert (lead["captured_via"], lead["channel"], lead["source"], lead["campaign"]) == ("form", "web", "contact form", "spring")
    assert (lead["company_size"], lead["country"], lead["industry"]) == (50, "IT", "machinery")
    assert lead["attributes"] == {"form": "contact", "message": "Two pumps.\nSoon."}
    explained = (await client.get(f"/v1/leads/{lead['id']}/score")).json()["items"]
    assert [(item["what"], item["counted"]) for item in explained if item["part"] == "engagement"] == [("form", "10.00")]
    [touch] = (await client.get(f"/v1/leads/{lead['id']}/touches")).json()["items"]
    assert (touch["channel"], touch["campaign"], touch["click_ids"], touch["page"]) == (
        *("search_ads", "spring"),
        *({"gclid": "Cj0"}, "/f/contact"),
    )
    topics = [each.topic for each in await emitted()]
    assert topics[:3] == ["lead.captured", "lead.engaged", "lead.scored"]
    [submission] = (await client.get("/v1/forms/contact/submissions")).json()["items"]
    assert (submission["lead_id"], submission["version"], submission["outcome"]) == (lead["id"], 1, "captured")
    stats = await stats_of(client)
    assert (stats["views"], stats["submissions"], stats["conversion"]) == (1, 1, "100.00")


async def test_the_proof_of_consent_is_the_wording_of_the_version_that_was_shown(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    form = await published(client)
    page = await anonymous.get("/f/contact?lang=zh", headers=HTML)
    assert NEWS["zh"] in unescape(page.text)
    other = {**PLAN, "consents": [{**each, "wording": {"en": "Other", "zh": "其他"}} for each in PLAN["consents"]]}
    changed = (await client.patch("/v1/forms/contact", json={"version": form["version"], "draft": other})).json()
    assert (await client.post("/v1/forms/contact/publish", json={"version": changed["version"]})).json()["published"] == 2
    clock.advance(minutes=1)
    answers = {**hidden(page.text), **ANNA, "consent.news": "yes"}
    assert (await sent(anonymous, answers)).status_code == 303
    [lead] = await leads_of(client)
    said = (await client.get(f"/v1/leads/{lead['id']}/consents")).json()
    assert {each["purpose"]: each["wording"] for each in said} == {"privacy": NOTICE["zh"], "marketing": NEWS["zh"]}
    assert {each["wording_version"] for each in said} == {"contact/1"}
    assert {each["said_at"] for each in said} == {"2026-01-01T00:01:00Z"}
    evidence = next(each["evidence"] for each in said if each["purpose"] == "marketing")
    assert (evidence["form"], evidence["version"], evidence["consent"], evidence["language"]) == ("contact", "1", "news", "zh")
    assert (evidence["address"], evidence["user_agent"]) == ("127.0.0.0/24", HTML["User-Agent"])
    shown = (await client.get("/v1/forms/contact/versions/1")).json()
    assert shown["body"]["consents"][1]["wording"]["zh"] == NEWS["zh"]
    [submission] = (await client.get("/v1/forms/contact/submissions")).json()["items"]
    assert (submission["version"], submission["language"], submission["id"]) == (1, "zh", evidence["submission"])


async def test_a_box_that_nobody_ticked_agrees_to_nothing_and_none_is_ticked_beforehand(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client)
    page = await anonymous.get("/f/contact", headers=HTML)
    assert " checked" not in page.text
    clock.advance(minutes=1)
    refused = await sent(anonymous, {**hidden(page.text), **ANNA, "consent.notice": ""})
    assert (refused.status_code, "Please tick this box" in refused.text) == (400, True)
    assert (await sent(anonymous, {**hidden(page.text), **ANNA})).status_code == 303
    [lead] = await leads_of(client)
    assert [each["purpose"] for each in (await client.get(f"/v1/leads/{lead['id']}/consents")).json()] == ["privacy"]


async def test_the_same_page_sent_twice_at_once_or_again_is_one_lead_and_the_same_thanks(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, emitted: Emissions
) -> None:
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    replies = await asyncio.gather(*(sent(anonymous, {**page, **ANNA}) for _ in range(6)))
    clock.advance(minutes=1)
    replies.append(await sent(anonymous, {**page, **ANNA, "name": "Somebody else"}))
    assert {(reply.status_code, reply.headers.get("location")) for reply in replies} == {(303, "contact/thanks?lang=en&v=1")}
    [lead] = await leads_of(client)
    assert lead["contact"]["name"] == "Anna Rossi"
    assert [each.topic for each in await emitted()].count("lead.captured") == 1
    assert (await stats_of(client))["submissions"] == 1


async def test_a_browser_that_agreed_to_be_recognised_is_the_lead_and_the_form_a_page_of_the_site(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await client.post("/v1/sites", json={"key": "shop", "name": "Shop", "hosts": ["www.shop.example"]})
    await published(client, site="shop")
    visitor = str(new_id())
    await opened(anonymous, query="?utm_source=news&utm_medium=email", Cookie=f"ltc_vid={visitor}")
    clock.advance(days=1)
    page = await opened(anonymous, query=f"?visitor_id={visitor}", Referer="https://duckduckgo.com/?q=secret")
    clock.advance(minutes=1)
    assert (await sent(anonymous, {**page, **ANNA})).status_code == 303
    [lead] = await leads_of(client)
    touches = (await client.get(f"/v1/leads/{lead['id']}/touches")).json()["items"]
    assert [touch["channel"] for touch in touches] == ["email", "organic_search"]
    assert "secret" not in str(touches)
    seen = (await client.get(f"/v1/leads/{lead['id']}/visits")).json()["items"]
    assert [(view["kind"], view["path"], view["site"]) for view in seen] == [("form", "/f/contact", "shop")] * 2


async def test_who_does_not_want_to_be_tracked_is_a_lead_without_its_visits(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, db: Database
) -> None:
    await client.post("/v1/sites", json={"key": "shop", "name": "Shop", "hosts": ["www.shop.example"]})
    await published(client, site="shop")
    page = await opened(anonymous, query=f"?visitor_id={new_id()}", DNT="1")
    assert "visitor_id" not in page
    clock.advance(minutes=1)
    assert (await sent(anonymous, {**page, **ANNA, "visitor_id": str(new_id())}, DNT="1")).status_code == 303
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT (SELECT count(*) FROM page_view) + (SELECT count(*) FROM visitor)") == 0
    assert len(await leads_of(client)) == 1
    assert (await anonymous.get("/f/contact", headers={**HTML, "User-Agent": "Googlebot/2.1"})).status_code == 200
    assert (await stats_of(client))["views"] == 1


@pytest.mark.parametrize(
    ("answer", "outcome", "leads"), [("merge", "merged", 1), ("refuse", "known", 1), ("link", "captured", 2)]
)
async def test_a_known_person_takes_the_same_path_as_by_the_api_and_hears_nothing_of_it(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, answer: str, outcome: str, leads: int
) -> None:
    policy = {"version": "p2", "email": answer, "phone": "allow", "domain": "allow", "name": "allow"}
    made = await client.post("/v1/duplicate-policies", json={**policy, "valid_from": "2026-01-01T00:00:01Z"})
    assert made.status_code == 201, made.text
    clock.advance(seconds=2)
    known = await client.post("/v1/leads", json={"channel": "web", "source": "x", "contact": {"email": "anna@rossi.example"}})
    assert known.status_code == 201, known.text
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    done = await sent(anonymous, {**page, **ANNA, "consent.news": "yes"})
    assert (done.status_code, done.headers["location"]) == (303, "contact/thanks?lang=en&v=1")
    [submission] = (await client.get("/v1/forms/contact/submissions")).json()["items"]
    assert (submission["outcome"], submission["lead_id"] == known.json()["id"]) == (outcome, answer != "link")
    assert len(await leads_of(client)) == leads
    said = (await client.get(f"/v1/leads/{submission['lead_id']}/consents")).json()
    assert {each["purpose"] for each in said} == {"privacy", "marketing"}


async def test_one_refused_as_like_another_by_more_than_the_address_agrees_to_nothing_for_the_other(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    policy = {"version": "p2", "email": "refuse", "phone": "refuse", "domain": "allow", "name": "allow"}
    made = await client.post("/v1/duplicate-policies", json={**policy, "valid_from": "2026-01-01T00:00:01Z"})
    assert made.status_code == 201, made.text
    clock.advance(seconds=2)
    known = await client.post("/v1/leads", json={"channel": "web", "source": "x", "contact": SWITCHBOARD})
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    assert (await sent(anonymous, {**page, **ANNA, "phone": SWITCHBOARD["phone"], "consent.news": "yes"})).status_code == 303
    [submission] = (await client.get("/v1/forms/contact/submissions")).json()["items"]
    assert (submission["outcome"], submission["lead_id"]) == ("refused", known.json()["id"])
    assert (await client.get(f"/v1/leads/{known.json()['id']}/consents")).json() == []


async def test_a_form_may_stand_only_in_frames_of_its_origins_and_lead_only_to_its_own_page(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client)
    page = await anonymous.get("/f/contact?next=https://evil.example", headers=HTML)
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert (page.headers["x-frame-options"], page.headers["cache-control"]) == ("DENY", "no-store")
    assert "evil" not in page.text
    target = {"success": None, "redirect_url": "https://www.example.com/thanks?a=1"}
    await published(client, "framed", origins=["https://www.example.com"], **target)
    page = await anonymous.get("/f/framed", headers=HTML)
    policy = page.headers["content-security-policy"]
    assert "frame-ancestors https://www.example.com" in policy
    assert "form-action 'self' https://www.example.com;" in policy
    assert "x-frame-options" not in page.headers
    clock.advance(minutes=1)
    done = await anonymous.post(
        f"/f/framed?redirect_url={quote('https://evil.example')}",
        data={**hidden(page.text), **ANNA, "redirect_url": "https://evil.example"},
        headers=HTML,
    )
    assert (done.status_code, done.headers["location"]) == (303, "https://www.example.com/thanks?a=1")


async def test_the_language_is_what_is_asked_for_or_the_browsers_or_the_forms(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    await published(client)
    zh = {**HTML, "Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}
    assert 'lang="zh"' in (await anonymous.get("/f/contact", headers=zh)).text
    assert "Talk to our engineers" in (await anonymous.get("/f/contact?lang=en", headers=zh)).text
    assert "德国" in (await anonymous.get("/f/contact?lang=zh", headers=HTML)).text
    only = {name: {"en": PLAN[name]["en"]} for name in ("title", "intro", "success")}
    plain = [{"name": "email", "required": True}]
    await published(client, "english", languages=["en"], consents=[], fields=plain, **only)
    assert "Talk to our engineers" in (await anonymous.get("/f/english?lang=zh", headers=zh)).text


async def test_a_form_that_is_hidden_or_retired_says_so_and_takes_nothing(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    form = await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    off = (await client.patch("/v1/forms/contact", json={"version": form["version"], "active": False})).json()
    closed = await anonymous.get("/f/contact", headers=HTML)
    assert (closed.status_code, 'data-state="closed"' in closed.text) == (410, True)
    assert (await sent(anonymous, {**page, **ANNA})).status_code == 410
    on = (await client.patch("/v1/forms/contact", json={"version": off["version"], "active": True})).json()
    assert (await anonymous.get("/f/contact", headers=HTML)).status_code == 200
    await client.post("/v1/forms/contact/retire", json={"version": on["version"]})
    assert (await sent(anonymous, {**page, **ANNA})).status_code == 410
    assert await leads_of(client) == []
