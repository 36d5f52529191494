"""Invoices and credit notes on paper and as e-invoices. Both never change, so each is made anew and is the same to the byte."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from ltc_chassis import letterhead
from ltc_chassis.connection import Connection
from ltc_chassis.letterhead import Letterhead
from ltc_chassis.paper import Attachment, print_pdf

from billing_svc.domain import cii, factur_x, ubl
from billing_svc.domain.document_print import Language, language_for, printable_credit, printable_invoice
from billing_svc.domain.einvoice import Seller, of_credit, of_invoice, seller_of
from billing_svc.store import credits, documents, invoices

PACKAGE = "billing_svc"
Syntax = Literal["ubl", "cii"]
Form = Literal["plain", "factur-x"]
_WRITERS = {"ubl": ubl.write, "cii": cii.write}


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


async def print_hybrid_invoice(conn: Connection, invoice_id: UUID, language: Language | None) -> tuple[bytes, str]:
    """The invoice as Factur-X, and its number. Raises `NotFound`, `EInvoiceIncomplete`, and what `print_pdf` raises."""
    xml, number = await write_invoice(conn, invoice_id, "cii")
    invoice = await invoices.get_invoice(conn, invoice_id)
    data = printable_invoice(invoice, language or language_for(invoice.customer.country))
    return await _hybrid(data, xml, await head_of(conn, invoice.created_at), invoice.created_at), number


async def print_hybrid_credit(conn: Connection, credit_id: UUID, language: Language | None) -> tuple[bytes, str]:
    """The credit note as Factur-X, and its number. Raises `NotFound`, `EInvoiceIncomplete`, and what `print_pdf` raises."""
    xml, number = await write_credit(conn, credit_id, "cii")
    note = await credits.get_credit(conn, credit_id)
    data = printable_credit(note, language or language_for(note.customer.country))
    return await _hybrid(data, xml, await head_of(conn, note.created_at), note.created_at), number


async def _hybrid(data: Mapping[str, Any], xml: bytes, head: Letterhead | None, made_at: datetime) -> bytes:
    attached = [Attachment(factur_x.FILE, xml, "text/xml", "The same document for machines", "alternative")]
    pdf = await print_pdf(PACKAGE, "invoice", data, letterhead=head, attachments=attached, created_at=made_at, archival=True)
    # Reading and writing a PDF takes tens of milliseconds, in which the loop has other work.
    return await asyncio.to_thread(factur_x.say_what_it_carries, pdf)


async def head_of(conn: Connection, made_at: datetime) -> Letterhead | None:
    """The letterhead of a document made then; a later one is not on it."""
    version = await documents.get_letterhead_version(conn, made_at)
    return None if version is None else await letterhead.load(conn, version)


async def write_invoice(conn: Connection, invoice_id: UUID, syntax: Syntax) -> tuple[bytes, str]:
    """The e-invoice in XML and its number. Raises `NotFound`, `EInvoiceIncomplete`."""
    invoice = await invoices.get_invoice(conn, invoice_id)
    return _WRITERS[syntax](of_invoice(invoice, await _seller(conn, invoice.created_at))), invoice.number


async def write_credit(conn: Connection, credit_id: UUID, syntax: Syntax) -> tuple[bytes, str]:
    """The credit note in XML and its number. Raises `NotFound`, `EInvoiceIncomplete`."""
    note = await credits.get_credit(conn, credit_id)
    return _WRITERS[syntax](of_credit(note, await _seller(conn, note.created_at))), note.number


async def _seller(conn: Connection, made_at: datetime) -> Seller | None:
    head = await head_of(conn, made_at)
    if head is None:
        return None
    c = head.content
    return seller_of(c.name, c.address, c.tax_id, c.registration, [(account.number, account.bic) for account in c.bank])
