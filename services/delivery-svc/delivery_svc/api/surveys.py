"""HTTP in: surveys and the rule for all of them. Each is written as a version, and all versions are kept."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import Path
from ltc_chassis.api import Conn, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from delivery_svc.domain.survey import Choice, Kind, Question, QuestionKind, Rule, Survey, SurveyNotFound, Trigger
from delivery_svc.handlers import surveys as handlers
from delivery_svc.store import surveys as store

router = make_router(prefix="/v1", tags=["surveys"])
Admin = Annotated[Principal, scope("surveys:configure")]
SurveyCode = Annotated[str, Path(max_length=64, pattern=r"^[a-z0-9][a-z0-9_-]*$")]
_ONE_LINE = r"^[^\x00-\x1f\x7f\u0085\u2028\u2029]*$"
Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=_ONE_LINE)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000, pattern=r"^[^\x00]*$")]
Key = Annotated[str, StringConstraints(max_length=40, pattern=r"^[a-z0-9][a-z0-9_]*$")]
Bound = Annotated[int | None, Field(ge=-1_000_000_000, le=1_000_000_000)]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Line(Body):
    """One line in each language; without Chinese, English is shown."""

    en: Title
    zh: Title | None = None


class Prose(Body):
    """Words in each language; without Chinese, English is shown."""

    en: Words
    zh: Words | None = None


class ChoiceBody(Body):
    key: Key
    text: Line


class QuestionBody(Body):
    """`minimum` and `maximum` are of a scale (0 to 10) or a number, `low` and `high` the words at the ends of a scale.

    `when` is a condition over earlier answers: texts and single choices, lists of choices, numbers, yes or no, days; and `score`.
    """

    key: Key
    kind: QuestionKind
    text: Line
    required: bool = False
    choices: Annotated[list[ChoiceBody], Field(max_length=50)] = []
    minimum: Bound = None
    maximum: Bound = None
    low: Line | None = None
    high: Line | None = None
    when: Annotated[dict[str, Any] | None, Field(max_length=3)] = None


class TextsBody(Body):
    """The company's own words; `{number}` is that of the order or ticket. What is missing is ours."""

    subject: Line | None = None
    intro: Prose | None = None
    score: Line | None = None
    thanks: Prose | None = None


class SurveyBody(Body):
    """`delay_hours` after what triggers it; `every_days`, `sample_percent` and `customer_days` are for those by schedule: how often
    each customer has a turn, how many of the turns are asked, and how long ago something was delivered to them at most."""

    kind: Kind
    trigger: Trigger
    name: Title
    texts: TextsBody = TextsBody()
    questions: Annotated[list[QuestionBody], Field(max_length=40)] = []
    delay_hours: Annotated[int, Field(ge=0, le=2160)] = 0
    every_days: Annotated[int | None, Field(ge=1, le=1830)] = None
    sample_percent: Annotated[int, Field(ge=1, le=100)] = 100
    customer_days: Annotated[int, Field(ge=1, le=3650)] = 365
    valid_days: Annotated[int, Field(ge=1, le=365, description="in which it can be answered")] = 14
    remind_days: Annotated[
        int | None, Field(ge=1, le=364, description="after which those are reminded, once, who did not answer")
    ] = None
    active: bool = True


class SurveyChange(SurveyBody):
    version: Annotated[int | None, Field(ge=1, description="the version that was read; none for a new one")] = None


class SurveyView(SurveyBody):
    code: str
    version: int
    active_since: datetime | None

    @classmethod
    def of(cls, survey: Survey) -> "SurveyView":
        given = {name: getattr(survey, name) for name in cls.model_fields if name not in ("questions", "texts")}
        return cls(
            **given, texts=TextsBody(**survey.texts), questions=[QuestionBody(**_plain(each)) for each in survey.questions]
        )


class SurveyVersionView(SurveyView):
    changed_by: str
    changed_at: datetime


class RuleBody(Body):
    """Nobody is asked again within `quiet_days`, by whatever survey."""

    quiet_days: Annotated[int, Field(ge=0, le=3650)]


class RuleChange(RuleBody):
    version: Annotated[int, Field(ge=1, description="the version that was read")]


class RuleView(RuleBody):
    version: int


class RuleVersionView(RuleView):
    changed_by: str
    changed_at: datetime


@router.put("/surveys/{code}")
async def put_survey(code: SurveyCode, body: SurveyChange, tx: Tx, caller: Admin) -> SurveyView:
    """A survey. Who was asked goes on by the version they were asked by."""
    given = {name: getattr(body, name) for name in SurveyBody.model_fields if name not in ("questions", "texts")}
    survey = Survey(
        code=code,
        version=0,
        texts=body.texts.model_dump(exclude_none=True),
        questions=[_question(each) for each in body.questions],
        **given,
    )
    return SurveyView.of(await handlers.put_survey(tx, survey, caller.subject, expected=body.version))


@router.get("/surveys", dependencies=[scope("surveys:read")])
async def list_surveys(conn: Conn) -> list[SurveyView]:
    """The latest versions; at most 200."""
    return [SurveyView.of(survey) for survey in await store.list_surveys(conn)]


@router.get("/surveys/{code}", dependencies=[scope("surveys:read")])
async def get_survey(code: SurveyCode, conn: Conn) -> SurveyView:
    """The latest version."""
    survey = await store.find_survey(conn, code)
    if survey is None:
        raise SurveyNotFound(f"there is no survey '{code}'")
    return SurveyView.of(survey)


@router.get("/surveys/{code}/changes", dependencies=[scope("surveys:read")])
async def list_changes(code: SurveyCode, conn: Conn) -> list[SurveyVersionView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    found = await store.list_survey_versions(conn, code)
    if not found:
        raise SurveyNotFound(f"there is no survey '{code}'")
    return [SurveyVersionView(**SurveyView.of(each).model_dump(), changed_by=by, changed_at=at) for each, by, at in found]


@router.get("/survey-rule", dependencies=[scope("surveys:read")])
async def get_rule(conn: Conn) -> RuleView:
    """What holds for all surveys."""
    return _rule(await store.get_rule(conn))


@router.put("/survey-rule")
async def put_rule(body: RuleChange, tx: Tx, caller: Admin) -> RuleView:
    """For how long nobody is asked again; it holds from now on, also for those who were asked before."""
    return _rule(await handlers.put_rule(tx, body.quiet_days, caller.subject, expected=body.version))


@router.get("/survey-rule/changes", dependencies=[scope("surveys:read")])
async def list_rule_changes(conn: Conn) -> list[RuleVersionView]:
    """Every version, the newest first, with who wrote it; at most 200."""
    return [RuleVersionView(**dict(row)) for row in await store.list_rule_versions(conn)]


def _question(body: QuestionBody) -> Question:
    given = body.model_dump(exclude_none=True, exclude={"choices"})
    choices = tuple(Choice(choice.key, choice.text.model_dump(exclude_none=True)) for choice in body.choices)
    return Question(**given, choices=choices)


def _plain(question: Question) -> dict[str, Any]:
    return {**asdict(question), "choices": [asdict(choice) for choice in question.choices]}


def _rule(rule: Rule) -> RuleView:
    return RuleView(version=rule.version, quiet_days=rule.quiet_days)
