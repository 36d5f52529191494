"""What a line of a file means: mapped columns become a lead's facts, or a reason why the row cannot be taken."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ltc_contracts.errors import Invalid

from lead_svc.domain.countries import country_code

_LENGTHS = {
    "channel": 64,
    "source": 200,
    "campaign": 200,
    "company": 200,
    "industry": 64,
    "website": 500,
    "external_ref": 200,
    "owner": 200,
}
_CONTACT = {"contact.name": 200, "contact.email": 254, "contact.phone": 40}
_OTHER = {"country", "company_size"}
FIELDS = {*_LENGTHS, *_CONTACT, *_OTHER}
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_FALSE = {"", "0", "no", "false", "n", "nein", "off"}
_LONGEST_CELL = 100_000


@dataclass(frozen=True, slots=True)
class Layout:
    """How columns become fields: field -> column, `activities.<code>` -> column; values that mean "not answered"; defaults."""

    mapping: Mapping[str, str]
    nulls: frozenset[str]
    defaults: Mapping[str, str]


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


def check_layout(columns: Sequence[str], layout: Layout) -> None:
    """Raise `Invalid` for a mapping that names no field of ours or no column of the file."""
    for name, column in layout.mapping.items():
        if name not in FIELDS and not name.startswith("activities."):
            raise Invalid(
                f"'{name}' is no field of a lead; there are {', '.join(sorted(FIELDS))}, activities.<code>", field="mapping"
            )
        if column not in columns:
            raise Invalid(f"the file has no column '{column}'", field="mapping")
    for name in layout.defaults:
        if name not in FIELDS:
            raise Invalid(f"'{name}' is no field of a lead", field="defaults")
    for name in ("channel", "source"):
        if name not in layout.mapping and name not in layout.defaults:
            raise Invalid(f"'{name}' needs a column in the mapping or a default", field="mapping")


def read_table(file: bytes) -> tuple[list[str], Iterator[tuple[int, list[str]]]]:
    """The header, and each record with the line it begins on. Separator and byte order mark are found out."""
    if b"\x00" in file:
        raise Invalid("this is a binary file, not CSV", field="file")
    try:
        text = file.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Invalid(f"the file is not UTF-8 (byte {error.start})", field="file") from error
    first = text.partition("\n")[0]
    separator = max((",", ";", "\t"), key=first.count)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        header = [name.strip() for name in next(reader)]
    except (StopIteration, csv.Error) as error:
        raise Invalid("the file has no header line", field="file") from error
    if not any(header):
        raise Invalid("the file has no header line", field="file")
    return header, _records(reader)


def _records(reader: Any) -> Iterator[tuple[int, list[str]]]:
    line = reader.line_num + 1
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Invalid(f"line {line}: {error}", field="file") from error
        if cells:
            yield line, cells
        line = reader.line_num + 1


def read_row(line: int, header: Sequence[str], cells: Sequence[str], layout: Layout) -> Row | Refusal:
    """One record as a lead's facts."""
    if len(cells) != len(header):
        return Refusal(line, "row", f"{len(cells)} cells where the header has {len(header)}")
    values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    facts: dict[str, Any] = {}
    activities: list[str] = []
    for name in {**layout.defaults, **layout.mapping}:
        value = values.get(layout.mapping.get(name, ""), "")
        if value in layout.nulls:
            value = ""
        if name.startswith("activities."):
            if value.lower() not in _FALSE:
                activities.append(name.removeprefix("activities."))
            continue
        value = value or layout.defaults.get(name, "")
        try:
            facts[name] = _value(name, value) if value else None
        except Invalid as error:
            return Refusal(line, name, error.reason)
    for name in ("channel", "source"):
        if not facts.get(name):
            return Refusal(line, name, "is empty, and there is no default")
    contact = {name.partition(".")[2]: facts.pop(name, None) for name in _CONTACT}
    if any(contact.values()):
        facts["contact"] = contact
    used = set(layout.mapping.values())
    rest = {name: value for name, value in values.items() if name and name not in used and value and value not in layout.nulls}
    return Row(line, facts, tuple(activities), rest)


def _value(name: str, value: str) -> Any:
    if name == "country":
        code = country_code(value)
        if code is None:
            raise Invalid("is no country we know, by ISO code or English name")
        return code
    if name == "company_size":
        if not value.isascii() or not value.isdigit() or len(value) > 9:
            raise Invalid("is not a number of people")
        return int(value)
    if name == "contact.email" and not _EMAIL.fullmatch(value):
        raise Invalid("is not an e-mail address")
    limit = _LENGTHS.get(name) or _CONTACT[name]
    if len(value) > limit:
        raise Invalid(f"is longer than {limit} characters")
    return value
