"""A price list as CSV, as spreadsheets write it: any of , ; and tab between cells, a BOM or none, decimals with a point. Pure.

Columns: `sku`, `unit_price` or `tiers`, `valid_from`; optionally `valid_until`, `model`, `base_quantity`, `minimum_quantity`,
`maximum_quantity`, `unit_cost`. `tiers` is `10:95.00 100:90.00 *:80.00`: up to 10, up to 100, beyond.
"""

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar, get_args

from ltc_contracts.errors import Invalid

from sales_svc.domain.price import Model, Tier

MOST_ROWS = 20_000
COLUMNS = frozenset(
    ("sku", "unit_price", "tiers", "valid_from", "valid_until", "model", "base_quantity", "minimum_quantity", "maximum_quantity")
) | {"unit_cost"}
_LONGEST_CELL = 2000
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Row:
    """One price of the list; `number` is the line of the file a person would look at."""

    number: int
    sku: str
    valid_from: date
    valid_until: date | None
    model: Model
    tiers: tuple[Tier, ...]
    base_quantity: Decimal
    minimum_quantity: Decimal | None
    maximum_quantity: Decimal | None
    unit_cost: Decimal | None


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong in one line of the file."""

    row: int
    field: str | None
    reason: str


def read(content: bytes) -> tuple[list[Row], list[RowError]]:
    """The rows that make sense, and what is wrong with the others. Raises `Invalid` when the file is no such list at all."""
    text = _decoded(content)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    try:
        head = [cell.strip().lower() for cell in next(reader)]
    except StopIteration:
        raise Invalid("the file is empty", field="file") from None
    except csv.Error as error:
        raise Invalid(f"the first line cannot be read: {error}", field="file") from error
    _check_head(head)
    rows: list[Row] = []
    errors: list[RowError] = []
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return rows, errors
        except csv.Error as error:
            # A quote that is never closed swallows what follows: nothing after it can be trusted.
            return rows, [*errors, RowError(reader.line_num, None, f"cannot be read: {error}; nothing after it was read")]
        if not any(cell.strip() for cell in cells):
            continue
        if len(rows) + len(errors) >= MOST_ROWS:
            raise Invalid(f"at most {MOST_ROWS} rows at a time", field="file")
        try:
            if len(cells) > len(head):
                raise Invalid("has more cells than the first line")
            rows.append(_row(reader.line_num, {name: cell.strip() for name, cell in zip(head, cells, strict=False)}))
        except Invalid as error:
            errors.append(RowError(reader.line_num, error.field, error.reason))


def _decoded(content: bytes) -> str:
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise Invalid(f"the file is not {encoding.upper().removesuffix('-SIG')}: byte {error.start}", field="file") from error
    if "\0" in text:
        raise Invalid("the file holds NUL characters", field="file")
    return text


def _delimiter(text: str) -> str:
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _check_head(head: list[str]) -> None:
    unknown = [name for name in head if name not in COLUMNS]
    if unknown:
        raise Invalid(f"unknown columns: {', '.join(unknown)[:200]}; there are {', '.join(sorted(COLUMNS))}", field="file")
    if len(set(head)) < len(head):
        raise Invalid("a column is named twice", field="file")
    missing = [name for name in ("sku", "valid_from") if name not in head]
    if missing or not {"unit_price", "tiers"} & set(head):
        raise Invalid("the columns sku, valid_from, and unit_price or tiers are needed", field="file")


def _row(number: int, cells: Mapping[str, str]) -> Row:
    for name, cell in cells.items():
        if len(cell) > _LONGEST_CELL:
            raise Invalid(f"longer than {_LONGEST_CELL} characters", field=name)
    if not 0 < len(cells.get("sku", "")) <= 64:
        raise Invalid("1 to 64 characters", field="sku")
    price, tiers = cells.get("unit_price", ""), cells.get("tiers", "")
    if bool(price) == bool(tiers):
        raise Invalid("either a unit price or tiers", field="unit_price")
    model = cells.get("model") or ("volume" if tiers else "flat")
    if model not in get_args(Model):
        raise Invalid(f"one of {', '.join(get_args(Model))}", field="model")
    made: Any = {
        "sku": cells["sku"],
        "model": model,
        "tiers": _tiers(tiers) if tiers else (Tier(None, _cell(cells, "unit_price", _number)),),
        "valid_from": _cell(cells, "valid_from", date.fromisoformat),
        "base_quantity": _cell(cells, "base_quantity", _positive) if cells.get("base_quantity") else Decimal(1),
    }
    for name, parse in (
        ("valid_until", date.fromisoformat),
        ("minimum_quantity", _positive),
        ("maximum_quantity", _positive),
        ("unit_cost", _number),
    ):
        made[name] = _cell(cells, name, parse) if cells.get(name) else None
    return Row(number=number, **made)


def _tiers(text: str) -> tuple[Tier, ...]:
    made: list[Tier] = []
    for part in text.split():
        bound, colon, price = part.partition(":")
        if not colon:
            raise Invalid("tiers look like 10:95.00 100:90.00 *:80.00", field="tiers")
        try:
            made.append(Tier(None if bound == "*" else _positive(bound), _number(price)))
        except ValueError as error:
            raise Invalid(f"'{part[:50]}': {error}", field="tiers") from error
    return tuple(made)


def _cell(cells: Mapping[str, str], name: str, parse: Callable[[str], T]) -> T:
    text = cells.get(name, "")
    try:
        return parse(text)
    except ValueError as error:
        expected = "a day like 2026-01-31" if name.startswith("valid") else str(error)
        raise Invalid(f"'{text[:50]}' is not {expected}" if name.startswith("valid") else expected, field=name) from error


def _number(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"'{text[:50]}' is not a number like 1234.50") from None
    if not number.is_finite() or abs(number) >= Decimal(10) ** 14 or number != round(number, 6):
        raise ValueError("a number has at most 14 digits before and 6 after the point")
    if number < 0:
        raise ValueError("it is not negative")
    return number


def _positive(text: str) -> Decimal:
    number = _number(text)
    if number == 0:
        raise ValueError("it is more than 0")
    return number
