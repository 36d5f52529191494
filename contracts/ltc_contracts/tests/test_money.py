import operator
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from ltc_contracts.errors import Invalid
from ltc_contracts.money import CurrencyMismatch, Money, minor_units, round_half_up

WIRE = TypeAdapter(Money)
CENTS = st.integers(-(10**14), 10**14).map(lambda cents: Money.of(Decimal(cents).scaleb(-2), "EUR"))


@pytest.mark.parametrize(
    ("currency", "exact", "too_fine"), [("EUR", "1.25", "1.255"), ("JPY", "125", "125.5"), ("KWD", "1.255", "1.2555")]
)
def test_an_amount_is_whole_minor_units_of_its_currency(currency: str, exact: str, too_fine: str) -> None:
    assert str(Money.of(exact, currency).amount) == exact
    with pytest.raises(Invalid, match="decimal places"):
        Money.of(too_fine, currency)


def test_the_amount_is_written_with_all_its_places() -> None:
    assert WIRE.dump_python(Money.of(5, "EUR")) == {"amount": "5.00", "currency": "EUR"}
    assert WIRE.dump_json(Money.of("5", "JPY")) == b'{"amount":"5","currency":"JPY"}'


@pytest.mark.parametrize(
    ("amount", "currency"),
    [("NaN", "EUR"), ("Infinity", "EUR"), ("1e15", "EUR"), ("x", "EUR"), ("1", "eur"), ("1", "EURO"), ("1", "")],
)
def test_what_is_no_amount_or_no_currency_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(Invalid):
        Money.of(amount, currency)


@pytest.mark.parametrize(
    "wire",
    [
        '{"amount": 12.5, "currency": "EUR"}',
        '{"amount": 12, "currency": "EUR"}',
        '{"amount": "12.345", "currency": "EUR"}',
        '{"amount": "1e3", "currency": "EUR"}',
        '{"amount": " 1", "currency": "EUR"}',
        '{"amount": "1"}',
        '{"currency": "EUR"}',
        '"12 EUR"',
        "null",
    ],
)
def test_the_wire_takes_exact_strings_only(wire: str) -> None:
    with pytest.raises(ValidationError):
        WIRE.validate_json(wire)


@given(CENTS)
def test_the_wire_gives_back_what_it_took(money: Money) -> None:
    assert WIRE.validate_json(WIRE.dump_json(money)) == money


@given(st.lists(CENTS, max_size=8))
def test_sums_are_exact_and_negation_undoes_them(parts: list[Money]) -> None:
    total = Money.total(parts, "EUR")
    assert total.amount == sum((part.amount for part in parts), Decimal(0))
    assert Money.total([*parts, -total], "EUR") == Money.zero("EUR")


@pytest.mark.parametrize("combine", [operator.add, operator.sub, operator.lt, operator.le])
def test_two_currencies_never_meet(combine: Callable[[Money, Money], object]) -> None:
    with pytest.raises(CurrencyMismatch):
        combine(Money.of(1, "EUR"), Money.of(1, "USD"))


@pytest.mark.parametrize(("exact", "rounded"), [("0.005", "0.01"), ("-0.005", "-0.01"), ("2.675", "2.68"), ("1.0049", "1.00")])
def test_half_goes_away_from_zero(exact: str, rounded: str) -> None:
    assert str(Money.rounded(Decimal(exact), "EUR").amount) == rounded
    assert str(round_half_up(Decimal(exact), 2)) == rounded


def test_minor_units_are_those_of_iso_4217() -> None:
    assert [minor_units(code) for code in ("EUR", "CNY", "JPY", "BHD", "CLF")] == [2, 2, 0, 3, 4]
