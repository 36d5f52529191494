import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, timedelta
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted, KeyPair
from ltc_contracts.errors import DomainError
from ltc_contracts.money import Money

from billing_svc.consumers import consumers
from billing_svc.domain import period as rules
from billing_svc.domain.period import Books
from billing_svc.handlers import payments, periods
from billing_svc.tests.books import FEES, by_hand, close, ok, refused, trial
from billing_svc.tests.builders import completed, line, payment_body

Emissions = Callable[[], Awaitable[list[Emitted]]]
PERIODS = "/v1/ledger/periods"
WHY = {"reason": "end of the month"}


async def test_a_closed_month_takes_nothing_and_what_counts_for_it_is_booked_on_the_first_open_day(
    client: httpx.AsyncClient, clock: FixedClock, deliver: Deliver
) -> None:
    await deliver(consumers, completed(line("100.00", "1", "0", "0")), flow_id=new_id())
    clock.advance(days=40)
    shown = await close(client, "2026-01")
    assert (shown["first_open_day"], shown["periods"][0]["state"]) == ("2026-02-01", "closed")
    january = await trial(client, "2026-01-31")
    late = await ok(client, "POST", "/v1/payments", payment_body("30.00", received_on="2026-01-20"))
    [entry] = (await ok(client, "GET", f"/v1/ledger/entries?payment_id={late['id']}"))["items"]
    assert (entry["occurred_on"], entry["booked_on"]) == ("2026-01-20", "2026-02-01")
    assert await trial(client, "2026-01-31") == january, "a closed month does not change"
    assert (await trial(client, "2026-02-01"))["unapplied_cash", "EUR"] == "-30.00"
    told = await refused(client, "POST", "/v1/ledger/entries", by_hand(*FEES, booked_on="2026-01-31"))
    assert told == (409, "period-closed", "booked_on")


async def test_while_a_month_is_closing_only_accountants_book_in_it(client: httpx.AsyncClient, clock: FixedClock) -> None:
    clock.advance(days=35)
    await close(client, "2026-01", "closing")
    await ok(client, "POST", "/v1/ledger/entries", by_hand(*FEES, booked_on="2026-01-31"))
    await ok(client, "POST", "/v1/payments", payment_body("30.00", received_on="2026-01-31"))
    assert await trial(client, "2026-01-31") == {("bad_debt", "EUR"): "12.50", ("cash", "EUR"): "-12.50"}
    await close(client, "2026-01")
    assert (await refused(client, "POST", f"{PERIODS}/2026-01/closing", WHY))[:2] == (409, "wrong-transition")


async def test_months_close_in_order_after_they_are_over_and_open_from_the_last_with_a_reason_on_record(
    client: httpx.AsyncClient, clock: FixedClock, keys: KeyPair
) -> None:
    assert (await refused(client, "POST", f"{PERIODS}/2026-01/close", WHY))[:2] == (409, "period-not-over")
    clock.advance(days=100)
    await close(client, "2026-01")
    assert (await refused(client, "POST", f"{PERIODS}/2026-03/close", WHY))[:2] == (409, "period-out-of-order")
    await close(client, "2026-02")
    assert (await refused(client, "POST", f"{PERIODS}/2026-01/reopen", WHY))[:2] == (409, "period-out-of-order")
    for body, status in (({}, 422), ({"reason": " "}, 422)):
        assert (await refused(client, "POST", f"{PERIODS}/2026-02/reopen", body))[0] == status
    clerk = {"Authorization": f"Bearer {keys.token('ledger:close ledger:read')}"}
    assert (await client.post(f"{PERIODS}/2026-02/reopen", json=WHY, headers=clerk)).status_code == 403
    chief = {"Authorization": f"Bearer {keys.token('ledger:reopen', subject='chief')}"}
    await ok(client, "POST", f"{PERIODS}/2026-02/reopen", {"reason": "an invoice was missing"}, headers=chief)
    [february, _] = (await ok(client, "GET", PERIODS))["periods"]
    assert february["state"] == "open"
    assert [(each["state"], each["reason"], each["made_by"]) for each in february["changes"]] == [
        ("closed", "end of the month", "test"),
        ("open", "an invoice was missing", "chief"),
    ]
    await ok(client, "POST", "/v1/ledger/entries", by_hand(*FEES, booked_on="2026-02-28"))


async def test_the_database_itself_keeps_closed_months(client: httpx.AsyncClient, clock: FixedClock, db: Database) -> None:
    clock.advance(days=40)
    await ok(client, "POST", "/v1/ledger/entries", by_hand(*FEES, booked_on="2026-01-31"))
    await close(client, "2026-01")
    insert = """
        INSERT INTO ledger_entry (id, booked_on, occurred_on, lines, kind, created_at)
        VALUES ($1, $2, $2, 2, 'payment', now())
    """
    async with db.connection() as conn:
        for day in (date(2026, 1, 31), date(2025, 6, 1)):
            with pytest.raises(asyncpg.RestrictViolationError, match="closed"):
                await conn.execute(insert, new_id(), day)
        entry = await conn.fetchval("SELECT id FROM ledger_entry")
        two = "INSERT INTO ledger_line VALUES ($1, 8, 'cash', 'EUR', 1, 0), ($1, 9, 'tax', 'EUR', 0, 1)"
        with pytest.raises(asyncpg.CheckViolationError, match="other lines"):
            await conn.execute(two, entry)
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute("DELETE FROM period_change")


async def test_nobody_slips_into_a_month_while_it_is_closed(db: Database, clock: FixedClock) -> None:
    clock.advance(days=40)
    booked, go = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with db.transaction() as tx:
            await payments.receive_payment(tx, **_money(date(2026, 1, 31)))
            booked.set()
            await go.wait()

    async def closes() -> None:
        async with db.transaction() as tx:
            await periods.move_period(tx, date(2026, 1, 1), "close", reason="over", by="test")

    async def late() -> None:
        async with db.transaction() as tx:
            await payments.receive_payment(tx, **_money(date(2026, 1, 30)))

    first = asyncio.create_task(slow())
    await booked.wait()
    second = asyncio.create_task(closes())
    async with db.connection() as conn:
        while not await conn.fetchval("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            await asyncio.sleep(0.01)
    third = asyncio.create_task(late())
    go.set()
    await asyncio.gather(first, second, third)
    async with db.connection() as conn:
        rows = await conn.fetch("SELECT occurred_on, booked_on FROM ledger_entry ORDER BY occurred_on")
    assert [tuple(row) for row in rows] == [
        (date(2026, 1, 30), date(2026, 2, 1)),
        (date(2026, 1, 31), date(2026, 1, 31)),
    ]


def _money(day: date) -> dict[str, Any]:
    return {"amount": Money.of("1.00", "EUR"), "method": "cash", "reference": "x", "received_on": day, "wanted": []}


@given(st.lists(st.tuples(st.sampled_from(["begin", "close", "reopen"]), st.integers(0, 6)), max_size=40))
def test_whatever_moves_are_tried_the_shut_months_are_always_one_run_up_to_a_day(moves: list[tuple[rules.Move, int]]) -> None:
    first, today = date(2026, 1, 1), date(2026, 6, 10)
    months = [first]
    for _ in range(6):
        months.append(rules.next_month(months[-1]))
    states: dict[date, rules.PeriodState] = {}
    for to, which in moves:
        books = _books(states)
        try:
            states[months[which]] = rules.move(books, months[which], to, today)
        except DomainError:
            assert _books(states) == books
        now = _books(states)
        shown = [now.state(month) for month in [first - timedelta(days=31), *months]]
        assert shown == sorted(shown, key=["closed", "closing", "open"].index)
        assert now.state(date(2026, 6, 1)) == "open"
        day = now.first_open_day
        assert day is None or now.state(day) == "open"


def _books(states: dict[date, rules.PeriodState]) -> Books:
    """As the store reads them."""
    closed = [month for month, state in states.items() if state == "closed"]
    closing = [month for month, state in states.items() if state == "closing"]
    return Books(max(closed, default=None), max(closing, default=None))
