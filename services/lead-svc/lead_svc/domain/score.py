"""Fit and engagement by rule (RULES 1): a pure function of facts, activities, a rule version and a time, explained item by item."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from ltc_rules.conditions import holds

Band = Literal["cold", "warm", "hot"]
_CENT = Decimal("0.01")
_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Rule:
    """One version of the scoring rule; `body` is its configuration as kept in `score_rule`."""

    version: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Facts:
    """What fit is judged by; `values` are all fields by name, for the conditions of a rule."""

    industry: str | None
    company_size: int | None
    country: str | None
    website: str | None
    email: str | None
    values: Mapping[str, Any] = field(default_factory=dict)


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
    return Scorer(rule, now).score(facts, activities)


class Scorer:
    """Scores many by one rule at one moment: what is the same for all of them is found out once."""

    def __init__(self, rule: Rule, now: datetime) -> None:
        self.rule, self.now = rule, now
        self._engagement: dict[tuple[Activity, ...], tuple[list[Item], Decimal]] = {}

    def score(self, facts: Facts, activities: Sequence[Activity]) -> Score:
        """`score` of one of them."""
        done = tuple(activities)
        known = self._engagement.get(done)
        if known is None:
            items = _engagement(done, self.rule.body, self.now)
            known = self._engagement[done] = items, _sum(items)
        fit_items = _fit(facts, self.rule.body)
        fit = _sum(fit_items)
        return Score(fit, known[1], band_of(fit + known[1], self.rule), self.rule.version, (*fit_items, *known[0]))


def band_of(total: Decimal, rule: Rule) -> Band:
    """Fit and engagement together: act on bands, not on a hairline."""
    bands = rule.body["bands"]
    return "hot" if total >= exact(bands["hot"]) else "warm" if total >= exact(bands["warm"]) else "cold"


def qualifies(result: Score, activities: Sequence[Activity], rule: Rule) -> Literal["score", "high_intent"] | None:
    """Why the lead is worth a seller's time, if it is."""
    wanted = rule.body["qualify"]
    if any(activity.code in wanted["high_intent"] for activity in activities):
        return "high_intent"
    if result.fit >= exact(wanted["fit"]) and result.engagement >= exact(wanted["engagement"]):
        return "score"
    return None


def words(item: Item, rule: Rule) -> str:
    """The item as a sentence: "+25 from a demo request 9 days ago, decayed to 20.31"."""
    points = f"{plain(item.points):+}" if item.points != 0 else "0"
    if item.what.startswith(("cap of ", "floor of ")):
        how = "at most" if item.what.startswith("cap of ") else "at least"
        limit = limit_of(item, rule)
        return f"{points} since {item.group} counts {how} {plain(limit if how == 'at most' else -limit)}"
    if item.part == "fit":
        labels = {each["code"]: each["label"] for each in rule.body.get("conditions", ())}
        return f"{points} for {labels.get(item.what) or _FIT[item.what]}"
    known = rule.body["activities"].get(item.what, {})
    label = known.get("label") or _with_article(item.what.replace("_", " "))
    age = item.age_days or Decimal(0)
    whole = int(age)
    when = "today" if whole == 0 else "1 day ago" if whole == 1 else f"{whole} days ago"
    decayed = "" if item.counted == item.points else f", decayed to {plain(item.counted)}"
    return f"{points} from {label} {when}{decayed}"


def limit_of(item: Item, rule: Rule) -> Decimal:
    """The cap that an item of kind `cap of ...` or `floor of ...` enforces."""
    return exact(rule.body["caps"][item.group] if item.part == "engagement" else rule.body["fit_cap"])


@functools.lru_cache(maxsize=1000, typed=True)
def exact(number: Any) -> Decimal:
    """A number of the configuration, as it was written."""
    return Decimal(str(number))


def plain(number: Decimal) -> Decimal:
    """Without zeros at the end: 7.40 is 7.4, 20.00 is 20."""
    short = number.normalize()
    return short.quantize(Decimal(1)) if short == short.to_integral_value() else short


_FIT = {
    "industries": "an industry we sell to",
    "size": "the size of the company",
    "region": "a country we sell to",
    "free_mail": "an address at a free mail service",
    "no_website": "no website",
}


def _with_article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _fit(facts: Facts, body: Mapping[str, Any]) -> list[Item]:
    mail_domain = facts.email.rpartition("@")[2].lower() if facts.email else ""
    held = [
        name
        for name, holding in (
            ("industries", facts.industry in body["industries"]["targets"]),
            ("size", facts.company_size is not None and facts.company_size >= body["size"]["from"]),
            ("region", facts.country in body["region"]["targets"]),
            ("free_mail", bool(mail_domain) and mail_domain in body["free_mail"]["domains"]),
            ("no_website", not facts.website),
        )
        if holding
    ]
    counted = [(name, exact(body[name]["points"])) for name in held]
    counted += [(each["code"], exact(each["points"])) for each in body.get("conditions", ()) if holds(each["when"], facts.values)]
    items = [Item("fit", name, "fit", points, points, None) for name, points in counted if points]
    return [*items, *_limits("fit", items, {"fit": body["fit_cap"]})] if "fit_cap" in body else items


def _engagement(activities: Sequence[Activity], body: Mapping[str, Any], now: datetime) -> list[Item]:
    items: list[Item] = []
    for activity in activities:
        weight = body["activities"].get(activity.code)
        if weight is None or activity.occurred_at > now:
            continue
        age = Decimal((now - activity.occurred_at) / timedelta(days=1))
        points = exact(weight["points"])
        decayed = (points * Decimal(2) ** (-age / exact(weight["half_life_days"]))).quantize(_CENT)
        items.append(Item("engagement", activity.code, weight["group"], points, decayed, age.quantize(_CENT)))
    return [*items, *_limits("engagement", items, body["caps"])]


def _sum(items: Sequence[Item]) -> Decimal:
    total = _ZERO
    for item in items:
        total += item.counted
    return total


def _limits(part: Literal["fit", "engagement"], items: Sequence[Item], caps: Mapping[str, Any]) -> list[Item]:
    """What a group has beyond its cap, either way, taken back: nothing that is repeated without end counts without end."""
    found: list[Item] = []
    for group, cap in caps.items():
        limit, total = exact(cap), sum((item.counted for item in items if item.group == group), Decimal(0))
        if total > limit:
            found.append(Item(part, f"cap of {group}", group, limit - total, limit - total, None))
        elif total < -limit:
            found.append(Item(part, f"floor of {group}", group, -limit - total, -limit - total, None))
    return found
