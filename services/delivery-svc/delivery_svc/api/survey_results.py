"""HTTP out: what came of a survey, in numbers, in people's own words (a scope of its own), and as a file."""

import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Request
from fastapi.responses import StreamingResponse
from ltc_chassis.api import Conn, Page, PageArgs, Principal, runtime_of, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.db import Database
from ltc_chassis.inputs import Moment
from ltc_rules.tables import inert
from pydantic import BaseModel

from delivery_svc.api.surveys import Key, SurveyCode
from delivery_svc.domain import survey as rules
from delivery_svc.domain.survey import Kind, Question, QuestionKind, Survey, SurveyNotFound
from delivery_svc.domain.survey_answer import Answer
from delivery_svc.store import survey_asks, surveys
from delivery_svc.store import survey_results as store

router = make_router(prefix="/v1", tags=["survey results"])
Reader = Annotated[Principal, scope("surveys:read")]
_WORDS = "surveys:texts"
_AT_ONCE = 500
Start = Annotated[Moment | None, Query(alias="from", description="asked at this moment or later")]
End = Annotated[Moment | None, Query(alias="to", description="asked before this moment")]
Version = Annotated[int | None, Query(ge=1, le=1_000_000, description="of the survey; else all")]


class ChoiceCount(BaseModel):
    choice: str
    text: str
    count: int
    percent: Decimal | None


class QuestionView(BaseModel):
    """`counts` of choices, steps of a scale, yes and no; `percent` is of those who answered the question."""

    key: str
    kind: QuestionKind
    text: str
    answers: int
    counts: list[ChoiceCount]
    mean: Decimal | None
    least: Decimal | None
    most: Decimal | None
    first: date | None
    last: date | None


class ResultsView(BaseModel):
    """`delivered`: the mail server took the mail. `response_rate` is answered / asked, in percent.

    `csat` is the share of 4 and 5 in percent, `nps` percent of 9 and 10 minus percent of 0 to 6; null without answers.
    """

    code: str
    kind: Kind
    version: int | None
    asked: int
    delivered: int
    answered: int
    declined: int
    expired: int
    reminded: int
    skipped: dict[str, int]
    response_rate: Decimal | None
    csat: Decimal | None
    nps: Decimal | None
    questions: list[QuestionView]


class TextsView(BaseModel):
    """What one person wrote, by the key of the question."""

    id: UUID
    texts: dict[str, str]
    survey_version: int
    score: int | None
    language: str
    number: str | None
    order_id: UUID | None
    ticket_id: UUID | None
    answered_at: datetime


@router.get("/surveys/{code}/results", dependencies=[scope("surveys:read")])
async def results(code: SurveyCode, conn: Conn, version: Version = None, start: Start = None, end: End = None) -> ResultsView:
    """Numbers of those who were asked in a window, of one version or of all."""
    survey, questions = await _survey(conn, code, version)
    window = (code, version, start, end)
    counts = dict(await store.counts_view(conn, *window))
    scores = await store.scores_view(conn, *window)
    choices = await store.choices_view(conn, *window)
    return ResultsView(
        code=code,
        kind=survey.kind,
        version=version,
        **counts,
        skipped={row["reason"]: row["amount"] for row in await store.skipped_view(conn, *window)},
        response_rate=rules.rate(counts["answered"], counts["asked"]),
        csat=rules.csat(scores) if survey.kind == "csat" else None,
        nps=rules.nps(scores) if survey.kind == "nps" else None,
        questions=[
            _question(questions[row["question"]], row, [each for each in choices if each["question"] == row["question"]])
            for row in sorted(await store.questions_view(conn, *window), key=lambda row: list(questions).index(row["question"]))
        ],
    )


@router.get("/surveys/{code}/texts", dependencies=[scope(_WORDS)])
async def list_texts(
    code: SurveyCode, conn: Conn, page: PageArgs, question: Annotated[Key | None, Query()] = None
) -> Page[TextsView]:
    """What people wrote, in the order in which they were asked."""
    await _survey(conn, code, None)
    rows = await store.texts_view(conn, code, question, page.after, page.limit + 1)
    return page.of([TextsView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/surveys/{code}/answers.csv", dependencies=[scope("surveys:read")])
async def get_csv(
    code: SurveyCode, request: Request, conn: Conn, caller: Reader, start: Start = None, end: End = None
) -> StreamingResponse:
    """Every answer for a spreadsheet; what people wrote only for those who may read it. A formula is written as text."""
    _, questions = await _survey(conn, code, None)
    words = bool(caller.scopes & {_WORDS, "*"})
    shown = [each for each in questions.values() if words or each.kind != "text"]
    return StreamingResponse(
        _lines(runtime_of(request).db, code, start, end, shown),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{code}.csv"', "Cache-Control": "no-store"},
    )


async def _lines(
    db: Database, code: str, start: datetime | None, end: datetime | None, questions: Sequence[Question]
) -> AsyncIterator[str]:
    names = ("id", "survey_version", "trigger", "language", "number", "customer_id", "order_id", "delivery_id", "ticket_id")
    columns = (*names, "asked_at", "answered_at")
    # The mark tells spreadsheets that it is UTF-8.
    yield "\ufeff" + _line([*columns, *(question.key for question in questions)])
    after: UUID | None = None
    while True:
        async with db.connection() as conn:
            rows = await store.list_answered(conn, code, start, end, after, _AT_ONCE)
            answers = await survey_asks.list_answers(conn, [row["id"] for row in rows])
        if not rows:
            return
        after = rows[-1]["id"]
        for row in rows:
            said = {each.question: each for each in answers.get(row["id"], [])}
            own = [row[name].isoformat() if name.endswith("_at") else row[name] for name in columns]
            yield _line([*own, *(_cell(said.get(question.key)) for question in questions)])


def _line(cells: Sequence[Any]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([inert(cell) if isinstance(cell, str) else cell for cell in cells])
    return out.getvalue()


def _cell(answer: Answer | None) -> Any:
    """Numbers as numbers: -1 is one, no formula."""
    if answer is None:
        return None
    if answer.number is not None:
        return answer.number
    return answer.day.isoformat() if answer.day else answer.text if answer.text is not None else " ".join(answer.choices)


async def _survey(conn: Connection, code: str, version: int | None) -> tuple[Survey, Mapping[str, Question]]:
    """The survey, and its questions by key: those of this version, or of all, each as it was put last."""
    found = [each for each, _, _ in await surveys.list_survey_versions(conn, code)]
    chosen = [each for each in found if version in (None, each.version)]
    if not chosen:
        raise SurveyNotFound(f"there is no survey '{code}'" + (f" of version {version}" if found else ""))
    questions: dict[str, Question] = {}
    for each in chosen:
        for question in rules.questions_of(each):
            questions.setdefault(question.key, question)
    return chosen[0], questions


def _question(question: Question, row: Any, counts: Sequence[Any]) -> QuestionView:
    texts = {choice.key: rules.said(choice.text, "en") for choice in question.choices}
    given = {each["choice"]: each["amount"] for each in counts}
    if question.kind == "scale":
        assert question.minimum is not None
        assert question.maximum is not None
        order = [str(step) for step in range(question.minimum, question.maximum + 1)]
    else:
        order = ["yes", "no"] if question.kind == "yes_no" else [choice.key for choice in question.choices]
    # A choice of an earlier version that is offered no more was chosen all the same.
    order += [choice for choice in given if choice not in order]
    return QuestionView(
        key=question.key,
        kind=question.kind,
        text=rules.said(question.text, "en"),
        answers=row["answers"],
        counts=[
            ChoiceCount(
                choice=choice,
                text=texts.get(choice, choice),
                count=given.get(choice, 0),
                percent=rules.rate(given.get(choice, 0), row["answers"]),
            )
            for choice in order
        ],
        **{name: row[name] for name in ("mean", "least", "most", "first", "last")},
    )
