"""Production orders: what is to be made for a step of a delivery, and what an MES tells of it. Vocabulary of ISA-95 part 4.

A production is one job order. An MES tells totals with the moment at which they were so: what is older than known changes nothing, so
repetitions and any order of arrival end in the same. Once it has ended only the figures follow what is told (an MES restates them until
it closes a job), with one exception: pieces that turn out to be there after all complete one that failed and waits for a person.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID

from ltc_contracts.errors import Invalid, NotFound, NotYet, WrongTransition
from ltc_contracts.events import (
    Event,
    JobState,
    MesProductionProgressed,
    ProductionCancelled,
    ProductionChanged,
    ProductionCompleted,
    ProductionFailed,
    ProductionOrdered,
)

State = Literal["ordered", "in_progress", "completed", "failed", "cancelled"]
Failure = Literal["short", "aborted"]
Silence = Literal["not_begun", "not_finished"]
TRANSITIONS: dict[State, frozenset[State]] = {
    "ordered": frozenset({"in_progress", "completed", "failed", "cancelled"}),
    "in_progress": frozenset({"completed", "failed", "cancelled"}),
    "completed": frozenset(),
    "failed": frozenset({"completed"}),
    "cancelled": frozenset(),
}
OPEN: frozenset[State] = frozenset({"ordered", "in_progress"})
NONE = Decimal(0)
# The greater the sooner (ISA-95): what is made anew, or nothing is heard of, is late already.
PRIORITY, PRIORITY_ANEW = 50, 75
# A step that came out short so often is for a person to decide.
MOST_ATTEMPTS = 3
# How far the clock of an MES may be ahead of ours. One that is years ahead would make all its later reports stale.
CLOCK_SKEW = timedelta(days=1)
_FIRST, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


class ProductionNotFound(NotFound):
    """No production has this id."""

    def __init__(self, production_id: UUID) -> None:
        super().__init__(f"no production {production_id}")


class ProductionNotKnownYet(NotYet):
    """An MES told of a job order that was not ordered (yet)."""

    def __init__(self, production_id: UUID) -> None:
        super().__init__(f"no production {production_id} is ordered yet")


class ReportedInTheFuture(Invalid):
    """A report is a fact, so it lies behind us."""

    def __init__(self, as_of: datetime, now: datetime) -> None:
        super().__init__(f"{as_of.isoformat()} is after now, {now.isoformat()}", field="as_of")


class ReportedMomentOutOfRange(Invalid):
    """No plan reaches so far."""

    def __init__(self, field: str) -> None:
        super().__init__("must be between 1970 and 2200", field=field)


class NothingToReorder(WrongTransition):
    """Only pieces that a production failed to make are ordered anew, once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the MES told last. `quantity_good` and `quantity_scrap` are totals since the start."""

    job_state: JobState | None = None
    quantity_good: Decimal = NONE
    quantity_scrap: Decimal = NONE
    segment: str | None = None
    work_center: str | None = None
    actual_start: datetime | None = None
    actual_end: datetime | None = None
    expected_end: datetime | None = None
    reason: str | None = None
    as_of: datetime | None = None
    sequence: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Production:
    """A job order, to begin on `start_on` at the latest. `attempt` counts the productions of a step that came out short, from 1.

    Of one that failed `reordered` says that another follows, `settled` that what it did not make is not wanted any more. Of one that is
    open `silence` says what should have been heard of it and was not.
    """

    id: UUID
    flow_id: UUID
    version: int
    number: str
    delivery_id: UUID
    order_id: UUID
    order_number: str
    line_id: UUID
    step_id: UUID
    sku: str
    description: str
    quantity: Decimal
    start_on: date
    needed_by: date
    priority: int
    reorder_of: UUID | None = None
    attempt: int = 1
    state: State = "ordered"
    failure: Failure | None = None
    reordered: bool = False
    settled: bool = False
    silence: Silence | None = None
    report: Report = Report()
    ended_at: datetime | None = None
    created_at: datetime
    updated_at: datetime

    @property
    def missing(self) -> Decimal:
        """What is not good yet."""
        return max(NONE, self.quantity - self.report.quantity_good)

    @property
    def stuck(self) -> bool:
        """It failed, and nothing goes on by itself."""
        return self.state == "failed" and not self.reordered and not self.settled

    @property
    def waiting_because(self) -> Failure | Silence | None:
        """Why a person has to look at it; None: nobody has to."""
        return self.failure if self.stuck else self.silence


Decision = tuple[Production, list[Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a step of a plan wants to be there: in all, by when, and how much of it is `done`, by whatever way.

    A step that has ended wants what is done of it, and one of a delivery that was cancelled nothing.
    """

    step_id: UUID
    line_id: UUID
    sku: str
    description: str
    quantity: Decimal
    done: Decimal
    needed_by: date


def number_of(year: int, drawn: int) -> str:
    """P-2026-000001."""
    return f"P-{year}-{drawn:06d}"


def order(production: Production) -> list[Event]:
    """The shop floor is to make it."""
    return [ProductionOrdered(**job(production))]


def change(production: Production, quantity: Decimal, start_on: date, needed_by: date, now: datetime) -> Decision:
    """Another quantity or day. What is good already may be enough: then it is complete, and the shop floor is told to make no more."""
    _require_open(production, "change")
    if (quantity, needed_by) == (production.quantity, production.needed_by):
        return production, []
    changed = touch(replace(production, quantity=quantity, start_on=start_on, needed_by=needed_by, silence=None), now)
    events: list[Event] = [ProductionChanged(**job(changed))]
    if changed.missing:
        return changed, events
    done, completed = _complete(changed, now, now)
    return touch(done, now), [*events, completed]


def cancel(production: Production, reason: str, now: datetime) -> Decision:
    """Not needed any more, begun or not. One that has ended stays as it is."""
    if production.state not in OPEN:
        return production, []
    cancelled = ProductionCancelled(
        production_id=production.id,
        number=production.number,
        delivery_id=production.delivery_id,
        order_id=production.order_id,
        reason=reason,
    )
    ended = replace(production, state=_to(production, "cancelled", "cancel"), silence=None, ended_at=now)
    return touch(ended, now), [cancelled]


def learn(production: Production, told: MesProductionProgressed, now: datetime) -> Decision:
    """What the MES tells: the job goes on, is good for its quantity, or has ended without.

    A report that is not newer than the last changes nothing. Raises `ReportedInTheFuture`, `ReportedMomentOutOfRange`.
    """
    _check_moments(told, now)
    known = production.report
    if known.as_of is not None and (told.as_of, told.sequence) <= (known.as_of, known.sequence):
        return production, []
    learnt = touch(replace(production, report=_report(told, known), silence=None), now)
    happened = min(now, told.actual_end or told.as_of)
    if production.state in OPEN or learnt.stuck:
        if not learnt.missing:
            done, completed = _complete(learnt, happened, now)
            return done, [completed]
        if production.state in OPEN and told.state in ("Ended", "Aborted"):
            return _fail(learnt, "short" if told.state == "Ended" else "aborted", happened)
        if production.state == "ordered" and _begun(learnt.report):
            return replace(learnt, state=_to(learnt, "in_progress", "begin")), []
    return learnt, []


def reorder(production: Production, now: datetime) -> Production:
    """A person has the missing pieces made after all. Raises `NothingToReorder`."""
    if not production.stuck:
        raise NothingToReorder(f"production {production.number}", production.state, "reorder")
    return touch(replace(production, reordered=True), now)


def follow(wanted: Wanted, productions: Sequence[Production]) -> tuple[Production | None, Decimal]:
    """The open production of a step, and how much it (or, if there is none, a further one) is to make; nothing: it is not needed.

    Good pieces that the step counts are never too many: an order that was lessened to just these, or that ended with them, completes
    their production. Nothing is ordered by itself while one that failed waits for a person.
    """
    of_step = [each for each in productions if each.step_id == wanted.step_id]
    running = next((each for each in of_step if each.state in OPEN), None)
    if any(each.stuck for each in of_step):
        return running, NONE
    return running, _to_make(wanted, of_step, running)


def settle(wanted: Wanted, productions: Sequence[Production], now: datetime) -> list[Production]:
    """Those that no person has to decide on any more, since all that the step wants is there (or nothing is wanted)."""
    of_step = [each for each in productions if each.step_id == wanted.step_id]
    if _to_make(wanted, of_step, None):
        return []
    return [touch(replace(each, settled=True), now) for each in of_step if each.stuck]


def _to_make(wanted: Wanted, of_step: Sequence[Production], running: Production | None) -> Decimal:
    before = made(each for each in of_step if each.state not in OPEN)
    so_far = running.report.quantity_good if running is not None else NONE
    # What is done and was not made here came by another way: from stock, or handed over without a word.
    elsewhere = max(NONE, wanted.done - before - so_far)
    return max(NONE, wanted.quantity - before - elsewhere)


def made(productions: Iterable[Production]) -> Decimal:
    """Good pieces of these, without what was made of one that was cancelled or is more than ordered: that is the shop floor's."""
    return sum((min(p.quantity, p.report.quantity_good) for p in productions if p.state != "cancelled"), NONE)


def hindrance(productions: Sequence[Production], wanted: Mapping[UUID, Decimal]) -> str | None:
    """Why lines cannot be wanted in these quantities any more: more of them is finished. None: they can. A line not named: 0."""
    for line_id in dict.fromkeys(each.line_id for each in productions):
        of_line = [each for each in productions if each.line_id == line_id]
        finished = made(each for each in of_line if each.state not in OPEN)
        if finished > wanted.get(line_id, NONE):
            numbers = ", ".join(each.number for each in of_line if each.state not in OPEN and each.report.quantity_good)
            return f"{finished.normalize():f} of {of_line[0].sku} are made already ({numbers})"
    return None


def ready_at(production: Production, now: datetime) -> datetime | None:
    """When its pieces can go on; None while nobody knows. Not before now: what comes after it waits for the word that it is good."""
    if production.state == "completed":
        return now
    if production.state in OPEN and production.report.expected_end is not None:
        return max(now, production.report.expected_end)
    return None


def _begun(report: Report) -> bool:
    return report.job_state in ("Running", "Interrupted") or report.quantity_good > 0 or report.quantity_scrap > 0


def _complete(production: Production, completed_at: datetime, now: datetime) -> tuple[Production, Event]:
    completed_at = max(min(completed_at, now), production.created_at)
    done = replace(production, state=_to(production, "completed", "complete"), failure=None, ended_at=completed_at)
    report = production.report
    return done, ProductionCompleted(
        **_about(production),
        quantity=production.quantity,
        quantity_good=report.quantity_good,
        quantity_scrap=report.quantity_scrap,
        work_center=report.work_center,
        ordered_at=production.created_at,
        started_at=report.actual_start,
        completed_at=completed_at,
        needed_by=production.needed_by,
        late=completed_at.astimezone(UTC).date() > production.needed_by,
    )


def _fail(production: Production, failure: Failure, failed_at: datetime) -> Decision:
    # An abort is somebody's decision on the shop floor; to order the same again at once would not respect it.
    reordered = failure == "short" and production.attempt < MOST_ATTEMPTS
    failed_at = max(failed_at, production.created_at)
    failed = replace(production, state=_to(production, "failed", "end"), failure=failure, reordered=reordered, ended_at=failed_at)
    event = ProductionFailed(
        **_about(production),
        code=failure,
        quantity=production.quantity,
        quantity_good=production.report.quantity_good,
        quantity_scrap=production.report.quantity_scrap,
        missing=production.missing,
        reason=production.report.reason,
        failed_at=failed_at,
        reordered=reordered,
    )
    return failed, [event]


def _report(told: MesProductionProgressed, known: Report) -> Report:
    """The report as it is kept. What an MES leaves out now it has told before; an expectation ends with the job."""
    ended = told.state in ("Ended", "Aborted")
    return Report(
        job_state=told.state,
        quantity_good=told.quantity_good,
        quantity_scrap=told.quantity_scrap,
        segment=told.segment or known.segment,
        work_center=told.work_center or known.work_center,
        actual_start=told.actual_start or known.actual_start,
        actual_end=told.actual_end or known.actual_end,
        expected_end=None if ended else told.expected_end or known.expected_end,
        reason=told.reason,
        as_of=told.as_of,
        sequence=told.sequence,
    )


def _check_moments(told: MesProductionProgressed, now: datetime) -> None:
    if told.as_of > now + CLOCK_SKEW:
        raise ReportedInTheFuture(told.as_of, now)
    for field in ("as_of", "actual_start", "actual_end", "expected_end"):
        moment: datetime | None = getattr(told, field)
        if moment is not None and not _FIRST <= moment <= _LAST:
            raise ReportedMomentOutOfRange(field)


def job(production: Production) -> dict[str, object]:
    """The whole job order, as events tell it."""
    return _about(production) | {
        "order_number": production.order_number,
        "line_id": production.line_id,
        "description": production.description,
        "quantity": production.quantity,
        "needed_by": production.needed_by,
        "priority": production.priority,
        "reorder_of": production.reorder_of,
    }


def _about(production: Production) -> dict[str, object]:
    return {
        "production_id": production.id,
        "number": production.number,
        "delivery_id": production.delivery_id,
        "order_id": production.order_id,
        "sku": production.sku,
    }


def _require_open(production: Production, verb: str) -> None:
    if production.state not in OPEN:
        raise WrongTransition(f"production {production.number}", production.state, verb)


def _to(production: Production, state: State, verb: str) -> State:
    if state not in TRANSITIONS[production.state]:
        raise WrongTransition(f"production {production.number}", production.state, verb)
    return state


def touch(production: Production, now: datetime) -> Production:
    """The next version."""
    return replace(production, version=production.version + 1, updated_at=now)
