"""Who is in final dunning gets no further order until it is over (RULES 5)."""

import asyncio
from datetime import date
from typing import Any

import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import DunningEnded, DunningStepTaken

from order_svc.consumers import consumers
from order_svc.tests.builders import a_cart, eur
from order_svc.tests.rig import LOOK_AGAIN, RunTimer, check_out, read
from order_svc.tests.wishes import assess, change, lines_of

ABOUT: dict[str, Any] = {"invoice_id": new_id(), "number": "INV-2026-000007", "order_id": new_id()}


def step(customer: str, **more: Any) -> DunningStepTaken:
    given = {
        **ABOUT,
        "customer_id": customer,
        "step": "final",
        "kind": "final",
        "policy": "standard",
        "policy_version": 0,
        "open": eur("119.00"),
        "fee": eur("15.00"),
        "interest": eur("0.00"),
        "days_overdue": 30,
        "hold_orders": True,
        "taken_on": date(2026, 1, 1),
    }
    return DunningStepTaken(**given | more)


def ended(customer: str, **more: Any) -> DunningEnded:
    given = {**ABOUT, "customer_id": customer, "held_orders": True, "ended_on": date(2026, 1, 2)}
    return DunningEnded(**given | more)


async def test_orders_of_a_customer_in_final_dunning_wait_until_it_is_over(
    client: httpx.AsyncClient, deliver: Deliver, run_timer: RunTimer
) -> None:
    customer = str(new_id())
    await deliver(consumers, step(customer, step="friendly", kind="reminder", hold_orders=False), sequence=2)
    assert (await check_out(client, "0", customer={"customer_id": customer}))["state"] == "confirmed"
    await deliver(consumers, step(customer), sequence=2)
    held = await check_out(client, "1", customer={"customer_id": customer})
    assert (held["state"], held["hold"]["detail"]) == ("held", "credit: payment of INV-2026-000007 is demanded")
    assert (await check_out(client, "2", customer={"customer_id": str(new_id())}))["state"] == "confirmed"
    await deliver(consumers, ended(customer), sequence=3)
    await run_timer(LOOK_AGAIN)
    assert (await read(client, held))["state"] == "confirmed"
    assert (await check_out(client, "3", customer={"customer_id": customer}))["state"] == "confirmed"


async def test_the_end_that_comes_before_its_step_is_the_end(client: httpx.AsyncClient, deliver: Deliver) -> None:
    customer = str(new_id())
    await deliver(consumers, ended(customer), sequence=3)
    await deliver(consumers, step(customer), sequence=2)
    assert (await check_out(client, "1", customer={"customer_id": customer}))["state"] == "confirmed"


async def test_carts_of_the_same_time_are_held_as_well(client: httpx.AsyncClient, deliver: Deliver) -> None:
    customers = [str(new_id()) for _ in range(4)]
    for number, customer in enumerate(customers[:2]):
        await deliver(consumers, step(customer, invoice_id=new_id(), number=f"INV-2026-00000{number}"), sequence=2)
    carts = [a_cart(f"{number}", customer={"customer_id": customer}) for number, customer in enumerate(customers)]
    replies = await asyncio.gather(*(client.post("/v1/checkout", json=cart) for cart in carts))
    assert [reply.json()["state"] for reply in replies] == ["held", "held", "confirmed", "confirmed"]


async def test_no_more_is_ordered_by_a_change_either(client: httpx.AsyncClient, deliver: Deliver) -> None:
    customer = str(new_id())
    order = await check_out(client, "1", customer={"customer_id": customer})
    await deliver(consumers, step(customer), sequence=2)
    assessed = await assess(client, order, change((lines_of(order)[0], "9")))
    assert "payment of INV-2026-000007 is demanded" in str(assessed)


async def test_a_later_step_is_not_undone_by_an_end_before_it(client: httpx.AsyncClient, deliver: Deliver) -> None:
    customer = str(new_id())
    await deliver(consumers, step(customer), sequence=5)
    await deliver(consumers, step(customer, step="agency", kind="agency"), sequence=7)
    await deliver(consumers, ended(customer), sequence=6)
    assert (await check_out(client, "1", customer={"customer_id": customer}))["state"] == "held"
