"""Facts published by delivery-svc."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field

from ltc_contracts.events.model import Code, Customer, Day, Event, Exact, Line, Part, Percent, Text
from ltc_contracts.events.order import Invoicing
from ltc_contracts.events.sales import Lines
from ltc_contracts.money import Money

Quantity = Annotated[Exact, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class HandedLine(Line):
    """A part of a line. Parts add up to the line to the cent: `net` is worth(before + quantity) - worth(before).

    `worth(n)` is the net of n pieces, rounded; `delivered_before` what was handed over less what came back, before this.
    """

    delivered_before: Quantity


class ReturnedLine(Line):
    """A part of a line that came back: `net` is worth(before) - worth(before - quantity), `before` as in `HandedLine`."""

    delivered_before: Quantity
    treatment: Literal["restock", "scrap"]


class LineQuantity(Part):
    """How much of a line."""

    line_id: UUID
    quantity: Quantity


class DeliveryPromised(Event):
    """A day is promised to the customer; a later version replaces it, OTIF is measured against each."""

    TOPIC: ClassVar[str] = "delivery.promised"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    promised_on: Day
    promise_version: Annotated[int, Field(ge=1)]
    # 1.1
    was: Annotated[Day | None, Field(description="the day promised before")] = None
    reason: Annotated[Text | None, Field(description="why another day; as the customer is told")] = None


class DeliveryProgressed(Event):
    """Work on the delivery went on; `percent` of the whole is done."""

    TOPIC: ClassVar[str] = "delivery.progressed"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    percent: Percent
    note: Text | None = None


class DeliveryHandedOver(Event):
    """The customer has a part, or the rest (`last`). Told of every hand-over, so billing invoices parts and needs nothing else."""

    TOPIC: ClassVar[str] = "delivery.handed_over"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    handover_id: UUID
    number: Annotated[int, Field(ge=1, description="counts the hand-overs of the delivery")]
    order_id: UUID
    order_number: Code
    customer: Customer
    lines: Annotated[tuple[HandedLine, ...], Field(min_length=1, max_length=500)]
    net: Money
    payment_terms_days: Annotated[int, Field(ge=0, le=365)]
    invoicing: Invoicing = "on_delivery"
    promised_on: Day
    handed_over_at: AwareDatetime
    last: Annotated[bool, Field(description="nothing is to be delivered any more")]
    proof_sha256: Annotated[Sha256 | None, Field(description="of the file that proves it")] = None


class DeliveryFailed(Event):
    """Somebody went there and could not hand over."""

    TOPIC: ClassVar[str] = "delivery.failed"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    attempt_id: UUID
    attempt: Annotated[int, Field(ge=1, description="counts the failed attempts of the delivery")]
    order_id: UUID
    code: Annotated[Literal["absent", "refused", "address", "damaged", "not_ready", "other"], Field(description="why")]
    note: Text | None = None
    failed_at: AwareDatetime
    next_attempt_on: Day | None = None


class DeliveryReturned(Event):
    """The customer sent something back. What was invoiced of it is credited."""

    TOPIC: ClassVar[str] = "delivery.returned"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    return_id: UUID
    order_id: UUID
    order_number: Code
    customer: Customer
    lines: Annotated[tuple[ReturnedLine, ...], Field(min_length=1, max_length=500)]
    net: Money
    invoicing: Invoicing = "on_delivery"
    reason: Text
    returned_at: AwareDatetime


class DeliveryChangeDecided(Event):
    """The answer to a wished change: what is not handed over yet becomes what was wished, or nothing changes."""

    TOPIC: ClassVar[str] = "delivery.change_decided"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    change_id: UUID
    granted: bool
    reason: Annotated[Text | None, Field(description="why not")] = None
    delivered: Annotated[tuple[LineQuantity, ...], Field(max_length=1000, description="what the customer has, as it was decided")]
    promised_on: Day


class DeliveryCompleted(Event):
    """The customer has everything. `lines` are all that was ordered; parts were told by `delivery.handed_over` if `parts_told`.

    What was handed over is what was ordered but for what is said: `handed` = `net` - `short` + `beyond`.
    """

    TOPIC: ClassVar[str] = "delivery.completed"
    VERSION: ClassVar[str] = "1.3"
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
    # 1.1
    parts_told: Annotated[bool, Field(description="hand-overs were told, and are invoiced by those")] = False
    # 1.2
    handovers: Annotated[
        int | None, Field(ge=0, description="how many hand-overs were told; who knows them all knows everything")
    ] = None
    # 1.3
    handed: Annotated[Money | None, Field(description="the net of those hand-overs, what came back since included")] = None
    short: Annotated[Money | None, Field(description="what was ordered and not handed over, of lines that ended short")] = None
    beyond: Annotated[
        Money | None, Field(description="what was handed over beyond what was ordered: replacements, and what is charged of more")
    ] = None
    changes: Annotated[int | None, Field(ge=0, description="how many changes of the order were granted")] = None


class DeliveryCancelled(Event):
    """Nothing of the order was delivered and nothing will be: the answer to a cancellation request."""

    TOPIC: ClassVar[str] = "delivery.cancelled"
    SUBJECT: ClassVar[str] = "delivery_id"

    delivery_id: UUID
    order_id: UUID
    reason: Text
