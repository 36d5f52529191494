"""Paid in instalments: agreed once for an invoice; the rest is called in when one is missed for too long."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import NotFound

from billing_svc.domain import instalment as rules
from billing_svc.domain.instalment import Plan, Wanted
from billing_svc.domain.invoice import Invoice
from billing_svc.store import dunning, instalments, invoices


async def agree_instalments(
    tx: Transaction, invoice_id: UUID, wanted: Sequence[Wanted], *, rest_due_after_days: int | None, reason: str, by: str
) -> tuple[Invoice, Plan]:
    """From now on it is late, aged and reminded of by its instalments. Raises `NotFound`, and what `agree` raises."""
    found = await invoices.get_invoices_for_update(tx.conn, [invoice_id])
    if invoice_id not in found:
        raise NotFound(f"no invoice {invoice_id}")
    known = (await instalments.list_plans(tx.conn, [invoice_id])).get(invoice_id)
    today = tx.now.date()
    plan = rules.agree(
        found[invoice_id], wanted, known, rest_due_after_days=rest_due_after_days, reason=reason, by=by, today=today
    )
    await instalments.insert_plan(tx.conn, plan, tx.now)
    await dunning.look_at(tx.conn, invoice_id, today)
    return found[invoice_id], plan


async def call_in(tx: Transaction, *, limit: int) -> int:
    """All the rest is due of invoices of which an instalment is missed for longer than agreed; returns how many."""
    missed = await instalments.claim_missed(tx.conn, tx.now.date(), limit)
    locked = await invoices.get_invoices_for_update(tx.conn, missed)
    for invoice_id, plan in (await instalments.list_plans(tx.conn, missed)).items():
        called = rules.call_in(plan, locked[invoice_id], tx.now.date())
        if called is not None:
            await instalments.save_called_in(tx.conn, called)
            await dunning.look_at(tx.conn, invoice_id, tx.now.date())
    return len(missed)
