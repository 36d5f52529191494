"""Two leads become one, with all that hangs on them, and two again within a day."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_chassis.timers import Timer
from ltc_contracts.events import OpportunityOpened

from lead_svc.consumers import consumers
from lead_svc.domain import merge as rules
from lead_svc.domain import protection
from lead_svc.domain.lead import Lead
from lead_svc.domain.merge import Leases
from lead_svc.store.merge import KEPT, OWNED
from lead_svc.tests import builders
from lead_svc.tests.builders import NOW, capture

Emissions = Callable[[], Awaitable[list[Emitted]]]
As = Callable[..., httpx.AsyncClient]
ALONE = Leases(None, None)


async def merge(client: httpx.AsyncClient, merged: str, into: str, *take: str) -> httpx.Response:
    return await client.post(f"/v1/leads/{merged}/merge", json={"into": into, "take": list(take)})


async def undo(client: httpx.AsyncClient, done: httpx.Response) -> httpx.Response:
    assert done.status_code == 200, done.text
    return await client.post(f"/v1/merges/{done.json()['id']}/undo")


async def state(db: Database) -> dict[str, Any]:
    """Every row that hangs on leads, but for what is computed anew, what only ever goes on (version, time of change, steps) and the merges."""
    goes_on = {"lead_merge", "lead_step"}
    tables = sorted(({each.table for each in OWNED if each.rest != "forget"} | {table for table, _ in KEPT}) - goes_on)
    found: dict[str, Any] = {}
    async with db.connection() as conn:
        for table in tables:
            lines = await conn.fetch(f"SELECT to_jsonb(t) - 'version' - 'updated_at' AS line FROM {table} t")  # noqa: S608 - names of ours
            found[table] = sorted((row["line"] for row in lines), key=json.dumps)
    return found


async def test_every_column_that_refers_to_a_lead_moves_with_it_or_says_why_not(db: Database) -> None:
    async with db.connection() as conn:
        rows = await conn.fetch(
            """
            SELECT k.conrelid::regclass::text AS tab, a.attname::text AS col
            FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
            WHERE k.contype = 'f' AND k.confrelid = 'lead'::regclass
            UNION SELECT table_name::text, column_name::text FROM information_schema.columns
            WHERE table_schema = 'public' AND column_name IN ('lead_id', 'lead_ids')
            """
        )
    known = {(owned.table, owned.column) for owned in OWNED} | set(KEPT)
    assert {(row["tab"], row["col"]) for row in rows} - known == set(), "name it in store/merge.py"
    assert known - {(row["tab"], row["col"]) for row in rows} == set()


def test_every_fact_of_a_lead_is_merged_or_stays_for_a_reason() -> None:
    stays = {"id", "flow_id", "captured_via", "external_ref", "created_at", "duplicate_of", "erased_at"}
    always = {"version", "updated_at", "segments"}  # placed anew
    assert set(Lead.__dataclass_fields__) == set(rules.CHANGED) | stays | always


@pytest.mark.parametrize(
    ("survivor", "merged", "after"),
    [
        ("disqualified", "new", "new"),
        ("new", "disqualified", "new"),
        ("junk", "nurturing", "nurturing"),
        ("contacted", "converted", "converted"),
        ("qualified", "new", "qualified"),
        ("disqualified", "disqualified", "disqualified"),
        ("junk", "disqualified", "disqualified"),
    ],
)
def test_a_merged_lost_and_active_lead_is_active(survivor: str, merged: str, after: str) -> None:
    why = {"disqualified": "no budget", "junk": "spam"}
    one, gone = rules.combine(
        builders.lead(status=survivor, disqualified_reason=why.get(survivor)),
        builders.lead(status=merged, disqualified_reason=why.get(merged)),
        (),
        ALONE,
        NOW,
    )
    assert (one.status, one.disqualified_reason) == (after, why.get(after))
    assert (gone.status, gone.merged_into, gone.disqualified_reason) == ("merged", one.id, None)


async def test_the_survivor_takes_what_it_lacks_and_what_is_chosen(client: httpx.AsyncClient, emitted: Emissions) -> None:
    old = await capture(client, company="Rossi", country="IT", contact={"name": "Anna", "email": "anna@rossi.example"})
    new = await capture(
        client,
        company="Rossi Impianti SpA",
        industry="software",
        estimated_value={"amount": "500.00", "currency": "EUR"},
        contact={"name": "A. Rossi", "email": "anna@rossi.example", "phone": "+39066982"},
    )
    done = await merge(client, new, old, "company")
    assert done.json()["survivor"]["status"] == "new"
    one = (await client.get(f"/v1/leads/{old}")).json()
    assert (one["company"], one["country"], one["industry"]) == ("Rossi Impianti SpA", "IT", "software")
    assert one["contact"] == {"name": "Anna", "email": "anna@rossi.example", "phone": "+39066982"}
    assert one["estimated_value"] == {"amount": "500.00", "currency": "EUR"}
    gone = (await client.get(f"/v1/leads/{new}")).json()
    assert (gone["status"], gone["merged_into"]) == ("merged", old)
    assert [item["id"] for item in (await client.get("/v1/leads")).json()["items"]] == [old]
    assert [item["id"] for item in (await client.get("/v1/leads", params={"status": "merged"})).json()["items"]] == [new]
    [event] = [each for each in await emitted() if each.topic == "lead.merged"]
    assert (str(event.event.lead_id), [str(each.lead_id) for each in event.event.merged]) == (old, [new])
    assert (str(event.flow_id), event.sequence) == (one["flow_id"], one["version"])
    assert [str(each.flow_id) for each in event.event.merged] == [gone["flow_id"]]


async def test_all_that_the_merged_lead_did_counts_for_the_survivor_and_an_undo_restores_both_exactly(
    client: httpx.AsyncClient, rep: As, db: Database, emitted: Emissions, clock: FixedClock
) -> None:
    lost = await capture(client, company="Rossi", contact={"email": "a@rossi.example"}, activities=[{"activity": "form"}])
    await client.post(f"/v1/leads/{lost}/disqualify", json={"code": "not_now"})
    active = await capture(
        client,
        company="Rossi Impianti",
        contact={"name": "Anna", "email": "A@rossi.example", "phone": "+39066982"},
        touches=[{"occurred_at": "2025-12-30T00:00:00Z", "channel": "search", "source": "Google"}],
        activities=[{"activity": "pricing_page"}],
    )
    await rep("anna").post(f"/v1/leads/{active}/claim")
    before = await state(db)
    done = await merge(client, active, lost, "company")
    one = (await client.get(f"/v1/leads/{lost}")).json()
    assert (one["status"], one["owner"], one["engagement"]) == ("new", "anna", "15.00")
    assert (await client.get(f"/v1/leads/{lost}/protection")).json()["current"]["lead_id"] == lost
    merged = await state(db)
    assert [line["lead_id"] for line in merged["touch"]] == [lost]
    assert {line["lead_id"] for line in merged["activity"]} == {line["lead_id"] for line in merged["lead_key"]} == {lost}
    assert all(line["ended_at"] for line in merged["disqualification"])
    clock.advance(hours=24)
    assert (await undo(client, done)).status_code == 200
    assert await state(db) == before
    assert [each.topic for each in await emitted()].count("lead.unmerged") == 1


async def test_the_survivor_is_recognised_by_all_that_either_was(client: httpx.AsyncClient) -> None:
    one, other = await capture(client, contact={"email": "a@a.example"}), await capture(client, contact={"email": "b@b.example"})
    done = await merge(client, other, one)
    like = await capture(client, contact={"email": "B@b.example"})
    found = f"/v1/leads/{like}/duplicates"
    assert (await client.get(found)).json()["items"] == [{"lead_id": one, "matched_on": ["domain", "email"]}]
    assert (await undo(client, done)).status_code == 200
    assert (await client.get(found)).json()["items"] == [{"lead_id": other, "matched_on": ["domain", "email"]}]


async def test_a_merge_can_be_undone_within_a_day_and_once(client: httpx.AsyncClient, clock: FixedClock) -> None:
    one, other = await capture(client), await capture(client)
    done = await merge(client, other, one)
    clock.advance(hours=24, seconds=1)
    late = await undo(client, done)
    assert (late.status_code, late.json()["type"]) == (409, "urn:ltc:problem:undo-too-late")
    clock.advance(hours=-24)
    assert (await undo(client, done)).json()["merged"]["status"] == "new"
    again = await undo(client, done)
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:undo-prevented")
    shown = (await client.get("/v1/merges", params={"lead_id": other})).json()["items"]
    assert [(each["survivor_id"], each["undone_by"]) for each in shown] == [(one, "test")]


async def test_what_was_changed_since_stays_when_a_merge_is_undone(client: httpx.AsyncClient) -> None:
    one, other = await capture(client, company="Rossi"), await capture(client, company="Rosi", industry="software")
    done = await merge(client, other, one)
    assert (await client.post(f"/v1/leads/{one}/activities", json={"activity": "reply"})).json()["status"] == "contacted"
    assert (await undo(client, done)).status_code == 200
    kept = (await client.get(f"/v1/leads/{one}")).json()
    assert (kept["status"], kept["industry"], kept["engagement"]) == ("contacted", None, "15.00")
    assert (await client.get(f"/v1/leads/{other}")).json()["industry"] == "software"


async def test_of_what_is_known_by_key_each_key_is_a_value_of_its_own(client: httpx.AsyncClient) -> None:
    for key in ("tier", "hobby"):
        made = await client.post("/v1/custom-fields", json={"entity": "lead", "key": key, "label": key, "type": "text"})
        assert made.status_code == 201, made.text
    one = await capture(client, custom={"tier": "A"}, contact={"email": "anna@rossi.example"})
    other = await capture(client, custom={"tier": "B", "hobby": "chess"}, contact={"phone": "+49301234567"})
    done = await merge(client, other, one)
    assert done.status_code == 200, done.text
    joined = (await client.get(f"/v1/leads/{one}")).json()
    assert joined["custom"] == {"tier": "A", "hobby": "chess"}
    change = {"version": joined["version"], "custom": {"tier": "C"}, "contact": {"name": "Anna"}}
    assert (await client.patch(f"/v1/leads/{one}", json=change)).status_code == 200
    assert (await undo(client, done)).status_code == 200
    kept, back = [(await client.get(f"/v1/leads/{each}")).json() for each in (one, other)]
    assert (kept["custom"], back["custom"]) == ({"tier": "C"}, {"tier": "B", "hobby": "chess"})
    assert kept["contact"] == {"name": "Anna", "email": "anna@rossi.example", "phone": None}


async def test_a_lead_that_became_active_by_a_merge_and_went_on_stays_so_when_it_is_undone(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Callable[[Timer], Awaitable[int]]
) -> None:
    one, other = await capture(client), await capture(client)
    waits = await client.post(f"/v1/leads/{one}/recycle", json={"code": "not_now", "wait_days": 60})
    assert waits.json()["status"] == "disqualified"
    done = await merge(client, other, one)
    assert done.json()["survivor"]["status"] == "new"
    assert (await client.post(f"/v1/leads/{one}/activities", json={"activity": "reply"})).json()["status"] == "contacted"
    assert (await undo(client, done)).status_code == 200
    clock.advance(days=61)
    await run_timer(builders.timer("return-to-nurturing"))
    kept = (await client.get(f"/v1/leads/{one}")).json()
    assert (kept["status"], kept["disqualified_reason"]) == ("contacted", None)


async def test_what_came_later_prevents_an_undo_with_the_reason(client: httpx.AsyncClient, rep: As) -> None:
    one, other = await capture(client), await capture(client)
    done = await merge(client, other, one)
    await client.post(f"/v1/leads/{one}/qualify")
    refused = await undo(client, done)
    assert (refused.status_code, refused.json()["detail"]) == (409, "the lead was new after the merge and is qualified now")
    held, third = await capture(client), await capture(client)
    await rep("anna").post(f"/v1/leads/{third}/claim")
    done = await merge(client, third, held)
    await rep("anna").post(f"/v1/leads/{held}/release")
    await rep("bert").post(f"/v1/leads/{held}/claim")
    refused = await undo(client, done)
    assert (refused.status_code, refused.json()["detail"]) == (409, "who protects the leads changed since the merge")


async def test_a_chain_of_merges_ends_at_one_lead_and_is_undone_backwards(client: httpx.AsyncClient, emitted: Emissions) -> None:
    a, b, c = [await capture(client, activities=[{"activity": "form"}]) for _ in range(3)]
    first = await merge(client, a, b)
    second = await merge(client, b, c)
    assert {(await client.get(f"/v1/leads/{each}")).json()["merged_into"] for each in (a, b)} == {c}
    assert (await client.get(f"/v1/leads/{c}")).json()["engagement"] == "30.00"
    followed = await client.post(f"/v1/leads/{a}/activities", json={"activity": "reply"})
    assert followed.status_code == 201
    assert (await client.get(f"/v1/leads/{c}")).json()["status"] == "contacted"
    refused = await undo(client, first)
    assert (refused.status_code, refused.json()["detail"]) == (409, f"the lead was merged into {c} since; undo that first")
    assert (await undo(client, second)).status_code == 200
    assert [(await client.get(f"/v1/leads/{each}")).json()["merged_into"] for each in (a, b, c)] == [b, None, None]
    assert (await undo(client, first)).status_code == 200
    assert [(await client.get(f"/v1/leads/{each}")).json()["engagement"] for each in (a, b, c)] == ["10.00", "10.00", "25.00"]
    again = await merge(client, a, b)
    assert (await merge(client, a, c)).json()["detail"] == f"the lead {a} was merged into {b}"
    assert (await merge(client, c, a)).json()["field"] == "into"
    assert again.status_code == 200


async def test_two_merges_of_one_pair_at_once_do_one(client: httpx.AsyncClient, db: Database) -> None:
    one, other = await capture(client), await capture(client)
    replies = await asyncio.gather(*(merge(client, *pair) for pair in [(one, other), (other, one)] * 5))
    assert sorted(reply.status_code for reply in replies) == [200, *[409] * 9]
    assert {reply.json()["type"] for reply in replies if reply.status_code == 409} == {"urn:ltc:problem:lead-merged-away"}
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM lead_merge") == 1


async def test_merges_around_a_ring_at_once_leave_one_lead(client: httpx.AsyncClient, db: Database) -> None:
    ring = [await capture(client, activities=[{"activity": "form"}]) for _ in range(6)]
    pairs = list(zip(ring, ring[1:] + ring[:1], strict=True))
    for _ in range(6):
        await asyncio.gather(*(merge(client, *pair) for pair in pairs))
        async with db.connection() as conn:
            rows = await conn.fetch("SELECT id::text, coalesce(merged_into, id)::text AS living FROM lead")
        living = {row["id"]: row["living"] for row in rows}
        assert all(living[each] == each for each in living.values()), "nothing points at a merged lead"
        pairs = [(living[a], living[b]) for a, b in pairs if living[a] != living[b]]
    [last] = set(living.values())
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM activity WHERE lead_id = $1", last) == 6


async def test_a_merge_takes_no_reps_work_away(client: httpx.AsyncClient, rep: As) -> None:
    one, other, third = await capture(client), await capture(client), await capture(client)
    await rep("anna").post(f"/v1/leads/{one}/claim")
    await rep("bert").post(f"/v1/leads/{other}/claim")
    refused = await merge(client, one, other)
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:two-reps-work")
    assert (await merge(client, one, third)).json()["survivor"]["owner"] == "anna"
    assert (await rep("bert").post(f"/v1/leads/{third}/claim")).json()["type"] == "urn:ltc:problem:lead-protected"
    assert (await rep("bert").post(f"/v1/leads/{one}/claim")).json()["type"] == "urn:ltc:problem:wrong-transition"
    await client.post(f"/v1/leads/{other}/qualify")
    assert (await merge(client, other, third)).json()["type"] == "urn:ltc:problem:two-reps-work"


async def test_two_leases_of_one_rep_become_one_that_lasts_as_the_longer(
    client: httpx.AsyncClient, rep: As, clock: FixedClock, db: Database
) -> None:
    old, new = await capture(client, contact={"email": "x@x.example"}), await capture(client)
    twin = await capture(client, contact={"email": "x@x.example"})
    await rep("anna").post(f"/v1/leads/{new}/claim")
    clock.advance(days=3)
    await rep("anna").post(f"/v1/leads/{old}/claim")
    before = await state(db)
    done = await merge(client, old, new)
    leases = (await client.get("/v1/leases", params={"owner": "anna"})).json()["items"]
    assert [(each["lead_id"], each["until"]) for each in leases] == [(new, "2026-01-14T00:00:00Z")]
    refused = await rep("bert").post(f"/v1/leads/{twin}/claim")
    assert refused.json()["type"] == "urn:ltc:problem:lead-protected"
    assert (await undo(client, done)).status_code == 200
    assert await state(db) == before


def test_a_lease_that_takes_over_a_longer_one_still_ends_by_its_own_limit() -> None:
    begun, policy = datetime(2026, 3, 25, tzinfo=UTC), protection.Policy("test", 10, 3, 20, 7, 9, frozenset({"reply"}))
    nobody = protection.Situation(holders=(), busy=(), held=0, left_at=None)
    one, other = (
        protection.claim(lease_id=new_id(), lead_id=new_id(), rep="anna", situation=nobody, policy=policy, now=at)
        for at in (begun, begun + timedelta(days=15))
    )
    assert rules.joined(one, other).until == one.limit_at < other.until


async def test_a_claim_and_a_merge_at_once_agree(client: httpx.AsyncClient, rep: As, db: Database) -> None:
    for _ in range(6):
        one, other = await capture(client), await capture(client)
        claimed, merged = await asyncio.gather(rep("anna").post(f"/v1/leads/{one}/claim"), merge(client, one, other))
        assert merged.status_code == 200
        owner = (await client.get(f"/v1/leads/{other}")).json()["owner"]
        assert owner == ("anna" if claimed.status_code == 201 else None)
        if owner is not None:
            await rep("anna").post(f"/v1/leads/{other}/release")
        async with db.connection() as conn:
            assert await conn.fetchval("SELECT count(*) FROM lease_lead WHERE lead_id = $1", one) == 0


async def test_an_opportunity_of_a_merged_lead_converts_the_survivor(client: httpx.AsyncClient, deliver: Deliver) -> None:
    one, other = await capture(client), await capture(client)
    await client.post(f"/v1/leads/{other}/qualify")
    flow_id = (await client.get(f"/v1/leads/{other}")).json()["flow_id"]
    assert (await merge(client, other, one)).json()["survivor"]["status"] == "qualified"
    opened = OpportunityOpened(
        opportunity_id=new_id(), lead_id=other, name="Rossi", stage="qualification", probability=Decimal(10)
    )
    assert await deliver(consumers, opened, flow_id=flow_id) == "processed"
    assert (await client.get(f"/v1/leads/{one}")).json()["status"] == "converted"


async def test_only_who_may_merge_does_and_only_leads_that_exist(client: httpx.AsyncClient, rep: As) -> None:
    one, other = await capture(client), await capture(client)
    assert (await merge(rep("anna"), one, other)).status_code == 403
    assert (await merge(client, one, one)).json()["type"] == "urn:ltc:problem:same-lead"
    assert (await merge(client, one, str(new_id()))).status_code == 404
    assert (await merge(client, str(new_id()), one)).status_code == 404
    assert (await merge(client, one, other, "id")).status_code == 422
    assert (await client.post(f"/v1/merges/{new_id()}/undo")).status_code == 404
