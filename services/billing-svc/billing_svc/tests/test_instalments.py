"""Paid in instalments: they are the invoice to the cent; it is late, aged and reminded of by each of them."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from billing_svc.domain.instalment import Instalment, Plan, Wanted, split
from billing_svc.tests.telling import Emissions, Json, tell
from billing_svc.tests.test_disputes import shown
from billing_svc.tests.test_given_up import issue, pay, post
from billing_svc.timers import TIMERS

DAY = date(2026, 1, 1)
BUCKETS = ("not_due", "1-30", "31-60", "61-90", "91+")


@pytest.fixture
async def invoice(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    """119.00, due on 31 January."""
    return await issue(deliver, client)


async def agree(client: httpx.AsyncClient, invoice: Json, *days: str, expected: int = 201, **changed: Any) -> Json:
    """Equal instalments."""
    body: Json = {"instalments": [{"due_on": day} for day in days], "reason": "asked by phone", **changed}
    return await post(client, f"/v1/invoices/{invoice['id']}/instalments", expected, **body)


def opened(plan: Json) -> list[str]:
    return [each["open"]["amount"] for each in plan["instalments"]]


async def seen(client: httpx.AsyncClient, invoice: Json) -> list[str]:
    return opened((await client.get(f"/v1/invoices/{invoice['id']}/instalments")).json())


async def aged(client: httpx.AsyncClient, as_of: str | None = None) -> list[str]:
    """The buckets of the ageing, which are those by customer as well."""
    params = {"as_of": as_of} if as_of else {}
    [found] = (await client.get("/v1/receivables/ageing", params=params)).json()["currencies"]
    [customer] = (await client.get("/v1/receivables/ageing/customers", params=params)).json()["items"]
    assert customer["currencies"][0]["buckets"] == found["buckets"]
    assert sum(Decimal(each) for each in found["buckets"].values()) == Decimal(found["outstanding"])
    assert found["invoices"] == 1
    return [found["buckets"][name] for name in BUCKETS]


def test_golden_splits_of_which_the_last_takes_the_residual() -> None:
    def parts(gross: Money, *wanted: Wanted) -> list[str]:
        return [str(part.amount) for part in split(gross, wanted)]

    even, percent = Wanted(DAY), Wanted(DAY, percent=Decimal("33.3333"))
    assert parts(Money.of("119.00", "EUR"), even, even, even) == ["39.66", "39.66", "39.68"]
    assert parts(Money.of(100, "JPY"), even, even, even) == ["33", "33", "34"]
    assert parts(Money.of("10.001", "KWD"), percent, percent, percent) == ["3.333", "3.333", "3.335"]
    assert parts(Money.of("119.00", "EUR"), Wanted(DAY, Decimal(50)), even, even) == ["50.00", "34.50", "34.50"]
    for wrong in ([Wanted(DAY, Decimal(60)), Wanted(DAY, Decimal(60))], [Wanted(DAY, Decimal(119)), even]):
        with pytest.raises(Invalid):
            split(Money.of("119.00", "EUR"), wrong)


@settings(max_examples=60, deadline=None)
@given(st.integers(100, 10**9), st.lists(st.one_of(st.none(), st.integers(1, 9)), min_size=2, max_size=10), st.integers(0, 100))
def test_whatever_is_split_adds_up_and_what_is_open_of_the_parts_is_what_is_open(
    cents: int, shares: list[int | None], paid: int
) -> None:
    gross = Money.of(Decimal(cents) / 100, "EUR")
    wanted = [Wanted(DAY + timedelta(n), percent=None if share is None else Decimal(share)) for n, share in enumerate(shares)]
    amounts = split(gross, wanted)
    assert Money.total(amounts, "EUR") == gross
    numbered = [Instalment(n, each.due_on, amount) for n, (each, amount) in enumerate(zip(wanted, amounts, strict=True), 1)]
    plan = Plan(new_id(), tuple(numbered), None, DAY, "test", "x")
    left = gross - Money.rounded(gross.amount * paid / 100, "EUR")
    parts = plan.parts(left)
    assert Money.total((part.open for part in parts), "EUR") == left
    # Nothing of a later one is paid before the earlier ones are.
    begun = [part.open != part.amount for part in parts]
    assert begun == sorted(begun, reverse=True)
    assert sum(part.open.amount not in (0, part.amount.amount) for part in parts) <= 1


async def test_money_counts_on_the_instalment_that_is_due_first_and_each_is_aged_by_its_own_day(
    client: httpx.AsyncClient, clock: FixedClock, invoice: Json, db: Database
) -> None:
    plan = await agree(client, invoice, "2026-01-11", "2026-02-10", "2026-03-12")
    assert opened(plan) == ["39.66", "39.66", "39.68"]
    assert (await shown(client, invoice))["next_due_on"] == "2026-01-11"
    await agree(client, invoice, "2026-01-11", "2026-02-10", expected=409)
    await pay(client, invoice, "50.00")
    assert await seen(client, invoice) == ["0.00", "29.32", "39.68"]
    assert (await shown(client, invoice))["next_due_on"] == "2026-02-10"
    clock.set(clock.moment + timedelta(days=45))
    assert await aged(client) == ["39.68", "29.32", "0.00", "0.00", "0.00"]
    assert await aged(client, "2026-01-20") == ["69.00", "0.00", "0.00", "0.00", "0.00"]
    clock.set(clock.moment + timedelta(days=60))
    assert await aged(client) == ["0.00", "0.00", "39.68", "29.32", "0.00"]
    customer = invoice["customer"]["customer_id"]
    [account] = (await client.get(f"/v1/customers/{customer}/statement")).json()["accounts"]
    assert [(each["instalment"], each["open"]["amount"]) for each in account["instalments"]] == [(2, "29.32"), (3, "39.68")]
    assert (await client.get(f"/v1/customers/{customer}/statement.pdf")).status_code == 200
    expected = (await client.get(f"/v1/customers/{customer}/forecast")).json()
    assert len(expected["invoices"]) == 2, expected
    await post(client, f"/v1/invoices/{invoice['id']}/credits", 201, reason="all the rest")
    assert await seen(client, invoice) == ["0.00", "0.00", "0.00"]
    async with db.connection() as conn:
        for statement in ("UPDATE instalment SET amount = amount + 1", "DELETE FROM instalment"):
            with pytest.raises(asyncpg.RestrictViolationError):
                await conn.execute(statement)


async def test_each_missed_instalment_is_reminded_of_by_itself_and_its_payment_ends_that(
    client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, run_timer: Any, invoice: Json
) -> None:
    async def live(days: int) -> None:
        for _ in range(days):
            clock.advance(days=1)
            for timer in TIMERS:
                await run_timer(timer)

    async def steps() -> list[tuple[str, str, str]]:
        return [
            (each.event.step, str(each.event.open.amount), str(each.event.days_overdue))
            for each in await emitted()
            if each.topic == "dunning.step_taken"
        ]

    await agree(client, invoice, "2026-01-11", "2026-03-12")
    await live(45)
    assert await steps() == [
        *(("before", "59.50", "-3"), ("friendly", "59.50", "3"), ("second", "59.50", "7"), ("formal", "59.50", "14")),
        ("final", "59.50", "30"),
    ]
    [overdue] = [
        each.event for each in await emitted() if each.topic == "invoice.overdue" and each.event.number == invoice["number"]
    ]
    assert (overdue.due_on, overdue.days_overdue) == (date(2026, 1, 11), 1)
    await pay(client, invoice, "59.50")
    assert (await shown(client, invoice))["overdue"] is False
    await live(1)
    ended = [each.event for each in await emitted() if each.topic == "dunning.ended"]
    assert [each.held_orders for each in ended] == [True]
    await live(27)
    assert (await steps())[5:] == [("before", "59.50", "-3"), ("friendly", "59.50", "3")]
    await pay(client, invoice, "59.50")
    await live(30)
    assert len(await steps()) == 7
    assert [each.topic for each in await emitted()].count("dunning.ended") == 2


async def test_a_missed_instalment_makes_the_rest_due_where_that_was_agreed(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Any, deliver: Deliver, invoice: Json
) -> None:
    patient = await issue(deliver, client)
    for each, days in ((invoice, 5), (patient, None)):
        await agree(client, each, "2026-01-11", "2026-06-11", "2026-07-11", rest_due_after_days=days)
    timer = next(each for each in TIMERS if each.name == "call-in-rest")
    clock.advance(days=15)
    assert await run_timer(timer) == 0
    clock.advance(days=1)
    assert await run_timer(timer) == 1
    assert await run_timer(timer) == 0
    called = (await client.get(f"/v1/invoices/{invoice['id']}/instalments")).json()
    assert [each["due_on"] for each in called["instalments"]] == ["2026-01-11", "2026-01-17", "2026-01-17"]
    assert called["called_in_on"] == "2026-01-17"
    clock.advance(days=10)
    [found] = (await client.get("/v1/receivables/ageing")).json()["currencies"]
    assert (found["buckets"]["not_due"], found["buckets"]["1-30"], found["invoices"]) == ("79.34", "158.66", 2)
    # What was so on an earlier day stays so.
    [before] = (await client.get("/v1/receivables/ageing", params={"as_of": "2026-01-16"})).json()["currencies"]
    assert (before["buckets"]["not_due"], before["buckets"]["1-30"]) == ("158.68", "79.32")


@pytest.mark.parametrize(
    ("parts", "field"),
    [
        ([{"due_on": "2025-12-31"}, {"due_on": "2026-02-01"}], "instalments.0.due_on"),
        ([{"due_on": "2026-02-01"}, {"due_on": "2026-02-01"}], "instalments.1.due_on"),
        ([{"due_on": "2026-02-01", "amount": "1", "percent": "1"}, {"due_on": "2026-03-01"}], "instalments.0"),
        ([{"due_on": "2026-02-01", "amount": "1.001"}, {"due_on": "2026-03-01"}], "instalments.0.amount"),
        ([{"due_on": "2026-02-01", "amount": "119"}, {"due_on": "2026-03-01"}], "instalments.1"),
        ([{"due_on": "2026-02-01", "amount": "1"}, {"due_on": "2026-03-01", "amount": "1"}], "instalments"),
    ],
)
async def test_instalments_that_are_not_the_invoice_are_refused(
    client: httpx.AsyncClient, invoice: Json, parts: list[Json], field: str
) -> None:
    where = f"/v1/invoices/{invoice['id']}/instalments"
    assert (await post(client, where, 400, instalments=parts, reason="x"))["field"] == field
    assert (await client.get(where)).status_code == 404


async def test_nothing_is_split_that_is_paid_or_void(client: httpx.AsyncClient, deliver: Deliver, invoice: Json) -> None:
    void = await issue(deliver, client)
    await post(client, f"/v1/invoices/{void['id']}/void", 200, reason="wrong")
    await pay(client, invoice, "119.00")
    for each in (void, invoice):
        await agree(client, each, "2026-01-11", "2026-02-10", expected=409)
    await tell(deliver, [])
    await agree(client, {"id": str(UUID(int=0))}, "2026-01-11", "2026-02-10", expected=404)
