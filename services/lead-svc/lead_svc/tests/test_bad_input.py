"""What a caller may get wrong, or means ill: each is refused in words, with a problem of RFC 9457, and nothing is kept of it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import capture, import_form, timer
from lead_svc.tests.journeys import Nurture, office, plan

LEAD: dict[str, Any] = {"channel": "web", "source": "Google"}
NOBODY = "019b0000-0000-7000-8000-000000000000"
JSON = {"content-type": "application/json"}
BIDI = "\u202egnp.exe"


def refused(reply: httpx.Response, *statuses: int) -> str:
    """The name of the problem of a refusal, which must be one of these."""
    assert reply.status_code in statuses, (reply.status_code, reply.text[:500])
    assert reply.headers["content-type"] == "application/problem+json"
    told = reply.json()
    assert (told["status"], bool(told["title"]), bool(told["detail"])) == (reply.status_code, True, True)
    return str(told["type"]).removeprefix("urn:ltc:problem:")


async def nothing_kept(db: Database) -> None:
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead") == 0
        assert await conn.fetchval("SELECT count(*) FROM outbox") == 0


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


async def test_a_body_beyond_its_route_is_413_and_nothing_is_kept(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, db: Database
) -> None:
    large = json.dumps({**LEAD, "company": "x" * 1_100_000}).encode()
    for content in (large, in_pieces(large)):
        assert refused(await client.post("/v1/leads", content=content, headers=JSON), 413) == "body-too-large"
    seen = json.dumps({"site": "shop", "url": "https://x.example/" + "a" * 70_000}).encode()
    for content in (seen, in_pieces(seen)):
        reply = await anonymous.post("/t", content=content, headers={"content-type": "text/plain"})
        assert refused(reply, 413) == "body-too-large"
    await nothing_kept(db)


NO_JSON: list[bytes] = [
    json.dumps({**LEAD, "company": "Müller"}, ensure_ascii=False).encode("latin-1"),
    json.dumps({**LEAD, "company": "Müller"}, ensure_ascii=False).encode("cp1252"),
    json.dumps({**LEAD, "company": "张三"}, ensure_ascii=False).encode("gbk"),
    json.dumps(LEAD).encode("utf-16"),
    json.dumps(LEAD).encode("utf-32"),
    b'{"channel": "web", "source": "\xff\xfe"}',
    b'{"channel": "web", "source": "\xed\xa0\x80"}',  # half of a pair, as bytes
    b'{"channel": "web", "source": "\\ud800"}',
    b'{"channel": "web", "source": "x\\udfffx"}',
    b'{"channel": "web", "source": "x", "custom": {"\\ud800": 1}}',
    b'{"channel": "web", "source": "a\\u0000b"}',
    b'{"channel": "web", "source": "a\x00b"}',
    b'{"channel": "web", "source": "x", "custom": {"a\\u0000": "x"}}',
    b'{"channel": "web", "source": "x", "estimated_value": {"amount": "1\\u0000", "currency": "EUR"}}',
    b"\x00",
    b"",
    b"{",
    b"[]",
    b"null",
    b'"x"',
    b"[" * 10_000 + b"]" * 10_000,
    b'{"custom":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"channel": "web", "source": "x", "company_size": NaN}',
    b'{"channel": "web", "source": "x", "company_size": Infinity}',
    b'{"channel": "web", "source": "x", "company_size": 1e400}',
    b'{"channel": "web", "source": "x", "company_size": 1e1000000}',
    b'{"channel": "web", "source": "x", "company_size": ' + b"9" * 5000 + b"}",
    b'{"channel": "web", "source": "x", "company_size": 1000000000000000000000000000000}',
]


async def test_json_that_is_none_or_cannot_be_kept_is_refused(client: httpx.AsyncClient, db: Database) -> None:
    for content in NO_JSON:
        name = refused(await client.post("/v1/leads", content=content, headers=JSON), 400, 422)
        assert name in ("malformed-request", "unreadable-body", "invalid")
        await nothing_kept(db)


async def test_a_pair_of_surrogates_is_one_character_and_a_backslash_is_one(client: httpx.AsyncClient) -> None:
    content = b'{"channel": "web", "source": "x", "company": "\\ud83d\\ude00 \\\\u0000 \\\\ud800"}'
    reply = await client.post("/v1/leads", content=content, headers=JSON)
    assert reply.json()["company"] == "😀 \\u0000 \\ud800"


async def test_of_a_key_that_comes_twice_the_last_counts(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/leads", content=b'{"channel": "web", "source": "a", "source": "b"}', headers=JSON)
    assert (reply.status_code, reply.json()["source"]) == (201, "b")


NO_FACTS: list[dict[str, Any]] = [
    {"company": "x" * 201},
    {"company": ""},
    {"source": None},
    {"channel": ["web"]},
    {"company_size": -1},
    {"company_size": 10**30},
    {"company_size": "many"},
    {"country": "Atlantis"},
    {"website": "x" * 501},
    {"contact": {"email": "a@b.c\r\nBcc: eve@example.com"}},
    {"contact": {"email": "two@example.com, three@example.com"}},
    {"contact": {"phone": "1" * 41}},
    {"contact": {"name": "x" * 201}},
    {"estimated_value": {"amount": "1e1000000", "currency": "EUR"}},
    {"estimated_value": {"amount": "1e15", "currency": "EUR"}},
    {"estimated_value": {"amount": "NaN", "currency": "EUR"}},
    {"estimated_value": {"amount": "Infinity", "currency": "EUR"}},
    {"estimated_value": {"amount": "0.001", "currency": "EUR"}},
    {"estimated_value": {"amount": "9" * 10_000, "currency": "EUR"}},
    {"estimated_value": {"amount": "1", "currency": "E\r\n"}},
    {"activities": [{"activity": "form"}] * 51},
    {"activities": [{"activity": "form", "occurred_at": "0001-01-01T00:00:00Z"}]},
    {"activities": [{"activity": "form", "occurred_at": "0001-01-01T00:00:00+14:00"}]},
    {"activities": [{"activity": "form", "occurred_at": "9999-12-31T23:59:59-14:00"}]},
    {"activities": [{"activity": "form", "occurred_at": "2026-02-30T00:00:00Z"}]},
    {"activities": [{"activity": "form", "occurred_at": "2026-01-01T00:00:00"}]},
    {"touches": [{"occurred_at": "9999-12-31T23:59:59-14:00"}]},
    {"custom": {"unknown": 1}},
    {"custom": {str(number): 1 for number in range(201)}},
    {"custom": []},
    {"visitor_id": "../../etc/passwd"},
    {"shoe_size": 44},
]


async def test_facts_that_cannot_be_meant_are_refused_by_field(client: httpx.AsyncClient, db: Database) -> None:
    for facts in NO_FACTS:
        reply = await client.post("/v1/leads", json={**LEAD, **facts})
        refused(reply, 400, 422)
        told = reply.json()
        field = next(iter(facts))
        fields = [told["field"]] if "field" in told else [each["field"] for each in told["errors"]]
        assert all(each.split(".")[0] in (field, "amount", "currency") for each in fields)
        await nothing_kept(db)


async def test_whatever_is_a_text_is_kept_as_it_is(
    client: httpx.AsyncClient, emitted: Callable[[], Awaitable[list[Emitted]]]
) -> None:
    texts = [
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "'; DROP TABLE lead; --",
        "%_\\",
        "İstanbul ﬃ ²",
        BIDI,
        "\u2028",
        "💥" * 100,
    ]
    for text in texts:
        lead_id = await capture(client, company=text, contact={"name": text})
        found = (await client.get(f"/v1/leads/{lead_id}")).json()
        assert (found["company"], found["contact"]["name"]) == (text, text)
    assert [each.event.company for each in await emitted() if each.topic == "lead.captured"] == texts


NO_PARTS = ["%00", "a%00b", "%FF", "%ED%A0%80", "x" * 3000, "..%2f..%2fetc%2fpasswd", "%E2%80%AE"]


async def test_a_path_that_leads_nowhere_is_no_defect(client: httpx.AsyncClient) -> None:
    for path in ("campaigns/{}", "sites/{}", "segments/{}/versions", "reps/{}", "journeys/{}", "score-rules/{}"):
        for part in NO_PARTS:
            reply = await client.get(f"/v1/{path.format(part)}")
            if reply.status_code != 200:  # the versions of what does not exist are none
                refused(reply, 400, 404, 405, 422)


NO_QUESTIONS: list[str] = [
    "cursor=rubbish",
    "cursor=" + "A" * 64,
    "cursor=%00",
    "cursor=" + "A" * 1000,
    "limit=0",
    "limit=-1",
    "limit=501",
    "limit=99999999999999999999999999",
    "limit=1e3",
    "flow_id=1",
    "band=boiling",
    "status=%00",
    "source=a%00b",
    "segment=%00",
    "external_ref=%00",
    "custom.tier=%00",
    "custom.%00=1",
    "custom.nothing=1",
]


async def test_a_question_that_cannot_be_meant_is_refused(client: httpx.AsyncClient) -> None:
    for query in NO_QUESTIONS:
        refused(await client.get(f"/v1/leads?{query}"), 400, 422)


NO_MOMENTS: list[str] = ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2026-01-01T00:00:00", "yesterday", "%00", "1e400"]


async def test_a_moment_beyond_all_calendars_is_refused(client: httpx.AsyncClient) -> None:
    for moment in NO_MOMENTS:
        lead_id = await capture(client)
        refused(await client.get(f"/v1/leads/{lead_id}/score", params={"as_of": moment}), 400, 422)
        refused(await client.get("/v1/visit-report", params={"start": moment, "end": "2026-01-01T00:00:00Z"}), 422)
        refused(await client.get("/v1/campaign-report", params={"start": "2026-01-01T00:00:00Z", "end": moment}), 422)


@pytest.mark.parametrize(
    ("name", "value", "statuses"),
    [
        ("idempotency-key", b"a\x00b", (400,)),
        ("idempotency-key", b"k" * 256, (400,)),
        ("idempotency-key", b"\xff\xfe", (201,)),
        ("traceparent", b"\xff\x00", (201,)),
        ("traceparent", b"00-" + b"f" * 32 + b"-" + b"0" * 16 + b"-01", (201,)),
        ("tracestate", b"\x00" * 600, (201,)),
        ("x-forwarded-for", b"\xff, ::1%\x00", (201,)),
        ("accept-language", b"zh;q=1e400", (201,)),
        ("content-type", b"text/plain", (422,)),
        ("content-type", b"application/x-www-form-urlencoded", (422,)),
        ("content-type", b"multipart/form-data", (400, 422)),
        ("content-type", b"\xff", (422,)),
        ("content-length", b"9999999999", (413,)),
    ],
)
async def test_a_header_breaks_nothing(client: httpx.AsyncClient, name: str, value: bytes, statuses: tuple[int, ...]) -> None:
    headers = [(b"content-type", b"application/json")] if name != "content-type" else []
    reply = await client.post("/v1/leads", content=json.dumps(LEAD).encode(), headers=[*headers, (name.encode(), value)])
    if statuses == (201,):
        assert reply.status_code == 201, reply.text
    else:
        refused(reply, *statuses)


async def test_a_wrong_method_names_the_right_one(client: httpx.AsyncClient) -> None:
    reply = await client.delete("/v1/leads")
    assert refused(reply, 405) == "method-not-allowed"
    assert "GET" in reply.headers["allow"] or "POST" in reply.headers["allow"]


def nested(depth: int) -> dict[str, Any]:
    made: dict[str, Any] = {"field": "country", "is": "eq", "value": "DE"}
    for _ in range(depth):
        made = {"not": made}
    return made


NO_CONDITIONS: list[dict[str, Any]] = [
    nested(200),
    {"all": [nested(0)] * 5000},
    {"field": "company_size", "is": "gte", "value": "1e1000000"},
    {"field": "company", "is": "contains", "value": "x" * 100_000},
    {"field": "company", "is": "matches", "value": "(a+)+$"},
    {"field": "__class__", "is": "eq", "value": "x"},
    {"field": "company", "is": "eq", "value": {"$ne": 1}},
]


async def test_a_condition_has_bounds(client: httpx.AsyncClient) -> None:
    for condition in NO_CONDITIONS:
        refused(await client.post("/v1/segments/preview", json={"condition": condition}), 400, 422)


@pytest.mark.parametrize("cell", ["a\x00b", "x" * 100_001, "\ufeff", "=cmd|' /C calc'!A0", "-1", "+49", "@x", "\r\n", '""'])
async def test_a_cell_of_a_file_stops_no_other_row(
    client: httpx.AsyncClient, run_timer: Callable[[Timer], Awaitable[int]], cell: str
) -> None:
    quoted = cell.replace('"', '""')
    form = import_form(f'Ref,Company,Note\n1,"{quoted}","{quoted}"\n2,Good,good\n', {"external_ref": "Ref", "company": "Company"})
    form["data"]["defaults"] = json.dumps({"channel": "fair", "source": "list"})
    reply = await client.post("/v1/imports", **form)
    if reply.status_code != 202:  # NUL is in no CSV at all
        refused(reply, 400)
        return
    await run_timer(timer("import-rows"))
    done = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert done["state"] == "done"
    assert "Good" in {lead["company"] for lead in (await client.get("/v1/leads")).json()["items"]}


@pytest.mark.parametrize(
    "name",
    [
        "Anna\r\nBcc: eve@example.com",
        "Anna\nBcc: eve@example.com",
        "=?utf-8?q?=0d=0aBcc:_eve@example.com?=",
        "A\u2028Bcc: eve@example.com",
        "A\x0bB\x85C",
    ],
)
async def test_a_name_adds_no_header_and_no_recipient_to_a_mail(nurture: Nurture, name: str) -> None:
    await nurture.journey()
    await nurture.lead(contact={"name": name, "email": "anna@rossi.example"})
    assert await nurture.work(hours=1) == 1
    [got] = nurture.server.received
    assert got.recipients == ["anna@rossi.example"]
    assert (got.message["bcc"], len(got.message.get_all("subject", []))) == (None, 1)
    head = got.raw.partition(b"\r\n\r\n")[0].lower()
    assert b"\r\nbcc:" not in head
    assert (
        b"eve@example.com"
        not in b"".join(got.raw.lower().partition(b"\r\nto:")[1:]).partition(b"\r\n\r\n")[0].partition(b"subject:")[0]
    )


NO_PLANS: list[dict[str, Any]] = [
    {"from_name": "Zoe\r\nBcc: eve@example.com"},
    {"from_name": "Zoe\x00"},
    {"reply_to": "zoe@acme.example\r\nBcc: eve@example.com"},
    {"reply_to": "zoe@acme.example, eve@example.com"},
    {"reply_to": "nobody"},
    {"steps": [{"key": "a", "mail": {"subject": "Hi\r\nBcc: eve@example.com", "text": "x"}}]},
    {"steps": [{"key": "a", "mail": {"subject": "{{ name }}\n", "text": "x"}}]},
    {"steps": [{"key": "a", "mail": {"subject": "{% for x in range(100000000) %}x{% endfor %}", "text": "x"}}]},
    {"steps": [{"key": "a", "mail": {"subject": "{{ ''.__class__.__mro__ }}", "text": "x"}}]},
    {"hours": office(timezone="Mars/Phobos")},
    {"hours": office(timezone="../../../etc/passwd")},
    {"hours": office(timezone="Europe/Berlin\x00")},
    {"hours": office(timezone="x" * 10_000)},
]


async def test_a_journey_cannot_be_written_that_would_break_a_mail(client: httpx.AsyncClient) -> None:
    for changed in NO_PLANS:
        reply = await client.post("/v1/journeys", json={"code": "bad", "name": "Bad", "plan": plan(**changed)})
        refused(reply, 400, 422)


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../../../etc/passwd", "", "x" * 2000, "Europe/Berlin "])
async def test_a_time_zone_that_is_none_delays_no_mail(
    nurture: Nurture, run_timer: Callable[[Timer], Awaitable[int]], zone: str
) -> None:
    await nurture.journey(hours=office())
    form = import_form(
        f'Ref,Name,Mail,timezone\n1,Anna,anna@rossi.example,"{zone}"\n',
        {"external_ref": "Ref", "contact.name": "Name", "contact.email": "Mail"},
    )
    form["data"]["defaults"] = json.dumps({"channel": "fair", "source": "list", "country": "DE"})
    await nurture.client.post("/v1/imports", **form)
    await run_timer(timer("import-rows"))
    [lead] = (await nurture.client.get("/v1/leads")).json()["items"]
    await nurture.agree(lead["id"])
    assert await nurture.work(days=4, hours=10) == 1


async def test_html_in_names_is_shown_as_text_in_mails(nurture: Nurture) -> None:
    evil = "<img src=x onerror=alert(1)> & Co"
    await nurture.journey()
    await nurture.lead(company=evil, contact={"name": evil, "email": "anna@rossi.example"})
    assert await nurture.work(hours=1) == 1
    [got] = nurture.server.received
    assert "<img src=x" not in got.part("html").replace("&lt;img", "")
    assert "&lt;img src=x onerror=alert(1)&gt; &amp; Co" in got.part("html")
    assert evil in got.part("plain")
