"""Invoices by hand: written, changed, looked at on paper, then finalised once or thrown away."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.paper import print_pdf
from ltc_contracts.errors import WrongTransition

from billing_svc.domain import draft as rules
from billing_svc.domain import invoice as documents
from billing_svc.domain.document_print import Language, language_for, printable_draft
from billing_svc.domain.draft import Content, Draft
from billing_svc.domain.invoice import Invoice
from billing_svc.handlers import erasure
from billing_svc.handlers.documents import PACKAGE, head_of
from billing_svc.handlers.journal import issue
from billing_svc.store import drafts


async def write_draft(tx: Transaction, content: Content, *, parent_flow_id: UUID | None, by: str) -> Draft:
    """A draft claims nothing and has no number."""
    draft = rules.write(content, draft_id=new_id(), parent_flow_id=parent_flow_id, by=by, now=tx.now)
    await drafts.insert_draft(tx.conn, draft)
    return draft


async def revise_draft(
    tx: Transaction, draft_id: UUID, content: Content, *, version: int, parent_flow_id: UUID | None, by: str
) -> Draft:
    """It says this instead, whole."""
    draft = await drafts.get_draft_for_update(tx.conn, draft_id)
    revised = rules.revise(draft, content, version=version, parent_flow_id=parent_flow_id, by=by, now=tx.now)
    await drafts.save_draft(tx.conn, revised)
    return revised


async def discard_draft(tx: Transaction, draft_id: UUID, *, by: str) -> Draft:
    """It will never be an invoice."""
    discarded = rules.discard(await drafts.get_draft_for_update(tx.conn, draft_id), by=by, now=tx.now)
    await drafts.save_draft(tx.conn, discarded)
    return discarded


async def finalise_draft(tx: Transaction, draft_id: UUID, *, version: int, by: str) -> Invoice:
    """It is an invoice from now on, on a flow of its own: numbered, booked and told, once."""
    draft = await drafts.get_draft_for_update(tx.conn, draft_id)
    final = rules.finalise(draft, version=version, by=by, now=tx.now)
    invoice = await issue(tx, rules.occasion_of(draft, tx.now.date()), None, parent=draft.parent_flow_id)
    if invoice is None:
        raise WrongTransition(f"draft {draft_id}", "invoiced", "finalise")
    if draft.parent_flow_id is not None:
        await erasure.follow(tx, invoice.flow_id, draft.parent_flow_id)
    await drafts.save_draft(tx.conn, replace(final, invoice_id=invoice.id))
    return invoice


async def print_draft(conn: Connection, draft_id: UUID, language: Language | None, now: datetime) -> bytes:
    """How the invoice would look if it were issued now. Raises `NotFound`, `DueDayPassed`, and what `print_pdf` raises."""
    draft = await drafts.get_draft(conn, draft_id)
    occasion = rules.occasion_of(draft, now.date())
    looks, _, _ = documents.issue(occasion, invoice_id=draft_id, flow_id=draft_id, number="DRAFT", now=now)
    data = printable_draft(looks, language or language_for(looks.customer.country))
    return await print_pdf(PACKAGE, "invoice", data, letterhead=await head_of(conn, now), created_at=draft.updated_at)
