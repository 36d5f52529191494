"""Duplicates at capture: what is found, who is told, and what the policy makes of it."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.domain.identity import Key, normal_name, probes
from lead_svc.store import duplicates
from lead_svc.tests.builders import capture, import_form, timer

Emissions = Callable[[], Awaitable[list[Emitted]]]
As = Callable[..., httpx.AsyncClient]
Run = Callable[[Timer], Awaitable[int]]
ANNA = {"email": "anna@rossi.example"}


async def policy(client: httpx.AsyncClient, version: str = "v2", **answers: Any) -> httpx.Response:
    given = {"email": "allow", "phone": "allow", "domain": "allow", "name": "allow", "valid_from": "2026-01-01T00:00:00Z"}
    return await client.post("/v1/duplicate-policies", json={"version": version, **given, **answers})


def body(**facts: Any) -> dict[str, Any]:
    return {"channel": "web", "source": "Google", **facts}


async def test_a_capture_names_possible_duplicates_only_to_who_may_read(client: httpx.AsyncClient, rep: As) -> None:
    known = await capture(client, company="Rossi Impianti SpA", contact={"name": "Anna Rossi", **ANNA})
    facts = body(company="Rossi Impianti", contact={"name": "Ana Rossi", **ANNA})
    told = (await client.post("/v1/leads", json=facts)).json()
    assert told["possible_duplicates"]["items"] == [{"lead_id": known, "matched_on": ["domain", "email", "name"]}]
    assert told["duplicate_of"] == known
    blind = await rep("form", "leads:write").post("/v1/leads", json=facts)
    assert (blind.status_code, blind.json()["possible_duplicates"], blind.json()["duplicate_of"]) == (201, None, None)
    assert known not in blind.text
    assert (await client.get(f"/v1/leads/{blind.json()['id']}")).json()["duplicate_of"] == known


async def test_a_linked_duplicate_is_told_with_its_capture(client: httpx.AsyncClient, emitted: Emissions) -> None:
    known = await capture(client, contact=ANNA)
    linked = await capture(client, contact={"email": "ANNA@rossi.example"})
    colleague = await capture(client, contact={"email": "bert@rossi.example"})
    told = {str(each.event.lead_id): each.event.duplicate_of for each in await emitted() if each.topic == "lead.captured"}
    assert told[known] is told[colleague] is None
    assert str(told[linked]) == known
    await policy(client, domain="link")
    third = await client.post("/v1/leads", json=body(contact={"email": "carla@rossi.example"}))
    assert third.json()["duplicate_of"] == known


async def test_a_policy_links_by_likeness_of_name_too(client: httpx.AsyncClient) -> None:
    await policy(client, name="link")
    known = await capture(client, company="Müller Maschinenbau GmbH", contact={"name": "Jörg Schmidt"})
    alike = await client.post("/v1/leads", json=body(company="Mueller Maschinenbau", contact={"name": "Joerg Schmidt"}))
    assert alike.json()["duplicate_of"] is None  # "ü" is "u", not "ue"
    alike = await client.post("/v1/leads", json=body(company="MULLER MASCHINENBAU", contact={"name": "Jorg Schmid"}))
    assert alike.json()["duplicate_of"] == known


async def test_a_policy_refuses_without_telling_a_caller_who_may_not_read(
    client: httpx.AsyncClient, rep: As, db: Database, emitted: Emissions
) -> None:
    await policy(client, email="refuse")
    known = await capture(client, contact=ANNA)
    refused = await client.post("/v1/leads", json=body(contact={"email": "Anna+x@rossi.example"}))
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:possible-duplicate")
    assert refused.json()["possible_duplicates"] == [known]
    blind = await rep("form", "leads:write").post("/v1/leads", json=body(contact=ANNA))
    assert (blind.status_code, blind.json()["type"]) == (409, "urn:ltc:problem:possible-duplicate")
    assert "possible_duplicates" not in blind.json()
    assert known not in blind.text
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead") == await conn.fetchval("SELECT count(*) FROM lead_key") - 1 == 1
    assert [each.topic for each in await emitted()].count("lead.captured") == 1


async def test_of_twenty_alike_at_once_one_is_captured_where_the_policy_refuses(client: httpx.AsyncClient) -> None:
    await policy(client, email="refuse", phone="refuse")
    replies = await asyncio.gather(
        *(client.post("/v1/leads", json=body(country="DE", contact={**ANNA, "phone": "030 901820"})) for _ in range(20))
    )
    assert sorted(reply.status_code for reply in replies) == [201, *[409] * 19]


async def test_an_exact_address_is_merged_at_once_where_the_policy_says_so(
    client: httpx.AsyncClient, rep: As, emitted: Emissions
) -> None:
    await policy(client, email="merge", phone="link")
    known = await capture(client, contact=ANNA, activities=[{"activity": "form"}])
    await client.post(f"/v1/leads/{known}/disqualify", json={"code": "no_need"})
    merged = (await client.post("/v1/leads", json=body(company="Rossi", contact=ANNA, activities=[{"activity": "form"}]))).json()
    assert (merged["status"], merged["merged_into"]) == ("merged", known)
    one = (await client.get(f"/v1/leads/{known}")).json()
    assert (one["status"], one["company"], one["engagement"]) == ("new", "Rossi", "20.00")
    blind = await rep("form", "leads:write").post("/v1/leads", json=body(contact=ANNA))
    assert (blind.json()["status"], blind.json()["merged_into"]) == ("new", None)
    assert known not in blind.text
    assert [each.topic for each in await emitted()].count("lead.merged") == 2
    [first, _] = (await client.get("/v1/merges")).json()["items"]
    assert (first["survivor_id"], first["merged_by"]) == (known, "policy")


async def test_twenty_alike_at_once_become_one_where_the_policy_merges(client: httpx.AsyncClient) -> None:
    await policy(client, email="merge")
    ids = await asyncio.gather(*(capture(client, contact=ANNA, activities=[{"activity": "form"}]) for _ in range(20)))
    [one] = (await client.get("/v1/leads")).json()["items"]
    assert (one["id"] in ids, one["engagement"]) == (True, "30.00")  # capped


async def test_rows_of_an_import_are_compared_with_each_other_and_with_what_is_there(
    client: httpx.AsyncClient, run_timer: Run
) -> None:
    known = await capture(client, contact=ANNA)
    csv = "Channel,Source,Mail\nweb,fair,anna@rossi.example\nweb,fair,bert@bianchi.example\nweb,fair,BERT@bianchi.example\n"
    mapping = {"channel": "Channel", "source": "Source", "contact.email": "Mail"}

    async def imported() -> tuple[dict[str, int], list[dict[str, Any]]]:
        job = (await client.post("/v1/imports", **import_form(csv, mapping))).json()["id"]
        await run_timer(timer("import-rows"))
        done = (await client.get(f"/v1/imports/{job}")).json()
        leads = (await client.get("/v1/leads", params={"source": "fair"})).json()["items"]
        return {name: done[name] for name in ("imported", "duplicates", "refused")}, leads

    counts, leads = await imported()
    assert counts == {"imported": 3, "duplicates": 0, "refused": 0}
    assert [lead["duplicate_of"] for lead in leads] == [known, None, leads[1]["id"]]
    await policy(client, email="refuse")
    assert (await imported())[0] == {"imported": 0, "duplicates": 3, "refused": 0}
    csv += "web,fair,new@verdi.example\nweb,fair,new@verdi.example\n"
    assert (await imported())[0] == {"imported": 1, "duplicates": 4, "refused": 0}


async def test_an_import_merges_what_has_one_address(client: httpx.AsyncClient, run_timer: Run) -> None:
    await policy(client, email="merge")
    known = await capture(client, contact=ANNA)
    csv = "Channel,Source,Mail\n" + "web,fair,x@x.example\n" * 3 + "web,fair,anna@rossi.example\n"
    mapping = {"channel": "Channel", "source": "Source", "contact.email": "Mail"}
    await client.post("/v1/imports", **import_form(csv, mapping))
    await run_timer(timer("import-rows"))
    living = (await client.get("/v1/leads")).json()["items"]
    assert (len(living), living[0]["id"]) == (2, known)


async def test_a_policy_for_duplicates_is_versioned_and_checked(client: httpx.AsyncClient, rep: As) -> None:
    assert (await policy(rep("anna"))).status_code == 403
    assert (await policy(client, valid_from="2025-01-01T00:00:00Z")).json()["field"] == "valid_from"
    for wrong in ({"domain": "refuse"}, {"phone": "merge"}, {"likeness": "0.3"}):
        assert (await policy(client, **wrong)).status_code == 422
    assert (await policy(client, likeness="0.85")).json()["created_by"] == "test"
    assert (await policy(client)).json()["type"] == "urn:ltc:problem:duplicate-policy-exists"
    assert [each["version"] for each in (await client.get("/v1/duplicate-policies")).json()] == ["v2", "v1"]


WORDS = (
    *("anna", "bianchi", "consulting", "data", "energia", "ferrari", "gruppo", "impianti"),
    *("kowalski", "logistics", "meyer", "novak", "rossi", "schmidt", "technik", "verdi"),
)


def changed(name: str, draw: random.Random) -> str:
    """The name as somebody else would write it: a letter more, less, other or twice, a word less or more, or another order."""
    words = name.split()
    where = draw.randrange(len(words))
    word = words[where]
    at = draw.randrange(len(word))
    way = draw.choice(("less", "more", "other", "twice", "drop", "add", "order"))
    if way == "drop" and len(words) > 2:
        words.pop(where)
    elif way == "add":
        words.insert(where, draw.choice(("it", "co", "group")))
    elif way == "order":
        draw.shuffle(words)
    else:
        other = draw.choice("aeiourstnl")
        words[where] = {
            "less": word[:at] + word[at + 1 :],
            "more": word[:at] + other + word[at:],
            "twice": word[:at] + word[at] + word[at:],
        }.get(way, word[:at] + other + word[at + 1 :])
    return " ".join(words)


async def test_nearly_every_name_that_is_alike_by_trigrams_is_found(db: Database) -> None:
    """Against the comparison with every name there is, which no index can shorten."""
    draw = random.Random(7)
    names = sorted({" ".join(draw.sample(WORDS, draw.choice((1, 2, 2, 3, 3, 4, 4, 5, 6, 8)))) for _ in range(1500)})
    asked = [changed(draw.choice(names), draw) for _ in range(400)]
    async with db.connection() as conn:
        ids = [new_id() for _ in names]
        await conn.executemany(
            """
            INSERT INTO lead (id, flow_id, status, captured_via, channel, source, attributes, version, created_at, updated_at)
            VALUES ($1, $1, 'new', 'api', 'web', 'test', '{}', 1, now(), now())
            """,
            [(lead_id,) for lead_id in ids],
        )
        await duplicates.insert_keys(conn, {lead_id: {Key("name", name)} for lead_id, name in zip(ids, names, strict=True)})
        there = found = 0
        for name in asked:
            rows = await conn.fetch(
                "SELECT lead_id FROM lead_key WHERE kind = 'name' AND similarity(value, $1) >= 0.7::real", name
            )
            wanted = {row["lead_id"] for row in rows}
            got = set(await duplicates.named_like(conn, name, 0.7))
            assert got <= wanted
            there, found = there + len(wanted), found + len(got)
    assert there > 400
    assert found >= 0.98 * there


@pytest.mark.parametrize("words", range(1, 12))
def test_a_name_of_any_length_has_few_probes(words: int) -> None:
    name = normal_name(" ".join(f"word{number}" for number in range(words)), None)
    assert name is not None
    assert 1 <= len(probes(name)) <= 10
