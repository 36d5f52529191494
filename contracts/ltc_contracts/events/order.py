"""Facts published by order-svc."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Customer, Day, Event, Name, Text
from ltc_contracts.events.sales import Lines
from ltc_contracts.money import Money

# Where an order came from. Without a signed contract the order's own acceptance is the agreement, and has its id.
OrderSource = Annotated[Literal["contract", "checkout", "erp", "subscription"], Field(description="where the order came from")]
# When what was ordered is invoiced: part by part as it is handed over, or whole as soon as the order is confirmed (prepaid).
Invoicing = Annotated[Literal["on_delivery", "on_confirmation"], Field(description="when it is invoiced")]
HoldReason = Literal["validation", "credit", "stock", "manual"]


class OrderReceived(Event):
    """An order exists, not yet checked."""

    TOPIC: ClassVar[str] = "order.received"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    contract_id: UUID
    customer: Customer
    lines: Lines
    net: Money
    requested_on: Day | None = None
    # 1.1
    source: OrderSource = "contract"
    external_ref: Annotated[Name | None, Field(description="what the system that placed it calls it")] = None
    invoicing: Invoicing = "on_delivery"
    ship_complete: Annotated[bool, Field(description="everything in one hand-over, or nothing")] = False
    subscription_id: UUID | None = None
    period_from: Day | None = None
    period_until: Annotated[Day | None, Field(description="the last day of the period")] = None


class OrderConfirmed(Event):
    """We are bound to deliver by the promised day. Carries what delivery and billing need."""

    TOPIC: ClassVar[str] = "order.confirmed"
    VERSION: ClassVar[str] = "1.1"
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
    # 1.1
    source: OrderSource = "contract"
    external_ref: Annotated[Name | None, Field(description="what the system that placed it calls it")] = None
    invoicing: Invoicing = "on_delivery"
    ship_complete: Annotated[bool, Field(description="everything in one hand-over, or nothing")] = False
    subscription_id: UUID | None = None
    period_from: Day | None = None
    period_until: Annotated[Day | None, Field(description="the last day of the period")] = None


class OrderHeld(Event):
    """The order waits: something must be put right or decided before we bind ourselves."""

    TOPIC: ClassVar[str] = "order.held"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    reasons: Annotated[tuple[HoldReason, ...], Field(min_length=1, max_length=4)]
    detail: Text
    net: Money
    held_by: Annotated[Name | None, Field(description="who held it; nobody: a check did")] = None


class OrderReleased(Event):
    """A hold ended: its cause is gone, or somebody with the authority took the risk."""

    TOPIC: ClassVar[str] = "order.released"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    reasons: Annotated[tuple[HoldReason, ...], Field(min_length=1, max_length=4)]
    released_by: Annotated[Name | None, Field(description="who released it; nobody: the checks pass now")] = None
    held_seconds: Annotated[int, Field(ge=0)]


class OrderStalled(Event):
    """A step of an order's process was not answered in its time; told once for each deadline that passes."""

    TOPIC: ClassVar[str] = "order.stalled"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    step: Code
    waiting_for: Annotated[Code, Field(description="the topic of the event that has not come, or `person`")]
    since: AwareDatetime
    deadline: AwareDatetime
    attempt: Annotated[int, Field(ge=1, description="how many deadlines of this step have passed")]
    compensating: Annotated[bool, Field(description="what was done so far is being undone")]


class OrderCancellationRequested(Event):
    """The customer wants out. Delivery decides: it stops what has not left, or completes what has."""

    TOPIC: ClassVar[str] = "order.cancellation_requested"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    reason: Text


class OrderChangeRequested(Event):
    """The order shall become `lines`, whole: quantities of its life, delivered ones among them; what is missing is dropped.

    Delivery decides, since it knows what has left.
    """

    TOPIC: ClassVar[str] = "order.change_requested"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    change_id: UUID
    lines: Lines
    requested_on: Annotated[Day | None, Field(description="the day wished from now on; None: as before")] = None
    reason: Text


class OrderChanged(Event):
    """The order became `lines`. Worth `delta` more (or less) than before; what was invoiced beyond it is credited."""

    TOPIC: ClassVar[str] = "order.changed"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    contract_id: UUID
    change_id: UUID
    customer: Customer
    before: Lines
    lines: Lines
    net: Money
    delta: Money
    payment_terms_days: Annotated[int, Field(ge=0, le=365)]
    invoicing: Invoicing = "on_delivery"
    promised_on: Day
    reason: Text
    changed_by: Annotated[Name | None, Field(description="who wished it")] = None


class OrderCancelled(Event):
    """Nothing was delivered and nothing will be. What was invoiced is credited."""

    TOPIC: ClassVar[str] = "order.cancelled"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    reason: Text
    net: Money
    # 1.1
    invoicing: Invoicing = "on_delivery"


class OrderFulfilled(Event):
    """Everything ordered was delivered."""

    TOPIC: ClassVar[str] = "order.fulfilled"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    delivery_id: UUID


class OrderClosed(Event):
    """Delivered and paid: the deal is done. Told once; what is credited or refunded after it is told by `invoice.credited` and
    `payment.refunded` of the order.
    """

    TOPIC: ClassVar[str] = "order.closed"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "order_id"

    order_id: UUID
    number: Code
    collected: Annotated[
        Money, Field(description="what its paid invoices brought, less what was credited or refunded of it until then")
    ]
