from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_contracts.errors import Invalid, WrongTransition

from sales_svc.domain import opportunity as deals
from sales_svc.domain import quote as offers
from sales_svc.domain.account import account_key
from sales_svc.domain.line import totals
from sales_svc.domain.opportunity import DealClosed
from sales_svc.domain.quote import QuoteExpired
from sales_svc.tests.builders import NOW, line, opportunity, pipeline, quote


def test_the_golden_line_is_rounded_before_anything_is_summed() -> None:
    net, tax, gross = totals([line()])
    assert (str(net.amount), str(tax.amount), str(gross.amount)) == ("5350.66", "1177.15", "6527.81")


@pytest.mark.parametrize(
    ("currency", "price", "net"), [("JPY", "333", "500"), ("KWD", "0.333", "0.500"), ("EUR", "0.33", "0.50")]
)
def test_amounts_have_the_places_of_their_currency(currency: str, price: str, net: str) -> None:
    made = line(currency=currency, unit_price=Decimal(price), quantity=Decimal("1.5"), discount_percent=Decimal(0))
    assert str(made.net.amount) == net


@given(
    st.lists(
        st.tuples(st.decimals(0, 10000, places=2), st.integers(1, 50), st.sampled_from([0, 7, 19, 22])), min_size=1, max_size=8
    )
)
def test_totals_are_exact_sums(rows: list[tuple[Decimal, int, int]]) -> None:
    lines = [line(unit_price=price, quantity=Decimal(n), tax_rate=Decimal(rate)) for price, n, rate in rows]
    net, tax, gross = totals(lines)
    assert net.amount == sum(each.net.amount for each in lines)
    assert gross.amount == net.amount + tax.amount


def test_categories_without_tax_have_the_rate_zero() -> None:
    with pytest.raises(Invalid):
        line(tax_category="AE")


def test_a_move_tells_the_stage_it_left_and_the_time_there() -> None:
    moved, change, [event] = deals.move(opportunity(), pipeline(), "discovery", None, NOW + timedelta(hours=2))
    assert (moved.stage, moved.probability, moved.version) == ("discovery", 25, 2)
    assert change is not None
    assert change.seconds_in_stage == 7200
    assert event.model_dump()["from_stage"] == "qualification"


def test_a_move_to_the_same_stage_is_nothing() -> None:
    assert deals.move(opportunity(), pipeline(), "qualification", None, NOW)[1:] == (None, [])


@pytest.mark.parametrize("stage", ["won", "lost"])
def test_a_closed_deal_takes_no_more_moves(stage: str) -> None:
    with pytest.raises(DealClosed):
        deals.move(opportunity(stage=stage), pipeline(), "discovery", None, NOW)
    with pytest.raises(DealClosed):
        deals.lose(opportunity(stage=stage), "price", NOW)


def test_an_offer_past_its_last_day_cannot_be_sent_or_accepted() -> None:
    late = NOW + timedelta(days=31)
    with pytest.raises(QuoteExpired):
        offers.send(quote(), late)
    with pytest.raises(QuoteExpired):
        offers.accept(quote(state="sent"), [], late)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(["send", "accept", "reject", "expire"])), max_size=20))
def test_no_sequence_of_moves_accepts_two_versions(moves: list[tuple[int, str]]) -> None:
    versions = [quote(quote_version=number) for number in (1, 2, 3)]
    for index, name in moves:
        try:
            if name == "accept":
                accepted, superseded, _ = offers.accept(versions[index], versions, NOW)
                changed = {each.id: each for each in (*superseded, accepted)}
                versions = [changed.get(each.id, each) for each in versions]
            elif name == "send":
                versions[index] = offers.send(versions[index], NOW)[0]
            else:
                versions[index] = getattr(offers, name)(versions[index], NOW)[0]
        except WrongTransition:
            continue
    accepted_ones = [each for each in versions if each.state == "accepted"]
    assert len(accepted_ones) <= 1
    if accepted_ones:
        assert not [each for each in versions if each.state in ("draft", "sent")]


def test_two_spellings_of_a_company_are_one_account() -> None:
    assert account_key(" Rossi  S.r.l. ") == account_key("rossi SRL")
