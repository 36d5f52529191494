import asyncio
import csv
import io
from collections.abc import Awaitable, Callable
from decimal import Decimal

import httpx
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted

from billing_svc.api.journal_exports import COLUMNS
from billing_svc.consumers import consumers
from billing_svc.tests.books import FEES, by_hand, ok, refused
from billing_svc.tests.builders import completed, line, payment_body

Emissions = Callable[[], Awaitable[list[Emitted]]]
EXPORTS = "/v1/ledger/exports"
JANUARY = {"month": "2026-01", "country": "DE"}


async def rows(client: httpx.AsyncClient, export: str) -> list[dict[str, str]]:
    reply = await client.get(f"{EXPORTS}/{export}/journal.csv")
    assert reply.status_code == 200
    return list(csv.DictReader(io.StringIO(reply.text)))


async def test_an_entry_is_exported_once_and_an_export_is_the_same_file_for_ever(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    await ok(client, "PUT", "/v1/ledger/accounts/revenue", {"number": "8400", "name": "=Erlöse", "country": "DE"})
    await deliver(consumers, completed(line("100.00", "1", "0", "19")), flow_id=new_id())
    first = await ok(client, "POST", EXPORTS, JANUARY)
    assert (first["number"], first["entries"], first["remaining"]) == ("JX-2026-000001", 1, 0)
    assert (await refused(client, "POST", EXPORTS, JANUARY))[:2] == (409, "nothing-to-export")
    before = await rows(client, first["id"])
    assert list(before[0]) == list(COLUMNS)
    assert [(each["account_number"], each["account_name"], each["debit"], each["credit"]) for each in before] == [
        ("1200", "Trade receivables", "119.00", "0.00"),
        ("8400", "'=Erlöse", "0.00", "100.00"),
        ("2200", "Tax on sales", "0.00", "19.00"),
    ]
    assert {each["document"] for each in before} == {"INV-2026-000001"}
    clock.advance(days=1)
    # Later names, of whatever day, change nothing of what was exported.
    late = {"number": "8401", "name": "Other", "country": "DE", "valid_from": "2025-01-01"}
    await ok(client, "PUT", "/v1/ledger/accounts/revenue", late)
    await ok(client, "POST", "/v1/ledger/entries", by_hand(*FEES, reason="+fees"))
    assert await rows(client, first["id"]) == before
    assert (await ok(client, "GET", f"{EXPORTS}/{first['id']}"))["remaining"] == 1
    second = await ok(client, "POST", EXPORTS, JANUARY)
    assert second["number"] == "JX-2026-000002", "an export of nothing leaves no gap"
    assert [(each["position"], each["line"], each["reason"]) for each in await rows(client, second["id"])] == [
        ("1", "1", "'+fees"),
        ("1", "2", "'+fees"),
    ]
    listed = (await client.get(EXPORTS, params={"month": "2026-01"})).json()["items"]
    assert [each["number"] for each in listed] == ["JX-2026-000001", "JX-2026-000002"]


async def test_an_export_tells_the_erp_balanced_sums_per_day_currency_and_account(
    client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions, clock: FixedClock
) -> None:
    for currency in ("EUR", "EUR", "USD"):
        await deliver(consumers, completed(line("100.00", "1", "0", "20", currency)), flow_id=new_id())
    clock.advance(days=1)
    await ok(client, "POST", "/v1/payments", payment_body("30.00", reference="INV-2026-000001"))
    export = await ok(client, "POST", EXPORTS, JANUARY)
    told = [each for each in await emitted() if each.topic == "journal.posted"]
    assert [(str(each.event.booked_on), each.event.total.currency, str(each.event.total.amount)) for each in told] == [
        ("2026-01-01", "EUR", "240.00"),
        ("2026-01-01", "USD", "120.00"),
        ("2026-01-02", "EUR", "60.00"),
    ]
    assert {each.event.number for each in told} == {export["number"]}
    sums = {each.account: (str(each.debit.amount), str(each.credit.amount), each.entries) for each in told[0].event.accounts}
    assert sums == {"receivable": ("240.00", "0.00", 2), "revenue": ("0.00", "200.00", 2), "tax": ("0.00", "40.00", 2)}
    for each in told:
        assert sum(part.debit.amount for part in each.event.accounts) == sum(part.credit.amount for part in each.event.accounts)
        assert each.flow_id is None
    lines = await rows(client, export["id"])
    assert sum(Decimal(each["debit"]) for each in lines) == Decimal("420.00")


async def test_exports_at_once_share_nothing_and_leave_nothing_out(client: httpx.AsyncClient) -> None:
    for _ in range(6):
        await ok(client, "POST", "/v1/ledger/entries", by_hand(*FEES))
    replies = await asyncio.gather(*(client.post(EXPORTS, json=JANUARY) for _ in range(4)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409]
    assert (await ok(client, "GET", EXPORTS))["items"][0]["entries"] == 6
    assert (await ok(client, "GET", "/v1/ledger/audit"))["clean"]
