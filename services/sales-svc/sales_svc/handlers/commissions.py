"""The verbs of commission: accrue on signature; vest, and claw back, by what billing tells. The deal's row is locked first."""

from dataclasses import replace
from datetime import date, datetime
from typing import cast
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotYet
from ltc_contracts.events import (
    InvoiceCredited,
    InvoiceIssued,
    InvoiceVoided,
    OrderCancelled,
    PaymentAllocated,
    PaymentRefunded,
    PaymentUnapplied,
)
from ltc_contracts.money import CurrencyMismatch, Money

from sales_svc.domain import commission as rules
from sales_svc.domain.commission import CauseKind, Deal, InvoiceFacts, Position
from sales_svc.domain.commission_plan import period_of
from sales_svc.domain.contract import Contract
from sales_svc.domain.opportunity import Opportunity
from sales_svc.domain.quote import Quote
from sales_svc.store import commission_plans, commissions
from sales_svc.store.commissions import CashKind


class InvoiceNotKnownYet(NotYet):
    """Cash or a credit was told before the invoice it belongs to."""


async def accrue(tx: Transaction, contract: Contract, opportunity: Opportunity, quote: Quote) -> None:
    """A signed contract accrues commission for the reps of its deal, by the plans they sell under at this moment."""
    deal = Deal(
        contract_id=contract.id,
        opportunity_id=opportunity.id,
        flow_id=contract.flow_id,
        owner=opportunity.owner,
        pipeline=opportunity.pipeline,
        lines=tuple((line.sku, line.net.amount) for line in quote.lines),
        net=quote.net,
        signed_at=cast(datetime, contract.signed_at),
    )
    await commissions.insert_deal(tx.conn, deal, now=tx.now)
    if deal.owner is None:
        return
    plans = await commission_plans.plans_of(tx.conn, deal.owner, deal.signed_at)
    if not plans:
        return
    _, agreed, _, _ = await commission_plans.get_split(tx.conn, opportunity.id)
    pairs = rules.participants(deal, plans, agreed)
    for rep in sorted({rep for _, rep in pairs}):
        await commission_plans.lock_rep(tx.conn, rep)
    signed_on = deal.signed_at.date()
    wanted = [
        (plan.code, rep, plan.currency, *period_of(signed_on, plan.period))
        for plan, rep in pairs
        if plan.period and plan.currency
    ]
    attained = await commissions.attained(tx.conn, wanted) if wanted else {}
    zero = Money.zero(deal.net.currency)
    for earning in rules.earn(deal, plans, agreed, attained):
        position = Position(new_id(), deal.contract_id, deal.opportunity_id, earning, zero, zero)
        await commissions.insert_position(tx.conn, position, signed_on=signed_on, now=tx.now)
    await _settle(tx, deal, "signature", deal.contract_id)


async def invoice_issued(tx: Transaction, event: InvoiceIssued, *, flow_id: UUID | None) -> None:
    """From here on it is known how much of the invoice's cash is net of tax."""
    deal = await _deal_of(tx, flow_id, event.gross)
    if deal is None:
        return
    if event.net.amount < 0 or event.gross < event.net:
        raise Invalid(f"invoice {event.number} claims {event.gross} on {event.net}", field="gross")
    facts = InvoiceFacts(event.invoice_id, event.net.amount, event.gross.amount)
    if await commissions.insert_invoice(tx.conn, deal.contract_id, event.number, facts):
        await _settle(tx, deal, "invoice", event.invoice_id)


async def payment_allocated(tx: Transaction, event: PaymentAllocated, *, flow_id: UUID | None, event_id: UUID) -> None:
    """Cash came in: commission vests in proportion. An allocation has no id of its own but the event's."""
    zero = Money.zero(event.amount.currency)
    await _cash(tx, flow_id, "payment", event_id, event.invoice_id, event.amount, zero, event.received_on)


async def payment_refunded(tx: Transaction, event: PaymentRefunded, *, flow_id: UUID | None) -> None:
    """Cash went back: what vested on it is clawed back. Money that settled no invoice never vested anything."""
    if event.invoice_id is not None:
        net = event.net or Money.zero(event.amount.currency)
        await _cash(tx, flow_id, "refund", event.refund_id, event.invoice_id, event.amount, net, event.refunded_on)


async def invoice_credited(tx: Transaction, event: InvoiceCredited, *, flow_id: UUID | None) -> None:
    """A claim was taken back: what was accrued on it, and vested on money that is the customer's again, is clawed back."""
    await _cash(tx, flow_id, "credit", event.credit_id, event.invoice_id, event.gross, event.net, event.credited_on)


async def invoice_voided(tx: Transaction, event: InvoiceVoided, *, flow_id: UUID | None) -> None:
    """An invoice never counted: what was accrued on it is clawed back, as by a credit of all of it."""
    await _cash(tx, flow_id, "credit", event.invoice_id, event.invoice_id, event.gross, event.net, event.voided_on)


async def payment_unapplied(tx: Transaction, event: PaymentUnapplied, *, flow_id: UUID | None) -> None:
    """Cash settles the invoice no longer: to a commission that is as if it went back."""
    zero = Money.zero(event.amount.currency)
    await _cash(tx, flow_id, "refund", event.unapplication_id, event.invoice_id, event.amount, zero, event.unapplied_on)


async def order_cancelled(tx: Transaction, event: OrderCancelled, *, flow_id: UUID | None) -> None:
    """What is not invoiced will never be: it cannot be earned any more."""
    deal = await _deal_of(tx, flow_id, event.net)
    if deal is not None and not deal.cancelled:
        await _settle(tx, replace(deal, cancelled=True), "cancellation", event.order_id)


async def _cash(
    tx: Transaction,
    flow_id: UUID | None,
    kind: CashKind,
    cause_id: UUID,
    invoice_id: UUID,
    gross: Money,
    net: Money,
    happened_on: date,
) -> None:
    deal = await _deal_of(tx, flow_id, gross)
    if deal is None:
        return
    if gross.amount <= 0 or net.amount < 0:
        raise Invalid(f"a {kind} is above zero, not {gross}", field="amount")
    if not await commissions.has_invoice(tx.conn, deal.contract_id, invoice_id):
        raise InvoiceNotKnownYet(f"the invoice {invoice_id} is not known yet")
    fresh = await commissions.insert_cash(
        tx.conn,
        kind,
        cause_id,
        invoice_id=invoice_id,
        gross=gross.amount,
        net=net.amount,
        happened_on=happened_on,
        now=tx.now,
    )
    if fresh:
        await _settle(tx, deal, kind, cause_id)


async def _deal_of(tx: Transaction, flow_id: UUID | None, amount: Money) -> Deal | None:
    """The signed contract of a flow, locked. None for flows without one: the signature is told before anything is invoiced."""
    deal = await commissions.find_deal_for_update(tx.conn, flow_id) if flow_id else None
    if deal is not None and deal.net.currency != amount.currency:
        raise CurrencyMismatch(f"the contract is in {deal.net.currency}, this is {amount}", field="currency")
    return deal


async def _settle(tx: Transaction, deal: Deal, cause: CauseKind, cause_id: UUID) -> None:
    """Book the difference between what the facts say and what is booked, and tell it."""
    positions = await commissions.list_positions(tx.conn, contract_id=deal.contract_id)
    invoices = (await commissions.invoices_of(tx.conn, [deal.contract_id]))[deal.contract_id]
    deal = replace(deal, version=deal.version + 1)
    for move in rules.settle(deal, positions, invoices):
        await commissions.insert_entry(
            tx.conn, new_id(), move, cause=cause, cause_id=cause_id, booked_on=tx.now.date(), now=tx.now
        )
        tx.emit(rules.event_of(move, cause), flow_id=deal.flow_id, sequence=deal.version)
    await commissions.save_deal(tx.conn, deal, now=tx.now)
