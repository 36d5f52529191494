"""Disputes: shown, told, resolved by a credit note or by saying no; while one is open nobody is reminded of the invoice."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import asyncpg
import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_chassis.timers import Timer

from billing_svc.tests.builders import completed, line
from billing_svc.tests.telling import Emissions, Json, balances, tell, told
from billing_svc.timers import TIMERS


@pytest.fixture
async def invoice(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    """100.00 net at 19 %."""
    delivery = completed(line("100.00", "1", "0", "19"))
    await tell(deliver, [delivery])
    [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
    found: Json = made
    return found


def eur(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency": "EUR"}


async def shown(client: httpx.AsyncClient, invoice: Json) -> Json:
    found: Json = (await client.get(f"/v1/invoices/{invoice['id']}")).json()
    return found


async def test_an_invoice_is_not_called_overdue_while_it_is_disputed_and_is_once_that_is_rejected(
    client: httpx.AsyncClient,
    clock: FixedClock,
    emitted: Emissions,
    invoice: Json,
    run_timer: Callable[[Timer], Awaitable[int]],
) -> None:
    where = f"/v1/invoices/{invoice['id']}/disputes"
    body = {"category": "quality", "reason": "it leaks", "amount": eur("50.00")}
    dispute = (await client.post(where, json=body)).json()
    assert (dispute["state"], dispute["whole"], dispute["amount"], dispute["opened_by"]) == ("open", False, eur("50.00"), "test")
    assert (await client.post(where, json=body)).status_code == 409
    clock.advance(days=40)
    assert await run_timer(TIMERS[0]) == 0
    assert ((await shown(client, invoice))["disputed"], (await shown(client, invoice))["overdue"]) == (True, True)
    for disputed, many in (("true", 1), ("false", 0)):
        assert len((await client.get("/v1/invoices", params={"disputed": disputed})).json()["items"]) == many
    reply = await client.post(f"/v1/disputes/{dispute['id']}/reject", json={"resolution": "it does not"})
    assert (reply.json()["state"], reply.json()["resolved_on"], reply.json()["credit_id"]) == ("rejected", "2026-02-10", None)
    assert await run_timer(TIMERS[0]) == 1
    assert [each.topic for each in await emitted()][1:] == ["invoice.disputed", "invoice.dispute_resolved", "invoice.overdue"]
    assert (await shown(client, invoice))["disputed"] is False
    for end in ("reject", "uphold"):
        body = {"resolution": "again"}
        assert (await client.post(f"/v1/disputes/{dispute['id']}/{end}", json=body)).status_code == 409
    assert (await client.get(f"/v1/disputes/{dispute['id']}")).json() == reply.json()
    assert (await client.get("/v1/disputes", params={"invoice_id": invoice["id"], "state": "open"})).json()["items"] == []


async def test_an_upheld_dispute_is_a_credit_note(client: httpx.AsyncClient, emitted: Emissions, invoice: Json) -> None:
    where = f"/v1/invoices/{invoice['id']}/disputes"
    part = (await client.post(where, json={"category": "price", "reason": "too dear", "amount": eur("20.00")})).json()
    uphold = f"/v1/disputes/{part['id']}/uphold"
    nothing_named = await client.post(uphold, json={"resolution": "true"})
    assert (nothing_named.status_code, nothing_named.json()["field"]) == (400, "lines")
    too_much = {"resolution": "true", "lines": [{"line_id": invoice["lines"][0]["line_id"], "net": "100.01"}]}
    assert (await client.post(uphold, json=too_much)).status_code == 400
    # 17.00 net are 20.23 gross.
    more_than_disputed = {"resolution": "true", "lines": [{"line_id": invoice["lines"][0]["line_id"], "net": "17.00"}]}
    assert (await client.post(uphold, json=more_than_disputed)).json()["field"] == "lines"
    assert (await shown(client, invoice))["disputed"] is True
    agreed = {"resolution": "true", "lines": [{"line_id": invoice["lines"][0]["line_id"], "net": "10.00"}]}
    upheld = (await client.post(uphold, json=agreed)).json()
    note = (await client.get(f"/v1/credits/{upheld['credit_id']}")).json()
    assert (note["gross"], note["reason"], upheld["state"]) == (eur("11.90"), "true", "upheld")
    whole = (await client.post(where, json={"category": "duplicate", "reason": "twice"})).json()
    assert (whole["whole"], whole["amount"]) == (True, eur("107.10"))
    await client.post(f"/v1/disputes/{whole['id']}/uphold", json={"resolution": "so it is"})
    after = await shown(client, invoice)
    assert (after["open"], after["disputed"], after["payment_state"]) == (eur("0.00"), False, "paid")
    assert set((await balances(client)).values()) == {"0.00"}
    [_, last] = await told(emitted, "invoice.dispute_resolved", UUID(note["order_id"]))
    assert (last.outcome, str(last.amount.amount), last.number) == ("upheld", "107.10", invoice["number"])
    nothing_left = await client.post(where, json={"category": "other", "reason": "still"})
    assert nothing_left.status_code == 409


async def test_what_cannot_be_disputed_is_refused_with_its_field(client: httpx.AsyncClient, invoice: Json) -> None:
    where = f"/v1/invoices/{invoice['id']}/disputes"
    for body, status, field in (
        ({"amount": eur("119.01")}, 400, "amount"),
        ({"amount": eur("0.00")}, 400, "amount"),
        ({"amount": {"amount": "1.00", "currency": "USD"}}, 400, "amount"),
        ({"category": "mood"}, 422, None),
        ({"reason": " "}, 422, None),
    ):
        reply = await client.post(where, json={"category": "price", "reason": "x", **body})
        assert (reply.status_code, reply.json().get("field")) == (status, field), reply.text
    unknown = f"/v1/invoices/{new_id()}/disputes"
    assert (await client.post(unknown, json={"category": "price", "reason": "x"})).status_code == 404
    assert (await client.post(f"/v1/disputes/{new_id()}/reject", json={"resolution": "x"})).status_code == 404


async def test_of_disputes_at_once_one_is_opened_and_the_database_keeps_what_is_open_above_zero(
    client: httpx.AsyncClient, db: Database, invoice: Json
) -> None:
    body = {"category": "price", "reason": "x"}
    replies = await asyncio.gather(*(client.post(f"/v1/invoices/{invoice['id']}/disputes", json=body) for _ in range(4)))
    assert sorted(reply.status_code for reply in replies) == [201, 409, 409, 409]
    for wrong in (
        "UPDATE invoice SET written_off = gross, credited = 1, settled_on = issued_on",
        "UPDATE invoice SET written_off = -1",
        "UPDATE invoice SET written_off = 1, written_off_tax = 2",
        "UPDATE invoice SET state = 'void'",
    ):
        async with db.connection() as conn:
            with pytest.raises(asyncpg.CheckViolationError):
                await conn.execute(wrong)
    await client.post("/v1/payments", json={"amount": eur("5.00"), "method": "cash", "reference": "x"})
    async with db.connection() as conn:
        with pytest.raises(asyncpg.CheckViolationError):
            await conn.execute("UPDATE payment SET refunded = 1")
