"""Examples of surveys: one answered, one declined and one expired, and what two of them say of us; see golden."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_contracts import events as e

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]


def steps(order: UUID, delivery: UUID, customer: UUID, flow: UUID, uid: Any, start: datetime) -> Steps:
    """Each with who acts, on which day, on which flow, at which version, and by which event."""
    about: dict[str, Any] = {"customer_id": customer, "order_id": order, "delivery_id": delivery}
    csat: dict[str, Any] = {"ask_id": uid(9, 1), "survey": "after-delivery", "survey_version": 1, **about}
    nps: dict[str, Any] = {"survey": "recommend", "survey_version": 2, **about}
    asked_at = start + timedelta(26)
    return [
        (
            e.SurveyAsked(**csat, kind="csat", trigger="delivery_completed", expires_at=start + timedelta(40)),
            *("delivery", 26, flow, 2, "delivery.completed"),
        ),
        (
            e.SurveyAnswered(
                **csat,
                kind="csat",
                trigger="delivery_completed",
                asked_at=asked_at,
                reminded=False,
                answers=(
                    e.CodedAnswer(question="score", number=Decimal(5)),
                    e.CodedAnswer(question="why", choices=("fast", "friendly")),
                    e.CodedAnswer(question="again", yes=True),
                    e.CodedAnswer(question="comment", told=True),
                ),
            ),
            *("delivery", 27, flow, 3, None),
        ),
        (e.CsatRecorded(**csat, score=5, about="delivery", asked_at=asked_at), "delivery", 27, flow, 3, None),
        (e.NpsRecorded(**nps, ask_id=uid(9, 2), score=9, asked_at=asked_at), "delivery", 28, flow, 3, None),
        (
            e.SurveyDeclined(**nps, ask_id=uid(9, 3), kind="nps", trigger="schedule", asked_at=asked_at),
            *("delivery", 28, flow, 3, None),
        ),
        (
            e.SurveyExpired(**nps, ask_id=uid(9, 4), kind="nps", trigger="schedule", asked_at=asked_at),
            *("delivery", 40, flow, 3, None),
        ),
    ]
