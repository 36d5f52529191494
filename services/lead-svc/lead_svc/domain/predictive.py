"""The chance that a lead converts, learnt from the company's own converted and lost leads: a logistic regression, kept as a table.

Every column of what is known of a lead falls into one bucket (a range of numbers, a word, "missing"), every bucket has a coefficient, and
the log-odds are their sum. So a chance is explained exactly: what each column adds to, or takes from, the average lead. Training and
scoring put leads into buckets by this same code.
"""

import math
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError

from lead_svc.domain.score import Activity

Raw = Mapping[str, str]
State = Literal["waiting", "candidate", "active", "retired", "failed"]
MISSING, OTHER = "missing", "another value"
_ACTIVITIES = "activities."
_BINS = 10
_ROWS_PER_BIN = 50
_FEWEST_OF_A_LEVEL = (5, 20)
_MOST_LEVELS = 50
_MOST_COLUMNS = 300
_LONGEST_LEVEL = 200


TRANSITIONS: dict[tuple[State, str], State] = {
    ("waiting", "trained"): "candidate",
    ("waiting", "fail"): "failed",
    ("candidate", "activate"): "active",
    ("active", "retire"): "retired",
    ("retired", "activate"): "active",
}


class TrainingRuns(DomainError):
    """A model waits to be trained already."""


class NothingToLearn(DomainError):
    """No column tells leads apart."""


class NotGoodEnough(DomainError):
    """A model below the floor is not used, whoever wants it."""


@dataclass(frozen=True, slots=True)
class Policy:
    """One version of how models are made. `excluded` are names of columns, with * for any text: they tell what came after the outcome."""

    version: int
    enabled: bool
    positive: Literal["converted", "won"]
    excluded: tuple[str, ...]
    min_examples: int
    min_auc: Decimal
    margin: Decimal
    retrain_days: int
    max_rows: int


@dataclass(frozen=True, slots=True)
class Column:
    """One column and its buckets: ranges between `edges`, or `levels` and another value; the last bucket is "missing"."""

    name: str
    kind: Literal["number", "category"]
    edges: tuple[float, ...] = ()
    levels: tuple[str, ...] = ()

    @property
    def size(self) -> int:
        return (len(self.edges) + 1 if self.kind == "number" else len(self.levels) + 1) + 1

    def bucket(self, value: str | None) -> int:
        if value is None:
            return self.size - 1
        if self.kind == "number":
            number = number_of(value)
            return self.size - 1 if number is None else bisect_right(self.edges, number)
        try:
            return self.levels.index(value)
        except ValueError:
            return len(self.levels)

    def label(self, bucket: int) -> str:
        if bucket == self.size - 1:
            return MISSING
        if self.kind == "category":
            return self.levels[bucket] if bucket < len(self.levels) else OTHER
        if bucket == 0:
            return f"below {self.edges[0]:g}"
        if bucket == len(self.edges):
            return f"{self.edges[-1]:g} or more"
        return f"{self.edges[bucket - 1]:g} to below {self.edges[bucket]:g}"


@dataclass(frozen=True, slots=True)
class Model:
    """`average` are the log-odds of the average lead; `effects[c][b]` is what bucket b of column c adds to them."""

    id: UUID
    version: int
    average: float
    columns: tuple[Column, ...]
    effects: tuple[tuple[float, ...], ...]


@dataclass(frozen=True, slots=True)
class Effect:
    """What one column adds to the log-odds."""

    column: str
    value: str
    log_odds: float

    @property
    def text(self) -> str:
        times = math.exp(self.log_odds)
        return f"{times:.2f} times the odds, as {title(self.column)} is {self.value}"


@dataclass(frozen=True, slots=True)
class Chance:
    """Per cent, with two places; average + the effects are the log-odds, exactly. The strongest effects come first."""

    percent: Decimal
    average: float
    log_odds: float
    effects: tuple[Effect, ...]
    model_version: int


@dataclass(frozen=True, slots=True)
class Manual:
    """What a person says instead, per cent; the model never overwrites it."""

    id: UUID
    lead_id: UUID
    value: Decimal
    reason: str
    set_by: str
    set_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None
    ended_by: str | None


def raw_of(lead: Any, activities: Iterable[Activity], until: datetime) -> dict[str, str]:
    """What a model may know of a lead as of a moment: facts, attributes of imports, and how often it did what. Nothing personal."""
    contact = lead.contact
    counts = Counter(activity.code for activity in activities if activity.occurred_at <= until)
    known: dict[str, Any] = {
        **{name: getattr(lead, name) for name in _FACTS},
        "estimated_value": lead.estimated_value.amount if lead.estimated_value else None,
        "website": "given" if lead.website else None,
        "company": "given" if lead.company else None,
        "contact.email": "given" if contact and contact.email else None,
        "contact.phone": "given" if contact and contact.phone else None,
        **{f"attributes.{name}": value for name, value in lead.attributes.items()},
        **{f"{_ACTIVITIES}{code}": count for code, count in counts.items()},
        "activities": counts.total(),
    }
    return {name: str(value) for name, value in known.items() if value is not None and value != ""}


_FACTS = ("captured_via", "channel", "source", "campaign", "country", "industry", "company_size")


def learn_columns(rows: Sequence[Raw], excluded: Sequence[str]) -> tuple[list[Column], dict[str, str]]:
    """The columns that can tell something, with their buckets, and those left out with the reason.

    A column of numbers is cut into ranges of about equally many leads; of words, those of few leads (20; 5 % of less than 400 leads, at
    least 5) count as "another value". What is different for nearly every lead names it, and is no reason for anything. Raises `NothingToLearn`.
    """
    values: dict[str, list[str]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    left_out: dict[str, str] = {}
    columns: list[Column] = []
    for name, given in sorted(values.items(), key=lambda each: (-len(each[1]), each[0])):
        if any(fnmatchcase(name, pattern) or fnmatchcase(title(name), pattern) for pattern in excluded):
            left_out[name] = "excluded"
        elif len(columns) >= _MOST_COLUMNS:
            left_out[name] = f"more than {_MOST_COLUMNS} columns"
        elif (column := _learn(name, given, len(rows))) is None:
            left_out[name] = "names the lead" if _is_identifier(given) else "the same for nearly all"
        else:
            columns.append(column)
    if not columns:
        raise NothingToLearn("no column tells one lead from another")
    return columns, left_out


def buckets_of(columns: Sequence[Column], row: Raw) -> list[int]:
    """The bucket of each column. What a lead never did it did 0 times; anything else that is not there is missing."""
    return [column.bucket(_given(column, row)) for column in columns]


def model_of(
    model_id: UUID,
    version: int,
    columns: Sequence[Column],
    intercept: float,
    coefficients: Sequence[Sequence[float]],
    shares: Sequence[Sequence[float]],
) -> Model:
    """Coefficients as effects beside the average lead; a bucket that no lead was in says nothing."""
    means = [sum(map(float.__mul__, some, weights)) for some, weights in zip(coefficients, shares, strict=True)]
    effects = tuple(
        tuple(coefficient - mean if share > 0 else 0.0 for coefficient, share in zip(some, weights, strict=True))
        for some, weights, mean in zip(coefficients, shares, means, strict=True)
    )
    return Model(model_id, version, intercept + sum(means), tuple(columns), effects)


def chance(model: Model, row: Raw) -> Chance:
    """The chance of conversion and why."""
    effects = [
        Effect(column.name, column.label(bucket), model.effects[place][bucket])
        for place, (column, bucket) in enumerate(zip(model.columns, buckets_of(model.columns, row), strict=True))
    ]
    log_odds = model.average + sum(effect.log_odds for effect in effects)
    told = sorted((effect for effect in effects if effect.log_odds), key=lambda effect: -abs(effect.log_odds))
    return Chance(percent(log_odds), model.average, log_odds, tuple(told), model.version)


def percent(log_odds: float) -> Decimal:
    """Log-odds as per cent."""
    share = 1 / (1 + math.exp(-log_odds)) if log_odds >= 0 else math.exp(log_odds) / (1 + math.exp(log_odds))
    return Decimal(f"{100 * share:.2f}")


def verdict(auc: float, active_auc: float | None, policy: Policy) -> tuple[Literal["active", "candidate"], str | None]:
    """Whether a trained model is used: not below the floor, and not worse than the present one by more than the margin."""
    if auc < policy.min_auc:
        return "candidate", f"its AUC of {auc:.4f} is below the floor of {policy.min_auc}"
    if active_auc is not None and auc < active_auc - float(policy.margin):
        return (
            "candidate",
            f"its AUC of {auc:.4f} is below that of the present model, {active_auc:.4f}, by more than {policy.margin}",
        )
    return "active", None


def title(name: str) -> str:
    """A column as people know it."""
    return name.removeprefix("attributes.").removeprefix("custom.")


def number_of(text: str) -> float | None:
    """A finite number, or None."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def to_json(model: Model) -> dict[str, Any]:
    """For keeping it."""
    return {
        "average": model.average,
        "columns": [
            {"name": column.name, "kind": column.kind, "edges": column.edges, "levels": column.levels, "effects": effects}
            for column, effects in zip(model.columns, model.effects, strict=True)
        ],
    }


def of_json(model_id: UUID, version: int, body: Mapping[str, Any]) -> Model:
    columns = tuple(Column(each["name"], each["kind"], tuple(each["edges"]), tuple(each["levels"])) for each in body["columns"])
    return Model(model_id, version, body["average"], columns, tuple(tuple(each["effects"]) for each in body["columns"]))


def _given(column: Column, row: Raw) -> str | None:
    return row.get(column.name, "0" if column.name.startswith(_ACTIVITIES) else None)


def _learn(name: str, given: Sequence[str], rows: int) -> Column | None:
    low, high = _FEWEST_OF_A_LEVEL
    fewest = max(low, min(high, rows // 20))
    if _is_identifier(given):
        return None
    if name.startswith(_ACTIVITIES):
        given = [*given, *["0"] * (rows - len(given))]
    numbers = [number for value in given if (number := number_of(value)) is not None]
    if len(numbers) >= 0.98 * len(given) and len(set(numbers)) > 5:
        column = Column(name, "number", edges=_edges(numbers))
    else:
        counts = Counter(value for value in given if len(value) <= _LONGEST_LEVEL)
        column = Column(name, "category", levels=tuple(v for v, n in counts.most_common(_MOST_LEVELS) if n >= fewest))
    place: Callable[[str | None], int] = column.bucket
    sizes = Counter(map(place, given))
    sizes[column.size - 1] += rows - len(given)
    return column if sum(size >= fewest for size in sizes.values()) > 1 else None


def _edges(numbers: Sequence[float]) -> tuple[float, ...]:
    ordered = sorted(numbers)
    bins = max(2, min(_BINS, len(ordered) // _ROWS_PER_BIN))
    found = {ordered[len(ordered) * place // bins] for place in range(1, bins)} - {ordered[0]}
    return tuple(sorted(found)) or (ordered[-1],)


def _is_identifier(given: Sequence[str]) -> bool:
    """Nearly every value is another one, and they are words or whole numbers; measured numbers with decimals may well differ."""
    if len(given) < 100 or len(set(given)) < 0.9 * len(given):
        return False
    return not all(number_of(value) is not None for value in given) or all(value.lstrip("-").isdigit() for value in given)
