"""Leads are given to reps by territory and capacity (RULES 1), fairly, and so that it can be explained.

A member's daily quota is round-half-up(max per 30 days / 30) less what was assigned to him in the last 24 hours; inactive or
absent members never receive. Fair is: of each lead every member who could have had it is owed a part, by his maximum; it goes to
whom most is owed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal, NamedTuple
from uuid import UUID

from ltc_contracts.errors import DomainError
from ltc_contracts.money import round_half_up
from ltc_rules.conditions import holds

DAY = timedelta(hours=24)
SWEEP_EVERY = timedelta(hours=1)
Blocked = Literal["inactive", "absent", "does not speak the language", "daily quota reached", "holds as many as allowed"]
NOTHING = Decimal(0)
_CREDIT_PLACES = 9


class NoSuchRep(DomainError):
    """A territory names somebody who is not entered as a rep."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class Rep:
    """Somebody who gets leads; `credit` is what he is still owed."""

    subject: str
    name: str
    team: str | None
    max_per_30_days: int
    languages: frozenset[str]
    active: bool
    credit: Decimal
    version: int


@dataclass(frozen=True, slots=True)
class Absence:
    """Away from `since` until before `until`."""

    id: UUID
    subject: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Territory:
    """Which leads go to whom; the smaller `priority` comes first. `language` is one that the members must speak."""

    code: str
    name: str
    priority: int
    condition: Mapping[str, Any]
    members: tuple[str, ...]
    language: str | None
    active: bool
    version: int


@dataclass(frozen=True, slots=True)
class Standing:
    """A rep at the moment of an assignment: `assigned` in the last 24 hours, `held` at this moment of `max_held`."""

    rep: Rep
    absent: bool
    assigned: int
    held: int
    max_held: int

    @property
    def quota(self) -> int:
        """What he may still get today."""
        return daily(self.rep.max_per_30_days) - self.assigned


class Candidate(NamedTuple):
    """A member looked at: what keeps him from getting the lead, or the part of it that he is owed (0 to 1)."""

    standing: Standing
    blocked: Blocked | None
    share: Decimal


class Choice(NamedTuple):
    """Who gets the lead, by which territory, and everybody who was looked at."""

    territory: Territory
    rep: str
    candidates: tuple[Candidate, ...]


class Look(NamedTuple):
    """A territory whose condition holds, with its members."""

    territory: Territory
    candidates: tuple[Candidate, ...]


def daily(max_per_30_days: int) -> int:
    """The quota of a day: round-half-up(max per 30 days / 30)."""
    return int(round_half_up(Decimal(max_per_30_days) / 30, 0))


def fitting(territories: Sequence[Territory], values: Mapping[str, Any]) -> list[Territory]:
    """The active territories of a lead, the first to be asked first."""
    found = [each for each in territories if each.active and holds(each.condition, values)]
    return sorted(found, key=lambda each: (each.priority, each.code))


def look(territory: Territory, standings: Mapping[str, Standing]) -> Look:
    """Every member with what keeps him from getting a lead, or with his part of it."""
    members = [standings[name] for name in territory.members if name in standings]
    free = [each for each in members if _blocked(each, territory) is None]
    total = sum(each.rep.max_per_30_days for each in free)
    return Look(
        territory,
        tuple(
            Candidate(
                each,
                blocked := _blocked(each, territory),
                NOTHING if blocked else round_half_up(Decimal(each.rep.max_per_30_days) / total, _CREDIT_PLACES),
            )
            for each in members
        ),
    )


def choose(looks: Sequence[Look]) -> Choice | None:
    """The member to whom most is owed in the first territory that has one who may; None when nobody may."""
    for territory, candidates in looks:
        free = [each for each in candidates if each.blocked is None]
        if free:
            best = min(free, key=lambda each: (-(each.standing.rep.credit + each.share), each.standing.rep.subject))
            return Choice(territory, best.standing.rep.subject, candidates)
    return None


def credits(choice: Choice) -> dict[str, Decimal]:
    """What everybody is owed after this lead; the sum of all stays what it was, but for rounding."""
    return {
        each.standing.rep.subject: each.standing.rep.credit + each.share - (1 if each.standing.rep.subject == choice.rep else 0)
        for each in choice.candidates
        if each.blocked is None
    }


def explain(candidates: Sequence[Candidate]) -> list[dict[str, Any]]:
    """Readable, as JSON."""
    return [
        {
            "rep": each.standing.rep.subject,
            "max_per_30_days": each.standing.rep.max_per_30_days,
            "daily_quota": daily(each.standing.rep.max_per_30_days),
            "assigned_in_24_hours": each.standing.assigned,
            "held": each.standing.held,
            "absent": each.standing.absent,
            "owed": str(round_half_up(each.standing.rep.credit + each.share, 2)),
            "blocked": each.blocked,
        }
        for each in candidates
    ]


def _blocked(standing: Standing, territory: Territory) -> Blocked | None:
    if not standing.rep.active:
        return "inactive"
    if standing.absent:
        return "absent"
    if territory.language is not None and territory.language not in standing.rep.languages:
        return "does not speak the language"
    if standing.quota <= 0:
        return "daily quota reached"
    if standing.held >= standing.max_held:
        return "holds as many as allowed"
    return None
