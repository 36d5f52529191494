"""Payments of statements find their invoices, by themselves or by a person."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted

from billing_svc.consumers import consumers
from billing_svc.tests.bank import ACCOUNT, OTHER, SLICES, Ntry, Run, camt, entries_of, send
from billing_svc.tests.builders import CUSTOMER, completed, line
from billing_svc.tests.test_disputes import eur

Json = dict[str, Any]
Emissions = Callable[[], Awaitable[list[Emitted]]]


@pytest.fixture
def issue(deliver: Deliver, client: httpx.AsyncClient) -> Callable[..., Awaitable[Json]]:
    async def made(gross: str, terms: int = 30, customer: Any = CUSTOMER) -> Json:
        flow_id = new_id()
        event = completed(line(gross, "1", "0", "0"), payment_terms_days=terms, customer=customer)
        assert await deliver(consumers, event, flow_id=flow_id) == "processed"
        [found] = (await client.get("/v1/invoices", params={"flow_id": str(flow_id)})).json()["items"]
        return dict(found)

    return made


async def receive(client: httpx.AsyncClient, run_timer: Run, *entries: Ntry, **given: Any) -> Json:
    found = await send(client, run_timer, camt(*entries, **given))
    assert found["state"] == "done", found
    await run_timer(SLICES["apply-payments"])
    return found


async def waiting(client: httpx.AsyncClient) -> list[Json]:
    found: list[Json] = (await client.get("/v1/payments/review")).json()["items"]
    return found


async def open_of(client: httpx.AsyncClient, invoice: Json) -> str:
    return str((await client.get(f"/v1/invoices/{invoice['id']}")).json()["open"]["amount"])


async def balanced(client: httpx.AsyncClient) -> None:
    trial = (await client.get("/v1/ledger/trial-balance")).json()
    assert all(total["balance"] == "0.00" for total in trial["totals"]), trial


async def test_what_the_payer_names_is_settled_at_once_and_once(
    client: httpx.AsyncClient, run_timer: Run, issue: Callable[..., Awaitable[Json]], emitted: Emissions
) -> None:
    one, two, three = await issue("100.00"), await issue("50.00"), await issue("70.00")
    told = [
        Ntry("100.00", structured=one["payment_reference"]),
        Ntry("80.00", f"{two['number'].replace('-', ' ')} danke"),
        Ntry("20.00", end_to_end=three["number"], iban=OTHER),
    ]
    await receive(client, run_timer, *told)
    assert [await open_of(client, each) for each in (one, two, three)] == ["0.00", "0.00", "50.00"]
    payments = (await client.get("/v1/payments")).json()["items"]
    # What is more than the invoice claims is credit on account.
    assert [each["unapplied"]["amount"] for each in payments] == ["0.00", "30.00", "0.00"]
    assert await waiting(client) == []
    assert [each.topic for each in await emitted()].count("invoice.paid") == 2
    # Again by another message: nothing comes twice.
    await receive(client, run_timer, *told, kind="054")
    assert len((await client.get("/v1/payments")).json()["items"]) == 3
    # The account is known now: the rest is settled by the amount alone.
    await receive(client, run_timer, Ntry("50.00", "the rest", iban=OTHER, day="2026-01-02"), ref="S-2")
    assert await open_of(client, three) == "0.00"
    await balanced(client)


async def test_below_the_threshold_a_person_decides_with_who_and_why(
    client: httpx.AsyncClient, run_timer: Run, issue: Callable[..., Awaitable[Json]]
) -> None:
    one, two = await issue("100.00"), await issue("50.00")
    await receive(client, run_timer, Ntry("100.00", "thanks", iban=OTHER), Ntry("50.00", "hello"), Ntry("7.00", "what is this"))
    first, second, third = await waiting(client)
    # The money is booked, and applied to nothing.
    assert [each["unapplied"]["amount"] for each in (await client.get("/v1/payments")).json()["items"]] == [
        "100.00",
        "50.00",
        "7.00",
    ]
    assert (first["confidence"], first["reasons"][0]["code"]) == ("0.60", "amount_exact")
    assert first["parts"] == [{"invoice_id": one["id"], "amount": {"amount": "100.00", "currency": "EUR"}}]
    assert (first["told"]["text"], first["told"]["party_account"]) == ("thanks", OTHER)
    path = "/v1/payments/review"
    accepted = (await client.post(f"{path}/{first['id']}/accept", json={})).json()
    assert (accepted["state"], accepted["decided_by"], await open_of(client, one)) == ("accepted", "test", "0.00")
    body = {"allocations": [{"number": two["number"], "amount": "20.00"}], "why": "a part of it, says the customer"}
    corrected = (await client.post(f"{path}/{second['id']}/correct", json=body)).json()
    assert (corrected["state"], corrected["why"], await open_of(client, two)) == ("corrected", body["why"], "30.00")
    assert (await client.post(f"{path}/{third['id']}/accept", json={})).status_code == 409
    rejected = (await client.post(f"{path}/{third['id']}/reject", json={"why": "unknown"})).json()
    assert rejected["state"] == "rejected"
    assert (await client.post(f"{path}/{first['id']}/reject", json={"why": "no"})).status_code == 409
    assert await waiting(client) == []
    assert len((await client.get(path, params={"state": "corrected"})).json()["items"]) == 1
    await balanced(client)


async def test_an_invoice_paid_meanwhile_refuses_the_acceptance_and_it_goes_on_waiting(
    client: httpx.AsyncClient, run_timer: Run, issue: Callable[..., Awaitable[Json]]
) -> None:
    one = await issue("100.00")
    await receive(client, run_timer, Ntry("100.00", "a"), Ntry("100.00", structured=one["payment_reference"]))
    [review] = await waiting(client)
    reply = await client.post(f"/v1/payments/review/{review['id']}/accept", json={})
    assert (reply.status_code, reply.json()["type"]) == (409, "urn:ltc:problem:invoice-already-paid")
    assert len(await waiting(client)) == 1
    # Who pays it again by its reference has paid twice: a person sees it.
    await receive(client, run_timer, Ntry("100.00", structured=one["payment_reference"], day="2026-01-02"), ref="S-2")
    assert (await waiting(client))[1]["reasons"][0]["code"] == "paid_already"


async def test_the_threshold_and_the_policy_are_data(
    client: httpx.AsyncClient, run_timer: Run, issue: Callable[..., Awaitable[Json]]
) -> None:
    one, two = await issue("30.00", 10), await issue("10.00", 5)
    strict = {"version": 2, "automatic": "1", "policy": "proportional"}
    assert (await client.put("/v1/cash-setting", json=strict)).status_code == 200
    assert (await client.put("/v1/cash-setting", json=strict)).status_code == 409
    await receive(client, run_timer, Ntry("1.00", one["number"], iban=OTHER))
    [review] = await waiting(client)
    assert (review["confidence"], await open_of(client, one)) == ("0.97", "30.00")
    await client.post(f"/v1/payments/review/{review['id']}/accept", json={"why": "right"})
    loose = {"version": 3, "automatic": "0.5", "policy": "proportional"}
    assert (await client.put("/v1/cash-setting", json=loose)).status_code == 200
    await receive(client, run_timer, Ntry("3.90", "for all", iban=OTHER, day="2026-01-02"), ref="S-2")
    assert [await open_of(client, each) for each in (one, two)] == ["26.10", "9.00"]
    await client.put("/v1/cash-setting", json=loose | {"version": 4, "policy": "oldest_due_first"})
    await receive(client, run_timer, Ntry("10.00", "for all", iban=OTHER, day="2026-01-03"), ref="S-3")
    assert [await open_of(client, each) for each in (one, two)] == ["25.10", "0.00"]


async def test_debits_returns_and_bare_batches_wait_and_move_no_money(client: httpx.AsyncClient, run_timer: Run) -> None:
    back = "<RtrInf><Rsn><Cd>MD06</Cd></Rsn></RtrInf>"
    told = [
        Ntry("20.00", credit=False, told=back, reversal=True),
        Ntry("5.00", credit=False, text="fee"),
        Ntry("9.00", told=back),
        Ntry("30.00", batch_of=2),
        Ntry("0.00"),
    ]
    found = await receive(client, run_timer, *told, opening="100.00")
    queue = await waiting(client)
    assert [(each["reasons"][0]["code"], each["told"]["amount"]["amount"]) for each in queue] == [
        ("debit", "-20.00"),
        ("debit", "-5.00"),
        ("returned", "9.00"),
        ("batch", "30.00"),
    ]
    assert "MD06" in queue[0]["reasons"][0]["text"]
    assert (await client.get("/v1/payments")).json()["items"] == []
    assert (await client.post(f"/v1/payments/review/{queue[1]['id']}/accept", json={})).status_code == 409
    done = await client.post(f"/v1/payments/review/{queue[1]['id']}/reject", json={"why": "a fee of the bank, booked by hand"})
    assert done.status_code == 200
    states = [item["state"] for entry in await entries_of(client, found) for item in entry["items"]]
    assert states == ["waiting", "settled", "waiting", "waiting", "settled"]


async def test_a_rest_within_the_tolerance_is_written_off_and_is_no_difference_of_currencies(
    client: httpx.AsyncClient, run_timer: Run, issue: Callable[..., Awaitable[Json]], emitted: Emissions
) -> None:
    at, beyond, partial, by_hand, tiny = [await issue(gross) for gross in ("100.00", "100.00", "100.00", "50.00", "0.04")]
    setting = {"version": 2, "automatic": "0.9", "policy": "oldest_due_first"}
    for wrong in ([eur("1.00"), eur("2.00")], [eur("0.00")]):
        assert (await client.put("/v1/cash-setting", json=setting | {"tolerances": wrong})).status_code == 422
    said = (await client.put("/v1/cash-setting", json=setting | {"tolerances": [eur("0.05")]})).json()
    assert said["tolerances"] == [eur("0.05")]
    told = [
        Ntry("99.95", structured=at["payment_reference"]),
        Ntry("99.94", structured=beyond["payment_reference"]),
        # Not a small rest, though it is within the tolerance: nearly all of the invoice.
        Ntry("0.01", structured=tiny["payment_reference"]),
    ]
    await receive(client, run_timer, *told)
    assert [await open_of(client, each) for each in (at, beyond, tiny)] == ["0.00", "0.06", "0.03"]
    shown = (await client.get(f"/v1/invoices/{at['id']}")).json()
    assert (shown["payment_state"], shown["written_off"]) == ("paid", eur("0.05"))
    [written] = (await client.get("/v1/write-offs")).json()["items"]
    assert (written["cause"], written["state"], written["requested_by"], written["amount"]) == (
        *("tolerance", "granted", "test"),
        eur("0.05"),
    )
    # Money that is left could pay the rest: it is open because somebody wants it to be.
    more = {"amount": eur("149.98"), "method": "cash", "reference": "by hand"}
    wanted = [{"invoice_id": partial["id"], "amount": "99.97"}]
    payment = (await client.post("/v1/payments", json=more | {"allocations": wanted})).json()
    assert (await open_of(client, partial), payment["unapplied"]) == ("0.03", eur("50.01"))
    both = [{"invoice_id": partial["id"], "amount": "0.02"}, {"invoice_id": by_hand["id"], "amount": "49.99"}]
    await client.post(f"/v1/payments/{payment['id']}/allocations", json={"allocations": both})
    assert [await open_of(client, each) for each in (partial, by_hand)] == ["0.00", "0.00"]
    # Whoever pays it after all has paid it.
    await client.post("/v1/payments", json=more | {"amount": eur("0.05"), "reference": at["number"]})
    assert (await client.get(f"/v1/invoices/{at['id']}")).json()["written_off"] == eur("0.00")
    topics = [each.topic for each in await emitted()]
    assert (topics.count("invoice.written_off"), topics.count("invoice.recovered"), topics.count("invoice.paid")) == (3, 1, 3)
    assert (await client.get("/v1/ledger/audit")).json()["clean"]
    await balanced(client)


async def test_a_returned_debit_undoes_the_payment_that_it_returns_once_and_charges_are_left_to_a_person(
    client: httpx.AsyncClient, run_timer: Run, issue: Callable[..., Awaitable[Json]], emitted: Emissions
) -> None:
    one, two = await issue("100.00"), await issue("50.00")
    # More than it settles: the rest is credit on account, and goes back as well.
    came = Ntry("110.00", structured=one["payment_reference"], end_to_end="E-1", iban=OTHER)
    also = Ntry("50.00", structured=two["payment_reference"], end_to_end="E-2", iban=OTHER)
    await receive(client, run_timer, came, also)
    assert [await open_of(client, each) for each in (one, two)] == ["0.00", "0.00"]
    back = "<RtrInf><Rsn><Cd>MD06</Cd></Rsn></RtrInf>"
    fee = f'<Chrgs><Rcrd><Amt Ccy="EUR">3.50</Amt></Rcrd></Chrgs>{back}'
    returned = [
        Ntry("110.00", credit=False, end_to_end="E-1", told=back),
        # Banks tell our own account with it as well.
        Ntry("53.50", credit=False, end_to_end="E-2", told=fee, iban=ACCOUNT),
    ]
    found = await receive(client, run_timer, *returned, ref="S-2", opening="160.00")
    assert [await open_of(client, each) for each in (one, two)] == ["100.00", "50.00"]
    assert [item["state"] for entry in await entries_of(client, found) for item in entry["items"]] == ["applied", "waiting"]
    [charges] = await waiting(client)
    assert (charges["reasons"][0]["code"], "3.50" in charges["reasons"][0]["text"]) == ("charges", True)
    refunded = [each.event for each in await emitted() if each.topic == "payment.refunded"]
    assert [(str(each.amount.amount), each.number, each.reason) for each in refunded] == [
        ("10.00", None, "returned: MD06"),
        ("100.00", one["number"], "returned: MD06"),
        ("50.00", two["number"], "returned: MD06"),
    ]
    payments = (await client.get("/v1/payments")).json()["items"]
    assert all(each["refunded"] == each["amount"] and each["unapplied"]["amount"] == "0.00" for each in payments)
    # The next one of the same words returns nothing that is here: it was returned already.
    await receive(
        client, run_timer, Ntry("110.00", credit=False, end_to_end="E-1", told=back, day="2026-01-02"), ref="S-3", opening="0.00"
    )
    assert [each["reasons"][0]["code"] for each in await waiting(client)] == ["charges", "debit"]
    assert len([each for each in await emitted() if each.topic == "payment.refunded"]) == 3
    await balanced(client)
    assert (await client.get("/v1/ledger/audit")).json()["clean"]


@pytest.mark.parametrize(
    ("amount", "iban", "end_to_end", "said"),
    [
        ("20.00", OTHER, "E-1", "no payment"),
        ("40.00", "DE02120300000000202051", "E-1", "no payment"),
        ("40.00", OTHER, "", "no payment"),
        ("30.00", OTHER, "E-2", "several payments"),
    ],
)
async def test_a_return_of_which_it_is_not_certain_what_it_returns_waits_for_a_person(
    client: httpx.AsyncClient, run_timer: Run, amount: str, iban: str, end_to_end: str, said: str
) -> None:
    told = [Ntry(each, end_to_end=name, iban=OTHER) for each, name in (("40.00", "E-1"), ("30.00", "E-2"), ("30.00", "E-2"))]
    await receive(client, run_timer, *told)
    returned = Ntry(amount, credit=False, end_to_end=end_to_end, iban=iban, reversal=True)
    await receive(client, run_timer, returned, ref="S-2", opening="100.00")
    last = (await waiting(client))[-1]
    assert last["reasons"][0]["code"] == "debit"
    assert said in last["reasons"][0]["text"]
    assert all(each["refunded"]["amount"] == "0.00" for each in (await client.get("/v1/payments")).json()["items"])
