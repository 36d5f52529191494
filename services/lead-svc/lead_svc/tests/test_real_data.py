"""The 7,360 real leads come in through the API, once."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.timers import Timer

from lead_svc.tests.builders import import_form, timer

DATA = Path(os.environ.get("LTC_DATA", Path(__file__).parents[5] / "shared" / "data")) / "leads.csv"
MAPPING = {
    "external_ref": "Prospect ID",
    "source": "Lead Source",
    "channel": "Lead Origin",
    "country": "Country",
    "activities.pricing_page": "TotalVisits",
    "activities.form": "A free copy of Mastering The Interview",
}
NULLS = ["Select", "", "unknown", "Asia/Pacific Region"]


@pytest.mark.skipif(not DATA.exists(), reason="the real data set is not here; LTC_DATA names its folder")
async def test_all_real_leads_come_in_and_again_none(
    client: httpx.AsyncClient, db: Database, run_timer: Callable[[Timer], Awaitable[int]]
) -> None:
    for imported, duplicates in ((7360, 0), (0, 7360)):
        form = import_form(DATA.read_bytes(), MAPPING, nulls=NULLS, defaults={"source": "unknown", "channel": "unknown"})
        reply = await client.post("/v1/imports", **form)
        await run_timer(timer("import-rows"))
        done = (await client.get(f"/v1/imports/{reply.json()['id']}")).json()
        assert (done["imported"], done["duplicates"], done["refused"]) == (imported, duplicates, 0)
    async with db.connection() as conn:
        rows = await conn.fetch("SELECT source, count(*) AS n FROM lead GROUP BY source ORDER BY n DESC LIMIT 8")
    assert {row["source"]: row["n"] for row in rows} == {
        "Google": 2279,
        "Direct Traffic": 2022,
        "Olark Chat": 1412,
        "Organic Search": 922,
        "Reference": 421,
        "Welingak Website": 109,
        "Referral Sites": 108,
        "Facebook": 45,
    }
