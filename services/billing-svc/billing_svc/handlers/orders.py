"""What is told of an order as a whole, and what follows from it: invoices of prepaid orders, and credit notes."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.events import OrderChanged, OrderConfirmed, SubscriptionEnded

from billing_svc.domain import billed_order as rules
from billing_svc.domain import occasion as occasions
from billing_svc.domain.billed_order import BilledOrder, Credit, Done, Fact
from billing_svc.domain.credit_note import NothingToCredit
from billing_svc.domain.occasion import Occasion
from billing_svc.domain.subscription_end import given_back
from billing_svc.handlers import credits
from billing_svc.handlers.journal import issue
from billing_svc.store import credits as credit_store
from billing_svc.store import invoices, orders

# What is announced `with turn(tx):` was caused by one event of several that are handled together.
Turn = Callable[[Transaction], AbstractContextManager[object]]


async def record_confirmation(tx: Transaction, event: OrderConfirmed, *, flow_id: UUID | None) -> None:
    """A prepaid order is invoiced whole, as soon as its delivery is known. Others are invoiced as they are handed over."""
    if event.invoicing != "on_confirmation":
        return
    # Wrong figures are refused here, and not when the delivery is promised.
    occasions.of_order(event, event.order_id)
    await orders.lock_order(tx.conn, event.order_id, tx.now)
    if await orders.save_confirmed(tx.conn, event, flow_id):
        await settle(tx, event.order_id)


async def record_promises(tx: Transaction, deliveries: Mapping[UUID, UUID], turns: Mapping[UUID, Turn]) -> None:
    """Orders have deliveries now, which their invoices name; both by order. Those that are prepaid and confirmed are invoiced."""
    for order_id in await orders.save_deliveries(tx.conn, deliveries, tx.now):
        with turns[order_id](tx):
            await settle(tx, order_id)


async def record_fact(tx: Transaction, fact: Fact) -> None:
    """The order was changed or cancelled, or a part of it came back: once, whatever of the order is known yet."""
    if isinstance(fact, OrderChanged):
        occasions.require_priced((*fact.before, *fact.lines))
    await orders.lock_order(tx.conn, fact.order_id, tx.now)
    if await orders.insert_fact(tx.conn, fact, tx.now):
        await settle(tx, fact.order_id)


async def give_back(tx: Transaction, event: SubscriptionEnded) -> None:
    """Credit what a subscription charged and did not serve, of each order as soon as it is invoiced.

    What was paid of it is credit on account: it pays the customer's next invoice, or goes back by a refund when they ask for it.
    """
    for fact in given_back(event):
        await record_fact(tx, fact)


async def settle(tx: Transaction, order_id: UUID) -> None:
    """Make the documents that follow from all that is known of an order now. The order is locked."""
    order = await orders.get_order(tx.conn, order_id)
    if not (order.confirmed or order.pending or order.changes or order.cancelled):
        return
    order = await _with_documents(tx, order)
    while steps := rules.next_steps(order):
        before = (len(order.invoices), len(order.notes), order.pending)
        for step in steps:
            await _take(tx, order, step)
        done = frozenset(step.cause_id for step in steps if isinstance(step, Done))
        await orders.save_settled(tx.conn, done, tx.now)
        order = await _with_documents(tx, replace(order, pending=order.pending - done))
        if (len(order.invoices), len(order.notes), order.pending) == before:
            raise NothingToCredit(f"what order {order_id} became cheaper by is on none of its invoices")


async def _take(tx: Transaction, order: BilledOrder, step: rules.Step) -> None:
    match step:
        case Occasion():
            await issue(tx, step, order.flow_id or next((made.flow_id for made in order.invoices), None))
        case Credit():
            await credits.credit_by_fact(tx, step, order.invoices, order.notes)
        case Done():
            pass


async def _with_documents(tx: Transaction, order: BilledOrder) -> BilledOrder:
    made = await invoices.list_invoices_of(tx.conn, order.order_id)
    notes = await credit_store.list_credits_of(tx.conn, [invoice.id for invoice in made])
    return replace(order, invoices=tuple(made), notes=tuple(notes))
