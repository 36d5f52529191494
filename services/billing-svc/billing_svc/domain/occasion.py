"""What an invoice is made of: an order's part that was handed over, or the whole of it. Carried figures are verified here."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import Customer, DeliveryCompleted, DeliveryHandedOver, HandedLine, Line
from ltc_contracts.money import Money
from pydantic import Field

from billing_svc.domain.amounts import line_net, worth

# `delivery`: all of it, told by `delivery.completed` of a writer that told no parts.
Cause = Literal["handover", "delivery"]


class InvoiceLine(Line):
    """A line of the document: quantity x price / base quantity less discount, plus `adjustment`, is its net.

    Parts of a line add up to the line to the cent, so a part may differ by a cent from what its own quantity is worth, and what
    was delivered beyond the order may be worth less or nothing. On an EN 16931 document the adjustment is the allowance (below
    zero, BG-27) or the charge (BG-28) of the line.
    """

    delivered_before: Annotated[Decimal, Field(ge=0, description="handed over less what came back, before this")] = Decimal(0)
    adjustment: Annotated[Money | None, Field(description="None: the net is what the quantity is worth")] = None


@dataclass(frozen=True, slots=True)
class Occasion:
    """What is to be invoiced, once: `cause_id` is the id of the hand-over or the delivery."""

    cause: Cause
    cause_id: UUID
    order_id: UUID
    delivery_id: UUID
    customer: Customer
    lines: tuple[InvoiceLine, ...]
    net: Money
    payment_terms_days: int


def of_delivery(event: DeliveryCompleted) -> Occasion:
    """The whole, told at once. Raises `Invalid` with the first figure that is wrong."""
    for line in event.lines:
        if line.net != line_net(line):
            raise Invalid(f"line {line.sku}: net is {line.net}, should be {line_net(line)}", field="lines")
    lines = tuple(InvoiceLine.model_validate(dict(line)) for line in event.lines)
    occasion = Occasion(
        cause="delivery",
        cause_id=event.delivery_id,
        order_id=event.order_id,
        delivery_id=event.delivery_id,
        customer=event.customer,
        lines=lines,
        net=event.net,
        payment_terms_days=event.payment_terms_days,
    )
    return _true(occasion)


def of_handover(event: DeliveryHandedOver) -> Occasion:
    """A part. Raises `Invalid` with the first figure that is wrong."""
    occasion = Occasion(
        cause="handover",
        cause_id=event.handover_id,
        order_id=event.order_id,
        delivery_id=event.delivery_id,
        customer=event.customer,
        lines=tuple(_part(line) for line in event.lines),
        net=event.net,
        payment_terms_days=event.payment_terms_days,
    )
    return _true(occasion)


def _part(line: HandedLine) -> InvoiceLine:
    """Its net is what it adds to the worth of the pieces before it. What was not ordered is not charged, so less is true too.

    Over-delivery is the supplier's decision, told by a net between zero and the full one; more than the full one is an error.
    """
    full = worth(line, line.delivered_before + line.quantity) - worth(line, line.delivered_before)
    low, high = sorted((Money.zero(full.currency), full), key=lambda money: money.amount)
    if not low <= line.net <= high:
        raise Invalid(f"line {line.sku}: net is {line.net}, should be {full}, or less for what was not ordered", field="lines")
    difference = line.net - line_net(line)
    return InvoiceLine.model_validate({**dict(line), "adjustment": difference if difference.amount else None})


def _true(occasion: Occasion) -> Occasion:
    for line in occasion.lines:
        if line.tax_category != "S" and line.tax_rate != 0:
            raise Invalid(f"line {line.sku}: tax category {line.tax_category} has the rate 0", field="lines")
        if line.tax_category == "AE" and not occasion.customer.vat_id:
            raise Invalid(f"line {line.sku}: reverse charge (AE) needs the customer's VAT id", field="customer.vat_id")
    net = Money.total((line.net for line in occasion.lines), occasion.net.currency)
    if net != occasion.net:
        raise Invalid(f"net is {occasion.net}, the lines add up to {net}", field="net")
    return occasion
