"""Fields that a company adds to its records: typed, validated, without code or deployment.

A record keeps its values as JSON by key: `number` as an exact text ("12.50"), `date` and `datetime` in ISO 8601 (datetime in UTC),
`multi_choice` as a list, everything else as it is. `validate` makes that form, `typed` turns it into Python values.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from ltc_contracts.errors import Invalid

from ltc_rules.conditions import Kind

FieldType = Literal["text", "number", "integer", "boolean", "date", "datetime", "choice", "multi_choice", "url", "email"]
JSON = str | int | bool | list[str] | None
TYPES: tuple[FieldType, ...] = get_args(FieldType)
MOST_FIELDS = 200
_KEY = re.compile(r"[a-z][a-z0-9_]{0,62}")
_EMAIL = re.compile(r"[^@\s<>,;:\"]+@[^@\s<>,;:\"]+\.[^@\s<>,;:\"]+")
_LONGEST = {"text": 10_000, "url": 2_000, "email": 254}
_USUAL_LENGTH = 500
_LARGEST_INTEGER = 2**53 - 1  # what a browser's number holds exactly
_DIGITS, _PLACES = 20, 6
_MOST_CHOICES, _LONGEST_CHOICE, _MOST_CHOSEN = 500, 100, 50
_CELLS = {
    **dict.fromkeys(("true", "yes", "y", "1", "x", "on", "ja", "是"), True),
    **dict.fromkeys(("false", "no", "n", "0", "off", "nein", "否"), False),
}
_KINDS: dict[FieldType, Kind] = {
    "number": "number",
    "integer": "number",
    "boolean": "boolean",
    "date": "date",
    "datetime": "datetime",
    "multi_choice": "list",
}


@dataclass(frozen=True, slots=True)
class FieldDef:
    """One field of one kind of record. A `personal` value stays out of events; an `archived` field takes no new values."""

    entity: str
    key: str
    label: str
    type: FieldType
    required: bool = False
    choices: tuple[str, ...] = ()
    max_length: int | None = None
    minimum: Decimal | None = None
    maximum: Decimal | None = None
    personal: bool = False
    archived: bool = False


def check_definition(definition: FieldDef) -> None:
    """Raise `Invalid`, naming the attribute, unless the definition makes sense."""
    if not _KEY.fullmatch(definition.key):
        raise Invalid("lower-case letters, digits and _, beginning with a letter, at most 63", field="key")
    if definition.type not in TYPES:
        raise Invalid(f"must be one of {', '.join(TYPES)}", field="type")
    if not 0 < len(definition.label.strip()) <= 200 or not _storable(definition.label):
        raise Invalid("must have 1 to 200 characters", field="label")
    _check_choices(definition)
    if definition.max_length is not None:
        if definition.type not in _LONGEST:
            raise Invalid(f"a {definition.type} has no length", field="max_length")
        if not 0 < definition.max_length <= _LONGEST[definition.type]:
            raise Invalid(f"must be from 1 to {_LONGEST[definition.type]}", field="max_length")
    for name, limit in (("minimum", definition.minimum), ("maximum", definition.maximum)):
        if limit is not None:
            if definition.type not in ("number", "integer"):
                raise Invalid(f"a {definition.type} has no {name}", field=name)
            _exact(limit, name)
    if definition.minimum is not None and definition.maximum is not None and definition.minimum > definition.maximum:
        raise Invalid("must not be below the minimum", field="maximum")


def validate(defs: Iterable[FieldDef], values: Mapping[str, Any], *, partial: bool = False) -> dict[str, JSON]:
    """The values as they are kept. Raises `Invalid` with the field `custom.<key>`.

    Whole: a required field that is missing is refused, a null is left out. `partial` is a change of a record: what is not named
    stays as it was, a null clears (`merge` applies it).
    """
    known = {definition.key: definition for definition in defs}
    if len(values) > MOST_FIELDS:
        raise Invalid(f"more than {MOST_FIELDS} fields", field="custom")
    kept: dict[str, JSON] = {}
    for key, value in values.items():
        definition = known.get(key)
        if definition is None:
            raise Invalid("no such field", field=f"custom.{str(key)[:63]}" if _storable(str(key)) else "custom")
        if definition.archived and not (partial and value is None):
            raise Invalid("the field is archived and takes no new values", field=f"custom.{key}")
        made = _value(definition, value)
        if made is None and definition.required and not definition.archived:
            raise Invalid("is required", field=f"custom.{key}")
        if made is not None or partial:
            kept[key] = made
    if not partial:
        for definition in known.values():
            if definition.required and not definition.archived and definition.key not in kept:
                raise Invalid("is required", field=f"custom.{definition.key}")
    return kept


def merge(present: Mapping[str, JSON], change: Mapping[str, JSON]) -> dict[str, JSON]:
    """A record's values after a validated partial change; a null clears."""
    return {key: value for key, value in {**present, **change}.items() if value is not None}


def parse_cell(definition: FieldDef, text: str) -> JSON:
    """What a cell of a file means for a field; None where it is empty. Choices of several are parted by `;` or `|`.

    Raises `Invalid` with the field `custom.<key>`.
    """
    text = text.strip()
    if not text:
        return None
    value: Any = text
    if definition.type == "boolean":
        value = _CELLS.get(text.casefold())
        if value is None:
            raise Invalid("is neither yes nor no", field=f"custom.{definition.key}")
    elif definition.type == "multi_choice":
        value = [part for each in re.split(r"[;|]", text) if (part := each.strip())]
    elif definition.type == "choice":
        value = next((choice for choice in definition.choices if choice.casefold() == text.casefold()), text)
    return validate([definition], {definition.key: value}, partial=True)[definition.key]


def typed(defs: Iterable[FieldDef], values: Mapping[str, JSON], *, prefix: str = "custom.") -> dict[str, Any]:
    """Kept values as a condition compares them: Decimal, date, datetime; by `custom.<key>`. Unknown keys are left out."""
    made: dict[str, Any] = {}
    for definition in defs:
        value = values.get(definition.key)
        if value is None:
            continue
        if definition.type == "number":
            value_: Any = Decimal(str(value))
        elif definition.type == "date":
            value_ = date.fromisoformat(str(value))
        elif definition.type == "datetime":
            value_ = datetime.fromisoformat(str(value))
        else:
            value_ = value
        made[f"{prefix}{definition.key}"] = value_
    return made


def kinds(defs: Iterable[FieldDef], *, prefix: str = "custom.") -> dict[str, Kind]:
    """What `conditions.check` needs to know of these fields; archived ones may still be compared."""
    return {f"{prefix}{definition.key}": _KINDS.get(definition.type, "text") for definition in defs}


def public(defs: Iterable[FieldDef], values: Mapping[str, JSON]) -> dict[str, JSON]:
    """What may travel in an event: nothing personal, nothing that no definition vouches for."""
    open_keys = {definition.key for definition in defs if not definition.personal}
    return {key: value for key, value in values.items() if key in open_keys}


def _check_choices(definition: FieldDef) -> None:
    choices = definition.choices
    if definition.type not in ("choice", "multi_choice"):
        if choices:
            raise Invalid(f"a {definition.type} has no choices", field="choices")
        return
    if not 0 < len(choices) <= _MOST_CHOICES:
        raise Invalid(f"1 to {_MOST_CHOICES} choices", field="choices")
    if any(not each or each != each.strip() or len(each) > _LONGEST_CHOICE or not _storable(each) for each in choices):
        raise Invalid(f"a choice has 1 to {_LONGEST_CHOICE} characters, no space around them", field="choices")
    if definition.type == "multi_choice" and any(sign in each for each in choices for sign in ";|"):
        raise Invalid("a choice of several contains no ; or |, which part them in a file", field="choices")
    if len({each.casefold() for each in choices}) < len(choices):
        raise Invalid("two choices are the same but for case", field="choices")


def _value(definition: FieldDef, value: Any) -> JSON:
    if value is None:
        return None
    at = f"custom.{definition.key}"
    match definition.type:
        case "text" | "url" | "email":
            return _text(definition, value, at)
        case "integer":
            if isinstance(value, bool) or not isinstance(value, int | str) or not re.fullmatch(r"-?[0-9]{1,16}", str(value)[:20]):
                raise Invalid("must be a whole number", field=at)
            if abs(int(value)) > _LARGEST_INTEGER:
                raise Invalid(f"must be within ±{_LARGEST_INTEGER}", field=at)
            _within(definition, Decimal(int(value)), at)
            return int(value)
        case "number":
            exact = _exact(value, at)
            _within(definition, exact, at)
            return format(exact, "f")
        case "boolean":
            if not isinstance(value, bool):
                raise Invalid("must be true or false", field=at)
            return value
        case "date":
            return _iso_day(value, at)
        case "datetime":
            return _iso_moment(value, at)
        case "choice":
            if value not in definition.choices:
                raise Invalid(_offered(definition), field=at)
            return str(value)
        case "multi_choice":
            return _several(definition, value, at)


def _text(definition: FieldDef, value: Any, at: str) -> str | None:
    if not isinstance(value, str) or not _storable(value):
        raise Invalid("must be a text", field=at)
    text = value.strip()
    longest = definition.max_length or min(_USUAL_LENGTH, _LONGEST[definition.type])
    if len(text) > longest:
        raise Invalid(f"must have at most {longest} characters", field=at)
    if not text:
        return None
    if definition.type == "email" and not _EMAIL.fullmatch(text):
        raise Invalid("must be an e-mail address", field=at)
    if definition.type == "url" and not _is_url(text):
        raise Invalid("must be an http or https address", field=at)
    return text


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not re.search(r"\s", text)
    except ValueError:
        return False


def _exact(value: Any, at: str) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal) or len(str(value)) > 30:
        raise Invalid("must be a number", field=at)
    if isinstance(value, str) and not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value):
        raise Invalid("must be a number, with a point before its decimals", field=at)
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise Invalid("must be a number", field=at) from error
    if not number.is_finite():
        raise Invalid("must be a number", field=at)
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    if max(-exponent, 0) > _PLACES or max(len(digits) + exponent, 0) > _DIGITS - _PLACES:
        raise Invalid(f"must have at most {_DIGITS - _PLACES} digits before and {_PLACES} after the point", field=at)
    return Decimal(0) if number == 0 else number


def _within(definition: FieldDef, number: Decimal, at: str) -> None:
    if definition.minimum is not None and number < definition.minimum:
        raise Invalid(f"must be at least {definition.minimum:f}", field=at)
    if definition.maximum is not None and number > definition.maximum:
        raise Invalid(f"must be at most {definition.maximum:f}", field=at)


def _iso_day(value: Any, at: str) -> str:
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return date.fromisoformat(value).isoformat()
    except ValueError:
        pass
    raise Invalid("must be a day, YYYY-MM-DD", field=at)


def _iso_moment(value: Any, at: str) -> str:
    try:
        if isinstance(value, str) and len(value) <= 40:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is not None:
                return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError):
        pass
    raise Invalid("must be a moment in ISO 8601 with its offset", field=at)


def _several(definition: FieldDef, value: Any, at: str) -> list[str] | None:
    if not isinstance(value, list | tuple) or len(value) > _MOST_CHOSEN or not all(isinstance(each, str) for each in value):
        raise Invalid(f"must be a list of at most {_MOST_CHOSEN} choices", field=at)
    if any(each not in definition.choices for each in value):
        raise Invalid(_offered(definition), field=at)
    return _in_order(definition.choices, value) or None


def _in_order(choices: Sequence[str], chosen: Iterable[str]) -> list[str]:
    wanted = set(chosen)
    return [choice for choice in choices if choice in wanted]


def _offered(definition: FieldDef) -> str:
    shown = ", ".join(definition.choices[:20])
    return f"must be one of {shown}{', ...' if len(definition.choices) > 20 else ''}"


def _storable(text: str) -> bool:
    """Whether a database takes it: no NUL, no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\x00" not in text
