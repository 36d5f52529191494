import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted
from ltc_chassis.timers import Timer, run_until_idle
from ltc_contracts.examples import example

from billing_svc.consumers import consumers
from billing_svc.handlers import invoices
from billing_svc.tests.builders import completed, line, payment_body
from billing_svc.timers import TIMERS

Emissions = Callable[[], Awaitable[list[Emitted]]]
Json = dict[str, Any]
GROSS = "6527.81"


@pytest.fixture
async def invoice(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    flow_id = new_id()
    assert await deliver(consumers, completed(), flow_id=flow_id) == "processed"
    [made] = (await client.get("/v1/invoices", params={"flow_id": str(flow_id)})).json()["items"]
    found: Json = made
    return found


async def balanced(client: httpx.AsyncClient) -> None:
    trial = (await client.get("/v1/ledger/trial-balance")).json()
    assert all(total["balance"] == "0.00" for total in trial["totals"]), trial


async def test_a_completed_delivery_is_invoiced_once(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions, invoice: Json
) -> None:
    assert (invoice["number"], invoice["gross"]["amount"], invoice["payment_state"]) == ("INV-2026-000001", GROSS, "open")
    event = completed(delivery_id=invoice["delivery_id"])
    assert await deliver(consumers, event, flow_id=new_id()) == "processed"
    assert [each.topic for each in await emitted()] == ["invoice.issued"]
    await deliver(consumers, completed(), flow_id=new_id())
    assert (await emitted())[-1].event.number == "INV-2026-000002"
    await balanced(client)


async def test_the_golden_example_is_accepted(deliver: Deliver, emitted: Emissions) -> None:
    sample = example("delivery.completed")
    assert await deliver(consumers, sample.event, flow_id=sample.envelope.flow_id) == "processed"
    issued = (await emitted())[0].event
    golden: Any = example("invoice.issued").event
    assert (issued.net, issued.tax, issued.gross, issued.taxes) == (golden.net, golden.tax, golden.gross, golden.taxes)


async def test_a_payment_that_names_the_invoice_settles_it(client: httpx.AsyncClient, emitted: Emissions, invoice: Json) -> None:
    body = payment_body(GROSS, reference=f"your {invoice['number']}, thanks")
    payment = (await client.post("/v1/payments", json=body)).json()
    assert (payment["unapplied"]["amount"], payment["allocations"][0]["number"]) == ("0.00", invoice["number"])
    events = await emitted()
    assert [each.topic for each in events] == ["invoice.issued", "payment.received", "payment.allocated", "invoice.paid"]
    assert events[1].flow_id is None
    assert events[1].key == payment["id"]
    assert events[3].event.on_time is True
    assert (await client.get(f"/v1/invoices/{invoice['id']}")).json()["payment_state"] == "paid"
    entries = (await client.get("/v1/ledger/entries", params={"invoice_id": invoice["id"]})).json()["items"]
    assert [entry["kind"] for entry in entries] == ["invoice", "allocation"]
    await balanced(client)


async def test_parts_late_settle_it_as_late(
    client: httpx.AsyncClient,
    clock: FixedClock,
    emitted: Emissions,
    invoice: Json,
    run_timer: Callable[[Timer], Awaitable[int]],
) -> None:
    clock.advance(days=30)
    assert await run_timer(TIMERS[0]) == 0
    clock.advance(days=1)
    assert await run_timer(TIMERS[0]) == 1
    assert await run_timer(TIMERS[0]) == 0
    named = [{"number": invoice["number"], "amount": "2000"}]
    assert (await client.post("/v1/payments", json=payment_body("2500.00", allocations=named))).json()["unapplied"][
        "amount"
    ] == "500.00"
    [shown] = (await client.get("/v1/invoices", params={"overdue": "true", "payment_state": "partial"})).json()["items"]
    assert shown["open"]["amount"] == "4527.81"
    [payment] = (await client.get("/v1/payments")).json()["items"]
    later = await client.post(f"/v1/payments/{payment['id']}/allocations", json={"allocations": [{"invoice_id": invoice["id"]}]})
    assert later.json()["allocated"]["amount"] == "2500.00"
    await client.post("/v1/payments", json=payment_body("4027.81", allocations=[{"invoice_id": invoice["id"]}]))
    paid = (await emitted())[-1]
    assert (paid.topic, paid.event.on_time) == ("invoice.paid", False)
    overdue = [each for each in await emitted() if each.topic == "invoice.overdue"]
    assert (len(overdue), overdue[0].event.days_overdue) == (1, 1)
    await balanced(client)


@pytest.mark.parametrize(
    ("changes", "status", "field"),
    [
        ({"allocations": [{"amount": "9999.99"}]}, 400, "allocations.0.amount"),
        ({"allocations": [{"amount": "0"}]}, 400, "allocations.0.amount"),
        ({"amount": {"amount": "100.00", "currency": "USD"}, "allocations": [{}]}, 400, "allocations.0"),
        ({"received_on": "2030-01-01"}, 400, "received_on"),
        ({"amount": {"amount": "-5.00", "currency": "EUR"}}, 400, "amount"),
    ],
)
async def test_a_payment_that_cannot_be_is_refused_whole(
    client: httpx.AsyncClient, emitted: Emissions, invoice: Json, changes: Json, status: int, field: str
) -> None:
    if "allocations" in changes:
        changes = {**changes, "allocations": [{"number": invoice["number"], **each} for each in changes["allocations"]]}
    reply = await client.post("/v1/payments", json=payment_body("7000.00", **changes))
    assert (reply.status_code, reply.json().get("field")) == (status, field), reply.text
    assert [each.topic for each in await emitted()] == ["invoice.issued"]
    assert (await client.get("/v1/payments")).json()["items"] == []


async def test_a_payment_for_nobody_stays_on_account(client: httpx.AsyncClient) -> None:
    payment = (await client.post("/v1/payments", json=payment_body("10.00"))).json()
    assert (payment["allocated"]["amount"], payment["unapplied"]["amount"]) == ("0.00", "10.00")
    unknown = {"allocations": [{"number": "INV-1999-000001"}]}
    assert (await client.post(f"/v1/payments/{payment['id']}/allocations", json=unknown)).status_code == 404
    await balanced(client)


async def test_two_payments_at_once_never_settle_more_than_is_open(client: httpx.AsyncClient, invoice: Json) -> None:
    body = payment_body(GROSS, allocations=[{"number": invoice["number"]}])
    replies = await asyncio.gather(*(client.post("/v1/payments", json=body) for _ in range(5)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409, 409]
    await balanced(client)


async def test_numbers_have_no_gap_though_transactions_roll_back(db: Database) -> None:
    async def attempt(number: int) -> None:
        async with db.transaction() as tx:
            await invoices.invoice_delivery(tx, completed(), flow_id=new_id())
            if number % 3 == 0:
                raise RuntimeError("rolled back")

    await asyncio.gather(*(attempt(number) for number in range(20)), return_exceptions=True)
    async with db.connection() as conn:
        numbers = [row["number"] for row in await conn.fetch("SELECT number FROM invoice ORDER BY number")]
    assert numbers == [f"INV-2026-{number:06d}" for number in range(1, 14)]


async def test_two_replicas_call_an_invoice_overdue_once(
    db: Database, runtime: Any, clock: FixedClock, emitted: Emissions
) -> None:
    async with db.transaction() as tx:
        for _ in range(12):
            await invoices.invoice_delivery(tx, completed(), flow_id=new_id())
    clock.advance(days=40)
    assert sum(await asyncio.gather(*(run_until_idle(runtime, TIMERS[0]) for _ in range(3)))) == 12
    assert [each.topic for each in await emitted()].count("invoice.overdue") == 12


async def test_the_database_itself_guards_documents_and_ledger(db: Database, invoice: Json) -> None:
    for statement in (
        "UPDATE invoice SET gross = gross + 1, net = net + 1",
        "DELETE FROM invoice",
        "UPDATE ledger_line SET debit = 1",
        "DELETE FROM ledger_entry",
    ):
        async with db.connection() as conn:
            with pytest.raises(asyncpg.RestrictViolationError):
                await conn.execute(statement)
    with pytest.raises(asyncpg.CheckViolationError, match="does not balance"):
        await _book_one_side_only(db)


async def _book_one_side_only(db: Database) -> None:
    entry = new_id()
    async with db.transaction() as tx:
        await tx.conn.execute(
            """
            INSERT INTO ledger_entry (id, booked_on, occurred_on, lines, kind, created_at)
            VALUES ($1, now()::date, now()::date, 1, 'payment', now())
            """,
            entry,
        )
        await tx.conn.execute("INSERT INTO ledger_line VALUES ($1, 0, 'cash', 'EUR', 1, 0)", entry)


async def test_ageing_answers_for_any_day_and_its_buckets_add_up(
    client: httpx.AsyncClient, clock: FixedClock, deliver: Deliver, invoice: Json
) -> None:
    await deliver(consumers, completed(line("100.00", "1", "0", "0"), payment_terms_days=0), flow_id=new_id())
    clock.advance(days=45)
    await client.post("/v1/payments", json=payment_body(GROSS, reference=invoice["number"]))
    [before] = (await client.get("/v1/receivables/ageing", params={"as_of": "2026-02-14"})).json()["currencies"]
    assert (before["invoices"], before["outstanding"]) == (2, "6627.81")
    assert before["buckets"] == {"not_due": "0.00", "1-30": GROSS, "31-60": "100.00", "61-90": "0.00", "91+": "0.00"}
    [after] = (await client.get("/v1/receivables/ageing")).json()["currencies"]
    assert (after["outstanding"], after["buckets"]["31-60"]) == ("100.00", "100.00")
    assert sum(Decimal(part) for part in before["buckets"].values()) == Decimal(before["outstanding"])
