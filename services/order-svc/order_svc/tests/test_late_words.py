"""What is said about a person after the erasure, or while it is under way, is not written down; that something was said is."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Database, Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver
from ltc_contracts.events import PersonErased

from order_svc.api.changes import CancelWish
from order_svc.consumers import consumers
from order_svc.domain.order_page import fact_of
from order_svc.handlers import acceptance, changes, erasure
from order_svc.handlers import credit as accounts
from order_svc.store import order_page
from order_svc.tests.builders import a_cart, cancelled, decided
from order_svc.tests.rig import GO_ON, RunTimer, check_out, order_id, read
from order_svc.tests.subscription_desk import Desk
from order_svc.tests.told import failed
from order_svc.tests.traces import traces
from order_svc.tests.wishes import assess, cancel, change, lines_of, wished

SAID = "secret said so"
Writing = Callable[[Transaction], Awaitable[object]]


def erasing(*flows: UUID) -> PersonErased:
    return PersonErased(erasure_id=new_id(), lead_ids=(new_id(),), flow_ids=flows)


async def heard(db: Database) -> list[str]:
    async with db.connection() as conn:
        return await traces(conn, "secret")


async def test_words_that_come_after_the_erasure_are_not_written_down(
    deliver: Deliver, client: httpx.AsyncClient, db: Database
) -> None:
    customer = str(new_id())
    orders = [await check_out(client, f"W-{n}", customer={"customer_id": customer}) for n in range(3)]
    held = await check_out(client, "W-3", customer={"customer_id": customer}, hold="wait")
    flows = [UUID(order["flow_id"]) for order in (*orders, held)]
    await deliver(consumers, erasing(*flows))
    first, second, third = orders
    await deliver(consumers, failed(order_id(first), note=SAID), flow_id=flows[0])
    change_id = await wished(client, first, change((lines_of(first)[0], "1"), reason=SAID))
    await deliver(consumers, decided(order_id(first), change_id, granted=False, reason=SAID), flow_id=flows[0])
    await assess(client, first, cancel(reason=SAID))
    await deliver(consumers, cancelled(order_id(second), reason=SAID), flow_id=flows[1])
    for order, verb in ((third, "cancel"), (held, "hold"), (held, "release"), (held, "cancel")):
        reply = await client.post(f"/v1/orders/{order['id']}/{verb}", json={"reason": SAID})
        assert reply.status_code in (200, 202), reply.text
    again = a_cart("W-4", customer={"customer_id": customer}, hold=SAID, flow_id=str(flows[0]))
    assert (await client.post("/v1/checkout", json=again)).status_code == 201
    agreed = {"version": 0, "limits": [], "reason": SAID}
    assert (await client.put(f"/v1/customers/{customer}/credit", json=agreed)).status_code == 200
    assert await heard(db) == []
    [failure] = (await client.get(f"/v1/orders/{first['id']}/page")).json()["delivery"]["failures"]["items"]
    assert (failure["code"], failure["note"]) == ("absent", "(erased)")
    assert (await read(client, third))["cancellation"]["reason"] == "(erased)"


async def test_orders_that_a_subscription_of_the_person_makes_later_are_the_persons_too(
    deliver: Deliver, client: httpx.AsyncClient, db: Database, clock: FixedClock, run_timer: RunTimer
) -> None:
    clock.set(datetime(2026, 1, 31, 10, tzinfo=UTC))
    desk, flow = Desk(client), new_id()
    await desk.start(flow_id=str(flow))
    await deliver(consumers, erasing(flow))
    clock.advance(days=30)
    await run_timer(GO_ON)
    placed = (await desk.read("/orders"))["items"]
    assert len(placed) == 2
    for each in placed:
        reply = await client.post(f"/v1/orders/{each['order_id']}/cancel", json={"reason": SAID})
        assert reply.status_code == 202, reply.text
        order = (await client.get(f"/v1/orders/{each['order_id']}")).json()
        await deliver(consumers, failed(UUID(order["id"]), note=SAID), flow_id=UUID(order["flow_id"]))
    await desk.do("cancel", at="period_end", reason=SAID)
    await desk.do("withdraw-cancellation", reason=SAID)
    await desk.do("pause", reason=SAID)
    assert await heard(db) == []


def _writings(order: dict[str, Any], customer: UUID) -> dict[str, Writing]:
    wish = CancelWish(wish="cancel", reason=SAID).of_order()
    fact = fact_of(failed(new_id(), note=SAID), new_id(), datetime(2026, 1, 1, tzinfo=UTC), UUID(order["flow_id"]))
    assert fact is not None
    return {
        "an assessment": lambda tx: changes.assess(tx, order_id(order), wish, SAID, by="ines"),
        "a hold": lambda tx: acceptance.hold(tx, order_id(order), SAID, by="ines"),
        "a fact of an order that is not known yet": lambda tx: order_page.insert_facts(tx.conn, [fact]),
        "an agreement": lambda tx: agree(tx, customer, 1),
        "a first agreement": lambda tx: agree(tx, customer, 0),
    }


async def agree(tx: Transaction, customer: UUID, version: int) -> None:
    await accounts.agree(tx, customer, version=version, blocked=False, limits={}, payment_terms_days=None, reason=SAID, by="ines")


@pytest.mark.parametrize(
    "what", ["an assessment", "a hold", "a fact of an order that is not known yet", "an agreement", "a first agreement"]
)
@pytest.mark.parametrize("erasure_first", [False, True])
async def test_an_erasure_and_words_in_flight_wait_for_each_other(
    what: str, erasure_first: bool, client: httpx.AsyncClient, runtime: Runtime, db: Database
) -> None:
    customer = new_id()
    if what != "a first agreement":
        agreed = {"version": 0, "limits": [], "reason": "as wished"}
        assert (await client.put(f"/v1/customers/{customer}/credit", json=agreed)).status_code == 200
    order = await check_out(client, customer={"customer_id": str(customer)}, hold="wait")
    write = _writings(order, customer)[what]
    event = erasing(UUID(order["flow_id"]))

    async def erase(tx: Transaction) -> None:
        await erasure.erase_person(tx, event)

    async def later(work: Writing) -> None:
        async with runtime.db.transaction() as tx:
            await work(tx)

    first, second = (erase, write) if erasure_first else (write, erase)
    async with runtime.db.transaction() as tx:
        await first(tx)
        await tx.flush()
        other = asyncio.create_task(later(second))
        done, _ = await asyncio.wait([other], timeout=0.3)
        assert not done, "it did not wait"
    await other
    assert await heard(db) == []
