"""Credit: open receivables + not yet invoiced orders + this order <= limit, in whatever order the facts come."""

import asyncio
from itertools import permutations
from typing import Any

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, KeyPair
from ltc_contracts.money import Money

from order_svc.consumers import consumers
from order_svc.tests.builders import NOW, a_contract, a_customer, allocated, cancelled, credited, issued, refunded, told_by_erp
from order_svc.tests.rig import LOOK_AGAIN, Emissions, Parked, RunTimer, check_out, order_id, read, receive, told

GROSS = "1223.97"  # of one cart


async def agree(client: httpx.AsyncClient, customer: str, limit: str | None, version: int = 0, **more: Any) -> httpx.Response:
    limits = [] if limit is None else [{"amount": limit, "currency": "EUR"}]
    body = {"version": version, "limits": limits, "reason": "yearly review"} | more
    return await client.put(f"/v1/customers/{customer}/credit", json=body)


async def use(client: httpx.AsyncClient, customer: str) -> tuple[str, str, str]:
    """Receivables, not invoiced, available."""
    reply = await client.get(f"/v1/customers/{customer}/credit")
    [eur] = reply.json()["uses"]
    return eur["receivables"]["amount"], eur["uninvoiced"]["amount"], eur["available"]["amount"]


async def test_orders_fit_up_to_the_limit_to_the_cent(client: httpx.AsyncClient) -> None:
    for limit, expected in (("2447.94", ["confirmed", "confirmed", "held"]), ("2447.93", ["confirmed", "held", "held"])):
        customer = str(new_id())
        await agree(client, customer, limit)
        carts = [await check_out(client, f"{limit}-{n}", customer={"customer_id": customer}) for n in range(3)]
        assert [cart["state"] for cart in carts] == expected
    assert carts[1]["hold"]["detail"] == "credit: 1,223.97 EUR are needed, 1,223.96 EUR of the limit of 2,447.93 EUR are left"


async def test_an_order_weighs_once_from_confirmation_to_cash(deliver: Deliver, client: httpx.AsyncClient) -> None:
    customer = str(new_id())
    await agree(client, customer, "5000.00")
    order = await check_out(client, customer={"customer_id": customer})
    assert await use(client, customer) == ("0.00", GROSS, "3776.03")
    part = issued(order_id(order), "1000.00", "819.67")
    await deliver(consumers, part)
    assert await use(client, customer) == ("1000.00", "223.97", "3776.03")
    rest = issued(order_id(order), "223.97", "183.58")
    await deliver(consumers, rest)
    assert await use(client, customer) == (GROSS, "0.00", "3776.03")
    await deliver(consumers, allocated(order_id(order), part.invoice_id, "600.00"))
    await deliver(consumers, credited(order_id(order), rest.invoice_id, "223.97", "183.58"))
    assert await use(client, customer) == ("400.00", "0.00", "4600.00")
    await deliver(consumers, refunded(order_id(order), part.invoice_id, "100.00"))
    await deliver(consumers, refunded(None, None, "70.00"))
    assert await use(client, customer) == ("500.00", "0.00", "4500.00")


@pytest.mark.parametrize("arrival", list(permutations(range(4)))[::3])
async def test_receivables_are_the_same_whatever_came_first_and_however_often(
    arrival: tuple[int, ...], deliver: Deliver, client: httpx.AsyncClient
) -> None:
    customer = str(new_id())
    await agree(client, customer, "5000.00")
    order = await check_out(client, customer={"customer_id": customer})
    invoice = issued(order_id(order))
    facts = [
        invoice,
        allocated(order_id(order), invoice.invoice_id, "1000.00"),
        credited(order_id(order), invoice.invoice_id, "200.00", "163.93"),
        refunded(order_id(order), invoice.invoice_id, "50.00"),
    ]
    ids = [new_id() for _ in facts]
    for index in (*arrival, *reversed(arrival)):
        assert await deliver(consumers, facts[index], event_id=ids[index]) in {"processed", "duplicate"}
    # Told anew under other ids: what has a name of its own is known by it.
    for fact in (facts[0], facts[2], facts[3]):
        assert await deliver(consumers, fact) == "processed"
    assert await use(client, customer) == ("73.97", "0.00", "4926.03")


async def test_held_orders_go_by_themselves_when_money_comes_the_oldest_first(
    deliver: Deliver, client: httpx.AsyncClient, run_timer: RunTimer, emitted: Emissions
) -> None:
    customer = str(new_id())
    await agree(client, customer, "2000.00")
    first = await check_out(client, "1", customer={"customer_id": customer})
    second, third = [await check_out(client, ref, customer={"customer_id": customer}) for ref in ("2", "3")]
    await run_timer(LOOK_AGAIN)
    assert [(await read(client, order))["state"] for order in (first, second, third)] == ["confirmed", "held", "held"]
    invoice = issued(order_id(first))
    await deliver(consumers, invoice)
    await run_timer(LOOK_AGAIN)
    assert (await read(client, second))["state"] == "held"
    await deliver(consumers, allocated(order_id(first), invoice.invoice_id, GROSS))
    await run_timer(LOOK_AGAIN)
    assert [(await read(client, order))["state"] for order in (second, third)] == ["confirmed", "held"]
    assert told(await emitted(), second) == ["order.received", "order.held", "order.released", "order.confirmed"]
    assert [event.event.released_by for event in await emitted() if event.topic == "order.released"] == [None]


async def test_held_orders_go_when_the_limit_rises_or_another_is_cancelled(
    deliver: Deliver, client: httpx.AsyncClient, run_timer: RunTimer
) -> None:
    customer = str(new_id())
    await agree(client, customer, "1300.00")
    first, second, third = [await check_out(client, ref, customer={"customer_id": customer}) for ref in ("1", "2", "3")]
    await agree(client, customer, "2600.00", version=1)
    await run_timer(LOOK_AGAIN)
    assert [(await read(client, order))["state"] for order in (first, second, third)] == ["confirmed", "confirmed", "held"]
    await deliver(consumers, cancelled(order_id(first)))
    await run_timer(LOOK_AGAIN)
    assert (await read(client, third))["state"] == "confirmed"


async def test_two_orders_at_once_cannot_both_take_the_last_of_a_limit(client: httpx.AsyncClient) -> None:
    for round_ in range(4):
        customer = str(new_id())
        await agree(client, customer, "1300.00")
        carts = await asyncio.gather(*(check_out(client, f"{round_}-{n}", customer={"customer_id": customer}) for n in range(6)))
        assert sorted(cart["state"] for cart in carts) == ["confirmed"] + ["held"] * 5


async def test_a_person_takes_the_risk_and_it_weighs(client: httpx.AsyncClient, run_timer: RunTimer) -> None:
    customer = str(new_id())
    await agree(client, customer, "100.00")
    order = await check_out(client, customer={"customer_id": customer})
    await run_timer(LOOK_AGAIN)
    reply = await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "the bank called"})
    assert (reply.json()["state"], reply.json()["waived"]) == ("confirmed", ["credit"])
    assert await use(client, customer) == ("0.00", GROSS, "-1123.97")


async def test_a_blocked_customer_gets_nothing_whatever_the_limit(client: httpx.AsyncClient, run_timer: RunTimer) -> None:
    customer = str(new_id())
    await agree(client, customer, None, blocked=True)
    order = await check_out(client, customer={"customer_id": customer})
    assert order["hold"]["detail"] == "credit: the customer is blocked"
    await agree(client, customer, None, version=1, blocked=False)
    await run_timer(LOOK_AGAIN)
    assert (await read(client, order))["state"] == "confirmed"


async def test_a_limit_is_of_one_currency(client: httpx.AsyncClient) -> None:
    customer = str(new_id())
    reply = await agree(client, customer, None, limits=[{"amount": "1.00", "currency": "USD"}])
    assert reply.status_code == 200
    assert (await check_out(client, customer={"customer_id": customer}))["state"] == "confirmed"


async def test_what_is_agreed_has_versions_that_say_who_and_why(client: httpx.AsyncClient) -> None:
    customer = str(new_id())
    assert (await client.get(f"/v1/customers/{customer}/credit")).status_code == 404
    assert (await agree(client, customer, "10.00")).json()["version"] == 1
    stale = await agree(client, customer, "20.00")
    assert (stale.status_code, stale.json()["current_version"]) == (409, 1)
    assert (await agree(client, customer, "20.00", version=1)).json()["version"] == 2
    versions = (await client.get(f"/v1/customers/{customer}/credit/versions", params={"limit": 1})).json()
    assert [(item["version"], item["limits"][0]["amount"], item["by"]) for item in versions["items"]] == [(2, "20.00", "test")]
    rest = (await client.get(f"/v1/customers/{customer}/credit/versions", params={"below": versions["next"]})).json()
    assert [item["reason"] for item in rest["items"]] == ["yearly review"]


async def test_of_many_who_agree_at_once_one_does(client: httpx.AsyncClient) -> None:
    customer = str(new_id())
    replies = await asyncio.gather(*(agree(client, customer, f"{n}.00") for n in range(1, 6)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 4


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"limits": [{"amount": "-1.00", "currency": "EUR"}]}, 400),
        ({"limits": [{"amount": "1.00", "currency": "EUR"}] * 2}, 400),
        ({"reason": ""}, 422),
        ({"version": -1}, 422),
        ({"payment_terms_days": 400}, 422),
    ],
)
async def test_an_agreement_of_another_shape_is_refused(body: dict[str, Any], status: int, client: httpx.AsyncClient) -> None:
    assert (await agree(client, str(new_id()), "1.00", **body)).status_code == status


async def test_credit_has_scopes_of_its_own(anonymous: httpx.AsyncClient, keys: KeyPair) -> None:
    path = f"/v1/customers/{new_id()}/credit"
    headers = {"Authorization": f"Bearer {keys.token('orders:read orders:write')}"}
    assert (await anonymous.get(path, headers=headers)).status_code == 403
    assert (await anonymous.get(path)).status_code == 401


async def test_the_erp_tells_limits_and_terms_and_an_older_word_changes_nothing(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    customer = new_id()
    await deliver(consumers, told_by_erp(customer, "100.00", payment_terms_days=45), occurred_at=NOW)
    older = NOW.replace(hour=1)
    await deliver(consumers, told_by_erp(customer, "9000.00", blocked=True), occurred_at=older)
    newer = NOW.replace(hour=23)
    await deliver(consumers, told_by_erp(customer, blocked=False), occurred_at=newer)
    found = (await client.get(f"/v1/customers/{customer}/credit")).json()
    assert (found["version"], found["blocked"], found["payment_terms_days"]) == (2, False, 45)
    order = await check_out(client, customer={"customer_id": str(customer)})
    assert (order["payment_terms_days"], order["hold"]["reasons"]) == (45, ["credit"])


async def test_a_signed_contract_is_checked_as_well(deliver: Deliver, client: httpx.AsyncClient) -> None:
    customer = a_customer()
    await agree(client, str(customer.customer_id), "1000.00")
    order = await receive(deliver, client, a_contract(customer=customer))
    assert (order["state"], order["hold"]["reasons"]) == ("held", ["credit"])


async def test_an_invoice_in_two_currencies_is_kept_for_a_person(
    deliver: Deliver, client: httpx.AsyncClient, parked: Parked
) -> None:
    order = await check_out(client)
    invoice = issued(order_id(order))
    await deliver(consumers, invoice)
    paid_in_dollars = allocated(order_id(order), invoice.invoice_id, "5.00").model_copy(
        update={"amount": Money.of("5.00", "USD")}
    )
    assert await deliver(consumers, paid_in_dollars) == "parked"
    assert [row["state"] for row in await parked()] == ["dead"]
