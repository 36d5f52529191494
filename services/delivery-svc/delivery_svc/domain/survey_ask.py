"""One person asked one survey: from when that was decided until it was answered, or will not be any more."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, NotFound, WrongTransition
from ltc_contracts.events import CsatRecorded, Event, NpsRecorded, SurveyAnswered, SurveyAsked, SurveyDeclined, SurveyExpired

from delivery_svc.domain.survey import SCORE, Kind, Language, Survey, Trigger
from delivery_svc.domain.survey_answer import Answer, coded

State = Literal["waiting", "asked", "answered", "declined", "expired", "skipped"]
Move = Literal["ask", "skip", "postpone", "remind", "answer", "decline", "expire"]
# Why somebody was not asked.
Reason = Literal["quiet", "stopped", "inactive", "late", "reopened", "erased"]
TRANSITIONS: dict[tuple[State, Move], State] = {
    ("waiting", "ask"): "asked",
    ("waiting", "skip"): "skipped",
    ("waiting", "postpone"): "waiting",
    ("asked", "remind"): "asked",
    ("asked", "answer"): "answered",
    ("asked", "decline"): "declined",
    ("asked", "expire"): "expired",
}


class AskNotFound(NotFound):
    """Nobody was asked by this."""


class SurveyOver(DomainError):
    """The survey cannot be answered any more."""

    kind = "gone"


@dataclass(frozen=True, slots=True)
class Ask:
    """`number` is of the order or ticket that it is about. `due_at` is when it is asked, `next_at` when anything is due for it.

    `wait_until`: until then it waits for the end of a quiet period; None: it is skipped, since later nobody remembers.
    """

    id: UUID
    flow_id: UUID
    version: int
    survey: str
    survey_version: int
    kind: Kind
    trigger: Trigger
    state: State
    reason: str | None
    email: str | None
    name: str | None
    language: Language
    number: str | None
    customer_id: UUID | None
    order_id: UUID | None
    delivery_id: UUID | None
    ticket_id: UUID | None
    dedupe_key: str
    due_at: datetime
    wait_until: datetime | None
    next_at: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime
    asked_at: datetime | None = None
    remind_at: datetime | None = None
    reminded_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    score: int | None = None


Decision = tuple[Ask, list[Event]]


def ask(waiting: Ask, survey: Survey, now: datetime) -> Decision:
    """The person is asked now, by the present version."""
    expires_at = now + timedelta(days=survey.valid_days)
    remind_at = now + timedelta(days=survey.remind_days) if survey.remind_days else None
    asked = replace(
        _moved(waiting, "ask", now),
        survey_version=survey.version,
        asked_at=now,
        remind_at=remind_at,
        expires_at=expires_at,
        next_at=remind_at or expires_at,
    )
    return asked, [SurveyAsked(**_fact(asked), expires_at=expires_at)]


def skip(waiting: Ask, reason: Reason, now: datetime) -> Ask:
    """The person is not asked."""
    return replace(_moved(waiting, "skip", now), reason=reason, next_at=None, ended_at=now)


def postpone(waiting: Ask, until: datetime, now: datetime) -> Ask:
    """Asked once the quiet period is over."""
    return replace(_moved(waiting, "postpone", now), next_at=until)


def remind(asked: Ask, now: datetime) -> Ask:
    """Once at most."""
    if asked.reminded_at is not None:
        raise WrongTransition("the survey", "reminded of", "remind")
    return replace(_moved(asked, "remind", now), reminded_at=now, next_at=asked.expires_at)


def answer(asked: Ask, answers: Sequence[Answer], now: datetime) -> Decision:
    """Once and for good. Raises `SurveyOver`."""
    if asked.state != "asked" or asked.expires_at is None or now >= asked.expires_at:
        raise SurveyOver("this survey cannot be answered any more")
    score = next((int(each.number) for each in answers if each.question == SCORE and each.number is not None), None)
    score = score if asked.kind != "research" else None
    done = replace(_ended(asked, "answer", now), score=score)
    said = SurveyAnswered(
        **_fact(done), asked_at=done.asked_at, reminded=done.reminded_at is not None, answers=tuple(map(coded, answers))
    )
    return done, [said, *_scored(done)]


def decline(asked: Ask, now: datetime) -> Decision:
    """The person wants no surveys."""
    done = _ended(asked, "decline", now)
    return done, [SurveyDeclined(**_fact(done), asked_at=done.asked_at)]


def expire(asked: Ask, now: datetime) -> Decision:
    """No answer came in time."""
    done = _ended(asked, "expire", now)
    return done, [SurveyExpired(**_fact(done), asked_at=done.asked_at)]


def is_late(waiting: Ask, survey: Survey, now: datetime) -> bool:
    """Whether we are so late with it (no server, no address of ours) that its link would have expired by now."""
    return now >= (waiting.next_at or waiting.due_at) + timedelta(days=survey.valid_days)


def _moved(before: Ask, move: Move, now: datetime) -> Ask:
    state = TRANSITIONS.get((before.state, move))
    if state is None:
        raise WrongTransition("the survey", before.state, move)
    return replace(before, state=state, version=before.version + 1, updated_at=now)


def _ended(asked: Ask, move: Move, now: datetime) -> Ask:
    return replace(_moved(asked, move, now), next_at=None, ended_at=now)


def _scored(done: Ask) -> list[Event]:
    if done.score is None:
        return []
    about: dict[str, Any] = {
        "ask_id": done.id,
        "score": done.score,
        "survey": done.survey,
        "survey_version": done.survey_version,
        "asked_at": done.asked_at,
        "customer_id": done.customer_id,
        "order_id": done.order_id,
        "delivery_id": done.delivery_id,
    }
    if done.kind == "nps":
        return [NpsRecorded(**about)]
    return [CsatRecorded(**about, ticket_id=done.ticket_id, about="ticket" if done.ticket_id else "delivery")]


def _fact(each: Ask) -> dict[str, Any]:
    return {
        "ask_id": each.id,
        "survey": each.survey,
        "survey_version": each.survey_version,
        "kind": each.kind,
        "trigger": each.trigger,
        "customer_id": each.customer_id,
        "order_id": each.order_id,
        "delivery_id": each.delivery_id,
        "ticket_id": each.ticket_id,
    }
