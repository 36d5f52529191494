"""Parts, returns, changes, credits and refunds: the residual of what is consistent is 0.00 whatever is known of it, else it shows."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, record_of
from ltc_contracts import events as e

from metrics_svc.consumers import consumers
from metrics_svc.tests.deals import DEALS, START, Deal, Told, changed, eur, line, parts, prepaid, reduced, replaced, short

LATER = datetime(2026, 12, 1, tzinfo=UTC)


def given_up() -> tuple[Deal, list[Told]]:
    """Delivered at once; paid for something else, so taken off; disputed in vain; written off, recovered in part, the rest credited."""
    deal = Deal("on_delivery")
    whole, invoice = new_id(), new_id()
    about: dict[str, Any] = {"invoice_id": invoice, "number": "INV-2026-000001", "order_id": deal.order}
    dispute: dict[str, Any] = {
        **about,
        "dispute_id": new_id(),
        "amount": eur("20.00"),
        "opened_on": date(2026, 3, 6),
        "reason": "x",
    }
    lost: dict[str, Any] = {**about, "tax": eur("0.00")}
    day = date(2026, 3, 9)
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.handed(whole, "10", "0"), 3),
        Told(deal.completed("100.00", handovers=1), 3),
        Told(deal.invoiced(invoice, "100.00", handover_id=whole), 3, 1),
        Told(deal.paid(invoice, "120.00", "0.00"), 4, 2),
        Told(
            e.PaymentUnapplied(
                **about,
                unapplication_id=new_id(),
                payment_id=new_id(),
                amount=eur("120.00"),
                open_after=eur("120.00"),
                reason="not for this",
                received_on=date(2026, 3, 8),
                unapplied_on=day,
            ),
            5,
            3,
        ),
        Told(e.InvoiceDisputed(**dispute, category="price", whole=False), 6, 4),
        Told(e.InvoiceDisputeResolved(**dispute, outcome="rejected", resolved_on=day), 7, 5),
        Told(
            e.InvoiceWrittenOff(
                **lost,
                write_off_id=new_id(),
                cause="bad_debt",
                amount=eur("120.00"),
                open_after=eur("0.00"),
                reason="insolvent",
                written_off_on=day,
            ),
            8,
            6,
        ),
        Told(e.InvoiceRecovered(**lost, recovery_id=new_id(), cause="payment", amount=eur("36.00"), recovered_on=day), 9, 7),
        Told(deal.paid(invoice, "36.00", "0.00"), 9, 8),
        Told(e.InvoiceRecovered(**lost, recovery_id=new_id(), cause="credit", amount=eur("24.00"), recovered_on=day), 10, 9),
        Told(deal.credited(invoice, "20.00", "0.00", "manual", new_id()), 10, 10),
    ]


async def test_what_is_given_up_is_conserved(client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock) -> None:
    clock.set(LATER)
    await tell(deliver, *given_up())
    found = await row(client)
    expected = {
        "gross": "120.00",
        "paid": "36.00",
        "credited": "24.00",
        "written_off": "60.00",
        "open": "0.00",
        "residual": "0.00",
    }
    assert {name: found[name] for name in expected} == expected
    early = await row(client, as_of="2026-03-09T12:00:00Z")
    assert (early["written_off"], early["paid"], early["residual"]) == ("120.00", "0.00", "0.00")


def short_paid(cause: str = "tolerance") -> tuple[Deal, list[Told]]:
    """Paid in time but for two cents, which are given up."""
    deal = Deal("on_delivery")
    whole, invoice = new_id(), new_id()
    lost: dict[str, Any] = {"invoice_id": invoice, "number": "INV-2026-000001", "order_id": deal.order, "tax": eur("0.00")}
    lost |= {"write_off_id": new_id(), "cause": cause, "amount": eur("0.02"), "open_after": eur("0.00"), "reason": "x"}
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.handed(whole, "10", "0"), 3),
        Told(deal.completed("100.00", handovers=1), 3),
        Told(deal.invoiced(invoice, "100.00", handover_id=whole), 3, 1),
        Told(deal.paid(invoice, "119.98", "0.02"), 8, 2),
        Told(e.InvoiceWrittenOff(**lost, written_off_on=date(2026, 3, 9)), 8, 3),
    ]


def freed() -> tuple[Deal, list[Told]]:
    """Paid; a note sets a part of that free, more is taken off by hand, and other money pays it."""
    deal = Deal("on_delivery")
    whole, invoice = new_id(), new_id()
    off: dict[str, Any] = {"invoice_id": invoice, "number": "INV-2026-000001", "order_id": deal.order, "payment_id": new_id()}
    off |= {"reason": "x", "received_on": date(2026, 3, 8), "unapplied_on": date(2026, 3, 10)}
    by_note = e.PaymentUnapplied(
        **off, unapplication_id=new_id(), amount=eur("24.00"), open_after=eur("0.00"), credit_id=new_id()
    )
    by_hand = e.PaymentUnapplied(**off, unapplication_id=new_id(), amount=eur("48.00"), open_after=eur("48.00"))
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.handed(whole, "10", "0"), 3),
        Told(deal.completed("100.00", handovers=1), 3),
        Told(deal.invoiced(invoice, "100.00", handover_id=whole), 3, 1),
        Told(deal.paid(invoice, "120.00", "0.00"), 8, 2),
        Told(deal.credited(invoice, "20.00", "0.00", "manual", new_id()), 9, 3),
        Told(by_note, 9, 4),
        Told(by_hand, 10, 5),
        Told(deal.paid(invoice, "48.00", "0.00"), 11, 6),
    ]


async def test_what_a_credit_note_sets_free_is_on_account_whatever_is_taken_off_then(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(LATER)
    await tell(deliver, *freed())
    found = await row(client)
    assert (found["paid"], found["credited"], found["on_account"], found["open"], found["residual"]) == (
        *("96.00", "24.00", "24.00", "0.00", "0.00"),
    )
    early = await row(client, as_of="2026-03-11T12:00:00Z")
    assert (early["paid"], early["open"], early["residual"]) == ("48.00", "48.00", "0.00")


@pytest.mark.parametrize(("cause", "in_time"), [("tolerance", "100.0000"), ("bad_debt", "0.0000")])
async def test_what_is_paid_but_for_a_rest_within_the_tolerance_is_paid_in_time(
    cause: str, in_time: str, client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(LATER)
    await tell(deliver, *short_paid(cause))
    found = await row(client)
    assert (found["paid"], found["written_off"], found["open"], found["residual"]) == ("119.98", "0.02", "0.00", "0.00")
    shares = (await client.get("/v1/kpis/on_time_collection")).json()["rows"]
    assert {each["name"]: each["value"] for each in shares}["by_count"] == in_time


async def tell(deliver: Deliver, deal: Deal, told: Sequence[Told]) -> list[str]:
    """Returns the ids of the events."""
    records = [
        record_of(
            each.event,
            flow_id=deal.flow if each.event.OF_A_FLOW else None,
            occurred_at=START + timedelta(each.day),
            sequence=each.sequence,
        )
        for each in told
    ]
    await deliver.records(consumers, records)
    return [(dict(record.headers)["ce_id"] or b"").decode() for record in records]


async def row(client: httpx.AsyncClient, **params: str) -> dict[str, Any]:
    rows = (await client.get("/v1/conservation", params=params)).json()["currencies"]
    return dict(rows[0]) if rows else {"residual": "0.00"}


async def test_an_invoice_without_an_order_is_conserved(client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock) -> None:
    clock.set(LATER)
    deal, invoice = Deal("on_delivery"), new_id()
    await tell(deliver, deal, [Told(deal.invoiced(invoice, "100.00"), 1, 1), Told(deal.paid(invoice, "50.00", "70.00"), 2, 2)])
    found = await row(client)
    assert (found["gross"], found["paid"], found["open"], found["residual"]) == ("120.00", "50.00", "70.00", "0.00")


async def test_parts_returns_and_credits_add_up(client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock) -> None:
    clock.set(LATER)
    await tell(deliver, *parts())
    found = await row(client)
    expected = {
        "ordered": "100.00",
        "delivered": "80.00",
        "returned": "20.00",
        "invoiced": "100.00",
        "gross": "120.00",
        "paid": "96.00",
        "credited": "24.00",
        "open": "0.00",
        "on_account": "0.00",
        "in_transit_to_delivery": "0.00",
        "in_transit_to_invoice": "0.00",
        "residual": "0.00",
    }
    assert {name: found[name] for name in expected} == expected
    outstanding = (await client.get("/v1/kpis/outstanding", params={"as_of": "2026-03-10T00:00:00Z"})).json()["rows"]
    assert outstanding[0]["value"] == "24.00"


async def test_a_prepaid_order_that_is_cancelled_leaves_its_money_on_account(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(LATER)
    await tell(deliver, *prepaid())
    found = await row(client)
    expected = {
        "ordered": "70.00",
        "gross": "120.00",
        "paid": "0.00",
        "credited": "120.00",
        "open": "0.00",
        "on_account": "120.00",
    }
    assert {name: found[name] for name in expected} == expected
    assert found["residual"] == "0.00"
    [cash] = (await client.get("/v1/conservation")).json()["cash"]
    assert (cash["received"], cash["allocated"], cash["unapplied"]) == ("120.00", "0.00", "120.00")
    for name, value in (("outstanding", "0.00"), ("overdue_amount", "0.00"), ("collected", "0.00"), ("credited", "120.00")):
        [answer] = (await client.get(f"/v1/kpis/{name}")).json()["rows"]
        assert (name, answer["value"]) == (name, value)
    assert (await client.get("/v1/kpis/on_time_collection")).json()["rows"] == []
    [early] = (await client.get("/v1/kpis/collected", params={"to": "2026-03-04T00:00:00Z"})).json()["rows"]
    assert early["value"] == "120.00"


async def test_whatever_is_known_of_a_consistent_deal_the_residual_is_zero(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    draw = random.Random(11)
    for make in (*DEALS * 2, given_up, given_up, short_paid, freed, freed):
        deal, told = make()
        clock.set(START + timedelta(told[-1].day + 1))
        draw.shuffle(told)
        for each in told:
            await tell(deliver, deal, [each])
            assert (await row(client))["residual"] == "0.00", (make, each.event.TOPIC)
    for later in (START + timedelta(12), LATER):
        clock.set(later)
        for day in range(12):
            moment = (START + timedelta(day, hours=1)).isoformat().replace("+00:00", "Z")
            assert (await row(client, as_of=moment))["residual"] == "0.00"
            assert (await row(client, known_at=moment))["residual"] == "0.00"
        assert (await row(client))["residual"] == "0.00"


async def test_what_is_delivered_is_what_was_ordered_but_for_what_ended_short_and_went_beyond(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock
) -> None:
    clock.set(LATER)
    for make in DEALS:
        await tell(deliver, *make())
    found = {name: Decimal(value) for name, value in (await row(client)).items() if name not in ("currency", "flows")}
    # What was cancelled was ordered and never delivered.
    assert found["ordered"] - found["cancelled"] - found["short"] + found["beyond"] == found["delivered"] + found["returned"]
    assert [found[name] for name in ("short", "beyond", "returned")] == [Decimal("10.01"), Decimal(40), Decimal(60)]
    assert {name: found[name] for name in found if name.startswith("in_transit_to")} == {
        f"in_transit_to_{step}": 0 for step in ("order", "delivery", "invoice", "credit")
    }
    assert (await client.get("/v1/conservation")).json()["disagreements"] == []


def altered(told: list[Told], place: int, **values: Any) -> list[Told]:
    each = told[place]
    return [*told[:place], each._replace(event=each.event.model_copy(update=values)), *told[place + 1 :]]


async def disagreements(client: httpx.AsyncClient, deal: Deal) -> dict[str, set[str]]:
    """What is wrong with a flow, each with the events that are named; the parts must make up the residual."""
    flow = (await client.get(f"/v1/flows/{deal.flow}")).json()
    found = flow["disagreements"]
    assert sum(Decimal(each["amount"]) for each in found) == Decimal(flow["residual"]) >= Decimal("0.01")
    assert (await client.get("/v1/conservation")).json()["disagreements"] == found
    return {each["what"]: {event["id"] for event in each["events"]} for each in found}


def worth(quantity: str, net: str) -> dict[str, Any]:
    """Lines and net of a part tampered with alike."""
    return {"net": eur(net), "lines": (e.HandedLine(**{**line(quantity), "net": eur(net)}, delivered_before=Decimal(0)),)}


@pytest.mark.parametrize(
    ("make", "place", "values"),
    [
        (parts, 0, {"net": eur("100.01")}),
        (parts, 1, {"net": eur("59.99")}),
        (parts, 2, {"net": eur("60.01"), "gross": eur("72.01")}),
        (parts, 2, {"gross": eur("72.01")}),
        (parts, 3, {"amount": eur("71.99")}),
        (parts, 4, worth("4", "39.99")),
        (parts, 5, {"handovers": 1}),
        (parts, 5, {"handovers": 3}),
        (parts, 5, {"handed": eur("99.99")}),
        (parts, 5, {"handed": eur("99.99"), "short": eur("0.01")}),
        (parts, 7, {"net": eur("19.99")}),
        (parts, 8, {"gross": eur("24.01")}),
        (parts, 8, {"net": eur("20.01"), "gross": eur("24.01")}),
        (parts, 9, {"open_after": eur("0.01")}),
        (given_up, 5, {"amount": eur("119.99")}),
        (given_up, 8, {"amount": eur("119.99")}),
        (given_up, 9, {"amount": eur("36.01")}),
        (short_paid, 5, {"amount": eur("0.03")}),
        (freed, 6, {"amount": eur("24.01")}),
        (freed, 7, {"amount": eur("47.99")}),
        (prepaid, 1, {"net": eur("99.99"), "gross": eur("119.99")}),
        (prepaid, 3, {"amount": eur("120.01")}),
        (prepaid, 4, {"delta": eur("-30.01")}),
        (prepaid, 6, {"net": eur("70.01")}),
        (prepaid, 7, {"net": eur("70.01"), "gross": eur("84.01")}),
        (replaced, 3, worth("6", "59.99")),
        (replaced, 5, {"net": eur("20.01"), "gross": eur("24.01")}),
        (replaced, 6, worth("6", "60.01")),
        (replaced, 7, {"beyond": eur("19.99")}),
        (changed, 0, worth("10", "100.01")),
        (changed, 3, {"delta": eur("-29.99"), **worth("7", "70.01")}),
        (changed, 5, {**worth("7", "69.99"), "beyond": eur("20.01")}),
        (reduced, 4, {"handovers": 2}),
        (short, 2, {"short": eur("9.99")}),
    ],
)
async def test_a_cent_that_was_tampered_with_shows_and_names_its_event(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, make: Any, place: int, values: dict[str, Any]
) -> None:
    clock.set(LATER)
    deal, told = make()
    ids = await tell(deliver, deal, altered(told, place, **values))
    assert ids[place] in set().union(*(await disagreements(client, deal)).values())


@pytest.mark.parametrize(
    ("make", "place", "under"),
    [
        *((parts, place, ()) for place in (1, 2, 3, 4, 7, 8)),
        *((prepaid, place, ()) for place in (1, 3, 4, 7)),
        (parts, 1, ("handover_id",)),
        (parts, 4, ("handover_id",)),
        (parts, 4, ("handover_id", "number")),
        (replaced, 3, ("handover_id",)),
        (replaced, 6, ("handover_id", "number")),
        (reduced, 3, ("handover_id", "number")),
        (parts, 7, ("return_id",)),
        (replaced, 4, ("return_id",)),
        (changed, 3, ("change_id",)),
        (prepaid, 4, ("change_id",)),
    ],
)
async def test_what_is_told_twice_shows_and_names_its_event_also_under_a_new_id(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, make: Any, place: int, under: tuple[str, ...]
) -> None:
    clock.set(LATER)
    deal, told = make()
    event = told[place].event
    again = {name: event.number + 1 if name == "number" else new_id() for name in under}
    ids = await tell(deliver, deal, [*told, told[place]._replace(event=event.model_copy(update=again))])
    assert ids[-1] in set().union(*(await disagreements(client, deal)).values())


@pytest.mark.parametrize(
    ("make", "missing", "what", "named"),
    [
        (parts, (8,), "not_credited", (7, 10)),
        (parts, (6, 8, 9), "not_invoiced", (4, 10)),
        (prepaid, (7,), "not_credited", (6,)),
        (replaced, (5,), "not_credited", (4, 10)),
        (replaced, (8, 9), "not_invoiced", (3, 5, 6, 10)),
        (reduced, (6,), "not_credited", (5, 7)),
    ],
)
async def test_what_nobody_credits_or_invoices_is_in_transit_until_a_week_after_the_end_and_then_a_residual(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, make: Any, missing: tuple[int, ...], what: str, named: Any
) -> None:
    clock.set(LATER)
    deal, told = make()
    places = [place for place in range(len(told)) if place not in missing]
    ids = dict(zip(places, await tell(deliver, deal, [told[place] for place in places]), strict=True))
    end = START + timedelta(max(told[place].day for place in named))
    before = await row(client, as_of=(end + timedelta(6)).isoformat().replace("+00:00", "Z"))
    transit = before["in_transit_to_credit" if what == "not_credited" else "in_transit_to_invoice"]
    assert (before["residual"], Decimal(transit) > 0) == ("0.00", True)
    assert (await disagreements(client, deal)) == {what: {ids[place] for place in named}}
    after = await row(client)
    assert (after["residual"], after["in_transit_to_credit"], after["in_transit_to_invoice"]) == (transit, "0.00", "0.00")
