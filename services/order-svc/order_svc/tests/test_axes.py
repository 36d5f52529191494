"""How much of an order is delivered and invoiced follows from quantities and amounts; promised days are versions."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import DeliveryPromised

from order_svc.consumers import consumers
from order_svc.domain.axes import Axes, Moved, percent_delivered, percent_invoiced
from order_svc.domain.order import Milestones
from order_svc.tests.builders import a_contract, a_line, an_order, completed, credited, eur, issued, promised
from order_svc.tests.rig import check_out, order_id, read, receive
from order_svc.tests.told import at, came_back, handed_over

QUANTITY = st.decimals("0.001", "100000", places=3)


@given(st.lists(st.tuples(QUANTITY, QUANTITY, QUANTITY), min_size=1, max_size=6))
def test_an_order_is_delivered_whole_only_when_every_line_is(lines: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    ordered = tuple(a_line(quantity=quantity) for quantity, _, _ in lines)
    moved = {line.line_id: Moved(gone, back) for line, (_, gone, back) in zip(ordered, lines, strict=True)}
    has = [gone - back for _, gone, back in lines]
    percent = percent_delivered(an_order(), ordered, Axes(moved=moved))
    whole = all(there >= line.quantity for there, line in zip(has, ordered, strict=True))
    over = any(there > line.quantity for there, line in zip(has, ordered, strict=True))
    assert (percent >= 100) == whole
    assert (percent > 100) == (whole and over)
    assert percent >= 0


@given(st.integers(0, 100_000_000), st.integers(0, 100_000_000), st.integers(1, 100_000_000))
def test_an_order_is_invoiced_whole_only_when_claims_less_credits_are_its_net(claimed: int, back: int, net: int) -> None:
    order = an_order(net=eur(f"{net}.00"), invoiced_net=eur(f"{claimed}.00"))
    percent = percent_invoiced(order, Axes(credited_net=Decimal(back)))
    assert (percent == 100) == (claimed - back == net)
    assert (percent > 100) == (claimed - back > net)
    assert percent >= 0


def test_where_no_hand_overs_are_told_delivery_says_how_much_is_done() -> None:
    assert percent_delivered(an_order(percent_delivered=Decimal(40)), (a_line(),), Axes()) == 40


def test_an_order_that_costs_nothing_is_invoiced_when_an_invoice_says_so() -> None:
    free = an_order(net=eur("0.00"))
    assert percent_invoiced(free, Axes()) == 0
    assert percent_invoiced(replace(free, milestones=Milestones(invoiced_at=at(1))), Axes()) == 100


async def test_the_two_axes_follow_hand_overs_returns_invoices_and_credit_notes(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    price: dict[str, Any] = {"unit_price": eur("10.00"), "discount_percent": Decimal(0)}
    line = a_line(quantity=Decimal(10), net=eur("100.00"), **price)
    other = a_line(sku="HOSE", quantity=Decimal(5), net=eur("50.00"), **price)
    order = await receive(deliver, client, a_contract(lines=(line, other)))

    async def now() -> tuple[str, str]:
        found = await read(client, order)
        [listed] = (await client.get("/v1/orders", params={"flow_id": order["flow_id"]})).json()["items"]
        assert listed == found
        return found["percent_delivered"], found["percent_invoiced"]

    assert await now() == ("0", "0")
    await deliver(consumers, handed_over(order_id(order), line, "7"))
    assert await now() == ("46.66", "0")
    # More of the one makes up for nothing of the other.
    await deliver(consumers, handed_over(order_id(order), line, "4", before="7", number=2))
    assert await now() == ("66.66", "0")
    invoice = new_id()
    await deliver(consumers, issued(order_id(order), "122.00", "100.00", invoice_id=invoice))
    await deliver(consumers, handed_over(order_id(order), other, "5", number=3, last=True))
    assert await now() == ("106.67", "66.66")
    await deliver(consumers, came_back(order_id(order), line, "1"))
    assert await now() == ("100", "66.66")
    await deliver(consumers, issued(order_id(order), "61.00", "50.00"))
    assert await now() == ("100", "100")
    await deliver(consumers, credited(order_id(order), invoice, "12.20", "10.00"))
    assert await now() == ("100", "93.33")


async def test_a_delivery_that_tells_no_parts_is_whole_when_it_is_complete(deliver: Deliver, client: httpx.AsyncClient) -> None:
    order = await receive(deliver, client)
    await deliver(consumers, completed(order_id(order)))
    assert (await read(client, order))["percent_delivered"] == "100"


async def test_promised_days_are_versions_of_which_the_first_and_the_latest_are_shown(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    order = await check_out(client, requested_on="2026-01-10")

    async def now() -> list[str]:
        found = await read(client, order)
        return [found[name] for name in ("requested_on", "first_confirmed_on", "latest_confirmed_on", "promised_on")]

    assert [order[name] for name in ("first_confirmed_on", "latest_confirmed_on")] == ["2026-01-15", "2026-01-15"]
    delivery = new_id()

    def version(number: int, day: int) -> DeliveryPromised:
        return promised(order_id(order), delivery_id=delivery, promised_on=date(2026, 1, day), promise_version=number)

    # The latest is the version with the highest number, whenever it comes.
    await deliver(consumers, version(3, 22))
    assert await now() == ["2026-01-10", "2026-01-15", "2026-01-22", "2026-01-15"]
    await deliver(consumers, version(1, 15))
    await deliver(consumers, version(2, 30))
    assert await now() == ["2026-01-10", "2026-01-15", "2026-01-22", "2026-01-15"]
    history = (await client.get(f"/v1/orders/{order['id']}/page")).json()["delivery"]["promises"]
    assert history["total"] == 3
