"""The receivables of 100 real customers come in through the importer, and the answers known of them come out."""

import json
import os
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.timers import Timer

from billing_svc.timers import TIMERS

DATA = Path(os.environ.get("LTC_DATA", Path(__file__).parents[5] / "shared" / "data")) / "invoices.csv"
MAPPING = Path(__file__).parents[4] / "docs" / "imports" / "receivables.json"
IMPORT = next(timer for timer in TIMERS if timer.name == "import-rows")


@pytest.mark.skipif(not DATA.exists(), reason="the real data set is not here; LTC_DATA names its folder")
@pytest.mark.timeout(180)
async def test_real_receivables_give_the_answers_known_of_them(
    db: Database, clock: FixedClock, client: httpx.AsyncClient, run_timer: Callable[[Timer], Awaitable[int]]
) -> None:
    clock.set(datetime(2026, 1, 1, tzinfo=UTC))
    [entry] = json.loads(MAPPING.read_text())
    form = {"mapping": json.dumps({name: entry[name] for name in ("columns", "defaults", "dates")})}
    for expected in ((2466, 0, 0), (0, 2466, 0)):
        reply = await client.post("/v1/imports", files={"file": ("invoices.csv", DATA.read_bytes(), "text/csv")}, data=form)
        await run_timer(IMPORT)
        job = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
        assert (job["imported"], job["duplicates"], job["refused"]) == expected
    for as_of, count, outstanding, not_due, overdue in [
        ("2012-12-31", 99, "5725.06", "4936.32", "788.74"),
        ("2013-06-30", 84, "5119.85", "4284.29", "835.56"),
    ]:
        [found] = (await client.get("/v1/receivables/ageing", params={"as_of": as_of})).json()["currencies"]
        assert (found["invoices"], found["outstanding"]) == (count, outstanding)
        assert [found["buckets"][name] for name in ("not_due", "1-30", "31-60")] == [not_due, overdue, "0.00"]
        balances = (await client.get("/v1/ledger/trial-balance", params={"as_of": as_of})).json()["accounts"]
        assert {row["account"]: row["balance"] for row in balances}["receivable"] == outstanding
    async with db.connection() as conn:
        row = await conn.fetchrow(
            """
            SELECT sum(gross) AS total, round(avg(settled_on - issued_on), 4) AS days,
                   round(100.0 * count(*) FILTER (WHERE settled_on <= due_on) / count(*), 4) AS by_count,
                   round(100.0 * sum(gross) FILTER (WHERE settled_on <= due_on) / sum(gross), 4) AS by_amount,
                   count(DISTINCT customer->>'customer_id') AS customers, bool_and(due_on - issued_on = 30) AS terms,
                   count(*) FILTER (WHERE starts_with(number, 'EXT-')) AS numbered
            FROM invoice
            """
        )
        assert row is not None
        assert [str(value) for value in row] == ["147703.18", "26.4448", "64.4363", "63.4667", "100", "True", "2466"]
        assert await conn.fetchval("SELECT count(*) FROM past_invoice WHERE disputed") == 561
    trial = (await client.get("/v1/ledger/trial-balance")).json()
    assert [total["balance"] for total in trial["totals"]] == ["0.00"]
