"""HTTP out: invoices and credit notes as documents."""

from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, scope
from ltc_chassis.api import router as make_router

from billing_svc.domain.document_print import Language
from billing_svc.handlers import documents as handlers

router = make_router(prefix="/v1", tags=["documents"])


@router.get("/invoices/{invoice_id}/document", dependencies=[scope("invoices:read")], response_class=Response)
async def get_invoice_document(invoice_id: UUID, conn: Conn, language: Language | None = None) -> Response:
    """The invoice as PDF, in the language asked for or that of the customer's country. The same bytes each time.

    404: no such invoice. 413: too large to print.
    """
    return _paper(*await handlers.print_invoice(conn, invoice_id, language))


@router.get("/credits/{credit_id}/document", dependencies=[scope("credits:read")], response_class=Response)
async def get_credit_document(credit_id: UUID, conn: Conn, language: Language | None = None) -> Response:
    """The credit note as PDF, in the language asked for or that of the customer's country. The same bytes each time.

    404: no such credit note. 413: too large to print.
    """
    return _paper(*await handlers.print_credit(conn, credit_id, language))


def _paper(pdf: bytes, number: str) -> Response:
    name = "".join(each if each.isascii() and (each.isalnum() or each in "-_.") else "_" for each in number)
    headers = {"Content-Disposition": f'inline; filename="{name}.pdf"', "X-Content-Type-Options": "nosniff"}
    return Response(pdf, media_type="application/pdf", headers=headers)
