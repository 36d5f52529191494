"""What a version of the scoring rule may say, and when a band may change by nothing but time."""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from ltc_contracts.errors import DomainError, Invalid
from ltc_rules import conditions

from lead_svc.domain.score import Activity, Rule, Score, exact

MOST_POINTS = 1000
"""What fit and engagement may reach: the limit of the event that carries them."""
_BUILT_IN = ("industries", "size", "region", "free_mail", "no_website")
_NOTHING = 0.005
_DAY_S = 86_400.0


class RuleExists(DomainError):
    """A version is never edited; a change is a new version with a beginning of its own."""


def check(body: Mapping[str, Any], fields: Mapping[str, conditions.Kind]) -> None:
    """Raise `Invalid`, naming the place, for a rule that contradicts itself or asks for a field that no lead has.

    Types and bounds of single values are checked before.
    """
    own = body.get("conditions", ())
    fit = sum(abs(exact(each["points"])) for each in (*(body[name] for name in _BUILT_IN), *own))
    if fit > MOST_POINTS:
        raise Invalid(f"the points of fit add up to more than {MOST_POINTS}", field="rule")
    codes = [*_BUILT_IN, *(each["code"] for each in own)]
    for number, each in enumerate(own):
        if codes.count(each["code"]) > 1:
            raise Invalid(f"'{each['code']}' is there twice", field=f"rule.conditions.{number}.code")
        conditions.check(each["when"], fields, at=f"rule.conditions.{number}.when")
    for code, weight in body["activities"].items():
        if weight["group"] not in body["caps"]:
            raise Invalid(f"the group '{weight['group']}' has no cap", field=f"rule.activities.{code}.group")
    if sum(exact(cap) for cap in body["caps"].values()) > MOST_POINTS:
        raise Invalid(f"the caps add up to more than {MOST_POINTS}", field="rule.caps")
    for code in body["qualify"]["high_intent"]:
        if code not in body["activities"]:
            raise Invalid(f"'{code}' is no activity of this rule", field="rule.qualify.high_intent")
    for (lower, low), (higher, high) in pairwise([("warm", body["bands"]["warm"]), ("hot", body["bands"]["hot"])]):
        if exact(low) >= exact(high):
            raise Invalid(f"{lower} must begin below {higher}", field=f"rule.bands.{lower}")


class _Part(NamedTuple):
    group: str
    points: float
    half_life: float
    occurred: float

    def at(self, moment: float) -> float:
        return round(self.points * math.exp2(-(moment - self.occurred) / self.half_life), 2)


def next_look(activities: Sequence[Activity], rule: Rule, result: Score, now: datetime) -> datetime | None:
    """When decay alone may have moved the lead to another band; None when it never will.

    With points that only decay the moment is found to the second; where some activities take points away, the sum may rise as
    well, so it is looked at again from time to time until they are forgotten. Floats are enough: whoever comes at that moment
    scores exactly, and looks again when it was too early.
    """
    parts = _parts(activities, rule, now)
    begin = now.timestamp()
    end = max((part.occurred + part.half_life * math.log2(abs(part.points) / _NOTHING) for part in parts), default=begin)
    if end <= begin:
        return None
    if any(part.points < 0 for part in parts):
        pause = min(max(min(part.half_life for part in parts) / 8, 3600.0), _DAY_S)
        return datetime.fromtimestamp(min(begin + pause, end + 60), UTC)
    if result.band == "cold":
        return None
    caps = {group: float(cap) for group, cap in rule.body["caps"].items()}
    fit, threshold = float(result.fit), float(rule.body["bands"][result.band])
    if fit >= threshold:
        return None
    low, high = begin, end + 1
    while high - low > 1:
        middle = (low + high) / 2
        low, high = (middle, high) if round(fit + _capped(parts, caps, middle), 2) >= threshold else (low, middle)
    return max(datetime.fromtimestamp(high, UTC), now + timedelta(seconds=1))


def ceiling(rule: Rule, result: Score) -> Decimal:
    """What fit and engagement together can reach from now on without a new activity: points taken away may be forgotten."""
    caps = {group: exact(cap) for group, cap in rule.body["caps"].items()}
    gained = dict.fromkeys(caps, Decimal(0))
    for item in result.items:
        if item.part == "engagement" and item.group in gained and item.age_days is not None and item.counted > 0:
            gained[item.group] += item.counted
    return result.fit + sum((min(cap, gained[group]) for group, cap in caps.items()), Decimal(0))


def _parts(activities: Sequence[Activity], rule: Rule, now: datetime) -> list[_Part]:
    weights = rule.body["activities"]
    return [
        _Part(
            weight["group"],
            float(weight["points"]),
            float(weight["half_life_days"]) * _DAY_S,
            activity.occurred_at.timestamp(),
        )
        for activity in activities
        if (weight := weights.get(activity.code)) is not None and weight["points"] and activity.occurred_at <= now
    ]


def _capped(parts: Sequence[_Part], caps: Mapping[str, float], moment: float) -> float:
    sums = dict.fromkeys(caps, 0.0)
    for part in parts:
        sums[part.group] = sums.get(part.group, 0.0) + part.at(moment)
    return sum((min(total, caps.get(group, total)) for group, total in sums.items()), 0.0)
