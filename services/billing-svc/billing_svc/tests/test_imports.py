"""Receivables of another system: what is taken, what is refused and why, that nothing doubles and the past stays the past."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.testing import Emitted
from ltc_chassis.timers import Timer
from ltc_contracts.elsewhere import lies_elsewhere

from billing_svc.domain.past_invoice import number_of
from billing_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Run = Callable[[Timer], Awaitable[int]]
Json = dict[str, Any]
IMPORT = next(timer for timer in TIMERS if timer.name == "import-rows")
OVERDUE = next(timer for timer in TIMERS if timer.name == "mark-overdue")
HEADER = "no,customer,issued,due,settled,amount,disputed"
MAPPING: Json = {
    "columns": {
        "number": "no",
        "customer": "customer",
        "issued_on": "issued",
        "due_on": "due",
        "settled_on": "settled",
        "amount": "amount",
        "disputed": "disputed",
    },
    "defaults": {"currency": "EUR", "country": "DE"},
}


async def send(client: httpx.AsyncClient, content: str | bytes, mapping: Json = MAPPING, **more: str) -> httpx.Response:
    file = content.encode() if isinstance(content, str) else content
    form = {"mapping": json.dumps(mapping), **more}
    return await client.post("/v1/imports", files={"file": ("x.csv", file, "text/csv")}, data=form)


async def taken(client: httpx.AsyncClient, run_timer: Run, rows: list[str], mapping: Json = MAPPING) -> tuple[Json, list[Json]]:
    reply = await send(client, "\n".join([HEADER, *rows]), mapping)
    assert reply.status_code == 202, reply.text
    await run_timer(IMPORT)
    job = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert (job["state"], job["processed"]) == ("done", job["total"])
    errors: list[Json] = (await client.get(f"/v1/imports/{job['id']}/errors")).json()["items"]
    return job, errors


def counts(job: Json) -> tuple[int, int, int]:
    return job["imported"], job["duplicates"], job["refused"]


async def test_a_settled_receivable_is_told_for_the_days_on_which_things_happened(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions, clock: FixedClock
) -> None:
    rows = ["2013/45,C1,2013-01-02,2013-02-01,2013-02-06,94,Yes"]
    assert counts((await taken(client, run_timer, rows))[0]) == (1, 0, 0)
    told = await emitted()
    assert [(each.topic, each.headers["ce_time"][:10], each.sequence) for each in told] == [
        ("invoice.issued", "2013-01-02", 1),
        ("payment.received", "2013-02-06", 1),
        ("payment.allocated", "2013-02-06", 2),
        ("invoice.paid", "2013-02-06", 2),
    ]
    assert told[3].event.on_time is False
    assert {each.headers["ce_recordedtime"][:10] for each in told} == {clock.now().date().isoformat()}
    [invoice] = (await client.get("/v1/invoices")).json()["items"]
    assert (invoice["number"], invoice["payment_state"], invoice["paid_on"]) == ("EXT-2013-45", "paid", "2013-02-06")
    assert all(lies_elsewhere(each) for each in (told[0].event.order_id, told[0].event.delivery_id))
    days = {"2013-01-01": [], "2013-02-05": ["94.00"], "2013-02-06": []}
    for day, expected in days.items():
        found = (await client.get("/v1/receivables/ageing", params={"as_of": day})).json()["currencies"]
        assert [each["outstanding"] for each in found] == expected, day


async def test_sent_again_nothing_doubles_but_what_is_settled_by_now_is_settled(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    rows = ["1,C1,2025-10-01,2025-10-31,2025-11-05,10.00,No", "2,C1,2025-10-01,2025-10-31,,20.00,No"]
    assert counts((await taken(client, run_timer, [*rows, rows[0]]))[0]) == (2, 1, 0)
    assert await run_timer(OVERDUE) == 1
    before = len(await emitted())
    assert counts((await taken(client, run_timer, rows))[0]) == (0, 2, 0)
    assert len(await emitted()) == before
    rows[1] = "2,C1,2025-10-01,2025-10-31,2025-12-01,20.00,No"
    assert counts((await taken(client, run_timer, rows))[0]) == (1, 1, 0)
    assert counts((await taken(client, run_timer, rows))[0]) == (0, 2, 0)
    assert [each.topic for each in await emitted()][before:] == ["payment.received", "payment.allocated", "invoice.paid"]
    otherwise = ["2,C1,2025-10-01,2025-10-31,2025-12-01,20.01,No", "1,C1,2025-10-02,2025-10-31,2025-11-05,10.00,No"]
    _, errors = await taken(client, run_timer, otherwise)
    assert [(error["line"], error["field"]) for error in errors] == [(2, "amount"), (3, "issued_on")]
    trial = (await client.get("/v1/ledger/trial-balance")).json()
    assert [total["balance"] for total in trial["totals"]] == ["0.00"]


async def test_what_is_in_dispute_there_is_in_dispute_here_until_it_is_settled(
    client: httpx.AsyncClient, run_timer: Run, emitted: Emissions
) -> None:
    row = "3,C1,2025-10-01,2025-10-31,,20.00,Yes"
    assert counts((await taken(client, run_timer, [row]))[0]) == (1, 0, 0)
    assert await run_timer(OVERDUE) == 0
    [invoice] = (await client.get("/v1/invoices")).json()["items"]
    assert invoice["disputed"] is True
    assert counts((await taken(client, run_timer, ["3,C1,2025-10-01,2025-10-31,2025-12-01,20.00,Yes"]))[0]) == (1, 0, 0)
    [invoice] = (await client.get("/v1/invoices")).json()["items"]
    assert (invoice["disputed"], invoice["payment_state"]) == (False, "paid")
    assert [each.topic for each in await emitted() if "dispute" in each.topic] == ["invoice.disputed", "invoice.dispute_resolved"]


async def test_each_refused_row_is_named_and_the_others_are_taken(client: httpx.AsyncClient, run_timer: Run) -> None:
    rows = [
        "A1,C,2025-10-01,2025-10-31,,10.00,No",
        ",C,2025-10-01,2025-10-31,,10.00,No",
        "A2,,2025-10-01,2025-10-31,,10.00,No",
        "A3,C,2025-13-01,2025-10-31,,10.00,No",
        "A4,C,2025-10-01,2025-09-30,,10.00,No",
        "A5,C,2025-10-01,2025-10-31,2025-09-30,10.00,No",
        "A6,C,2030-10-01,2030-10-31,,10.00,No",
        "A7,C,2025-10-01,2025-10-31,2030-01-01,10.00,No",
        "A8,C,2025-10-01,2025-10-31,,-10.00,No",
        "A9,C,2025-10-01,2025-10-31,,10.005,No",
        "A10,C,2025-10-01,2025-10-31,,ten,No",
        "A11,C,2025-10-01,2025-10-31,,10.00,maybe",
        "A12,C",
        "A/1,C,2025-10-01,2025-10-31,,10.00,No",
        "A-1,C,2025-10-01,2025-10-31,,10.00,No",
        "***,C,2025-10-01,2025-10-31,,10.00,No",
        "A13,C,2025-10-01,2045-10-31,,10.00,No",
        "A14,C,1925-10-01,1925-10-31,,10.00,No",
        f"{'9' * 41},C,2025-10-01,2025-10-31,,10.00,No",
    ]
    job, errors = await taken(client, run_timer, rows)
    assert counts(job) == (2, 0, 17)
    assert [(error["line"], error["field"]) for error in errors] == [
        *(
            (3, "number"),
            (4, "customer"),
            (5, "issued_on"),
            (6, "due_on"),
            (7, "settled_on"),
            (8, "issued_on"),
            (9, "settled_on"),
        ),
        *((10, "amount"), (11, "amount"), (12, "amount"), (13, "disputed"), (14, "row"), (16, "number"), (17, "number")),
        *((18, "due_on"), (19, "issued_on"), (20, "number")),
    ]
    assert {item["number"] for item in (await client.get("/v1/invoices")).json()["items"]} == {"EXT-A1", "EXT-A-1"}


def test_a_foreign_number_is_never_one_of_ours_and_two_systems_may_number_alike() -> None:
    assert number_of("", "INV-2026-000001") == "EXT-INV-2026-000001"
    assert number_of("", "2013/0045.") == "EXT-2013-0045"
    assert number_of("SAP", "611365") == "EXT-SAP-611365"


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ({"columns": {"number": "no"}, "defaults": {}}, "customer"),
        ({**MAPPING, "columns": {**MAPPING["columns"], "number": "nowhere"}}, "no column"),
        ({**MAPPING, "columns": {**MAPPING["columns"], "shoe": "no"}}, "no field"),
        ({**MAPPING, "values": {"shoe": {}}}, "no field"),
        ({**MAPPING, "dates": "D"}, "dates"),
        ({"columns": {}}, "columns"),
    ],
)
async def test_a_mapping_that_cannot_be_meant_is_refused_whole(client: httpx.AsyncClient, mapping: Json, reason: str) -> None:
    reply = await send(client, HEADER, mapping)
    assert (reply.status_code, reply.json()["field"]) == (400, "mapping")
    assert reason in reply.json()["detail"]


async def test_files_that_are_none_are_refused(client: httpx.AsyncClient) -> None:
    assert (await send(client, b"n\n\x00")).json()["field"] == "file"
    assert (await send(client, b"")).json()["field"] == "file"
    assert (await client.post("/v1/imports", data={"mapping": "{"}, files={"file": b"n"})).status_code == 400
    assert (await send(client, b"n\n" + b"x" * (20 * 1024 * 1024))).status_code == 413


async def test_two_replicas_take_a_file_once(client: httpx.AsyncClient, run_timer: Run, db: Database) -> None:
    rows = [HEADER, *(f"B{number},C{number % 7},2025-10-01,2025-10-31,2025-11-03,10.00,No" for number in range(450))]
    reply = await send(client, "\n".join(rows))
    await asyncio.gather(*(run_timer(IMPORT) for _ in range(3)))
    await run_timer(IMPORT)
    job = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
    assert (counts(job), job["processed"]) == ((450, 0, 0), 450)
    async with db.connection() as conn:
        for table in ("invoice", "payment", "allocation", "past_invoice"):
            assert await conn.fetchval(f"SELECT count(*) FROM {table}") == 450, table  # noqa: S608 - names of ours
        assert await conn.fetchval("SELECT count(*) FROM import_chunk") == 0
        assert await conn.fetchval("SELECT count(*) FROM number_series") == 0


async def test_an_open_one_is_paid_by_its_number_as_any_other(
    client: httpx.AsyncClient, run_timer: Run, clock: FixedClock
) -> None:
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    await taken(client, run_timer, ["7,C1,2025-10-01,2025-10-31,,10.00,No"])
    body = {
        "amount": {"amount": "10.00", "currency": "EUR"},
        "method": "cash",
        "reference": "x",
        "allocations": [{"number": "EXT-7"}],
    }
    assert (await client.post("/v1/payments", json=body)).json()["unapplied"]["amount"] == "0.00"
    # The other system says it too, later: it is paid once.
    again, _ = await taken(client, run_timer, ["7,C1,2025-10-01,2025-10-31,2025-12-01,10.00,No"])
    assert counts(again) == (0, 1, 0)
