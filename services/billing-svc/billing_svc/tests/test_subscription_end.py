"""What a subscription charged and did not serve is credited when it ends, of the orders that charged it, whatever is told first."""

from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Event, Line, OwedPart, SubscriptionEnded
from ltc_contracts.money import Money

from billing_svc.consumers import consumers
from billing_svc.tests.builders import NOW, cancelled, confirmed, handed_over, line, part, payment_body, promised
from billing_svc.tests.telling import Json, balances, tell
from billing_svc.tests.test_disputes import eur


def owed(order_id: UUID, rate: str, net: str) -> OwedPart:
    return OwedPart(order_id=order_id, tax_category="S", tax_rate=Decimal(rate), net=Money.of(net, "EUR"))


def ended(*parts: OwedPart) -> SubscriptionEnded:
    left = Money.total((each.net for each in parts), "EUR")
    return SubscriptionEnded(
        subscription_id=new_id(),
        number="S-2026-000001",
        customer_id=new_id(),
        ended_on=NOW.date(),
        cause="cancelled",
        credited=left,
        credit_left=left,
        owed=parts,
    )


def served(prepaid: bool) -> tuple[UUID, list[Event]]:
    """An order of 100.00 at 22 % and two lines of 50.00 at 7 %, invoiced as a whole or as it was handed over."""
    lines: list[Line] = [line("100.00", "1", "0", "22"), line("50.00", "1", "0", "7"), line("50.00", "1", "0", "7")]
    order_id = new_id()
    if prepaid:
        return order_id, [confirmed(*lines, order_id=order_id), promised(order_id)]
    return order_id, [handed_over(*(part(each, "1") for each in lines), order_id=order_id)]


async def documents(client: httpx.AsyncClient, order_id: UUID) -> tuple[list[Json], list[Json]]:
    asked = {"order_id": str(order_id)}
    invoices: list[Json] = (await client.get("/v1/invoices", params=asked)).json()["items"]
    notes: list[Json] = (await client.get("/v1/credits", params=asked)).json()["items"]
    return invoices, notes


@pytest.mark.parametrize("prepaid", [False, True])
async def test_it_is_credited_with_its_tax_once_whatever_comes_first(
    client: httpx.AsyncClient, deliver: Deliver, prepaid: bool
) -> None:
    for order in permutations(range(3 if prepaid else 2)):
        order_id, told = served(prepaid)
        flow = new_id()
        every = [*told, ended(owed(order_id, "22", "30.00"), owed(order_id, "7.0", "60.00"))]
        for place in (*order, *order):
            assert await deliver(consumers, every[place], flow_id=flow) == "processed"
        [invoice], [note] = await documents(client, order_id)
        assert (note["net"], note["gross"]) == (eur("90.00"), eur("100.80")), order
        assert [(each["rate"], each["base"]["amount"]) for each in note["taxes"]] in ([("22", "30.00"), ("7", "60.00")],)
        assert (invoice["credited"], invoice["open"]) == (eur("100.80"), eur("128.20"))
    await balances(client)
    assert (await client.get("/v1/ledger/audit")).json()["clean"]


async def test_what_was_paid_of_it_is_on_account_and_goes_back_when_they_ask(client: httpx.AsyncClient, deliver: Deliver) -> None:
    order_id, told = served(prepaid=True)
    await tell(deliver, told)
    [invoice], _ = await documents(client, order_id)
    paid = (await client.post("/v1/payments", json=payment_body(invoice["gross"]["amount"], reference=invoice["number"]))).json()
    await tell(deliver, [ended(owed(order_id, "22", "30.00"))])
    payment: Any = (await client.get(f"/v1/payments/{paid['id']}")).json()
    assert payment["unapplied"] == eur("36.60")
    body = {"amount": eur("36.60"), "reason": "the subscription ended"}
    refund = await client.post(f"/v1/payments/{paid['id']}/refunds", json=body)
    assert (refund.status_code, (await balances(client))["refund"]) == (201, "-36.60")


async def test_an_order_that_was_cancelled_owes_nothing_beyond_itself(client: httpx.AsyncClient, deliver: Deliver) -> None:
    order_id, told = served(prepaid=False)
    await tell(deliver, [*told, cancelled(order_id, Money.of("200.00", "EUR")), ended(owed(order_id, "22", "30.00"))])
    [invoice], [note] = await documents(client, order_id)
    assert note["gross"] == invoice["gross"]
