"""HTTP in: links by which customers read and answer offers, and what they answered."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import NotFound
from pydantic import BaseModel

from sales_svc.api.quote_shapes import NewLink
from sales_svc.domain.quote_answer import MOST_LINKS, QuoteLink
from sales_svc.handlers import quote_links as handlers
from sales_svc.store import quote_links, quotes

router = make_router(prefix="/v1", tags=["quotes"])
Writer = Annotated[Principal, scope("quotes:write")]


class QuoteLinkView(BaseModel):
    """`views` counts looks at the page that are ten minutes apart; a mail scanner's look counts as any other."""

    id: UUID
    email: str | None
    name: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime
    first_viewed_at: datetime | None
    last_viewed_at: datetime | None
    views: int
    remind_on: date | None
    reminded_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str | None

    @classmethod
    def of(cls, link: QuoteLink) -> "QuoteLinkView":
        named = {
            "email": link.mailed_to,
            "first_viewed_at": link.opened_at,
            "last_viewed_at": link.last_opened_at,
            "views": link.looks,
        }
        return cls(**named, **{name: getattr(link, name) for name in QuoteLinkView.model_fields if name not in named})


class MadeLinkView(BaseModel):
    """The only time that the address is told."""

    url: str
    link: QuoteLinkView


class AnswerView(BaseModel):
    """What the customer said. By link: from where, over which bytes of the PDF, and the sentence that was ticked."""

    answer: Literal["accepted", "rejected"]
    via: Literal["api", "link"]
    at: datetime
    by: str | None
    name: str | None
    role: str | None
    email: str | None
    order_reference: str | None
    reason: str | None
    consent: str | None
    link_id: UUID | None
    address: str | None
    user_agent: str | None
    pdf_sha256: str | None


@router.post("/quotes/{quote_id}/links", status_code=201, dependencies=[scope("quotes:write")])
async def make_link(quote_id: UUID, body: NewLink, tx: Tx, caller: Writer) -> MadeLinkView:
    """One more link to a sent offer: mailed with the PDF, or handed over."""
    link, url = await handlers.make_link(tx, quote_id, body.recipient(), by=caller.subject)
    return MadeLinkView(url=url, link=QuoteLinkView.of(link))


@router.get("/quotes/{quote_id}/links", dependencies=[scope("quotes:read")])
async def list_links(quote_id: UUID, conn: Conn) -> list[QuoteLinkView]:
    """Its links, the latest first, and when they were looked at; at most 50."""
    await quotes.get_quote(conn, quote_id)
    return [QuoteLinkView.of(each) for each in await quote_links.list_links(conn, quote_id, limit=MOST_LINKS)]


@router.post("/quotes/{quote_id}/links/{link_id}/revoke", dependencies=[scope("quotes:write")])
async def revoke_link(quote_id: UUID, link_id: UUID, tx: Tx, caller: Writer) -> QuoteLinkView:
    """The link opens nothing any more; a mail with it that has not left stays here."""
    return QuoteLinkView.of(await handlers.revoke_link(tx, quote_id, link_id, by=caller.subject))


@router.get("/quotes/{quote_id}/answer", dependencies=[scope("quotes:read")])
async def get_answer(quote_id: UUID, conn: Conn) -> AnswerView:
    """Who accepted or declined it, when, from where, over which document."""
    await quotes.get_quote(conn, quote_id)
    answer = await quote_links.find_answer(conn, quote_id)
    if answer is None:
        raise NotFound(f"nobody has answered quote {quote_id}")
    return AnswerView(**dict(answer))
