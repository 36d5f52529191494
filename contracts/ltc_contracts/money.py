"""Money: an exact amount in one currency, in that currency's minor units."""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from ltc_contracts.errors import Invalid

# Minor units that are not 2 (ISO 4217, list one).
_MINOR_UNITS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
    **dict.fromkeys(["CLF", "UYW"], 4),
}
_CURRENCY = re.compile(r"[A-Z]{3}")
_LIMIT = Decimal(10) ** 15


class CurrencyMismatch(Invalid):
    """Two amounts of different currencies were combined."""


def minor_units(currency: str) -> int:
    """Decimal places of a currency (ISO 4217): EUR 2, JPY 0, KWD 3."""
    return _MINOR_UNITS.get(currency, 2)


@functools.lru_cache(maxsize=1000)
def _smallest(currency: str) -> Decimal | None:
    """One minor unit of a currency; None for what is no code of one."""
    return Decimal(1).scaleb(-minor_units(currency)) if _CURRENCY.fullmatch(currency) else None


def round_half_up(amount: Decimal, places: int) -> Decimal:
    """Commercial rounding, away from zero at the half, as EN 16931 expects."""
    return amount.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount. Built with `Money.of`, which refuses fractions of a minor unit, or `Money.rounded`."""

    amount: Decimal
    currency: str

    @classmethod
    def of(cls, amount: Decimal | int | str, currency: str) -> "Money":
        """Exact: raises `Invalid` when the amount has more places than the currency, is not finite or too large."""
        smallest = _smallest(currency)
        if smallest is None:
            raise Invalid(f"'{currency}' is not a currency code of ISO 4217", field="currency")
        try:
            value = Decimal(amount)
        except (InvalidOperation, ValueError) as error:
            raise Invalid(f"'{amount}' is not an amount", field="amount") from error
        if not value.is_finite() or abs(value) >= _LIMIT:
            raise Invalid("the amount must be finite and below 10^15", field="amount")
        # Nearly every amount is written with its currency's places already.
        if not value.same_quantum(smallest):
            exact = value.quantize(smallest, rounding=ROUND_HALF_UP)
            if exact != value:
                raise Invalid(f"{currency} has {minor_units(currency)} decimal places, got {amount}", field="amount")
            value = exact
        return cls(value, currency)

    @classmethod
    def rounded(cls, amount: Decimal, currency: str) -> "Money":
        """Half up to the currency's minor unit. Raises `Invalid` for what is too large to be money."""
        if not amount.is_finite() or abs(amount) >= _LIMIT:
            raise Invalid("the amount must be finite and below 10^15", field="amount")
        return cls.of(round_half_up(amount, minor_units(currency)), currency)

    @classmethod
    def zero(cls, currency: str) -> "Money":
        return _zero(currency)

    @classmethod
    def total(cls, parts: Iterable["Money"], currency: str) -> "Money":
        """Exact sum; zero of `currency` for no parts."""
        result = cls.zero(currency)
        for part in parts:
            result = result + part
        return result

    def __add__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount + other.amount, self.currency)

    def __sub__(self, other: "Money") -> "Money":
        self._same(other)
        return Money(self.amount - other.amount, self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __lt__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount < other.amount

    def __le__(self, other: "Money") -> bool:
        self._same(other)
        return self.amount <= other.amount

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"

    def _same(self, other: "Money") -> None:
        if self.currency != other.currency:
            raise CurrencyMismatch(f"cannot combine {self.currency} with {other.currency}", field="currency")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[Any], handler: GetCoreSchemaHandler) -> CoreSchema:
        """On the wire: {"amount": "12.50", "currency": "EUR"}; a JSON number is refused, since it may have been a float."""
        wire = core_schema.typed_dict_schema(
            {
                "amount": core_schema.typed_dict_field(
                    core_schema.str_schema(pattern=r"^-?[0-9]{1,15}(\.[0-9]{1,4})?$", strict=True)
                ),
                "currency": core_schema.typed_dict_field(core_schema.str_schema(pattern=r"^[A-Z]{3}$", strict=True)),
            },
            extra_behavior="ignore",
        )

        def build(value: dict[str, str]) -> Money:
            try:
                return cls.of(value["amount"], value["currency"])
            except Invalid as error:
                raise ValueError(error.reason) from error

        parsed = core_schema.no_info_after_validator_function(build, wire)
        return core_schema.json_or_python_schema(
            json_schema=parsed,
            python_schema=core_schema.union_schema([core_schema.is_instance_schema(cls), parsed]),
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda money: {"amount": str(money.amount), "currency": money.currency}, return_schema=wire
            ),
        )


@functools.lru_cache(maxsize=1000)
def _zero(currency: str) -> Money:
    return Money.of(0, currency)
