"""Write-offs: at once within one's authority, else when a second person grants them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import NotFound, VersionConflict
from ltc_contracts.money import Money

from billing_svc.domain import write_off as rules
from billing_svc.domain.invoice import Invoice
from billing_svc.domain.write_off import Cause, Limit, Policy, WriteOff
from billing_svc.handlers.journal import announce, book
from billing_svc.store import invoices, write_offs


async def set_policy(tx: Transaction, *, version: int, limits: Sequence[Limit], tax_relief: Sequence[str], by: str) -> Policy:
    """Who may write off how much from now on; `version` is the one it replaces, 0 for none. Raises `VersionConflict`."""
    current = await write_offs.get_policy(tx.conn, tx.now)
    made = Policy(version + 1, tuple(limits), tuple(dict.fromkeys(tax_relief)), by, tx.now)
    if current.version != version or not await write_offs.insert_policy(tx.conn, made):
        raise VersionConflict("who may write off how much", max(current.version, made.version))
    return made


async def request_write_off(
    tx: Transaction, invoice_id: UUID, *, amount: Money | None, reason: str, by: str, scopes: Collection[str]
) -> WriteOff:
    """Give up what is open, or so much of it: done at once within the caller's authority, else it waits for a second person."""
    invoice = await _locked(tx, invoice_id)
    policy = await write_offs.get_policy(tx.conn, tx.now)
    asked = rules.request(
        invoice, amount, policy=policy, write_off_id=new_id(), reason=reason, cause="bad_debt", by=by, now=tx.now
    )
    if not await write_offs.insert_write_off(tx.conn, asked):
        raise rules.WriteOffRequested(f"a write-off of {invoice.number} waits for a decision already")
    if policy.covers(invoice.written_off + asked.amount, subject=by, scopes=scopes):
        return await _grant(tx, asked, invoice, policy, by=by, decision=None)
    return asked


async def write_off_rest(tx: Transaction, invoice: Invoice, *, reason: str, by: str) -> Invoice:
    """Give up all that is open, above zero, of a locked invoice, on the authority of who set the tolerance (`by`)."""
    policy = await write_offs.get_policy(tx.conn, tx.now)
    asked = rules.request(
        invoice, None, policy=policy, write_off_id=new_id(), reason=reason, cause="tolerance", by=by, now=tx.now
    )
    granted, moved = rules.grant(asked, invoice, relief=False, by=by, decision=None, now=tx.now)
    # Granted as it is written: another one that waits for a decision is in nobody's way.
    await write_offs.insert_write_off(tx.conn, granted)
    await _book(tx, moved, granted.id, granted.cause)
    return moved.invoice


async def grant_write_off(
    tx: Transaction, write_off_id: UUID, *, decision: str | None, by: str, scopes: Collection[str]
) -> WriteOff:
    """A second person, whose authority covers it, agrees."""
    invoice, asked = await _asked(tx, write_off_id)
    policy = await write_offs.get_policy(tx.conn, tx.now)
    rules.require_second(asked, by)
    rules.require_authority(asked, invoice, policy, subject=by, scopes=scopes)
    return await _grant(tx, asked, invoice, policy, by=by, decision=decision)


async def refuse_write_off(tx: Transaction, write_off_id: UUID, *, decision: str, by: str) -> WriteOff:
    """It stays owed; who asked may take it back in this way as well."""
    _, asked = await _asked(tx, write_off_id)
    refused = rules.refuse(asked, by=by, decision=decision, now=tx.now)
    await write_offs.save_write_off(tx.conn, refused)
    return refused


async def _grant(
    tx: Transaction, asked: WriteOff, invoice: Invoice, policy: Policy, *, by: str, decision: str | None
) -> WriteOff:
    relief = invoice.customer.country in policy.tax_relief
    asked = replace(asked, policy_version=policy.version)
    granted, moved = rules.grant(asked, invoice, relief=relief, by=by, decision=decision, now=tx.now)
    await write_offs.save_write_off(tx.conn, granted)
    await _book(tx, moved, granted.id, granted.cause)
    return granted


async def _book(tx: Transaction, moved: rules.Movement, write_off_id: UUID, cause: Cause) -> None:
    invoice = moved.invoice
    await invoices.save_invoice(tx.conn, invoice)
    await write_offs.insert_movement(tx.conn, new_id(), moved, write_off_id, cause, tx.now)
    await book(tx, moved.entry, flow_id=invoice.flow_id, invoice_id=invoice.id)
    announce(tx, invoice, moved.events)


async def _asked(tx: Transaction, write_off_id: UUID) -> tuple[Invoice, WriteOff]:
    invoice = await _locked(tx, (await write_offs.get_write_off(tx.conn, write_off_id)).invoice_id)
    # Read again: write-offs change only while their invoice is locked.
    return invoice, await write_offs.get_write_off(tx.conn, write_off_id)


async def _locked(tx: Transaction, invoice_id: UUID) -> Invoice:
    found = await invoices.get_invoices_for_update(tx.conn, [invoice_id])
    if invoice_id not in found:
        raise NotFound(f"no invoice {invoice_id}")
    return found[invoice_id]
