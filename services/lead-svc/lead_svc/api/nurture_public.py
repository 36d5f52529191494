"""HTTP in, for whoever reads a nurture mail: the picture that counts, links, and the way to unsubscribe."""

from typing import Annotated, Any, Literal

from fastapi import Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from ltc_chassis import links
from ltc_chassis.api import Now, Tx, runtime_of
from ltc_chassis.pages import Throttle, page, public_router

from lead_svc.domain.visit import is_bot
from lead_svc.handlers import nurture_reactions as handlers

router = public_router(
    prefix="",
    tags=["nurture mails"],
    why="Who reads a mail has no token: the signed link in it is the permission, for that mail and purpose alone.",
)
# Mail services fetch pictures and links for many readers from few addresses.
_READERS = Throttle(1200, per_s=60)
_PIXEL = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")
_NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


# A request that changes something is a transaction; these two do by way of GET, since mail programs know no other.
@router.head("/o/{token}", dependencies=[Depends(_READERS)], include_in_schema=False)
@router.get("/o/{token}", dependencies=[Depends(_READERS)])
async def opened(token: str, request: Request) -> Response:
    """The picture of a mail. Loading it counts once; programs that say what they are, or only look (HEAD), are noted apart."""
    runtime = runtime_of(request)
    async with runtime.db.transaction() as tx:
        link = links.verify(links.keys(tx.settings), token, purpose="nurture.open", now=tx.now)
        await handlers.opened(tx, link, bot=_is_bot(request))
    return Response(_PIXEL, media_type="image/gif", headers=_NOT_KEPT)


@router.head("/c/{token}", dependencies=[Depends(_READERS)], include_in_schema=False)
@router.get("/c/{token}", dependencies=[Depends(_READERS)])
async def clicked(token: str, request: Request) -> Response:
    """A link of a mail: counts once, and leads to the page that stood in the mail, never to one that the request names."""
    runtime = runtime_of(request)
    async with runtime.db.transaction() as tx:
        link = links.verify(links.keys(tx.settings), token, purpose="nurture.click", now=tx.now)
        target = await handlers.clicked(tx, link, bot=_is_bot(request))
    return RedirectResponse(target, status_code=302, headers=_NOT_KEPT)


@router.get("/u/{token}", dependencies=[Depends(_READERS)])
async def ask(token: str, request: Request, now: Now) -> HTMLResponse:
    """The page that a link to unsubscribe opens. It only asks: programs follow links in mails, and nobody shall be lost by that."""
    links.verify(links.keys(runtime_of(request).settings), token, purpose="nurture.unsubscribe", now=now)
    return page(request, "lead_svc", "unsubscribe.html", done=False)


@router.post("/u/{token}", dependencies=[Depends(_READERS)])
async def unsubscribe(
    token: str,
    request: Request,
    tx: Tx,
    one_click: Annotated[Literal["One-Click"] | None, Form(alias="List-Unsubscribe")] = None,
) -> Any:
    """Unsubscribe: by the page's button, or by a mail program in one click (RFC 8058). Again, nothing changes."""
    link = links.verify(links.keys(tx.settings), token, purpose="nurture.unsubscribe", now=tx.now)
    await handlers.unsubscribe(tx, link)
    if one_click is not None:
        return Response("unsubscribed", media_type="text/plain", headers=_NOT_KEPT)
    return page(request, "lead_svc", "unsubscribe.html", done=True)


def _is_bot(request: Request) -> bool:
    return request.method == "HEAD" or is_bot(request.headers.get("user-agent", ""))
