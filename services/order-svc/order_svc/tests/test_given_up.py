"""What billing gives up, takes off and voids: the customer owes just what is claimed, whatever came first and however often."""

from datetime import date
from decimal import Decimal
from itertools import permutations
from typing import Any
from uuid import UUID

import httpx
import pytest
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts import events as e
from ltc_contracts.elsewhere import id_elsewhere
from ltc_contracts.money import Money

from order_svc.consumers import consumers
from order_svc.tests.builders import allocated, eur, issued
from order_svc.tests.rig import check_out, order_id, read
from order_svc.tests.test_credit import agree, use

DAY = date(2026, 2, 3)


def moved(kind: type[e.Event], name: str, order: UUID, invoice: UUID, amount: str, **more: Any) -> e.Event:
    given: dict[str, Any] = {name: new_id(), "invoice_id": invoice, "number": "INV-2026-000001", "order_id": order}
    return kind(**given, amount=eur(amount), **more)


@pytest.mark.parametrize("arrival", list(permutations(range(5)))[::17])
async def test_what_is_written_off_recovered_and_taken_off_counts_once(
    arrival: tuple[int, ...], deliver: Deliver, client: httpx.AsyncClient
) -> None:
    customer = str(new_id())
    await agree(client, customer, "5000.00")
    order = order_id(await check_out(client, customer={"customer_id": customer}))
    invoice = issued(order)
    tax, nothing = Money.zero("EUR"), Money.zero("EUR")
    facts = [
        invoice,
        allocated(order, invoice.invoice_id, "1000.00"),
        moved(
            *(e.PaymentUnapplied, "unapplication_id", order, invoice.invoice_id, "400.00"),
            payment_id=new_id(),
            open_after=nothing,
            reason="x",
            received_on=DAY,
            unapplied_on=DAY,
        ),
        moved(
            *(e.InvoiceWrittenOff, "write_off_id", order, invoice.invoice_id, "300.00"),
            cause="bad_debt",
            tax=tax,
            open_after=nothing,
            reason="x",
            written_off_on=DAY,
        ),
        moved(
            *(e.InvoiceRecovered, "recovery_id", order, invoice.invoice_id, "50.00"), cause="payment", tax=tax, recovered_on=DAY
        ),
    ]
    ids = [new_id() for _ in facts]
    for index in (*arrival, *reversed(arrival)):
        assert await deliver(consumers, facts[index], event_id=ids[index]) in {"processed", "duplicate"}
    for fact in facts[2:]:
        assert await deliver(consumers, fact) == "processed"
    left = Decimal("1223.97") - 1000 + 400 - 300 + 50
    assert await use(client, customer) == (str(left), "0.00", str(Decimal("5000.00") - left))


async def test_a_void_invoice_is_owed_no_longer_and_its_order_does_not_wait_for_money(
    deliver: Deliver, client: httpx.AsyncClient
) -> None:
    customer = str(new_id())
    await agree(client, customer, "5000.00")
    made = await check_out(client, customer={"customer_id": customer})
    order = order_id(made)
    invoice = issued(order)
    void = e.InvoiceVoided(
        invoice_id=invoice.invoice_id,
        number=invoice.number,
        order_id=order,
        net=invoice.net,
        tax=invoice.tax,
        gross=invoice.gross,
        reason="wrong company",
        voided_on=DAY,
    )
    for fact in (invoice, void, void):
        assert await deliver(consumers, fact) == "processed"
    assert (await use(client, customer))[0] == "0.00"
    shown = await read(client, made)
    assert shown["collected"]["amount"] == "0.00"


async def test_nobody_waits_for_the_order_of_what_is_claimed_for_being_late(deliver: Deliver) -> None:
    order, invoice = id_elsewhere("order", "late charge", "1"), new_id()
    more: dict[str, Any] = {"open_after": eur("0.00"), "reason": "x"}
    for event in (
        moved(
            e.InvoiceWrittenOff,
            "write_off_id",
            order,
            invoice,
            "5.00",
            **more,
            cause="bad_debt",
            tax=eur("0.00"),
            written_off_on=DAY,
        ),
        moved(e.InvoiceRecovered, "recovery_id", order, invoice, "5.00", cause="payment", tax=eur("0.00"), recovered_on=DAY),
        moved(
            *(e.PaymentUnapplied, "unapplication_id", order, invoice, "5.00"),
            **{**more, "payment_id": new_id(), "received_on": DAY, "unapplied_on": DAY},
        ),
        e.InvoiceVoided(
            invoice_id=invoice,
            number="INV-2026-000009",
            order_id=order,
            reason="x",
            voided_on=DAY,
            net=eur("5.00"),
            tax=eur("0.00"),
            gross=eur("5.00"),
        ),
    ):
        assert await deliver(consumers, event) == "processed", event.TOPIC


async def test_money_that_comes_after_it_was_given_up_is_collected(deliver: Deliver, client: httpx.AsyncClient) -> None:
    made = await check_out(client)
    order = order_id(made)
    invoice = issued(order)
    given_up = moved(
        *(e.InvoiceWrittenOff, "write_off_id", order, invoice.invoice_id, str(invoice.gross.amount)),
        cause="bad_debt",
        tax=eur("0.00"),
        open_after=eur("0.00"),
        reason="x",
        written_off_on=DAY,
    )
    paid = e.InvoicePaid(
        invoice_id=invoice.invoice_id,
        number=invoice.number,
        order_id=order,
        gross=invoice.gross,
        due_on=DAY,
        paid_on=DAY,
        on_time=True,
        written_off=invoice.gross,
    )
    again = moved(
        *(e.InvoiceRecovered, "recovery_id", order, invoice.invoice_id, "300.00"),
        cause="payment",
        tax=eur("0.00"),
        recovered_on=DAY,
    )
    for fact in (invoice, given_up, paid, again, again, allocated(order, invoice.invoice_id, "300.00")):
        assert await deliver(consumers, fact) == "processed"
    assert (await read(client, made))["collected"] == {"amount": "300.00", "currency": "EUR"}
