"""HTTP in from outside: the page where a customer reads, accepts, declines or asks about an offer, by a signed link.

Looking changes nothing of the offer, so that a mail scanner that follows links cannot answer it.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

from fastapi import Form, Request, Response
from fastapi.responses import RedirectResponse
from ltc_chassis import letterhead, pages
from ltc_chassis.api import Tx, runtime_of
from ltc_chassis.db import Connection, Transaction
from ltc_chassis.mailroom import BadAddress, UnsafeHeader, check_address
from ltc_chassis.pages import language_of
from ltc_contracts.errors import DomainError, Invalid, WrongTransition

from sales_svc.api.documents import ACT, READ, paper, place_of
from sales_svc.domain import quote_answer as rules
from sales_svc.domain.contract_print import moment
from sales_svc.domain.contract_text import in_words
from sales_svc.domain.opportunity import DealClosed
from sales_svc.domain.proof import typed_name
from sales_svc.domain.quote import Quote, QuoteExpired
from sales_svc.domain.quote_answer import DocumentChanged, LinkRevoked, LinkState, NotAnOffer, QuoteLink, TooManyQuestions
from sales_svc.domain.quote_print import printable
from sales_svc.handlers import quote_answers, quote_papers
from sales_svc.handlers import quote_links as handlers
from sales_svc.store import quote_links
from sales_svc.store import quote_papers as papers

WHY = "The signed link in the path is the permission to read and answer this one offer, until it expires or is taken back."
router = pages.public_router(prefix="/q", tags=["quote pages"], why=WHY)
# What is over is gone; what was answered can be read.
STATUS: Mapping[LinkState, int] = {
    "open": 200,
    "accepted": 200,
    "rejected": 200,
    "expired": 410,
    "superseded": 410,
    "withdrawn": 410,
}
READABLE: tuple[LinkState, ...] = ("open", "accepted", "rejected")
# What may be refused because somebody was faster, or the page is old: told on the page itself.
TOLD = (NotAnOffer, WrongTransition, QuoteExpired, DealClosed, DocumentChanged, LinkRevoked, TooManyQuestions)
FIELDS = ("name", "role", "email", "order_reference", "reason", "question")


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it came; what is missing or wrong is asked for again."""

    action: Literal["accept", "decline", "ask"]
    shown: str
    name: str
    role: str
    email: str
    order_reference: str
    consent: str
    reason: str
    question: str


@router.get("/{token}", dependencies=READ)
async def show(token: str, request: Request, asked: bool = False) -> Response:
    """The offer to read and answer, or what became of it. That somebody looked is noted at the link."""
    async with runtime_of(request).db.transaction() as tx:
        link, quote = await handlers.verified(tx, token)
        reply = await _page(tx, request, token, link, quote, {"done": "asked" if asked else None})
        if "prefetch" not in request.headers.get("sec-purpose", request.headers.get("purpose", "")):
            await quote_links.note_look(tx.conn, link.id, tx.now, rules.SAME_LOOK)
        return reply


@router.get("/{token}/pdf", dependencies=READ)
async def download(token: str, request: Request) -> Response:
    """The very bytes that are accepted, or were."""
    async with runtime_of(request).db.transaction() as tx:
        link, quote = await handlers.verified(tx, token)
        state = rules.state_of(quote, link, tx.now.date())
        if state not in READABLE:
            return await _page(tx, request, token, link, quote, {})
        pdf, _ = await quote_papers.paper_of(tx.conn, quote, tx.now)
        return paper(pdf, quote.number)


@router.post("/{token}", dependencies=ACT)
async def answer(
    token: str,
    request: Request,
    tx: Tx,
    action: Annotated[Literal["accept", "decline", "ask"], Form()],
    shown: Annotated[str, Form(max_length=64)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
    role: Annotated[str, Form(max_length=200)] = "",
    email: Annotated[str, Form(max_length=254)] = "",
    order_reference: Annotated[str, Form(max_length=100)] = "",
    consent: Annotated[str, Form(max_length=10)] = "",
    reason: Annotated[str, Form(max_length=2000)] = "",
    question: Annotated[str, Form(max_length=4000)] = "",
) -> Response:
    """Accept, decline or ask. What is missing is asked for on the page again; nothing was done then."""
    link, quote = await handlers.verified(tx, token)
    form = Filled(action, shown, name, role, email, order_reference, consent, reason, question)
    again = {"action": action, **{field: getattr(form, field) for field in FIELDS}}
    try:
        async with tx.savepoint():
            await _act(tx, request, link, quote, form)
    except (Invalid, BadAddress, UnsafeHeader) as error:
        return await _page(tx, request, token, link, quote, {**again, "missing": error.field}, refused=400)
    except TOLD as error:
        # As they are now: somebody else may have been faster.
        link, quote = await handlers.verified(tx, token)
        return await _page(tx, request, token, link, quote, {**again, "problem": _problem(error)}, refused=409)
    # Relative, so that it holds behind a proxy that adds a path.
    target = f"{token}?asked=1" if action == "ask" else token
    return RedirectResponse(target, status_code=303, headers={"Cache-Control": "no-store"})


async def _act(tx: Transaction, request: Request, link: QuoteLink, quote: Quote, form: Filled) -> None:
    email = rules.one_line(form.email, "email") or None
    if email is not None:
        check_address(email, field="email")
    place = place_of(request)
    if form.action == "accept":
        name, role = typed_name(rules.one_line(form.name, "name"), "name"), rules.one_line(form.role, "role")
        if not role:
            raise Invalid("say in what role", field="role")
        reference = rules.one_line(form.order_reference, "order_reference") or None
        if form.consent != "yes":
            raise Invalid("consent", field="consent")
        await quote_answers.accept(
            tx,
            link,
            name=name,
            role=role,
            email=email,
            order_reference=reference,
            consent=rules.consent_of(language_of(request), quote.customer.name),
            shown=form.shown,
            place=place,
        )
    elif form.action == "decline":
        await quote_answers.decline(tx, link, rules.some_lines(form.reason, "reason"), place=place)
    else:
        await quote_answers.ask(tx, link, rules.some_lines(form.question, "question"), email=email)


async def _page(
    tx: Transaction,
    request: Request,
    token: str,
    link: QuoteLink,
    quote: Quote,
    given: Mapping[str, Any],
    *,
    refused: int | None = None,
) -> Response:
    """The offer, or what became of it. `refused` is the status where something was not done; of what is gone it is 410."""
    today, language = tx.now.date(), language_of(request)
    state = rules.state_of(quote, link, today)
    readable = state in READABLE
    status = STATUS[state] if refused is None or STATUS[state] != 200 else refused
    said = await quote_links.find_answer(tx.conn, quote.id) if state in ("accepted", "rejected") else None
    mine = said if said is not None and said["link_id"] == link.id else None
    _, sha256 = await quote_papers.paper_of(tx.conn, quote, tx.now) if readable else (b"", "")
    return pages.page(
        request,
        "sales_svc",
        "quote.html",
        status_code=status,
        state=state,
        token=token,
        seller=await _seller(tx.conn, quote),
        number=quote.number if state != "withdrawn" else "",
        valid_until=in_words(quote.valid_until, language),
        days_left=(quote.valid_until - today).days,
        quote=printable(replace(quote, language=language)) if readable else None,
        quote_language=quote.language,
        pdf_sha256=sha256,
        newer=await _newer(tx, link, quote) if state == "superseded" else None,
        answered_at=moment(said["at"]) if said is not None else moment(quote.updated_at),
        # Who it was is told to whom it was: a link may have been passed on.
        answered_mine=mine is not None,
        answered_by=mine["name"] if mine is not None else None,
        order_reference_given=mine["order_reference"] if mine is not None else None,
        consent=rules.consent_of(language, quote.customer.name),
        **{**dict.fromkeys(FIELDS, ""), "missing": None, "action": None, "problem": None, "done": None, **given},
    )


async def _seller(conn: Connection, quote: Quote) -> dict[str, Any] | None:
    """Who offers, by the letterhead that the document was printed under, else the present one."""
    head = await letterhead.load(conn, await papers.find_letterhead(conn, quote.id))
    if head is None:
        return None
    content = head.content
    return {
        "name": content.name,
        "address": list(content.address),
        "email": content.email,
        "phone": content.phone,
        "website": content.website,
        "colour": content.colour,
        "logo": base64.b64encode(head.logo).decode() if head.logo is not None else None,
    }


async def _newer(tx: Transaction, link: QuoteLink, quote: Quote) -> str | None:
    """The token of the newest version, if it was sent to the same address; what others got is not told."""
    if link.mailed_to is None:
        return None
    known = await quote_links.find_newer_link(tx.conn, quote.opportunity_id, quote.quote_version, link.mailed_to, tx.now.date())
    return handlers.token_of(tx, known) if known is not None else None


def _problem(error: DomainError) -> str:
    """Which of the page's sentences says what happened."""
    if isinstance(error, DocumentChanged):
        return "changed"
    return "too_many" if isinstance(error, TooManyQuestions) else "late"
