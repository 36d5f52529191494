"""What an invoice is made of: an order's part that was handed over, or the whole of it, or what a change added to it, or what a
person wrote.

Carried figures are verified here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from ltc_contracts.errors import Invalid
from ltc_contracts.events import (
    Customer,
    DeliveryCompleted,
    DeliveryHandedOver,
    HandedLine,
    Line,
    OrderChanged,
    OrderConfirmed,
)
from ltc_contracts.money import Money
from pydantic import Field

from billing_svc.domain.amounts import line_net, worth

# `delivery`: all of it, told by `delivery.completed` of a writer that told no parts. `order`: all of it, prepaid.
# `change`: what a change added to a prepaid order. `import`: what was delivered and invoiced in another system. `late_charge`: a fee of
# dunning or interest, claimed for an invoice that is late. `manual`: what a person wrote.
# `usage`: what was used in a period.
Cause = Literal["handover", "delivery", "order", "change", "import", "late_charge", "manual", "usage"]


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
    """What is to be invoiced, once: `cause_id` is the id of the hand-over, the delivery, the order or the change."""

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
    occasion = Occasion(
        cause="delivery",
        cause_id=event.delivery_id,
        order_id=event.order_id,
        delivery_id=event.delivery_id,
        customer=event.customer,
        lines=_whole(event.lines),
        net=event.net,
        payment_terms_days=event.payment_terms_days,
    )
    return _true(occasion)


def of_order(event: OrderConfirmed, delivery_id: UUID) -> Occasion:
    """The whole of a prepaid order. Raises `Invalid` with the first figure that is wrong."""
    occasion = Occasion(
        cause="order",
        cause_id=event.order_id,
        order_id=event.order_id,
        delivery_id=delivery_id,
        customer=event.customer,
        lines=_whole(event.lines),
        net=event.net,
        payment_terms_days=event.payment_terms_days,
    )
    return _true(occasion)


def of_change(event: OrderChanged, delivery_id: UUID, nets: Mapping[UUID, Money]) -> Occasion:
    """What became more, or dearer, of a prepaid order by a change; `nets` by line."""
    before = {line.line_id: line for line in event.before}
    lines = tuple(_more(before.get(line.line_id), line, nets[line.line_id]) for line in event.lines if line.line_id in nets)
    occasion = Occasion(
        cause="change",
        cause_id=event.change_id,
        order_id=event.order_id,
        delivery_id=delivery_id,
        customer=event.customer,
        lines=lines,
        net=Money.total((line.net for line in lines), event.net.currency),
        payment_terms_days=event.payment_terms_days,
    )
    return _true(occasion)


def of_replacement(event: DeliveryHandedOver, nets: Mapping[UUID, Money]) -> Occasion:
    """What was handed over of a prepaid order in place of what came back and was credited; `nets` by line."""
    lines = [
        _adjusted(InvoiceLine.model_validate(dict(line)), nets[line.line_id]) for line in event.lines if line.line_id in nets
    ]
    occasion = Occasion(
        cause="handover",
        cause_id=event.handover_id,
        order_id=event.order_id,
        delivery_id=event.delivery_id,
        customer=event.customer,
        lines=tuple(lines),
        net=Money.total((line.net for line in lines), event.net.currency),
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


def without_order(
    cause: Cause,
    customer: Customer,
    lines: tuple[InvoiceLine, ...],
    *,
    cause_id: UUID,
    order_id: UUID,
    delivery_id: UUID,
    payment_terms_days: int,
) -> Occasion:
    """What a person wrote, or what was used. Raises `Invalid` with the first figure that is wrong."""
    require_priced(lines)
    occasion = Occasion(
        cause=cause,
        cause_id=cause_id,
        order_id=order_id,
        delivery_id=delivery_id,
        customer=customer,
        lines=lines,
        net=Money.total((line.net for line in lines), lines[0].net.currency),
        payment_terms_days=payment_terms_days,
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
    return _adjusted(InvoiceLine.model_validate(dict(line)), line.net)


def piece(line: Line, net: Money) -> InvoiceLine:
    """An amount of a line that is no number of its pieces: one at that price."""
    one = {"quantity": Decimal(1), "unit_price": net, "base_quantity": Decimal(1), "discount_percent": Decimal(0), "net": net}
    return InvoiceLine.model_validate({**dict(line), "delivered_before": Decimal(0), "adjustment": None, **one})


def pieces(line: Line, quantity: Decimal, net: Money) -> InvoiceLine:
    """So many of a line at its price, for `net` in all."""
    many = InvoiceLine.model_validate({**dict(line), "delivered_before": Decimal(0), "quantity": quantity})
    return _adjusted(many, net)


def require_priced(lines: Iterable[Line]) -> None:
    """Raises `Invalid` for a line whose net is not what its quantity is worth."""
    for line in lines:
        if line.net != line_net(line):
            raise Invalid(f"line {line.sku}: net is {line.net}, should be {line_net(line)}", field="lines")


def _whole(lines: Iterable[Line]) -> tuple[InvoiceLine, ...]:
    whole = tuple(InvoiceLine.model_validate(dict(line)) for line in lines)
    require_priced(whole)
    return whole


def _more(before: Line | None, line: Line, net: Money) -> InvoiceLine:
    added = line.quantity - (before.quantity if before else Decimal(0))
    difference = line.net - before.net if before else line.net
    return pieces(line, added, net) if added > 0 and net == difference else piece(line, net)


def _adjusted(line: InvoiceLine, net: Money) -> InvoiceLine:
    difference = net - line_net(line)
    return line.model_copy(update={"net": net, "adjustment": difference if difference.amount else None})


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
