"""Facts published by order-svc."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import Field

from ltc_contracts.events.model import Code, Customer, Day, Event, Text
from ltc_contracts.events.sales import Lines
from ltc_contracts.money import Money


class OrderReceived(Event):
    """An order exists, not yet checked."""

    TOPIC: ClassVar[str] = "order.received"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    contract_id: UUID
    customer: Customer
    lines: Lines
    net: Money
    requested_on: Day | None = None


class OrderConfirmed(Event):
    """We are bound to deliver by the promised day. Carries what delivery and billing need."""

    TOPIC: ClassVar[str] = "order.confirmed"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    contract_id: UUID
    customer: Customer
    lines: Lines
    net: Money
    payment_terms_days: Annotated[int, Field(ge=0, le=365)]
    requested_on: Day | None = None
    promised_on: Day


class OrderCancellationRequested(Event):
    """The customer wants out. Delivery decides: it stops what has not left, or completes what has."""

    TOPIC: ClassVar[str] = "order.cancellation_requested"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    reason: Text


class OrderCancelled(Event):
    """Nothing was delivered and nothing will be."""

    TOPIC: ClassVar[str] = "order.cancelled"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    reason: Text
    net: Money


class OrderFulfilled(Event):
    """Everything ordered was delivered."""

    TOPIC: ClassVar[str] = "order.fulfilled"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    delivery_id: UUID


class OrderClosed(Event):
    """Delivered and paid: the deal is done."""

    TOPIC: ClassVar[str] = "order.closed"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    collected: Money
