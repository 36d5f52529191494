"""Every column is named as personal or not; a person who is erased is forgotten, documents and books stay, and nothing comes back later."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database, Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.personal import unnamed
from ltc_chassis.testing import Deliver, record_of
from ltc_chassis.testing_mail import MailServer
from ltc_contracts.events import Customer, PersonErased

from billing_svc.consumers import consumers
from billing_svc.handlers import dunning, erasure
from billing_svc.store.dunning import CustomerRule
from billing_svc.store.personal import TABLES
from billing_svc.tests.bank import SLICES, Ntry, Run, camt, send
from billing_svc.tests.builders import completed, confirmed, line
from billing_svc.tests.telling import Json, balances, tell
from billing_svc.timers import TIMERS

HOW = """
Every column says in billing_svc/store/personal.py whether it is about a person, so that an erasure finds it:
  plain     says nothing about a person (ids, codes, times, amounts, configuration)
  staff     about the company's own people (who wrote it, who decided)
  personal  about a person, each with its treatment: EMPTY, replace("'(erased)'"), keep("why the law wants it kept")
  rows      how a person's rows are found; left out where the table is nobody's (configuration)
An example stands in ltc_chassis/personal.py.
"""
DUNNING = next(timer for timer in TIMERS if timer.name == "dunning")
# What stays of a person: documents, vouchers, books and what is told of them.
KEPT = ["bank_file.content", "bank_item.party", "bank_item.party_account", "bank_item.text", "invoice.customer", "outbox.payload"]
KEPT += ["payment.reference"]


async def test_every_column_of_every_table_is_named_as_personal_or_not(db: Database) -> None:
    async with db.connection() as conn:
        wrong = await unnamed(conn, TABLES)
    assert not wrong, HOW + "\n".join(wrong)


async def traces(db: Database, word: str) -> list[str]:
    """Every column in which the word stands, whatever its case."""
    found: set[str] = set()
    async with db.connection() as conn:
        for name in TABLES:
            for row in await conn.fetch(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name of our own registry
                found |= {f"{name}.{column}" for column, value in row.items() if word in _text(value)}
    return sorted(found)


def _text(value: Any) -> str:
    return (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).lower()


async def invoice_of(deliver: Deliver, client: httpx.AsyncClient, name: str, flow: UUID, net: str = "100.00") -> Json:
    """Not taxed, of a customer of this name."""
    customer = Customer(customer_id=new_id(), name=f"{name} {name}son", country="DE", email=f"{name}@nordwind.example")
    delivery = completed(line(net, "1", "0", "0"), customer=customer)
    await tell(deliver, [delivery], flow)
    [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
    return {**made, "customer_id": str(customer.customer_id)}


async def ok(client: httpx.AsyncClient, method: str, path: str, body: Json) -> Json:
    reply = await client.request(method, path, json=body, headers={"Idempotency-Key": str(new_id())})
    assert reply.is_success, reply.text
    return dict(reply.json())


async def pay(client: httpx.AsyncClient, work: Run, name: str, amount: str, day: str = "2026-01-02") -> Json:
    """By a statement that names no invoice; a person finds it, and says how."""
    await send(
        client,
        work,
        camt(Ntry(amount, f"from {name}", party=f"{name} {name}son", iban=f"de{name}", day=day), ref=f"{amount}-{day}"),
    )
    await work(SLICES["apply-payments"])
    waiting = (await client.get("/v1/payments/review", params={"state": "waiting"})).json()["items"]
    [review] = [each["id"] for each in waiting if each["told"]["party_account"].lower() == f"de{name}"]
    return await ok(client, "POST", f"/v1/payments/review/{review}/accept", {"why": f"{name} called"})


async def noted(client: httpx.AsyncClient, invoice: Json, name: str, version: int = 0) -> list[str]:
    """A promise and a rule, with what the customer said; as they are answered."""
    promise = {"promised_on": "2026-02-20", "note": f"{name} promised"}
    rule = {"version": version, "policy": "standard", "reason": f"{name} is ill"}
    return [
        (await ok(client, "POST", f"/v1/invoices/{invoice['id']}/promises", promise))["note"],
        (await ok(client, "PUT", f"/v1/dunning/customers/{invoice['customer_id']}", rule))["reason"],
    ]


async def a_history(deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, work: Run, name: str, net: str) -> Json:
    """Two invoices of a flow: one is found by its amount and paid, one is dunned by mail and promised."""
    flow = new_id()
    paid = await invoice_of(deliver, client, name, flow, net)
    await pay(client, work, name, net)
    late = await invoice_of(deliver, client, name, flow, "55.00")
    clock.advance(days=34)
    await work(DUNNING)
    await noted(client, late, name)
    clock.advance(days=-34)
    return {"flow": flow, "paid": paid, "late": late}


def erasing(*flows: UUID) -> PersonErased:
    return PersonErased(erasure_id=new_id(), lead_ids=(new_id(),), flow_ids=flows)


async def test_notes_mails_and_payers_of_a_person_go_and_documents_and_books_stay(
    deliver: Deliver, client: httpx.AsyncClient, db: Database, clock: FixedClock, run_timer: Run, mail_server: MailServer
) -> None:
    mine = await a_history(deliver, client, clock, run_timer, "secret", "100.00")
    await a_history(deliver, client, clock, run_timer, "somebody", "200.00")
    gone = ["dunning_customer.reason", "idempotency_key.body", "mail.recipient", "payer_account.account", "payment_origin.party"]
    gone += ["payment_promise.note", "payment_review.reasons", "payment_review.why"]
    before, other = await traces(db, "secret"), await traces(db, "somebody")
    assert set(before) > {*gone, *KEPT}
    owed, page = await balances(client), (await client.get(f"/v1/invoices/{mine['paid']['id']}")).json()
    event = erasing(mine["flow"])
    assert await deliver(consumers, event) == "processed"
    once = await traces(db, "secret")
    assert once == KEPT
    assert await deliver(consumers, event, event_id=new_id()) == "processed"
    assert (await traces(db, "secret"), await traces(db, "somebody")) == (once, other)
    assert (await balances(client), (await client.get(f"/v1/invoices/{mine['paid']['id']}")).json()) == (owed, page)
    # The letter is printed still: the claim is not given up.
    [step] = (await client.get("/v1/dunning/steps", params={"invoice_id": mine["late"]["id"]})).json()["items"]
    assert (await client.get(f"/v1/dunning/steps/{step['id']}/letter")).content.startswith(b"%PDF")


async def test_nothing_about_a_person_is_noted_learnt_or_mailed_after_the_erasure(
    deliver: Deliver,
    client: httpx.AsyncClient,
    db: Database,
    clock: FixedClock,
    run_timer: Run,
    mail_server: MailServer,
    send_mails: Callable[[], Awaitable[int]],
) -> None:
    flow = new_id()
    late = await invoice_of(deliver, client, "secret", flow, "55.00")
    await deliver(consumers, erasing(flow))
    # It comes later, and is the same person's.
    further = await invoice_of(deliver, client, "secret", flow, "100.00")
    assert (await pay(client, run_timer, "secret", "100.00"))["why"] == "(erased)"
    assert (await client.get(f"/v1/invoices/{further['id']}")).json()["payment_state"] == "paid"
    clock.advance(days=34)
    await run_timer(DUNNING)
    assert await noted(client, late, "secret") == ["(erased)", "(erased)"]
    # An answer to a call is stored for a day, and quotes the statement of the bank.
    assert await traces(db, "secret") == sorted([*KEPT, "idempotency_key.body"])
    [step] = (await client.get("/v1/dunning/steps", params={"invoice_id": late["id"]})).json()["items"]
    assert (step["letter"], step["mailed"], await send_mails(), mail_server.received) == (True, False, 0, [])


@pytest.mark.parametrize("told_first", ["the journey", "the invoice", "the erasure"])
async def test_an_order_that_a_subscription_of_the_person_makes_is_the_persons_too(
    told_first: str, deliver: Deliver, client: httpx.AsyncClient, db: Database
) -> None:
    parent, flow, draft = new_id(), new_id(), {"sku": "FEE", "description": "Fee", "quantity": "1", "unit_price": "10.00"}
    goes_on = record_of(
        confirmed(line(), invoicing="on_delivery"), flow_id=flow, extra_headers=[("ce_parentflowid", str(parent).encode())]
    )
    if told_first == "the erasure":
        await deliver(consumers, erasing(parent))
    if told_first == "the journey":
        await deliver.records(consumers, [goes_on])
    invoice = await invoice_of(deliver, client, "secret", flow)
    await noted(client, invoice, "secret")
    if told_first != "the journey":
        await deliver.records(consumers, [goes_on])
    if told_first != "the erasure":
        await deliver(consumers, erasing(parent))
    who = {"customer_id": invoice["customer_id"], "name": "secret", "country": "DE"}
    asked = {"customer": who, "currency": "EUR", "lines": [{**draft, "tax_rate": "19"}], "parent_flow_id": str(flow)}
    made = await ok(client, "POST", "/v1/invoice-drafts", asked)
    by_hand = await ok(client, "POST", f"/v1/invoice-drafts/{made['id']}/finalise", {"version": made["version"]})
    promise = {"promised_on": "2026-02-20", "note": "secret promised"}
    assert (await ok(client, "POST", f"/v1/invoices/{by_hand['id']}/promises", promise))["note"] == "(erased)"
    found = await traces(db, "secret")
    assert [each for each in found if each.startswith(("payment_promise", "dunning"))] == []


@pytest.mark.parametrize("erasure_first", [False, True])
@pytest.mark.parametrize("what", ["a promise", "a rule", "a letter"])
async def test_an_erasure_and_what_is_just_noted_wait_for_each_other(
    what: str,
    erasure_first: bool,
    deliver: Deliver,
    client: httpx.AsyncClient,
    db: Database,
    clock: FixedClock,
    mail_server: MailServer,
) -> None:
    flow = new_id()
    invoice = await invoice_of(deliver, client, "secret", flow)
    clock.advance(days=34)
    rule = CustomerRule(
        customer_id=UUID(invoice["customer_id"]),
        version=0,
        policy="standard",
        excluded=False,
        excluded_until=None,
        reason="secret is ill",
    )

    async def note(tx: Transaction) -> None:
        if what == "a promise":
            await dunning.note_promise(tx, UUID(invoice["id"]), promised_on=tx.now.date(), note="secret promised", by="ines")
        elif what == "a rule":
            await dunning.put_customer_rule(tx, rule, expected=0, by="ines")
        else:
            assert await dunning.take_steps(tx, limit=1) == 1

    async def erase(tx: Transaction) -> None:
        await erasure.erase_person(tx, erasing(flow))

    async def later(work: Callable[[Transaction], Awaitable[None]]) -> None:
        async with db.transaction() as tx:
            await work(tx)

    first, second = (erase, note) if erasure_first else (note, erase)
    async with db.transaction() as tx:
        await first(tx)
        await tx.flush()
        other = asyncio.create_task(later(second))
        done, _ = await asyncio.wait([other], timeout=0.3)
        assert not done, "it did not wait"
    await other
    assert await traces(db, "secret") == ["invoice.customer", "outbox.payload"]


async def test_a_person_gets_a_copy_of_what_is_about_them_and_of_nobody_else(
    deliver: Deliver, client: httpx.AsyncClient, clock: FixedClock, run_timer: Run, mail_server: MailServer
) -> None:
    mine = await a_history(deliver, client, clock, run_timer, "secret", "100.00")
    await a_history(deliver, client, clock, run_timer, "somebody", "200.00")
    reply = await client.post("/v1/person-copies", json={"email": "Secret@Nordwind.example"})
    assert "somebody" not in reply.text
    assert "test" not in {row.get("noted_by") for row in reply.json()["tables"]["payment_promise"]["rows"]}
    tables = {name: table["rows"] for name, table in reply.json()["tables"].items()}
    assert {row["id"] for row in tables["invoice"]} == {mine["paid"]["id"], mine["late"]["id"]}
    assert tables["payment_promise"][0]["note"] == "secret promised"
    assert (tables["bank_item"][0]["party"], tables["payer_account"][0]["account"]) == ("secret secretson", "DESECRET")
    assert tables["mail"][0]["recipient"] == "secret@nordwind.example"
    assert "content" not in tables["bank_file"][0]
    nobody = await client.post("/v1/person-copies", json={"email": "nobody@nordwind.example"})
    assert nobody.json() == {"tables": {}}
