"""The page where a customer signs, and in a real browser."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.testing import Emitted
from ltc_chassis.testing_mail import MailServer

from sales_svc.tests.browser import browsing, in_a_browser
from sales_svc.tests.deals import Json, drafted, ok

Emissions = Callable[[], Awaitable[list[Emitted]]]
HTML = {"Accept": "text/html", "User-Agent": "Firefox", "Accept-Language": "en"}


async def sent(client: httpx.AsyncClient, **changed: Any) -> tuple[Json, str]:
    """A sent contract and the path of its page."""
    contract = await drafted(client, **changed)
    await ok(client, "POST", f"/v1/contracts/{contract['id']}/send")
    link = await ok(client, "POST", f"/v1/contracts/{contract['id']}/link", status=201)
    found: Json = await ok(client, "GET", f"/v1/contracts/{contract['id']}")
    return found, urlsplit(link["url"]).path


async def test_a_customer_reads_and_signs_by_the_link(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    contract, path = await sent(client)
    page = await anonymous.get(path, headers=HTML)
    assert (page.status_code, page.headers["cache-control"]) == (200, "no-store")
    assert contract["number"] in page.text
    assert contract["pdf_sha256"] in page.text
    pdf = await anonymous.get(f"{path}/contract.pdf", headers=HTML)
    assert hashlib.sha256(pdf.content).hexdigest() == contract["pdf_sha256"]
    form = {"action": "sign", "shown": contract["pdf_sha256"], "signed_by": "Anna Rossi", "consent": "yes"}
    done = await anonymous.post(path, data=form, headers=HTML)
    assert (done.status_code, urljoin(path, done.headers["location"])) == (303, path)
    after = await anonymous.get(path, headers=HTML)
    assert 'data-state="signed"' in after.text
    assert (await anonymous.get(f"{path}/certificate.pdf", headers=HTML)).content.startswith(b"%PDF")
    again = await anonymous.post(path, data=form, headers=HTML)
    assert again.status_code == 409
    trail = await ok(client, "GET", f"/v1/contracts/{contract['id']}/trail")
    assert [each["happening"] for each in trail] == ["drawn_up", "sent", "link_made", "viewed", "downloaded", "signed", "viewed"]
    signature = trail[5]
    assert (signature["by"], signature["address"], signature["user_agent"]) == ("Anna Rossi", "127.0.0.1", "Firefox")
    assert signature["detail"]["pdf_sha256"] == contract["pdf_sha256"]
    assert [each.topic for each in await emitted()].count("contract.signed") == 1
    assert (await ok(client, "GET", f"/v1/contracts/{contract['id']}/verify"))["intact"]


async def test_without_name_or_consent_the_page_asks_again_and_nothing_is_signed(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    contract, path = await sent(client)
    form = {"action": "sign", "shown": contract["pdf_sha256"], "signed_by": "Anna Rossi"}
    no_consent = await anonymous.post(path, data=form, headers=HTML)
    assert (no_consent.status_code, "Your consent is missing." in no_consent.text) == (400, True)
    assert 'value="Anna Rossi"' in no_consent.text
    for name in ("", "7", "\x00\x01"):
        no_name = await anonymous.post(path, data={**form, "consent": "yes", "signed_by": name}, headers=HTML)
        assert no_name.status_code == 400
    assert (await anonymous.post(path, data={"action": "decline"}, headers=HTML)).status_code == 400
    assert (await anonymous.post(path, data={}, headers=HTML)).status_code == 422
    assert (await ok(client, "GET", f"/v1/contracts/{contract['id']}"))["state"] == "sent"


async def test_a_customer_declines_with_a_reason(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    contract, path = await sent(client)
    assert (await anonymous.post(path, data={"action": "decline", "reason": "Liability\r\nis too low"})).status_code == 303
    found = await ok(client, "GET", f"/v1/contracts/{contract['id']}")
    assert (found["state"], found["closed_reason"]) == ("declined", "Liability\r\nis too low")
    page = await anonymous.get(path, headers=HTML)
    assert 'data-state="declined"' in page.text
    assert (await anonymous.get(f"{path}/contract.pdf", headers=HTML)).status_code == 409


async def test_what_was_changed_since_it_was_shown_is_not_signed(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    contract, path = await sent(client)
    change = {"contract_version": 1, "reason": "ours", "changes": [{"code": "payment", "text": "Pay at once."}]}
    await ok(client, "POST", f"/v1/contracts/{contract['id']}/versions", change)
    page = await anonymous.get(path, headers=HTML)
    assert 'data-state="in_negotiation"' in page.text
    assert "Pay at once." not in page.text
    form = {"action": "sign", "shown": contract["pdf_sha256"], "signed_by": "Anna Rossi", "consent": "yes"}
    assert (await anonymous.post(path, data=form)).status_code == 409
    await ok(client, "POST", f"/v1/contracts/{contract['id']}/send")
    stale = await anonymous.post(path, data=form)
    assert (stale.status_code, stale.json()["type"]) == (409, "urn:ltc:problem:document-changed")


async def test_a_link_that_is_wrong_or_old_opens_nothing(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    contract, path = await sent(client)
    assert (await anonymous.get(path[:-4] + "AAAA", headers=HTML)).status_code == 404
    assert (await anonymous.get("/c/rubbish", headers=HTML)).status_code == 404
    clock.advance(days=31)
    over = await anonymous.get(path, headers=HTML)
    assert 'data-state="expired"' in over.text
    form = {"action": "sign", "shown": contract["pdf_sha256"], "signed_by": "Anna Rossi", "consent": "yes"}
    assert (await anonymous.post(path, data=form)).json()["type"] == "urn:ltc:problem:time-to-sign-over"
    clock.advance(days=30)
    assert (await anonymous.get(path, headers=HTML)).status_code == 410
    assert (await anonymous.post(path, data=form)).status_code == 410


async def test_the_link_is_mailed_to_whoever_shall_sign(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, mail_server: MailServer, send_mails: Callable[[], Awaitable[int]]
) -> None:
    await ok(client, "PUT", "/v1/letterhead", {"name": "Nord GmbH"})
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}/send"
    bad = await client.post(path, json={"email": "anna@rossi.example\r\nBcc: eve@evil.example"})
    assert (bad.status_code, bad.json()["field"]) == (400, "to")
    await ok(client, "POST", path, {"email": "anna@rossi.example", "name": "Anna\nRossi"})
    await send_mails()
    [mail] = mail_server.received
    assert (mail.message["subject"], mail.recipients) == (f"Contract {contract['number']} to sign", ["anna@rossi.example"])
    assert "Dear Anna Rossi," in mail.part("plain")
    assert "sign it by 31 January 2026" in mail.part("plain")
    url = next(word for word in mail.part("plain").split() if word.startswith("http://service/c/"))
    assert contract["number"] in (await anonymous.get(urlsplit(url).path, headers=HTML)).text


async def test_a_draft_has_no_link(client: httpx.AsyncClient) -> None:
    contract = await drafted(client)
    reply = await client.post(f"/v1/contracts/{contract['id']}/link")
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:wrong-transition")


async def test_names_cannot_become_markup(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    _, path = await sent(client, customer={"name": "<script>alert(1)</script> & #set page()", "country": "IT"})
    page = await anonymous.get(path, headers=HTML)
    assert "<script>alert" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text


async def test_who_posts_too_often_waits(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    _, path = await sent(client)
    codes = [(await anonymous.post(path, data={"action": "sign"})).status_code for _ in range(22)]
    assert (codes[0], codes[-1]) == (400, 429)


async def test_two_signatures_at_once_are_one(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    contract, path = await sent(client)
    form = {"action": "sign", "shown": contract["pdf_sha256"], "signed_by": "Anna Rossi", "consent": "yes"}
    replies = await asyncio.gather(*(anonymous.post(path, data=form) for _ in range(4)))
    assert sorted(reply.status_code for reply in replies) == [303, 409, 409, 409]
    assert [each.topic for each in await emitted()].count("contract.signed") == 1


@in_a_browser
@pytest.mark.parametrize(("locale", "title", "done"), [("en-GB", "Contract", "signed by both"), ("zh-CN", "合同", "双方签署")])
async def test_it_is_signed_in_a_browser(address: str, client: httpx.AsyncClient, locale: str, title: str, done: str) -> None:
    contract, path = await sent(
        client, customer={"name": "深圳设备", "country": "CN"} if locale == "zh-CN" else {"name": "Rossi", "country": "IT"}
    )
    async with browsing(locale) as page:
        await page.goto(f"{address}{path}")
        assert title in await page.title()
        assert await page.inner_text("#digest") == contract["pdf_sha256"]
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        # The browser itself does not let the form go without name and consent.
        await page.click("#sign button")
        assert (await ok(client, "GET", f"/v1/contracts/{contract['id']}"))["state"] == "sent"
        await page.fill("#sign input[name=signed_by]", "张伟" if locale == "zh-CN" else "Anna Rossi")
        await page.check("#sign input[name=consent]")
        await page.click("#sign button")
        await page.wait_for_selector("#state[data-state=signed]")
        assert done in await page.inner_text("#state")
        pdf = await page.context.request.get(await page.evaluate("document.getElementById('pdf').href"))
        assert hashlib.sha256(await pdf.body()).hexdigest() == contract["pdf_sha256"]
    assert (await ok(client, "GET", f"/v1/contracts/{contract['id']}/verify"))["intact"]
