"""What a record of a file means: mapped columns become a lead's facts, or a reason why the row cannot be taken."""

import functools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ltc_contracts.errors import Invalid
from ltc_rules.countries import country_code
from ltc_rules.custom_fields import FieldDef, parse_cell

_LENGTHS = {
    "channel": 64,
    "source": 200,
    "campaign": 200,
    "company": 200,
    "industry": 64,
    "website": 500,
    "external_ref": 200,
    "owner": 200,
    "region": 200,
    "channel_group": 64,
    "partner_code": 64,
}
_CONTACT = {"contact.name": 200, "contact.email": 254, "contact.phone": 40}
_OTHER = {"country", "company_size", "outcome"}
FIELDS = {*_LENGTHS, *_CONTACT, *_OTHER}
_OWN = "custom."
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
OUTCOMES = ("converted", "won", "lost")
_FALSE = {"", "0", "no", "false", "n", "nein", "off"}
_LONGEST_CODE = 64
_LONGEST_ATTRIBUTE = 2000


@dataclass(frozen=True, slots=True)
class Layout:
    """How columns become fields: field -> column, `activities.<code>` -> column; values that mean "not answered"; defaults.

    `outcomes` says which value of the column `outcome` means what: value -> converted, won, lost.
    """

    mapping: Mapping[str, str]
    nulls: frozenset[str]
    defaults: Mapping[str, str]
    outcomes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be taken."""

    line: int
    facts: dict[str, Any]
    activities: tuple[str, ...]
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot, and why. No value is repeated: it may be personal."""

    line: int
    field: str
    reason: str


def check_layout(columns: Sequence[str], layout: Layout, own: Mapping[str, FieldDef]) -> None:
    """Raise `Invalid` for a mapping that names no field of ours or no column of the file, or a default that is no value."""
    for name, column in layout.mapping.items():
        code = name.removeprefix("activities.")
        if name not in FIELDS and name not in own and (code == name or not 0 < len(code) <= _LONGEST_CODE):
            raise Invalid(
                f"'{name}' is no field of a lead; there are {', '.join(sorted(FIELDS))}, activities.<code>, custom.<key>",
                field="mapping",
            )
        if column not in columns:
            raise Invalid(f"the file has no column '{column}'", field="mapping")
    for name, value in layout.defaults.items():
        if name not in FIELDS and name not in own:
            raise Invalid(f"'{name}' is no field of a lead", field="defaults")
        try:
            _converter(name, layout, own)(value)
        except Invalid as error:
            raise Invalid(f"'{name}' {error.reason}", field="defaults") from error
    if not set(layout.outcomes.values()) <= set(OUTCOMES):
        raise Invalid(f"a value means one of {', '.join(OUTCOMES)}", field="outcomes")
    for name in ("channel", "source"):
        if name not in layout.mapping and name not in layout.defaults:
            raise Invalid(f"'{name}' needs a column in the mapping or a default", field="mapping")


class Reader:
    """Reads the records of one file. What can be decided once per file is decided here, not once per row."""

    def __init__(self, header: Sequence[str], layout: Layout, fields: Iterable[FieldDef] = ()) -> None:
        """`fields` are the company's own, mapped to as `custom.<key>`."""
        own = {f"{_OWN}{definition.key}": definition for definition in fields if not definition.archived}
        check_layout(header, layout, own)
        self._width = len(header)
        self._nulls = layout.nulls | {""}
        place = {name: index for index, name in enumerate(header) if name}
        named = {name: place[column] for name, column in layout.mapping.items()}
        self._activities = [
            (name.removeprefix("activities."), index) for name, index in named.items() if name.startswith("activities.")
        ]
        defaults = {name: _converter(name, layout, own)(value) for name, value in layout.defaults.items()}
        self._fields = [
            (name, index, defaults.get(name), _converter(name, layout, own))
            for name, index in named.items()
            if name in FIELDS or name in own
        ]
        self._own = sorted({*named, *defaults} & own.keys())
        self._required = [name for name, definition in own.items() if definition.required]
        self._constants = {name: value for name, value in defaults.items() if name not in named}
        used = set(named.values())
        self._rest = [(name, index) for name, index in place.items() if index not in used]

    def read(self, line: int, cells: Sequence[str]) -> Row | Refusal:
        """One record as a lead's facts. What no field is mapped to is kept as an attribute."""
        if len(cells) != self._width:
            return Refusal(line, "row", f"{len(cells)} cells where the header has {self._width}")
        facts: dict[str, Any] = dict(self._constants)
        nulls = self._nulls
        for name, index, default, convert in self._fields:
            value = cells[index].strip()
            if value in nulls:
                facts[name] = default
                continue
            try:
                facts[name] = convert(value)
            except Invalid as error:
                return Refusal(line, name, error.reason)
        for name in ("channel", "source"):
            if not facts.get(name):
                return Refusal(line, name, "is empty, and there is no default")
        for name in self._required:
            if facts.get(name) is None:
                return Refusal(line, name, "is required")
        attributes: dict[str, str] = {}
        for name, index in self._rest:
            value = cells[index].strip()
            if value not in nulls:
                if len(value) > _LONGEST_ATTRIBUTE:
                    return Refusal(line, name, f"is longer than {_LONGEST_ATTRIBUTE} characters")
                attributes[name] = value
        contact = {name[8:]: value for name in _CONTACT if (value := facts.pop(name, None)) is not None}
        if contact:
            facts["contact"] = contact
        if self._own:
            facts["custom"] = {
                name.removeprefix(_OWN): value for name in self._own if (value := facts.pop(name, None)) is not None
            }
        done = tuple(
            code
            for code, index in self._activities
            if (value := cells[index].strip()) not in nulls and value.lower() not in _FALSE
        )
        return Row(line, facts, done, attributes)


def _converter(name: str, layout: Layout, own: Mapping[str, FieldDef]) -> Callable[[str], Any]:
    if name in own:
        return functools.partial(parse_cell, own[name])
    if name == "country":
        return _country
    if name == "outcome":
        return functools.partial(_outcome, layout.outcomes)
    if name == "company_size":
        return _size
    limit = _LENGTHS.get(name) or _CONTACT[name]
    email = name == "contact.email"

    def text(value: str) -> str:
        if len(value) > limit:
            raise Invalid(f"is longer than {limit} characters")
        if email and not _EMAIL.fullmatch(value):
            raise Invalid("is not an e-mail address")
        return value

    return text


def _country(value: str) -> str:
    code = country_code(value)
    if code is None:
        raise Invalid("is no country we know, by ISO code or English name")
    return code


def _outcome(meanings: Mapping[str, str], value: str) -> str:
    outcome = meanings.get(value, value)
    if outcome not in OUTCOMES:
        raise Invalid(f"means none of {', '.join(OUTCOMES)}; say in `outcomes` which value does")
    return outcome


def _size(value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9 or int(value) > 100_000_000:
        raise Invalid("is not a number of people")
    return int(value)
