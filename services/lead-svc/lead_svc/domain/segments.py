"""Classification and segments by rule: what a lead's facts say about where it belongs. Rules are rows with versions."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from ltc_contracts.errors import DomainError, Invalid
from ltc_rules import conditions
from ltc_rules.conditions import Condition, Kind
from ltc_rules.custom_fields import FieldDef

from lead_svc.domain.fields import fields, values_of
from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Band

RuleKind = Literal["segment", "classify"]
MOST_SEGMENTS = 50
"""What the events of a lead can carry."""
MOST_CLASSIFICATIONS = 200
ATTRIBUTES: Mapping[str, int] = {"region": 200, "industry": 64, "channel_group": 64}
"""What a classification may set, and how long it may be."""


class SegmentExists(DomainError):
    """The code is taken; a change is a new version that names the one it replaces."""


class TooManySegments(DomainError):
    """As many rules as a lead can carry or as may be looked at per lead are in force or to come."""


@dataclass(frozen=True, slots=True)
class SegmentRule:
    """One version of a rule; `sets` is what a classification sets. One that is not `active` ends the code from its beginning on."""

    kind: RuleKind
    code: str
    version: int
    label: str
    condition: Condition
    sets: Mapping[str, str]
    priority: int
    active: bool
    valid_from: datetime


@dataclass(frozen=True, slots=True)
class Book:
    """The rules in force at a moment, the most important first, and the company's fields they may look at."""

    classifications: Sequence[SegmentRule]
    segments: Sequence[SegmentRule]
    own: Sequence[FieldDef]


def book_of(rules: Iterable[SegmentRule], own: Sequence[FieldDef]) -> Book:
    """Order: priority (a small number is important), then code."""
    found = sorted((rule for rule in rules if rule.active), key=lambda rule: (rule.priority, rule.code))
    return Book(
        [rule for rule in found if rule.kind == "classify"],
        [rule for rule in found if rule.kind == "segment"][:MOST_SEGMENTS],
        own,
    )


def known_fields(kind: RuleKind, own: Iterable[FieldDef]) -> Mapping[str, Kind]:
    """What a condition may look at. A segment sees what was classified, and the score's band; a classification only what is given."""
    return fields(own, {} if kind == "classify" else {"band": "text"})


def check(rule: SegmentRule, own: Iterable[FieldDef]) -> None:
    """Raise `Invalid`, naming the place, unless the rule makes sense."""
    conditions.check(rule.condition, known_fields(rule.kind, own))
    if rule.kind == "classify" and not rule.sets:
        raise Invalid(f"names at least one of {', '.join(ATTRIBUTES)}", field="sets")
    for name, value in rule.sets.items():
        if name not in ATTRIBUTES:
            raise Invalid(f"there are {', '.join(ATTRIBUTES)}", field=f"sets.{name}"[:100])
        if not value.strip() or len(value) > ATTRIBUTES[name]:
            raise Invalid(f"has 1 to {ATTRIBUTES[name]} characters", field=f"sets.{name}")


def as_given(lead: Lead) -> Lead:
    """The lead without what rules have set."""
    nothing: dict[str, Any] = dict.fromkeys(lead.classified)
    return replace(lead, **nothing, classified=frozenset())


def classify(lead: Lead, book: Book) -> Lead:
    """Region, industry and channel group by the first rule that holds, where nobody has given them.

    Rules see only what was given, never what another rule set, so that their order says nothing but who wins.
    """
    if not book.classifications and not lead.classified:
        return lead
    given = as_given(lead)
    values = values_of(given, book.own)
    found: dict[str, Any] = {}
    for rule in book.classifications:
        wanted = [name for name in rule.sets if getattr(given, name) is None and name not in found]
        if wanted and conditions.holds(rule.condition, values):
            found |= {name: rule.sets[name] for name in wanted}
    return replace(given, **found, classified=frozenset(found))


def place(lead: Lead, band: Band, book: Book) -> Lead:
    """Every segment whose condition holds, the most important first."""
    if not book.segments and not lead.segments:
        return lead
    values = values_of(lead, book.own) | {"band": band}
    segments = tuple(rule.code for rule in book.segments if conditions.holds(rule.condition, values))
    return lead if segments == lead.segments else replace(lead, segments=segments)


def belongs(condition: Condition, lead: Lead, band: Band, own: Iterable[FieldDef]) -> bool:
    """Whether a segment of this condition would take the lead."""
    return conditions.holds(condition, values_of(lead, own) | {"band": band})
