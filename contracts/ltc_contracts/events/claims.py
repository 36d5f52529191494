"""Facts of billing-svc about claims that the customer or we do not hold on to."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from ltc_contracts.events.model import Code, Day, Event, Text
from ltc_contracts.money import Money

DisputeCategory = Literal["price", "quantity", "quality", "not_received", "duplicate", "other"]


class InvoiceDisputed(Event):
    """The customer does not accept `amount` of an invoice. Until that is resolved nobody is reminded of it."""

    TOPIC: ClassVar[str] = "invoice.disputed"
    SUBJECT: ClassVar[str] = "invoice_id"

    dispute_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    category: DisputeCategory
    amount: Money
    whole: Annotated[bool, Field(description="all that is claimed and was not taken back")]
    reason: Text
    opened_on: Day


class InvoiceDisputeResolved(Event):
    """A dispute is over: upheld, and `credit_id` took back what was agreed, or rejected, and the invoice is owed as before."""

    TOPIC: ClassVar[str] = "invoice.dispute_resolved"
    SUBJECT: ClassVar[str] = "invoice_id"

    dispute_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    outcome: Literal["upheld", "rejected"]
    amount: Money
    credit_id: Annotated[UUID | None, Field(description="the credit note of an upheld dispute")] = None
    reason: Text
    opened_on: Day
    resolved_on: Day
