import asyncio
import os
import random
import signal
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.errors import DomainError
from ltc_contracts.money import Money

from billing_svc.consumers import consumers
from billing_svc.domain.audit import Audit
from billing_svc.domain.ledger import posting
from billing_svc.handlers import credits, invoices, manual_entries, payments, periods
from billing_svc.store.audit import audit
from billing_svc.tests.books import FEES, by_hand, close, ok, refused
from billing_svc.tests.builders import completed, line, payment_body

TODAY = date(2026, 2, 10)


@pytest.fixture
async def busy(deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock) -> None:
    """Invoices of January and February, one paid, one credited after it was paid, an entry by hand; January is closed."""
    for price in ("100.00", "200.00", "300.00"):
        await deliver(consumers, completed(line(price, "1", "0", "20")), flow_id=new_id())
    await ok(client, "POST", "/v1/payments", payment_body("500.00", reference="INV-2026-000001 INV-2026-000002"))
    await ok(client, "POST", "/v1/ledger/entries", by_hand(*FEES))
    clock.advance(days=40)
    await close(client, "2026-01")
    clock.advance(minutes=1)
    await deliver(consumers, completed(line("50.00", "1", "0", "20")), flow_id=new_id())
    second = (await ok(client, "GET", "/v1/invoices?number=INV-2026-000002"))["items"][0]
    await ok(client, "POST", f"/v1/invoices/{second['id']}/credits", {"reason": "broken"})
    await ok(client, "POST", "/v1/payments", payment_body("20.00", received_on="2026-01-15", reference="INV-2026-000003"))


@pytest.mark.usefixtures("busy")
async def test_in_health_it_is_empty_on_every_day_and_says_what_was_booked_later(client: httpx.AsyncClient) -> None:
    for as_of in ("2025-12-31", "2026-01-01", "2026-01-31", "2026-02-10", "2030-01-01"):
        found = await ok(client, "GET", f"/v1/ledger/audit?as_of={as_of}")
        lists = ("gaps", "doubled", "differences", "amounts", "entries", "unbooked")
        assert (found["clean"], [found[name] for name in lists]) == (True, [[]] * 6), found
    january = (await ok(client, "GET", "/v1/ledger/audit?as_of=2026-01-31"))["compared"]
    receivable = {"account": "receivable", "currency": "EUR", "difference": "0.00"}
    # 120 + 240 + 360, of which 360 are paid; of the money that came later 20 count for a day of the closed month.
    assert {**receivable, "sub_ledger": "340.00", "ledger": "360.00", "booked_later": "-20.00"} in january


TAMPERINGS = [
    ("DELETE FROM invoice WHERE number = 'INV-2026-000003'", {"gaps", "entries", "differences"}),
    ("UPDATE invoice SET number = 'INV-2026-000009' WHERE number = 'INV-2026-000002'", {"gaps", "doubled"}),
    ("DELETE FROM credit_note", {"gaps", "differences", "amounts", "entries"}),
    ("UPDATE number_series SET last = 3 WHERE series = 'INV'", {"doubled"}),
    ("UPDATE number_series SET last = 7 WHERE series = 'INV'", {"gaps"}),
    ("UPDATE invoice SET gross = gross + 1, net = net + 1 WHERE number = 'INV-2026-000001'", {"differences"}),
    ("UPDATE invoice SET paid = paid - 1 WHERE number = 'INV-2026-000001'", {"amounts"}),
    ("UPDATE payment SET applied = applied - 1, unapplied = unapplied + 1 WHERE applied > 100", {"amounts"}),
    ("UPDATE payment SET amount = amount + 1, unapplied = unapplied + 1", {"differences"}),
    ("UPDATE allocation SET amount = amount + 1 WHERE amount = 120", {"differences", "amounts"}),
    ("UPDATE ledger_line SET debit = debit + 1 WHERE account = 'receivable' AND debit = 120", {"differences", "entries"}),
    ("DELETE FROM ledger_line WHERE account = 'tax'", {"entries"}),
    ("DELETE FROM ledger_entry WHERE kind = 'invoice'", {"differences", "entries", "unbooked"}),
    ("DELETE FROM ledger_line WHERE entry_id IN (SELECT id FROM ledger_entry WHERE kind = 'manual')", {"entries"}),
    ("UPDATE ledger_line SET account = 'nowhere' WHERE account = 'revenue'", {"entries"}),
    ("UPDATE ledger_entry SET booked_on = '2026-01-15' WHERE booked_on > occurred_on", {"entries"}),
]


@pytest.mark.usefixtures("busy")
async def test_whatever_somebody_with_all_rights_changes_in_the_database_is_found(db: Database) -> None:
    wrong = []
    for statement, lists in TAMPERINGS:
        async with db.connection() as conn:
            changes = conn.transaction()
            await changes.start()
            try:
                # Triggers and foreign keys do not hold whoever is allowed everything.
                await conn.execute("SET LOCAL session_replication_role = replica")
                await conn.execute(statement)
                found = await audit(conn, TODAY, TODAY)
            finally:
                await changes.rollback()
        if _found(found) != lists or not found.findings():
            wrong.append((statement, found.findings()))
    assert not wrong


def _found(audited: Audit) -> set[str]:
    """The lists that are not empty."""
    return {name for name in ("gaps", "doubled", "differences", "amounts", "entries", "unbooked") if getattr(audited, name)}


async def test_a_month_in_which_something_is_wrong_is_not_closed(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, db: Database
) -> None:
    await deliver(consumers, completed(), flow_id=new_id())
    clock.advance(days=40)
    async with db.connection() as conn, conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute("UPDATE ledger_line SET debit = debit + 1 WHERE account = 'receivable'")
    why = {"reason": "end of the month"}
    assert (await refused(client, "POST", "/v1/ledger/periods/2026-01/close", why))[:2] == (409, "period-not-clean")
    reply = await client.post("/v1/ledger/periods/2026-01/close", json=why)
    assert any("unbalanced" in each for each in reply.json()["findings"])
    assert (await ok(client, "GET", "/v1/ledger/periods"))["periods"] == []


@pytest.mark.parametrize("seed", range(3))
async def test_after_random_documents_the_books_balance_and_the_audit_is_empty_on_every_day(
    db: Database, clock: FixedClock, seed: int
) -> None:
    rng = random.Random(seed)
    refusals = 0
    for _ in range(70):
        clock.advance(days=rng.choice([0, 0, 1, 3]))
        try:
            async with db.transaction() as tx:
                await _something(tx, rng)
                if rng.random() < 0.1:
                    raise _TakenBack("rolled back")
        except DomainError:
            refusals += 1
    today = clock.moment.date()
    async with db.connection() as conn:
        assert refusals < 60
        for day in [*(today - timedelta(days=rng.randint(0, 90)) for _ in range(4)), today]:
            assert (await audit(conn, day, today)).findings() == []
        sums = await conn.fetch("SELECT currency, sum(debit) - sum(credit) AS rest FROM ledger_line GROUP BY currency")
    assert sums
    assert all(row["rest"] == 0 for row in sums)


class _TakenBack(DomainError):
    """The caller went away."""


async def _something(tx: Any, rng: random.Random) -> None:
    """One thing that may happen to the books; what is not possible at that moment is refused."""
    ids: Sequence[Any] = [row["id"] for row in await tx.conn.fetch("SELECT id FROM invoice ORDER BY id")]
    today = tx.now.date()
    act = rng.choice(["issue", "issue", "pay", "pay", "apply", "credit", "hand", "reverse", "close", "reopen"])
    if act == "issue":
        priced = line(f"{rng.randint(1, 99999) / 100:.2f}", str(rng.randint(1, 9)), "0", rng.choice(["0", "7", "19"]))
        await invoices.invoice_delivery(tx, completed(priced), flow_id=new_id())
    elif act == "pay":
        numbers = " ".join(f"INV-2026-{rng.randint(1, len(ids) + 1):06d}" for _ in range(rng.randint(0, 3)))
        amount = Money.of(f"{rng.randint(1, 99999) / 100:.2f}", "EUR")
        day = today - timedelta(days=rng.choice([0, 0, 2, 40]))
        await payments.receive_payment(tx, amount=amount, method="cash", reference=f"x {numbers}", received_on=day, wanted=[])
    elif act == "apply" and ids:
        free = await tx.conn.fetchval("SELECT id FROM payment WHERE unapplied > 0 LIMIT 1")
        if free is not None:
            await payments.allocate_payment(tx, free, [payments.Wanted(invoice_id=rng.choice(ids))])
    elif act == "credit" and ids:
        await credits.credit_by_hand(tx, rng.choice(ids), reason="wrong", wanted=None)
    elif act == "hand":
        one = Money.of(f"{rng.randint(1, 9999) / 100:.2f}", "EUR")
        day = today - timedelta(days=rng.choice([0, 1, 20]))
        both = [posting("bad_debt", one), posting("cash", -one)]
        await manual_entries.book_by_hand(tx, booked_on=day, postings=both, reason="fees", by="test")
    elif act == "reverse":
        made = await tx.conn.fetchval("SELECT id FROM ledger_entry WHERE kind = 'manual' ORDER BY random() LIMIT 1")
        if made is not None:
            await manual_entries.reverse_by_hand(tx, made, booked_on=None, reason="wrong", by="test")
    elif act in ("close", "reopen"):
        last = await tx.conn.fetchval("SELECT max(month) FROM accounting_period WHERE state = 'closed'")
        month = last or date(2025, 12, 1)
        if act == "close":
            month = (month + timedelta(days=32)).replace(day=1) if last else month
        await periods.move_period(tx, month, "close" if act == "close" else "reopen", reason="end of the month", by="test")


async def test_eight_writers_that_are_killed_leave_no_gap_and_no_double(
    db: Database, client: httpx.AsyncClient, deliver: Deliver
) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "billing_svc.tests.ledger_crash_child", env=dict(os.environ), stdout=asyncio.subprocess.PIPE
    )
    assert child.stdout is not None
    pids = [int(pid) for pid in (await child.stdout.readline()).split()]
    assert len(pids) == 8
    for many in (24, 48):
        while True:
            async with db.connection() as conn:
                if await conn.fetchval("SELECT count(*) FROM invoice") >= many:
                    break
            await asyncio.sleep(0.02)
        for _ in range(4):
            os.kill(pids.pop(), signal.SIGKILL)
    await child.wait()
    await deliver(consumers, completed(), flow_id=new_id())
    async with db.connection() as conn:
        # A connection whose client was killed ends when the server writes to it; until then its transaction is open.
        while await conn.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_xid IS NOT NULL"
        ):
            await asyncio.sleep(0.02)
        numbers = [row["number"] for row in await conn.fetch("SELECT number FROM invoice ORDER BY number")]
        notes = await conn.fetchval("SELECT count(*) FROM credit_note")
    assert numbers == [f"INV-2026-{count:06d}" for count in range(1, len(numbers) + 1)]
    assert notes > 0
    found = await ok(client, "GET", "/v1/ledger/audit")
    assert found["clean"], found
