"""HTTP in from outside: the page on which a customer follows a delivery and asks about it, by a signed link."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi import Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from ltc_chassis import pages
from ltc_chassis.api import Tx, runtime_of
from ltc_chassis.db import Transaction
from ltc_chassis.pages import Throttle

from delivery_svc.domain import notice as rules
from delivery_svc.domain.notice import Language
from delivery_svc.domain.plan import Plan
from delivery_svc.handlers import ticket_links, tracking_links
from delivery_svc.handlers import tracking as handlers
from delivery_svc.handlers.tracking import Tracked

WHY = "The signed link in the path is the permission to follow this one delivery and to ask about it, until it expires."
router = pages.public_router(prefix="/t", tags=["tracking pages"], why=WHY)
_LONGEST = 10_000
_MOST_LINES = 500
Lang = Annotated[Literal["en", "zh"] | None, Query()]


@router.get("/{token}", dependencies=[Depends(Throttle(60, per_s=60))])
async def show(token: str, request: Request, lang: Lang = None) -> Response:
    """The delivery as its customer sees it. Looking changes nothing."""
    async with runtime_of(request).db.transaction() as tx:
        return await _page(tx, request, token, lang)


@router.post("/{token}", dependencies=[Depends(Throttle(5, per_s=60))])
async def ask(
    token: str, request: Request, tx: Tx, text: Annotated[str, Form(max_length=2 * _LONGEST)] = "", lang: Lang = None
) -> Response:
    """A question opens a ticket about the order, whose page comes next. An empty one is asked for again."""
    delivery_id = tracking_links.verified(tx, token)
    said = text.replace("\x00", "").replace("\r\n", "\n").strip()[:_LONGEST]
    if not said:
        return await _page(tx, request, token, lang, missing=True, status_code=400)
    tracked = await handlers.look(tx, delivery_id)
    ticket = await handlers.ask(tx, delivery_id, said, _language(tracked, lang))
    # Relative, so that it holds behind a proxy that adds a path.
    onward = f"../s/{ticket_links.token_of(tx, ticket)[0]}"
    return RedirectResponse(onward, status_code=303, headers={"Cache-Control": "no-store"})


async def _page(
    tx: Transaction, request: Request, token: str, lang: Language | None, *, missing: bool = False, status_code: int = 200
) -> Response:
    tracked = await handlers.look(tx, tracking_links.verified(tx, token))
    delivery, language = tracked.delivery, _language(tracked, lang)
    what = {line.id: line.line.description for line in tracked.plan.lines}
    return pages.page(
        request,
        "delivery_svc",
        "tracking.html",
        status_code=status_code,
        lang=language,
        number=delivery.order_number,
        state=delivery.state,
        percent=_plain(delivery.percent),
        promised_on=delivery.promised_on,
        completed_at=delivery.completed_at,
        promises=list(reversed(tracked.promises)),
        lines=_lines(tracked.plan),
        handovers=[
            {
                "at": each.handed_over_at,
                "proven": each.id in tracked.proven,
                "parts": [(_plain(part.quantity), what.get(part.line_id, "")) for part in each.parts],
            }
            for each in reversed(tracked.handovers)
        ],
        attempts=[
            {"on": each.failed_at, "why": rules.WHY[language][each.code], "next": each.next_attempt_on}
            for each in reversed(tracked.attempts)
        ],
        missing=missing,
    )


def _language(tracked: Tracked, lang: Language | None) -> Language:
    return lang or rules.language_of(tracked.delivery.customer.country)


def _lines(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "what": line.line.description,
            "quantity": _plain(line.line.quantity),
            "held": _plain(line.held),
            "steps": [
                {"kind": step.kind, "name": step.name or "", "state": step.state, "on": step.planned_on}
                for step in plan.steps
                if step.line_id == line.id and step.state != "cancelled"
            ],
        }
        for line in plan.wanted[:_MOST_LINES]
    ]


def _plain(quantity: Decimal) -> str:
    return format(quantity.normalize(), "f")
