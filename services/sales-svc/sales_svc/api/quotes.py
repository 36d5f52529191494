"""HTTP in: quotes, drafted, changed, copied, compared, sent and answered."""

from typing import Annotated
from uuid import UUID

from fastapi import Request, Response
from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, runtime_of, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid

from sales_svc.api.documents import paper
from sales_svc.api.quote_shapes import Acceptance, ChangedQuote, Copy, DifferenceView, NewQuote, QuoteView, Rejection, Send
from sales_svc.api.shapes import IfMatch
from sales_svc.domain.quote import QuoteState
from sales_svc.domain.quote_answer import Answer
from sales_svc.domain.quote_difference import difference
from sales_svc.handlers import quote_papers as papers
from sales_svc.handlers import quotes as handlers
from sales_svc.store import quotes

router = make_router(prefix="/v1", tags=["quotes"])
Writer = Annotated[Principal, scope("quotes:write")]


@router.post("/opportunities/{opportunity_id}/quotes", status_code=201, dependencies=[scope("quotes:write")])
async def draft_quote(opportunity_id: UUID, body: NewQuote, tx: Tx, caller: Writer) -> QuoteView:
    """Price the next version of the offer; a line without a unit price is priced by the catalogue."""
    return QuoteView.of(await handlers.draft_quote(tx, opportunity_id, body.content(), by=caller.subject))


@router.get("/quotes", dependencies=[scope("quotes:read")])
async def list_quotes(
    conn: Conn,
    page: PageArgs,
    flow_id: UUID | None = None,
    opportunity_id: UUID | None = None,
    state: QuoteState | None = None,
) -> Page[QuoteView]:
    """Quotes in the order they were made."""
    rows = await quotes.list_quotes(
        conn, flow_id=flow_id, opportunity_id=opportunity_id, state=state, after=page.after, limit=page.limit + 1
    )
    return page.of([QuoteView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/quotes/{quote_id}", dependencies=[scope("quotes:read")])
async def get_quote(quote_id: UUID, conn: Conn) -> QuoteView:
    """One quote."""
    return QuoteView.of(await quotes.get_quote(conn, quote_id))


@router.put("/quotes/{quote_id}", dependencies=[scope("quotes:write")])
async def change_quote(quote_id: UUID, body: ChangedQuote, tx: Tx, caller: Writer, if_match: IfMatch) -> QuoteView:
    """Another content for a version that is not sent; an approval is void by that."""
    expected = body.version if body.version is not None else if_match
    return QuoteView.of(await handlers.change_quote(tx, quote_id, body.content(), by=caller.subject, expected=expected))


@router.post("/quotes/{quote_id}/copy", status_code=201, dependencies=[scope("quotes:write")])
async def copy_quote(quote_id: UUID, tx: Tx, caller: Writer, body: Copy | None = None) -> QuoteView:
    """A new version of the offer with the same positions and prices."""
    last_day = body.valid_until if body else None
    return QuoteView.of(await handlers.copy_quote(tx, quote_id, by=caller.subject, valid_until=last_day))


@router.get("/quotes/{quote_id}/difference", dependencies=[scope("quotes:read")])
async def get_difference(quote_id: UUID, to: UUID, conn: Conn) -> DifferenceView:
    """What changed from this version to another one of the same deal."""
    before, after = await quotes.get_quote(conn, quote_id), await quotes.get_quote(conn, to)
    if before.opportunity_id != after.opportunity_id:
        raise Invalid("the two belong to different deals", field="to")
    return DifferenceView.of(difference(before, after))


@router.post("/quotes/{quote_id}/reject", dependencies=[scope("quotes:write")])
async def reject_quote(quote_id: UUID, tx: Tx, caller: Writer, body: Rejection | None = None) -> QuoteView:
    """The customer does not take this version."""
    answer = Answer("api", by=caller.subject, reason=body.reason if body else None)
    return QuoteView.of(await handlers.reject_quote(tx, quote_id, answer))


@router.post("/quotes/{quote_id}/accept", dependencies=[scope("quotes:write")])
async def accept_quote(quote_id: UUID, tx: Tx, caller: Writer, body: Acceptance | None = None) -> QuoteView:
    """The customer accepts this version, as we were told; the others are superseded."""
    given = body or Acceptance()
    answer = Answer("api", by=caller.subject, name=given.name, order_reference=given.order_reference)
    return QuoteView.of(await handlers.accept_quote(tx, quote_id, answer))


@router.post("/quotes/{quote_id}/send", dependencies=[scope("quotes:write")])
async def send_quote(quote_id: UUID, tx: Tx, caller: Writer, body: Send | None = None) -> QuoteView:
    """Send the offer to the customer, by links where recipients are named. What exceeds the author's authority needs approval first."""
    supersede, recipients = (body.supersede, [each.recipient() for each in body.recipients]) if body else (False, [])
    return QuoteView.of(await handlers.send_quote(tx, quote_id, by=caller.subject, supersede=supersede, recipients=recipients))


@router.get("/quotes/{quote_id}/pdf", dependencies=[scope("quotes:read")])
async def get_pdf(quote_id: UUID, request: Request) -> Response:
    """The document: of a sent quote the kept bytes, of a draft what it would look like."""
    async with runtime_of(request).db.transaction() as tx:
        quote = await quotes.get_quote(tx.conn, quote_id)
        pdf, _ = await papers.paper_of(tx.conn, quote, tx.now)
    return paper(pdf, quote.number)
