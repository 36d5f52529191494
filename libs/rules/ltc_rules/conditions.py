"""A condition as a company writes it down, in JSON; checked once when it is kept, evaluated as often as wanted.

    {"all": [c, ..]}   every one holds (of none: it always holds)
    {"any": [c, ..]}   at least one holds
    {"not": c}         it does not hold
    {"field": "country", "is": "in", "value": ["DE", "AT"]}

There is no code in it: no call, no attribute, no expression. Texts are compared without regard to case. A value that is
missing equals nothing: only `is_empty`, `ne` and `not_in` hold for it.
"""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal

from ltc_contracts.errors import Invalid

Kind = Literal["text", "number", "boolean", "date", "datetime", "list"]
Condition = Mapping[str, Any]
Values = Mapping[str, Any]
Labels = Mapping[str, str]

DEEPEST = 8
MOST_LEAVES = 100
_MOST_VALUES = 500
_LONGEST_TEXT = 500
_EMPTY = ("is_set", "is_empty")
_ORDER = ("gt", "gte", "lt", "lte")
_SETS = ("in", "not_in")
OPERATORS: dict[Kind, tuple[str, ...]] = {
    "text": ("eq", "ne", *_SETS, "contains", "starts_with", *_EMPTY),
    "number": ("eq", "ne", *_SETS, *_ORDER, *_EMPTY),
    "boolean": ("eq", "ne", *_EMPTY),
    "date": ("eq", "ne", *_ORDER, *_EMPTY),
    "datetime": ("eq", "ne", *_ORDER, *_EMPTY),
    "list": (*_SETS, "contains", *_EMPTY),
}
_WORDS = {
    "eq": "must be",
    "ne": "must not be",
    "in": "must be one of",
    "not_in": "must be none of",
    "gt": "must be more than",
    "gte": "must be at least",
    "lt": "must be less than",
    "lte": "must be at most",
    "contains": "must contain",
    "starts_with": "must begin with",
    "is_set": "must be set",
    "is_empty": "must be empty",
}


def check(condition: Any, fields: Mapping[str, Kind], *, at: str = "condition") -> None:
    """Raise `Invalid` unless it is a condition over these fields; the error's field is the place, as `condition.all.2.value`.

    At most 8 levels and 100 leaves, so that evaluating it is bounded.
    """
    _check(condition, fields, at, 1, [0])


def holds(condition: Condition, values: Values) -> bool:
    """Whether a checked condition holds for these values. Never raises: a value of an unfit type satisfies nothing.

    Values are plain: text, number (Decimal, int), bool, date, datetime, list of texts, None. Exact numbers, days and moments may
    also come as they travel in JSON, as text; then `eq` of an exact number needs a JSON number in the condition.
    """
    if "all" in condition:
        return all(holds(part, values) for part in condition["all"])
    if "any" in condition:
        return any(holds(part, values) for part in condition["any"])
    if "not" in condition:
        return not holds(condition["not"], values)
    return _leaf(condition["is"], values.get(condition["field"]), condition.get("value"))


def failing(condition: Condition, values: Values, labels: Labels | None = None) -> list[str]:
    """Why the condition does not hold, a readable reason each; empty when it holds. No value of the record is repeated."""
    if holds(condition, values):
        return []
    if "all" in condition:
        return [reason for part in condition["all"] for reason in failing(part, values, labels)]
    return [describe(condition, labels)]


def describe(condition: Condition, labels: Labels | None = None) -> str:
    """The condition in words; `labels` names fields as people know them."""
    for joint, word in (("all", " and "), ("any", " or ")):
        if joint in condition:
            parts = [describe(part, labels) for part in condition[joint]]
            return parts[0] if len(parts) == 1 else "(" + word.join(parts) + ")" if parts else "always"
    if "not" in condition:
        return f"not: {describe(condition['not'], labels)}"
    name, operator, operand = condition["field"], condition["is"], condition.get("value")
    text = ", ".join(str(each) for each in operand) if isinstance(operand, list) else _shown(operand)
    return " ".join(filter(None, ((labels or {}).get(name, name), _WORDS[operator], text)))


def fields_of(condition: Condition) -> set[str]:
    """The fields that a checked condition looks at."""
    for joint in ("all", "any"):
        if joint in condition:
            return set().union(*(fields_of(part) for part in condition[joint]))
    return fields_of(condition["not"]) if "not" in condition else {condition["field"]}


def _check(condition: Any, fields: Mapping[str, Kind], at: str, depth: int, leaves: list[int]) -> None:
    if depth > DEEPEST:
        raise Invalid(f"deeper than {DEEPEST} levels", field=at[:200])
    if not isinstance(condition, Mapping):
        raise Invalid("must be an object", field=at)
    keys = set(condition)
    if keys in ({"all"}, {"any"}):
        [joint] = keys
        parts = condition[joint]
        if not isinstance(parts, list) or (joint == "any" and not parts):
            raise Invalid("must be a list of conditions" + (", at least one" if joint == "any" else ""), field=f"{at}.{joint}")
        for number, part in enumerate(parts):
            _check(part, fields, f"{at}.{joint}.{number}", depth + 1, leaves)
    elif keys == {"not"}:
        _check(condition["not"], fields, f"{at}.not", depth + 1, leaves)
    elif {"field", "is"} <= keys <= {"field", "is", "value"}:
        leaves[0] += 1
        if leaves[0] > MOST_LEAVES:
            raise Invalid(f"more than {MOST_LEAVES} comparisons", field=at)
        _check_leaf(condition, fields, at)
    else:
        raise Invalid("must be one of all, any, not, or field with is and value", field=at)


def _check_leaf(leaf: Condition, fields: Mapping[str, Kind], at: str) -> None:
    name, operator = leaf["field"], leaf["is"]
    kind = fields.get(name) if isinstance(name, str) else None
    if kind is None:
        raise Invalid(f"no such field; there are {', '.join(sorted(fields))}"[:1000], field=f"{at}.field")
    if operator not in OPERATORS[kind]:
        raise Invalid(f"a {kind} is compared by {', '.join(OPERATORS[kind])}", field=f"{at}.is")
    if operator in _EMPTY:
        if "value" in leaf:
            raise Invalid(f"{operator} takes no value", field=f"{at}.value")
        return
    operand = leaf.get("value")
    if operator not in _SETS:
        _check_operand(operand, kind, f"{at}.value")
        return
    if not isinstance(operand, list) or not 0 < len(operand) <= _MOST_VALUES:
        raise Invalid(f"must be a list of 1 to {_MOST_VALUES} values", field=f"{at}.value")
    for number, each in enumerate(operand):
        _check_operand(each, kind, f"{at}.value.{number}")


def _check_operand(operand: Any, kind: Kind, at: str) -> None:
    if isinstance(operand, str) and len(operand) > _LONGEST_TEXT:
        raise Invalid(f"longer than {_LONGEST_TEXT} characters", field=at)
    if not _fits(operand, kind):
        wanted = {"text": "a text", "list": "a text", "number": "a number", "boolean": "true or false"}
        raise Invalid(f"must be {wanted.get(kind, f'a {kind} in ISO 8601')}", field=at)


def _fits(operand: Any, kind: Kind) -> bool:
    match kind:
        case "text" | "list":
            return isinstance(operand, str) and operand.strip() != "" and _storable(operand)
        case "number":
            return _number(operand) is not None
        case "boolean":
            return isinstance(operand, bool)
        case "date":
            return _day(operand) is not None
        case "datetime":
            return isinstance(operand, str) and _moment(operand) is not None


def _leaf(operator: str, value: Any, operand: Any) -> bool:
    missing = value is None or value == "" or (_is_list(value) and not value)
    if operator in _EMPTY:
        return missing is (operator == "is_empty")
    if operator in ("ne", "not_in"):
        return missing or not _leaf("eq" if operator == "ne" else "in", value, operand)
    if missing:
        return False
    if operator == "in":
        return any(_leaf("contains" if _is_list(value) else "eq", value, each) for each in operand)
    if operator == "contains":
        if _is_list(value):
            return _fold(operand) in {_fold(each) for each in value}
        return isinstance(value, str) and _fold(operand) in _fold(value)
    if operator == "starts_with":
        return isinstance(value, str) and _fold(value).startswith(_fold(operand))
    left, right = _comparable(value, operand)
    if operator in _ORDER and isinstance(left, str) and None not in (numbers := (_number(left), _number(right))):
        # No text is put in order: these are exact numbers that still are as they travel in JSON.
        left, right = numbers
    if left is None or right is None:
        return False
    if operator == "eq":
        return bool(left == right)
    if isinstance(left, bool):
        return False
    return bool({"gt": left > right, "gte": left >= right, "lt": left < right, "lte": left <= right}[operator])


def _comparable(value: Any, operand: Any) -> tuple[Any, Any]:
    """Both sides as one type, decided by the record's value, or by the operand where the value is text; (None, None) if unfit."""
    if isinstance(value, bool) or isinstance(operand, bool):
        return (value, operand) if isinstance(value, bool) and isinstance(operand, bool) else (None, None)
    if isinstance(value, int | float | Decimal) or isinstance(operand, int | float | Decimal):
        return _number(value), _number(operand)
    if isinstance(value, datetime):
        return _moment(value), _moment(operand)
    if isinstance(value, date):
        return value, _day(operand)
    if not isinstance(value, str) or not isinstance(operand, str):
        return None, None
    # Two texts: a moment that is still as it travels in JSON is compared as an instant.
    moments = _moment(value), _moment(operand)
    return moments if None not in moments else (_fold(value), _fold(operand))


def _number(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str) or len(str(value)) > 40:
        return None
    if isinstance(value, str) and not value.lstrip("-").replace(".", "", 1).isdecimal():
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _day(value: Any) -> date | None:
    if isinstance(value, datetime) or not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value) if len(value) == 10 else None
    except ValueError:
        return None


def _moment(value: Any) -> datetime | None:
    """An instant; one without an offset is none."""
    try:
        if isinstance(value, str) and len(value) >= 17:
            value = datetime.fromisoformat(value)
        return value.astimezone(UTC) if isinstance(value, datetime) and value.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _fold(text: Any) -> str:
    return str(text).strip().casefold()


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | set | frozenset)


def _storable(text: str) -> bool:
    """Whether a database takes it: no NUL, no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text


def _shown(operand: Any) -> str:
    if isinstance(operand, bool):
        return "true" if operand else "false"
    return "" if operand is None else str(operand)
