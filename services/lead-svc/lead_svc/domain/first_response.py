"""How soon somebody gets back to a lead: policies with a target in business time, the clock of a lead, and what stops it.

A clock starts when a lead is captured (and when it comes back after a wait, where the policy says so); being assigned or put back
into the pool starts nothing anew. It never pauses: what counts is the time in which somebody could have answered.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import LeadFirstResponded, LeadSlaBreached
from ltc_rules import conditions
from ltc_rules.calendar import Calendar, calendar_of
from ltc_rules.conditions import Kind
from ltc_rules.custom_fields import FieldDef

from lead_svc.domain.desk import QUEUE
from lead_svc.domain.fields import fields, values_of
from lead_svc.domain.lead import Lead

To = Literal["rep", "team", "queue"]
Why = Literal["captured", "returned"]
# Why a clock ends without a response.
Dropped = Literal["disqualified", "erased", "merged", "won", "lost"]
State = Literal["running", "responded", "dropped"]
TRANSITIONS: dict[tuple[State, str], State] = {
    ("running", "respond"): "responded",
    ("running", "drop"): "dropped",
    ("dropped", "resume"): "running",
}
MOST_POLICIES, MOST_LEVELS = 100, 10
_MORE: dict[str, Kind] = {"band": "text", "segments": "list", "status": "text", "owner": "text"}
# What one of us does with a lead that is an answer to it. A note or a thing to do is not.
ANSWERS = frozenset({"call", "email", "meeting"})


@dataclass(frozen=True, slots=True)
class Step:
    """So many business minutes after the target: whom to tell, by mail or not, and whether the lead returns to the pool."""

    after_minutes: int
    to: To | None
    queue: str | None = None
    mail: bool = True
    to_pool: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of a policy. The smaller `priority` is asked first; the first one whose condition holds starts the clock."""

    code: str
    version: int
    name: str
    priority: int
    condition: Mapping[str, Any]
    target_minutes: int
    warn_percent: int | None
    calendar: Mapping[str, Any]
    steps: Sequence[Step]
    on_return: bool
    active: bool

    @property
    def hours(self) -> Calendar:
        """Raises `Invalid` for a calendar that is broken."""
        return calendar_of(self.calendar)


@dataclass(frozen=True, slots=True)
class Clock:
    """One wait of a lead. `moments` are when it is warned of (if it `warns`), then when each level is due; `position` is the next."""

    id: UUID
    lead_id: UUID
    policy: str
    policy_version: int
    why: Why
    state: State
    started_at: datetime
    due_at: datetime
    warns: bool
    moments: Sequence[datetime]
    position: int
    next_at: datetime | None
    responded_at: datetime | None = None
    responded_by: str | None = None
    activity: str | None = None
    business_minutes: int | None = None
    within_target: bool | None = None
    dropped_by: Dropped | None = None
    ended_at: datetime | None = None

    @property
    def level(self) -> int:
        """What is due next: 0 is the warning."""
        return self.position if self.warns else self.position + 1


def check(policy: Policy, own: Iterable[FieldDef], now: datetime) -> None:
    """Raises `Invalid` naming the place; also when its calendar has not the hours that it needs."""
    conditions.check(policy.condition, fields(own, _MORE))
    for number, step in enumerate(policy.steps):
        if step.to != "queue" and step.queue is not None:
            raise Invalid("only a step to a queue names one", field=f"steps.{number}.queue")
        if number and step.after_minutes <= policy.steps[number - 1].after_minutes:
            raise Invalid("steps come in the order of their time", field=f"steps.{number}.after_minutes")
    if len(policy.steps) > MOST_LEVELS:
        raise Invalid(f"at most {MOST_LEVELS} levels, the target among them", field="steps")
    moments(policy, now)


def whole(steps: Sequence[Step]) -> tuple[Step, ...]:
    """The first level is always the target itself, whether anybody is told or not."""
    return tuple(steps) if steps and steps[0].after_minutes == 0 else (Step(0, None, mail=False), *steps)


def matching(policies: Sequence[Policy], lead: Lead, band: str | None, why: Why) -> Iterable[Policy]:
    """Those that hold for the lead, the first to ask first."""
    values = {**values_of(lead), "band": band, "segments": list(lead.segments), "status": lead.status, "owner": lead.owner}
    for policy in policies:
        if (why == "captured" or policy.on_return) and conditions.holds(policy.condition, values):
            yield policy


def moments(policy: Policy, start: datetime) -> tuple[datetime, ...]:
    """When a clock that starts now is warned of, and when each level is due. Raises `Invalid` for a broken calendar."""
    calendar = policy.hours
    if not policy.steps:
        raise Invalid("the target itself is the first level", field="steps")
    target = timedelta(minutes=policy.target_minutes)
    warning = () if policy.warn_percent is None else (target * policy.warn_percent / 100,)
    levels = (target + timedelta(minutes=step.after_minutes) for step in policy.steps)
    return tuple(calendar.add_business(start, each) for each in (*warning, *levels))


def started(clock_id: UUID, lead_id: UUID, policy: Policy, due: Sequence[datetime], why: Why, now: datetime) -> Clock:
    """The clock of a lead; `due` are the `moments` of the policy."""
    warns = policy.warn_percent is not None
    return Clock(
        id=clock_id,
        lead_id=lead_id,
        policy=policy.code,
        policy_version=policy.version,
        why=why,
        state="running",
        started_at=now,
        due_at=due[1 if warns else 0],
        warns=warns,
        moments=due,
        position=0,
        next_at=due[0],
    )


def answers(clock: Clock, activity: str, *, direction: str | None, by: str | None, occurred_at: datetime) -> bool:
    """Whether this is the first response: the one place that decides.

    One of us (`by`) called, wrote or met the lead, or did the task of the first response; or what the lead did to us as we
    know from one of us (a reply, a meeting) has it contacted. Nothing that a machine saw counts, nor what was before the start.
    """
    if by is None or clock.state != "running" or occurred_at < clock.started_at:
        return False
    return activity in ("meeting", "reply", "task") or (activity in ANSWERS and direction != "inbound")


def respond(
    clock: Clock, policy: Policy, *, activity: str, by: str, occurred_at: datetime, now: datetime
) -> tuple[Clock, LeadFirstResponded]:
    """The wait is over. In time is what was done by the due moment, however late it is written down."""
    minutes = int(_took(clock, policy, occurred_at) / timedelta(minutes=1))
    within = occurred_at <= clock.due_at
    done = replace(
        clock,
        state=_turn(clock, "respond"),
        next_at=None,
        responded_at=occurred_at,
        responded_by=by,
        activity=activity,
        business_minutes=minutes,
        within_target=within,
        ended_at=now,
    )
    event = LeadFirstResponded(
        lead_id=clock.lead_id,
        activity=activity,
        by=by,
        policy=policy.code,
        policy_version=policy.version,
        started_at=clock.started_at,
        due_at=clock.due_at,
        business_minutes=minutes,
        target_minutes=policy.target_minutes,
        within_target=within,
    )
    return done, event


def drop(clock: Clock, why: Dropped, now: datetime) -> Clock:
    """Nobody has to respond any more."""
    return replace(clock, state=_turn(clock, "drop"), next_at=None, dropped_by=why, ended_at=now)


def resume(clock: Clock) -> Clock:
    """It goes on as if it had never ended; what came due meanwhile is due."""
    at = clock.moments[clock.position] if clock.position < len(clock.moments) else None
    return replace(clock, state=_turn(clock, "resume"), next_at=at, dropped_by=None, ended_at=None)


def passed(clock: Clock) -> Clock:
    """The next moment of the clock was seen to."""
    position = clock.position + 1
    return replace(clock, position=position, next_at=clock.moments[position] if position < len(clock.moments) else None)


def breached(clock: Clock, policy: Policy, level: int, due_at: datetime, *, owner: str | None, to: str | None) -> LeadSlaBreached:
    """The event of a level."""
    return LeadSlaBreached(
        lead_id=clock.lead_id,
        escalation="first_response",
        level=level,
        escalate_to=to,
        owner=owner,
        policy=policy.code,
        policy_version=policy.version,
        started_at=clock.started_at,
        due_at=due_at,
        target_minutes=policy.target_minutes,
    )


def desk_of(step: Step, owner: str | None, team: str | None) -> tuple[To, str] | None:
    """Which desk a step tells; what is nobody's is told to the queue."""
    if step.to is None:
        return None
    if step.to == "rep" and owner is not None:
        return "rep", owner
    if step.to == "team" and team is not None:
        return "team", team
    return "queue", step.queue or QUEUE


def superfluous(clocks: Sequence[Clock]) -> list[Clock]:
    """Of the clocks of leads that became one, those that run beside another, or that were answered by what was done for the other."""
    running = sorted((clock for clock in clocks if clock.state == "running"), key=lambda clock: (clock.due_at, clock.id))
    answered = [clock.responded_at for clock in clocks if clock.responded_at is not None]
    kept = [clock for clock in running if not any(at >= clock.started_at for at in answered)][:1]
    return [clock for clock in running if clock not in kept]


def _took(clock: Clock, policy: Policy, at: datetime) -> timedelta:
    try:
        return policy.hours.business_between(clock.started_at, at)
    except Invalid:
        # A calendar that cannot be read any more must not refuse a rep's call: then all the time that passed counts.
        return at - clock.started_at


def _turn(clock: Clock, move: str) -> State:
    return TRANSITIONS[clock.state, move]
