"""What a person answered: read from a form that cannot be trusted, asked for again where it does not fit."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Literal

from ltc_contracts.events import CodedAnswer
from ltc_rules import conditions

from delivery_svc.domain.survey import Question, QuestionKind

# Why an answer is asked for again; the page has words for it.
Problem = Literal["missing", "unknown", "number", "range", "date"]
LONGEST_TEXT = 2000
_NUMBER = re.compile(r"[+-]?[0-9]{1,12}([.,][0-9]{1,6})?")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
_FIRST, _LAST = date(1900, 1, 1), date(2200, 1, 1)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer: `choices` (also yes or no), `number`, `day` or `text`, as its kind says."""

    question: str
    kind: QuestionKind
    choices: Sequence[str] = ()
    number: Decimal | None = None
    day: date | None = None
    text: str | None = None

    @property
    def value(self) -> Any:
        """As conditions compare it."""
        if self.kind == "multiple":
            return list(self.choices)
        if self.kind == "yes_no":
            return self.choices == ("yes",)
        if self.kind == "single":
            return self.choices[0]
        return self.number if self.number is not None else self.day if self.day is not None else self.text


@dataclass(frozen=True, slots=True)
class Reading:
    """The questions that are asked after these answers, the answers that fit, and what is wrong with others.

    `open` is whether a question is asked by now that the person has not seen yet.
    """

    asked: list[Question]
    answers: dict[str, Answer]
    problems: dict[str, Problem]
    open: bool


def read(questions: Sequence[Question], given: Mapping[str, Sequence[str]], seen: Collection[str]) -> Reading:
    """`given` are texts by the key of the question, `seen` the keys of those that were on the page."""
    asked: list[Question] = []
    answers: dict[str, Answer] = {}
    problems: dict[str, Problem] = {}
    values: dict[str, Any] = {}
    for question in questions:
        if question.when is not None and not conditions.holds(question.when, values):
            continue
        asked.append(question)
        found = _read(question, [text for text in given.get(question.key, ()) if text.strip()])
        if isinstance(found, Answer):
            answers[question.key], values[question.key] = found, found.value
        elif found is not None and question.key in seen:
            problems[question.key] = found
    return Reading(asked, answers, problems, open=any(question.key not in seen for question in asked))


def coded(answer: Answer) -> CodedAnswer:
    """As it is told to others: what a person wrote is not."""
    yes = answer.choices == ("yes",) if answer.kind == "yes_no" else None
    return CodedAnswer(
        question=answer.question,
        choices=() if answer.kind == "yes_no" else tuple(answer.choices),
        number=answer.number,
        yes=yes,
        day=answer.day,
        told=answer.text is not None,
    )


def _read(question: Question, texts: Sequence[str]) -> Answer | Problem | None:
    """None where nothing was said and nothing needs to be."""
    if not texts:
        return "missing" if question.required else None
    key, kind, text = question.key, question.kind, texts[0].strip()
    match kind:
        case "text":
            words = _CONTROL.sub("", texts[0].replace("\r\n", "\n")).strip()[:LONGEST_TEXT]
            return Answer(key, kind, text=words) if words else "missing" if question.required else None
        case "single" | "multiple" | "yes_no":
            known = ["yes", "no"] if kind == "yes_no" else [choice.key for choice in question.choices]
            if any(each not in known for each in texts) or (kind != "multiple" and len(set(texts)) > 1):
                return "unknown"
            return Answer(key, kind, tuple(each for each in known if each in texts))
        case "date":
            return _date(key, text)
        case _:
            return _number(question, text)


def _date(key: str, text: str) -> Answer | Problem:
    try:
        day = date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        day = None
    return "date" if day is None or not _FIRST <= day <= _LAST else Answer(key, "date", day=day)


def _number(question: Question, text: str) -> Answer | Problem:
    if _NUMBER.fullmatch(text) is None:
        return "number"
    number = Decimal(text.replace(",", "."))
    if question.kind == "scale" and number != int(number):
        return "number"
    if (question.minimum is not None and number < question.minimum) or (
        question.maximum is not None and number > question.maximum
    ):
        return "range"
    return Answer(question.key, question.kind, number=number)
