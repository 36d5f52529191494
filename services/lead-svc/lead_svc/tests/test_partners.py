"""Partners who send leads: codes, what is told of whom, and a partner's own system (L1)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import capture, import_form, timer
from lead_svc.tests.forms import ANNA as FILLED_IN
from lead_svc.tests.forms import opened, published, sent
from lead_svc.tests.test_duplicates import policy

Emissions = Callable[[], Awaitable[list[Emitted]]]
As = Callable[..., httpx.AsyncClient]
Run = Callable[[Timer], Awaitable[int]]
Json = dict[str, Any]
ANNA = {"name": "Anna Rossi", "email": "anna@rossi.example"}
ALWAYS = {"start": "2020-01-01T00:00:00Z", "end": "2040-01-01T00:00:00Z"}


async def partner(client: httpx.AsyncClient, name: str = "Sun & Co", **facts: Any) -> Json:
    reply = await client.post("/v1/partners", json={"name": name, **facts})
    assert reply.status_code == 201, reply.text
    made: Json = reply.json()
    return made


def code_of(made: Json) -> str:
    return str(made["codes"][0]["code"])


async def test_a_capture_with_a_code_says_who_sent_it(client: httpx.AsyncClient, emitted: Emissions) -> None:
    made = await partner(client)
    code = code_of(made)
    assert len(code) == 11
    for given in (code, code.lower(), code.replace("-", ""), f" {code} "):
        reply = await client.post("/v1/leads", json={"partner_code": given, "company": "Rossi"})
        assert (reply.status_code, reply.json()["channel"]) == (201, "partner"), reply.text
    own = await client.post("/v1/leads", json={"partner_code": code, "channel": "web", "source": "site"})
    assert (own.json()["channel"], own.json()["source"]) == ("web", "site")
    captured = [each.event for each in await emitted() if each.topic == "lead.captured"]
    assert [event.partner for event in captured] == ["Sun & Co"] * 5
    leads = (await client.get(f"/v1/partners/{made['id']}/leads", params={"limit": 3})).json()
    assert (len(leads["items"]), leads["items"][0]["company"]) == (3, "Rossi")
    rest = (await client.get(f"/v1/partners/{made['id']}/leads", params={"cursor": leads["next"]})).json()
    assert (len(rest["items"]), rest["next"]) == (2, None)


async def test_a_code_that_counts_not_is_refused_by_name(client: httpx.AsyncClient, clock: FixedClock, db: Database) -> None:
    made = await partner(client)
    path = f"/v1/partners/{made['id']}"
    old = code_of(made)
    new = (await client.post(f"{path}/codes", json={"others_expire_at": "2026-01-10T00:00:00Z"})).json()["code"]

    async def refused(code: str) -> tuple[int, str | None]:
        reply = await client.post("/v1/leads", json={"partner_code": code})
        return reply.status_code, reply.json().get("field")

    assert await refused("ZZZZZ-ZZZZZ") == (400, "partner_code")
    assert await refused(old) == await refused(new) == (201, None)
    clock.advance(days=9)
    assert (await refused(old), await refused(new)) == ((400, "partner_code"), (201, None))
    [newest, _] = (await client.get(path)).json()["codes"]
    assert (await client.post(f"{path}/codes/{newest['id']}/expire")).status_code == 200
    assert await refused(new) == (400, "partner_code")
    third = (await client.post(f"{path}/codes")).json()["code"]
    retired = await client.patch(path, json={"version": 1, "active": False})
    assert (retired.status_code, retired.json()["version"]) == (200, 2)
    assert await refused(third) == (400, "partner_code")
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead") == 3


async def test_rows_of_a_file_and_of_a_bulk_name_the_code_that_counts_not(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    code = code_of(await partner(client))
    rows = [{"partner_code": code, "company": "A"}, {"partner_code": "nobody", "company": "B"}, {"channel": "web", "source": "x"}]
    told = (await client.post("/v1/leads/bulk", json={"leads": rows})).json()
    assert [each["result"] for each in told["rows"]] == ["taken", "refused", "taken"]
    assert told["rows"][1]["problem"]["field"] == "partner_code"
    form = import_form(
        f"Company;Code\nC;{code.lower()}\nD;nobody\nE;\n",
        {"company": "Company", "partner_code": "Code"},
        defaults={"channel": "partner", "source": "list"},
    )
    job = (await client.post("/v1/imports", **form)).json()
    await run_timer(timer("import-rows"))
    done = (await client.get(f"/v1/imports/{job['id']}")).json()
    assert (done["imported"], done["refused"]) == (2, 1)
    [error] = (await client.get(f"/v1/imports/{job['id']}/errors")).json()["items"]
    assert (error["line"], error["field"]) == (3, "partner_code")
    captured = [(each.event.company, each.event.partner) for each in await emitted() if each.topic == "lead.captured"]
    assert captured == [("A", "Sun & Co"), (None, None), ("C", "Sun & Co"), ("E", None)]


@pytest.mark.parametrize("code", ["of the partner", "NOBOD-YKNOW"])
async def test_a_link_to_a_form_says_who_sent_it_and_one_that_counts_not_spoils_nothing(
    client: httpx.AsyncClient, anonymous: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, code: str
) -> None:
    made = await partner(client)
    await published(client)
    given = code_of(made) if code == "of the partner" else code
    page = await opened(anonymous, query=f"?partner={given}")
    clock.advance(seconds=20)
    assert (await sent(anonymous, {**page, **FILLED_IN})).status_code == 303
    [event] = [each.event for each in await emitted() if each.topic == "lead.captured"]
    assert event.partner == ("Sun & Co" if code == "of the partner" else None)


async def test_statistics_tell_how_far_a_partners_leads_came(client: httpx.AsyncClient) -> None:
    made = await partner(client)
    ids = [await capture(client, partner_code=code_of(made), company=f"Firma {number}") for number in range(4)]
    await capture(client, company="somebody else's")
    await client.post(f"/v1/leads/{ids[0]}/qualify")
    await client.post(f"/v1/leads/{ids[1]}/disqualify", json={"code": "no_need"})
    path = f"/v1/partners/{made['id']}/statistics"
    told = (await client.get(path, params=ALWAYS)).json()
    assert told == {"captured": 4, "qualified": 1, "converted": 0, "won": 0, "closed": 1}
    later = {"start": "2026-01-02T00:00:00Z", "end": "2026-01-03T00:00:00Z"}
    assert (await client.get(path, params=later)).json()["captured"] == 0


async def test_conditions_of_rules_see_the_partner(client: httpx.AsyncClient) -> None:
    made = await partner(client)
    condition = {"field": "attributes.partner", "is": "eq", "value": "Sun & Co"}
    await client.post("/v1/segments", json={"code": "referred", "label": "Referred", "condition": condition})
    lead = (await client.post("/v1/leads", json={"partner_code": code_of(made)})).json()
    assert lead["segments"] == ["referred"]


async def test_partners_are_changed_by_version_with_an_audit(client: httpx.AsyncClient, rep: As) -> None:
    made = await partner(client, territory="South")
    path = f"/v1/partners/{made['id']}"
    assert (await client.post("/v1/partners", json={"name": "SUN & CO"})).json()["type"].endswith("partner-exists")
    manager = rep("maria", "partners:write partners:read")
    changed = await manager.patch(path, json={"version": 1, "territory": None, "notes": "calls on Mondays"})
    assert (changed.json()["territory"], changed.json()["notes"], changed.json()["version"]) == (None, "calls on Mondays", 2)
    stale = await client.patch(path, json={"version": 1, "notes": "x"})
    assert (stale.status_code, stale.json()["current_version"]) == (409, 2)
    assert (await client.patch(path, json={"version": 2, "name": None})).json()["field"] == "name"
    other = await partner(client, "Other")
    taken = await client.patch(f"/v1/partners/{other['id']}", json={"version": 1, "name": "sun & co"})
    assert taken.status_code == 409
    changes = (await manager.get(f"{path}/changes")).json()["items"]
    assert [(each["version"], each["by"]) for each in changes] == [(1, "test"), (2, "maria")]
    assert changes[1]["changes"] == {"territory": ["South", None], "notes": [None, "calls on Mondays"]}
    assert (await rep("anna").get("/v1/partners")).status_code == 403
    assert [each["name"] for each in (await client.get("/v1/partners", params={"active": True})).json()["items"]] == [
        *("Sun & Co", "Other")
    ]


@pytest.fixture
async def sun(client: httpx.AsyncClient, rep: As) -> httpx.AsyncClient:
    """The own system of a partner."""
    await partner(client, subject="system:sun")
    return rep("system:sun", "partners:refer")


async def test_a_partners_system_registers_leads_and_sees_only_its_own(
    client: httpx.AsyncClient, rep: As, sun: httpx.AsyncClient, emitted: Emissions
) -> None:
    await partner(client, "Moon", subject="system:moon")
    moon = rep("system:moon", "partners:refer")
    body = {"reference": "D-1", "company": "Rossi", "country": "IT", "contact": ANNA}
    made = await sun.post("/v1/partner/leads", json=body)
    assert made.status_code == 201, made.text
    assert made.json().keys() == {"id", "reference", "state", "referred_at"}
    again = await sun.post("/v1/partner/leads", json=body)
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:duplicate-referral")
    assert again.json()["referral_id"] == made.json()["id"]
    path = f"/v1/partner/leads/{made.json()['id']}"
    assert (await moon.get(path)).status_code == 404
    assert (await moon.get("/v1/partner/leads")).json() == {"items": [], "next": None}
    [lead] = (await client.get("/v1/leads")).json()["items"]
    assert (lead["channel"], lead["source"], lead["contact"]["email"]) == ("partner", "Sun & Co", ANNA["email"])
    await client.post(f"/v1/leads/{lead['id']}/qualify")
    assert (await sun.get(path)).json()["state"] == "qualified"
    assert [each["state"] for each in (await sun.get("/v1/partner/leads")).json()["items"]] == ["qualified"]
    for closed in ("/v1/leads", f"/v1/leads/{lead['id']}", "/v1/partners"):
        assert (await sun.get(closed)).status_code == 403
    assert (await rep("system:nobody", "partners:refer").get("/v1/partner/leads")).json()["type"].endswith("no-partner")
    [event] = [each.event for each in await emitted() if each.topic == "lead.captured"]
    assert event.partner == "Sun & Co"


@pytest.mark.parametrize("worked_on", ["claimed", "qualified", "registered"])
async def test_a_deal_that_somebody_works_on_is_already_known_and_nothing_else_is_told(
    client: httpx.AsyncClient, rep: As, sun: httpx.AsyncClient, db: Database, worked_on: str
) -> None:
    if worked_on == "registered":
        await partner(client, "Moon", subject="system:moon")
        assert (
            await rep("system:moon", "partners:refer").post("/v1/partner/leads", json={"company": "Rossi", "contact": ANNA})
        ).status_code == 201
        [known] = [lead["id"] for lead in (await client.get("/v1/leads")).json()["items"]]
    else:
        known = await capture(client, company="Rossi", contact=ANNA)
        await (
            rep("bert").post(f"/v1/leads/{known}/claim", json={"rep": "bert"})
            if worked_on == "claimed"
            else client.post(f"/v1/leads/{known}/qualify", json={"owner": "bert"})
        )
    for contact in (ANNA, {"email": "carla@rossi.example"}, None):
        reply = await sun.post("/v1/partner/leads", json={"company": "Rossi", "website": "www.rossi.example", "contact": contact})
        assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:already-known"), contact
        assert not any(word in reply.text for word in (known, "bert", "Anna", "Moon"))
        assert reply.json().keys() == {"type", "title", "status", "detail"}
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead") == 1


async def test_a_lead_that_nobody_works_on_may_be_registered_and_so_may_one_whose_time_is_over(
    client: httpx.AsyncClient, rep: As, sun: httpx.AsyncClient, clock: FixedClock
) -> None:
    await capture(client, company="Bianchi", contact={"email": "b@bianchi.example"})
    free = await sun.post("/v1/partner/leads", json={"company": "Bianchi", "contact": {"email": "b@bianchi.example"}})
    assert (free.status_code, free.json()["state"]) == (201, "open")
    await partner(client, "Moon", subject="system:moon")
    moon = rep("system:moon", "partners:refer")
    body = {"company": "Bianchi", "contact": {"email": "b@bianchi.example"}}
    assert (await moon.post("/v1/partner/leads", json=body)).status_code == 409
    clock.advance(days=91)
    assert (await moon.post("/v1/partner/leads", json=body)).status_code == 201


async def test_of_two_partners_who_register_the_same_at_once_one_gets_it(
    client: httpx.AsyncClient, rep: As, sun: httpx.AsyncClient
) -> None:
    await partner(client, "Moon", subject="system:moon")
    moon = rep("system:moon", "partners:refer")
    body = {"company": "Rossi", "contact": ANNA}
    replies = await asyncio.gather(*(each.post("/v1/partner/leads", json=body) for each in (sun, moon)))
    assert sorted(reply.status_code for reply in replies) == [201, 409]
    body = {"company": "Verdi", "reference": "D-9"}
    replies = await asyncio.gather(*(sun.post("/v1/partner/leads", json=body) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 4]
    assert {reply.json()["type"] for reply in replies if reply.status_code == 409} == {"urn:ltc:problem:duplicate-referral"}


async def test_a_referral_that_is_merged_tells_of_the_lead_it_is_part_of(
    client: httpx.AsyncClient, sun: httpx.AsyncClient
) -> None:
    await policy(client, email="merge")
    known = await capture(client, company="Rossi", contact=ANNA)
    made = (await sun.post("/v1/partner/leads", json={"company": "Rossi", "contact": ANNA})).json()
    assert made["state"] == "open"
    assert known not in str(made)
    await client.post(f"/v1/leads/{known}/qualify")
    assert (await sun.get(f"/v1/partner/leads/{made['id']}")).json()["state"] == "qualified"


async def test_a_partner_has_so_many_codes_at_a_time(client: httpx.AsyncClient) -> None:
    path = f"/v1/partners/{(await partner(client))['id']}/codes"
    for _ in range(49):
        assert (await client.post(path)).status_code == 201
    assert (await client.post(path)).json()["type"] == "urn:ltc:problem:too-many-codes"
    assert (await client.post(path, json={"expires_at": "2020-01-01T00:00:00Z"})).json()["field"] == "expires_at"
