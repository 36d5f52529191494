"""HTTP in: mails from a mail gateway, as bytes; and the files that came with them."""

from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote
from uuid import UUID

from fastapi import Request, Response
from ltc_chassis.api import MB, Conn, Page, PageArgs, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.errors import Invalid, NotFound
from pydantic import BaseModel

from delivery_svc.handlers import inbound_mails as handlers
from delivery_svc.store import inbound_mails as store
from delivery_svc.store import tickets

router = make_router(prefix="/v1", tags=["inbound mails"])
Gateway = Annotated[Principal, scope("mail:inbound")]
_BYTES = {"requestBody": {"required": True, "content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}}}}


class InboundMailView(BaseModel):
    """What became of a mail: taken into a ticket, noted for our people there, ignored (no person wrote it), or refused; and why."""

    id: UUID
    sha256: str
    size: int
    state: Literal["taken", "noted", "ignored", "refused"]
    reason: str | None
    sender: str | None
    ticket_id: UUID | None
    comment_id: UUID | None
    received_by: str
    received_at: datetime
    emptied_at: datetime | None

    @classmethod
    def of(cls, row: Any) -> "InboundMailView":
        return cls(**dict(row))


class AttachmentView(BaseModel):
    """A file that came with a comment."""

    id: UUID
    comment_id: UUID
    name: str
    media_type: str
    size: int
    sha256: str


@router.post("/inbound-mails", status_code=201, dependencies=[body_up_to(10 * MB)], openapi_extra=_BYTES)
async def take(request: Request, tx: Tx, caller: Gateway, response: Response) -> InboundMailView:
    """A mail as it is on the wire (message/rfc822). It is kept whatever it is; one that is known already is answered with 200."""
    raw = await request.body()
    if not raw:
        raise Invalid("send the mail as it is, message/rfc822")
    row, fresh = await handlers.take(tx, raw, caller.subject)
    if not fresh:
        response.status_code = 200
    return InboundMailView.of(row)


@router.get("/inbound-mails", dependencies=[scope("tickets:read")])
async def list_mails(
    conn: Conn,
    page: PageArgs,
    state: Literal["taken", "noted", "ignored", "refused"] | None = None,
    ticket_id: UUID | None = None,
) -> Page[InboundMailView]:
    """Mails in the order in which they came."""
    rows = await store.list_mails(conn, state=state, ticket_id=ticket_id, after=page.after, limit=page.limit + 1)
    return page.of([InboundMailView.of(row) for row in rows], key=lambda view: view.id)


@router.get("/inbound-mails/{mail_id}/raw", dependencies=[scope("tickets:read")])
async def get_raw(mail_id: UUID, conn: Conn) -> Response:
    """Its bytes, as they came."""
    raw = await store.get_raw(conn, mail_id)
    if raw is None:
        raise NotFound("there is no such mail, or its bytes are not kept any more")
    return _file(raw, f"{mail_id}.eml", "application/octet-stream")


@router.get("/tickets/{ticket_id}/attachments", dependencies=[scope("tickets:read")])
async def list_attachments(ticket_id: UUID, conn: Conn) -> list[AttachmentView]:
    """The files that came with what was said."""
    await tickets.get_ticket(conn, ticket_id)
    return [AttachmentView(**dict(row)) for row in await store.list_attachments(conn, ticket_id)]


@router.get("/tickets/{ticket_id}/attachments/{attachment_id}", dependencies=[scope("tickets:read")])
async def get_attachment(ticket_id: UUID, attachment_id: UUID, conn: Conn) -> Response:
    """A file, always to be saved and never to be shown by a browser."""
    row = await store.find_attachment(conn, ticket_id, attachment_id)
    if row is None:
        raise NotFound("there is no such attachment")
    return _file(row["content"], row["name"], "application/octet-stream")


def _file(content: bytes, name: str, media_type: str) -> Response:
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "Cache-Control": "no-store",
    }
    return Response(content, media_type=media_type, headers=headers)
