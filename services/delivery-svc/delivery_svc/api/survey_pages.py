"""HTTP in from outside: the page on which a person answers a survey, or says that they want none, by a signed link."""

from typing import Annotated, Any, Literal
from urllib.parse import parse_qsl

from fastapi import Depends, Query, Request, Response
from fastapi.responses import RedirectResponse
from ltc_chassis import pages
from ltc_chassis.api import Tx, runtime_of
from ltc_chassis.db import Transaction
from ltc_chassis.pages import Throttle
from ltc_contracts.errors import Invalid

from delivery_svc.domain import survey as rules
from delivery_svc.domain.survey import Language, Question
from delivery_svc.domain.survey_answer import LONGEST_TEXT, Reading
from delivery_svc.handlers import survey_asks as handlers
from delivery_svc.handlers import survey_mails
from delivery_svc.handlers.survey_asks import Shown
from delivery_svc.handlers.survey_mails import ANSWER, STOP

WHY = "The signed link in the path is the permission to answer this one survey until it expires, or to be asked no more."
router = pages.public_router(prefix="/y", tags=["survey pages"], why=WHY)
_FORM = "application/x-www-form-urlencoded"
_BODY = {"requestBody": {"content": {_FORM: {"schema": {"type": "object", "additionalProperties": {"type": "string"}}}}}}
_MOST_FIELDS = 500
_PREFIX = "q."
Lang = Annotated[Literal["en", "zh"] | None, Query()]


@router.get("/{token}", dependencies=[Depends(Throttle(60, per_s=60))])
async def show(token: str, request: Request, lang: Lang = None) -> Response:
    """The questions, in the language that the person was written to in, or in another. Looking changes nothing."""
    async with runtime_of(request).db.transaction() as tx:
        shown = await handlers.look(tx, survey_mails.verified(tx, token, ANSWER))
        return _page(tx, request, shown, lang or shown.ask.language, first=True)


@router.post("/{token}", dependencies=[Depends(Throttle(20, per_s=60))], openapi_extra=_BODY)
async def answer(token: str, request: Request, tx: Tx, lang: Lang = None) -> Response:
    """Answer, once. Questions that follow from the answers, and what does not fit, are asked on the same page."""
    ask_id = survey_mails.verified(tx, token, ANSWER)
    given, seen = _given(request.headers.get("content-type", ""), await request.body())
    shown, reading = await handlers.answer(tx, ask_id, given, seen)
    if reading is None:
        # Relative, so that it holds behind a proxy that adds a path; and a reload does not send it again.
        onward = token + (f"?lang={lang}" if lang else "")
        return RedirectResponse(onward, status_code=303, headers={"Cache-Control": "no-store"})
    status = 400 if reading.problems else 200
    return _page(tx, request, shown, lang or shown.ask.language, reading=reading, given=given, status_code=status)


@router.get("/{token}/stop", dependencies=[Depends(Throttle(60, per_s=60))])
async def show_stop(token: str, request: Request, lang: Lang = None) -> Response:
    """Whether the person really wants no surveys: programs that follow links must not decide it."""
    async with runtime_of(request).db.transaction() as tx:
        survey_mails.verified(tx, token, STOP)
    return _stop_page(request, lang, done=False)


@router.post("/{token}/stop", dependencies=[Depends(Throttle(20, per_s=60))])
async def stop(token: str, request: Request, tx: Tx, lang: Lang = None) -> Response:
    """They do. Mail programs say so by themselves when they are asked to (RFC 8058)."""
    await handlers.stop(tx, survey_mails.verified(tx, token, STOP))
    return _stop_page(request, lang, done=True)


def _given(content_type: str, raw: bytes) -> tuple[dict[str, list[str]], list[str]]:
    """The answers by the key of the question, and which questions were on the page. Raises `Invalid` for what no page of ours sends."""
    if content_type.partition(";")[0].strip().lower() not in (_FORM, ""):
        raise Invalid(f"send it as {_FORM}", field="body")
    try:
        pairs = parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise Invalid(f"has more than {_MOST_FIELDS} fields", field="body") from error
    given: dict[str, list[str]] = {}
    for name, value in pairs:
        if name.startswith(_PREFIX):
            given.setdefault(name.removeprefix(_PREFIX), []).append(value)
    return given, [value for name, value in pairs if name == "seen"]


def _page(
    tx: Transaction,
    request: Request,
    shown: Shown,
    lang: Language,
    *,
    reading: Reading | None = None,
    given: dict[str, list[str]] | None = None,
    first: bool = False,
    status_code: int = 200,
) -> Response:
    ask, survey = shown.ask, shown.survey
    # What depends on answers is asked once they are there.
    asked = [each for each in shown.questions if each.when is None] if reading is None else reading.asked
    said = given or {}
    return pages.page(
        request,
        "delivery_svc",
        "survey.html",
        status_code=status_code,
        lang=lang,
        title=survey_mails.filled(rules.said(rules.text_of(survey, "subject"), lang), ask),
        intro=survey_mails.filled(rules.said(rules.text_of(survey, "intro"), lang), ask),
        thanks=survey_mails.filled(rules.said(rules.text_of(survey, "thanks"), lang), ask),
        answered=ask.state == "answered",
        questions=[_shown_question(each, lang, said.get(each.key, []), reading) for each in asked],
        problems=bool(reading and reading.problems),
        more=bool(reading and not reading.problems),
        first=first,
        stop=f"{survey_mails.stop_token(tx, ask.id)}/stop?lang={lang}",
        expires_at=ask.expires_at,
        longest=LONGEST_TEXT,
    )


def _shown_question(question: Question, lang: Language, said: list[str], reading: Reading | None) -> dict[str, Any]:
    steps: list[str] = []
    if question.kind == "scale":
        assert question.minimum is not None
        assert question.maximum is not None
        steps = [str(step) for step in range(question.minimum, question.maximum + 1)]
    return {
        "key": question.key,
        "name": f"{_PREFIX}{question.key}",
        "kind": question.kind,
        "text": rules.said(question.text, lang),
        "required": question.required,
        "choices": [(choice.key, rules.said(choice.text, lang)) for choice in question.choices],
        "steps": steps,
        "low": rules.said(question.low, lang) if question.low else "",
        "high": rules.said(question.high, lang) if question.high else "",
        "minimum": question.minimum,
        "maximum": question.maximum,
        "said": said,
        "problem": (reading.problems.get(question.key) if reading else None) or "",
    }


def _stop_page(request: Request, lang: Language | None, *, done: bool) -> Response:
    return pages.page(request, "delivery_svc", "survey_stop.html", lang=lang or pages.language_of(request), done=done)
