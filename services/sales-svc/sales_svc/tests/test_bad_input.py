"""What a caller may get wrong, or means ill: each is refused in words, with a problem of RFC 9457, and nothing is kept of it."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.testing_mail import MailServer
from ltc_contracts.events import Contact

from sales_svc.consumers import consumers
from sales_svc.tests.builders import lead_qualified, quote_body
from sales_svc.tests.deals import ok, opened
from sales_svc.tests.test_contract_pages import sent as sent_contract
from sales_svc.tests.test_quote_links import ANNA, HTML, linked, sent

JSON = {"content-type": "application/json"}
EVIL = "<img src=x onerror=alert(1)> & Co"
DEAL = {"name": "Rossi", "company": "Rossi", "country": "IT"}


def refused(reply: httpx.Response, *statuses: int) -> str:
    """The name of the problem of a refusal, which must be one of these."""
    assert reply.status_code in statuses, (reply.status_code, reply.text[:500])
    assert reply.headers["content-type"] == "application/problem+json"
    return str(reply.json()["type"]).removeprefix("urn:ltc:problem:")


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 65536):
        yield content[start : start + 65536]


async def test_a_body_beyond_its_route_is_413(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    large = json.dumps({**DEAL, "name": "x" * 1_100_000}).encode()
    for content in (large, in_pieces(large)):
        assert refused(await client.post("/v1/opportunities", content=content, headers=JSON), 413) == "body-too-large"
    assert (await ok(client, "GET", "/v1/opportunities"))["items"] == []
    _, path = await sent_contract(client)
    for content in (b"reason=" + b"x" * 70_000, in_pieces(b"reason=" + b"x" * 70_000)):
        reply = await anonymous.post(path, content=content, headers={**HTML, "content-type": "application/x-www-form-urlencoded"})
        assert (reply.status_code, reply.headers["content-type"]) == (413, "text/html; charset=utf-8")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({**DEAL, "name": "Müller"}, ensure_ascii=False).encode("latin-1"),
        json.dumps({**DEAL, "name": "张三"}, ensure_ascii=False).encode("gbk"),
        json.dumps(DEAL).encode("utf-16"),
        b'{"name": "\\ud800", "company": "x", "country": "IT"}',
        b'{"name": "a\\u0000b", "company": "x", "country": "IT"}',
        b'{"name": "x", "company": "x", "country": "IT", "custom": {"\\ud800": 1}}',
        b"[" * 10_000,
        b"",
        b'{"name": NaN}',
    ],
)
async def test_json_that_is_none_or_cannot_be_kept_is_refused(client: httpx.AsyncClient, content: bytes) -> None:
    refused(await client.post("/v1/opportunities", content=content, headers=JSON), 400, 422)
    assert (await ok(client, "GET", "/v1/opportunities"))["items"] == []


@pytest.mark.parametrize(
    "amount",
    [
        "1e1000000",
        "-1e1000000",
        "1E-1000000",
        "NaN",
        "sNaN",
        "Infinity",
        "9" * 10_000,
        "0." + "3" * 5000,
        "1,5",
        "3x",
        "",
        "-1",
    ],
)
async def test_a_number_that_none_can_hold_is_refused_wherever_it_stands(client: httpx.AsyncClient, amount: str) -> None:
    deal = await opened(client)
    line = quote_body()["lines"][0]
    for changed in ({"quantity": amount}, {"unit_price": amount}, {"discount_percent": amount}, {"tax_rate": amount}):
        body = quote_body(lines=[{**line, **changed}])
        refused(await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=body), 400, 422)
    if amount != "-1":
        value = {"amount": amount, "currency": "EUR"}
        refused(await client.post("/v1/opportunities", json={**DEAL, "value": value}), 400, 422)
        refused(await client.put("/v1/quotas/2026-Q1/rep/Anna", json={"value": value}), 400, 422)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31", "2026-02-30", "10000-01-01", "20260101", "\x00"])
async def test_a_day_beyond_all_calendars_is_refused(client: httpx.AsyncClient, day: str) -> None:
    deal = await opened(client)
    refused(await client.post("/v1/opportunities", json={**DEAL, "expected_close_on": day}), 422)
    refused(await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(valid_until=day)), 422)
    for path in (f"/v1/snapshots/{day}", f"/v1/snapshots/2026-01-01/changes/{day}"):
        refused(await client.get(path.replace("\x00", "%00")), 404, 422)
    refused(await client.get("/v1/reports/win-loss", params={"by": "owner", "begin": day}), 422)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/opportunities?cursor=rubbish"),
        ("GET", "/v1/opportunities?limit=-1"),
        ("GET", "/v1/opportunities?limit=99999999999999999999"),
        ("GET", "/v1/opportunities?q=%00"),
        ("GET", "/v1/opportunities?owner=a%00b"),
        ("GET", "/v1/accounts?q=%00"),
        ("GET", "/v1/approval-policy/versions?before=9007199254740993"),
        ("GET", "/v1/parked?after=1000000000000000000000000000000"),
        ("GET", "/v1/products/%00"),
        ("GET", "/v1/price-books/a%00b/prices"),
        ("GET", "/v1/pipelines/%00"),
        ("GET", "/v1/competitors/%00"),
        ("PUT", "/v1/competitors/%00"),
        ("DELETE", "/v1/opportunities"),
        ("GET", "/c/%00"),
        ("GET", "/c/" + "x" * 5000),
        ("GET", "/q/..%2f..%2fetc%2fpasswd"),
    ],
)
async def test_a_path_or_question_that_leads_nowhere_is_refused(client: httpx.AsyncClient, method: str, path: str) -> None:
    reply = await client.request(method, path, json={} if method == "PUT" else None)
    refused(reply, 400, 404, 405, 422)


@pytest.mark.parametrize(
    ("name", "value", "statuses"),
    [
        ("if-match", b"\xff", (422,)),
        ("if-match", b'"99999999999999999999"', (422,)),
        ("if-match", b"*", (422,)),
        ("idempotency-key", b"a\x00b", (400,)),
        ("idempotency-key", b"k" * 256, (400,)),
        ("content-type", b"text/plain", (422,)),
        ("content-type", b"multipart/form-data; boundary=\xff", (400, 422)),
    ],
)
async def test_a_header_breaks_nothing(client: httpx.AsyncClient, name: str, value: bytes, statuses: tuple[int, ...]) -> None:
    deal = await opened(client)
    headers = [(b"content-type", b"application/json")] if name != "content-type" else []
    body = json.dumps({"name": "New"}).encode()
    reply = await client.patch(f"/v1/opportunities/{deal['id']}", content=body, headers=[*headers, (name.encode(), value)])
    refused(reply, *statuses)
    assert (await ok(client, "GET", f"/v1/opportunities/{deal['id']}"))["name"] == "Rossi"


async def test_html_in_names_is_shown_as_text_on_every_page(client: httpx.AsyncClient, anonymous: httpx.AsyncClient) -> None:
    line = {**quote_body()["lines"][0], "description": EVIL}
    changed: dict[str, Any] = {"customer": {"name": EVIL, "country": "IT"}, "lines": [line], "contact": EVIL, "terms": EVIL}
    _, contract_page = await sent_contract(client, **changed)
    quote = await sent(client, **changed)
    _, quote_page = await linked(client, quote, email="anna@rossi.example", name=EVIL)
    for path in (contract_page, quote_page):
        page = (await anonymous.get(path, headers=HTML)).text
        assert "<img" not in page, path
        assert "&lt;img src=x onerror=alert(1)&gt; &amp; Co" in page
    form = {"action": "sign", "signed_by": EVIL, "shown": "<script>", "reason": EVIL}
    for path in (contract_page, quote_page):
        assert "<img" not in (await anonymous.post(path, data={**form, "name": EVIL}, headers=HTML)).text


@pytest.mark.parametrize(
    "name", ["Rossi\r\nBcc: eve@example.com", "=?utf-8?q?=0d=0aBcc:_eve@example.com?=", "Rossi\u2028Bcc: eve@example.com"]
)
async def test_a_name_adds_no_header_and_no_recipient_to_a_mail(
    client: httpx.AsyncClient, mail_server: MailServer, send_mails: Callable[[], Awaitable[int]], name: str
) -> None:
    body = {"customer": {"name": name, "country": "IT"}, "contact": name}
    recipient = {**ANNA, "name": name}
    deal = await opened(client)
    made = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(**body))
    if made.status_code != 201:
        refused(made, 400, 422)
        return
    reply = await client.post(f"/v1/quotes/{made.json()['id']}/send", json={"recipients": [recipient]})
    if reply.status_code != 200:
        refused(reply, 400, 422)
        reply = await client.post(f"/v1/quotes/{made.json()['id']}/send", json={"recipients": [ANNA]})
        assert reply.status_code == 200, reply.text
    await send_mails()
    [got] = mail_server.received
    assert (got.recipients, got.message["bcc"]) == (["anna@rossi.example"], None)
    assert b"\r\nbcc:" not in got.raw.partition(b"\r\n\r\n")[0].lower()


async def test_a_lead_with_odd_names_becomes_a_deal_all_the_same(client: httpx.AsyncClient, deliver: Any) -> None:
    names = [EVIL, "=cmd|' /C calc'!A0", "'; DROP TABLE opportunity; --", "\u202egnp.exe", "x" * 200, "💥" * 100]
    for name in names:
        event = lead_qualified(company=name, contact=Contact(name=name, email="not an address"))
        assert await deliver(consumers, event, flow_id=event.lead_id) == "processed"
    found = (await ok(client, "GET", "/v1/opportunities?limit=50"))["items"]
    assert [each["company"] for each in found] == names
