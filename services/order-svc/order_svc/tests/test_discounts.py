"""Discounts of a signed contract that are lines below zero: they become allowances of the goods of their tax rate."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.testing import Deliver
from ltc_contracts.events import Line
from ltc_contracts.money import Money

from order_svc.domain import lines as arithmetic
from order_svc.domain.assessment import resized
from order_svc.tests.builders import a_contract, a_customer, a_line, eur
from order_svc.tests.rig import Emissions, read, receive
from order_svc.tests.wishes import assess, cancel, change, confirm, lines_of


def priced(price: str, quantity: str = "1", rate: str = "22", currency: str = "EUR", **more: Any) -> Line:
    """A line whose net is true."""
    draft = a_line(
        quantity=Decimal(quantity),
        unit_price=Money.of(price, currency),
        discount_percent=Decimal(0),
        tax_rate=Decimal(rate),
        net=Money.zero(currency),
        **more,
    )
    return draft.model_copy(update={"net": arithmetic.line_net(draft)})


def nets(lines: tuple[Line, ...]) -> list[str]:
    return [str(line.net.amount) for line in lines]


def bases(lines: tuple[Line, ...]) -> dict[tuple[str, Decimal], Decimal]:
    """Without those that are nothing."""
    sums: dict[tuple[str, Decimal], Decimal] = {}
    for line in lines:
        group = (line.tax_category, line.tax_rate)
        sums[group] = sums.get(group, Decimal(0)) + line.net.amount
    return {group: base for group, base in sums.items() if base}


@st.composite
def contracts(draw: st.DrawFn) -> tuple[Line, ...]:
    """Goods and discounts of two rates, in any order; a discount may be more than its goods."""
    currency = draw(st.sampled_from(["EUR", "JPY", "KWD"]))
    cents = Decimal(1).scaleb({"EUR": -2, "JPY": 0, "KWD": -3}[currency])
    lines = []
    for _ in range(draw(st.integers(1, 6))):
        price = draw(st.integers(-2000, 4000)) * cents
        quantity = draw(st.sampled_from(["1", "3", "7", "0.5", "12"]))
        lines.append(priced(str(price), quantity, draw(st.sampled_from(["22", "10"])), currency))
    return tuple(lines)


@given(contracts(), st.integers(1, 11))
def test_sums_of_each_rate_stay_to_the_cent_and_no_line_part_or_rest_is_below_zero(lines: tuple[Line, ...], some: int) -> None:
    after = arithmetic.discounted(lines)
    assert bases(after) == bases(lines)
    if any(base < 0 for base in bases(lines).values()):
        assert after == lines
        return
    net = Money.total((line.net for line in lines), lines[0].net.currency)
    assert not lines or arithmetic.gross(after, net) == arithmetic.gross(lines, net)
    before = {line.line_id: line for line in lines}
    for line in after:
        was = before[line.line_id]
        assert line.net == arithmetic.line_net(line), "billing verifies it"
        assert 0 <= line.net.amount <= was.net.amount
        assert (line.sku, line.quantity, line.tax_rate) == (was.sku, was.quantity, was.tax_rate)
        parts = [resized(line, line.quantity * Decimal(part) / 12).net.amount for part in sorted({0, some, 12}) if part]
        assert all(0 <= earlier <= later for earlier, later in pairwise(parts)), "parts never fall"
    if not any(line.net.amount < 0 for line in lines):
        assert after == lines


def test_a_discount_goes_to_the_goods_of_its_rate_and_the_last_gets_the_rest() -> None:
    goods = [priced("10.00", "1"), priced("10.00", "1"), priced("10.00", "1"), priced("50.00", "2", "10")]
    after = arithmetic.discounted((goods[0], priced("-1.00"), *goods[1:]))
    assert nets(after) == ["9.67", "9.66", "9.67", "100.00"]
    assert after[3] == goods[3]
    whole = arithmetic.discounted((goods[0], priced("-10.00")))
    assert nets(whole) == ["0.00"]


def test_what_cannot_be_taken_off_stays_and_is_a_fault() -> None:
    customer, untrue = a_customer(), priced("10.00").model_copy(update={"net": eur("9.00")})
    for lines, why in (
        ((priced("10.00", rate="10"), priced("-1.00")), "-1.00 EUR is below zero"),
        ((priced("10.00"), priced("-10.01")), "-10.01 EUR is below zero"),
        ((untrue, priced("-1.00")), "net is 9.00 EUR, should be 10.00 EUR"),
    ):
        after = arithmetic.discounted(lines)
        assert after == lines
        assert why in (arithmetic.fault(customer, after, Money.total((line.net for line in after), "EUR")) or "")


async def test_an_order_of_a_contract_has_its_discount_in_the_goods_and_a_change_keeps_their_part_of_it(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    pump, hose, rebate = priced("100.00", "10", sku="PUMP"), priced("25.00", "4", sku="HOSE"), priced("-110.00", sku="REBATE")
    contract = a_contract(lines=(pump, rebate, hose))
    order = await receive(deliver, client, contract)
    assert (order["state"], order["net"]["amount"]) == ("confirmed", "990.00")
    lines = lines_of(order)
    assert [(line.sku, line.net.amount) for line in lines] == [("PUMP", Decimal(900)), ("HOSE", Decimal(90))]
    received, confirmed = await emitted()
    assert received.event.lines == confirmed.event.lines == tuple(lines)
    assert received.event.net == contract.net
    assessed = await assess(client, order, change((lines[0], "5"), dropped=[str(lines[1].line_id)]))
    assert assessed["effects"]["net"]["amount"] == "450.00"


async def test_a_contract_that_nobody_could_invoice_is_held_and_confirmed_when_it_was_put_right(
    deliver: Deliver, client: httpx.AsyncClient, emitted: Emissions
) -> None:
    goods, rebate = priced("100.00", rate="10"), priced("-10.00")
    order = await receive(deliver, client, a_contract(lines=(goods, rebate)))
    assert (order["state"], order["hold"]["reasons"]) == ("held", ["validation"])
    assert "is below zero" in order["hold"]["detail"]
    refused = await client.post(f"/v1/orders/{order['id']}/release", json={"reason": "so what"})
    assert (refused.status_code, refused.json()["type"]) == (409, "urn:ltc:problem:hold-not-releasable")
    [line] = [line for line in lines_of(order) if line.net.amount < 0]
    assert (await confirm(client, await assess(client, order, cancel(line)))).status_code == 202
    after = await read(client, order)
    assert (after["state"], after["net"]["amount"]) == ("confirmed", "100.00")
