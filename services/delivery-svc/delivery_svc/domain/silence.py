"""An MES that says nothing: a production that should have begun, or be finished, and of which no such word came.

When it is to be heard of follows from its plan and from what was told: by the end of the day on which it has to begin, or, once it has
begun or its end is foreseen, of the day on which it is needed or was foreseen for. Each report counts anew from its moment.
"""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

from ltc_contracts.events import ProductionChanged

from delivery_svc.domain.production import OPEN, PRIORITY_ANEW, Decision, Production, Silence, job, touch


def news_due_at(production: Production) -> datetime | None:
    """When something is to be heard of it at the latest; None once it has ended, or a person was told that nothing was heard."""
    if production.state not in OPEN or production.silence is not None:
        return None
    report = production.report
    if _missing_word(production) == "not_begun":
        planned = _end_of(production.start_on)
    else:
        planned = max(_end_of(production.needed_by), report.expected_end or production.created_at)
    return max(planned, production.created_at, report.as_of or production.created_at)


def fall_silent(production: Production, now: datetime, grace: timedelta) -> Decision:
    """Nothing was heard in time: a person has to ask, and the shop floor is told the whole job once more, as an urgent one; it may have
    missed it. Nothing changes while there is time."""
    due_at = news_due_at(production)
    if due_at is None or now < due_at + grace:
        return production, []
    priority = max(production.priority, PRIORITY_ANEW)
    silent = touch(replace(production, silence=_missing_word(production), priority=priority), now)
    return silent, [ProductionChanged(**job(silent))]


def _missing_word(production: Production) -> Silence:
    return "not_begun" if production.state == "ordered" and production.report.expected_end is None else "not_finished"


def _end_of(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), time(), UTC)
