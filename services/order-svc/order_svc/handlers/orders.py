"""One function per business verb: load, decide, save, emit."""

from decimal import Decimal
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import ContractSigned, InvoicePaid

from order_svc.domain import order as rules
from order_svc.domain.order import Change, Decision, Order, OrderNotFound, OrderNotKnownYet
from order_svc.store import orders


async def receive_order(tx: Transaction, contract: ContractSigned, *, flow_id: UUID | None) -> None:
    """A signed contract becomes a confirmed order with a promised day; a contract has one order, ever."""
    if await orders.has_order_of_contract(tx.conn, contract.contract_id):
        return
    number = rules.format_number(tx.now.year, await orders.draw_number(tx.conn))
    rule = await orders.get_promise_rule(tx.conn, tx.now.date())
    # A contract signed outside the suite carries no flow; its journey begins with the order.
    order, received = rules.receive(contract, order_id=new_id(), flow_id=flow_id or new_id(), number=number, now=tx.now)
    order, confirmed = rules.confirm(order, contract.lines, rule, tx.now)
    if await orders.insert_order(tx.conn, order, contract.lines):
        await _record(tx, order, received + confirmed)


async def record_progress(tx: Transaction, order_id: UUID, percent: Decimal) -> None:
    """Delivery went on: the order is in progress and shows how much is delivered."""
    order = await _known_order_for_update(tx, order_id)
    await _save(tx, order, rules.progress(order, percent, tx.now))


async def record_completion(tx: Transaction, order_id: UUID, delivery_id: UUID) -> None:
    """Everything was delivered: the order is fulfilled, and closed if it is paid."""
    order = await _known_order_for_update(tx, order_id)
    await _save(tx, order, rules.fulfil(order, delivery_id, tx.now))


async def record_cancelled_delivery(tx: Transaction, order_id: UUID, reason: str) -> None:
    """Nothing was and nothing will be delivered: the order is cancelled."""
    order = await _known_order_for_update(tx, order_id)
    await _save(tx, order, rules.cancel(order, reason, tx.now))


async def record_payment(tx: Transaction, event: InvoicePaid) -> None:
    """An invoice was paid: remember the money once, and close the order if it is fulfilled."""
    order = await _known_order_for_update(tx, event.order_id)
    if await orders.insert_paid_invoice(tx.conn, order.id, event.invoice_id, event.gross, event.paid_on):
        await _save(tx, order, rules.settle(order, event.gross, tx.now))


async def request_cancellation(tx: Transaction, order_id: UUID, reason: str) -> Order:
    """Ask delivery to stop; until it answers the order is `cancelling`."""
    order = await orders.get_order_for_update(tx.conn, order_id)
    if order is None:
        raise OrderNotFound(order_id)
    return await _save(tx, order, rules.request_cancellation(order, reason, tx.now))


async def _known_order_for_update(tx: Transaction, order_id: UUID) -> Order:
    order = await orders.get_order_for_update(tx.conn, order_id)
    if order is None:
        raise OrderNotKnownYet(order_id)
    return order


async def _save(tx: Transaction, before: Order, decision: Decision) -> Order:
    order, changes = decision
    if order != before:
        await orders.save_order(tx.conn, order)
        await _record(tx, order, changes)
    return order


async def _record(tx: Transaction, order: Order, changes: list[Change]) -> None:
    await orders.insert_changes(tx.conn, order.id, changes)
    for change in changes:
        if change.event is not None:
            tx.emit(change.event, flow_id=order.flow_id, sequence=change.version)
