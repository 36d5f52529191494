"""The arithmetic of tiers and bundles, over whatever numbers."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money

from sales_svc.domain.line import price_line
from sales_svc.domain.price import Model, Price, Tier, check_price, slices
from sales_svc.domain.pricing import allocate
from sales_svc.tests.builders import NOW

QUANTITIES = st.decimals("0.001", 100_000, places=3)
CENTS = st.decimals(0, 1_000_000, places=2)


def tiered(model: Model, *tiers: tuple[str | None, str]) -> Price:
    steps = tuple(Tier(None if up_to is None else Decimal(up_to), Decimal(amount)) for up_to, amount in tiers)
    return Price(new_id(), "LIST", "PUMP", 1, NOW.date(), None, model, steps, Decimal(1), None, None, None)


@given(QUANTITIES)
def test_slices_of_a_graduated_price_add_up_to_the_quantity(quantity: Decimal) -> None:
    price = tiered("graduated", ("10", "9.00"), ("100.5", "8.00"), (None, "7.00"))
    check_price(price, "EUR")
    parts = slices(price, quantity, "EUR")
    assert sum(part.quantity for part in parts) == quantity
    assert all(part.quantity > 0 for part in parts)
    assert [part.tier for part in parts] == list(range(1, len(parts) + 1))


@given(QUANTITIES)
def test_a_volume_price_has_one_slice(quantity: Decimal) -> None:
    [part] = slices(tiered("volume", ("10", "9.00"), ("100.5", "8.00"), (None, "7.00")), quantity, "EUR")
    expected = "9.00" if quantity <= 10 else "8.00" if quantity <= Decimal("100.5") else "7.00"
    assert (part.quantity, str(part.unit_price.amount)) == (quantity, expected)


@given(CENTS, st.lists(st.decimals(0, 10_000, places=2), min_size=1, max_size=20), st.sampled_from(["EUR", "KWD"]))
def test_shares_add_up_to_the_whole_and_none_is_negative(total: Decimal, weights: list[Decimal], currency: str) -> None:
    shares = allocate(Money.of(total, currency), weights)
    assert sum(share.amount for share in shares) == total
    assert all(share.amount >= 0 for share in shares)
    if sum(weights):
        unit = Decimal("0.01") if currency == "EUR" else Decimal("0.001")
        for share, weight in zip(shares, weights, strict=True):
            assert abs(share.amount - total * weight / sum(weights)) < unit


@given(CENTS, QUANTITIES)
def test_a_share_priced_per_its_own_quantity_is_a_line_of_exactly_that_net(share: Decimal, quantity: Decimal) -> None:
    line = price_line(
        line_id=new_id(), sku="X", description="X", quantity=quantity, unit_price=share, base_quantity=quantity, currency="EUR",
        tax_rate=Decimal(19),
    )  # fmt: skip
    assert line.net.amount == share


def test_absurd_amounts_are_refused_not_overflowed() -> None:
    with pytest.raises(Invalid):
        price_line(
            line_id=new_id(), sku="X", description="X", quantity=Decimal("99999999999999"), unit_price=Decimal("999999999999999.99"),
            currency="EUR", tax_rate=Decimal(19),
        )  # fmt: skip
