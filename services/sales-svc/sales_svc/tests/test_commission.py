"""Commission over HTTP and events: accrual, vesting, claw-back, statements."""

import asyncio
import csv
import io
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted, KeyPair
from ltc_contracts.events import (
    Event,
    OrderCancelled,
)
from ltc_contracts.examples import example
from ltc_contracts.money import Money
from pypdf import PdfReader

from sales_svc.consumers import consumers
from sales_svc.tests.bills import ORDER, allocated, booked, credited, eur, invoice, planned, refunded, tell
from sales_svc.tests.deals import accepted, flow_of, line, ok, opened, signed

Emissions = Callable[[], Awaitable[list[Emitted]]]
Parked = Callable[[], Awaitable[list[asyncpg.Record]]]


async def test_commission_accrues_on_signature_and_vests_as_cash_is_collected(
    client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions
) -> None:
    await planned(client, "Ada")
    contract = await signed(client)
    assert await booked(client, contract) == [("Ada", "267.53", "0.00")]
    bill = invoice()
    await tell(deliver, contract, bill, allocated(bill, "2000.00"))
    assert await booked(client, contract) == [("Ada", "267.53", "81.96")]
    await tell(deliver, contract, allocated(bill, "4527.81"))
    assert await booked(client, contract) == [("Ada", "267.53", "267.53")]
    told = [event for event in await emitted() if event.topic.startswith("commission.")]
    assert [(each.topic, str(each.event.amount.amount)) for each in told] == [
        *(("commission.accrued", "267.53"), ("commission.vested", "81.96"), ("commission.vested", "185.57"))
    ]
    assert {each.flow_id for each in told} == {flow_of(contract)}
    assert [each.sequence for each in told] == sorted({each.sequence for each in told})


async def test_a_refund_and_a_credit_claw_back(client: httpx.AsyncClient, deliver: Deliver, emitted: Emissions) -> None:
    await planned(client, "Ada", rate="10")
    contract = await signed(client, lines=[line("1000.00")])
    bill = invoice("1000.00", "1220.00")
    await tell(deliver, contract, bill, allocated(bill, "1220.00"))
    await tell(deliver, contract, refunded(bill, "122.00"))
    assert await booked(client, contract) == [("Ada", "100.00", "90.00")], "it may be paid again"
    await tell(deliver, contract, credited(bill, "100.00", "122.00"))
    assert await booked(client, contract) == [("Ada", "90.00", "90.00")], "it is not claimed any more"
    await tell(deliver, contract, credited(bill, "900.00", "1098.00"))
    assert await booked(client, contract) == [("Ada", "0.00", "0.00")]
    taken = [event.event for event in await emitted() if event.topic == "commission.clawed_back"]
    assert [(each.part, each.cause, str(each.amount.amount)) for each in taken] == [
        *(
            ("vested", "refund", "10.00"),
            ("accrued", "credit", "10.00"),
            ("vested", "credit", "90.00"),
            ("accrued", "credit", "90.00"),
        )
    ]


async def test_payments_told_at_once_vest_one_after_the_other(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await planned(client, "Ada")
    contract, bill = await signed(client), invoice()
    await tell(deliver, contract, bill)
    parts = [allocated(bill, "1000.00") for _ in range(6)]
    await asyncio.gather(*(deliver(consumers, part, flow_id=flow_of(contract)) for part in parts))
    assert await booked(client, contract) == [("Ada", "267.53", "245.89")]


async def test_what_is_told_twice_has_no_second_effect(client: httpx.AsyncClient, deliver: Deliver, db: Database) -> None:
    await planned(client, "Ada")
    contract = await signed(client)
    bill, event_id, refund_id = invoice(), new_id(), new_id()
    cash, back, note = allocated(bill, "2000.00"), refunded(bill, "500.00", refund_id), credited(bill, "100.00", "122.00")
    await tell(deliver, contract, bill, bill, back, back, note, note)
    for expected in ("processed", "duplicate"):
        assert await deliver(consumers, cash, flow_id=flow_of(contract), event_id=event_id) == expected
    before = await booked(client, contract)
    # Also when the inbox has forgotten the event, long after.
    async with db.connection() as conn:
        await conn.execute("DELETE FROM inbox")
    await deliver(consumers, cash, flow_id=flow_of(contract), event_id=event_id)
    assert await booked(client, contract) == before == [("Ada", "262.53", "61.47")]


async def test_whatever_the_order_of_events_the_end_is_the_same(
    client: httpx.AsyncClient, deliver: Deliver, parked: Parked
) -> None:
    await planned(client, "Ada", splits=[{"percent": "70"}, {"rep": "Ben", "percent": "30"}])
    ends = set()
    for seed in range(6):
        contract = await signed(client)
        one, two = invoice("2000.00", "2440.00"), invoice("3350.66", "4087.81")
        events: list[Event] = [
            *(one, two, allocated(one, "1000.00"), allocated(one, "1440.00"), allocated(two, "3000.33")),
            *(refunded(one, "610.00"), credited(one, "500.00", "610.00"), refunded(two, "99.99")),
        ]
        random.Random(seed).shuffle(events)
        for event in events:
            await deliver(consumers, event, flow_id=flow_of(contract))
        await deliver.retry(consumers)
        assert await parked() == []
        ends.add(tuple(await booked(client, contract)))
    assert len(ends) == 1


async def test_cash_told_before_its_invoice_waits_for_it(client: httpx.AsyncClient, deliver: Deliver, parked: Parked) -> None:
    await planned(client, "Ada")
    contract, bill = await signed(client), invoice()
    assert await deliver(consumers, allocated(bill, "6527.81"), flow_id=flow_of(contract)) == "parked"
    assert [row["reason"] for row in await parked()] == ["not_yet"]
    await tell(deliver, contract, bill)
    await deliver.retry(consumers)
    assert await booked(client, contract) == [("Ada", "267.53", "267.53")]


async def test_invoices_of_no_contract_of_ours_are_let_through(deliver: Deliver, emitted: Emissions) -> None:
    for topic in ("invoice.issued", "payment.allocated", "payment.refunded", "invoice.credited", "order.cancelled"):
        sample = example(topic)
        assert await deliver(consumers, sample.event, flow_id=sample.envelope.flow_id) == "processed"
    assert await emitted() == []


async def test_a_cancelled_order_takes_back_what_was_accrued(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await planned(client, "Ada")
    contract = await signed(client)
    gone = OrderCancelled(order_id=ORDER, number="O-2026-000001", reason="stopped", net=eur("5350.66"))
    await tell(deliver, contract, gone, gone)
    assert await booked(client, contract) == [("Ada", "0.00", "0.00")]


async def test_money_in_another_currency_than_the_contract_is_refused(
    client: httpx.AsyncClient, deliver: Deliver, parked: Parked
) -> None:
    await planned(client, "Ada")
    contract, bill = await signed(client), invoice()
    await tell(deliver, contract, bill)
    foreign = allocated(bill, "1.00").model_copy(update={"amount": Money.of("100", "JPY")})
    assert await deliver(consumers, foreign, flow_id=flow_of(contract)) == "parked"
    assert [(row["state"], row["reason"]) for row in await parked()] == [("dead", "refused")]
    assert await booked(client, contract) == [("Ada", "267.53", "0.00")]


async def test_an_allocation_of_nothing_is_refused(client: httpx.AsyncClient, deliver: Deliver, parked: Parked) -> None:
    await planned(client, "Ada")
    contract, bill = await signed(client), invoice()
    await tell(deliver, contract, bill)
    assert await deliver(consumers, allocated(bill, "0.00"), flow_id=flow_of(contract)) == "parked"
    assert [row["reason"] for row in await parked()] == ["refused"]


async def test_a_statement_balances_for_each_period(client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock) -> None:
    await planned(client, "Ada", rate="10")
    contract, bill = await signed(client, lines=[line("1000.00")]), invoice("1000.00", "1220.00")
    await tell(deliver, contract, bill, allocated(bill, "610.00"))
    clock.set(datetime(2026, 2, 10, tzinfo=UTC))
    await tell(deliver, contract, refunded(bill, "122.00"), credited(bill, "100.00", "122.00"))
    [january] = await ok(client, "GET", "/v1/commission-statement?rep=Ada&first=2026-01-01&last=2026-01-31")
    [february] = await ok(client, "GET", "/v1/commission-statement?rep=Ada&first=2026-02-01&last=2026-02-28")
    amounts = ("opening", "accrued", "vested", "clawed_back_vested", "clawed_back_accrued", "closing", "earned")
    assert [january[name]["amount"] for name in amounts] == ["0.00", "100.00", "50.00", "0.00", "0.00", "50.00", "50.00"]
    assert [february[name]["amount"] for name in amounts] == ["50.00", "0.00", "0.00", "10.00", "10.00", "50.00", "-10.00"]
    [position] = (await ok(client, "GET", "/v1/commissions?rep=Ada"))["items"]
    assert position["open"]["amount"] == february["closing"]["amount"]
    entries = (await ok(client, "GET", f"/v1/commissions/{position['id']}/entries"))["items"]
    assert [entry["cause"] for entry in entries] == ["signature", "payment", "refund", "credit"]
    assert (await client.get("/v1/commission-statement?rep=Ada&first=2026-02-01&last=2026-01-01")).status_code == 400


async def test_a_statement_in_a_spreadsheet_runs_no_formula(client: httpx.AsyncClient) -> None:
    await planned(client, "Ada")
    await signed(client, customer={"name": "=cmd|' /C calc'!A0", "country": "IT"})
    reply = await client.get("/v1/commission-statement.csv?rep=Ada&first=2026-01-01&last=2026-01-31")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(reply.text.lstrip("\ufeff"))))
    assert [row["entry"] for row in rows] == ["opening", "accrued", "closing"]
    assert rows[1]["customer"] == "'=cmd|' /C calc'!A0"
    assert rows[2]["amount"] == "267.53"


async def test_a_statement_is_printed(client: httpx.AsyncClient, deliver: Deliver) -> None:
    await ok(client, "PUT", "/v1/letterhead", {"name": "Nord GmbH"})
    await planned(client, "Ada")
    contract, bill = await signed(client, customer={"name": "#set page() Rossi", "country": "IT"}), invoice()
    await tell(deliver, contract, bill, allocated(bill, "2000.00"))
    reply = await client.get("/v1/commission-statement.pdf?rep=Ada&first=2026-01-01&last=2026-01-31")
    assert reply.headers["content-type"] == "application/pdf"
    text = " ".join(" ".join(page.extract_text().split()) for page in PdfReader(io.BytesIO(reply.content)).pages)
    for wanted in ("Nord GmbH", "Ada", contract["number"], "#set page() Rossi", "267.53", "81.96 EUR", "185.57"):
        assert wanted in text
    empty = await client.get("/v1/commission-statement.pdf?rep=Ben&first=2026-01-01&last=2026-01-31")
    assert empty.content.startswith(b"%PDF")


async def test_a_rep_sees_only_what_is_theirs(client: httpx.AsyncClient, anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    await planned(client, "Ada")
    await signed(client)
    [position] = (await ok(client, "GET", "/v1/commissions"))["items"]

    async def ask(subject: str, path: str, scopes: str = "commissions:read") -> httpx.Response:
        return await anonymous.get(path, headers={"Authorization": f"Bearer {keys.token(scopes, subject=subject)}"})

    assert len((await ask("Ada", "/v1/commissions")).json()["items"]) == 1
    assert (await ask("Ben", "/v1/commissions")).json()["items"] == []
    assert (await ask("Ben", "/v1/commissions?rep=Ada")).status_code == 403
    assert (await ask("Ben", f"/v1/commissions/{position['id']}")).status_code == 404
    assert (await ask("Ben", f"/v1/commissions/{position['id']}/entries")).status_code == 404
    assert (await ask("Ben", "/v1/commission-statement?rep=Ada&first=2026-01-01&last=2026-01-31")).status_code == 403
    assert (await ask("Ben", "/v1/commissions?rep=Ada", "commissions:read commissions:read_all")).status_code == 200


async def test_the_ledger_is_append_only(client: httpx.AsyncClient, db: Database) -> None:
    await planned(client, "Ada")
    await signed(client)
    async with db.connection() as conn:
        for statement in ("UPDATE commission_entry SET amount = 1", "DELETE FROM commission_entry", "TRUNCATE commission_entry"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await conn.execute(statement)


async def test_a_deal_of_nobody_or_without_a_plan_earns_nothing(client: httpx.AsyncClient, emitted: Emissions) -> None:
    for owner in (None, "Zoe"):
        deal = await opened(client, owner=owner)
        quote = await accepted(client, deal)
        contract = await ok(client, "POST", f"/v1/quotes/{quote['id']}/contract")
        await ok(client, "POST", f"/v1/contracts/{contract['id']}/sign", {"signed_by": "Anna Rossi"})
    assert not [event for event in await emitted() if event.topic.startswith("commission.")]
