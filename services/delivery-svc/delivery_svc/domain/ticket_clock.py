"""How soon tickets are answered and resolved: policies, and clocks of business time that pause while nobody of us has to act."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_rules.calendar import Calendar, calendar_of
from ltc_rules.stopwatch import NOTHING, Stopwatch

from delivery_svc.domain.ticket import Priority, Ticket

Kind = Literal["first_response", "resolution"]
KINDS: tuple[Kind, ...] = ("first_response", "resolution")
To = Literal["assignee", "lead", "queue"]
State = Literal["running", "paused", "met", "dropped"]
TRANSITIONS: dict[tuple[State, str], State] = {
    ("running", "pause"): "paused",
    ("paused", "resume"): "running",
    ("running", "meet"): "met",
    ("paused", "meet"): "met",
    ("running", "drop"): "dropped",
    ("paused", "drop"): "dropped",
    ("met", "resume"): "running",  # of a resolution, when the ticket comes back
}
MOST_POLICIES, MOST_STEPS = 100, 10


@dataclass(frozen=True, slots=True)
class Step:
    """So many business minutes after the target of a clock: whom to tell, and whether by mail."""

    clock: Kind
    after_minutes: int
    to: To | None
    mail: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """One version. The smaller `position` is asked first; no queues or no priorities means all of them."""

    code: str
    version: int
    name: str
    position: int
    queues: Sequence[str]
    priorities: Sequence[Priority]
    response_minutes: int | None
    resolution_minutes: int | None
    warn_percent: int | None
    calendar: Mapping[str, Any]
    steps: Sequence[Step]
    active: bool

    @property
    def hours(self) -> Calendar:
        """Raises `Invalid` for a calendar that is broken."""
        return calendar_of(self.calendar)

    def target(self, kind: Kind) -> int | None:
        """In business minutes."""
        return self.response_minutes if kind == "first_response" else self.resolution_minutes

    def steps_of(self, kind: Kind) -> list[Step]:
        """The first level is always the target itself, whether anybody is told or not."""
        steps = [step for step in self.steps if step.clock == kind]
        return steps if steps and steps[0].after_minutes == 0 else [Step(kind, 0, None, mail=False), *steps]

    def levels(self, kind: Kind) -> list[timedelta]:
        """How much business time leads to the warning (level 0) and to each level; without a warning it never comes."""
        target = timedelta(minutes=self.target(kind) or 0)
        warning = target * (self.warn_percent or 0) / 100
        return [warning, *(target + timedelta(minutes=step.after_minutes) for step in self.steps_of(kind))]


@dataclass(frozen=True, slots=True)
class Clock:
    """A clock of a ticket; `position` is the next level of its policy, due at `next_at`."""

    id: UUID
    ticket_id: UUID
    kind: Kind
    policy: str
    policy_version: int
    state: State
    target_minutes: int
    started_at: datetime
    used: timedelta
    running_since: datetime | None
    due_at: datetime | None
    position: int
    next_at: datetime | None
    business_minutes: int | None = None
    within_target: bool | None = None
    ended_at: datetime | None = None

    @property
    def watch(self) -> Stopwatch:
        return Stopwatch(self.used, self.running_since)

    @property
    def is_open(self) -> bool:
        return self.state in ("running", "paused")


def check(policy: Policy, now: datetime) -> None:
    """Raises `Invalid` naming the place; also when its calendar has not the hours that it needs."""
    if policy.response_minutes is None and policy.resolution_minutes is None:
        raise Invalid("a policy has a target at least", field="response_minutes")
    if len(policy.steps) > MOST_STEPS:
        raise Invalid(f"at most {MOST_STEPS} steps", field="steps")
    for kind in KINDS:
        minutes = [step.after_minutes for step in policy.steps if step.clock == kind]
        if minutes != sorted(set(minutes)):
            raise Invalid("steps of a clock come in the order of their time", field="steps")
        if minutes and policy.target(kind) is None:
            raise Invalid(f"there is no target of the {kind.replace('_', ' ')}", field="steps")
        for level in policy.levels(kind):
            policy.hours.add_business(now, level)


def holding(policies: Sequence[Policy], kind: Kind, queue: str, priority: Priority) -> Policy | None:
    """The first policy, in the order to ask, that has a target of this kind for the queue and priority."""
    for policy in policies:
        here = (not policy.queues or queue in policy.queues) and (not policy.priorities or priority in policy.priorities)
        if here and policy.active and policy.target(kind) is not None:
            return policy
    return None


def started(clock_id: UUID, ticket: Ticket, kind: Kind, policy: Policy, now: datetime) -> Clock:
    """A clock that runs from now on."""
    clock = Clock(
        id=clock_id,
        ticket_id=ticket.id,
        kind=kind,
        policy=policy.code,
        policy_version=policy.version,
        state="running",
        target_minutes=policy.target(kind) or 0,
        started_at=now,
        used=NOTHING,
        running_since=now,
        due_at=None,
        position=0 if policy.warn_percent is not None else 1,
        next_at=None,
    )
    return set_again(clock, policy)


def paused(clock: Clock, policy: Policy, now: datetime) -> Clock:
    """It rests from now on; what it had counted stays."""
    watch = _stopped(clock, policy, now)
    return replace(clock, state=TRANSITIONS[clock.state, "pause"], used=watch.used, running_since=None, due_at=None, next_at=None)


def resumed(clock: Clock, policy: Policy, now: datetime) -> Clock:
    """It goes on, however it ended or rested; levels that were told are not told again."""
    again = replace(
        clock,
        state=TRANSITIONS[clock.state, "resume"],
        running_since=now,
        business_minutes=None,
        within_target=None,
        ended_at=None,
    )
    return set_again(again, policy)


def met(clock: Clock, policy: Policy, now: datetime) -> Clock:
    """What it waited for is done. In time is what took no more business time than the target."""
    used = _stopped(clock, policy, now).used
    return replace(
        clock,
        state=TRANSITIONS[clock.state, "meet"],
        used=used,
        running_since=None,
        due_at=None,
        next_at=None,
        business_minutes=math.floor(used / timedelta(minutes=1)),
        within_target=used <= timedelta(minutes=clock.target_minutes),
        ended_at=now,
    )


def dropped(clock: Clock, now: datetime) -> Clock:
    """Nobody waits for it any more."""
    return replace(clock, state=TRANSITIONS[clock.state, "drop"], running_since=None, due_at=None, next_at=None, ended_at=now)


def retargeted(clock: Clock, before: Policy, policy: Policy, now: datetime) -> Clock:
    """It goes on under another policy: what was counted counts, what was told is not told again."""
    used = _stopped(clock, before, now).used
    other = replace(
        clock,
        policy=policy.code,
        policy_version=policy.version,
        target_minutes=policy.target(clock.kind) or 0,
        used=used,
        running_since=now if clock.state == "running" else None,
        position=max(clock.position, 0 if policy.warn_percent is not None else 1),
    )
    return set_again(other, policy)


def passed(clock: Clock, policy: Policy) -> Clock:
    """The next level of the clock was seen to."""
    return set_again(replace(clock, position=clock.position + 1), policy)


def set_again(clock: Clock, policy: Policy) -> Clock:
    """The clock with the moments at which the target and the next level are reached, if it runs on."""
    levels = policy.levels(clock.kind)
    following = levels[clock.position] if clock.position < len(levels) else None
    return replace(
        clock,
        due_at=_reaches(clock, policy, timedelta(minutes=clock.target_minutes)),
        next_at=None if following is None else _reaches(clock, policy, following),
    )


def _reaches(clock: Clock, policy: Policy, target: timedelta) -> datetime | None:
    if clock.running_since is None:
        return None
    try:
        return clock.watch.reaches(policy.hours, target)
    except Invalid:
        # A calendar that came to an end must not refuse a customer's words: then all the time that passes counts.
        return clock.running_since + max(target - clock.used, NOTHING)


def _stopped(clock: Clock, policy: Policy, now: datetime) -> Stopwatch:
    try:
        return clock.watch.stopped(policy.hours, now)
    except Invalid:
        return Stopwatch(clock.used + (now - clock.running_since if clock.running_since else NOTHING), None)
