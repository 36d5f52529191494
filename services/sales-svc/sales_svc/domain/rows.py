"""What a line of another CRM's file means: an account, a rep, or a deal with its past; or a reason why it cannot be taken."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money
from ltc_rules import custom_fields as fields
from ltc_rules.countries import country_code
from ltc_rules.custom_fields import FieldDef

Kind = Literal["accounts", "reps", "opportunities"]
# Longest text per field; fields of other kinds follow.
_TEXTS: dict[Kind, dict[str, int]] = {
    "accounts": {
        "name": 200,
        "website": 500,
        "vat_id": 20,
        "industry": 64,
        "segment": 64,
        "region": 200,
        "owner": 200,
        "parent": 200,
    },
    "reps": {"name": 200, "team": 200, "manager": 200, "region": 200},
    "opportunities": {
        "external_ref": 200,
        "name": 200,
        "company": 200,
        "owner": 200,
        "team": 200,
        "region": 200,
        "segment": 64,
        "campaign": 200,
        "channel": 64,
        "source": 200,
        "pipeline": 64,
        "stage": 64,
        "product": 64,
        "reason": 2000,
        "competitor": 200,
        "currency": 3,
    },
}
_COUNTRIES: dict[Kind, frozenset[str]] = {
    "accounts": frozenset(("country",)),
    "reps": frozenset(),
    "opportunities": frozenset(("country",)),
}
_DAYS: dict[Kind, frozenset[str]] = {
    "accounts": frozenset(),
    "reps": frozenset(),
    "opportunities": frozenset(("opened_on", "closed_on", "expected_close_on")),
}
_OTHER: dict[Kind, frozenset[str]] = {
    "accounts": frozenset(("size",)),
    "reps": frozenset(),
    "opportunities": frozenset(("value",)),
}
_NEEDED: dict[Kind, tuple[str, ...]] = {"accounts": ("name",), "reps": ("name",), "opportunities": ("external_ref", "stage")}
CUSTOM: dict[Kind, str | None] = {"accounts": "account", "reps": None, "opportunities": "opportunity"}
DATES = {
    "YYYY-MM-DD": "%Y-%m-%d",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD/MM/YYYY": "%d/%m/%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
    "YYYY/MM/DD": "%Y/%m/%d",
}


@dataclass(frozen=True, slots=True)
class Layout:
    """How columns become fields, and the words of the other system ours.

    `columns`: field -> column. `values`: field -> their value -> ours, before anything is read (`{"product": {"GTXPro": "GTX Pro"}}`).
    `defaults`: field -> value where a row has none. `nulls` mean "not answered". `dates` is one of `DATES`.
    """

    columns: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    nulls: frozenset[str] = frozenset(("",))
    dates: str = "YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class Row:
    """A row that can be taken: fields by name, without those that are empty."""

    line: int
    facts: dict[str, Any]
    custom: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot, and why. No value is repeated: it may be personal."""

    line: int
    field: str
    reason: str


class Reader:
    """Reads the records of one file. Raises `Invalid` for a layout that names no field of ours or no column of the file."""

    def __init__(self, kind: Kind, header: Sequence[str], layout: Layout, defs: Sequence[FieldDef]) -> None:
        self._kind = kind
        self._layout = layout
        self._width = len(header)
        self._defs = {definition.key: definition for definition in defs if not definition.archived}
        known = fields_of(kind)
        for place, names in (("columns", layout.columns), ("values", layout.values), ("defaults", layout.defaults)):
            for name in names:
                if name.startswith("custom.") and name.removeprefix("custom.") in self._defs:
                    continue
                if name not in known:
                    raise Invalid(
                        f"{place}: '{name}' is no field of {kind}; there are {', '.join(sorted(known))}", field="mapping"
                    )
        for column in layout.columns.values():
            if column not in header:
                raise Invalid(f"columns: the file has no column '{column}'", field="mapping")
        for name in _NEEDED[kind]:
            if name not in layout.columns and name not in layout.defaults:
                raise Invalid(f"'{name}' needs a column or a default", field="mapping")
        if layout.dates not in DATES:
            raise Invalid(f"dates: there are {', '.join(DATES)}", field="mapping")
        at = {column: index for index, column in enumerate(header)}
        self._at = {name: at[column] for name, column in layout.columns.items()}

    def read(self, line: int, cells: Sequence[str]) -> Row | Refusal:
        """One record as fields, or why it cannot be taken."""
        if len(cells) != self._width:
            return Refusal(line, "row", f"{len(cells)} cells where the header has {self._width}")
        facts: dict[str, Any] = {}
        custom: dict[str, Any] = {}
        for name in dict.fromkeys((*self._at, *self._layout.defaults)):
            text = cells[self._at[name]].strip() if name in self._at else ""
            text = "" if text in self._layout.nulls else self._layout.values.get(name, {}).get(text, text)
            text = text or self._layout.defaults.get(name, "")
            if not text:
                continue
            try:
                if name.startswith("custom."):
                    definition = self._defs[name.removeprefix("custom.")]
                    custom[definition.key] = fields.parse_cell(definition, text)
                else:
                    facts[name] = self._value(name, text)
            except Invalid as error:
                return Refusal(line, name, error.reason)
        for name in _NEEDED[self._kind]:
            if name not in facts:
                return Refusal(line, name, "is empty, and there is no default")
        return self._checked(Row(line, facts, custom))

    def _value(self, name: str, text: str) -> Any:
        if name in _COUNTRIES[self._kind]:
            code = country_code(text)
            if code is None:
                raise Invalid("is no country we know, by ISO code or English name")
            return code
        if name in _DAYS[self._kind]:
            return _day(text, self._layout.dates)
        if name == "size":
            if not text.isascii() or not text.isdigit() or len(text) > 9:
                raise Invalid("is not a number of people")
            return int(text)
        if name == "value":
            return text
        if "\x00" in text:
            raise Invalid("holds a sign that cannot be kept")
        limit = _TEXTS[self._kind][name]
        if len(text) > limit:
            raise Invalid(f"is longer than {limit} characters")
        return text

    def _checked(self, row: Row) -> Row | Refusal:
        if self._kind != "opportunities":
            return row
        facts = row.facts
        if "value" in facts:
            if "currency" not in facts:
                return Refusal(row.line, "currency", "is empty, and a value needs one")
            try:
                value = Money.of(facts["value"], facts["currency"])
            except Invalid as error:
                return Refusal(row.line, "currency" if error.field == "currency" else "value", error.reason)
            if value.amount < 0:
                return Refusal(row.line, "value", "is negative")
            facts["value"] = value
        facts.pop("currency", None)
        opened, closed = facts.get("opened_on"), facts.get("closed_on")
        if facts["stage"] in ("won", "lost"):
            if closed is None:
                return Refusal(row.line, "closed_on", "is empty, and the deal is closed")
            if opened is not None and closed < opened:
                return Refusal(row.line, "closed_on", "lies before the day on which the deal was opened")
            if facts["stage"] == "won" and "value" not in facts:
                return Refusal(row.line, "value", "is empty, and the deal is won")
        elif closed is not None:
            return Refusal(row.line, "closed_on", "is given, and the deal is open")
        return row


def fields_of(kind: Kind) -> set[str]:
    """Every field that a file of this kind may fill, besides the company's own (`custom.<key>`)."""
    return {*_TEXTS[kind], *_COUNTRIES[kind], *_DAYS[kind], *_OTHER[kind]}


def begin_of(day: date) -> datetime:
    """The moment that a day without a time means: its begin, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _day(text: str, dates: str) -> date:
    try:
        return datetime.strptime(text, DATES[dates]).replace(tzinfo=UTC).date()
    except ValueError as error:
        raise Invalid(f"is no day written as {dates}") from error
