"""Facts published by delivery-svc."""

from typing import Annotated, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Customer, Day, Event, Percent, Text
from ltc_contracts.events.sales import Lines
from ltc_contracts.money import Money


class DeliveryPromised(Event):
    """A day is promised to the customer; a later version replaces it, OTIF is measured against each."""

    TOPIC: ClassVar[str] = "delivery.promised"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    promised_on: Day
    promise_version: Annotated[int, Field(ge=1)]


class DeliveryProgressed(Event):
    """Work on the delivery went on; `percent` of the whole is done."""

    TOPIC: ClassVar[str] = "delivery.progressed"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    percent: Percent
    note: Text | None = None


class DeliveryCompleted(Event):
    """The customer has everything. Carries what billing needs to invoice it."""

    TOPIC: ClassVar[str] = "delivery.completed"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    order_number: Code
    customer: Customer
    lines: Lines
    net: Money
    payment_terms_days: Annotated[int, Field(ge=0, le=365)]
    promised_on: Day
    completed_at: AwareDatetime
    on_time: bool


class DeliveryCancelled(Event):
    """Nothing of the order was delivered and nothing will be: the answer to a cancellation request."""

    TOPIC: ClassVar[str] = "delivery.cancelled"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    reason: Text
