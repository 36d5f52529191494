"""What is printed of quotes. A sent quote is printed once; those bytes are kept and served."""

import hashlib
from datetime import datetime

from ltc_chassis import letterhead
from ltc_chassis.db import Connection
from ltc_chassis.paper import print_pdf

from sales_svc.domain.quote import Quote
from sales_svc.domain.quote_print import printable
from sales_svc.store import quote_papers

PACKAGE = "sales_svc"
UNSENT = ("draft", "pending_approval", "approved")


async def paper_of(conn: Connection, quote: Quote, now: datetime) -> tuple[bytes, str]:
    """The PDF and its SHA-256: of what is sent the kept bytes, printed now if need be; of what is not, marked as a draft."""
    known = await quote_papers.find_document(conn, quote.id)
    if known is not None:
        return known
    head = await letterhead.load(conn)
    mark = None if quote.state not in UNSENT else "草稿" if quote.language == "zh" else "DRAFT"
    data = {**printable(quote), "mark": mark}
    pdf = await print_pdf(PACKAGE, "quote", data, letterhead=head, created_at=quote.sent_at or quote.updated_at)
    sha256 = hashlib.sha256(pdf).hexdigest()
    if mark is None:
        await quote_papers.keep_document(conn, quote.id, pdf, sha256, letterhead=head.version if head else None, now=now)
        kept = await quote_papers.find_document(conn, quote.id)
        assert kept is not None, "one of two that printed at once has kept it"
        return kept
    return pdf, sha256
