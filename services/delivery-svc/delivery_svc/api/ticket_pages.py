"""HTTP in from outside: the page where a customer reads a ticket, replies, or says that it is solved, by a signed link."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from ltc_chassis import pages
from ltc_chassis.api import Tx, runtime_of
from ltc_chassis.db import Transaction
from ltc_chassis.pages import Throttle

from delivery_svc.handlers import ticket_links
from delivery_svc.handlers import ticket_portal as handlers

WHY = "The signed link in the path is the permission to read and answer this one ticket, until it expires."
router = pages.public_router(prefix="/s", tags=["ticket pages"], why=WHY)
_LONGEST = 10_000


@router.get("/{token}", dependencies=[Depends(Throttle(60, per_s=60))])
async def show(token: str, request: Request) -> Response:
    """The ticket as its customer sees it. Looking changes nothing."""
    async with runtime_of(request).db.transaction() as tx:
        return await _page(tx, request, ticket_links.verified(tx, token))


@router.post("/{token}", dependencies=[Depends(Throttle(10, per_s=60))])
async def answer(
    token: str,
    request: Request,
    tx: Tx,
    action: Annotated[str, Form(max_length=20)],
    text: Annotated[str, Form(max_length=2 * _LONGEST)] = "",
) -> Response:
    """Reply, or say that it is solved; words that came with that are kept, too. An empty reply is asked for again."""
    ticket_id = ticket_links.verified(tx, token)
    said = text.replace("\x00", "").replace("\r\n", "\n").strip()[:_LONGEST]
    if action != "solved" and not said:
        return await _page(tx, request, ticket_id, missing=True, status_code=400)
    ticket = await handlers.reply(tx, ticket_id, said) if said else None
    if action == "solved":
        ticket = await handlers.solved(tx, ticket.id if ticket else ticket_id)
    assert ticket is not None
    # A reply that came too late is another ticket. Relative, so that it holds behind a proxy that adds a path.
    onward = token if ticket.parent_id != ticket_id else ticket_links.token_of(tx, ticket)[0]
    return RedirectResponse(onward, status_code=303, headers={"Cache-Control": "no-store"})


async def _page(tx: Transaction, request: Request, ticket_id: UUID, *, missing: bool = False, status_code: int = 200) -> Response:
    shown = await handlers.look(tx, ticket_id)
    latest = shown.thread[: handlers.MOST_SHOWN]
    return pages.page(
        request,
        "delivery_svc",
        "ticket.html",
        status_code=status_code,
        number=shown.ticket.number,
        subject=shown.ticket.subject,
        state=shown.ticket.state,
        merged=shown.hidden,
        team=shown.team,
        thread=[{"yours": each.author == "customer", "at": each.created_at, "text": each.text} for each in reversed(latest)],
        more=len(shown.thread) > handlers.MOST_SHOWN,
        missing=missing,
    )
