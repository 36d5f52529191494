"""Hosted forms (L1) against machines and bad input: no lead, no failure, and for people nothing that was written is lost."""

import asyncio
from urllib.parse import urlencode

import httpx
import pytest
from ltc_chassis.clock import FixedClock

from lead_svc.tests.forms import ANNA, HTML, PLAN, hidden, leads_of, opened, published, sent, stats_of


async def test_who_fills_in_the_honeypot_is_thanked_and_counted_and_no_lead(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client)
    page = await anonymous.get("/f/contact", headers=HTML)
    assert '<div class="honey" aria-hidden="true">' in page.text
    clock.advance(minutes=1)
    done = await sent(anonymous, {**hidden(page.text), **ANNA, "confirm_note": "buy pills"})
    assert (done.status_code, done.headers["location"]) == (303, "contact/thanks?lang=en&v=1")
    assert await leads_of(client) == []
    stats = await stats_of(client)
    assert (stats["rejected"]["honeypot"], stats["submissions"], stats["conversion"]) == (1, 0, "0.00")


async def test_faster_than_a_person_is_asked_again_and_taken_a_moment_later(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client)
    page = await opened(anonymous)
    clock.advance(seconds=2)
    fast = await sent(anonymous, {**page, **ANNA})
    assert (fast.status_code, "very fast" in fast.text, 'value="Anna Rossi"' in fast.text) == (400, True, True)
    clock.advance(seconds=1)
    assert (await sent(anonymous, {**hidden(fast.text), **ANNA})).status_code == 303
    assert len(await leads_of(client)) == 1
    assert (await stats_of(client))["rejected"]["speed"] == 1


@pytest.mark.parametrize("token", ["old", "of another form", "changed", "none"])
async def test_a_page_that_is_too_old_or_not_ours_is_shown_again_with_everything_that_was_written(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, token: str
) -> None:
    await published(client)
    await published(client, "other")
    page = await opened(anonymous, "other" if token == "of another form" else "contact")
    if token == "changed":
        page["instance"] = page["instance"][:-4] + "AAAA"
    if token == "none":
        del page["instance"]
    clock.advance(hours=25 if token == "old" else 1)
    stale = await sent(anonymous, {**page, **ANNA, "message": "Two pumps"})
    assert (stale.status_code, "Your answers are still here" in stale.text) == (400, True)
    assert 'value="Anna Rossi"' in stale.text
    assert "Two pumps</textarea>" in stale.text
    clock.advance(minutes=1)
    assert (await sent(anonymous, {**hidden(stale.text), **ANNA})).status_code == 303
    assert len(await leads_of(client)) == 1
    assert (await stats_of(client))["rejected"]["expired"] == 1


async def test_too_many_from_one_address_wait_with_their_answers_kept(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock
) -> None:
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    replies = await asyncio.gather(*(sent(anonymous, {**page, **ANNA, "email": "nobody"}) for _ in range(60)))
    late = [reply for reply in replies if reply.status_code == 429]
    # In the wall's time the way is free again for one every three seconds.
    assert 20 <= len(replies) - len(late) < 60
    assert {reply.status_code for reply in replies} == {400, 429}
    assert 1 <= int(late[0].headers["retry-after"]) <= 60
    assert 'value="Anna Rossi"' in late[0].text
    assert "from your network" in late[0].text
    assert (await stats_of(client))["rejected"] == {
        "honeypot": 0,
        "speed": 0,
        "expired": 0,
        "rate": len(late),
        "invalid": len(replies) - len(late),
    }


async def test_a_body_of_more_than_64_kilobytes_is_refused(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    await published(client)
    reply = await sent(anonymous, {**await opened(anonymous), "message": "x" * 65_536})
    assert (reply.status_code, "text/html" in reply.headers["content-type"]) == (413, True)
    assert await leads_of(client) == []


async def test_html_is_text(client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock) -> None:
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    name = '<script>alert("1")</script> & Söhne'
    again = await sent(anonymous, {**page, **ANNA, "name": name, "email": '"><img src=x>', "message": "</textarea><b>"})
    assert again.status_code == 400
    assert "<script>alert" not in again.text
    assert "<img" not in again.text
    assert "&lt;/textarea&gt;&lt;b&gt;" in again.text
    assert (await sent(anonymous, {**page, **ANNA, "name": name})).status_code == 303
    [lead] = await leads_of(client)
    assert lead["contact"]["name"] == name


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("name", "Anna\r\nBcc: all@example.com", "Line breaks"),
        ("email", "anna@rossi.example\nBcc: all@example.com", "Line breaks"),
        ("email", "anna@rossi.example\r\n", "Line breaks"),
        ("company", "Rossi\x00SpA", "Line breaks"),
        ("company", "x" * 201, "at most 200"),
        ("email", "anna", "an e-mail address like"),
        ("phone", "call me", "telephone number"),
        ("country", "Utopia", "from the list"),
        ("company_size", "7", "from the list"),
        ("name", "", "Please fill this in"),
        ("message", "x" * 2001, "at most 2000"),
    ],
)
async def test_what_cannot_be_taken_is_said_beside_the_field_with_the_answers_kept(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, name: str, value: str, words: str
) -> None:
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    again = await sent(anonymous, {**page, **ANNA, name: value, "phone": value if name == "phone" else "+39 06 69812345"})
    assert again.status_code == 400
    number = [each["name"] for each in PLAN["fields"]].index(name)
    assert f'<p class="problem" id="f{number}-problem">' in again.text
    assert f'<a href="#f{number}">' in again.text
    assert words in again.text
    assert again.text.count('aria-invalid="true"') == 1
    assert 'value="anna@rossi.example"' in again.text or name == "email"
    assert await leads_of(client) == []
    assert (await stats_of(client))["rejected"]["invalid"] == 1


@pytest.mark.parametrize("raw", [b"\xff\xfeAnna", b"%ff%feAnna", "安娜".encode("gb18030")])
async def test_bytes_that_are_no_text_are_asked_for_again(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, raw: bytes
) -> None:
    await published(client)
    page = await opened(anonymous)
    clock.advance(minutes=1)
    rest = {name: value for name, value in {**page, **ANNA}.items() if name != "name"}
    reply = await anonymous.post("/f/contact", content=urlencode(rest).encode() + b"&name=" + raw, headers=HTML)
    assert (reply.status_code, "did not arrive readably" in reply.text) == (400, True)
    assert await leads_of(client) == []


@pytest.mark.parametrize(
    ("path", "content_type", "body", "status"),
    [
        ("/f/contact", "application/json", b"{}", 400),
        ("/f/contact", "multipart/form-data; boundary=x", b"--x", 400),
        ("/f/contact", "application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(1001)), 400),
        ("/f/contact", "application/x-www-form-urlencoded", b"", 400),
        ("/f/contact", "", b"instance=%00&lang=%00", 400),
        ("/f/contact", "application/x-www-form-urlencoded", b"instance=a.b.c&%ff=%ff&lang=xx", 400),
        ("/f/none", "application/x-www-form-urlencoded", b"", 404),
        ("/f/%00", "application/x-www-form-urlencoded", b"", 404),
        ("/f/%ff%fe", "application/x-www-form-urlencoded", b"", 404),
    ],
)
async def test_no_request_makes_it_fail(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, path: str, content_type: str, body: bytes, status: int
) -> None:
    await published(client)
    reply = await anonymous.post(path, content=body, headers={**HTML, "Content-Type": content_type})
    assert reply.status_code == status, reply.text
    assert (await anonymous.get(f"{path}?lang=%00&v=-1&visitor_id=x&utm_source=%00%ff", headers=HTML)).status_code < 500
    assert (await anonymous.get(f"{path}/thanks?lang=%00&v=99999999999", headers=HTML)).status_code < 500
