"""HTTP in, for a person who got a link to what is known of them."""

from uuid import UUID

from fastapi import Depends, Request, Response
from ltc_chassis import links
from ltc_chassis.api import runtime_of
from ltc_chassis.pages import Throttle, public_router

from lead_svc.api.privacy import zip_of
from lead_svc.handlers import privacy_exports as exports

router = public_router(
    prefix="",
    tags=["privacy"],
    why="The person has no token: the signed link, which ends with the file, is the permission for that file alone.",
)
_PERSONS = Throttle(30, per_s=60)


# It changes nothing but the history of downloads, and a link can only be followed by GET.
@router.get("/p/{token}", dependencies=[Depends(_PERSONS)])
async def get_file(token: str, request: Request) -> Response:
    """The export of the person to whom the link was sent, until it is deleted."""
    async with runtime_of(request).db.transaction() as tx:
        link = links.verify(links.keys(tx.settings), token, purpose=exports.PURPOSE, now=tx.now)
        content = await exports.download(tx, UUID(link.subject), by="person", detail="link")
    return zip_of(UUID(link.subject), content)
