"""RULES 1: the public pool, the protection lease with its golden dates, and what a duplicate is."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer
from ltc_contracts.events import Contact

from lead_svc.domain import protection as rules
from lead_svc.domain.identity import keys_of, normal_email, normal_name, site_domain
from lead_svc.domain.phone import normal_phone
from lead_svc.domain.protection import Lease, Policy, Situation
from lead_svc.tests.builders import capture, import_form, timer

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
As = Callable[..., httpx.AsyncClient]
POLICY = Policy("test", 10, 3, 20, 7, 2, frozenset({"reply"}))
NOBODY = Situation(holders=(), busy=(), held=0, left_at=None)
IMPORT, RETURN = timer("import-rows"), timer("return-to-pool")


def day(month: int, number: int) -> datetime:
    return datetime(2026, month, number, 9, tzinfo=UTC)


def lease_from(moment: datetime) -> Lease:
    return rules.claim(lease_id=new_id(), lead_id=new_id(), rep="anna", situation=NOBODY, policy=POLICY, now=moment)


def test_golden_dates_of_the_lease() -> None:
    lease = lease_from(day(3, 25))
    assert lease.until == day(4, 4)
    for on, until in ((day(3, 28), day(4, 4)), (day(4, 2), day(4, 5)), (day(4, 5), day(4, 8))):
        lease = rules.extend(lease, "reply", POLICY, on)
        assert lease.until == until
    for on in (day(4, 8), day(4, 11), day(4, 13), day(4, 14)):
        lease = rules.extend(lease, "reply", POLICY, on)
    assert lease.until == day(4, 14)
    assert not lease.is_due(day(4, 14))
    assert lease.is_due(day(4, 14) + timedelta(seconds=1))
    assert rules.end(lease, "expired", day(4, 20)).ended_at == day(4, 14)
    assert rules.end(lease, "released", day(4, 10)).ended_at == day(4, 10)


async def test_the_wait_of_a_former_owner_begins_when_his_time_was_up_however_late_that_was_seen(
    client: httpx.AsyncClient, rep: As, clock: FixedClock, run_timer: Run
) -> None:
    lead = await capture(client)
    assert (await rep("anna").post(f"/v1/leads/{lead}/claim")).is_success
    clock.advance(days=15)
    assert await run_timer(RETURN) == 1
    clock.advance(days=1, hours=23)
    assert (await rep("anna").post(f"/v1/leads/{lead}/claim")).json()["type"] == "urn:ltc:problem:cooling-off"
    clock.advance(hours=1)
    assert (await rep("anna").post(f"/v1/leads/{lead}/claim")).is_success


@given(st.lists(st.floats(0, 40, allow_nan=False), max_size=30))
def test_whatever_happens_the_lease_never_shrinks_and_ends_by_its_limit(days: list[float]) -> None:
    lease = lease_from(day(3, 25))
    for offset in sorted(days):
        longer = rules.extend(lease, "reply", POLICY, day(3, 25) + timedelta(days=offset))
        assert lease.until <= longer.until <= longer.limit_at == day(4, 14)
        lease = longer
    assert rules.extend(lease, "form", POLICY, day(3, 26)) == lease


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        (" Anna.Rossi+ads@Gmail.com ", "annarossi@gmail.com"),
        ("a.b@Example.COM", "a.b@example.com"),
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("nobody", None),
        ("@x.example", None),
    ],
)
def test_an_address_has_one_form(written: str, normal: str | None) -> None:
    assert normal_email(written) == normal


@pytest.mark.parametrize(
    ("written", "country", "normal"),
    [
        ("030 901820", "DE", "+4930901820"),
        ("+49 (30) 901820", None, "+4930901820"),
        ("0039 06 6982", "DE", "+39066982"),
        ("030 901820", None, None),
        ("call me", "DE", None),
        ("1" * 40, "DE", None),
    ],
)
def test_a_phone_number_has_one_form(written: str, country: str | None, normal: str | None) -> None:
    assert normal_phone(written, country) == normal


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://www.Rossi.example/about?x=1", "rossi.example"),
        ("rossi.example:8080", "rossi.example"),
        ("localhost", None),
        ("http://[broken", None),
        ("", None),
    ],
)
def test_a_site_is_its_domain(written: str, normal: str | None) -> None:
    assert site_domain(written) == normal


def test_a_name_is_without_accents_and_legal_forms() -> None:
    assert normal_name("Rössi Impianti S.p.A.", "Anna") == normal_name("ROSSI Impianti, SPA", "anna") == "rossi impianti anna"
    assert normal_name("GmbH", "Anna Rossi") is None
    assert normal_name("X", None) is None


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.text(max_size=40))
def test_any_text_has_keys_or_none_but_never_an_error(company: str, site: str, email: str, phone: str) -> None:
    contact = Contact(name=company[:200] or None, email=email, phone=phone)
    for key in keys_of(company=company, website=site, country="DE", contact=contact, shared_domains=()):
        assert key.value


def test_a_free_mail_domain_is_no_company() -> None:
    keys = keys_of(company=None, website=None, country=None, contact=Contact(email="a@gmail.com"), shared_domains={"gmail.com"})
    assert {key.kind for key in keys} == {"email"}


async def pool(client: httpx.AsyncClient) -> list[str]:
    return [item["id"] for item in (await client.get("/v1/pool")).json()["items"]]


async def test_a_claimed_lead_leaves_the_pool_and_returns_when_its_time_is_up(
    client: httpx.AsyncClient, rep: As, clock: FixedClock, run_timer: Run, emitted: Emissions
) -> None:
    lead = await capture(client)
    assert await pool(client) == [lead]
    made = await rep("anna").post(f"/v1/leads/{lead}/claim")
    assert (made.status_code, made.json()["owner"], made.json()["until"]) == (201, "anna", "2026-01-11T00:00:00Z")
    assert (await rep("anna").post(f"/v1/leads/{lead}/claim")).json() == made.json()
    assert await pool(client) == []
    assert (await client.get(f"/v1/leads/{lead}")).json()["owner"] == "anna"
    clock.advance(days=10)
    assert await run_timer(RETURN) == 0
    clock.advance(seconds=1)
    assert await pool(client) == [lead]  # late timers protect nobody
    assert await run_timer(RETURN) == 1
    assert await run_timer(RETURN) == 0
    assert (await client.get(f"/v1/leads/{lead}")).json()["owner"] is None
    events = [event for event in await emitted() if event.topic in ("lead.assigned", "lead.released")]
    assert [(event.topic, event.event.owner, event.sequence) for event in events] == [
        ("lead.assigned", "anna", 2),
        ("lead.released", "anna", 3),
    ]
    shown = (await client.get(f"/v1/leads/{lead}/protection")).json()
    assert (shown["current"], [each["ended_by"] for each in shown["history"]]) == (None, ["expired"])


async def test_golden_dates_over_http(client: httpx.AsyncClient, rep: As, clock: FixedClock, emitted: Emissions) -> None:
    clock.advance(days=(day(3, 25) - datetime(2026, 1, 1, 9, tzinfo=UTC)).days)
    lead = await capture(client)
    await rep("anna").post(f"/v1/leads/{lead}/claim")
    seen = []
    for days in (3, 5, 3, 3, 3, 3):  # 03-28, 04-02, 04-05, 04-08, 04-11, 04-14
        clock.advance(days=days)
        await client.post(f"/v1/leads/{lead}/activities", json={"activity": "reply"})
        seen.append((await client.get(f"/v1/leads/{lead}/protection")).json()["current"]["until"][5:10])
    assert seen == ["04-04", "04-05", "04-08", "04-11", "04-14", "04-14"]
    assert [event.event.how for event in await emitted() if event.topic == "lead.assigned"] == ["claimed", *["extended"] * 4]


async def test_fifty_claims_at_once_have_one_winner(client: httpx.AsyncClient, rep: As, emitted: Emissions) -> None:
    lead = await capture(client)
    replies = await asyncio.gather(*(rep(f"rep{number}").post(f"/v1/leads/{lead}/claim") for number in range(50)))
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 49]
    assert {reply.json()["type"] for reply in replies if reply.status_code == 409} == {"urn:ltc:problem:lead-protected"}
    assert [event.topic for event in await emitted()].count("lead.assigned") == 1


async def test_claims_of_duplicates_at_once_have_one_winner(
    client: httpx.AsyncClient, rep: As, db: Database, emitted: Emissions
) -> None:
    """A is like B by e-mail, B like C by phone; whoever gets one of them has B, so nobody gets another."""
    a = await capture(client, contact={"email": "anna@gmail.com"})
    b = await capture(client, country="DE", contact={"email": "ANNA+x@gmail.com", "phone": "030 901820"})
    c = await capture(client, contact={"phone": "+4930901820"})
    claims = [rep(f"rep{number}").post(f"/v1/leads/{(a, b, c)[number % 3]}/claim") for number in range(30)]
    replies = await asyncio.gather(*claims)
    won = [reply.json() for reply in replies if reply.status_code == 201]
    assert len(won) == 1
    assert [event.topic for event in await emitted()].count("lead.assigned") == 1
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lease WHERE ended_at IS NULL") == 1


async def test_a_claim_protects_every_duplicate_even_one_that_comes_later(
    client: httpx.AsyncClient, rep: As, run_timer: Run
) -> None:
    first = await capture(client, company="Rossi Impianti S.p.A.", contact={"name": "Anna Rossi", "email": "anna@rossi.example"})
    same_name = await capture(client, company="Rossi Impianti", contact={"name": "Ana Rossi"})
    other = await capture(client, company="Bianchi", contact={"email": "b@bianchi.example"})
    found = (await client.get(f"/v1/leads/{first}/duplicates")).json()
    assert found == {"items": [{"lead_id": same_name, "matched_on": ["name"]}], "total": 1, "more": False}
    await rep("anna").post(f"/v1/leads/{first}/claim")
    later = await capture(client, website="https://www.rossi.example")
    csv = "Ref,Channel,Source,Mail\nr1,web,Google,info@rossi.example\n"
    mapping = {"external_ref": "Ref", "channel": "Channel", "source": "Source", "contact.email": "Mail"}
    await client.post("/v1/imports", **import_form(csv, mapping))
    await run_timer(IMPORT)
    [imported] = [item["id"] for item in (await client.get("/v1/leads", params={"external_ref": "r1"})).json()["items"]]
    assert await pool(client) == [other]
    for lead in (first, same_name, later, imported):
        refused = await rep("bert").post(f"/v1/leads/{lead}/claim")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:lead-protected")
        assert "anna" not in refused.text
        assert first not in refused.text
    assert (await rep("anna").post(f"/v1/leads/{later}/claim")).json()["lead_id"] == first


async def test_a_former_owner_waits_and_another_does_not(
    client: httpx.AsyncClient, rep: As, clock: FixedClock, run_timer: Run
) -> None:
    lead = await capture(client, contact={"email": "x@x.example"})
    twin = await capture(client, contact={"email": "X@x.example"})
    await rep("anna").post(f"/v1/leads/{lead}/claim")
    assert (await rep("bert").post(f"/v1/leads/{lead}/release")).status_code == 403
    assert (await rep("anna").post(f"/v1/leads/{lead}/release")).json()["ended_by"] == "released"
    assert (await rep("anna").post(f"/v1/leads/{lead}/release")).status_code == 404
    for each in (lead, twin):
        refused = await rep("anna").post(f"/v1/leads/{each}/claim")
        assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:cooling-off")
    assert (await rep("bert").post(f"/v1/leads/{twin}/claim")).status_code == 201
    clock.advance(days=11)
    await run_timer(RETURN)
    assert (await rep("anna").post(f"/v1/leads/{lead}/claim")).status_code == 201
    # Bert's time was up a day ago, however late anybody looked.
    await client.post(f"/v1/leads/{lead}/release")
    clock.advance(days=5, hours=23)
    assert (await rep("bert").post(f"/v1/leads/{lead}/claim")).status_code == 409
    clock.advance(hours=1)
    assert (await rep("bert").post(f"/v1/leads/{lead}/claim")).status_code == 201


async def test_a_claim_after_the_time_is_up_needs_no_timer(
    client: httpx.AsyncClient, rep: As, clock: FixedClock, emitted: Emissions
) -> None:
    lead = await capture(client)
    await rep("anna").post(f"/v1/leads/{lead}/claim")
    clock.advance(days=30)
    assert (await rep("bert").post(f"/v1/leads/{lead}/claim")).json()["owner"] == "bert"
    story = [
        (event.topic, event.event.owner) for event in await emitted() if event.topic[:13] in ("lead.assigned", "lead.released")
    ]
    assert story == [("lead.assigned", "anna"), ("lead.released", "anna"), ("lead.assigned", "bert")]


async def test_a_rep_holds_so_many_and_no_more_even_at_once(client: httpx.AsyncClient, rep: As) -> None:
    policy = {
        "version": "v2",
        "valid_from": "2026-01-01T00:00:00Z",
        "protection_days": 5,
        "extension_days": 1,
        "limit_days": 9,
        "cooling_off_days": 0,
        "max_held": 3,
        "qualifying": ["reply"],
    }
    assert (await client.post("/v1/protection-policies", json=policy)).status_code == 201
    ids = [await capture(client) for _ in range(8)]
    replies = await asyncio.gather(*(rep("anna").post(f"/v1/leads/{lead}/claim") for lead in ids))
    assert sorted(reply.status_code for reply in replies) == [201] * 3 + [409] * 5
    assert "urn:ltc:problem:too-many-held" in {reply.json().get("type") for reply in replies}
    held = (await client.get("/v1/leases", params={"owner": "anna"})).json()["items"]
    assert [lease["until"] for lease in held] == ["2026-01-06T00:00:00Z"] * 3


async def test_a_policy_is_versioned_and_checked(client: httpx.AsyncClient, rep: As) -> None:
    policy = {
        "version": "v2",
        "valid_from": "2026-02-01T00:00:00Z",
        "protection_days": 5,
        "extension_days": 1,
        "limit_days": 9,
        "cooling_off_days": 0,
        "max_held": 3,
        "qualifying": [],
    }
    assert (await rep("anna").post("/v1/protection-policies", json=policy)).status_code == 403
    past = await client.post("/v1/protection-policies", json={**policy, "valid_from": "2025-01-01T00:00:00Z"})
    assert (past.status_code, past.json()["field"]) == (400, "valid_from")
    short = await client.post("/v1/protection-policies", json={**policy, "limit_days": 4})
    assert (short.status_code, short.json()["field"]) == (400, "limit_days")
    assert (await client.post("/v1/protection-policies", json=policy)).json()["created_by"] == "test"
    assert (await client.post("/v1/protection-policies", json=policy)).json()["type"] == "urn:ltc:problem:policy-exists"
    assert [each["version"] for each in (await client.get("/v1/protection-policies")).json()] == ["v2", "v1"]


async def test_a_qualified_lead_goes_to_who_protects_it_and_stays_off_limits(
    client: httpx.AsyncClient, rep: As, emitted: Emissions
) -> None:
    lead = await capture(client, contact={"email": "x@x.example"})
    twin = await capture(client, contact={"email": "x@x.example"})
    third = await capture(client, contact={"email": "x@x.example"})
    await rep("anna").post(f"/v1/leads/{lead}/claim")
    refused = await client.post(f"/v1/leads/{twin}/qualify", json={"owner": "bert"})
    assert (refused.status_code, refused.json()["field"]) == (409, "owner")
    assert (await client.post(f"/v1/leads/{twin}/activities", json={"activity": "demo_request"})).json()["owner"] == "anna"
    eager = await capture(client, contact={"email": "x@x.example"}, activities=[{"activity": "demo_request"}])
    assert (await client.get(f"/v1/leads/{eager}")).json()["owner"] == "anna"
    assert (await client.post(f"/v1/leads/{lead}/qualify")).json()["owner"] == "anna"
    assert {event.event.owner for event in await emitted() if event.topic == "lead.qualified"} == {"anna"}
    assert (await client.get("/v1/leases", params={"owner": "anna"})).json()["items"] == []
    assert (await rep("bert").post(f"/v1/leads/{third}/claim")).json()["type"] == "urn:ltc:problem:lead-protected"
    assert (await rep("anna").post(f"/v1/leads/{lead}/claim")).json()["type"] == "urn:ltc:problem:wrong-transition"


async def test_only_who_may_assign_claims_for_another(client: httpx.AsyncClient, rep: As) -> None:
    lead = await capture(client)
    assert (await rep("bert").post(f"/v1/leads/{lead}/claim", json={"rep": "anna"})).status_code == 403
    chief = rep("chief", "leads:claim leads:assign")
    assert (await chief.post(f"/v1/leads/{lead}/claim", json={"rep": "anna"})).json()["owner"] == "anna"
    assert (await rep("eve", "leads:read").post(f"/v1/leads/{lead}/claim")).status_code == 403
    assert (await client.post("/v1/leads/019b0000-0000-7000-8000-000000000000/claim")).status_code == 404
