"""Write-offs within authority, recovery, voids, unapplying and refunds: what is open, on account and booked agrees after each."""

from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.db import Database
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair

from billing_svc.tests.builders import cancelled, completed, line, payment_body
from billing_svc.tests.telling import Emissions, Json, balances, tell
from billing_svc.tests.test_disputes import eur, shown


@pytest.fixture
async def invoice(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    """100.00 net at 19 %."""
    return await issue(deliver, client)


async def issue(deliver: Deliver, client: httpx.AsyncClient) -> Json:
    delivery = completed(line("100.00", "1", "0", "19"))
    await tell(deliver, [delivery])
    [made] = (await client.get("/v1/invoices", params={"order_id": str(delivery.order_id)})).json()["items"]
    found: Json = made
    return found


async def pay(client: httpx.AsyncClient, invoice: Json, amount: str) -> Json:
    paid: Json = (await client.post("/v1/payments", json=payment_body(amount, reference=invoice["number"]))).json()
    return paid


async def post(client: httpx.AsyncClient, path: str, expected: int, **body: Any) -> Json:
    reply = await client.post(path, json=body)
    assert reply.status_code == expected, reply.text
    answer: Json = reply.json() if reply.content else {}
    return answer


async def test_a_write_off_is_booked_with_its_tax_and_money_that_comes_later_recovers_it(
    client: httpx.AsyncClient, emitted: Emissions, invoice: Json
) -> None:
    policy: Json = {
        "version": 0,
        "limits": [{"holder": "subject:test", "currency": "EUR", "up_to": "119.00"}],
        "tax_relief": ["IT"],
    }
    assert (await client.put("/v1/write-off-policy", json=policy)).json()["version"] == 1
    assert (await client.put("/v1/write-off-policy", json=policy)).status_code == 409
    where = f"/v1/invoices/{invoice['id']}/write-offs"
    await pay(client, invoice, "19.00")
    first = await post(client, where, 201, reason="insolvent", amount=eur("50.00"))
    second = await post(client, where, 201, reason="insolvent")
    assert [(each["state"], each["tax"]["amount"]) for each in (first, second)] == [("granted", "7.98"), ("granted", "7.99")]
    after = await shown(client, invoice)
    assert (after["open"], after["written_off"], after["payment_state"]) == (eur("0.00"), eur("100.00"), "paid")
    assert (await post(client, where, 409, reason="more"))["field"] == "amount"
    found = await balances(client)
    assert (found["bad_debt"], found["tax"], found["receivable"]) == ("84.03", "-3.03", "0.00")
    came = await pay(client, invoice, "60.00")
    assert came["unapplied"] == eur("0.00")
    after = await shown(client, invoice)
    assert (after["open"], after["written_off"], after["paid"]) == (eur("0.00"), eur("40.00"), eur("79.00"))
    await post(client, f"/v1/invoices/{invoice['id']}/credits", 201, reason="all of it")
    after = await shown(client, invoice)
    assert (after["written_off"], after["paid"], after["credited"]) == (eur("0.00"), eur("0.00"), eur("119.00"))
    found = await balances(client)
    assert (found["bad_debt"], found["tax"], found["revenue"], found["unapplied_cash"]) == ("0.00", "0.00", "0.00", "-79.00")
    topics = [each.topic for each in await emitted()]
    assert topics[3:] == [
        *("invoice.written_off", "invoice.written_off", "invoice.paid", "payment.received", "invoice.recovered"),
        *("payment.allocated", "invoice.recovered", "invoice.credited", "payment.unapplied", "payment.unapplied"),
    ]
    paid: Any = next(each.event for each in await emitted() if each.topic == "invoice.paid")
    assert (str(paid.written_off.amount), paid.credited) == ("100.00", None)
    [aged] = (await client.get("/v1/receivables/ageing")).json()["currencies"] or [{"outstanding": "0.00"}]
    assert aged["outstanding"] == "0.00"


async def test_beyond_ones_authority_a_second_person_who_has_it_grants(
    client: httpx.AsyncClient, invoice: Json, keys: KeyPair
) -> None:
    limits = [
        {"holder": "scope:write-offs:write", "currency": "EUR", "up_to": "10.00"},
        {"holder": "subject:boss", "currency": "EUR", "up_to": "100.00"},
    ]
    await client.put("/v1/write-off-policy", json={"version": 0, "limits": limits})
    where = f"/v1/invoices/{invoice['id']}/write-offs"

    def by(subject: str) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {keys.token(subject=subject, scopes='write-offs:write write-offs:grant write-offs:read')}"
        }

    async def ask(subject: str, path: str, **body: Any) -> httpx.Response:
        return await client.post(path, json=body, headers=by(subject))

    small = await ask("anna", where, reason="small", amount=eur("10.00"))
    assert small.json()["state"] == "granted"
    beyond = (await ask("anna", where, reason="in parts", amount=eur("0.01"))).json()
    assert (beyond["state"], (await shown(client, invoice))["open"]) == ("requested", eur("109.00"))
    assert (await ask("anna", where, reason="again", amount=eur("1.00"))).status_code == 409
    grant = f"/v1/write-offs/{beyond['id']}/grant"
    assert [(await ask(who, grant)).status_code for who in ("anna", "ben")] == [409, 403]
    assert (await ask("boss", grant, decision="yes")).json()["decided_by"] == "boss"
    assert (await ask("boss", grant)).status_code == 409
    large = (await ask("anna", where, reason="all")).json()
    assert (await ask("boss", f"/v1/write-offs/{large['id']}/grant")).status_code == 403
    refused = await ask("ben", f"/v1/write-offs/{large['id']}/refuse", decision="they pay")
    assert (refused.json()["state"], (await shown(client, invoice))["open"]) == ("refused", eur("108.99"))


async def test_only_what_nobody_knows_is_void_and_its_number_stays(
    client: httpx.AsyncClient, deliver: Deliver, db: Database, emitted: Emissions, invoice: Json
) -> None:
    sent, paid, disputed = [await issue(deliver, client) for _ in range(3)]
    await post(client, f"/v1/invoices/{sent['id']}/sendings", 204, channel="post")
    await pay(client, paid, "1.00")
    dispute = await post(client, f"/v1/invoices/{disputed['id']}/disputes", 201, category="price", reason="x")
    await post(client, f"/v1/disputes/{dispute['id']}/reject", 200, resolution="no")
    for known in (sent, paid, disputed):
        assert "credit note" in (await post(client, f"/v1/invoices/{known['id']}/void", 409, reason="wrong"))["detail"]
    void = await post(client, f"/v1/invoices/{invoice['id']}/void", 200, reason="wrong company")
    assert (void["state"], void["open"], void["number"], void["voided_on"]) == (
        "void",
        eur("0.00"),
        invoice["number"],
        "2026-01-01",
    )
    for path, body in (("void", {}), ("disputes", {"category": "price"}), ("write-offs", {}), ("credits", {})):
        await post(client, f"/v1/invoices/{invoice['id']}/{path}", 409, reason="x", **body)
    assert (await pay(client, invoice, "5.00"))["unapplied"] == eur("5.00")
    await tell(deliver, [cancelled(UUID(invoice["order_id"]), completed(line("100.00", "1", "0", "19")).net)])
    assert (await client.get("/v1/credits")).json()["items"] == []
    assert (await balances(client))["receivable"] == "356.00"
    assert [each.topic for each in await emitted()].count("invoice.voided") == 1
    late = await issue(deliver, client)
    async with db.connection() as conn:
        await conn.execute("INSERT INTO accounting_period (month, state, updated_at) VALUES ('2026-01-01', 'closed', now())")
    assert "closed month" in (await post(client, f"/v1/invoices/{late['id']}/void", 409, reason="late"))["detail"]


async def test_what_is_taken_off_an_invoice_is_on_account_and_the_invoice_is_owed_and_told_paid_anew(
    client: httpx.AsyncClient, emitted: Emissions, invoice: Json
) -> None:
    payment = await pay(client, invoice, "119.00")
    where = f"/v1/payments/{payment['id']}/unapply"
    await post(client, where, 400, invoice_id=invoice["id"], amount=eur("119.01"), reason="x")
    await post(client, where, 404, invoice_id=str(new_id()), reason="x")
    part = await post(client, where, 200, invoice_id=invoice["id"], amount=eur("19.00"), reason="not for this")
    assert (part["allocated"], part["unapplied"]) == (eur("100.00"), eur("19.00"))
    after = await shown(client, invoice)
    assert (after["open"], after["payment_state"], after["paid_on"]) == (eur("19.00"), "partial", None)
    await post(client, where, 200, invoice_id=invoice["id"], reason="not for this")
    await post(client, where, 409, invoice_id=invoice["id"], reason="x")
    await post(client, f"/v1/payments/{payment['id']}/allocations", 200, allocations=[{"invoice_id": invoice["id"]}])
    assert [each.topic for each in await emitted()][2:] == [
        *("payment.allocated", "invoice.paid", "payment.unapplied", "payment.unapplied", "payment.allocated", "invoice.paid")
    ]
    assert (await balances(client))["unapplied_cash"] == "0.00"


async def test_money_goes_back_once_and_never_more_than_there_is(
    client: httpx.AsyncClient, emitted: Emissions, invoice: Json
) -> None:
    payment = await pay(client, invoice, "150.00")
    where = f"/v1/payments/{payment['id']}/refunds"
    await post(client, where, 409, amount=eur("31.01"), reason="x")
    await post(client, where, 400, amount=eur("0.00"), reason="x")
    aside = await post(client, where, 201, amount=eur("31.00"), reason="too much")
    seen = (await client.get(f"/v1/payments/{payment['id']}")).json()
    assert (seen["unapplied"], seen["refunded"]) == (eur("0.00"), eur("31.00"))
    other = await post(client, where, 201, amount=eur("19.00"), reason="wrong invoice", invoice_id=invoice["id"])
    assert (await shown(client, invoice))["open"] == eur("19.00")
    await post(client, f"/v1/refunds/{aside['id']}/execute", 200, reference="SEPA-1")
    await post(client, f"/v1/refunds/{aside['id']}/execute", 409, reference="SEPA-2")
    await post(client, f"/v1/refunds/{aside['id']}/withdraw", 409)
    await post(client, f"/v1/refunds/{other['id']}/execute", 409, reference="SEPA-1")
    await post(client, f"/v1/refunds/{other['id']}/withdraw", 200)
    done = await post(
        client, f"{where}/done", 201, amount=eur("100.00"), reason="returned", invoice_id=invoice["id"], reference="R-1"
    )
    assert (done["state"], (await shown(client, invoice))["open"]) == ("executed", eur("119.00"))
    told: list[Any] = [each.event for each in await emitted() if each.topic == "payment.refunded"]
    assert [(str(each.amount.amount), each.invoice_id, each.net and str(each.net.amount)) for each in told] == [
        ("31.00", None, None),
        ("100.00", UUID(invoice["id"]), "84.03"),
    ]
    assert [each.topic for each in await emitted()].count("payment.unapplied") == 1
    found = await balances(client)
    assert (found["cash"], found["refund"], found["unapplied_cash"], found["receivable"]) == ("19.00", "0.00", "-19.00", "119.00")
