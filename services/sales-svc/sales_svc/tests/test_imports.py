"""Files of another CRM: what is taken, what is refused and why, and that the past stays the past."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer

from sales_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
Json = dict[str, Any]
IMPORT = next(timer for timer in TIMERS if timer.name == "import-rows")
DEALS = {
    "columns": {
        "external_ref": "id",
        "owner": "agent",
        "product": "product",
        "company": "account",
        "stage": "stage",
        "opened_on": "engaged",
        "closed_on": "closed",
        "value": "value",
    },
    "values": {"product": {"GTXPro": "GTX Pro"}, "stage": {"Won": "won", "Lost": "lost", "Engaging": "discovery"}},
    "defaults": {"currency": "USD"},
    "dates": "MM/DD/YYYY",
}
HEADER = "id,agent,product,account,stage,engaged,closed,value"


async def send(client: httpx.AsyncClient, kind: str, content: str | bytes, mapping: Json, **more: str) -> httpx.Response:
    file = content.encode() if isinstance(content, str) else content
    form = {"kind": kind, "mapping": json.dumps(mapping), **more}
    return await client.post("/v1/imports", files={"file": ("x.csv", file, "text/csv")}, data=form)


async def taken(client: httpx.AsyncClient, run_timer: Run, kind: str, rows: list[str], mapping: Json) -> tuple[Json, list[Json]]:
    reply = await send(client, kind, "\n".join(rows), mapping)
    assert reply.status_code == 202, reply.text
    await run_timer(IMPORT)
    job = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert job["state"] == "done"
    errors = (await client.get(f"/v1/imports/{job['id']}/errors")).json()["items"]
    return job, errors


def counts(job: Json) -> tuple[int, int, int]:
    return job["imported"], job["duplicates"], job["refused"]


async def test_deals_come_with_their_past_and_once(client: httpx.AsyncClient, run_timer: Run, emitted: Emissions) -> None:
    reps = {"columns": {"name": "n", "team": "t", "region": "r"}}
    assert counts((await taken(client, run_timer, "reps", ["n,t,r", "Moses,East,Central"], reps))[0]) == (1, 0, 0)
    rows = [
        HEADER,
        "A1,Moses,GTXPro,Cancity,Won,10/20/2016,3/1/2017,1054",
        "A2,Moses,MG,Cancity,Lost,10/21/2016,3/2/2017,0",
        "A3,Ruth,MG,,Engaging,11/3/2016,,",
    ]
    job, errors = await taken(client, run_timer, "opportunities", rows, DEALS)
    assert (counts(job), errors) == ((3, 0, 0), [])
    events = await emitted()
    assert [(each.topic, each.headers["ce_time"][:10], each.headers["ce_recordedtime"][:10]) for each in events] == [
        ("opportunity.opened", "2016-10-20", "2026-01-01"),
        ("opportunity.won", "2017-03-01", "2026-01-01"),
        ("opportunity.opened", "2016-10-21", "2026-01-01"),
        ("opportunity.lost", "2017-03-02", "2026-01-01"),
        ("opportunity.opened", "2016-11-03", "2026-01-01"),
    ]
    won = events[1].event
    assert (won.products, won.team, won.region, str(won.value)) == (("GTX Pro",), "East", "Central", "1,054.00 USD")
    assert won.opened_at.date().isoformat() == "2016-10-20"
    assert won.account_id == events[3].event.account_id is not None
    deals = (await client.get("/v1/opportunities")).json()["items"]
    assert [(deal["stage"], deal["company"]) for deal in deals] == [("won", "Cancity"), ("lost", "Cancity"), ("discovery", None)]
    history = (await client.get(f"/v1/opportunities/{deals[0]['id']}/history")).json()
    assert [(change["to_stage"], change["seconds_in_stage"]) for change in history] == [("won", 132 * 86400)]
    again, _ = await taken(client, run_timer, "opportunities", rows, DEALS)
    assert counts(again) == (0, 3, 0)
    assert len(await emitted()) == len(events)


async def test_each_refused_row_is_named_and_the_others_are_taken(client: httpx.AsyncClient, run_timer: Run) -> None:
    rows = [
        HEADER,
        "B1,M,MG,C,Won,10/20/2016,3/1/2017,1054",
        "B2,M,MG,C,Won,10/20/2016,,1054",
        "B3,M,MG,C,Won,10/20/2016,3/1/2017,",
        "B4,M,MG,C,Won,10/20/2017,3/1/2017,1",
        "B5,M,MG,C,Won,20/10/2016,3/1/2017,1",
        "B6,M,MG,C,Won,10/20/2016,3/1/2017,1.005",
        "B7,M,MG,C,Party,10/20/2016,,1",
        "B8,M,MG,C,Engaging,10/20/2016,3/1/2017,1",
        "B9,M,MG,C,Engaging,10/20/2030,,1",
        ",M,MG,C,Engaging,10/20/2016,,1",
        "B11,M,MG,C,Won,10/20/2016,3/1/2017,-5",
        "B12,M",
        f"B13,{'M' * 201},MG,C,Engaging,10/20/2016,,1",
        "B14,=cmd|' /C calc'!A0,MG,<b>C</b>,Engaging,10/20/2016,,1",
    ]
    job, errors = await taken(client, run_timer, "opportunities", rows, DEALS)
    assert counts(job) == (2, 0, 12)
    assert [(error["line"], error["field"]) for error in errors] == [
        *((3, "closed_on"), (4, "value"), (5, "closed_on"), (6, "opened_on"), (7, "value"), (8, "stage"), (9, "closed_on")),
        *((10, "opened_on"), (11, "external_ref"), (12, "value"), (13, "row"), (14, "owner")),
    ]
    deals = (await client.get("/v1/opportunities")).json()["items"]
    assert {deal["company"] for deal in deals} == {"C", "<b>C</b>"}


async def test_accounts_with_parents_in_any_order_are_each_one(client: httpx.AsyncClient, run_timer: Run) -> None:
    field = {"entity": "account", "key": "revenue", "label": "Revenue", "type": "number"}
    assert (await client.post("/v1/custom-fields", json=field)).status_code == 201
    mapping = {
        "columns": {"name": "a", "industry": "s", "country": "o", "parent": "p", "size": "e", "custom.revenue": "r"},
        "values": {"industry": {"technolgy": "technology"}},
    }
    rows = [
        "a,s,o,p,e,r",
        "Child,medical,Kenya,Mother,10,1.5",
        "Mother,technolgy,United States,,2822,1100.04",
        "Odd,x,Atlantis,,1,1",
    ]
    job, errors = await taken(client, run_timer, "accounts", rows, mapping)
    assert (counts(job), [(error["line"], error["field"]) for error in errors]) == ((2, 0, 1), [(4, "country")])
    accounts = {account["name"]: account for account in (await client.get("/v1/accounts")).json()["items"]}
    assert set(accounts) == {"Child", "Mother"}
    mother = accounts["Mother"]
    assert (mother["industry"], mother["country"], mother["size"]) == ("technology", "US", 2822)
    assert (accounts["Child"]["parent_id"], mother["custom"]["revenue"]) == (mother["id"], "1100.04")
    again, _ = await taken(client, run_timer, "accounts", rows[:3], mapping)
    assert counts(again) == (0, 2, 0)


@pytest.mark.parametrize(
    ("kind", "mapping", "reason"),
    [
        ("opportunities", {"columns": {"stage": "stage"}}, "external_ref"),
        ("opportunities", {"columns": {"external_ref": "nowhere", "stage": "stage"}}, "no column"),
        ("opportunities", {"columns": {"external_ref": "id", "stage": "stage", "shoe": "id"}}, "no field"),
        ("opportunities", {"columns": {"external_ref": "id", "stage": "stage"}, "dates": "D"}, "dates"),
        ("opportunities", {"columns": {"external_ref": "id", "stage": "stage"}, "values": {"shoe": {}}}, "no field"),
        ("accounts", {"columns": {"name": "id", "custom.none": "id"}}, "no field"),
        ("accounts", {"columns": {}}, "columns"),
        ("accounts", {"columns": {"name": 3}}, "columns"),
    ],
)
async def test_a_mapping_that_cannot_be_meant_is_refused_whole(
    client: httpx.AsyncClient, kind: str, mapping: Json, reason: str
) -> None:
    reply = await send(client, kind, HEADER, mapping)
    assert (reply.status_code, reply.json()["field"]) == (400, "mapping")
    assert reason in reply.json()["detail"]


async def test_files_that_are_none_are_refused(client: httpx.AsyncClient) -> None:
    columns = {"columns": {"name": "n"}}
    assert (await send(client, "parties", "n", columns)).status_code == 422
    assert (await send(client, "accounts", b"n\n\x00", columns)).json()["field"] == "file"
    assert (await send(client, "accounts", "", columns)).json()["field"] == "file"
    assert (await send(client, "accounts", "n\nMüller".encode("cp1252"), columns)).json()["field"] == "file"
    assert (await send(client, "accounts", "n\nMüller".encode("cp1252"), columns, encoding="windows-1252")).status_code == 202
    assert (await client.post("/v1/imports", data={"kind": "accounts", "mapping": "{"}, files={"file": b"n"})).status_code == 400
    assert (await send(client, "accounts", b"n\n" + b"x" * (20 * 1024 * 1024), columns)).status_code == 413


async def test_two_replicas_take_a_file_once(client: httpx.AsyncClient, run_timer: Run, db: Database) -> None:
    rows = [HEADER, *(f"C{number},M,MG,Company {number % 7},Won,10/20/2016,3/1/2017,10" for number in range(1200))]
    reply = await send(client, "opportunities", "\n".join(rows), DEALS)
    await asyncio.gather(*(run_timer(IMPORT) for _ in range(3)))
    await run_timer(IMPORT)
    job = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert (counts(job), job["processed"]) == ((1200, 0, 0), 1200)
    async with db.connection() as conn:
        assert await conn.fetchval("SELECT count(*) FROM opportunity") == 1200
        assert await conn.fetchval("SELECT count(*) FROM account") == 7
        assert await conn.fetchval("SELECT count(*) FROM outbox") == 2400
        assert await conn.fetchval("SELECT count(*) FROM import_chunk") == 0
