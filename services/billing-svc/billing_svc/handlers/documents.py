"""Invoices and credit notes on paper. Both never change, so each is printed anew and is the same to the byte."""

from datetime import datetime
from uuid import UUID

from ltc_chassis import letterhead
from ltc_chassis.connection import Connection
from ltc_chassis.letterhead import Letterhead
from ltc_chassis.paper import print_pdf

from billing_svc.domain.document_print import Language, language_for, printable_credit, printable_invoice
from billing_svc.store import credits, documents, invoices

PACKAGE = "billing_svc"


async def print_invoice(conn: Connection, invoice_id: UUID, language: Language | None) -> tuple[bytes, str]:
    """The PDF and the invoice's number. Raises `NotFound`, and what `print_pdf` raises."""
    invoice = await invoices.get_invoice(conn, invoice_id)
    data = printable_invoice(invoice, language or language_for(invoice.customer.country))
    head = await head_of(conn, invoice.created_at)
    return await print_pdf(PACKAGE, "invoice", data, letterhead=head, created_at=invoice.created_at), invoice.number


async def print_credit(conn: Connection, credit_id: UUID, language: Language | None) -> tuple[bytes, str]:
    """The PDF and the credit note's number. Raises `NotFound`, and what `print_pdf` raises."""
    note = await credits.get_credit(conn, credit_id)
    data = printable_credit(note, language or language_for(note.customer.country))
    head = await head_of(conn, note.created_at)
    return await print_pdf(PACKAGE, "invoice", data, letterhead=head, created_at=note.created_at), note.number


async def head_of(conn: Connection, made_at: datetime) -> Letterhead | None:
    """The letterhead of a document made then; a later one is not on it."""
    version = await documents.get_letterhead_version(conn, made_at)
    return None if version is None else await letterhead.load(conn, version)
