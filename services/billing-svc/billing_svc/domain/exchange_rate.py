"""Dated exchange rates: one `base` is `rate` of `quote`, from a day on until the next one is told."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation

from ltc_contracts.errors import DomainError, Invalid, NotYet

FIRST, LAST = date(1970, 1, 1), date(2200, 1, 1)
_CURRENCY = re.compile(r"[A-Z]{3}")
_SOURCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")
_MOST = Decimal(10) ** 9
_PLACES = 12


class RateMissing(NotYet):
    """No rate of the currency on or before the day: the document waits until one is entered."""


class RateDiffers(DomainError):
    """Another rate is entered for this day; say that it is a correction. What is booked keeps the rate it was booked at."""


class BooksInOtherCurrencies(DomainError):
    """Something is booked in a currency that would have no value in the reporting currency."""


@dataclass(frozen=True, slots=True)
class Rate:
    """One `base` is `rate` of `quote`. `valid_on` is the day from which it holds."""

    source: str
    base: str
    quote: str
    valid_on: date
    rate: Decimal


@dataclass(frozen=True, slots=True)
class Reporting:
    """In which currency the books are reported, and by whose rates."""

    currency: str
    source: str


def rate_of(source: str, base: str, quote: str, valid_on: date, rate: Decimal) -> Rate:
    """Checked. Raises `Invalid` with the field."""
    if not _SOURCE.fullmatch(source):
        raise Invalid("a name of up to 40 letters, digits, blanks and ._-", field="source")
    for field, code in (("base", base), ("quote", quote)):
        if not _CURRENCY.fullmatch(code):
            raise Invalid(f"'{code[:20]}' is not a currency code of ISO 4217", field=field)
    if base == quote:
        raise Invalid("a currency has no rate against itself", field="quote")
    if not FIRST <= valid_on <= LAST:
        raise Invalid(f"between {FIRST} and {LAST}", field="valid_on")
    if not rate.is_finite() or not 0 < rate <= _MOST:
        raise Invalid("above zero, at most 10^9", field="rate")
    exponent = rate.normalize().as_tuple().exponent
    if isinstance(exponent, int) and exponent < -_PLACES:
        raise Invalid(f"at most {_PLACES} decimal places", field="rate")
    return Rate(source, base, quote, valid_on, rate)


def read_rate(cells: dict[str, str]) -> Rate:
    """A row of a table. Raises `Invalid` with the field."""
    try:
        day = date.fromisoformat(cells["valid_on"])
    except ValueError as error:
        raise Invalid("a day as YYYY-MM-DD", field="valid_on") from error
    try:
        rate = Decimal(cells["rate"])
    except InvalidOperation as error:
        raise Invalid("is not a number", field="rate") from error
    return rate_of(cells["source"], cells["base"], cells["quote"], day, rate)


def inverse(rate: Decimal) -> Decimal:
    """One unit the other way round, to twelve places."""
    return (1 / rate).quantize(Decimal(1).scaleb(-_PLACES))
