"""Disputes: opened on an invoice, and resolved by a credit note or by saying no."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.money import Money

from billing_svc.domain import dispute as rules
from billing_svc.domain.credit_note import Wanted
from billing_svc.domain.dispute import Category, Dispute
from billing_svc.domain.invoice import Invoice
from billing_svc.handlers import credits
from billing_svc.handlers.journal import announce
from billing_svc.store import disputes, invoices


async def open_dispute(
    tx: Transaction, invoice_id: UUID, *, category: Category, amount: Money | None, reason: str, by: str
) -> Dispute:
    """The customer does not accept an invoice, or so much of it: nobody is reminded of it until that is resolved."""
    invoice = await _locked(tx, invoice_id)
    dispute, disputed, events = rules.open_dispute(
        invoice, amount, dispute_id=new_id(), category=category, reason=reason, by=by, now=tx.now
    )
    await disputes.insert_dispute(tx.conn, dispute)
    await invoices.save_invoice(tx.conn, disputed)
    announce(tx, disputed, events)
    return dispute


async def uphold_dispute(
    tx: Transaction, dispute_id: UUID, *, resolution: str, wanted: Sequence[Wanted] | None, by: str
) -> Dispute:
    """The customer is right: a credit note takes back these lines, or all that is left where the whole was disputed."""
    dispute = await disputes.get_dispute(tx.conn, dispute_id)
    rules.require_open(dispute, "upheld")
    if wanted is None and not dispute.whole:
        raise Invalid(f"of {dispute.number} only {dispute.amount} are disputed: name the lines to credit", field="lines")
    note = await credits.credit_by_hand(tx, dispute.invoice_id, reason=resolution, wanted=wanted)
    if dispute.amount < note.gross:
        raise Invalid(f"{note.gross} are more than the {dispute.amount} that are disputed", field="lines")
    return await _resolve(tx, dispute_id, "upheld", credit_id=note.id, resolution=resolution, by=by)


async def reject_dispute(tx: Transaction, dispute_id: UUID, *, resolution: str, by: str) -> Dispute:
    """The invoice is owed as it is; reminders go on."""
    return await _resolve(tx, dispute_id, "rejected", credit_id=None, resolution=resolution, by=by)


async def _resolve(
    tx: Transaction, dispute_id: UUID, outcome: rules.Outcome, *, credit_id: UUID | None, resolution: str, by: str
) -> Dispute:
    invoice = await _locked(tx, (await disputes.get_dispute(tx.conn, dispute_id)).invoice_id)
    # Read again: disputes change only while their invoice is locked.
    dispute = await disputes.get_dispute(tx.conn, dispute_id)
    resolved, invoice, events = rules.resolve(
        dispute, invoice, outcome, credit_id=credit_id, resolution=resolution, by=by, now=tx.now
    )
    await disputes.save_dispute(tx.conn, resolved)
    await invoices.save_invoice(tx.conn, invoice)
    announce(tx, invoice, events)
    return resolved


async def _locked(tx: Transaction, invoice_id: UUID) -> Invoice:
    found = await invoices.get_invoices_for_update(tx.conn, [invoice_id])
    if invoice_id not in found:
        raise NotFound(f"no invoice {invoice_id}")
    return found[invoice_id]
