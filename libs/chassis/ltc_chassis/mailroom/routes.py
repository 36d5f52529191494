"""Routes for operators: what was and will be sent, and the decision on mails that need one."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from pydantic import BaseModel

from ltc_chassis.api import Conn, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.mailroom import store

router = make_router(prefix="/v1/mails", tags=["mails"])
State = Literal["waiting", "handing_over", "sent", "failed", "in_doubt", "discarded"]


class MailView(BaseModel):
    """A mail. `in_doubt`: the sender died or lost the connection while it handed the mail over, so it may have arrived."""

    id: UUID
    kind: str
    about: str | None
    flow_id: UUID | None
    recipient: str
    subject: str
    message_id: str
    state: State
    reason: str | None
    attempts: int
    not_before: datetime
    created_at: datetime
    sent_at: datetime | None
    decided_by: str | None


class MailDetail(MailView):
    text: str
    html: str | None


@router.get("", dependencies=[scope("mails:read")])
async def list_mails(
    conn: Conn,
    page: PageArgs,
    state: State | None = None,
    kind: Annotated[str | None, Query(max_length=64)] = None,
    about: Annotated[str | None, Query(max_length=300)] = None,
    flow_id: UUID | None = None,
) -> Page[MailView]:
    """Mails in the order they were posted."""
    rows = await store.list_mails(
        conn, state=state, kind=kind, about=about, flow_id=flow_id, after=page.after, limit=page.limit + 1
    )
    return page.of([MailView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/{mail_id}", dependencies=[scope("mails:read")])
async def get_mail(mail_id: UUID, conn: Conn) -> MailDetail:
    """One mail with its text."""
    return MailDetail(**dict(await store.get_mail(conn, mail_id)))


@router.post("/{mail_id}/resend", dependencies=[scope("mails:write")])
async def resend(mail_id: UUID, tx: Tx, caller: Annotated[Principal, scope("mails:write")]) -> MailView:
    """Send a mail that failed, or that is in doubt and did not arrive; with the same Message-ID, so that a double can be seen."""
    await store.decide(tx, mail_id, "resend", caller.subject)
    return MailView(**dict(await store.get_mail(tx.conn, mail_id)))


@router.post("/{mail_id}/discard", dependencies=[scope("mails:write")])
async def discard(mail_id: UUID, tx: Tx, caller: Annotated[Principal, scope("mails:write")]) -> MailView:
    """Decide that a mail is not sent (again)."""
    await store.decide(tx, mail_id, "discard", caller.subject)
    return MailView(**dict(await store.get_mail(tx.conn, mail_id)))
