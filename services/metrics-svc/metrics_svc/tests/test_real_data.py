"""A real pipeline and real receivables, told as events: the registry gives the answers known of them (by independent SQL over the files)."""

import csv
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, FakeRecord

from metrics_svc.consumers import consumers
from metrics_svc.tests.test_facts import LATER, values
from metrics_svc.tests.test_kpis import eur, told

DATA = Path(os.environ.get("LTC_DATA", Path(__file__).parents[5] / "shared" / "data"))
YEAR = {"from": "2017-01-01T00:00:00Z", "until": "2018-01-01T00:00:00Z"}

pytestmark = [
    pytest.mark.skipif(not (DATA / "invoices.csv").exists(), reason="the real data set is not here; LTC_DATA names its folder"),
    pytest.mark.timeout(240),
]


def rows(file: str) -> Iterator[dict[str, str]]:
    with (DATA / file).open(encoding="utf-8-sig", newline="") as text:
        yield from csv.DictReader(text)


def day(text: str) -> str:
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC).date().isoformat()


async def analyse(db: Database) -> None:
    """As autovacuum does after a load of this size, a minute later."""
    async with db.connection() as conn:
        await conn.execute("ANALYZE milestone")


@pytest.fixture(autouse=True)
def today(clock: FixedClock) -> None:
    clock.set(LATER)


async def test_a_pipeline_by_quarter_product_and_rep(client: httpx.AsyncClient, deliver: Deliver, db: Database) -> None:
    found: list[FakeRecord] = []
    for row in rows("opportunities.csv"):
        if not row["close_date"]:
            continue
        about: dict[str, Any] = {
            "owner": row["sales_agent"],
            "products": [row["product"]],
            "value": eur(f"{row['close_value']}.00"),
        }
        topic = "opportunity.won" if row["deal_stage"] == "Won" else "opportunity.lost"
        found.append(told(topic, new_id(), day(row["close_date"]), opened_at=f"{day(row['engage_date'])}T09:00:00Z", **about))
    await deliver.records(consumers, found)
    await analyse(db)
    answer = (await client.get("/v1/kpis/deals", params={**YEAR, "by": "quarter"})).json()
    cells = {(row["period"], row["name"]): row["value"] for row in answer["rows"]}
    quarters = ["2017-Q1", "2017-Q2", "2017-Q3", "2017-Q4"]
    assert [cells[quarter, "won"] for quarter in quarters] == ["531", "1254", "1257", "1196"]
    assert [cells[quarter, "lost"] for quarter in quarters] == ["116", "778", "790", "789"]
    assert [cells[quarter, "won_value_EUR"] for quarter in quarters] == ["1134672.00", "3086111.00", "2982255.00", "2802496.00"]
    assert (await values(client, "win_rate", **YEAR))["by_count"] == "63.1501"
    for version in ("1", "2"):
        cycle = await values(client, "sales_cycle", version=version, **YEAR)
        assert (cycle["mean"], cycle["median"]) == ("51.7820", "57.0000")
    by_product = await values(client, "deals", by="product", **YEAR)
    won = {name.removesuffix(".won"): value for name, value in by_product.items() if name.endswith(".won")}
    assert won == {
        "GTX Basic": "915",
        "GTX Plus Basic": "653",
        "GTX Plus Pro": "479",
        "GTXPro": "729",
        "MG Advanced": "654",
        "MG Special": "793",
        "GTK 500": "15",
    }
    by_rep = await values(client, "deals", by="rep", **YEAR)
    assert (by_rep["Darcel Schlecht.won"], by_rep["Darcel Schlecht.won_value_EUR"]) == ("349", "1153214.00")


async def test_receivables_of_any_day(client: httpx.AsyncClient, deliver: Deliver, db: Database) -> None:
    found: list[FakeRecord] = []
    for row in rows("invoices.csv"):
        flow, invoice, amount = new_id(), str(new_id()), eur(f"{float(row['InvoiceAmount']):.2f}")
        issued, due, settled = day(row["InvoiceDate"]), day(row["DueDate"]), day(row["SettledDate"])
        facts: dict[str, Any] = {"invoice_id": invoice, "gross": amount, "due_on": due}
        found.append(told("invoice.issued", flow, issued, 1, **facts, net=amount, tax=eur("0.00"), issued_on=issued))
        paid: dict[str, Any] = {"invoice_id": invoice, "amount": amount, "open_after": eur("0.00"), "received_on": settled}
        found.append(told("payment.allocated", flow, settled, 2, **paid))
        found.append(told("invoice.paid", flow, settled, 3, **facts, paid_on=settled, on_time=settled <= due))
    await deliver.records(consumers, found)
    await analyse(db)
    assert await values(client, "invoiced") == {"EUR": "147703.18"}
    assert await values(client, "on_time_collection") == {"by_amount": "63.4667", "by_count": "64.4363"}
    assert (await values(client, "days_to_pay"))["mean"] == "26.4448"
    for end, total, not_due, late in (
        ("2013-01-01T00:00:00Z", "5725.06", "4936.32", "788.74"),
        ("2013-07-01T00:00:00Z", "5119.85", "4284.29", "835.56"),
    ):
        window = {"from": "2012-01-01T00:00:00Z", "until": end}
        assert await values(client, "outstanding", **window) == {"EUR": total}
        ages = await values(client, "ageing", **window)
        assert (ages.pop("EUR_not_due"), ages.pop("EUR_1-30"), set(ages.values())) == (not_due, late, {"0"})
        assert await values(client, "overdue_amount", **window) == {"EUR": late}
