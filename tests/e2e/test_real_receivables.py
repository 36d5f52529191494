"""The receivables of 100 real customers go in through the importer; billing-svc and metrics-svc give the answers known of them."""

import asyncio
import os
from pathlib import Path

import pytest
from ltc_cli.company import importing
from ltc_cli.company.suite import Suite

ROOT = Path(__file__).parents[2]
DATA = Path(os.environ.get("LTC_DATA", ROOT.parent / "shared" / "data"))
MAPPING = ROOT / "docs" / "imports" / "receivables.json"
# Days on which nothing else happens in these tests.
PAST = {"from": "2012-01-01T00:00:00Z", "to": "2014-12-31T23:59:59Z"}
DAYS = [
    ("2012-12-31", 99, "5725.06", "4936.32", "788.74"),
    ("2013-06-30", 84, "5119.85", "4284.29", "835.56"),
]

pytestmark = pytest.mark.skipif(
    not (DATA / "invoices.csv").exists(), reason="the real files are not here; LTC_DATA names their folder"
)


async def kpi(suite: Suite, name: str, **params: str) -> dict[str, str]:
    answer = await suite.get("metrics", f"/v1/kpis/{name}", **{**PAST, **params})
    return {f"{row['key']}.{row['name']}".removeprefix("all."): row["value"] for row in answer["rows"]}


@pytest.mark.timeout(300)
async def test_the_numbers_of_real_receivables_come_out_exactly(suite: Suite) -> None:
    steps = importing.read_mapping(DATA, MAPPING)
    for expected in ((2466, 0, 0), (0, 2466, 0)):
        [taken] = await importing.run(suite, steps, lambda *_: None)
        assert (taken.imported, taken.duplicates, taken.refused) == expected, taken.refusals

    async with asyncio.timeout(120):
        while (await kpi(suite, "collected")).get("USD") != "147703.18" or (await kpi(suite, "invoiced")).get(
            "USD"
        ) != "147703.18":
            await asyncio.sleep(0.5)
    assert await kpi(suite, "on_time_collection") == {"by_count": "64.4363", "by_amount": "63.4667"}
    assert (await kpi(suite, "days_to_pay"))["mean"] == "26.4448"
    for day, count, outstanding, not_due, overdue in DAYS:
        ageing = await suite.get("billing", "/v1/receivables/ageing", as_of=day)
        [found] = [each for each in ageing["currencies"] if each["currency"] == "USD"]
        assert (found["invoices"], found["outstanding"]) == (count, outstanding)
        parts = {"not_due": not_due, "1-30": overdue, "31-60": "0.00", "61-90": "0.00", "91+": "0.00"}
        assert found["buckets"] == parts
        end = f"{day}T23:59:59Z"
        assert (await kpi(suite, "outstanding", as_of=end))["USD"] == outstanding
        assert (await kpi(suite, "overdue_amount", as_of=end))["USD"] == overdue
        told = await kpi(suite, "ageing", as_of=end)
        assert {name: told[f"USD_{name}"] for name in ("not_due", "1-30")} == {"not_due": not_due, "1-30": overdue}

    conservation = await suite.get("metrics", "/v1/conservation")
    assert [row["residual"] for row in conservation["currencies"] if row["currency"] == "USD"] == ["0.00"]
    # Nobody waits for orders that lie in another system.
    for service in ("order", "sales", "lead", "metrics"):
        for state in ("waiting", "dead"):
            items = (await suite.get(service, "/v1/parked", state=state))["items"]
            assert [item for item in items if item["topic"].startswith(("invoice.", "payment."))] == [], service
