"""Many leads in one request: each taken, known or refused by itself (L1)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import capture, timer
from lead_svc.tests.test_duplicates import policy

Emissions = Callable[[], Awaitable[list[Emitted]]]
As = Callable[..., httpx.AsyncClient]
Json = dict[str, Any]


def row(**facts: Any) -> Json:
    return {"channel": "web", "source": "Google", **facts}


async def bulk(client: httpx.AsyncClient, *rows: Any, key: str | None = None) -> Json:
    reply = await client.post("/v1/leads/bulk", json={"leads": list(rows)}, headers={"Idempotency-Key": key} if key else {})
    assert reply.status_code == 200, reply.text
    told: Json = reply.json()
    assert told["taken"] + told["known"] + told["refused"] == len(rows)
    return told


async def count(db: Database, table: str = "lead") -> int:
    async with db.connection() as conn:
        found: int = await conn.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608 - a name of this file
    return found


async def test_each_row_is_answered_by_itself_and_a_bad_one_spoils_no_other(
    client: httpx.AsyncClient, db: Database, emitted: Emissions
) -> None:
    known = await capture(client, external_ref="old")
    told = await bulk(
        client,
        row(external_ref="a", company="Rossi", country="DE", activities=[{"activity": "form"}]),
        row(external_ref="old", company="Other"),
        {"source": "Google"},
        row(contact={"email": "no address"}),
        "not an object",
        row(activities=[{"activity": "form", "occurred_at": "2030-01-01T00:00:00Z"}]),
        row(custom={"shoe": 1}),
        row(external_ref="nul", company="a\x00b"),
        row(surprise=1),
        row(external_ref="b"),
    )
    assert (told["taken"], told["known"], told["refused"]) == (2, 1, 7)
    assert [(each["row"], each["result"]) for each in told["rows"]] == list(
        enumerate(["taken", "known", *["refused"] * 7, "taken"])
    )
    assert told["rows"][1]["id"] == known
    problems = [each["problem"] for each in told["rows"] if each["result"] == "refused"]
    assert [problem["field"] for problem in problems] == [
        *("channel", "contact.email", "row", "activities", "custom.shoe", "row", "surprise")
    ]
    assert all({"type", "title", "status", "detail"} <= problem.keys() for problem in problems)
    assert [problem["status"] for problem in problems] == [422, 422, 422, 400, 400, 400, 422]
    assert "no address" not in str(problems)
    assert await count(db) == 3
    captured = [each.event.external_ref for each in await emitted() if each.topic == "lead.captured"]
    assert captured == ["old", "a", "b"]
    lead = (await client.get(f"/v1/leads/{told['rows'][0]['id']}")).json()
    assert (lead["flow_id"], lead["engagement"], lead["company"]) == (told["rows"][0]["flow_id"], "10.00", "Rossi")


async def test_the_whole_call_repeated_by_its_key_gives_the_first_answer(client: httpx.AsyncClient, db: Database) -> None:
    rows = [row(company=f"Rossi {number}") for number in range(3)]
    first = await bulk(client, *rows, key="k1")
    assert await bulk(client, *rows, key="k1") == first
    assert await count(db) == 3
    other = await client.post("/v1/leads/bulk", json={"leads": rows[:1]}, headers={"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["type"]) == (409, "urn:ltc:problem:idempotency-key-reused")


async def test_a_row_that_comes_again_is_known_by_its_reference(client: httpx.AsyncClient, db: Database) -> None:
    first = await bulk(client, row(external_ref="a"), row(external_ref="b"), row(external_ref="a", company="Twin"))
    assert [each["result"] for each in first["rows"]] == ["taken", "taken", "known"]
    again = await bulk(client, row(external_ref="b"), row(external_ref="c"), row(external_ref="a"))
    assert [each["result"] for each in again["rows"]] == ["known", "taken", "known"]
    ids = {each["external_ref"]: each["id"] for each in first["rows"]}
    assert [again["rows"][number]["id"] for number in (0, 2)] == [ids["b"], ids["a"]]
    assert await count(db) == 3


async def test_the_same_rows_at_once_are_taken_once(client: httpx.AsyncClient, db: Database, emitted: Emissions) -> None:
    rows = [row(external_ref=f"r{number}") for number in range(300)]
    told = await asyncio.gather(bulk(client, *rows), bulk(client, *reversed(rows)), bulk(client, *rows[::3]))
    assert (sum(each["taken"] for each in told), sum(each["known"] for each in told)) == (300, 400)
    assert await count(db) == 300
    assert [each.topic for each in await emitted()].count("lead.captured") == 300


async def test_the_same_call_at_once_with_one_key_counts_once(client: httpx.AsyncClient, db: Database) -> None:
    rows = [row(company=f"Rossi {number}") for number in range(20)]
    told = await asyncio.gather(*(bulk(client, *rows, key="k") for _ in range(4)))
    assert all(each == told[0] for each in told)
    assert await count(db) == 20


async def test_of_two_alike_at_once_one_is_taken_where_the_policy_refuses(client: httpx.AsyncClient, rep: As) -> None:
    await policy(client, email="refuse")
    alike = [row(contact={"email": f"p{number}@rossi.example"}) for number in range(20)]
    told = await asyncio.gather(*(bulk(client, *alike) for _ in range(3)))
    assert (sum(each["taken"] for each in told), sum(each["refused"] for each in told)) == (20, 40)
    refused = next(each for answer in told for each in answer["rows"] if each["result"] == "refused")
    assert refused["problem"]["type"] == "urn:ltc:problem:possible-duplicate"
    blind = await bulk(rep("form", "leads:write"), *alike[:1])
    assert "possible_duplicates" not in blind["rows"][0]["problem"]


async def test_rows_are_compared_with_each_other_and_told_to_readers_only(client: httpx.AsyncClient, rep: As) -> None:
    anna = row(contact={"email": "anna@rossi.example"})
    first, second = (await bulk(client, anna, anna))["rows"]
    assert (second["duplicate_of"], "duplicate_of" in first) == (first["id"], False)
    assert "duplicate_of" not in (await bulk(rep("form", "leads:write"), anna))["rows"][0]


async def test_more_rows_or_bytes_than_allowed_are_refused_whole(client: httpx.AsyncClient, db: Database) -> None:
    many = await client.post("/v1/leads/bulk", json={"leads": [row()] * 1001})
    assert (many.status_code, many.json()["errors"][0]["field"]) == (422, "leads")
    assert (await client.post("/v1/leads/bulk", json={"leads": []})).status_code == 422
    large = await client.post("/v1/leads/bulk", json={"leads": [row(company="x" * 5_000_000)]})
    assert large.status_code == 413
    assert await count(db) == 0


async def test_a_thousand_rows_are_scored_segmented_and_given_to_reps_like_single_ones(
    client: httpx.AsyncClient, run_timer: Callable[[Timer], Awaitable[int]], emitted: Emissions
) -> None:
    big = {"code": "big", "label": "Big", "condition": {"field": "company_size", "is": "gte", "value": 500}}
    assert (await client.post("/v1/segments", json=big)).status_code == 201
    await client.put("/v1/reps/anna", json={"name": "Anna", "max_per_30_days": 100})
    territory = {"name": "Large", "priority": 1, "members": ["anna"], "condition": big["condition"]}
    assert (await client.put("/v1/territories/large", json=territory)).status_code == 200
    rows = [row(company=f"Firma {number}", company_size=1000 if number < 3 else 1) for number in range(1000)]
    rows[1]["activities"] = [{"activity": "demo_request"}]
    assert (await bulk(client, *rows))["taken"] == 1000
    topics = [each.topic for each in await emitted()]
    assert (topics.count("lead.captured"), topics.count("lead.scored"), topics.count("lead.qualified")) == (1000, 1000, 1)
    assert len((await client.get("/v1/leads", params={"segment": "big"})).json()["items"]) == 3
    await run_timer(timer("assign-leads"))
    owners = [lead["owner"] for lead in (await client.get("/v1/leads", params={"segment": "big"})).json()["items"]]
    assert owners == ["anna", None, "anna"]  # one went to sales


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "=cmd|' /C calc'!A0", "Ali & <b>Söhne</b>", "张三", "a\r\nBcc: x"])
async def test_texts_come_back_as_they_were_given(client: httpx.AsyncClient, name: str) -> None:
    told = await bulk(client, row(company=name, contact={"name": name}))
    lead = (await client.get(f"/v1/leads/{told['rows'][0]['id']}")).json()
    assert (lead["company"], lead["contact"]["name"]) == (name, name)


@pytest.mark.parametrize("email", ["a@b.example\r\nBcc: c@d.example", "a@b.example\n", "a b@c.example", "\ra@b.example"])
async def test_an_address_with_a_line_break_is_no_address(client: httpx.AsyncClient, email: str) -> None:
    told = await bulk(client, row(contact={"email": email}), row())
    assert [each["result"] for each in told["rows"]] == ["refused", "taken"]
    assert told["rows"][0]["problem"]["field"] == "contact.email"


async def test_a_caller_without_the_scope_is_refused(rep: As) -> None:
    reply = await rep("reader", "leads:read").post("/v1/leads/bulk", json={"leads": [row()]})
    assert reply.status_code == 403
