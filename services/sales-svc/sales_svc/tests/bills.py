"""What billing tells of a contract, and what commission makes of it."""

from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx
from ltc_chassis.ids import new_id
from ltc_chassis.testing import Deliver
from ltc_contracts.events import (
    Customer,
    Event,
    InvoiceCredited,
    InvoiceIssued,
    PaymentAllocated,
    PaymentRefunded,
    TaxSubtotal,
)
from ltc_contracts.money import Money

from sales_svc.consumers import consumers
from sales_svc.tests.deals import Json, flow_of, ok

DAY = date(2026, 1, 20)
ORDER, DELIVERY = new_id(), new_id()


def eur(amount: str) -> Money:
    return Money.of(amount, "EUR")


def invoice(net: str = "5350.66", gross: str = "6527.81", invoice_id: UUID | None = None) -> InvoiceIssued:
    tax = eur(gross) - eur(net)
    return InvoiceIssued(
        invoice_id=invoice_id or new_id(),
        number="INV-2026-000001",
        order_id=ORDER,
        delivery_id=DELIVERY,
        customer=Customer(customer_id=new_id(), name="Rossi", country="IT"),
        net=eur(net),
        tax=tax,
        gross=eur(gross),
        taxes=(TaxSubtotal(category="S", rate=Decimal(22), base=eur(net), tax=tax),),
        issued_on=DAY,
        due_on=DAY,
    )


def allocated(of: InvoiceIssued, gross: str) -> PaymentAllocated:
    return PaymentAllocated(
        payment_id=new_id(),
        invoice_id=of.invoice_id,
        number=of.number,
        order_id=of.order_id,
        amount=eur(gross),
        open_after=eur("0.00"),
        received_on=DAY,
    )


def refunded(of: InvoiceIssued, gross: str, refund_id: UUID | None = None) -> PaymentRefunded:
    return PaymentRefunded(
        refund_id=refund_id or new_id(),
        payment_id=new_id(),
        amount=eur(gross),
        invoice_id=of.invoice_id,
        number=of.number,
        order_id=of.order_id,
        reason="returned",
        refunded_on=DAY,
    )


def credited(of: InvoiceIssued, net: str, gross: str) -> InvoiceCredited:
    tax = eur(gross) - eur(net)
    return InvoiceCredited(
        credit_id=new_id(),
        number="CN-2026-000001",
        invoice_id=of.invoice_id,
        invoice_number=of.number,
        order_id=of.order_id,
        net=eur(net),
        tax=tax,
        gross=eur(gross),
        taxes=(TaxSubtotal(category="S", rate=Decimal(22), base=eur(net), tax=tax),),
        open_after=eur("0.00"),
        reason="returned",
        credited_on=DAY,
    )


async def planned(client: httpx.AsyncClient, *reps: str, **changed: Any) -> Json:
    body = {"code": "standard", "name": "Standard", "rate": "5", **changed}
    plan: Json = await ok(client, "POST", "/v1/commission-plans", body, status=201)
    for rep in reps:
        await ok(client, "POST", "/v1/commission-assignments", {"rep": rep, "plan": plan["code"]}, status=201)
    return plan


async def booked(client: httpx.AsyncClient, contract: Json) -> list[tuple[str, str, str]]:
    items = (await ok(client, "GET", f"/v1/commissions?contract_id={contract['id']}"))["items"]
    return sorted((item["rep"], item["accrued"]["amount"], item["vested"]["amount"]) for item in items)


async def tell(deliver: Deliver, contract: Json, *events: Event) -> None:
    for event in events:
        assert await deliver(consumers, event, flow_id=flow_of(contract)) == "processed"
