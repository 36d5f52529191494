"""Surveys: what is asked, of whom and when. Each is written as a version.

CSAT asks for satisfaction from 1 to 5, NPS for recommendation from 0 to 10, research whatever a company wants to know; all three
may ask further questions, some of them only after certain answers.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid, NotFound
from ltc_rules import conditions

Kind = Literal["csat", "nps", "research"]
Trigger = Literal["delivery_completed", "ticket_resolved", "ticket_closed", "schedule", "request"]
QuestionKind = Literal["single", "multiple", "scale", "number", "text", "yes_no", "date"]
Language = Literal["en", "zh"]
Texts = Mapping[str, str]
# Satisfaction is with something: a delivery or the work on a ticket. Whoever is asked by a list or a schedule is asked for more.
TRIGGERS: dict[Kind, frozenset[Trigger]] = {
    "csat": frozenset({"delivery_completed", "ticket_resolved", "ticket_closed"}),
    "nps": frozenset({"delivery_completed", "schedule", "request"}),
    "research": frozenset({"delivery_completed", "ticket_resolved", "ticket_closed", "schedule", "request"}),
}
SCALES: dict[Kind, tuple[int, int]] = {"csat": (1, 5), "nps": (0, 10)}
SCORE = "score"
MOST_SURVEYS, MOST_VERSIONS = 100, 200
_FIELDS: dict[QuestionKind, conditions.Kind] = {
    "single": "text",
    "multiple": "list",
    "scale": "number",
    "number": "number",
    "text": "text",
    "yes_no": "boolean",
    "date": "date",
}


class SurveyNotFound(NotFound):
    """There is no such survey."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What may be chosen."""

    key: str
    text: Texts


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `minimum` and `maximum` are of a scale or a number; `low` and `high` say what the ends of a scale mean.

    `when` is a condition over earlier answers; where it does not hold, the question is not asked.
    """

    key: str
    kind: QuestionKind
    text: Texts
    required: bool = False
    choices: Sequence[Choice] = ()
    minimum: int | None = None
    maximum: int | None = None
    low: Texts | None = None
    high: Texts | None = None
    when: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    """One version. `texts` are the company's own: subject, intro, score, thanks; what is missing is ours."""

    code: str
    version: int
    kind: Kind
    trigger: Trigger
    name: str
    texts: Mapping[str, Texts]
    questions: Sequence[Question]
    delay_hours: int
    every_days: int | None
    sample_percent: int
    customer_days: int
    valid_days: int
    remind_days: int | None
    active: bool
    active_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for all surveys: nobody is asked again within `quiet_days`."""

    version: int
    quiet_days: int


def check(survey: Survey, earlier: Sequence[Survey]) -> None:
    """Raises `Invalid`. What a key meant in an earlier version it means for ever, so that answers can be counted together."""
    if survey.trigger not in TRIGGERS[survey.kind]:
        raise Invalid(f"{survey.kind} is asked by {', '.join(sorted(TRIGGERS[survey.kind]))}", field="trigger")
    if (survey.every_days is not None) != (survey.trigger == "schedule"):
        raise Invalid("is for surveys by schedule, and needed there", field="every_days")
    if survey.remind_days is not None and survey.remind_days >= survey.valid_days:
        raise Invalid("must be before the link expires", field="remind_days")
    if survey.kind == "research" and not survey.questions:
        raise Invalid("research asks at least one question", field="questions")
    fields: dict[str, conditions.Kind] = {SCORE: "number"} if survey.kind in SCALES else {}
    for number, question in enumerate(survey.questions):
        at = f"questions.{number}"
        if question.key in fields:
            raise Invalid("this key is taken", field=f"{at}.key")
        _check_question(question, at)
        if question.when is not None:
            if not fields:
                raise Invalid("there is no question before it", field=f"{at}.when")
            conditions.check(question.when, fields, at=f"{at}.when")
        fields[question.key] = _FIELDS[question.kind]
    kinds = {question.key: question.kind for each in earlier for question in each.questions}
    for number, question in enumerate(survey.questions):
        if kinds.get(question.key, question.kind) != question.kind:
            raise Invalid(
                f"it was a {kinds[question.key]} in an earlier version; take another key", field=f"questions.{number}.kind"
            )
    if any(each.kind != survey.kind for each in earlier):
        raise Invalid("a survey keeps its kind; make another one", field="kind")


def questions_of(survey: Survey) -> list[Question]:
    """All questions, the score first where there is one."""
    scale = SCALES.get(survey.kind)
    if scale is None:
        return list(survey.questions)
    low, high = _ENDS[survey.kind]
    score = Question(SCORE, "scale", text_of(survey, "score"), True, (), *scale, low=low, high=high)
    return [score, *survey.questions]


def text_of(survey: Survey, name: Literal["subject", "intro", "score", "thanks"]) -> Texts:
    """The company's words, or ours."""
    own = survey.texts.get(name)
    if own is not None:
        return own
    about = "ticket" if survey.trigger in ("ticket_resolved", "ticket_closed") else "delivery"
    return _OURS.get((survey.kind, name, about)) or _OURS.get((survey.kind, name, "")) or _OURS[("", name, "")]


def said(texts: Texts, language: Language) -> str:
    """In this language, or in English."""
    return texts.get(language) or texts["en"]


def turn_of(code: str, customer_id: UUID, every_days: int, sample_percent: int, day: date) -> tuple[int, date, bool]:
    """By schedule each customer has a turn every so many days, spread evenly over the days; some turns are in the sample.

    The number of the turn in which `day` lies, the day it began on, and whether it is sampled. The same whoever computes it.
    """
    offset = _drawn(f"{code}/{customer_id}") % every_days
    number = (day.toordinal() - offset) // every_days
    begun = date.fromordinal(number * every_days + offset)
    return number, begun, _drawn(f"{code}/{customer_id}/{number}") % 100 < sample_percent


def address_hash(email: str) -> bytes:
    """By which a person is known after the address is forgotten."""
    return hashlib.sha256(email.strip().lower().encode()).digest()


def csat(scores: Mapping[int, int]) -> Decimal | None:
    """Share of 4 and 5 in percent, of how often each score was given; None without answers."""
    total = sum(scores.values())
    return None if not total else _percent(sum(n for score, n in scores.items() if score >= 4), total)


def nps(scores: Mapping[int, int]) -> Decimal | None:
    """Percent of 9 and 10 minus percent of 0 to 6, from -100 to 100; None without answers."""
    total = sum(scores.values())
    promoters, detractors = (sum(n for s, n in scores.items() if s >= 9), sum(n for s, n in scores.items() if s <= 6))
    return None if not total else _percent(promoters - detractors, total)


def rate(part: int, whole: int) -> Decimal | None:
    """In percent; None of nothing."""
    return _percent(part, whole) if whole else None


def _percent(part: int, whole: int) -> Decimal:
    return (Decimal(100 * part) / whole).quantize(Decimal("0.01"))


def _check_question(question: Question, at: str) -> None:
    chosen = question.kind in ("single", "multiple")
    if chosen != bool(question.choices) or (chosen and len(question.choices) < 2):
        raise Invalid("single and multiple have at least two choices, the others none", field=f"{at}.choices")
    if len({choice.key for choice in question.choices}) != len(question.choices):
        raise Invalid("each key is there once", field=f"{at}.choices")
    low, high = question.minimum, question.maximum
    if question.kind == "scale":
        if low is None or high is None or not 0 <= low < high <= 10:
            raise Invalid("a scale goes from 0 or more to 10 or less", field=f"{at}.maximum")
    elif question.kind == "number":
        if low is not None and high is not None and low > high:
            raise Invalid("must not be less than the minimum", field=f"{at}.maximum")
    elif low is not None or high is not None:
        raise Invalid("only a scale or a number has bounds", field=f"{at}.maximum")
    if question.kind != "scale" and (question.low or question.high):
        raise Invalid("only a scale has ends", field=f"{at}.low")


def _drawn(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])


_ENDS: dict[Kind, tuple[Texts, Texts]] = {
    "csat": ({"en": "very dissatisfied", "zh": "非常不满意"}, {"en": "very satisfied", "zh": "非常满意"}),
    "nps": ({"en": "not at all likely", "zh": "完全不可能"}, {"en": "extremely likely", "zh": "非常可能"}),
}
_OURS: dict[tuple[str, str, str], Texts] = {
    ("csat", "subject", "delivery"): {"en": "How was your delivery {number}?", "zh": "您对订单 {number} 的交付满意吗？"},
    ("csat", "subject", "ticket"): {"en": "How did we do on your request {number}?", "zh": "您对请求 {number} 的处理满意吗？"},
    ("csat", "score", ""): {"en": "How satisfied are you?", "zh": "您的满意程度如何？"},
    ("nps", "subject", ""): {"en": "Would you recommend us?", "zh": "您会推荐我们吗？"},
    ("nps", "score", ""): {
        "en": "How likely are you to recommend us to a friend or colleague?",
        "zh": "您有多大可能向朋友或同事推荐我们？",
    },
    ("research", "subject", ""): {"en": "Your opinion, please", "zh": "诚邀您参与调查"},
    ("", "intro", ""): {"en": "It takes a minute and helps us to get better.", "zh": "只需一分钟，您的反馈将帮助我们改进。"},
    ("", "thanks", ""): {"en": "Thank you for your answer.", "zh": "感谢您的反馈。"},
}
