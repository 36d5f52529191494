"""The arithmetic of offers and the way of a quote, over whatever is written into them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, WrongTransition

from sales_svc.domain import quote as rules
from sales_svc.domain.approval import Figures, Level, Policy, exceeded, needed
from sales_svc.domain.line import totals
from sales_svc.domain.offer import build, together
from sales_svc.domain.position import Terms, Wanted, of_line
from sales_svc.domain.quote import QUOTE_TRANSITIONS, Quote
from sales_svc.tests.builders import NOW, quote

PERCENT = st.decimals(0, 100, places=2)
WANTED = st.builds(
    Wanted,
    sku=st.just("X"),
    quantity=st.decimals("0.01", 1000, places=2),
    description=st.just("X"),
    unit_price=st.decimals(0, 10_000, places=2),
    base_quantity=st.sampled_from([Decimal(1), Decimal(3), Decimal(1000)]),
    discount_percent=PERCENT,
    tax_rate=st.sampled_from([Decimal(0), Decimal(7), Decimal(19)]),
    kind=st.just("one_off"),
) | st.builds(
    Wanted,
    sku=st.just("S"),
    quantity=st.decimals("0.01", 1000, places=2),
    description=st.just("S"),
    unit_price=st.decimals(0, 1000, places=2),
    discount_percent=PERCENT,
    tax_rate=st.just(Decimal(19)),
    kind=st.just("recurring"),
    period=st.sampled_from(["month", "quarter", "year"]),
    periods=st.integers(1, 60),
)


@given(st.lists(WANTED, min_size=1, max_size=8), PERCENT)
def test_lines_add_up_to_their_items_and_items_to_the_whole(wanted: list[Wanted], discount: Decimal) -> None:
    built = build(wanted, [None] * len(wanted), Terms("EUR", "DE", "en", discount, new_id=new_id))
    by_id = {line.line_id: line for line in built.lines}
    for item in built.items:
        own = {piece.line_id for piece in item.pieces}
        assert sum(by_id[line_id].net.amount for line_id in own if line_id) == item.total.amount
        assert item.total.amount == item.net.amount * item.periods
        assert item.net.amount <= item.list_net.amount
    net, tax, gross = totals(built.lines)
    assert net.amount == sum(item.total.amount for item in built.items)
    assert gross.amount == net.amount + tax.amount


@given(st.lists(WANTED, min_size=1, max_size=8), st.decimals("0.01", 100_000, places=2))
def test_a_discount_in_an_amount_is_taken_off_exactly_or_refused(wanted: list[Wanted], amount: Decimal) -> None:
    full = build(wanted, [None] * len(wanted), Terms("EUR", "DE", new_id=new_id))
    once = sum(item.total.amount for item in full.items if item.kind == "one_off")
    terms = Terms("EUR", "DE", discount_amount=amount, new_id=new_id)
    if amount > once:
        with pytest.raises(Invalid, match="at most"):
            build(wanted, [None] * len(wanted), terms)
        return
    less = build(wanted, [None] * len(wanted), terms)
    assert totals(full.lines)[0].amount - totals(less.lines)[0].amount == amount
    assert all(line.net.amount >= 0 for line in less.lines)


@given(PERCENT, PERCENT)
def test_two_discounts_are_one(first: Decimal, then: Decimal) -> None:
    assert together(first, then) == 100 - (100 - first) * (100 - then) / 100
    assert together(first, Decimal(0)) == first


def test_a_line_from_before_there_were_positions_is_one() -> None:
    old = quote()
    item = of_line(old.lines[0])
    assert (item.net, item.total, str(item.list_net.amount)) == (old.net, old.net, "5573.60")


LEVELS = (
    Level(role="seller", max_discount_percent=Decimal(5)),
    Level(role="lead", approvers=("dana",), max_discount_percent=Decimal(15)),
    Level(role="head", approvers=("hana",)),
)


@given(st.decimals(0, 100, places=2), st.sampled_from(["sam", "dana", "hana"]))
def test_who_approves_last_has_the_authority_and_nobody_needless_is_asked(discount: Decimal, seller: str) -> None:
    figures = Figures(quote().net, discount, discount, None)
    chain = needed(Policy(1, LEVELS), figures, seller)
    own = {"sam": 0, "dana": 1, "hana": 2}[seller]
    assert [level.role for level, _ in chain] == [level.role for level in LEVELS[own + 1 :]][: len(chain)]
    last = chain[-1][0] if chain else LEVELS[own]
    assert exceeded(last, figures) == []
    assert all(reasons for _, reasons in chain)


@given(st.lists(st.sampled_from(sorted({name for _, name in QUOTE_TRANSITIONS})), max_size=15))
def test_what_was_changed_is_never_sent_on_an_old_approval(moves: list[str]) -> None:
    found: Quote = quote()
    approved_since_change = False
    for move in moves:
        try:
            moved = rules.turn(found, move, NOW)
        except WrongTransition:
            continue
        if move == "send" and found.state == "approved":
            assert approved_since_change
        approved_since_change = move == "approve" or (approved_since_change and move != "change")
        assert moved.version == found.version + 1
        found = moved
