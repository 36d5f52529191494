"""Fees and interest of dunning are invoices of their own: booked, paid in the order of the policy, claimed once."""

from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.elsewhere import lies_elsewhere
from ltc_contracts.events import Customer

from billing_svc.tests.bank import OTHER, Ntry, Run
from billing_svc.tests.builders import completed, line, payment_body
from billing_svc.tests.telling import Emissions, Json, balances, tell
from billing_svc.tests.test_cash_application import receive
from billing_svc.tests.test_disputes import eur, shown
from billing_svc.timers import TIMERS

DUNNING = next(timer for timer in TIMERS if timer.name == "dunning")
HOUSE_RULES = {
    "version": 0,
    "interest_percent": "9",
    "reason": "house rules",
    "steps": [
        {"name": "formal", "days": 10, "kind": "formal", "fee": "5"},
        {"name": "final", "days": 40, "kind": "final", "fee": "10", "hold_orders": True},
    ],
}


@pytest.fixture
async def invoice(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    """119.00 gross, issued on 2026-01-01, due on 2026-01-31; dunned by the house rules."""
    assert (await client.put("/v1/dunning/policies/standard", json=HOUSE_RULES)).is_success
    customer = Customer(customer_id=new_id(), name="Nordwind GmbH", country="DE")
    delivery = completed(line("100.00", "1", "0", "19"), customer=customer)
    await tell(deliver, [delivery])
    [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
    return dict(made)


async def charges(client: httpx.AsyncClient) -> list[Json]:
    every: list[Json] = (await client.get("/v1/invoices")).json()["items"]
    return [each for each in every if each["cause"] == "late_charge"]


async def step(client: httpx.AsyncClient, run_timer: Run, clock: FixedClock, days: int) -> Json:
    """The step that is due after so many days more."""
    clock.advance(days=days)
    await run_timer(DUNNING)
    found: Json = (await client.get("/v1/dunning/steps")).json()["items"][-1]
    return found


async def test_fees_and_interest_are_invoices_without_tax_and_what_is_not_booked_yet_is_booked_once(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions, invoice: Json
) -> None:
    # 119.00 x 9 % x 10 / 365 = 0.29; x 40 / 365 = 1.17
    formal = await step(client, run_timer, clock, 40)
    assert (formal["fee"], formal["interest"], formal["claimed"]) == (eur("5.00"), eur("0.29"), eur("124.29"))
    fee, interest = await charges(client)
    assert [(each["gross"], each["tax"], each["due_on"]) for each in (fee, interest)] == [
        (eur("5.00"), eur("0.00"), "2026-02-17"),
        (eur("0.29"), eur("0.00"), "2026-02-17"),
    ]
    assert [each["lines"][0]["sku"] for each in (fee, interest)] == ["DUNNING-FEE", "LATE-INTEREST"]
    books = await balances(client)
    assert (books["late_charges"], books["revenue"], books["receivable"]) == ("-5.29", "-100.00", "124.29")
    # The fee is waived, the interest paid: neither is claimed again.
    waived = await client.post(f"/v1/invoices/{fee['id']}/credits", json={"reason": "as agreed"})
    assert (waived.status_code, (await balances(client))["late_charges"]) == (201, "-0.29")
    await client.post("/v1/payments", json=payment_body("0.29", reference=interest["number"]))
    final = await step(client, run_timer, clock, 30)
    assert (final["fee"], final["interest"]) == (eur("10.00"), eur("0.88"))
    assert [each["gross"] for each in await charges(client)] == [eur("5.00"), eur("0.29"), eur("10.00"), eur("0.88")]
    # They are not dunned, and bear no interest.
    await step(client, run_timer, clock, 300)
    assert len(await charges(client)) == 4
    assert (await client.get("/v1/ledger/audit")).json()["clean"]
    told = await emitted()
    steps: list[Any] = [each.event for each in told if each.topic == "dunning.step_taken"]
    assert [[str(one) for one in each.charges] for each in steps] == [
        [each["id"] for each in pair] for pair in ((fee, interest), (await charges(client))[2:])
    ]
    issued = [each for each in told if each.topic == "invoice.issued"]
    # Their flow is another one, which names that of the invoice, and nobody waits for an order.
    assert {each.headers.get("ce_parentflowid") for each in issued[1:]} == {invoice["flow_id"]}
    assert all(lies_elsewhere(each.event.order_id) for each in issued[1:])
    assert len({each.flow_id for each in issued}) == 5


async def test_who_pays_what_the_letter_claims_has_paid_it(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, emitted: Emissions, invoice: Json
) -> None:
    letter = await step(client, run_timer, clock, 40)
    paid = await client.post("/v1/payments", json=payment_body(letter["claimed"]["amount"], reference=invoice["number"]))
    assert paid.json()["unapplied"] == eur("0.00")
    assert {each["payment_state"] for each in [*await charges(client), await shown(client, invoice)]} == {"paid"}
    await run_timer(DUNNING)
    assert "dunning.ended" in [each.topic for each in await emitted()]


@pytest.mark.parametrize(
    ("policy", "payer", "open_"),
    [
        # Without a word of the payer: by due day, costs before interest before the invoice, and by shares.
        ("oldest_due_first", "known", ("19.00", "5.00", "0.29")),
        ("cost_interest_principal", "known", ("24.29", "0.00", "0.00")),
        ("proportional", "known", ("23.24", "0.99", "0.06")),
        # Who names the invoice pays it first, and by the civil codes its costs.
        ("oldest_due_first", "names", ("19.00", "5.00", "0.29")),
        ("cost_interest_principal", "names", ("24.29", "0.00", "0.00")),
    ],
)
async def test_money_counts_on_cost_interest_and_principal_as_the_policy_says(
    client: httpx.AsyncClient,
    clock: FixedClock,
    run_timer: Run,
    invoice: Json,
    policy: str,
    payer: str,
    open_: tuple[str, str, str],
) -> None:
    setting: Json = {"version": 2, "automatic": "0.5", "policy": policy}
    assert (await client.put("/v1/cash-setting", json=setting)).is_success
    # From now on it is known for whom this account pays; 118.00 are open.
    await receive(client, run_timer, Ntry("1.00", invoice["number"], iban=OTHER))
    await step(client, run_timer, clock, 40)
    text = "for all" if payer == "known" else invoice["number"]
    await receive(client, run_timer, Ntry("99.00", text, iban=OTHER, day="2026-02-10"), ref="S-2")
    fee, interest = await charges(client)
    found = [(await shown(client, each))["open"]["amount"] for each in (invoice, fee, interest)]
    assert tuple(found) == open_


async def test_a_fee_that_was_given_up_takes_nothing_of_what_is_paid_for_the_invoice(
    client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, invoice: Json
) -> None:
    setting: Json = {"version": 2, "automatic": "0.5", "policy": "cost_interest_principal"}
    assert (await client.put("/v1/cash-setting", json=setting)).is_success
    await step(client, run_timer, clock, 40)
    fee, interest = await charges(client)
    given_up = await client.post(f"/v1/invoices/{fee['id']}/write-offs", json={"reason": "goodwill"})
    assert given_up.json()["state"] == "granted", given_up.text
    paid = await client.post("/v1/payments", json=payment_body("119.29", reference=invoice["number"]))
    assert paid.json()["unapplied"] == eur("0.00")
    found = [(await shown(client, each))["open"]["amount"] for each in (invoice, fee, interest)]
    assert found == ["0.00", "0.00", "0.00"]
    # Money beyond all that is claimed stays the customer's.
    more = await client.post("/v1/payments", json=payment_body("5.00", reference=invoice["number"]))
    assert more.json()["unapplied"] == eur("5.00")
