"""Invoices by hand: a draft changes and claims nothing; final, it is an invoice as any other, once, with the next number."""

import asyncio
from typing import Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import KeyPair
from ltc_contracts.elsewhere import lies_elsewhere

from billing_svc.handlers import drafts
from billing_svc.tests.builders import CUSTOMER, payment_body
from billing_svc.tests.telling import Emissions, Json, balances
from billing_svc.tests.test_disputes import eur, shown
from billing_svc.tests.test_documents import pdf_of, text_of
from billing_svc.tests.test_given_up import post
from billing_svc.timers import TIMERS

WHERE = "/v1/invoice-drafts"
GOLDEN = {"sku": "SUPPORT", "description": "Premium support", "quantity": "16", "unit_price": "348.35", "discount_percent": "4"}
WHO = {"customer_id": str(CUSTOMER.customer_id), "name": "Rossi", "country": "IT"}


def body(*lines: Json, **changed: Any) -> Json:
    """RULES 4's golden line unless said otherwise."""
    return {"customer": WHO, "currency": "EUR", "lines": list(lines) or [{**GOLDEN, "tax_rate": "22"}], **changed}


async def write(client: httpx.AsyncClient, *lines: Json, **changed: Any) -> Json:
    return await post(client, WHERE, 201, **body(*lines, **changed))


async def finalise(client: httpx.AsyncClient, draft: Json, expected: int = 201) -> Json:
    return await post(client, f"{WHERE}/{draft['id']}/finalise", expected, version=draft["version"])


async def test_a_draft_changes_without_a_number_and_is_final_once_with_the_figures_of_the_norm(
    client: httpx.AsyncClient, emitted: Emissions, keys: KeyPair
) -> None:
    parent = str(new_id())
    draft = await write(client, {**GOLDEN, "quantity": "1", "tax_rate": "22"}, parent_flow_id=parent)
    where = f"{WHERE}/{draft['id']}"
    assert (draft["state"], draft["gross"], draft["version"]) == ("open", eur("407.99"), 1)
    revision = body(parent_flow_id=parent, payment_terms_days=14, version=1)
    revised = (await client.put(where, json=revision)).json()
    assert (revised["net"], revised["tax"], revised["gross"]) == (eur("5350.66"), eur("1177.15"), eur("6527.81"))
    assert (await client.put(where, json=revision)).status_code == 409
    assert (await finalise(client, draft, 409))["current_version"] == 2
    writer = {"Authorization": f"Bearer {keys.token('drafts:write')}"}
    assert (await client.post(f"{where}/finalise", json={"version": 2}, headers=writer)).status_code == 403
    assert await emitted() == []
    assert (await client.get("/v1/invoices")).json()["items"] == []

    key = {"Idempotency-Key": "once"}
    replies = [await client.post(f"{where}/finalise", json={"version": 2}, headers=key) for _ in range(2)]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[0].json() == replies[1].json()
    invoice = replies[0].json()
    assert (invoice["number"], invoice["gross"], invoice["due_on"]) == ("INV-2026-000001", eur("6527.81"), "2026-01-15")
    assert (invoice["cause"], invoice["cause_id"]) == ("manual", draft["id"])
    after = (await client.get(where)).json()
    assert (after["state"], after["invoice_id"]) == ("final", invoice["id"])
    for path in ("finalise", "discard"):
        assert (await client.post(f"{where}/{path}", json={"version": 3})).status_code == 409
    assert (await client.put(where, json={**revision, "version": 3})).status_code == 409
    [told] = await emitted()
    assert (told.topic, told.event.invoice_id, str(told.flow_id)) == ("invoice.issued", UUID(invoice["id"]), invoice["flow_id"])
    assert invoice["flow_id"] != parent
    # Nobody waits for an order or a delivery of it.
    assert lies_elsewhere(UUID(invoice["order_id"]))
    assert lies_elsewhere(UUID(invoice["delivery_id"]))
    found = await balances(client)
    assert (found["receivable"], found["revenue"], found["tax"]) == ("6527.81", "-5350.66", "-1177.15")


async def test_it_is_aged_called_overdue_printed_credited_and_paid_as_any_other(
    client: httpx.AsyncClient, clock: FixedClock, emitted: Emissions, run_timer: Any
) -> None:
    paid, credited = [await finalise(client, await write(client, due_on="2026-01-05")) for _ in range(2)]
    clock.advance(days=10)
    for timer in TIMERS:
        await run_timer(timer)
    assert [each.topic for each in await emitted()].count("invoice.overdue") == 2
    assert (await client.get("/v1/dunning/steps", params={"invoice_id": paid["id"]})).json()["items"] != []
    [aged] = (await client.get("/v1/receivables/ageing")).json()["currencies"]
    assert aged["buckets"]["1-30"] == "13055.62"
    statement = (await client.get(f"/v1/customers/{WHO['customer_id']}/statement")).json()["accounts"][0]
    assert [each["number"] for each in statement["lines"]] == [paid["number"], credited["number"]]
    assert paid["number"] in text_of(await pdf_of(client, f"invoices/{paid['id']}"))
    await client.post("/v1/payments", json=payment_body("6527.81", reference=paid["number"]))
    await post(client, f"/v1/invoices/{credited['id']}/credits", 201, reason="all of it")
    assert [(await shown(client, each))["open"] for each in (paid, credited)] == [eur("0.00")] * 2
    assert (await client.get("/v1/ledger/audit")).json()["clean"] is True


async def test_a_preview_is_marked_and_draws_no_number(client: httpx.AsyncClient, clock: FixedClock) -> None:
    draft = await write(client, due_on="2026-01-05")
    text = text_of(await pdf_of(client, f"invoice-drafts/{draft['id']}"))
    for wanted in ("DRAFT", "6,527.81", "5 January 2026", "Premium support"):
        assert wanted in text, wanted
    assert "RF" not in text
    clock.advance(days=5)
    for path in ("document", "finalise"):
        method = "GET" if path == "document" else "POST"
        reply = await client.request(method, f"{WHERE}/{draft['id']}/{path}", json={"version": 1} if method == "POST" else None)
        assert (reply.status_code, reply.json()["type"].rpartition(":")[2]) == (409, "due-day-passed")
    thrown = await post(client, f"{WHERE}/{draft['id']}/discard", 200)
    assert thrown["state"] == "discarded"
    await finalise(client, thrown, 409)
    other = await finalise(client, await write(client))
    assert other["number"] == "INV-2026-000001"
    [left] = (await client.get(WHERE, params={"state": "discarded"})).json()["items"]
    assert left["id"] == draft["id"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": [{**GOLDEN, "tax_rate": "22", "quantity": "0"}]}, "lines.0"),
        ({"lines": [{**GOLDEN, "tax_rate": "22"}, {**GOLDEN, "tax_rate": "101"}]}, "lines.1"),
        ({"lines": [{**GOLDEN, "tax_rate": "19", "tax_category": "Z"}]}, "lines"),
        ({"lines": [{**GOLDEN, "tax_rate": "0", "tax_category": "AE"}]}, "customer.vat_id"),
        ({"lines": [{**GOLDEN, "tax_rate": "22", "unit_price": "1.001"}]}, "lines.0"),
        ({"lines": [{**GOLDEN, "tax_rate": "22", "unit_price": "9" * 12, "quantity": "9" * 9}]}, "lines.0"),
    ],
)
async def test_what_could_not_be_invoiced_is_no_draft(client: httpx.AsyncClient, changes: Json, field: str) -> None:
    assert (await post(client, WHERE, 400, **body(**changes)))["field"] == field


async def test_of_many_that_finalise_at_once_each_draft_has_one_number_and_none_is_missing(
    client: httpx.AsyncClient, db: Database
) -> None:
    made = [UUID((await write(client))["id"]) for _ in range(8)]

    async def attempt(draft_id: UUID, fail: bool) -> None:
        async with db.transaction() as tx:
            await drafts.finalise_draft(tx, draft_id, version=1, by="test")
            if fail:
                raise RuntimeError("killed before the commit")

    tries = [attempt(draft_id, number % 3 == 0) for number in range(3) for draft_id in made]
    await asyncio.gather(*tries, return_exceptions=True)
    async with db.connection() as conn:
        rows = await conn.fetch("SELECT number, cause_id FROM invoice ORDER BY number")
        assert [row["number"] for row in rows] == [f"INV-2026-{number:06d}" for number in range(1, 9)]
        assert {row["cause_id"] for row in rows} == set(made)
        with pytest.raises(asyncpg.RestrictViolationError):
            await conn.execute("UPDATE invoice_draft SET state = 'open', invoice_id = NULL")
