"""The letter of a dunning step as PDF, the same bytes each time."""

from datetime import UTC, datetime, time

from ltc_chassis import letterhead
from ltc_chassis.connection import Connection
from ltc_chassis.paper import print_pdf

from billing_svc.domain import dunning_letter as letters
from billing_svc.domain.dunning import Notice
from billing_svc.domain.invoice import Invoice


async def print_letter(conn: Connection, invoice: Invoice, notice: Notice) -> bytes:
    """What was claimed on the day of the step, on the letterhead of today. Raises what `print_pdf` raises."""
    language = letters.language_of(invoice.customer.country)
    data = {
        "language": language,
        "title": letters.title(notice, language),
        "body": letters.body(notice, invoice.number, notice.due_on, language),
        "customer": invoice.customer.name,
        "country": invoice.customer.country,
        "number": invoice.number,
        "issued_on": invoice.issued_on,
        "due_on": notice.due_on,
        "taken_on": notice.taken_on,
        "gross": str(invoice.gross),
        "open": str(notice.open),
        "fee": str(notice.fee) if notice.fee.amount else None,
        "interest": str(notice.interest) if notice.interest.amount else None,
        "claimed": str(notice.claimed),
    }
    created = datetime.combine(notice.taken_on, time(), UTC)
    return await print_pdf("billing_svc", "dunning", data, letterhead=await letterhead.load(conn), created_at=created)
