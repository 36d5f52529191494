"""A proposed scoring rule over what already happened: who would be in another band, and who would have qualified, and when."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError

from lead_svc.domain.score import Activity, Band, Facts, Rule, exact, qualifies, score

BANDS: tuple[Band, ...] = ("cold", "warm", "hot")
Matrix = dict[str, dict[str, int]]
_DAY_S = 86_400.0


class TooManyJobs(DomainError):
    """As many runs wait as are allowed; one of them finishes first."""


@dataclass(frozen=True, slots=True)
class WhatIf:
    """A run. processed <= total; of those `matched` are of the population, and `listed` have a line of their own."""

    id: UUID
    rule: Rule
    base_version: str
    population: Mapping[str, Any]
    as_of: datetime
    state: Literal["waiting", "running", "done"]
    total: int
    created_by: str
    created_at: datetime
    processed: int = 0
    matched: int = 0
    listed: int = 0
    last_lead_id: UUID | None = None
    matrix: Matrix = field(default_factory=lambda: {before: dict.fromkeys(BANDS, 0) for before in BANDS})
    newly: int = 0
    no_longer: int = 0
    finished_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """What the proposed rule makes of one lead. `newly` and `no_longer` are about qualifying, at any time until then."""

    lead_id: UUID
    from_band: Band
    to_band: Band
    from_total: Decimal
    to_total: Decimal
    newly: bool
    no_longer: bool
    qualifies_at: datetime | None

    @property
    def is_one(self) -> bool:
        return self.from_band != self.to_band or self.newly or self.no_longer


def compare(
    lead_id: UUID,
    facts: Facts,
    captured_at: datetime,
    activities: Sequence[Activity],
    *,
    base: Rule,
    proposed: Rule,
    was_qualified: bool,
    as_of: datetime,
) -> Change:
    """One lead by both rules. A lead that was qualified anyway does not newly qualify."""
    before, after = (score(facts, activities, rule, as_of) for rule in (base, proposed))
    was = first_qualified(facts, captured_at, activities, base, as_of)
    would = first_qualified(facts, captured_at, activities, proposed, as_of)
    return Change(
        lead_id,
        before.band,
        after.band,
        before.fit + before.engagement,
        after.fit + after.engagement,
        newly=would is not None and was is None and not was_qualified,
        no_longer=was is not None and would is None,
        qualifies_at=would,
    )


def first_qualified(
    facts: Facts, captured_at: datetime, activities: Sequence[Activity], rule: Rule, until: datetime
) -> datetime | None:
    """When the rule would first have qualified the lead: at capture, or at an activity after it; None when never until then.

    A running sum finds the moments that come close, the score proper decides: linear in the number of activities.
    """
    done = sorted((activity for activity in activities if activity.occurred_at <= until), key=lambda each: each.occurred_at)
    wanted = rule.body["qualify"]
    fits = score(facts, [], rule, until).fit >= exact(wanted["fit"])
    threshold = float(wanted["engagement"]) - 0.02 - 0.005 * len(done)
    running, taken, intent = _Running(rule), 0, False
    for moment in sorted({captured_at, *(each.occurred_at for each in done if each.occurred_at > captured_at)}):
        if moment > until:
            return None
        while taken < len(done) and done[taken].occurred_at <= moment:
            running.add(done[taken])
            intent = intent or done[taken].code in wanted["high_intent"]
            taken += 1
        if intent or (fits and running.at(moment) >= threshold):
            present = done[:taken]
            if qualifies(score(facts, present, rule, moment), present, rule) is not None:
                return moment
    return None


class _Running:
    """Engagement by floats, kept up activity by activity: a sum of one half-life decays as one."""

    def __init__(self, rule: Rule) -> None:
        self._weights = rule.body["activities"]
        self._caps = {group: float(cap) for group, cap in rule.body["caps"].items()}
        self._sums: dict[str, tuple[float, float]] = {}

    def add(self, activity: Activity) -> None:
        weight = self._weights.get(activity.code)
        if weight is None:
            return
        at = activity.occurred_at.timestamp()
        self._sums[activity.code] = (self._decayed(activity.code, at) + float(weight["points"]), at)

    def at(self, moment: datetime) -> float:
        groups: dict[str, float] = {}
        for code in self._sums:
            group = self._weights[code]["group"]
            groups[group] = groups.get(group, 0.0) + self._decayed(code, moment.timestamp())
        return sum(
            min(max(total, -self._caps.get(group, abs(total))), self._caps.get(group, total)) for group, total in groups.items()
        )

    def _decayed(self, code: str, at: float) -> float:
        total, since = self._sums.get(code, (0.0, at))
        return total * math.exp2(-(at - since) / (float(self._weights[code]["half_life_days"]) * _DAY_S))
