"""What is booked in another currency is worth something in that of the books: balanced, carried at its rate, differences apart."""

import csv
import io
import random
from collections import Counter
from datetime import timedelta
from decimal import Decimal

import asyncpg
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.money import minor_units

from billing_svc.consumers import consumers
from billing_svc.domain.valuation import Kept, Line, value
from billing_svc.tests.books import Json, by_hand, ok
from billing_svc.tests.builders import NOW, completed, line, payment_body
from billing_svc.tests.telling import tell
from billing_svc.tests.test_exchange_rates import enter, rate


async def books_in(client: httpx.AsyncClient, currency: str, *rates: Json) -> None:
    await ok(client, "PUT", "/v1/reporting-currency", {"currency": currency, "source": "ECB"})
    await enter(client, *rates)


async def issued(client: httpx.AsyncClient, deliver: Deliver, net: str, tax: str = "0", currency: str = "USD") -> Json:
    delivery = completed(line(net, "1", "0", tax, currency))
    await tell(deliver, [delivery])
    [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
    return dict(made)


async def paid(client: httpx.AsyncClient, invoice: Json, amount: str, currency: str = "USD") -> Json:
    return await ok(client, "POST", "/v1/payments", payment_body(amount, currency, reference=invoice["number"]))


async def reported(client: httpx.AsyncClient) -> dict[str, str]:
    """Balances in the currency of the books; together nothing, always."""
    found = await ok(client, "GET", "/v1/ledger/reporting-balance")
    assert Decimal(found["balance"]) == 0, found
    return {each["account"]: each["balance"] for each in found["accounts"] if Decimal(each["balance"])}


async def carried(client: httpx.AsyncClient, invoice: Json) -> tuple[str, str, str]:
    found = await ok(client, "GET", f"/v1/invoices/{invoice['id']}/carrying-amount")
    return found["open"], found["carried"], found["realised"]


async def test_an_invoice_in_dollars_paid_when_they_are_worth_more_gains_the_difference(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    # 1,000.00 USD at 0.90 are carried at 900.00 EUR; paid at 0.92 they bring 920.00 EUR: a gain of 20.00.
    await books_in(client, "EUR", rate("2026-01-01", "0.90"), rate("2026-01-10", "0.92"))
    invoice = await issued(client, deliver, "1000.00")
    assert await carried(client, invoice) == ("1000.00", "900.00", "0.00")
    assert await reported(client) == {"receivable": "900.00", "revenue": "-900.00"}
    clock.set(NOW + timedelta(days=10))
    await paid(client, invoice, "1000.00")
    assert await reported(client) == {"cash": "920.00", "fx_gain": "-20.00", "revenue": "-900.00"}
    assert await carried(client, invoice) == ("0.00", "0.00", "20.00")
    [entry] = (await ok(client, "GET", f"/v1/ledger/entries?invoice_id={invoice['id']}&kind=allocation"))["items"]
    lines = (await client.get(f"/v1/ledger/entries/{entry['id']}/value")).json()
    assert [(each["account"], each["debit"], each["credit"], each["rate"]) for each in lines] == [
        ("unapplied_cash", "920.00", "0.00", "0.92"),
        ("receivable", "0.00", "900.00", "0.90"),
        ("fx_gain", "0.00", "20.00", None),
    ]
    # A rate that is corrected later changes nothing of what is booked.
    await enter(client, rate("2026-01-01", "0.50", correction=True))
    assert (await reported(client))["fx_gain"] == "-20.00"


async def test_paid_in_parts_and_taken_off_again_it_is_carried_at_its_rate_and_small_rests_are_no_difference_of_rates(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    # 100.01 USD at 0.8888 = 88.888888 -> 88.89. After 33.34 are paid 66.67 are open: 59.256296 -> 59.26.
    await books_in(client, "EUR", rate("2026-01-01", "0.8888"), rate("2026-01-10", "0.7777"))
    invoice = await issued(client, deliver, "100.01")
    assert await carried(client, invoice) == ("100.01", "88.89", "0.00")
    clock.set(NOW + timedelta(days=10))
    first = await paid(client, invoice, "33.34")
    # Money: 33.34 x 0.7777 = 25.928518 -> 25.93; claim: 88.89 - 59.26 = 29.63. Lost: 33.34 x 0.1111 = 3.704074 -> 3.70, no rest.
    assert await carried(client, invoice) == ("66.67", "59.26", "-3.70")
    await ok(client, "POST", f"/v1/payments/{first['id']}/unapply", {"invoice_id": invoice["id"], "reason": "not theirs"})
    assert await carried(client, invoice) == ("100.01", "88.89", "0.00")
    await ok(client, "POST", f"/v1/payments/{first['id']}/allocations", {"allocations": [{"invoice_id": invoice["id"]}]})
    await paid(client, invoice, "66.65")
    # The last two cents are given up: 0.02 x 0.8888 = 0.017776 -> 0.02 of a bad debt, at the invoice's rate.
    before = await carried(client, invoice)
    await ok(client, "POST", f"/v1/invoices/{invoice['id']}/write-offs", {"reason": "a small rest"})
    after = await carried(client, invoice)
    assert (after[:2], after[2]) == (("0.00", "0.00"), before[2]), "given up is not realised"
    books = await reported(client)
    assert "receivable" not in books
    assert books["bad_debt"] == "0.02"


async def test_yen_have_no_decimals_and_dinars_three(client: httpx.AsyncClient, deliver: Deliver) -> None:
    # 1,234.567 KWD x 507.25 = 626,234.11 -> 626,234 JPY.
    await books_in(client, "JPY", rate("2026-01-01", "507.25", "KWD", "JPY"))
    invoice = await issued(client, deliver, "1234.567", currency="KWD")
    assert await carried(client, invoice) == ("1234.567", "626234", "0")
    await paid(client, invoice, "0.001", "KWD")
    # 1,234.566 x 507.25 = 626,233.60 -> 626,234; 0.001 x 507.25 = 0.51 -> 1 of money: one yen of rounding.
    assert await carried(client, invoice) == ("1234.566", "626234", "0")
    assert await reported(client) == {"cash": "1", "receivable": "626234", "revenue": "-626234", "rounding": "-1"}


async def test_without_a_rate_the_delivery_waits_and_is_invoiced_once_there_is_one(
    client: httpx.AsyncClient, deliver: Deliver
) -> None:
    await books_in(client, "EUR")
    delivery = completed(line("100.00", "1", "0", "0", "USD"))
    assert await deliver(consumers, delivery, flow_id=new_id()) != "processed"
    reply = await client.post("/v1/payments", json=payment_body("1.00", "USD"))
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:rate-missing")
    await enter(client, rate("2026-01-01", "0.90"))
    assert (await carried(client, await issued(client, deliver, "100.00")))[1] == "90.00"


async def test_entries_by_hand_and_their_reversal_have_a_value_and_an_export_tells_it(
    client: httpx.AsyncClient, clock: FixedClock
) -> None:
    await books_in(client, "EUR", rate("2026-01-01", "0.90"), rate("2026-01-10", "0.92"))
    lines = [
        {"account": "bad_debt", "debit": {"amount": "10.00", "currency": "USD"}},
        {"account": "cash", "credit": {"amount": "10.00", "currency": "USD"}},
    ]
    made = await ok(client, "POST", "/v1/ledger/entries", by_hand(lines=lines))
    assert await reported(client) == {"bad_debt": "9.00", "cash": "-9.00"}
    export = await ok(client, "POST", "/v1/ledger/exports", {"month": "2026-01"})
    text = (await client.get(f"/v1/ledger/exports/{export['id']}/values.csv")).text
    assert [(row["account"], row["debit"], row["credit"], row["rate"]) for row in csv.DictReader(io.StringIO(text))] == [
        ("bad_debt", "9.00", "0.00", "0.90"),
        ("cash", "0.00", "9.00", "0.90"),
    ]
    clock.set(NOW + timedelta(days=10))
    await ok(client, "POST", f"/v1/ledger/entries/{made['id']}/reversal", {"reason": "not ours", "booked_on": "2026-01-11"})
    assert await reported(client) == {}, "at the rate of the entry, not of the day"


async def test_the_database_itself_refuses_values_that_do_not_balance_and_entries_without_one(
    client: httpx.AsyncClient, deliver: Deliver, db: Database
) -> None:
    await books_in(client, "EUR", rate("2026-01-01", "0.90"))
    await issued(client, deliver, "100.00")
    head = (
        "INSERT INTO ledger_entry (id, booked_on, occurred_on, kind, created_at, lines) VALUES ($1, $2, $2, 'payment', now(), 2)"
    )
    body = """
        INSERT INTO ledger_line (entry_id, position, account, currency, debit, credit)
        VALUES ($1, 1, 'cash', 'USD', 10, 0), ($1, 2, 'unapplied_cash', 'USD', 0, 10)
        """
    valued = "INSERT INTO ledger_valuation (entry_id, currency, lines) VALUES ($1, 'EUR', 1)"
    one = "INSERT INTO ledger_value (entry_id, position, account, currency, debit, credit) VALUES ($1, 1, 'cash', 'EUR', 9, 0)"
    for statements, why in (((body,), "no value"), ((body, valued, one), "does not balance")):
        entry_id = new_id()
        async with db.connection() as conn:
            changes = conn.transaction()
            await changes.start()
            await conn.execute(head, entry_id, NOW.date())
            for statement in statements:
                await conn.execute(statement, entry_id)
            with pytest.raises(asyncpg.CheckViolationError, match=why):
                await changes.commit()
    assert (await ok(client, "GET", "/v1/ledger/audit"))["clean"]
    async with db.connection() as conn, conn.transaction():
        await conn.execute("SET LOCAL session_replication_role = replica")
        await conn.execute("UPDATE ledger_value SET debit = debit + 1 WHERE account = 'receivable'")
    found = await ok(client, "GET", "/v1/ledger/audit")
    assert [each["problem"] for each in found["entries"]] == ["value"]
    assert [(each["what"], each["kept"], each["facts"]) for each in found["amounts"]] == [("carried", "91.00", "90.00")]


@pytest.mark.parametrize(("books", "currency"), [("EUR", "USD"), ("JPY", "KWD"), ("KWD", "JPY")])
async def test_whatever_is_issued_credited_paid_and_given_up_nothing_is_carried_once_all_is_settled(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, books: str, currency: str
) -> None:
    draw = random.Random(f"{books}{currency}")
    cent = Decimal(1).scaleb(-minor_units(currency))

    def some(most: int = 2000) -> str:
        return str(cent * draw.randint(1, most))

    await books_in(client, books, rate("2026-01-01", "0.90", currency, books))
    invoices: list[Json] = []
    payments: list[str] = []
    answers: Counter[int] = Counter()
    for step in range(36):
        if step % 3 == 0:
            clock.set(NOW + timedelta(days=step))
            await enter(client, rate(f"{clock.now().date()}", f"0.{draw.randint(7000, 9999)}", currency, books, correction=True))
        if step % 6 == 0:
            invoices.append(await issued(client, deliver, some(), "19", currency))
        if step % 4 == 0:
            reply = await ok(client, "POST", "/v1/payments", payment_body(some(), currency, reference=f"history {step}"))
            payments.append(reply["id"])
        invoice, payment, amount = draw.choice(invoices)["id"], draw.choice(payments), {"amount": some(), "currency": currency}
        path, body = draw.choice(
            [
                *[(f"payments/{payment}/allocations", {"allocations": [{"invoice_id": invoice}]})] * 3,
                (f"payments/{payment}/unapply", {"invoice_id": invoice, "reason": "x"}),
                (f"payments/{payment}/refunds", {"amount": amount, "reason": "x"}),
                (
                    f"payments/{payment}/refunds/done",
                    {"amount": amount, "invoice_id": invoice, "reference": f"R{step}", "reason": "x"},
                ),
                (f"invoices/{invoice}/credits", {"reason": "x"}),
                (f"invoices/{invoice}/write-offs", {"reason": "x", "amount": amount}),
            ]
        )
        answers[(await client.post(f"/v1/{path}", json=body)).status_code] += 1
    assert set(answers) <= {200, 201, 400, 409}, answers
    assert answers[200] + answers[201] > 8, answers
    await reported(client)
    assert (await ok(client, "GET", "/v1/ledger/audit"))["clean"]
    # Now everything is settled: what is open is paid, what is on account goes back.
    clock.set(NOW + timedelta(days=40))
    for each in invoices:
        left = (await ok(client, "GET", f"/v1/invoices/{each['id']}"))["open"]["amount"]
        if Decimal(left):
            await ok(client, "POST", "/v1/payments", payment_body(left, currency, reference=each["number"]))
    for payment in payments:
        left = (await ok(client, "GET", f"/v1/payments/{payment}"))["unapplied"]["amount"]
        if Decimal(left):
            back = {"amount": {"amount": left, "currency": currency}, "reason": "rest"}
            await ok(client, "POST", f"/v1/payments/{payment}/refunds", back)
    for each in (await ok(client, "GET", "/v1/refunds?state=requested&limit=100"))["items"]:
        await ok(client, "POST", f"/v1/refunds/{each['id']}/execute", {"reference": f"E{each['id']}"})
    left_over = await reported(client)
    assert not {"receivable", "unapplied_cash", "refund"} & set(left_over), left_over
    assert (await ok(client, "GET", "/v1/ledger/audit"))["clean"]


RATE = st.decimals(Decimal("0.0001"), Decimal(1000), places=4)


@settings(max_examples=150)
@given(
    parts=st.lists(st.tuples(st.integers(1, 10**7), RATE), min_size=1, max_size=12),
    frozen=RATE,
    books=st.sampled_from(["EUR", "JPY", "KWD"]),
)
def test_settled_in_parts_at_any_rates_an_entry_balances_and_at_one_rate_only_rounding_differs(
    parts: list[tuple[int, Decimal]], frozen: Decimal, books: str
) -> None:
    open_ = Decimal(sum(cents for cents, _ in parts)) / 100
    claim = value([Line("receivable", open_, frozen, Kept(open_, Decimal(0))), Line("revenue", -open_, frozen)], books)
    held = sum(
        (each.posting.debit.amount - each.posting.credit.amount for each in claim if each.posting.account == "receivable"),
        Decimal(0),
    )
    for cents, day in parts:
        part = Decimal(cents) / 100
        open_ -= part
        made = value([Line("cash", part, day), Line("receivable", -part, frozen, Kept(open_, held))], books)
        moved = {each.posting.account: each.posting.debit.amount - each.posting.credit.amount for each in made}
        assert sum(moved.values()) == 0
        assert abs(moved.get("rounding", Decimal(0))) <= 2 * Decimal(1).scaleb(-minor_units(books))
        if day == frozen:
            assert not {"fx_gain", "fx_loss"} & set(moved)
        held += moved.get("receivable", Decimal(0))
    assert held == 0
