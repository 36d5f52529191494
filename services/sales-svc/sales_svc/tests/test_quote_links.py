"""Links to offers over the API: mailed, looked at, reminded of, taken back."""

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing_mail import MailServer, use
from ltc_chassis.timers import Timer
from pypdf import PdfReader

from sales_svc.tests.builders import quote_body
from sales_svc.tests.deals import Json, ok, opened
from sales_svc.timers import TIMERS

Run = Callable[[Timer], Awaitable[int]]
Send = Callable[[], Awaitable[int]]
HTML = {"Accept": "text/html", "User-Agent": "Firefox", "Accept-Language": "en"}
ANNA = {"email": "anna@rossi.example", "name": "Anna Rossi"}
REMIND = next(timer for timer in TIMERS if timer.name == "remind-of-quotes")


async def drafted(client: httpx.AsyncClient, deal: Json | None = None, **changed: Any) -> Json:
    deal = deal or await opened(client)
    made: Json = await ok(client, "POST", f"/v1/opportunities/{deal['id']}/quotes", quote_body(**changed), status=201)
    return made


async def sent(client: httpx.AsyncClient, *recipients: Json, deal: Json | None = None, **changed: Any) -> Json:
    """A sent quote; without changes its net is 5,350.66 EUR and it is valid until 31 January 2026."""
    quote = await drafted(client, deal, **changed)
    made: Json = await ok(client, "POST", f"/v1/quotes/{quote['id']}/send", {"recipients": list(recipients)})
    return made


async def linked(client: httpx.AsyncClient, quote: Json, **recipient: Any) -> tuple[Json, str]:
    """One more link, and the path of its page."""
    made = await ok(client, "POST", f"/v1/quotes/{quote['id']}/links", recipient, status=201)
    return made["link"], urlsplit(made["url"]).path


async def links_of(client: httpx.AsyncClient, quote: Json) -> list[Json]:
    found: list[Json] = await ok(client, "GET", f"/v1/quotes/{quote['id']}/links")
    return found


def path_in(text: str) -> str:
    """The page's path in a mail."""
    return urlsplit(next(word for word in text.split() if word.startswith("http://service/q/"))).path


@pytest.mark.parametrize(
    ("language", "subject", "day"),
    [("en", "Quote {} from Nord GmbH", "31 January 2026"), ("zh", "报价单 {}（Nord GmbH）", "2026年1月31日")],
)
async def test_sending_mails_each_recipient_a_link_and_the_pdf_in_the_quotes_language(
    client: httpx.AsyncClient,
    anonymous: httpx.AsyncClient,
    mail_server: MailServer,
    send_mails: Send,
    language: str,
    subject: str,
    day: str,
) -> None:
    await ok(client, "PUT", "/v1/letterhead", {"name": "Nord GmbH"})
    await ok(client, "PUT", "/v1/reps/Ada", {"email": "ada@nord.example"})
    quote = await sent(client, ANNA, {"email": "bruno@rossi.example"}, language=language)
    await send_mails()
    [mail] = mail_server.to("anna@rossi.example")
    assert mail.message["subject"] == subject.format(quote["number"])
    assert mail.message["reply-to"] == "ada@nord.example"
    assert "Anna Rossi" in mail.part("plain")
    assert day in mail.part("plain")
    [attached] = mail.message.iter_attachments()
    kept = await client.get(f"/v1/quotes/{quote['id']}/pdf")
    assert attached.get_content() == kept.content
    assert quote["number"] in PdfReader(io.BytesIO(kept.content)).pages[0].extract_text()
    paths = {path_in(mail_server.to(each)[0].part("plain")) for each in ("anna@rossi.example", "bruno@rossi.example")}
    assert len(paths) == 2
    for path in paths:
        assert quote["number"] in (await anonymous.get(path, headers=HTML)).text


async def test_who_gets_a_link_is_checked_before_anything_is_sent(client: httpx.AsyncClient) -> None:
    quote = await drafted(client)
    path = f"/v1/quotes/{quote['id']}/send"
    for recipients, field in (
        ([{"email": "anna@rossi.example\r\nBcc: eve@evil.example"}], "recipients.0.email"),
        ([ANNA, {"email": "not an address"}], "recipients.1.email"),
        ([ANNA, {"email": "ANNA@rossi.example"}], "recipients.1.email"),
    ):
        reply = await client.post(path, json={"recipients": recipients})
        assert (reply.status_code, reply.json()["field"]) == (400, field)
    assert (await client.post(path, json={"recipients": [ANNA] * 11})).status_code == 422
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "draft"
    early = await client.post(f"/v1/quotes/{quote['id']}/links", json=ANNA)
    assert (early.status_code, early.json()["type"]) == (409, "urn:ltc:problem:not-an-offer")
    await ok(client, "POST", path)
    assert (await client.post(f"/v1/quotes/{quote['id']}/links", json={"email": "x"})).status_code == 422
    bad = await client.post(f"/v1/quotes/{quote['id']}/links", json={"email": "x y z"})
    assert (bad.status_code, bad.json()["field"]) == (400, "email")


async def test_an_offer_has_at_most_fifty_links_also_when_two_ask_at_once(client: httpx.AsyncClient, db: Database) -> None:
    quote = await sent(client)
    for _ in range(48):
        await linked(client, quote)
    path = f"/v1/quotes/{quote['id']}/links"
    replies = await asyncio.gather(*(client.post(path, json={}) for _ in range(4)))
    assert sorted(reply.status_code for reply in replies) == [201, 201, 409, 409]
    assert len(await links_of(client, quote)) == 50
    async with db.connection() as conn:
        rows = await conn.fetch("SELECT to_jsonb(l) AS row FROM quote_link l")
    assert not any("eyJ" in str(row["row"]) for row in rows), "nothing of a token is kept"


async def test_a_look_is_noted_once_within_minutes_and_shown_to_the_seller(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    quote = await sent(client)
    link, path = await linked(client, quote, **ANNA)
    assert (link["views"], link["first_viewed_at"]) == (0, None)
    await anonymous.get(path, headers={**HTML, "Sec-Purpose": "prefetch"})
    assert (await links_of(client, quote))[0]["views"] == 0
    for minutes in (0, 1, 9, 20):
        clock.advance(minutes=minutes)
        assert (await anonymous.get(path, headers=HTML)).status_code == 200
    [seen] = await links_of(client, quote)
    assert (seen["views"], seen["first_viewed_at"], seen["last_viewed_at"]) == (
        2,
        "2026-01-01T00:00:00Z",
        "2026-01-01T00:30:00Z",
    )
    found = await ok(client, "GET", f"/v1/quotes/{quote['id']}")
    assert (found["state"], found["viewed_at"]) == ("sent", "2026-01-01T00:00:00Z")
    assert (await ok(client, "POST", f"/v1/quotes/{quote['id']}/copy"))["viewed_at"] is None


async def test_each_recipient_is_reminded_once_before_the_last_day(
    client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send, run_timer: Run, clock: FixedClock
) -> None:
    quote = await sent(client, ANNA, {"email": "none@rossi.example", "remind_days_before": None})
    await linked(client, quote)
    await send_mails()
    mail_server.received.clear()
    clock.advance(days=26)
    assert await run_timer(REMIND) == 0
    clock.advance(days=1)
    assert sum(await asyncio.gather(run_timer(REMIND), run_timer(REMIND))) == 1
    clock.advance(days=1)
    assert await run_timer(REMIND) == 0
    await send_mails()
    [mail] = mail_server.received
    assert (mail.message["subject"], mail.recipients) == (
        f"Quote {quote['number']} is valid until 31 January 2026",
        ["anna@rossi.example"],
    )
    assert path_in(mail.part("plain"))
    reminded = [each["reminded_at"] for each in await links_of(client, quote)]
    assert reminded == [None, None, "2026-01-28T00:00:00Z"]


@pytest.mark.parametrize("what", ["accept", "reject", "revoke", "expire"])
async def test_nobody_is_reminded_of_what_is_over(
    client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send, run_timer: Run, clock: FixedClock, what: str
) -> None:
    quote = await sent(client, ANNA)
    await send_mails()
    mail_server.received.clear()
    [link] = await links_of(client, quote)
    if what in ("accept", "reject"):
        await ok(client, "POST", f"/v1/quotes/{quote['id']}/{what}")
    elif what == "revoke":
        await ok(client, "POST", f"/v1/quotes/{quote['id']}/links/{link['id']}/revoke")
    clock.advance(days=31 if what == "expire" else 28)
    await run_timer(REMIND)
    await send_mails()
    assert mail_server.received == []
    assert (await links_of(client, quote))[0]["reminded_at"] is None


async def test_a_reminder_that_has_not_left_does_not_leave_once_the_quote_is_answered(
    client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send, run_timer: Run, clock: FixedClock
) -> None:
    quote = await sent(client, ANNA)
    await send_mails()
    mail_server.received.clear()
    clock.advance(days=28)
    assert await run_timer(REMIND) == 1
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/accept")
    await send_mails()
    assert mail_server.received == []


async def test_a_link_that_is_taken_back_opens_nothing_and_its_mail_stays_here(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, mail_server: MailServer, send_mails: Send
) -> None:
    quote = await sent(client)
    link, path = await linked(client, quote, **ANNA)
    _, other = await linked(client, quote)
    revoked = await ok(client, "POST", f"/v1/quotes/{quote['id']}/links/{link['id']}/revoke")
    again = await ok(client, "POST", f"/v1/quotes/{quote['id']}/links/{link['id']}/revoke")
    assert (revoked["revoked_by"], again) == ("test", revoked)
    await send_mails()
    assert mail_server.received == []
    page = await anonymous.get(path, headers=HTML)
    assert (page.status_code, 'data-state="withdrawn"' in page.text, quote["number"] in page.text) == (410, True, False)
    assert (await anonymous.get(f"{path}/pdf", headers=HTML)).status_code == 410
    form = {"action": "accept", "name": "Anna Rossi", "role": "CEO", "consent": "yes", "shown": "0" * 64}
    for action in ("accept", "decline", "ask"):
        body = {**form, "action": action, "reason": "no", "question": "why?"}
        assert (await anonymous.post(path, data=body, headers=HTML)).status_code == 410
    assert (await anonymous.get(other, headers=HTML)).status_code == 200
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "sent"
    strange = await client.post(f"/v1/quotes/{link['id']}/links/{link['id']}/revoke")
    assert strange.status_code == 404


async def test_without_a_public_address_no_link_is_made(client: httpx.AsyncClient, runtime: Runtime) -> None:
    quote = await drafted(client)
    use(runtime, public_url="")
    reply = await client.post(f"/v1/quotes/{quote['id']}/send", json={"recipients": [ANNA]})
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:public-address-missing")
    assert (await ok(client, "GET", f"/v1/quotes/{quote['id']}"))["state"] == "draft"
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/send")


async def test_a_repeated_request_makes_one_link(client: httpx.AsyncClient, mail_server: MailServer, send_mails: Send) -> None:
    quote = await sent(client)
    key = {"Idempotency-Key": "one"}
    first = await client.post(f"/v1/quotes/{quote['id']}/links", json=ANNA, headers=key)
    second = await client.post(f"/v1/quotes/{quote['id']}/links", json=ANNA, headers=key)
    assert first.json() == second.json()
    await send_mails()
    assert len(mail_server.received) == 1


async def test_the_api_keeps_who_said_so_and_under_which_order_number(client: httpx.AsyncClient) -> None:
    quote = await sent(client)
    await ok(client, "POST", f"/v1/quotes/{quote['id']}/accept", {"name": "Anna Rossi", "order_reference": "PO 4711"})
    answer = await ok(client, "GET", f"/v1/quotes/{quote['id']}/answer")
    assert (answer["via"], answer["by"], answer["name"], answer["order_reference"]) == ("api", "test", "Anna Rossi", "PO 4711")


async def test_a_reps_address_is_checked_and_stays_out_of_the_log_of_changes(client: httpx.AsyncClient) -> None:
    bad = await client.put("/v1/reps/Ada", json={"email": "ada@nord.example\r\nBcc: eve@evil.example"})
    assert (bad.status_code, bad.json()["field"]) == (400, "email")
    rep = await ok(client, "PUT", "/v1/reps/Ada", {"email": "ada@nord.example"})
    assert rep["email"] == "ada@nord.example"
    await ok(client, "PUT", "/v1/reps/Ada", {"email": "ada@south.example", "version": 1})
    changes = (await ok(client, "GET", "/v1/reps/Ada/changes"))["items"]
    assert [each["changes"].get("email") for each in changes] == [True, True]
    assert "example" not in str(changes)
