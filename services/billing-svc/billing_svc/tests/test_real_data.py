"""The receivables of 100 real customers, and the answers they must give."""

import csv
import io
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_contracts.money import Money

from billing_svc.handlers import invoices, payments
from billing_svc.handlers.payments import Wanted
from billing_svc.tests.builders import completed, line

DATA = Path(os.environ.get("LTC_DATA", Path(__file__).parents[5] / "shared" / "data")) / "invoices.csv"


def day(text: str) -> datetime:
    return datetime.strptime(text, "%m/%d/%Y").replace(tzinfo=UTC)


@pytest.mark.skipif(not DATA.exists(), reason="the real data set is not here; LTC_DATA names its folder")
async def test_real_receivables_age_as_they_did(db: Database, clock: FixedClock, client: httpx.AsyncClient) -> None:
    rows = sorted(csv.DictReader(io.StringIO(DATA.read_text(encoding="utf-8-sig"))), key=lambda row: day(row["InvoiceDate"]))
    assert len(rows) == 2466
    async with db.transaction() as tx:
        for row in rows:
            tx.now = day(row["InvoiceDate"])
            terms = (day(row["DueDate"]) - day(row["InvoiceDate"])) // timedelta(days=1)
            delivery = completed(line(row["InvoiceAmount"], "1", "0", "0"), payment_terms_days=terms)
            invoice = await invoices.invoice_delivery(tx, delivery, flow_id=new_id())
            assert invoice is not None
            row["id"] = str(invoice.id)
        tx.now = datetime(2014, 12, 31, tzinfo=UTC)
        for row in rows:
            await payments.receive_payment(
                tx,
                amount=Money.of(row["InvoiceAmount"], "EUR"),
                method="bank_transfer",
                reference="settled",
                received_on=day(row["SettledDate"]).date(),
                wanted=[Wanted(invoice_id=UUID(row["id"]))],
            )
    clock.set(datetime(2014, 12, 31, tzinfo=UTC))
    for as_of, count, outstanding, not_due, overdue in [
        ("2012-12-31", 99, "5725.06", "4936.32", "788.74"),
        ("2013-06-30", 84, "5119.85", "4284.29", "835.56"),
    ]:
        [found] = (await client.get("/v1/receivables/ageing", params={"as_of": as_of})).json()["currencies"]
        assert (found["invoices"], found["outstanding"]) == (count, outstanding)
        assert [found["buckets"][name] for name in ("not_due", "1-30", "31-60")] == [not_due, overdue, "0.00"]
    async with db.connection() as conn:
        assert str(await conn.fetchval("SELECT sum(gross) FROM invoice")) == "147703.18"
    trial = (await client.get("/v1/ledger/trial-balance")).json()
    assert [total["balance"] for total in trial["totals"]] == ["0.00"]
