"""Usage: each record counts once, and each period is invoiced once, by meters and tariffs whose figures were worked out by hand."""

import asyncio
from datetime import date
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_contracts.money import Money

from billing_svc.domain import usage as rules
from billing_svc.domain.usage import Model, Tariff, Tier
from billing_svc.handlers import usage as handlers
from billing_svc.tests.builders import CUSTOMER
from billing_svc.tests.telling import Emissions, Json, balances
from billing_svc.tests.test_given_up import post
from billing_svc.timers import TIMERS

WHO = {"customer_id": str(CUSTOMER.customer_id), "name": "Rossi", "country": "IT"}
BILL = next(each for each in TIMERS if each.name == "bill-usage")
STEPS = [{"up_to": "1000", "price": "0.10"}, {"up_to": "5000", "price": "0.08"}, {"price": "0.05"}]


def tariff(model: Model, *tiers: tuple[int | None, str], per: int = 1) -> Tariff:
    steps = tuple(Tier(None if end is None else Decimal(end), Money.of(price, "EUR")) for end, price in tiers)
    return Tariff("sum", model, Decimal(per), steps, Money.zero("EUR"), "API", "Calls", "S", Decimal(22))


def priced(of: Tariff, quantity: str) -> list[tuple[str, str]]:
    return [(str(count), str(price.amount)) for count, _, price in rules.rate(of, Decimal(quantity))]


def test_golden_ratings_of_each_model() -> None:
    steps = ((1000, "0.10"), (5000, "0.08"), (None, "0.05"))
    # 100.00 + 320.00 + 50.00; all 6,000 at 0.05; the end of a tier belongs to it.
    assert priced(tariff("graduated", *steps), "6000") == [("1000", "0.10"), ("4000", "0.08"), ("1000", "0.05")]
    assert priced(tariff("graduated", *steps), "1000") == [("1000", "0.10")]
    assert priced(tariff("volume", *steps), "6000") == [("6000", "0.05")]
    assert priced(tariff("volume", *steps), "1000") == [("1000", "0.10")]
    assert priced(tariff("volume", *steps), "1000.000001") == [("1000.000001", "0.08")]
    # Three packages are begun.
    assert priced(tariff("package", (None, "9.00"), per=1000), "2001") == [("3", "9.00")]
    assert priced(tariff("package", (None, "9.00"), per=1000), "2000") == [("2", "9.00")]
    assert priced(tariff("per_unit", (None, "0.25"), per=1000), "12345") == [("12345", "0.25")]
    assert priced(tariff("graduated", *steps), "0") == []


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20_000), st.lists(st.integers(1, 10_000), unique=True, max_size=4))
def test_graduated_tiers_share_out_all_that_was_used(quantity: int, ends: list[int]) -> None:
    tiers: list[tuple[int | None, str]] = [*((end, "0.01") for end in sorted(ends)), (None, "0.01")]
    found = rules.rate(tariff("graduated", *tiers), Decimal(quantity))
    assert sum(count for count, _, _ in found) == quantity


def test_periods_are_months_without_gap_or_overlap() -> None:
    day = date(2026, 1, 28)
    assert [day := rules.period_after(day) for _ in range(3)] == [date(2026, 2, 28), date(2026, 3, 28), date(2026, 4, 28)]
    assert rules.period_after(date(2026, 12, 1)) == date(2027, 1, 1)


async def agree(client: httpx.AsyncClient, expected: int = 201, **changed: Any) -> Json:
    given: Json = {"customer": WHO, "currency": "EUR", "sku": "API", "description": "Calls", "meter": "sum", "tax_rate": "22"}
    given |= {"model": "graduated", "tiers": STEPS, "starts_on": "2026-01-01"}
    return await post(client, "/v1/usage-plans", expected, **(given | changed))


async def use(client: httpx.AsyncClient, plan: Json, *told: tuple[str, str, str], **changed: Any) -> Json:
    """Key, quantity and day."""
    records = [
        {"plan_id": plan["id"], "key": key, "quantity": quantity, "used_at": f"{day}T12:00:00Z", **changed}
        for key, quantity, day in told
    ]
    return await post(client, "/v1/usage", 200, records=records)


async def invoices(client: httpx.AsyncClient) -> list[Json]:
    found: list[Json] = (await client.get("/v1/invoices")).json()["items"]
    return found


async def test_usage_counts_once_and_its_period_is_invoiced_once_in_arrears(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Any, emitted: Emissions, db: Database
) -> None:
    plan = await agree(client, grace_days=2)
    clock.advance(days=20)
    first = await use(client, plan, ("a", "4000", "2026-01-05"), ("b", "2000", "2026-01-20"), ("a", "4000", "2026-01-05"))
    assert (first["recorded"], first["known"], first["refused"]) == (2, 1, 0)
    again = await use(client, plan, ("a", "4000", "2026-01-05"), ("b", "1", "2026-01-20"), ("c", "1", "2026-03-01"))
    assert [each["result"] for each in again["records"]] == ["known", "refused", "refused"]
    waiting = (await client.get(f"/v1/usage-plans/{plan['id']}")).json()
    assert (waiting["unbilled_records"], waiting["unbilled_quantity"]) == (2, "6000")
    clock.advance(days=12)
    assert await run_timer(BILL) == 0
    clock.advance(days=1)
    assert await run_timer(BILL) == 1
    assert await run_timer(BILL) == 0
    [made] = await invoices(client)
    assert [(each["quantity"], each["net"]["amount"]) for each in made["lines"]] == [
        *(("1000", "100.00"), ("4000", "320.00"), ("1000", "50.00"))
    ]
    assert (made["net"]["amount"], made["gross"]["amount"], made["cause"]) == ("470.00", "573.40", "usage")
    assert made["lines"][0]["description"] == "Calls, 2026-01-01 to 2026-01-31"
    assert [each.topic for each in await emitted()] == ["invoice.issued"]
    assert (await balances(client))["receivable"] == "573.40"
    # What comes late goes into the next period, and says so; what was invoiced never changes.
    clock.advance(days=10)
    await use(client, plan, ("late", "100", "2026-01-31"), ("d", "50", "2026-02-01"))
    async with db.connection() as conn:
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute("UPDATE usage_record SET quantity = 0 WHERE key = 'a'")
    clock.advance(days=25)
    assert await run_timer(BILL) == 1
    second = (await invoices(client))[1]
    assert (second["net"]["amount"], second["number"]) == ("15.00", "INV-2026-000002")
    assert second["lines"][0]["description"] == "Calls, 2026-02-01 to 2026-02-28 (with 1 late of earlier periods)"
    # Nothing was used in March: there is no invoice, and the period is over.
    clock.advance(days=40)
    assert await run_timer(BILL) == 1
    assert len(await invoices(client)) == 2
    assert (await client.get("/v1/ledger/audit")).json()["clean"] is True


@pytest.mark.parametrize(("meter", "net"), [("max", "7.00"), ("last", "2.00"), ("unique", "2.00"), ("sum", "12.00")])
async def test_each_meter_counts_what_it_says_and_the_minimum_is_made_up(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Any, meter: str, net: str
) -> None:
    plan = await agree(client, meter=meter, model="per_unit", tiers=[{"price": "1.00"}], minimum="10.00", ends_on="2026-01-31")
    clock.advance(days=30)
    for key, quantity, day, who in (("a", "3", "05", "x"), ("b", "7", "20", "y"), ("c", "2", "29", "x")):
        counted = {"counted": who} if meter == "unique" else {}
        assert (await use(client, plan, (key, quantity, f"2026-01-{day}"), **counted))["recorded"] == 1
    clock.advance(days=2)
    assert await run_timer(BILL) == 1
    [made] = await invoices(client)
    assert made["lines"][0]["net"]["amount"] == net
    assert Decimal(made["net"]["amount"]) == max(Decimal(net), Decimal(10))
    assert (await client.get(f"/v1/usage-plans/{plan['id']}")).json()["next_from"] is None
    assert (await use(client, plan, ("d", "1", "2026-01-30")))["records"][0]["result"] == "refused"


async def test_a_crash_and_replicas_invoice_a_period_once_and_no_record_is_lost_between_periods(
    client: httpx.AsyncClient, clock: FixedClock, db: Database
) -> None:
    plan = await agree(client, model="per_unit", tiers=[{"price": "1.00"}])
    clock.advance(days=31)
    await use(client, plan, *((str(n), "1", "2026-01-10") for n in range(10)))

    async def close(die: bool) -> None:
        async with db.transaction() as tx:
            await handlers.close_due(tx, limit=5)
            if die:
                raise RuntimeError("killed before the commit")

    told = [use(client, plan, (f"more {n}", "1", "2026-01-10")) for n in range(6)]
    await asyncio.gather(close(True), close(False), close(True), close(False), *told, return_exceptions=True)
    await close(False)
    clock.advance(days=28)
    await close(False)
    made = await invoices(client)
    assert sum(Decimal(each["net"]["amount"]) for each in made) == 16
    assert len({each["cause_id"] for each in made}) == len(made) <= 2


async def test_a_period_that_no_document_holds_keeps_no_other_waiting(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Any
) -> None:
    huge = await agree(client, model="per_unit", tiers=[{"price": "9" * 12}])
    small = await agree(client, model="per_unit", tiers=[{"price": "1.00"}])
    clock.advance(days=31)
    for plan, quantity in ((huge, "9" * 9), (small, "1")):
        await use(client, plan, ("a", quantity, "2026-01-10"))
    await run_timer(BILL)
    [made] = await invoices(client)
    assert made["net"]["amount"] == "1.00"
    waiting = (await client.get(f"/v1/usage-plans/{huge['id']}")).json()
    assert (waiting["next_from"], waiting["unbilled_records"]) == ("2026-01-01", 1)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tiers": [{"up_to": "5", "price": "1"}]}, "tiers"),
        ({"tiers": [{"up_to": "5", "price": "1"}, {"up_to": "5", "price": "1"}, {"price": "1"}]}, "tiers"),
        ({"model": "package"}, "tiers"),
        ({"starts_on": "2026-01-31"}, "starts_on"),
        ({"per": "0"}, "per"),
        ({"tax_category": "AE", "tax_rate": "0"}, "customer.vat_id"),
        ({"tiers": [{"price": "0.001"}]}, "amount"),
    ],
)
async def test_a_tariff_that_could_not_be_invoiced_is_refused(client: httpx.AsyncClient, changes: Json, field: str) -> None:
    assert (await agree(client, 400, **changes))["field"] == field
