"""Rules at their edges: what is just allowed, what just not, what counts and what does not."""

from decimal import Decimal
from typing import Any, Literal

import pytest
from ltc_chassis.ids import new_id
from ltc_contracts.money import Money

from sales_svc.domain.approval import Figures, Level, exceeded
from sales_svc.domain.forecast import Part, expectations
from sales_svc.domain.line import subtotals, totals
from sales_svc.domain.price import Buyer, Price, PriceBook, Tier, choose
from sales_svc.tests.builders import NOW, line


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


def test_of_books_of_one_priority_the_narrower_one_counts() -> None:
    def named(code: str, **changed: Any) -> PriceBook:
        usual = {"countries": (), "region": None, "segment": None, "priority": 1, "valid_until": None, "active": True}
        return PriceBook(code=code, version=1, name=code, currency="EUR", valid_from=NOW.date(), **{**usual, **changed})

    books = [named("A"), named("B", countries=("DE",)), named("C", countries=("DE",), segment="sme"), named("D", segment="sme")]
    prices = {
        book.code: Price(
            *(new_id(), book.code, "PUMP", 1, NOW.date(), None, "flat", (Tier(None, Decimal(9)),), Decimal(1), None, None, None)
        )
        for book in books
    }

    def chosen(country: str, segment: str | None) -> str | None:
        made = choose(books, prices, Buyer("EUR", NOW.date(), country, None, segment))
        return made.book.code if made else None

    assert [chosen("DE", "sme"), chosen("DE", None), chosen("FR", "sme"), chosen("FR", None)] == ["C", "B", "D", "A"]


def test_tax_is_of_the_sum_of_the_lines_of_a_rate_not_of_each_line() -> None:
    lines = [line(quantity=Decimal(1), unit_price=Decimal("0.33"), discount_percent=Decimal(0)) for _ in range(3)]
    lines.append(line(quantity=Decimal(1), unit_price=Decimal("0.07"), discount_percent=Decimal(0), tax_rate=Decimal(7)))
    # Line by line the first three would be taxed 0.07 each.
    assert [(str(part.base.amount), str(part.tax.amount)) for part in subtotals(lines)] == [("0.99", "0.22"), ("0.07", "0.00")]
    assert [str(amount.amount) for amount in totals(lines)] == ["1.06", "0.22", "1.28"]
