"""HTTP in, for whoever fills in a form: the page, what it sends, and the thanks. It works without any script."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from ltc_chassis import custom_fields, links
from ltc_chassis.api import Tx, runtime_of
from ltc_chassis.db import Transaction
from ltc_chassis.errors import TooManyRequests
from ltc_chassis.ids import new_id
from ltc_chassis.pages import Throttle, client_of, language_of, page, public_router
from ltc_contracts.errors import Invalid, NotFound

from lead_svc.domain.form import FormClosed, FormVersion, Plan
from lead_svc.domain.form_answers import Answers, Problem, read
from lead_svc.domain.form_print import printable
from lead_svc.domain.form_words import PAGE
from lead_svc.domain.visit import CLICK_IDS, clean, is_bot
from lead_svc.handlers import form_submissions as handlers
from lead_svc.handlers.form_submissions import Sender
from lead_svc.store import forms as store

# No token against forged requests: nothing here is done in the name of somebody who is logged in, so a page that makes a browser
# send a form gains nothing that its author could not send himself. That a page of ours was there before is what `instance` shows.
router = public_router(
    prefix="/f",
    tags=["form pages"],
    why="People who fill in a form have no token; a form is published to be filled in, and nothing is read back.",
)
PURPOSE = "form.fill"
HONEY = "confirm_note"
_VIEWS = Throttle(240, per_s=60)
# The first refuses a flood without asking the database, the second counts what it refuses and keeps the answers on the page.
_FLOOD = Throttle(120, per_s=60)
_SENT = Throttle(20, per_s=60)
Why = Literal["rate", "expired", "speed", "invalid"]
_KEY = re.compile(r"[a-z0-9-]{3,40}")
_CARRIED = (*(f"utm_{name}" for name in ("source", "medium", "campaign", "term", "content")), *CLICK_IDS, "partner")
_PLAIN = "application/x-www-form-urlencoded"
_MOST_ANSWERS = 1000
_NOT_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin"}


@dataclass(frozen=True, slots=True)
class _Instance:
    """One page that was sent: what it comes back as, once."""

    id: UUID
    version: int
    at_ms: int
    token: str


@router.get("/{key}", dependencies=[Depends(_VIEWS)])
async def show_form(key: str, request: Request, lang: Annotated[str | None, Query(max_length=20)] = None) -> Response:
    """The form. Looking is counted, and where it belongs to a site it is a page that was seen."""
    async with runtime_of(request).db.transaction() as tx:
        try:
            _, version = await handlers.open_form(tx, _checked(key))
        except FormClosed:
            return await _closed(tx, request, key, lang)
        query, visitor = _query(request.query_params), _visitor(request, request.query_params.get("visitor_id"))
        referrer = request.headers.get("referer", "")
        if not is_bot(request.headers.get("user-agent", "")):
            tracked = not _unwanted(request)
            await handlers.view(tx, version, query=query, referrer=referrer, visitor_id=visitor, tracked=tracked)
        carried = {**query, "referrer": referrer, "visitor_id": str(visitor or "")}
        return await _form(tx, request, version, _begun(tx, version), _language(version.plan, request, lang), carried=carried)


@router.get("/{key}/thanks", dependencies=[Depends(_VIEWS)])
async def thank(
    key: str,
    request: Request,
    lang: Annotated[str | None, Query(max_length=20)] = None,
    v: Annotated[str | None, Query(max_length=10)] = None,
) -> Response:
    """What is said afterwards: the same to everybody."""
    async with runtime_of(request).db.connection() as conn:
        form = await store.find_form(conn, _checked(key))
        number = int(v) if v and v.isascii() and v.isdigit() and int(v) < 2**31 else None
        version = await store.find_version(conn, key, number or form.published or 0) if form else None
    if version is None:
        raise NotFound("no such form")
    plan = version.plan
    language = _language(plan, request, lang)
    text = plan.success[language] if plan.success else PAGE[language]["thanks_text"]
    return _message(request, plan, language, state="thanks", title=PAGE[language]["thanks"], text=text)


@router.post("/{key}", dependencies=[Depends(_FLOOD)])
async def send_form(key: str, request: Request, tx: Tx) -> Response:
    """A form comes in: it becomes a lead, once, or is shown again with what is to be mended and everything that was written."""
    given, unreadable = _answers(request.headers.get("content-type", _PLAIN), await request.body())
    first = {name: values[0] for name, values in given.items()}
    try:
        _, shown = await handlers.open_form(tx, _checked(key))
    except FormClosed:
        return await _closed(tx, request, key, first.get("lang"))
    instance = _instance(tx, key, first.get("instance", ""))
    # What was filled in is what was shown then, though a newer version is shown by now.
    version = (await store.find_version(tx.conn, key, instance.version) if instance else None) or shown
    language = _language(version.plan, request, first.get("lang"))
    again = _Again(tx, request, version, language, given)
    try:
        _SENT.check(request)
    except TooManyRequests as error:
        return await again.show(instance, "rate", limit=error.retry_after_s)
    if instance is None:
        return await again.show(None, "expired")
    if first.get(HONEY, "").strip():
        # Whoever fills in what nobody sees is told what everybody is told.
        await handlers.count(tx, key, "honeypot")
        return _done(key, version, language)
    if await store.has_submission(tx.conn, instance.id):
        return _done(key, version, language)
    if tx.now.timestamp() * 1000 - instance.at_ms < version.plan.min_seconds * 1000:
        return await again.show(instance, "speed")
    answers = read(version.plan, await custom_fields.load(tx.conn, "lead"), given, unreadable)
    if answers.problems:
        return await again.show(instance, "invalid", answers)
    await handlers.submit(tx, version, answers, _sender(request, instance, language, first))
    return _done(key, version, language)


@dataclass(frozen=True, slots=True)
class _Again:
    """The form once more, with what was written. It is counted why."""

    tx: Transaction
    request: Request
    version: FormVersion
    language: str
    given: Mapping[str, Sequence[str]]

    async def show(self, instance: _Instance | None, why: Why, answers: Answers | None = None, *, limit: int = 0) -> Response:
        first = {name: values[0] for name, values in self.given.items()}
        carried = {**_query(first), "referrer": first.get("referrer", ""), "visitor_id": first.get("visitor_id", "")}
        reply = await _form(
            self.tx,
            self.request,
            self.version,
            instance or _begun(self.tx, self.version),
            self.language,
            carried=carried,
            given=self.given,
            problems=answers.problems if answers else (),
            notice=PAGE[self.language][why].format(limit=limit),
            status_code=429 if why == "rate" else 400,
        )
        if why == "rate":
            reply.headers["Retry-After"] = str(limit)
        await handlers.count(self.tx, self.version.form, why)
        return reply


async def _form(
    tx: Transaction,
    request: Request,
    version: FormVersion,
    instance: _Instance,
    language: str,
    *,
    carried: Mapping[str, str],
    given: Mapping[str, Sequence[str]] | None = None,
    problems: Sequence[Problem] = (),
    notice: str | None = None,
    status_code: int = 200,
) -> Response:
    plan = version.plan
    shown = printable(plan, await custom_fields.load(tx.conn, "lead"), language, given or {}, problems)
    target = urlsplit(plan.redirect_url) if plan.redirect_url else None
    return page(
        request,
        "lead_svc",
        "form.html",
        status_code=status_code,
        frame_ancestors=plan.origins,
        # Browsers hold the page that a form leads to against the policy, too.
        form_action=[f"https://{target.netloc}"] if target else [],
        lang=language,
        t=PAGE[language],
        key=version.form,
        instance=instance.token,
        honey=HONEY,
        carried={name: value for name, text in carried.items() if (value := clean(text, 500))},
        languages=plan.languages,
        notice=notice,
        **shown,
    )


async def _closed(tx: Transaction, request: Request, key: str, lang: str | None) -> Response:
    form = await store.get_form(tx.conn, key)
    version = await store.find_version(tx.conn, key, form.published or 0)
    if version is None:
        raise NotFound("no such form")
    plan = version.plan
    language = _language(plan, request, lang)
    words = PAGE[language]
    return _message(request, plan, language, state="closed", title=words["closed"], text=words["closed_text"], status_code=410)


def _message(
    request: Request, plan: Plan, language: str, *, state: str, title: str, text: str, status_code: int = 200
) -> Response:
    return page(
        request,
        "lead_svc",
        "form_done.html",
        status_code=status_code,
        frame_ancestors=plan.origins,
        lang=language,
        state=state,
        title=title,
        text=text,
    )


def _done(key: str, version: FormVersion, language: str) -> Response:
    # Where it leads is the form's, never the request's. Relative, so that it holds behind a proxy that adds a path.
    target = version.plan.redirect_url or f"{key}/thanks?lang={language}&v={version.version}"
    return RedirectResponse(target, status_code=303, headers=_NOT_KEPT)


def _begun(tx: Transaction, version: FormVersion) -> _Instance:
    instance, at_ms = new_id(), int(tx.now.timestamp() * 1000)
    token = links.sign(
        links.keys(tx.settings),
        purpose=PURPOSE,
        subject=version.form,
        expires_at=tx.now + timedelta(minutes=version.plan.expires_minutes),
        claims={"i": str(instance), "v": version.version, "t": at_ms},
    )
    return _Instance(instance, version.version, at_ms, token)


def _instance(tx: Transaction, key: str, token: str) -> _Instance | None:
    """None for a page that is too old, of another form, or not ours."""
    try:
        link = links.verify(links.keys(tx.settings), token, purpose=PURPOSE, now=tx.now)
    except (links.LinkInvalid, links.LinkExpired):
        return None
    if link.subject != key:
        return None
    return _Instance(UUID(link.claims["i"]), link.claims["v"], link.claims["t"], token)


def _answers(content_type: str, raw: bytes) -> tuple[dict[str, list[str]], set[str]]:
    """The answers by name, and the names of those that are no text in UTF-8. Raises `Invalid` for what no form of ours sends."""
    if content_type.partition(";")[0].strip().lower() not in (_PLAIN, ""):
        raise Invalid(f"send it as {_PLAIN}", field="body")
    try:
        pairs = parse_qsl(
            raw.decode("utf-8", "surrogateescape"),
            keep_blank_values=True,
            errors="surrogateescape",
            max_num_fields=_MOST_ANSWERS,
        )
    except ValueError as error:
        raise Invalid(f"has more than {_MOST_ANSWERS} answers", field="body") from error
    given: dict[str, list[str]] = {}
    unreadable: set[str] = set()
    for name, value in pairs:
        readable = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        if readable != value:
            unreadable.add(name)
        given.setdefault(name, []).append(readable)
    return given, unreadable


def _query(given: Mapping[str, str]) -> dict[str, str]:
    """How somebody came: only what we know, each cut to what a touch takes."""
    return {name: value for name in _CARRIED if (value := clean(given.get(name, ""), 500))}


def _visitor(request: Request, given: str | None) -> UUID | None:
    """The browser's id, which is there after consent only: its cookie, or what the page around the form hands on."""
    if _unwanted(request):
        return None
    with suppress(ValueError):
        return UUID(request.cookies.get("ltc_vid") or given or "")
    return None


def _unwanted(request: Request) -> bool:
    return request.headers.get("dnt") == "1" or request.headers.get("sec-gpc") == "1"


def _sender(request: Request, instance: _Instance, language: str, first: Mapping[str, str]) -> Sender:
    return Sender(
        instance=instance.id,
        language=language,
        query=_query(first),
        referrer=first.get("referrer", ""),
        visitor_id=_visitor(request, first.get("visitor_id")),
        address=client_of(request),
        user_agent=request.headers.get("user-agent", ""),
    )


def _language(plan: Plan, request: Request, asked: str | None) -> str:
    for wanted in (asked, language_of(request)):
        if wanted in plan.languages:
            return str(wanted)
    return plan.languages[0]


def _checked(key: str) -> str:
    if _KEY.fullmatch(key) is None:
        raise NotFound("no such form")
    return key
