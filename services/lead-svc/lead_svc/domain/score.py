"""Fit and engagement by rule (RULES 1): a pure function of facts, activities, a rule version and a time, explained item by item."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

Band = Literal["cold", "warm", "hot"]
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of the scoring rule; `body` is its configuration as kept in `score_rule`."""

    version: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What fit is judged by."""

    industry: str | None
    company_size: int | None
    country: str | None
    website: str | None
    email: str | None


@dataclass(frozen=True, slots=True)
class Activity:
    """Something the lead did."""

    code: str
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class Item:
    """One reason: `points` by rule, `counted` after decay (before the group's cap)."""

    part: Literal["fit", "engagement"]
    what: str
    group: str
    points: Decimal
    counted: Decimal
    age_days: Decimal | None


@dataclass(frozen=True, slots=True)
class Score:
    """The two numbers, their band and the reasons. A capped group shows as an item of its own, so the items add up."""

    fit: Decimal
    engagement: Decimal
    band: Band
    rule_version: str
    items: tuple[Item, ...]


def score(facts: Facts, activities: Sequence[Activity], rule: Rule, now: datetime) -> Score:
    """engagement(t) = sum over groups of cap(sum of w x 2^-(age / half-life)); fit does not decay."""
    fit_items = _fit(facts, rule.body)
    engagement_items = _engagement(activities, rule.body, now)
    fit = sum((item.counted for item in fit_items), Decimal(0))
    engagement = sum((item.counted for item in engagement_items), Decimal(0))
    bands = rule.body["bands"]
    total = fit + engagement
    band: Band = "hot" if total >= bands["hot"] else "warm" if total >= bands["warm"] else "cold"
    return Score(fit, engagement, band, rule.version, (*fit_items, *engagement_items))


def qualifies(result: Score, activities: Sequence[Activity], rule: Rule) -> Literal["score", "high_intent"] | None:
    """Why the lead is worth a seller's time, if it is."""
    wanted = rule.body["qualify"]
    if any(activity.code in wanted["high_intent"] for activity in activities):
        return "high_intent"
    if result.fit >= wanted["fit"] and result.engagement >= wanted["engagement"]:
        return "score"
    return None


def _fit(facts: Facts, body: Mapping[str, Any]) -> list[Item]:
    mail_domain = (facts.email or "").rpartition("@")[2].lower()
    found: list[tuple[str, bool]] = [
        ("industries", facts.industry in body["industries"]["targets"]),
        ("size", facts.company_size is not None and facts.company_size >= body["size"]["from"]),
        ("region", facts.country in body["region"]["targets"]),
        ("free_mail", bool(mail_domain) and mail_domain in body["free_mail"]["domains"]),
        ("no_website", not facts.website),
    ]
    return [
        Item("fit", name, "fit", points, points, None)
        for name, holds in found
        if holds and (points := Decimal(str(body[name]["points"])))
    ]


def _engagement(activities: Sequence[Activity], body: Mapping[str, Any], now: datetime) -> list[Item]:
    items: list[Item] = []
    for activity in activities:
        weight = body["activities"].get(activity.code)
        if weight is None or activity.occurred_at > now:
            continue
        age = Decimal((now - activity.occurred_at) / timedelta(days=1))
        points = Decimal(str(weight["points"]))
        decayed = (points * Decimal(2) ** (-age / Decimal(str(weight["half_life_days"])))).quantize(_CENT)
        items.append(Item("engagement", activity.code, weight["group"], points, decayed, age.quantize(_CENT)))
    for group, cap in body["caps"].items():
        over = sum((item.counted for item in items if item.group == group), Decimal(0)) - Decimal(str(cap))
        if over > 0:
            items.append(Item("engagement", f"cap of {group}", group, -over, -over, None))
    return items
