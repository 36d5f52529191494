"""HTTP out: invoices and credit notes as documents."""

from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, scope
from ltc_chassis.api import router as make_router

from billing_svc.domain.document_print import Language
from billing_svc.handlers import documents as handlers
from billing_svc.handlers.documents import Form, Syntax

router = make_router(prefix="/v1", tags=["documents"])


@router.get("/invoices/{invoice_id}/document", dependencies=[scope("invoices:read")], response_class=Response)
async def get_invoice_document(invoice_id: UUID, conn: Conn, language: Language | None = None, form: Form = "plain") -> Response:
    """The invoice as PDF, in the language asked for or that of the customer's country. The same bytes each time.

    `form=factur-x` is PDF/A-3 with the e-invoice (CII) inside: one file for people and machines.
    404: no such invoice. 409: a term that EN 16931 asks for is not known (of Factur-X only). 413: too large to print.
    """
    if form == "factur-x":
        return _paper(*await handlers.print_hybrid_invoice(conn, invoice_id, language))
    return _paper(*await handlers.print_invoice(conn, invoice_id, language))


@router.get("/credits/{credit_id}/document", dependencies=[scope("credits:read")], response_class=Response)
async def get_credit_document(credit_id: UUID, conn: Conn, language: Language | None = None, form: Form = "plain") -> Response:
    """The credit note as PDF, in the language asked for or that of the customer's country. The same bytes each time.

    `form`, 409: as of an invoice. 404: no such credit note. 413: too large to print.
    """
    if form == "factur-x":
        return _paper(*await handlers.print_hybrid_credit(conn, credit_id, language))
    return _paper(*await handlers.print_credit(conn, credit_id, language))


@router.get("/invoices/{invoice_id}/einvoice", dependencies=[scope("invoices:read")], response_class=Response)
async def get_einvoice(invoice_id: UUID, conn: Conn, syntax: Syntax = "ubl") -> Response:
    """The invoice of EN 16931, in UBL 2.1 or UN/CEFACT CII, by who is on the letterhead. The same bytes each time.

    404: no such invoice. 409: a term that the norm asks for is not known; `missing` names all of them.
    """
    return _xml(*await handlers.write_invoice(conn, invoice_id, syntax))


@router.get("/credits/{credit_id}/einvoice", dependencies=[scope("credits:read")], response_class=Response)
async def get_ecredit(credit_id: UUID, conn: Conn, syntax: Syntax = "ubl") -> Response:
    """The credit note of EN 16931, in UBL 2.1 or UN/CEFACT CII. 404, 409: as of an invoice."""
    return _xml(*await handlers.write_credit(conn, credit_id, syntax))


def _paper(pdf: bytes, number: str) -> Response:
    return Response(pdf, media_type="application/pdf", headers=_headers(number, "pdf"))


def _xml(xml: bytes, number: str) -> Response:
    return Response(xml, media_type="application/xml", headers=_headers(number, "xml"))


def _headers(number: str, ending: str) -> dict[str, str]:
    name = "".join(each if each.isascii() and (each.isalnum() or each in "-_.") else "_" for each in number)
    return {"Content-Disposition": f'inline; filename="{name}.{ending}"', "X-Content-Type-Options": "nosniff"}
