"""A scan looks for duplicates among all leads, a chunk at a time, and groups what belongs together."""

import random
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.timers import Timer

from lead_svc.domain.duplicate_scan import Member, Pair, group
from lead_svc.handlers import duplicate_scans
from lead_svc.tests.builders import capture, timer

Run = Callable[[Timer], Awaitable[int]]
As = Callable[..., httpx.AsyncClient]
SCAN, FORGET = timer("scan-duplicates"), timer("forget-scans")


async def groups(client: httpx.AsyncClient, scan: str, **params: Any) -> list[dict[str, Any]]:
    reply = await client.get(f"/v1/duplicate-scans/{scan}/groups", params=params)
    items: list[dict[str, Any]] = reply.json()["items"]
    return items


async def start(client: httpx.AsyncClient, **body: Any) -> str:
    reply = await client.post("/v1/duplicate-scans", json=body)
    assert reply.status_code == 202, reply.text
    return str(reply.json()["id"])


async def test_a_scan_groups_leads_with_reasons_and_likeness(client: httpx.AsyncClient, run_timer: Run) -> None:
    """A is like B by e-mail, B like C by phone, D like E by name, F like nobody."""
    a = await capture(client, contact={"email": "anna@gmail.com"})
    b = await capture(client, country="DE", contact={"email": "ANNA+x@gmail.com", "phone": "030 901820"})
    c = await capture(client, contact={"phone": "+4930901820"})
    d = await capture(client, company="Bianchi Energia SpA", contact={"name": "Carla Verdi"})
    e = await capture(client, company="Bianchi Energia", contact={"name": "Carla Verdy"})
    await capture(client, company="Novak", contact={"email": "n@novak.example"})
    scan = await start(client)
    assert (await client.get(f"/v1/duplicate-scans/{scan}")).json()["total"] == 9
    await run_timer(SCAN)
    done = (await client.get(f"/v1/duplicate-scans/{scan}")).json()
    assert (done["state"], done["processed"], done["created_by"]) == ("done", done["total"], "test")
    first, second = await groups(client, scan)
    assert (first["size"], first["matched_on"], first["likeness"]) == (3, ["email", "phone"], "0.9")
    assert [(each["lead_id"], each["matched_on"], each["likeness"]) for each in first["leads"]] == [
        (a, ["email"], "1"),
        (b, ["email", "phone"], "1"),
        (c, ["phone"], "0.9"),
    ]
    assert (second["size"], second["matched_on"]) == (2, ["name"])
    assert {each["lead_id"] for each in second["leads"]} == {d, e}
    assert Decimal("0.7") <= Decimal(second["likeness"]) < 1
    [page] = await groups(client, scan, limit=1)
    assert page == first


async def test_leads_merged_since_are_left_out_of_the_groups(client: httpx.AsyncClient, run_timer: Run) -> None:
    ids = [await capture(client, contact={"email": "x@x.example"}) for _ in range(3)]
    scan = await start(client, kinds=["email"])
    await run_timer(SCAN)
    await client.post(f"/v1/leads/{ids[2]}/merge", json={"into": ids[0]})
    assert [[each["lead_id"] for each in found["leads"]] for found in await groups(client, scan)] == [ids[:2]]
    await client.post(f"/v1/leads/{ids[1]}/merge", json={"into": ids[0]})
    assert await groups(client, scan) == []


async def test_a_scan_goes_on_where_it_was_in_chunks_of_any_size(client: httpx.AsyncClient, db: Database) -> None:
    """Every transaction is a restart here: what the next one needs is in the database."""
    draw = random.Random(3)
    for number in range(24):
        await capture(
            client, company=f"Firma {draw.randrange(8)}", contact={"email": f"p{number % 7}@f{draw.randrange(5)}.example"}
        )
    found = []
    for keys, names in ((1, 1), (3, 2), (1000, 1000)):
        scan = await start(client)
        steps = 0
        while True:
            async with db.transaction() as tx:
                if not await duplicate_scans.go_on(tx, keys=keys, names=names):
                    break
            steps += 1
        found.append(
            sorted(
                (each["size"], each["matched_on"], each["likeness"], sorted(lead["lead_id"] for lead in each["leads"]))
                for each in await groups(client, scan)
            )
        )
        assert (await client.get(f"/v1/duplicate-scans/{scan}")).json()["state"] == "done"
    assert found[0] == found[1] == found[2] != []


async def test_one_scan_runs_at_a_time_and_can_be_stopped(client: httpx.AsyncClient, rep: As, run_timer: Run) -> None:
    await capture(client, contact={"email": "x@x.example"})
    scan = await start(client)
    again = await client.post("/v1/duplicate-scans", json={})
    assert (again.status_code, again.json()["type"]) == (409, "urn:ltc:problem:scan-runs")
    assert (await client.post(f"/v1/duplicate-scans/{scan}/cancel")).json()["state"] == "cancelled"
    assert (await client.post(f"/v1/duplicate-scans/{scan}/cancel")).json()["type"] == "urn:ltc:problem:wrong-transition"
    assert await run_timer(SCAN) == 0
    assert (await rep("anna").post("/v1/duplicate-scans", json={})).status_code == 403
    wrong: dict[str, Any]
    for wrong in ({"kinds": []}, {"kinds": ["fax"]}, {"likeness": "0.1"}):
        assert (await client.post("/v1/duplicate-scans", json=wrong)).status_code == 422
    assert (await client.get(f"/v1/duplicate-scans/{new_id()}/groups")).status_code == 404
    assert [each["state"] for each in (await client.get("/v1/duplicate-scans")).json()["items"]] == ["cancelled"]


async def test_scans_are_kept_for_90_days(client: httpx.AsyncClient, run_timer: Run, clock: FixedClock) -> None:
    scan = await start(client)
    await run_timer(SCAN)
    clock.advance(days=90)
    assert await run_timer(FORGET) == 0
    clock.advance(seconds=1)
    assert await run_timer(FORGET) == 1
    assert (await client.get(f"/v1/duplicate-scans/{scan}")).status_code == 404


LEADS = [UUID(int=number) for number in range(1, 13)]
PAIRS = st.lists(st.tuples(st.sampled_from(LEADS), st.sampled_from(LEADS)).filter(lambda pair: pair[0] != pair[1]), max_size=30)


@given(PAIRS, st.integers(1, 7))
def test_groups_are_the_connected_ones_however_the_pairs_are_cut(pairs: list[tuple[UUID, UUID]], size: int) -> None:
    known: dict[UUID, Member] = {}
    for start_ in range(0, len(pairs), size):
        chunk = [Pair(one, other, "email") for one, other in pairs[start_ : start_ + size]]
        involved = {lead for pair in chunk for lead in pair[:2]}
        grouped = group(chunk, {lead: member for lead, member in known.items() if lead in involved})
        known |= {member.lead_id: member for member in grouped.members}
        for lead, member in known.items():
            if member.group_id in grouped.joined:
                known[lead] = Member(lead, grouped.joined[member.group_id], member.matched_on, member.likeness)
    reach = {lead: {lead} for lead in LEADS}
    for one, other in pairs:
        together = reach[one] | reach[other]
        for lead in together:
            reach[lead] = together
    assert {lead: member.group_id for lead, member in known.items()} == {
        lead: min(reach[lead]) for lead in LEADS if len(reach[lead]) > 1
    }
