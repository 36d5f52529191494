"""Contracts over HTTP: library, templates, negotiation, signatures, proofs."""

import asyncio
import hashlib
import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer
from pypdf import PdfReader

from sales_svc import timers
from sales_svc.tests.builders import quote_body
from sales_svc.tests.deals import Json, accepted, drafted, line, ok, opened

Emissions = Callable[[], Awaitable[list[Emitted]]]
RunTimer = Callable[[Timer], Awaitable[int]]
SIGN = {"signed_by": "Anna Rossi"}
TIMERS = {timer.name: timer for timer in timers.TIMERS}


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(pdf)).pages)


async def clause(client: httpx.AsyncClient, code: str, text: str, language: str = "en", *, approve: bool = True) -> Json:
    body = {"code": code, "language": language, "title": code.title(), "text": text}
    made: Json = await ok(client, "POST", "/v1/clauses", body, status=201)
    return await ok(client, "POST", f"/v1/clauses/{made['id']}/approve") if approve else made


async def template(client: httpx.AsyncClient, *codes: Any, **changed: Any) -> Json:
    items = [each if isinstance(each, dict) else {"code": each} for each in codes]
    body = {"code": "ours", "name": "Ours", "language": "en", "clauses": items, **changed}
    made: Json = await ok(client, "POST", "/v1/contract-templates", body, status=201)
    return made


def negotiated(contract: Json, **changed: Any) -> Json:
    return {"contract_version": contract["contract_version"], "reason": "their counsel", **changed}


async def problem(client: httpx.AsyncClient, method: str, path: str, body: Any = None) -> tuple[int, str]:
    reply = await client.request(method, path, json=body)
    return reply.status_code, reply.json()["type"].removeprefix("urn:ltc:problem:")


async def test_a_contract_is_drawn_up_from_the_template_that_fits(client: httpx.AsyncClient) -> None:
    english = await drafted(client)
    assert (english["template"], english["language"], english["state"]) == ("standard", "en", "draft")
    assert "The price is 5,350.66 EUR plus tax of 1,177.15 EUR, in total 6,527.81 EUR." in english["document"]
    chinese = await drafted(client, customer={"name": "深圳设备", "country": "CN"})
    assert (chinese["template"], chinese["language"]) == ("standard-zh", "zh")
    assert "合同价款为 5,350.66 EUR" in chinese["document"]
    named = await drafted(client, None, {"template": "subscription"})
    assert named["terms"] == {"months": 12, "auto_renew": True, "renewal_months": 12, "notice_days": 90}
    assert "This contract runs for 12 months." in named["document"]
    quote = await accepted(client, await opened(client))
    assert await problem(client, "POST", f"/v1/quotes/{quote['id']}/contract", {"template": "nothing"}) == (404, "not-found")


async def test_a_contract_is_in_the_language_of_the_offer_and_says_all_that_was_offered(client: httpx.AsyncClient) -> None:
    use = {"sku": "API", "description": "API calls", "quantity": "5000", "unit_price": "12.50", "base_quantity": "1000"}
    use |= {"kind": "usage", "meter": "api_calls", "unit": "call", "tax_rate": "22", "discount_percent": "10"}
    seat: Json = {"sku": "SEAT", "description": "Seat", "quantity": "3", "unit_price": "40.00", "tax_rate": "22"}
    seat |= {"kind": "recurring", "period": "month", "periods": 12}
    offer: Json = {
        "lines": [seat, use],
        "terms": "Price valid for one site only.",
        "contact": "Anna Rossi",
        "address": ["Via Roma 1", "20121 Milano"],
    }
    await clause(client, "run", "Runs.")
    recurring = {"field": "recurring", "is": "eq", "value": True}
    await template(client, "run", condition=recurring, priority=20)
    contract = await drafted(client, **offer)
    assert contract["template"] == "ours"
    document = json.loads(contract["document"])
    [open_use] = document["use"]
    assert (open_use["meter"], open_use["prices"][0]["unit_price"], document["totals"]["net"]) == (
        "api_calls",
        "12.50",
        "1440.00",
    )
    pdf = await client.get(f"/v1/contracts/{contract['id']}/contract.pdf")
    text = " ".join(text_of(pdf.content).split())
    for wanted in ("Via Roma 1", "Anna Rossi", "Paid by use", "12.50 EUR", "per 1000 call", "10 %", "one site only", "1,440.00"):
        assert wanted in text
    await ok(client, "POST", f"/v1/contracts/{contract['id']}/sign", SIGN)
    assert (await ok(client, "GET", f"/v1/contracts/{contract['id']}/verify"))["intact"]
    chinese = await drafted(client, language="zh", lines=[line("100.00")])
    assert (chinese["template"], chinese["template_version"], chinese["language"]) == ("standard-zh", 2, "zh")


async def test_a_clause_is_used_once_approved_and_its_latest_version_unless_one_is_fixed(client: httpx.AsyncClient) -> None:
    await clause(client, "pay", "first")
    await clause(client, "fixed", "oldest")
    await template(client, "pay", {"code": "fixed", "version": 1}, priority=5)
    await clause(client, "pay", "second")
    await clause(client, "fixed", "newest")
    third = await clause(client, "pay", "third", approve=False)
    assert third["version"] == 3
    before = await drafted(client)
    assert [word in before["document"] for word in ("first", "second", "third", "oldest", "newest")] == [
        False,
        True,
        False,
        True,
        False,
    ]
    approved = await ok(client, "POST", f"/v1/clauses/{third['id']}/approve")
    assert approved["approved_by"] == "test"
    assert await problem(client, "POST", f"/v1/clauses/{third['id']}/approve") == (409, "clause-approved")
    assert "third" in (await drafted(client))["document"]
    versions = (await ok(client, "GET", "/v1/clauses?code=pay&language=en"))["items"]
    assert [(each["version"], each["text"]) for each in versions] == [(1, "first"), (2, "second"), (3, "third")]
    assert (await ok(client, "GET", f"/v1/clauses/{third['id']}"))["text"] == "third"


async def test_a_library_version_cannot_be_edited_even_in_the_database(client: httpx.AsyncClient, db: Database) -> None:
    await clause(client, "pay", "first")
    contract = await drafted(client)
    async with db.connection() as conn:
        for statement in (
            "UPDATE clause SET text = 'x'",
            "DELETE FROM clause",
            "UPDATE contract_template SET priority = 9",
            "UPDATE contract_version SET document = 'x'",
            "DELETE FROM contract_version",
            "UPDATE contract_record SET by = 'x'",
        ):
            with pytest.raises(asyncpg.RestrictViolationError):
                await conn.execute(statement)
    assert (await ok(client, "GET", f"/v1/contracts/{contract['id']}/verify"))["intact"]


async def test_clauses_and_templates_depend_on_conditions(client: httpx.AsyncClient) -> None:
    for code in ("base", "export", "large"):
        await clause(client, code, f"text of {code}")
    large = {"code": "large", "condition": {"field": "net", "is": "gte", "value": 1000}}
    export = {"code": "export", "condition": {"not": {"field": "country", "is": "in", "value": ["IT", "DE"]}}}
    await template(client, "base", large, export, priority=5, condition={"field": "currency", "is": "eq", "value": "EUR"})
    small = await drafted(client, lines=[line("999.99")])
    swiss = await drafted(client, lines=[line("1000.00", tax_rate="0")], customer={"name": "Huber", "country": "CH"})
    assert [f"text of {code}" in small["document"] for code in ("base", "large", "export")] == [True, False, False]
    assert [f"text of {code}" in swiss["document"] for code in ("base", "large", "export")] == [True, True, True]
    yen = await drafted(client, currency="JPY", lines=[line("1000")])
    assert yen["template"] == "standard"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"condition": {"field": "colour", "is": "eq", "value": "red"}}, "condition.field"),
        ({"clauses": [{"code": "scope"}, {"code": "scope"}]}, "clauses.1.code"),
        ({"clauses": [{"code": "nothing"}]}, "clauses.0"),
        ({"clauses": [{"code": "scope", "version": 9}]}, "clauses.0"),
        ({"terms": {"auto_renew": True, "notice_days": 30}}, "terms.months"),
        ({"terms": {"months": 12, "auto_renew": True}}, "terms.notice_days"),
        ({"valid_from": "2025-01-01T00:00:00Z"}, "valid_from"),
    ],
)
async def test_a_template_that_makes_no_sense_names_the_place(client: httpx.AsyncClient, changed: Json, field: str) -> None:
    body = {"code": "ours", "name": "Ours", "language": "en", "clauses": [{"code": "scope"}], **changed}
    reply = await client.post("/v1/contract-templates", json=body)
    assert (reply.status_code, reply.json()["field"]) == (400, field)


async def test_a_clause_with_a_hole_or_without_approval_stops_the_drafting(client: httpx.AsyncClient) -> None:
    reply = await client.post("/v1/clauses", json={"code": "x", "language": "en", "title": "X", "text": "{{ secret }}"})
    assert (reply.status_code, reply.json()["field"]) == (400, "text")
    await clause(client, "we", "We are {{ our.name }}.")
    await template(client, "we", priority=5)
    quote = await accepted(client, await opened(client))
    path = f"/v1/quotes/{quote['id']}/contract"
    assert await problem(client, "POST", path) == (409, "placeholder-empty")
    await ok(client, "PUT", "/v1/letterhead", {"name": "Nord GmbH"})
    assert "We are Nord GmbH." in (await ok(client, "POST", path))["document"]
    await clause(client, "new", "not approved", approve=False)
    await template(client, "new", code="later", priority=9)
    other = await accepted(client, await opened(client))
    assert await problem(client, "POST", f"/v1/quotes/{other['id']}/contract") == (409, "clause-missing")


async def test_each_round_of_negotiation_is_a_version_with_its_differences(client: httpx.AsyncClient) -> None:
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}"
    change = {"code": "payment", "text": "The price is {{ total.net }}. Invoices are payable within 45 days of their date."}
    second = await ok(client, "POST", f"{path}/versions", negotiated(contract, changes=[change]), status=201)
    assert (second["contract_version"], second["author"], second["reason"]) == (2, "test", "their counsel")
    audit = {"code": "audit", "title": "Audit", "text": "The Customer may audit.", "after": "payment"}
    now = await ok(client, "GET", path)
    third = await ok(client, "POST", f"{path}/versions", negotiated(now, additions=[audit], removals=["title"]), status=201)
    assert third["document_sha256"] == hashlib.sha256(third["document"].encode()).hexdigest()
    found = await ok(client, "GET", f"{path}/differences?older=1&newer=3")
    assert found["facts"] == [], "words never change what was priced"
    what = {each["code"]: each["what"] for each in found["clauses"]}
    assert (what["payment"], what["audit"], what["title"], what["scope"]) == ("changed", "added", "removed", "unchanged")
    [words] = [each["pieces"] for each in found["clauses"] if each["code"] == "payment"]
    assert "".join(each["text"] for each in words if each["op"] != "delete").endswith("within 45 days of their date.")
    assert {"op": "delete", "text": "30 "} in words
    assert [each["reason"] for each in await ok(client, "GET", f"{path}/versions")] == [
        "drawn up",
        "their counsel",
        "their counsel",
    ]
    assert await problem(client, "GET", f"{path}/differences?older=1&newer=9") == (404, "not-found")


async def test_words_cannot_change_what_was_priced_but_a_newly_accepted_quote_does(
    client: httpx.AsyncClient, emitted: Emissions
) -> None:
    deal = await opened(client)
    contract = await drafted(client, deal)
    path = f"/v1/contracts/{contract['id']}"
    for key, value in (("lines", []), ("net", "1"), ("payment_terms_days", 90)):
        assert (await client.post(f"{path}/versions", json=negotiated(contract, **{key: value}))).status_code == 422
    change = {"code": "liability", "text": "Limited to twice {{ total.net }}."}
    await ok(client, "POST", f"{path}/versions", negotiated(contract, changes=[change]))
    await ok(client, "POST", f"{path}/send")
    dearer = await accepted(client, deal, lines=[line("7000.00")])
    assert (await ok(client, "GET", f"/v1/quotes/{contract['quote_id']}"))["state"] == "superseded"
    assert await problem(client, "POST", f"{path}/sign", SIGN) == (409, "wrong-transition"), "its quote is superseded"
    repriced = await ok(client, "POST", f"/v1/quotes/{dearer['id']}/contract")
    assert (repriced["id"], repriced["contract_version"], repriced["state"]) == (contract["id"], 3, "in_negotiation")
    assert "Limited to twice 7,000.00 EUR." in repriced["document"]
    facts = {each["fact"] for each in (await ok(client, "GET", f"{path}/differences?older=2&newer=3"))["facts"]}
    assert facts == {"quote", "lines", "net", "tax", "gross"}
    await ok(client, "POST", f"{path}/send")
    await ok(client, "POST", f"{path}/sign", SIGN)
    signed = next(each.event for each in await emitted() if each.topic == "contract.signed")
    assert (str(signed.net.amount), signed.contract_version, str(signed.quote_id)) == ("7000.00", 3, dearer["id"])


async def test_of_two_rounds_on_the_same_version_one_wins(client: httpx.AsyncClient) -> None:
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}/versions"
    rounds = [negotiated(contract, changes=[{"code": "payment", "text": text}]) for text in ("one", "two", "three")]
    replies = await asyncio.gather(*(client.post(path, json=body) for body in rounds))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409]
    assert len(await ok(client, "GET", path)) == 2


async def test_the_pdf_is_printed_once_and_its_bytes_are_what_is_signed_and_served(
    client: httpx.AsyncClient, emitted: Emissions
) -> None:
    await ok(client, "PUT", "/v1/letterhead", {"name": "Nord GmbH", "address": ["Hafen 1", "20457 Hamburg"]})
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}"
    draft = await client.get(f"{path}/contract.pdf")
    assert (draft.headers["content-type"], draft.headers["cache-control"]) == ("application/pdf", "no-store")
    sent = await ok(client, "POST", f"{path}/send")
    assert (sent["state"], sent["sign_by"]) == ("sent", "2026-01-31")
    pdf = (await client.get(f"{path}/contract.pdf")).content
    assert pdf != draft.content
    assert hashlib.sha256(pdf).hexdigest() == sent["pdf_sha256"]
    text = text_of(pdf)
    for wanted in (
        "Nord GmbH",
        "Rossi",
        "Subject of the contract",
        "5,350.66",
        "6,527.81 EUR",
        "Premium support",
        contract["number"],
    ):
        assert wanted in text
    # Whatever the company is called tomorrow, the document stays as it is.
    await ok(client, "PUT", "/v1/letterhead", {"name": "Other AG"})
    signed = await ok(client, "POST", f"{path}/sign", SIGN)
    assert (await client.get(f"{path}/contract.pdf")).content == pdf
    event = next(each.event for each in await emitted() if each.topic == "contract.signed")
    assert (event.pdf_sha256, event.document_sha256) == (signed["pdf_sha256"], signed["document_sha256"])
    assert event.document_sha256 == hashlib.sha256(signed["document"].encode()).hexdigest()


async def test_the_certificate_names_who_signed_what_when_and_from_where(client: httpx.AsyncClient) -> None:
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}"
    assert await problem(client, "GET", f"{path}/certificate.pdf") == (409, "wrong-transition")
    signed = await ok(client, "POST", f"{path}/sign", SIGN)
    first = await client.get(f"{path}/certificate.pdf")
    text = text_of(first.content)
    for wanted in (
        "Anna Rossi",
        signed["pdf_sha256"],
        signed["document_sha256"],
        "2026-01-01 00:00:00 UTC",
        "127.0.0.1",
        "drawn up",
    ):
        assert wanted in text.replace("\n", "") or wanted in text
    assert (await client.get(f"{path}/certificate.pdf")).content == first.content


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE contract_version SET pdf = set_byte(pdf, 100, (get_byte(pdf, 100) + 1) % 256)",
            {"PDF", "signature of the customer: PDF"},
        ),
        (
            "UPDATE contract_version SET document = replace(document, '6527.81', '6527.80')",
            {"canonical text", "signature of the customer: canonical text"},
        ),
        ("UPDATE contract SET document = replace(document, '6527.81', '6527.80')", {"canonical text of the contract"}),
        ("UPDATE contract SET pdf_sha256 = repeat('5c', 32)", {"PDF's digest of the contract"}),
        ("UPDATE quote SET payment_terms_days = 90", {"canonical text from its parts"}),
        ("UPDATE contract_record SET by = 'Eve' WHERE happening = 'signed'", {"audit record 2: signed"}),
        ("DELETE FROM contract_record WHERE happening = 'drawn_up'", {"audit record 1: signed"}),
        ("UPDATE contract_signature SET name = 'Eve'", {"signatures and audit trail"}),
        ("DELETE FROM contract_signature", {"signatures and audit trail"}),
        ("UPDATE contract_certificate SET pdf = pdf || '\\x00'::bytea", {"certificate"}),
    ],
)
async def test_a_changed_row_is_found_wherever_it_was_changed(
    client: httpx.AsyncClient, db: Database, statement: str, expected: set[str]
) -> None:
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}"
    await ok(client, "POST", f"{path}/sign", SIGN)
    assert (await client.get(f"{path}/certificate.pdf")).status_code == 200
    before = await ok(client, "GET", f"{path}/verify")
    assert before["intact"]
    assert len(before["checks"]) == 13
    async with db.connection() as conn, conn.transaction():
        # Somebody with all rights in the database, whom no trigger stops.
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute(statement)
    found = await ok(client, "GET", f"{path}/verify")
    assert not found["intact"]
    assert {check["what"] for check in found["checks"] if not check["ok"]} == expected


async def test_a_tampered_pdf_is_not_signed(client: httpx.AsyncClient, db: Database) -> None:
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}"
    await ok(client, "POST", f"{path}/send")
    async with db.connection() as conn, conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute("UPDATE contract_version SET pdf = pdf || '\\x00'::bytea")
    assert await problem(client, "POST", f"{path}/sign", SIGN) == (409, "document-changed")


async def test_our_signature_is_awaited_where_the_template_asks_for_it(client: httpx.AsyncClient, emitted: Emissions) -> None:
    await template(client, "scope", "general", priority=5, countersign=True)
    contract = await drafted(client)
    path = f"/v1/contracts/{contract['id']}"
    assert (await ok(client, "POST", f"{path}/sign", SIGN))["state"] == "countersigning"
    assert "contract.signed" not in [each.topic for each in await emitted()]
    assert await problem(client, "POST", f"{path}/sign", SIGN) == (409, "wrong-transition")
    done = await ok(client, "POST", f"{path}/countersign", {"signed_by": "Nora Nord"})
    assert (done["state"], done["signed_by"]) == ("signed", "Anna Rossi")
    assert [each.topic for each in await emitted()][-2:] == ["contract.signed", "opportunity.won"]
    trail = await ok(client, "GET", f"{path}/trail")
    assert [each["happening"] for each in trail] == ["drawn_up", "signed", "countersigned"]
    assert "Nora Nord" in text_of((await client.get(f"{path}/certificate.pdf")).content)
    assert (await ok(client, "GET", f"{path}/verify"))["intact"]


async def test_a_declined_or_expired_contract_is_final_and_another_is_drawn_up(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: RunTimer
) -> None:
    first = await drafted(client)
    assert (await client.post(f"/v1/contracts/{first['id']}/decline", json={"reason": ""})).status_code == 422
    declined = await ok(client, "POST", f"/v1/contracts/{first['id']}/decline", {"reason": "too long"})
    assert (declined["state"], declined["closed_reason"]) == ("declined", "too long")
    second = await ok(client, "POST", f"/v1/quotes/{first['quote_id']}/contract")
    assert second["id"] != first["id"]
    await ok(client, "POST", f"/v1/contracts/{second['id']}/send")
    clock.advance(days=30)
    assert await run_timer(TIMERS["expire-contracts"]) == 0
    clock.advance(days=1)
    assert await problem(client, "POST", f"/v1/contracts/{second['id']}/sign", SIGN) == (409, "time-to-sign-over")
    assert await run_timer(TIMERS["expire-contracts"]) == 1
    assert await run_timer(TIMERS["expire-contracts"]) == 0
    assert (await ok(client, "GET", f"/v1/contracts/{second['id']}"))["state"] == "expired"
    assert [each["id"] for each in (await ok(client, "GET", "/v1/contracts?state=expired"))["items"]] == [second["id"]]
    assert await problem(client, "POST", f"/v1/contracts/{second['id']}/send") == (409, "wrong-transition")


async def test_a_day_beyond_the_calendar_is_no_defect(client: httpx.AsyncClient) -> None:
    for day in ("9999-12-31", "0001-01-01"):
        deal = await opened(client)
        reply = await client.post(f"/v1/opportunities/{deal['id']}/quotes", json=quote_body(requested_on=day))
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (422, "requested_on")
    body = {"code": "x", "language": "en", "title": "X", "text": "x", "valid_from": "9999-12-31T23:59:59-14:00"}
    assert (await client.post("/v1/clauses", json=body)).status_code == 422
