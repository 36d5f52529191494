"""What a customer owes, as billing tells it; and what they may owe, as people and the ERP say."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import VersionConflict
from ltc_contracts.events import (
    DunningEnded,
    DunningStepTaken,
    ErpCustomerChanged,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceRecovered,
    InvoiceVoided,
    InvoiceWrittenOff,
    PaymentAllocated,
    PaymentRefunded,
    PaymentUnapplied,
)
from ltc_contracts.money import Money

from order_svc.domain import credit as rules
from order_svc.domain import fulfilment
from order_svc.domain.credit import Account
from order_svc.domain.order import Order
from order_svc.handlers import erasure
from order_svc.handlers.journal import known_order_for_update, save
from order_svc.store import credit, orders


async def record_invoice(tx: Transaction, event: InvoiceIssued, at: datetime) -> None:
    """What was ordered is claimed now: it weighs as a receivable instead of as an order."""
    order = await known_order_for_update(tx, event.order_id)
    added = await credit.add_to_receivable(
        tx.conn,
        invoice_id=event.invoice_id,
        order_id=order.id,
        customer_id=order.customer.customer_id,
        kind="issued",
        fact_id=event.invoice_id,
        amount=event.gross,
        told_at=at,
    )
    if added:
        counted = await _recounted(tx, order)
        await save(tx, order, fulfilment.note_invoice(counted, event.gross, event.net, at, tx.now))


async def record_credit_note(tx: Transaction, event: InvoiceCredited, at: datetime) -> None:
    """A part of an invoice is claimed no longer."""
    order = await known_order_for_update(tx, event.order_id)
    added = await credit.add_to_receivable(
        tx.conn,
        invoice_id=event.invoice_id,
        order_id=order.id,
        customer_id=order.customer.customer_id,
        kind="credited",
        fact_id=event.credit_id,
        amount=event.gross,
        told_at=at,
    )
    if added:
        counted, for_change = await _recounted(tx, order), event.cause == "change"
        await save(tx, order, fulfilment.note_credit(counted, event.gross, event.net, tx.now, for_change=for_change))


async def record_allocation(tx: Transaction, event: PaymentAllocated, event_id: UUID, at: datetime) -> None:
    """A part of an invoice was paid. A payment may pay two parts of it at two times, so the event is the fact."""
    order = await orders.get_order_for_update(tx.conn, event.order_id)
    await credit.add_to_receivable(
        tx.conn,
        invoice_id=event.invoice_id,
        order_id=event.order_id,
        customer_id=None,
        kind="allocated",
        fact_id=event_id,
        amount=event.amount,
        told_at=at,
    )
    if order is not None:
        await save(tx, order, (await _recounted(tx, order), []))


async def record_refund(tx: Transaction, event: PaymentRefunded, at: datetime) -> None:
    """Money that had settled an invoice went back: the invoice claims it again. Money on account had settled nothing."""
    if event.invoice_id is None or event.order_id is None:
        return
    await _claim_again(tx, event.invoice_id, event.order_id, event.refund_id, event.amount, at)


async def _recounted(tx: Transaction, order: Order) -> Order:
    """The order with the money that is left of its paid invoices, by all that was told; the order is locked."""
    if order.collected is None:
        return order
    return fulfilment.recount(order, await orders.get_collected(tx.conn, order.id, order.collected.currency), tx.now)


async def record_unapplication(tx: Transaction, event: PaymentUnapplied, at: datetime) -> None:
    """Money settles an invoice no longer: it was for something else, or what it had settled was credited. As if it went back."""
    await _claim_again(tx, event.invoice_id, event.order_id, event.unapplication_id, event.amount, at)


async def _claim_again(tx: Transaction, invoice_id: UUID, order_id: UUID, fact_id: UUID, amount: Money, at: datetime) -> None:
    """So much settles an invoice no longer: it is owed once more, and the order counts anew what was collected."""
    order = await orders.get_order_for_update(tx.conn, order_id)
    await credit.add_to_receivable(
        tx.conn,
        invoice_id=invoice_id,
        order_id=order_id,
        customer_id=None,
        kind="refunded",
        fact_id=fact_id,
        amount=amount,
        told_at=at,
    )
    if order is not None:
        await save(tx, order, (await _recounted(tx, order), []))


async def record_recovery(tx: Transaction, event: InvoiceRecovered, at: datetime) -> None:
    """What was given up is claimed again; what takes it is told next. So much less is given up, which is no money that went back."""
    await credit.add_to_receivable(
        tx.conn,
        invoice_id=event.invoice_id,
        order_id=event.order_id,
        customer_id=None,
        kind="credited",
        fact_id=event.recovery_id,
        amount=-event.amount,
        told_at=at,
    )


async def record_write_off(tx: Transaction, event: InvoiceWrittenOff, at: datetime) -> None:
    """A part of an invoice is claimed no longer, as if it were credited; but it was claimed, so the order is not worth less."""
    await credit.add_to_receivable(
        tx.conn,
        invoice_id=event.invoice_id,
        order_id=event.order_id,
        customer_id=None,
        kind="credited",
        fact_id=event.write_off_id,
        amount=event.amount,
        told_at=at,
    )


async def record_void(tx: Transaction, event: InvoiceVoided, at: datetime) -> None:
    """An invoice never counted: nothing is claimed by it, and nobody waits for its money."""
    order = await known_order_for_update(tx, event.order_id)
    added = await credit.add_to_receivable(
        tx.conn,
        invoice_id=event.invoice_id,
        order_id=order.id,
        customer_id=order.customer.customer_id,
        kind="credited",
        fact_id=event.invoice_id,
        amount=event.gross,
        told_at=at,
    )
    if not added:
        return
    await save(tx, order, fulfilment.note_credit(order, event.gross, event.net, tx.now))
    nothing = Money.zero(event.gross.currency)
    order = await known_order_for_update(tx, event.order_id)
    if await orders.insert_paid_invoice(tx.conn, order.id, event.invoice_id, nothing, event.voided_on):
        await save(tx, order, fulfilment.settle(order, nothing, tx.now, at))


async def agree(
    tx: Transaction,
    customer_id: UUID,
    *,
    version: int,
    blocked: bool,
    limits: Mapping[str, Money],
    payment_terms_days: int | None,
    reason: str,
    by: str,
) -> Account:
    """What is agreed with a customer from now on; `version` is the one it replaces, 0 for none. Raises `VersionConflict`."""
    known = await credit.get_account_for_update(tx.conn, customer_id)
    if known is None:
        # There is nothing to lock yet: an erasure waits for the customer instead.
        await erasure.hold_customer(tx, customer_id)
        known = await credit.get_account_for_update(tx.conn, customer_id)
    current = known.version if known else 0
    if current != version:
        raise VersionConflict(f"the credit of customer {customer_id}", current)
    account = rules.change(known, customer_id, blocked=blocked, limits=limits, payment_terms_days=payment_terms_days)
    reason = await erasure.said_of_customer(tx, customer_id, reason)
    if not await credit.save_account(tx.conn, account, by=by, reason=reason, told_at=None, now=tx.now):
        raise VersionConflict(f"the credit of customer {customer_id}", account.version)
    await credit.ask_recheck(tx.conn, customer_id)
    return account


async def record_customer(tx: Transaction, event: ErpCustomerChanged, at: datetime) -> None:
    """What accounting says of a customer replaces what is agreed, unless it is older than what it said before."""
    known = await credit.get_account_for_update(tx.conn, event.customer_id)
    told_before = await credit.get_told_at(tx.conn, event.customer_id)
    if told_before is not None and at <= told_before:
        return
    limits = dict(known.limits) if known else {}
    if event.credit_limit is not None:
        limits[event.credit_limit.currency] = event.credit_limit
    terms = event.payment_terms_days if event.payment_terms_days is not None else (known.payment_terms_days if known else None)
    account = rules.change(known, event.customer_id, blocked=event.blocked, limits=limits, payment_terms_days=terms)
    if not await credit.save_account(tx.conn, account, by="erp", reason=None, told_at=at, now=tx.now):
        # Somebody made the first version at the same time: the event is tried again, and adds to it.
        raise VersionConflict(f"the credit of customer {event.customer_id}", account.version)
    await credit.ask_recheck(tx.conn, event.customer_id)


async def record_dunning(tx: Transaction, event: DunningStepTaken | DunningEnded, version: int) -> None:
    """Further orders of the customer wait for an invoice, or need not any more: those that are held are looked at again then."""
    held = isinstance(event, DunningStepTaken)
    if (isinstance(event, DunningStepTaken) and not event.hold_orders) or (
        isinstance(event, DunningEnded) and not event.held_orders
    ):
        return
    changed = await credit.save_dunning_hold(
        tx.conn, event.invoice_id, event.customer_id, event.number, held=held, version=version
    )
    if changed and not held:
        await credit.ask_recheck(tx.conn, event.customer_id, dunned=True)
