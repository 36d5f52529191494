"""Facts published by delivery-svc about surveys. Scores and coded answers only: words of people, names and addresses are never on them."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Day, Event, Exact, Part

SurveyKind = Annotated[
    Literal["csat", "nps", "research"], Field(description="satisfaction 1-5, recommendation 0-10, own questions")
]
SurveyTrigger = Annotated[
    Literal["delivery_completed", "ticket_resolved", "ticket_closed", "schedule", "request"],
    Field(description="why it was asked"),
]
SurveyVersion = Annotated[int, Field(ge=1)]
AskedAt = Annotated[AwareDatetime, Field(description="when the person was asked: by it an answer finds its ask")]


class CodedAnswer(Part):
    """The answer to one question: what was chosen, a number of a scale or an amount, yes or no, or a day. A text is only `told`."""

    question: Code
    choices: Annotated[tuple[Code, ...], Field(max_length=50)] = ()
    number: Exact | None = None
    yes: bool | None = None
    day: Day | None = None
    told: Annotated[bool, Field(description="something was written; what, is not carried")] = False


class SurveyFact(Event):
    """What every fact about one person asked one survey says. It rides on the flow of the order or ticket that it is about."""

    SUBJECT: ClassVar[str] = "ask_id"

    ask_id: UUID
    survey: Code
    survey_version: SurveyVersion
    kind: SurveyKind
    trigger: SurveyTrigger
    customer_id: UUID | None = None
    order_id: UUID | None = None
    delivery_id: UUID | None = None
    ticket_id: UUID | None = None


class SurveyAsked(SurveyFact):
    """A person was asked by mail."""

    TOPIC: ClassVar[str] = "survey.asked"

    expires_at: AwareDatetime


class SurveyAnswered(SurveyFact):
    """The person answered, once and for good."""

    TOPIC: ClassVar[str] = "survey.answered"

    asked_at: AskedAt
    reminded: bool
    answers: Annotated[tuple[CodedAnswer, ...], Field(max_length=50)]


class SurveyDeclined(SurveyFact):
    """The person wants no surveys, or was erased; this one gets no answer."""

    TOPIC: ClassVar[str] = "survey.declined"

    asked_at: AskedAt


class SurveyExpired(SurveyFact):
    """No answer came in its time."""

    TOPIC: ClassVar[str] = "survey.expired"

    asked_at: AskedAt


class CsatRecorded(Event):
    """How satisfied a customer is with a delivery or with the work on a ticket: 4 and 5 count as satisfied."""

    TOPIC: ClassVar[str] = "csat.recorded"
    SUBJECT: ClassVar[str] = "ask_id"

    ask_id: UUID
    score: Annotated[int, Field(ge=1, le=5)]
    about: Literal["delivery", "ticket"]
    survey: Code
    survey_version: SurveyVersion
    asked_at: AskedAt
    customer_id: UUID | None = None
    order_id: UUID | None = None
    delivery_id: UUID | None = None
    ticket_id: UUID | None = None


class NpsRecorded(Event):
    """Whether a customer would recommend us: 9 and 10 are promoters, 0 to 6 detractors."""

    TOPIC: ClassVar[str] = "nps.recorded"
    SUBJECT: ClassVar[str] = "ask_id"

    ask_id: UUID
    score: Annotated[int, Field(ge=0, le=10)]
    survey: Code
    survey_version: SurveyVersion
    asked_at: AskedAt
    customer_id: UUID | None = None
    order_id: UUID | None = None
    delivery_id: UUID | None = None
