"""Parts, returns, changes, credits and refunds: the residual of what is consistent is 0.00 whatever is known of it, else it shows."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

import httpx
import pytest
from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver, record_of
from ltc_contracts import events as e
from ltc_contracts.money import Money

from metrics_svc.consumers import consumers

START = datetime(2026, 3, 1, tzinfo=UTC)
LATER = datetime(2026, 12, 1, tzinfo=UTC)
CUSTOMER = e.Customer(customer_id=new_id(), name="Rossi", country="IT")


class Told(NamedTuple):
    """An event on a day, at a version of its aggregate."""

    event: e.Event
    day: int
    sequence: int = 1


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def line(quantity: str = "10") -> dict[str, Any]:
    net = Decimal(quantity) * 10
    return {
        "line_id": UUID(int=7),
        "sku": "PUMP",
        "description": "Pump",
        "quantity": Decimal(quantity),
        "unit_price": eur("10.00"),
        "tax_rate": Decimal(20),
        "net": eur(f"{net}.00"),
    }


class Deal:
    """The ids of a flow, and its events with 20 % tax."""

    def __init__(self, invoicing: str) -> None:
        self.flow, self.order, self.delivery = new_id(), new_id(), new_id()
        self.invoicing = invoicing

    def confirmed(self) -> e.Event:
        return e.OrderConfirmed(
            order_id=self.order,
            number="O-2026-000001",
            contract_id=self.order,
            customer=CUSTOMER,
            lines=(e.Line(**line()),),
            net=eur("100.00"),
            payment_terms_days=14,
            promised_on=date(2026, 3, 5),
            source="checkout",
            invoicing=self.invoicing,
        )

    def part(self, quantity: str, before: str, **given: Any) -> dict[str, Any]:
        net = eur(f"{Decimal(quantity) * 10}.00")
        return {
            "delivery_id": self.delivery,
            "order_id": self.order,
            "order_number": "O-2026-000001",
            "customer": CUSTOMER,
            "lines": ({**line(quantity), "delivered_before": Decimal(before), **given},),
            "net": net,
            "invoicing": self.invoicing,
        }

    def handed(self, handover: UUID, quantity: str, before: str) -> e.Event:
        return e.DeliveryHandedOver(
            **self.part(quantity, before),
            handover_id=handover,
            number=1,
            payment_terms_days=14,
            promised_on=date(2026, 3, 5),
            handed_over_at=START,
            last=False,
        )

    def returned(self, back: UUID, quantity: str, before: str) -> e.Event:
        given = self.part(quantity, before, treatment="restock")
        return e.DeliveryReturned(**given, return_id=back, reason="too many", returned_at=START)

    def completed(self) -> e.Event:
        return e.DeliveryCompleted(
            delivery_id=self.delivery,
            order_id=self.order,
            order_number="O-2026-000001",
            customer=CUSTOMER,
            lines=(e.Line(**line()),),
            net=eur("100.00"),
            payment_terms_days=14,
            promised_on=date(2026, 3, 5),
            completed_at=START,
            on_time=True,
            parts_told=True,
        )

    def changed(self, change: UUID, before: str, after: str) -> e.Event:
        net = eur(f"{Decimal(after) * 10}.00")
        return e.OrderChanged(
            order_id=self.order,
            number="O-2026-000001",
            contract_id=self.order,
            change_id=change,
            customer=CUSTOMER,
            before=(e.Line(**line(before)),),
            lines=(e.Line(**line(after)),),
            net=net,
            delta=net - eur(f"{Decimal(before) * 10}.00"),
            payment_terms_days=14,
            invoicing=self.invoicing,
            promised_on=date(2026, 3, 5),
            reason="fewer",
        )

    def invoiced(self, invoice: UUID, net: str, **cause: UUID) -> e.Event:
        base, tax, gross = amounts(net)
        return e.InvoiceIssued(
            invoice_id=invoice,
            number="INV-2026-000001",
            order_id=self.order,
            delivery_id=self.delivery,
            customer=CUSTOMER,
            net=base,
            tax=tax,
            gross=gross,
            taxes=(e.TaxSubtotal(category="S", rate=Decimal(20), base=base, tax=tax),),
            issued_on=date(2026, 3, 1),
            due_on=date(2026, 3, 20),
            **cause,
        )

    def credited(self, invoice: UUID, net: str, open_after: str, cause: str, cause_id: UUID) -> e.Event:
        base, tax, gross = amounts(net)
        return e.InvoiceCredited(
            credit_id=new_id(),
            number="CN-2026-000001",
            invoice_id=invoice,
            invoice_number="INV-2026-000001",
            order_id=self.order,
            net=base,
            tax=tax,
            gross=gross,
            taxes=(e.TaxSubtotal(category="S", rate=Decimal(20), base=base, tax=tax),),
            open_after=eur(open_after),
            reason="came back",
            credited_on=date(2026, 3, 9),
            cause=cause,
            cause_id=cause_id,
        )

    def paid(self, invoice: UUID, amount: str, open_after: str) -> e.Event:
        return e.PaymentAllocated(
            payment_id=new_id(),
            invoice_id=invoice,
            number="INV-2026-000001",
            order_id=self.order,
            amount=eur(amount),
            open_after=eur(open_after),
            received_on=date(2026, 3, 8),
        )

    def cancelled(self, net: str) -> e.Event:
        return e.OrderCancelled(order_id=self.order, number="O-2026-000001", reason="stopped", net=eur(net))


def amounts(net: str) -> tuple[Money, Money, Money]:
    base = eur(net)
    tax = eur(str(base.amount * 20 / 100))
    return base, tax, base + tax


def parts() -> tuple[Deal, list[Told]]:
    """Delivered and invoiced in two parts, of which two pieces came back; the rest is paid."""
    deal = Deal("on_delivery")
    first, second, back = new_id(), new_id(), new_id()
    one, two = new_id(), new_id()
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.handed(first, "6", "0"), 3),
        Told(deal.invoiced(one, "60.00", handover_id=first), 3, 1),
        Told(deal.paid(one, "72.00", "0.00"), 4, 2),
        Told(deal.handed(second, "4", "6"), 5),
        Told(deal.completed(), 5),
        Told(deal.invoiced(two, "40.00", handover_id=second), 5, 1),
        Told(deal.returned(back, "2", "10"), 8),
        Told(deal.credited(two, "20.00", "24.00", "return", back), 9, 2),
        Told(deal.paid(two, "24.00", "0.00"), 10, 3),
    ]


def prepaid() -> tuple[Deal, list[Told]]:
    """Invoiced on confirmation and paid; then it became less, and was cancelled: all is credited, the money is on account."""
    deal = Deal("on_confirmation")
    change, invoice = new_id(), new_id()
    return deal, [
        Told(deal.confirmed(), 1),
        Told(deal.invoiced(invoice, "100.00"), 1, 1),
        Told(e.PaymentReceived(payment_id=new_id(), amount=eur("120.00"), method="card", reference="x", received_on=date(2026, 3, 2)), 2),
        Told(deal.paid(invoice, "120.00", "0.00"), 2, 2),
        Told(deal.changed(change, "10", "7"), 4),
        Told(deal.credited(invoice, "30.00", "0.00", "change", change), 5, 3),
        Told(deal.cancelled("70.00"), 6),
        Told(deal.credited(invoice, "70.00", "0.00", "cancellation", deal.order), 7, 4),
    ]  # fmt: skip


async def tell(deliver: Deliver, deal: Deal, told: Sequence[Told]) -> None:
    await deliver.records(
        consumers,
        [
            record_of(
                each.event,
                flow_id=deal.flow if each.event.OF_A_FLOW else None,
                occurred_at=START + timedelta(each.day),
                sequence=each.sequence,
            )
            for each in told
        ],
    )


async def row(client: httpx.AsyncClient, **params: str) -> dict[str, Any]:
    rows = (await client.get("/v1/conservation", params=params)).json()["currencies"]
    return dict(rows[0]) if rows else {"residual": "0.00"}


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
    clock.set(LATER)
    draw = random.Random(11)
    for round_ in range(12):
        deal, told = (parts, prepaid)[round_ % 2]()
        draw.shuffle(told)
        for each in told:
            await tell(deliver, deal, [each])
            assert (await row(client))["residual"] == "0.00", each.event.TOPIC
    for day in range(12):
        moment = (START + timedelta(day, hours=1)).isoformat().replace("+00:00", "Z")
        assert (await row(client, as_of=moment))["residual"] == "0.00"
        assert (await row(client, known_at=moment))["residual"] == "0.00"


def altered(told: list[Told], place: int, **values: Any) -> list[Told]:
    each = told[place]
    return [*told[:place], each._replace(event=each.event.model_copy(update=values)), *told[place + 1 :]]


@pytest.mark.parametrize(
    ("make", "place", "values"),
    [
        (parts, 0, {"net": eur("100.01")}),
        (parts, 1, {"net": eur("59.99")}),
        (parts, 2, {"net": eur("60.01"), "gross": eur("72.01")}),
        (parts, 2, {"gross": eur("72.01")}),
        (parts, 3, {"amount": eur("71.99")}),
        (parts, 7, {"net": eur("19.99")}),
        (parts, 8, {"gross": eur("24.01")}),
        (parts, 8, {"net": eur("20.01"), "gross": eur("24.01")}),
        (parts, 9, {"open_after": eur("0.01")}),
        (prepaid, 1, {"net": eur("99.99"), "gross": eur("119.99")}),
        (prepaid, 3, {"amount": eur("120.01")}),
        (prepaid, 4, {"delta": eur("-30.01")}),
        (prepaid, 7, {"net": eur("70.01"), "gross": eur("84.01")}),
    ],
)
async def test_a_cent_that_was_tampered_with_shows(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, make: Any, place: int, values: dict[str, Any]
) -> None:
    clock.set(LATER)
    deal, told = make()
    await tell(deliver, deal, altered(told, place, **values))
    assert Decimal((await row(client))["residual"]) >= Decimal("0.01")


@pytest.mark.parametrize(("make", "place"), [(parts, 2), (parts, 3), (parts, 8), (prepaid, 1), (prepaid, 3), (prepaid, 7)])
async def test_a_document_or_a_payment_that_is_told_twice_shows(
    client: httpx.AsyncClient, deliver: Deliver, clock: FixedClock, make: Any, place: int
) -> None:
    clock.set(LATER)
    deal, told = make()
    await tell(deliver, deal, [*told, told[place]])
    assert Decimal((await row(client))["residual"]) >= 1
