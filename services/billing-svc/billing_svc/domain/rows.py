"""What a line of another system's receivables means: an invoice with its past, or a reason why it cannot be taken."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money
from ltc_rules.countries import country_code

# Longest text per field.
_TEXTS = {
    "number": 40,
    "system": 16,
    "customer": 100,
    "customer_name": 200,
    "vat_id": 20,
    "description": 200,
    "reference": 200,
    "currency": 3,
}
_DAYS = ("issued_on", "due_on", "settled_on")
_NEEDED = ("number", "customer", "country", "issued_on", "due_on", "amount", "currency")
_METHODS = ("bank_transfer", "card", "cash", "other")
_YES_OR_NO = {"yes": True, "true": True, "y": True, "1": True, "no": False, "false": False, "n": False, "0": False}
_SYSTEM = re.compile(r"[A-Z0-9]+")
_LONGEST_TERMS = 3660
_EARLIEST = date(1970, 1, 1)
FIELDS = frozenset((*_TEXTS, *_DAYS, "country", "customer_id", "amount", "disputed", "method"))
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

    `columns`: field -> column. `values`: field -> their value -> ours, before anything is read (`{"country": {"818": "EG"}}`).
    `defaults`: field -> value where a row has none. `nulls` mean "not told". `dates` is one of `DATES`.
    """

    columns: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)
    nulls: frozenset[str] = frozenset(("",))
    dates: str = "YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class Row:
    """A receivable of another system. `number` and `customer` are as they are there; `system` tells several such systems apart.

    `amount` is all that was claimed, tax included: that tax was declared where the document was made. `settled_on` None: still open.
    """

    line: int
    system: str
    number: str
    customer: str
    customer_id: UUID | None
    customer_name: str
    country: str
    vat_id: str | None
    description: str | None
    issued_on: date
    due_on: date
    settled_on: date | None
    amount: Money
    disputed: bool
    method: Any
    reference: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row that cannot be taken, and why. No value is repeated: it may be personal."""

    line: int
    field: str
    reason: str


class Reader:
    """Reads the records of one file. Raises `Invalid` for a layout that names no field of ours or no column of the file."""

    def __init__(self, header: Sequence[str], layout: Layout) -> None:
        self._layout = layout
        self._width = len(header)
        for place, names in (("columns", layout.columns), ("values", layout.values), ("defaults", layout.defaults)):
            for name in names:
                if name not in FIELDS:
                    raise Invalid(
                        f"{place}: '{name}' is no field of receivables; there are {', '.join(sorted(FIELDS))}", field="mapping"
                    )
        for column in layout.columns.values():
            if column not in header:
                raise Invalid(f"columns: the file has no column '{column}'", field="mapping")
        for name in _NEEDED:
            if name not in layout.columns and name not in layout.defaults:
                raise Invalid(f"'{name}' needs a column or a default", field="mapping")
        if layout.dates not in DATES:
            raise Invalid(f"dates: there are {', '.join(DATES)}", field="mapping")
        at = {column: index for index, column in enumerate(header)}
        self._at = {name: at[column] for name, column in layout.columns.items()}

    def read(self, line: int, cells: Sequence[str], today: date) -> Row | Refusal:
        """One record as a receivable, or why it cannot be taken; nothing of it may lie after `today` but the due day."""
        if len(cells) != self._width:
            return Refusal(line, "row", f"{len(cells)} cells where the header has {self._width}")
        facts: dict[str, Any] = {}
        for name in dict.fromkeys((*self._at, *self._layout.defaults)):
            text = cells[self._at[name]].strip() if name in self._at else ""
            text = "" if text in self._layout.nulls else self._layout.values.get(name, {}).get(text, text)
            text = text or self._layout.defaults.get(name, "")
            if not text:
                continue
            try:
                facts[name] = self._value(name, text)
            except Invalid as error:
                return Refusal(line, name, error.reason)
        for name in _NEEDED:
            if name not in facts:
                return Refusal(line, name, "is empty, and there is no default")
        return _checked(line, facts, today)

    def _value(self, name: str, text: str) -> Any:
        if name in _DAYS:
            return _day(text, self._layout.dates)
        if name in _TEXTS:
            return _text(name, text)
        if name == "amount":
            return text
        return _OTHER[name](text)


def _text(name: str, text: str) -> str:
    if "\x00" in text:
        raise Invalid("holds a sign that cannot be kept")
    if len(text) > _TEXTS[name]:
        raise Invalid(f"is longer than {_TEXTS[name]} characters")
    if name == "number" and not (text.isprintable() and any(sign.isascii() and sign.isalnum() for sign in text)):
        raise Invalid("is no number of a document")
    if name == "system" and not _SYSTEM.fullmatch(text):
        raise Invalid("is written in capital letters and digits")
    return text


def _country(text: str) -> str:
    code = country_code(text)
    if code is None:
        raise Invalid("is no country we know, by ISO code or English name")
    return code


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise Invalid("is no id of ours") from error


def _yes_or_no(text: str) -> bool:
    if text.lower() not in _YES_OR_NO:
        raise Invalid(f"is none of {', '.join(_YES_OR_NO)}")
    return _YES_OR_NO[text.lower()]


def _method(text: str) -> str:
    if text not in _METHODS:
        raise Invalid(f"is none of {', '.join(_METHODS)}")
    return text


_OTHER: Mapping[str, Any] = {"country": _country, "customer_id": _id, "disputed": _yes_or_no, "method": _method}


def _checked(line: int, facts: dict[str, Any], today: date) -> Row | Refusal:
    try:
        amount = Money.of(facts.pop("amount"), facts.pop("currency"))
    except Invalid as error:
        return Refusal(line, "currency" if error.field == "currency" else "amount", error.reason)
    if amount.amount <= 0:
        return Refusal(line, "amount", "is not above zero; what is owed to a customer is not a receivable")
    issued, due, settled = facts["issued_on"], facts["due_on"], facts.get("settled_on")
    if issued < _EARLIEST:
        return Refusal(line, "issued_on", f"lies before {_EARLIEST}")
    if issued > today:
        return Refusal(line, "issued_on", "lies in the future")
    if due < issued:
        return Refusal(line, "due_on", "lies before the day of the document")
    if (due - issued).days > _LONGEST_TERMS:
        return Refusal(line, "due_on", f"lies more than {_LONGEST_TERMS} days after the day of the document")
    if settled is not None and settled < issued:
        return Refusal(line, "settled_on", "lies before the day of the document")
    if settled is not None and settled > today:
        return Refusal(line, "settled_on", "lies in the future")
    given = {
        **dict.fromkeys(("customer_id", "vat_id", "description", "settled_on")),
        "system": "",
        "customer_name": facts["customer"],
        "disputed": False,
        "method": "other",
        "reference": facts["number"],
    }
    return Row(line=line, amount=amount, **{**given, **facts})


def begin_of(day: date) -> datetime:
    """The moment that a day without a time means: its begin, UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _day(text: str, dates: str) -> date:
    try:
        return datetime.strptime(text, DATES[dates]).replace(tzinfo=UTC).date()
    except ValueError as error:
        raise Invalid(f"is no day written as {dates}") from error
