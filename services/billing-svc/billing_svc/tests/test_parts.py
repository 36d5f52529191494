"""What is handed over in parts is invoiced in parts, once, and adds up to the line to the cent."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, Emitted, record_of
from ltc_contracts.errors import Invalid
from ltc_contracts.examples import example
from ltc_contracts.money import Money

from billing_svc.consumers import consumers
from billing_svc.domain.amounts import line_net
from billing_svc.domain.occasion import of_handover
from billing_svc.tests.builders import completed, handed_over, line, part

Emissions = Callable[[], Awaitable[list[Emitted]]]


async def issued(emitted: Emissions) -> list[Any]:
    return [each.event for each in await emitted() if each.topic == "invoice.issued"]


@given(
    st.decimals("0.01", "9999.99", places=2),
    st.sampled_from(["0", "4", "33.333333"]),
    st.lists(st.decimals("0.1", "50", places=1), min_size=1, max_size=8),
)
def test_parts_of_a_line_add_up_to_it_and_say_by_what_they_differ(price: Decimal, discount: str, parts: list[Decimal]) -> None:
    whole = line(str(price), str(sum(parts)), discount)
    before, net = Decimal(0), Money.zero("EUR")
    for quantity in parts:
        [shown] = of_handover(handed_over(part(whole, str(quantity), str(before)))).lines
        adjustment = shown.adjustment or Money.zero("EUR")
        assert line_net(shown) + adjustment == shown.net
        assert abs(adjustment.amount) <= Decimal("0.01")
        before, net = before + quantity, net + shown.net
    assert net == whole.net


@pytest.mark.parametrize(
    ("net", "adjustment"),
    [("31.05", None), ("20.70", "-10.35"), ("0.00", "-31.05"), ("31.06", "refused"), ("-0.01", "refused")],
)
def test_what_was_not_ordered_may_be_charged_less_and_never_more(net: str, adjustment: str | None) -> None:
    told = handed_over(part(line("10.35", "5", "0"), "3", "5", net=Money.of(net, "EUR")))
    if adjustment == "refused":
        with pytest.raises(Invalid, match="should be"):
            of_handover(told)
        return
    [shown] = of_handover(told).lines
    assert shown.adjustment == (Money.of(adjustment, "EUR") if adjustment else None)


def test_a_part_whose_lines_do_not_add_up_is_not_invoiced() -> None:
    with pytest.raises(Invalid, match="add up"):
        of_handover(handed_over(part(line(), "2"), net=Money.of("1.00", "EUR")))


async def test_the_golden_hand_over_is_accepted(deliver: Deliver, emitted: Emissions) -> None:
    sample = example("delivery.handed_over")
    assert await deliver(consumers, sample.event, flow_id=sample.envelope.flow_id) == "processed"
    [invoice] = await issued(emitted)
    assert (str(invoice.handover_id), invoice.net) == (sample.data["handover_id"], Money.of(sample.data["net"]["amount"], "EUR"))


@pytest.mark.parametrize("backwards", [False, True])
async def test_each_hand_over_is_invoiced_once_and_the_completion_adds_nothing(
    deliver: Deliver, emitted: Emissions, client: httpx.AsyncClient, backwards: bool
) -> None:
    whole, flow = line("10.35", "3", "33"), new_id()
    same: dict[str, Any] = {"order_id": new_id(), "delivery_id": new_id()}
    parts = [handed_over(part(whole, "1", str(before)), number=before + 1, **same) for before in range(3)]
    told: list[Any] = [*parts, completed(whole, parts_told=True, **same)]
    for event in (*(reversed(told) if backwards else told), *told):
        assert await deliver(consumers, event, flow_id=flow) == "processed"
    made = await issued(emitted)
    assert {each.handover_id for each in made} == {each.handover_id for each in parts}
    assert Money.total((each.net for each in made), "EUR") == whole.net
    shown = (await client.get("/v1/invoices", params={"order_id": str(same["order_id"])})).json()["items"]
    assert {each["cause"] for each in shown} == {"handover"}
    assert sum(Decimal(each["lines"][0]["adjustment"]["amount"]) for each in shown if each["lines"][0]["adjustment"]) != 0


async def test_parts_of_a_prepaid_order_are_not_invoiced(deliver: Deliver, emitted: Emissions) -> None:
    await deliver(consumers, handed_over(part(line(), "2"), invoicing="on_confirmation"), flow_id=new_id())
    assert await issued(emitted) == []


async def test_a_writer_that_tells_the_whole_after_parts_doubles_nothing(deliver: Deliver, emitted: Emissions) -> None:
    whole, flow = line("10.35", "3"), new_id()
    same: dict[str, Any] = {"order_id": new_id(), "delivery_id": new_id()}
    first, rest = handed_over(part(whole, "1"), **same), handed_over(part(whole, "2", "1"), **same)
    old = completed(whole, **same)
    await deliver(consumers, first, flow_id=flow)
    assert await deliver(consumers, old, flow_id=flow) == "parked"
    await deliver(consumers, rest, flow_id=flow)
    assert Money.total((each.net for each in await issued(emitted)), "EUR") == whole.net
    whole_first = completed(whole, delivery_id=new_id())
    await deliver(consumers, whole_first, flow_id=flow)
    late = handed_over(part(whole, "1"), order_id=whole_first.order_id, delivery_id=whole_first.delivery_id)
    assert await deliver(consumers, late, flow_id=flow) == "processed"
    assert len(await issued(emitted)) == 3


async def test_hand_overs_of_a_batch_are_invoiced_together_each_once_and_as_its_own_cause(
    deliver: Deliver, emitted: Emissions, client: httpx.AsyncClient
) -> None:
    whole = line("10.00", "4", "0", "20")
    first = handed_over(part(whole, "1"))
    second = handed_over(part(whole, "3", "1"), order_id=first.order_id, delivery_id=first.delivery_id, number=2)
    other, prepaid = handed_over(part(line("7.50", "1"), "1")), handed_over(part(line(), "2"), invoicing="on_confirmation")
    told_whole = completed(line("5.00", "1"))
    await deliver(consumers, told_whole, flow_id=new_id())
    known = handed_over(part(line("5.00", "1"), "1"), order_id=told_whole.order_id, delivery_id=told_whole.delivery_id)
    flow = new_id()
    records = [record_of(each, flow_id=new_id()) for each in (other, prepaid, known)]
    # Both parts come on one flow, the second of them twice; the first of all once more on a flow of its own.
    records[1:1] = [record_of(each, flow_id=flow) for each in (first, second, second)]
    await deliver.records(consumers, [*records, record_of(other, flow_id=new_id())])
    made = [each for each in await emitted() if each.topic == "invoice.issued"][1:]
    assert [each.event.handover_id for each in made] == [other.handover_id, first.handover_id, second.handover_id]
    assert [each.event.number for each in made] == [f"INV-2026-{count:06d}" for count in (2, 3, 4)]
    assert [each.headers["ce_causationid"].encode() for each in made] == [dict(records[at].headers)["ce_id"] for at in (0, 1, 2)]
    assert [each.flow_id for each in made[1:]] == [flow, flow]
    assert sum((each.event.net.amount for each in made[1:]), Decimal(0)) == whole.net.amount
    assert (await client.get("/v1/ledger/audit")).json()["clean"]


async def test_a_hand_over_that_is_wrong_keeps_no_other_of_its_batch_from_being_invoiced(
    deliver: Deliver, emitted: Emissions
) -> None:
    good = [handed_over(part(line(), "2")) for _ in range(2)]
    wrong = handed_over(part(line(), "2"), net=Money.of("1.00", "EUR"))
    await deliver.records(consumers, [record_of(each, flow_id=new_id()) for each in (good[0], wrong, good[1])])
    made = await issued(emitted)
    assert [each.handover_id for each in made] == [each.handover_id for each in good]
    assert [each.number for each in made] == ["INV-2026-000001", "INV-2026-000002"]
