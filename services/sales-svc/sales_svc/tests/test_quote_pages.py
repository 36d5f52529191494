"""The page where a customer answers an offer, over HTTP."""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urljoin

import httpx
import pytest
from ltc_chassis import links
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Emitted
from ltc_chassis.testing_mail import MailServer, use

from sales_svc.tests.deals import Json, ok, opened
from sales_svc.tests.shop import bundle, shop
from sales_svc.tests.test_contract_pages import sent as sent_contract
from sales_svc.tests.test_quote_links import ANNA, HTML, Send, drafted, linked, links_of, sent

Emissions = Callable[[], Awaitable[list[Emitted]]]
ZH = {**HTML, "Accept-Language": "zh-CN,zh;q=0.9"}


def form_of(page: httpx.Response, **changed: Any) -> Json:
    """The form as a customer fills it in, with the digest that the page shows."""
    shown = page.text.partition('name="shown" value="')[2][:64]
    return {"action": "accept", "shown": shown, "name": "Anna Rossi", "role": "Managing director", "consent": "yes", **changed}


async def offered(client: httpx.AsyncClient, anonymous: httpx.AsyncClient, **changed: Any) -> tuple[Json, str, Json]:
    """A sent quote, the path of its page, and the filled form."""
    quote = await sent(client, **changed)
    _, path = await linked(client, quote, **ANNA)
    return quote, path, form_of(await anonymous.get(path, headers=HTML))


async def answer_of(client: httpx.AsyncClient, quote: Json) -> Json:
    found: Json = await ok(client, "GET", f"/v1/quotes/{quote['id']}/answer")
    return found


async def test_a_customer_reads_and_accepts_by_the_link(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    deal = await opened(client)
    other = await sent(client, deal=deal)
    quote = await sent(client, deal=deal)
    link, path = await linked(client, quote, **ANNA)
    page = await anonymous.get(path, headers=HTML)
    pdf = await anonymous.get(f"{path}/pdf", headers=HTML)
    sha256 = hashlib.sha256(pdf.content).hexdigest()
    assert (page.status_code, quote["number"] in page.text, sha256 in page.text) == (200, True, True)
    assert pdf.content == (await client.get(f"/v1/quotes/{quote['id']}/pdf")).content
    done = await anonymous.post(path, data=form_of(page, email="a.rossi@rossi.example", order_reference="PO 4711"), headers=HTML)
    assert (done.status_code, urljoin(path, done.headers["location"])) == (303, path)
    after = await anonymous.get(path, headers=HTML)
    assert (after.status_code, 'data-state="accepted"' in after.text) == (200, True)
    assert "Thank you, Anna Rossi. You accepted this quote." in after.text
    assert "PO 4711" in after.text
    answer = await answer_of(client, quote)
    assert answer == {
        "answer": "accepted",
        "via": "link",
        "at": "2026-01-01T00:00:00Z",
        "by": None,
        "name": "Anna Rossi",
        "role": "Managing director",
        "email": "a.rossi@rossi.example",
        "order_reference": "PO 4711",
        "reason": None,
        "consent": "I may bind Rossi, and I accept this quote and its terms on its behalf.",
        "link_id": link["id"],
        "address": "127.0.0.1",
        "user_agent": "Firefox",
        "pdf_sha256": sha256,
    }
    # What acceptance over the API drives: the event, the other version, the way to a contract.
    [event] = [each.event for each in await emitted() if each.topic == "quote.accepted"]
    assert (str(event.quote_id), event.via) == (quote["id"], "link")
    assert (await ok(client, "GET", f"/v1/quotes/{other['id']}"))["state"] == "superseded"
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/contract", status=201)


async def test_saying_it_again_shows_that_it_is_accepted(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    quote, path, form = await offered(client, anonymous)
    replies = await asyncio.gather(*(anonymous.post(path, data=form, headers=HTML) for _ in range(4)))
    assert [reply.status_code for reply in replies] == [303] * 4
    assert (await anonymous.post(path, data=form, headers=HTML)).status_code == 303
    assert [each.topic for each in await emitted()].count("quote.accepted") == 1
    late = await anonymous.post(path, data={"action": "decline", "reason": "after all"}, headers=HTML)
    assert (late.status_code, 'data-state="accepted"' in late.text) == (409, True)
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "accepted"


async def test_looking_changes_nothing_whatever_follows_the_links(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    quote, path, form = await offered(client, anonymous)
    before, events = await ok(client, "GET", f"/v1/quotes/{quote['id']}"), len(await emitted())
    for address in (path, f"{path}/pdf", f"{path}?action=accept&consent=yes", f"{path}?asked=1"):
        assert (await anonymous.get(address, headers=HTML)).status_code == 200
    assert (await anonymous.request("GET", path, data=form, headers=HTML)).status_code == 200
    for method in ("HEAD", "PUT", "DELETE", "OPTIONS"):
        assert (await anonymous.request(method, path, headers=HTML)).status_code == 405
    assert await ok(client, "GET", f"/v1/quotes/{quote['id']}") == before
    assert len(await emitted()) == events


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"name": ""}, "Type your full name."),
        ({"name": "7"}, "Type your full name."),
        ({"name": "Anna\r\nRossi"}, "name-missing"),
        ({"name": "Anna\x00Rossi"}, "name-missing"),
        ({"role": " "}, "Tell us in what role you accept."),
        ({"role": "CEO\nof"}, "role-missing"),
        ({"email": "anna@"}, "This is not an e-mail address."),
        ({"email": "a@b.example\r\nBcc: eve@evil.example"}, "email-missing"),
        ({"order_reference": "4711\r\n4712"}, "Write it on one line, please."),
        ({"consent": ""}, "Please tick this box."),
    ],
)
async def test_what_is_missing_is_asked_for_again_and_nothing_is_accepted(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, wrong: Json, says: str
) -> None:
    quote, path, form = await offered(client, anonymous)
    reply = await anonymous.post(path, data={**form, "order_reference": "PO 4711", **wrong}, headers=HTML)
    assert (reply.status_code, says in reply.text) == (400, True), reply.text
    assert "order_reference" in wrong or 'value="PO 4711"' in reply.text
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "sent"
    assert (await client.get(f"/v1/quotes/{quote['id']}/answer")).status_code == 404


async def test_a_customer_declines_with_a_reason(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, emitted: Emissions
) -> None:
    quote, path, _ = await offered(client, anonymous)
    for reason in ("", "  ", "a\x07b"):
        reply = await anonymous.post(path, data={"action": "decline", "reason": reason}, headers=HTML)
        assert (reply.status_code, "Tell us the reason, please." in reply.text) == (400, True)
    for _ in range(2):
        done = await anonymous.post(path, data={"action": "decline", "reason": "Too dear\r\nfor us"}, headers=HTML)
        assert done.status_code == 303
    page = await anonymous.get(path, headers=HTML)
    assert (page.status_code, 'data-state="rejected"' in page.text, "You declined this quote." in page.text) == (200, True, True)
    assert (await answer_of(client, quote))["reason"] == "Too dear\nfor us"
    [event] = [each.event for each in await emitted() if each.topic == "quote.rejected"]
    assert (event.by, event.reason) == ("customer", "Too dear\nfor us")


async def test_a_question_is_a_task_and_a_mail_to_the_owner_and_asked_twice_is_one(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, mail_server: MailServer, send_mails: Send
) -> None:
    await ok(client, "PUT", "/v1/reps/Ada", {"team": "South", "email": "ada@nord.example"})
    quote, path, _ = await offered(client, anonymous)
    await send_mails()
    mail_server.received.clear()
    form = {"action": "ask", "question": "Does it\nswim?", "email": "anna@home.example"}
    for _ in range(2):
        done = await anonymous.post(path, data=form, headers=HTML)
        assert done.status_code == 303
    page = await anonymous.get(urljoin(path, done.headers["location"]), headers=HTML)
    assert "Thank you for your question." in page.text
    tasks = (await ok(client, "GET", f"/v1/activities?opportunity_id={quote['opportunity_id']}"))["items"]
    [task] = tasks
    assert (task["type"], task["assignee"], task["due_at"]) == ("task", "Ada", "2026-01-02T00:00:00Z")
    assert "Does it\nswim?" in task["body"]
    await send_mails()
    [mail] = mail_server.received
    assert (mail.recipients, mail.message["reply-to"]) == (["ada@nord.example"], "anna@home.example")
    assert "Does it\nswim?" in mail.part("plain")
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "sent"


async def test_questions_by_one_link_are_bounded(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, runtime: Runtime
) -> None:
    _, path, _ = await offered(client, anonymous)
    use(runtime, trusted_proxies=1)
    codes = []
    for number in range(21):
        headers = {**HTML, "X-Forwarded-For": f"192.0.2.{number}"}
        reply = await anonymous.post(path, data={"action": "ask", "question": f"And {number}?"}, headers=headers)
        codes.append(reply.status_code)
    assert codes == [303] * 20 + [409]
    assert "please call us" in reply.text


async def test_the_owner_is_told_by_mail_who_accepted(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, mail_server: MailServer, send_mails: Send
) -> None:
    await ok(client, "PUT", "/v1/reps/Ada", {"email": "ada@nord.example"})
    quote, path, form = await offered(client, anonymous)
    await anonymous.post(path, data={**form, "order_reference": "PO 4711"}, headers=HTML)
    await send_mails()
    [mail] = mail_server.to("ada@nord.example")
    assert mail.message["subject"] == f"Quote {quote['number']} for Rossi: accepted"
    assert "Anna Rossi, Managing director, accepted it online.\nOrder reference: PO 4711" in mail.part("plain")


async def test_an_old_version_leads_to_the_newest_only_who_got_it(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    deal = await opened(client)
    quote = await sent(client, deal=deal)
    _, annas = await linked(client, quote, **ANNA)
    _, brunos = await linked(client, quote, email="bruno@rossi.example")
    _, nobodys = await linked(client, quote)
    form = form_of(await anonymous.get(annas, headers=HTML))
    newer = await drafted(client, deal)
    upper = {**ANNA, "email": "Anna@Rossi.example"}
    await ok(client, "POST", f"/v1/quotes/{newer['id']}/send", {"supersede": True, "recipients": [upper]})
    page = await anonymous.get(annas, headers=HTML)
    assert (page.status_code, 'data-state="superseded"' in page.text) == (410, True)
    assert newer["number"] not in page.text
    target = page.text.partition('id="newer" href="')[2].partition('"')[0]
    assert newer["number"] in (await anonymous.get(urljoin(annas, target), headers=HTML)).text
    for path in (brunos, nobodys):
        page = await anonymous.get(path, headers=HTML)
        assert (page.status_code, 'id="newer"' in page.text, "ask" in page.text.lower()) == (410, False, True)
        assert newer["number"] not in page.text
    late = await anonymous.post(annas, data=form, headers=HTML)
    assert (late.status_code, "Your answer was not recorded" in late.text) == (410, True)
    chinese = await anonymous.get(brunos, headers=ZH)
    assert (chinese.status_code, "本报价已不再有效。" in chinese.text) == (410, True)


async def test_it_can_be_accepted_until_the_last_second_of_its_last_day(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    deal = await opened(client)
    quote, path, form = await offered(client, anonymous, deal=deal)
    assert quote["valid_until"] == "2026-01-31"
    clock.advance(days=31)
    for headers, says in (
        (HTML, "This quote was valid until 31 January 2026."),
        (ZH, "本报价有效期至 2026年1月31日，现已过期。"),
    ):
        page = await anonymous.get(path, headers=headers)
        assert (page.status_code, 'data-state="expired"' in page.text, says in page.text) == (410, True, True)
    assert (await anonymous.post(path, data=form, headers=HTML)).status_code == 410
    assert (await anonymous.post(path, data={"action": "decline", "reason": "late"}, headers=HTML)).status_code == 410
    # A new one can be asked for, still.
    assert (await anonymous.post(path, data={"action": "ask", "question": "A new one?"}, headers=HTML)).status_code == 303
    clock.advance(seconds=-1)
    assert (await anonymous.post(path, data=form, headers=HTML)).status_code == 303
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "accepted"


async def test_the_link_itself_ends_thirty_days_after_the_offer(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    _, path, _ = await offered(client, anonymous)
    clock.advance(days=61, seconds=-1)
    assert 'data-state="expired"' in (await anonymous.get(path, headers=HTML)).text
    clock.advance(seconds=1)
    assert (await anonymous.get(path, headers=HTML)).status_code == 410
    chinese = await anonymous.get(path, headers=ZH)
    assert (chinese.status_code, "请索取新的链接" in chinese.text) == (410, True)


async def test_a_link_that_is_changed_or_for_something_else_is_no_page(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, runtime: Runtime, clock: FixedClock
) -> None:
    _, path, form = await offered(client, anonymous)
    _, contract = await sent_contract(client)
    keys, later = links.keys(runtime.settings), clock.now().replace(year=2027)
    forgotten = links.sign(keys, purpose="quote.answer", subject=str(new_id()), expires_at=later)
    stranger = links.sign(b"k" * 64, purpose="quote.answer", subject=str(new_id()), expires_at=later)
    wrong = ("rubbish", path[3:-4] + "AAAA", path[4:], contract[3:], forgotten, stranger, "x" * 3000)
    for token in wrong:
        for reply in (
            await anonymous.get(f"/q/{token}", headers=HTML),
            await anonymous.get(f"/q/{token}/pdf", headers=HTML),
            await anonymous.post(f"/q/{token}", data=form, headers=HTML),
        ):
            assert reply.status_code == 404, token
            assert "text/html" in reply.headers["content-type"]
    assert (await anonymous.get(f"/c/{path[3:]}", headers=HTML)).status_code == 404


async def test_another_document_than_the_one_shown_is_not_accepted(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    quote, path, form = await offered(client, anonymous)
    for shown in ("", "0" * 64):
        reply = await anonymous.post(path, data={**form, "shown": shown}, headers=HTML)
        assert (reply.status_code, "not the one that was shown" in reply.text) == (409, True)
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "sent"


async def test_names_cannot_become_markup(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    evil = "<script>alert(1)</script>"
    _, path, form = await offered(client, anonymous, customer={"name": evil, "country": "IT"}, terms=evil)
    reply = await anonymous.post(path, data={**form, "role": evil, "consent": ""}, headers=HTML)
    assert "<script>alert" not in reply.text
    assert reply.text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3


async def test_the_page_is_private_small_and_slow_for_who_hurries(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient
) -> None:
    _, path, form = await offered(client, anonymous)
    for reply in (await anonymous.get(path, headers=HTML), await anonymous.get(f"{path}/pdf", headers=HTML)):
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["referrer-policy"] in ("same-origin", "no-referrer")
    page = await anonymous.get(path, headers=HTML)
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    assert '<meta name="robots" content="noindex">' in page.text
    large = await anonymous.post(path, data={**form, "question": "x" * 70_000}, headers=HTML)
    assert (large.status_code, "text/html" in large.headers["content-type"]) == (413, True)

    async def chunks() -> Any:
        for _ in range(20):
            yield b"question=" + b"x" * 5_000

    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert (await anonymous.post(path, content=chunks(), headers=kind)).status_code == 413
    codes = [(await anonymous.post(path, data={"action": "accept"}, headers=HTML)).status_code for _ in range(22)]
    assert (codes[0], codes[-1]) == (400, 429)


async def test_the_token_is_in_no_log_and_no_span(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    quote, path, form = await offered(client, anonymous)
    caplog.set_level(logging.INFO)
    caplog.clear()
    await anonymous.get(path, headers=HTML)
    await anonymous.post(path, data={**form, "consent": ""}, headers=HTML)
    await anonymous.post(path, data=form, headers=HTML)
    told = [record.getMessage() for record in caplog.records if not record.name.startswith("httpx")]
    metrics = (await client.get("/metrics")).text
    assert path[3:] not in "\n".join((*told, *capsys.readouterr(), metrics))
    assert '/q/{token}"' in metrics
    assert (await links_of(client, quote))[0]["views"] == 1


@pytest.mark.parametrize(
    ("headers", "words"), [(HTML, ("One-off", "Recurring", "By use")), (ZH, ("一次性费用", "周期性费用", "按使用量计费"))]
)
async def test_the_page_shows_what_the_pdf_shows(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, headers: Json, words: tuple[str, ...]
) -> None:
    await ok(client, "PUT", "/v1/letterhead", {"name": "Nord GmbH", "address": ["Hafenstr. 1"], "email": "office@nord.example"})
    await shop(client)
    await bundle(client, "START", {"PUMP": "3", "DAY": "1"}, bundle_discount="10")
    lines = [{"sku": "PUMP", "quantity": "12", "discount_percent": "10"}, {"sku": "START", "quantity": "1"}]
    lines += [{"sku": "SEAT", "quantity": "10"}, {"sku": "CALL", "quantity": "50000"}]
    more: Json = {"discount_percent": "2", "terms": "Delivery in May.", "contact": "Anna Rossi", "introduction": "As agreed."}
    quote = await sent(client, lines=lines, customer={"name": "Rossi", "country": "DE"}, **more)
    _, path = await linked(client, quote, **ANNA)
    text = (await anonymous.get(path, headers=headers)).text
    for wanted in (
        *words,
        "Nord GmbH",
        "Hafenstr. 1",
        "Delivery in May.",
        "As agreed.",
        "CRM seat",
        "10 × 100.00",
        "3 × Pump",
        "office@nord.example",
    ):
        assert wanted in text, wanted
    money = (
        quote["net"],
        quote["gross"],
        *(part["tax"] for part in quote["taxes"]),
        *(part["net"] for part in quote["recurring"]),
    )
    for each in money:
        assert f"{float(each['amount']):,.2f} EUR" in text
