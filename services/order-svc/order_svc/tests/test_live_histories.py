"""Histories on the real consumers, routes, timers and database: killed before a commit, told again, and right in the end."""

import json
from contextlib import nullcontext
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.arrived import Arrived
from ltc_chassis.clock import FixedClock
from ltc_chassis.db import Cause, Transaction
from ltc_chassis.desk import Asked
from ltc_chassis.ids import new_id
from ltc_chassis.runtime import Runtime
from ltc_chassis.testing import Deliver, record_of
from ltc_chassis.timers import run_until_idle
from ltc_contracts.envelope import Envelope, readable_headers
from ltc_contracts.errors import DomainError
from ltc_contracts.events import Event

from order_svc.api.changes import CancelWish
from order_svc.api.checkout import CheckOut
from order_svc.consumers import consumers
from order_svc.domain.process import Position
from order_svc.domain.stock import Pick, Shelf
from order_svc.handlers import acceptance, changes, checkout
from order_svc.store import changes as wishes
from order_svc.store import orders as store
from order_svc.tests.books import Books
from order_svc.tests.builders import (
    a_cart,
    a_cart_line,
    allocated,
    cancelled,
    completed,
    counted,
    credited,
    decided,
    eur,
    handed_over,
    issued,
    paid,
    progressed,
    promised,
    refunded,
    returned,
    told_by_erp,
)
from order_svc.tests.histories import Suite
from order_svc.tests.news import GROSS, PRICE, Action, Cart, Fact, Told, gross_of, net_of
from order_svc.tests.rig import LOOK_AGAIN, TELL_LATE, Parked
from order_svc.tests.test_histories import check


class Killed(Exception):
    """The process ends here: what it wrote was never committed."""


class Live:
    """order-svc as it runs."""

    def __init__(self, runtime: Runtime, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock) -> None:
        self.runtime, self.client, self.deliver, self.clock = runtime, client, deliver, clock
        self.heard = 0
        self.assessed: dict[UUID, str] = {}

    async def apply(self, action: Action) -> list[Told]:
        """What is told by the commit."""
        self.clock.set(action.now)
        if action.crash:
            with pytest.raises(Killed):
                await self._killed(action)
            return []
        await self._whole(action)
        async with self.runtime.db.connection() as conn:
            rows = await conn.fetch("SELECT aggregatetype, payload FROM outbox ORDER BY id OFFSET $1", self.heard)
        self.heard += len(rows)
        return [told_of(row["aggregatetype"], json.loads(row["payload"])) for row in rows]

    async def _killed(self, action: Action) -> None:
        async with self.runtime.db.transaction(self._cause(action)) as tx:
            await self._half(tx, action)
            await tx.flush()
            raise Killed

    async def _whole(self, action: Action) -> None:
        if action.verb == "fact" and action.fact is not None:
            fact = action.fact
            outcome = await self.deliver(consumers, await self.event_of(fact), event_id=fact.id, occurred_at=fact.at)
            assert outcome in {"processed", "duplicate"}, fact
        elif action.verb == "check_out" and action.cart is not None:
            reply = await self.client.post("/v1/checkout", json=cart_of(action.cart))
            assert reply.status_code in {200, 201}, reply.text
        elif action.verb == "assess":
            wish = await self._wish(action)
            reply = await self.client.post(f"/v1/orders/{action.order_id}/assessments", json=wish)
            if reply.status_code == 400:
                assert "has no line" in reply.text
                return
            assert reply.status_code == 201, reply.text
            self.assessed[UUID(reply.json()["order_id"])] = reply.json()["id"]
        elif action.verb == "confirm" and action.order_id is not None:
            if action.order_id in self.assessed:
                url = f"/v1/orders/{action.order_id}/assessments/{self.assessed[action.order_id]}/confirm"
                reply = await self.client.post(url)
                assert reply.status_code in {202, 409}, reply.text
        elif action.order_id is not None:
            reply = await self.client.post(f"/v1/orders/{action.order_id}/{action.verb}", json={"reason": "because"})
            assert reply.status_code in {200, 202, 409}, reply.text
        else:
            await run_until_idle(self.runtime, LOOK_AGAIN if action.verb == "look_again" else TELL_LATE)

    async def _half(self, tx: Transaction, action: Action) -> None:
        if action.fact is not None:
            event = await self.event_of(action.fact)
            envelope = Envelope.from_headers(readable_headers(record_of(event, flow_id=None, event_id=action.fact.id).headers))
            together = consumers.together_handlers.get(event.type_name())
            if together is not None:
                await together(tx, [Arrived(event, envelope, nullcontext)])
            else:
                await consumers.handlers[event.type_name()](tx, event, envelope)
        elif action.cart is not None:
            placement = CheckOut.model_validate_json(json.dumps(cart_of(action.cart))).placement()
            await checkout.check_out(tx, [Asked(checkout.Cart(placement, None, None, "test"))])
        elif action.order_id is not None:
            try:
                if action.verb == "assess":
                    wish = CancelWish(wish="cancel", reason="because").of_order()
                    await changes.assess(tx, action.order_id, wish, "because", by="test")
                elif action.verb == "confirm":
                    if action.order_id in self.assessed:
                        await changes.confirm(tx, action.order_id, UUID(self.assessed[action.order_id]), by="test")
                elif action.verb == "cancel":
                    await changes.cancel(tx, action.order_id, "because")
                elif action.verb == "release":
                    await acceptance.release(tx, action.order_id, "because", by="test")
                else:
                    await acceptance.hold(tx, action.order_id, "because", by="test")
            except DomainError:
                pass
        else:
            await (LOOK_AGAIN if action.verb == "look_again" else TELL_LATE).work(tx)

    def _cause(self, action: Action) -> Cause | None:
        return Cause(action.fact.id, None) if action.fact is not None else None

    async def _wish(self, action: Action) -> dict[str, Any]:
        if not action.sku:
            return {"wish": "cancel", "reason": "because"}
        lines = (await self.client.get(f"/v1/orders/{action.order_id}")).json()["lines"]
        line_id = next((line["line_id"] for line in lines if line["sku"] == action.sku), str(new_id()))
        if not action.quantity:
            return {"wish": "change", "dropped": [line_id], "reason": "because"}
        quantities = [{"line_id": line_id, "quantity": str(action.quantity)}]
        return {"wish": "change", "quantities": quantities, "reason": "because"}

    async def event_of(self, fact: Fact) -> Event:
        """What is told of an order's line names it."""
        if fact.kind not in ("handed_over", "returned", "decided") or fact.order_id is None or fact.subject is None:
            return event_of(fact)
        async with self.runtime.db.connection() as conn:
            lines = {line.sku: line for line in (await store.list_lines(conn, [fact.order_id]))[fact.order_id]}
        # Delivery has no more lines than the order, but an answer to a change may come when the order is another one.
        parts = [(lines[sku], str(quantity)) for sku, quantity in fact.pieces if sku in lines]
        net = eur(str(net_of(fact.pieces)))
        if fact.kind == "handed_over":
            return handed_over(fact.order_id, *parts, handover_id=fact.subject, handed_over_at=fact.at, net=net)
        if fact.kind == "returned":
            return returned(fact.order_id, *parts[0], return_id=fact.subject, net=net)
        return decided(fact.order_id, fact.subject, *parts, granted=fact.yes)

    async def as_model(self) -> Books:
        """What the database holds, in the form in which the model is checked."""
        model = Books()
        async with self.runtime.db.connection() as conn:
            for row in await conn.fetch("SELECT id FROM sales_order"):
                order = await store.get_order(conn, row["id"])
                model.orders[order.id] = order
                model.history[order.id] = tuple(await store.list_changes(conn, order.id))
                model.lines[order.id] = (await store.list_lines(conn, [order.id]))[order.id]
                for change in await wishes.list_confirmed(conn, order.id, after=None, limit=100):
                    model.changes[change.id] = change
            for row in await conn.fetch("SELECT fact_id, order_id, line_id, quantity FROM line_delivery"):
                sku = next(line.sku for line in model.lines[row["order_id"]] if line.line_id == row["line_id"])
                model.delivered[row["fact_id"]] = (row["order_id"], sku, int(row["quantity"]))
            for row in await conn.fetch("SELECT order_id, step, since, attempt FROM order_process"):
                model.positions[row["order_id"]] = (Position(row["step"], row["since"]), row["attempt"])
            picks = await conn.fetch(
                """
                SELECT order_id, line_id, sku, site, quantity, state, ended_at FROM reservation
                UNION ALL SELECT order_id, line_id, sku, site, quantity, 'consumed', ended_at FROM reservation_part
                """
            )
            for row in picks:
                pick = Pick(row["line_id"], row["sku"], row["site"], row["quantity"])
                model.picks[row["order_id"]] = (
                    *model.picks.get(row["order_id"], ()),
                    (pick, row["state"], row["ended_at"]),
                )
            for row in await conn.fetch("SELECT sku, site, on_hand, as_of, reserved FROM stock"):
                model.shelves[row["sku"]] = Shelf(**dict(row))
            for row in await conn.fetch("SELECT invoice_id, kind, fact_id, amount FROM receivable_entry"):
                model.entries[row["invoice_id"], row["kind"], row["fact_id"]] = int(row["amount"])
            for row in await conn.fetch("SELECT invoice_id, open FROM receivable"):
                assert model.open(row["invoice_id"]) == row["open"]
            late = await conn.fetch(
                """
                SELECT order_id, step, started_at, count(*) AS told FROM order_process_step WHERE outcome = 'late' GROUP BY 1, 2, 3
                """
            )
            for row in late:
                timeouts = await conn.fetchval("SELECT max(attempts) FROM process_policy WHERE step = $1", row["step"])
                model.late[row["order_id"], row["step"], row["started_at"], 0] = 1 if row["told"] <= timeouts else row["told"]
            assert await conn.fetchval("SELECT count(*) FROM recheck") == 0
        return model


def told_of(topic: str, data: dict[str, Any]) -> Told:
    worth = data.get("delta") or data.get("net") or {"amount": "0"}
    return Told(
        topic,
        UUID(data["order_id"]),
        data.get("external_ref"),
        UUID(data["change_id"]) if "change_id" in data else None,
        tuple((line["sku"], int(Decimal(line["quantity"]))) for line in data.get("lines", ())),
        int(Decimal(worth["amount"])),
    )


def cart_of(cart: Cart) -> dict[str, Any]:
    lines = [
        a_cart_line(
            sku=sku,
            quantity=str(quantity),
            unit_price={"amount": f"{PRICE}.00", "currency": "EUR"},
            discount_percent="0",
            tax_rate=str(GROSS[sku] - PRICE),
            net={"amount": f"{quantity * PRICE}.00", "currency": "EUR"},
        )
        for sku, quantity in cart.lines
    ]
    net = {"amount": f"{net_of(cart.lines)}.00", "currency": "EUR"}
    customer = {"customer_id": str(cart.customer)}
    return a_cart(cart.ref, customer=customer, lines=lines, net=net, invoicing=cart.invoicing)


def event_of(fact: Fact) -> Event:
    amount = f"{fact.amount}.00"
    if fact.kind == "counted":
        return counted(str(fact.amount), sku=fact.sku, as_of=fact.at)
    if fact.kind == "limit":
        assert fact.subject is not None
        return told_by_erp(fact.subject, amount)
    assert fact.order_id is not None
    if fact.kind == "promised":
        return promised(fact.order_id)
    if fact.kind == "progressed":
        return progressed(fact.order_id, str(fact.amount))
    if fact.kind == "completed":
        return completed(fact.order_id, delivery_id=fact.order_id, completed_at=fact.at, parts_told=True, handovers=fact.amount)
    if fact.kind == "cancelled":
        return cancelled(fact.order_id)
    assert fact.subject is not None
    gross, net = f"{gross_of(fact.pieces)}.00", f"{net_of(fact.pieces)}.00"
    if fact.kind == "issued":
        return issued(fact.order_id, gross, net, invoice_id=fact.subject)
    if fact.kind == "allocated":
        return allocated(fact.order_id, fact.subject, amount)
    if fact.kind == "paid":
        return paid(fact.order_id, invoice_id=fact.subject, gross=eur(amount))
    if fact.kind == "credited":
        return credited(fact.order_id, fact.subject, gross, net, cause="change" if fact.yes else None)
    return refunded(fact.order_id, fact.subject, amount)


@pytest.mark.parametrize("seed", range(8))
async def test_a_history_with_crashes_and_repetitions_ends_legally_with_nothing_twice(
    seed: int, runtime: Runtime, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, parked: Parked
) -> None:
    suite, live = Suite(Random(seed)), Live(runtime, client, deliver, clock)
    going = suite.history(45)
    action = next(going)
    while True:
        told = await live.apply(action)
        try:
            action = going.send(told)
        except StopIteration:
            break
    assert await parked() == []
    check(seed, suite, await live.as_model())
