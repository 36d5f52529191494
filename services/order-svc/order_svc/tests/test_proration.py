"""Parts of a period add up to it to the cent; credit lessens orders without breaking the arithmetic of lines."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.events import Line
from ltc_contracts.money import Money

from order_svc.domain import lines as arithmetic
from order_svc.domain import proration
from order_svc.domain.recurring import Period
from order_svc.tests.builders import eur

JANUARY = Period(date(2026, 1, 1), date(2026, 1, 31))


def priced(
    price: str, quantity: str = "1", *, discount: str = "0", rate: str = "22", currency: str = "EUR", **more: object
) -> Line:
    line = Line(
        line_id=new_id(),
        sku="CARE",
        description="Pump care",
        quantity=Decimal(quantity),
        unit_price=Money.of(price, currency),
        discount_percent=Decimal(discount),
        tax_rate=Decimal(rate),
        net=Money.zero(currency),
    ).model_copy(update=more)
    return line.model_copy(update={"net": arithmetic.line_net(line)})


def again(line: Line, price: str, quantity: str = "1") -> Line:
    """The same line, of another price or quantity."""
    return priced(price, quantity, line_id=line.line_id, rate=str(line.tax_rate))


def until(day: int) -> Period:
    return Period(date(2026, 1, day), JANUARY.last)


def net(lines: Sequence[Line]) -> Money:
    return Money.total((line.net for line in lines), "EUR")


def test_golden_upgrade_on_the_11th_of_31_days() -> None:
    """30.00 to 45.00: ten days of the old are worth 9.68, so 20.32 is unused; 21 days of the new are worth 30.48."""
    old = priced("30.00")
    change = proration.difference((old,), (again(old, "45.00"),), JANUARY, until(11))
    assert (change.worth_before, change.worth_after) == (eur("20.32"), eur("30.48"))
    assert (net(change.charges), dict(change.credits)) == (eur("10.16"), {})
    assert change.charges[0].description == "Pump care, 2026-01-11 to 2026-01-31"


def test_golden_downgrade_on_the_11th_of_31_days() -> None:
    old = priced("45.00")
    change = proration.difference((old,), (again(old, "30.00"),), JANUARY, until(11))
    assert change.charges == ()
    assert dict(change.credits) == {("S", Decimal(22)): eur("10.16")}


def test_golden_replacement_by_another_plan() -> None:
    """One line goes, another comes: the rest of the new is charged, and the credit of the old pays for it."""
    old, new = priced("45.00"), priced("30.00", sku="BASIC")
    change = proration.difference((old,), (new,), JANUARY, until(11))
    assert (net(change.charges), dict(change.credits)) == (eur("20.32"), {("S", Decimal(22)): eur("30.48")})
    bill = proration.bill(change.charges, change.credits, "EUR")
    assert (bill.net, bill.used, dict(bill.left)) == (eur("0.00"), eur("20.32"), {("S", Decimal(22)): eur("10.16")})


def test_golden_seats_are_added_as_what_is_added() -> None:
    """5 seats to 8 for the second half of a period of 31 days (16 left): three more are ordered, at 3 x 10.00 x 16/31."""
    old = priced("10.00", "5")
    change = proration.difference((old,), (again(old, "10.00", "8"),), JANUARY, until(16))
    [line] = change.charges
    assert (line.quantity, line.net) == (Decimal(3), eur("15.48"))
    assert arithmetic.line_net(line) == line.net


def test_golden_thirds_of_a_cent_are_lost_nowhere() -> None:
    """10.00 over 30 days in three parts: 3.33 + 3.34 + 3.33."""
    whole = Period(date(2026, 4, 1), date(2026, 4, 30))
    parts = [Period(date(2026, 4, 1 + 10 * n), date(2026, 4, 10 + 10 * n)) for n in range(3)]
    assert [proration.share(eur("10.00"), whole, part) for part in parts] == [eur("3.33"), eur("3.34"), eur("3.33")]


def test_what_was_taxed_in_one_way_is_not_given_back_in_another() -> None:
    credit = {("S", Decimal(7)): eur("50.00"), ("S", Decimal(22)): eur("5.00")}
    bill = proration.bill((priced("30.00", rate="22.00"), priced("20.00", rate="7")), credit, "EUR")
    assert [line.net for line in bill.lines] == [eur("25.00"), eur("0.00")]
    assert dict(bill.left) == {("S", Decimal(7)): eur("30.00")}
    assert bill.lines[0].description == "Pump care, less credit 5.00 EUR"


def test_a_line_without_credit_is_ordered_as_it_was_agreed() -> None:
    line = priced("348.35", "3", discount="4")
    assert proration.bill((line,), {}, "EUR").lines == (line,)


lines_strategy = st.builds(
    lambda cents, quantity, discount, rate: priced(
        str(Decimal(cents) / 100), str(quantity), discount=str(discount), rate=str(rate)
    ),
    st.integers(0, 10**7),
    st.decimals("0.000001", "1000", places=6),
    st.integers(0, 100),
    st.sampled_from((0, 7, 22)),
)


@given(line=lines_strategy, days=st.integers(1, 400), cuts=st.sets(st.integers(1, 399)))
def test_the_parts_of_a_period_add_up_to_the_cent_however_it_is_cut(line: Line, days: int, cuts: set[int]) -> None:
    first = date(2026, 1, 1)
    whole = Period(first, first + timedelta(days=days - 1))
    edges = [0, *sorted(cut for cut in cuts if cut < days), days]
    parts = [Period(first + timedelta(days=begin), first + timedelta(days=end - 1)) for begin, end in pairwise(edges)]
    shares = [proration.share(line.net, whole, part) for part in parts]
    assert Money.total(shares, "EUR") == line.net
    assert all(share.amount >= 0 for share in shares)
    # None is away from its exact worth by a cent or more.
    for part, share in zip(parts, shares, strict=True):
        assert abs(share.amount * days - line.net.amount * part.days) < Decimal("0.01") * days + Decimal("1e-9")


@given(
    before=st.lists(lines_strategy, min_size=1, max_size=5),
    after=st.lists(lines_strategy, min_size=1, max_size=5),
    going_on=st.integers(0, 5),
    day=st.integers(1, 31),
    credit=st.integers(1, 10**6),
)
def test_a_change_moves_exactly_the_difference_and_every_order_can_be_invoiced(
    before: list[Line], after: list[Line], going_on: int, day: int, credit: int
) -> None:
    after = [
        line.model_copy(update={"line_id": old.line_id}) if number < going_on else line
        for number, (line, old) in enumerate(zip(after, [*before, *after], strict=False))
    ]
    change = proration.difference(before, after, JANUARY, until(day))
    given_back = proration.total(change.credits, "EUR")
    assert net(change.charges) - given_back == change.worth_after - change.worth_before
    had = proration.with_credit({("S", Decimal(22)): eur(str(Decimal(credit) / 100))}, change.credits)
    bill = proration.bill(change.charges, had, "EUR")
    assert bill.charged - bill.used == bill.net == net(bill.lines)
    assert proration.total(had, "EUR") - bill.used == proration.total(bill.left, "EUR")
    assert all(amount.amount > 0 for amount in bill.left.values())
    assert all(line.net == arithmetic.line_net(line) and line.net.amount >= 0 for line in bill.lines)
