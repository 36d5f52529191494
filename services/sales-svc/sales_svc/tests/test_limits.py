"""Rules at their edges: what is just allowed, what just not, what counts and what does not."""

from decimal import Decimal
from typing import Literal

import pytest
from ltc_contracts.money import Money

from sales_svc.domain.approval import Figures, Level, exceeded
from sales_svc.domain.forecast import Part, expectations


@pytest.mark.parametrize(("net", "covered"), [("10000.00", True), ("10000.01", False)])
def test_an_offer_of_exactly_the_limit_is_within_it(net: str, covered: bool) -> None:
    level = Level(role="seller", max_amounts=(Money.of("10000.00", "EUR"),))
    assert (exceeded(level, Figures(Money.of(net, "EUR"), Decimal(0), Decimal(0), None)) == []) is covered


@pytest.mark.parametrize(("discount", "line", "covered"), [("5", "9", True), ("5.01", "9", False), ("5", "9.01", False)])
def test_a_discount_of_exactly_the_limit_is_within_it(discount: str, line: str, covered: bool) -> None:
    level = Level(role="seller", max_discount_percent=Decimal(5), max_line_discount_percent=Decimal(9))
    figures = Figures(Money.of("100.00", "EUR"), Decimal(discount), Decimal(line), None)
    assert (exceeded(level, figures) == []) is covered


@pytest.mark.parametrize(("margin", "covered"), [("20", True), ("19.99", False), (None, False)])
def test_a_margin_of_exactly_the_minimum_suffices_and_an_unknown_one_does_not(margin: str | None, covered: bool) -> None:
    level = Level(role="seller", min_margin_percent=Decimal(20))
    figures = Figures(Money.of("100.00", "EUR"), Decimal(0), Decimal(0), None if margin is None else Decimal(margin))
    assert (exceeded(level, figures) == []) is covered


def test_what_is_won_is_closed_and_never_weighted() -> None:
    def part(category: Literal["pipeline", "commit", "closed"], value: int, weighted: int) -> Part:
        return Part(None, category, "EUR", 1, Decimal(value), Decimal(weighted))

    [made] = expectations([part("pipeline", 100, 25), part("commit", 40, 36), part("closed", 70, 70)], [])
    assert (made.weighted, made.closed, made.commit) == tuple(Money.of(amount, "EUR") for amount in ("61", "70", "40"))
    assert made.expected == Money.of("110", "EUR")
