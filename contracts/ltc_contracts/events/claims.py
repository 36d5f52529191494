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


class InvoiceWrittenOff(Event):
    """So much of an invoice is given up. `tax` is the part that we need not pay over any more; `open_after` is what it still claims."""

    TOPIC: ClassVar[str] = "invoice.written_off"
    SUBJECT: ClassVar[str] = "invoice_id"

    write_off_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    cause: Annotated[Literal["bad_debt", "tolerance"], Field(description="tolerance: a rest too small to ask for")]
    amount: Money
    tax: Money
    open_after: Money
    reason: Text
    written_off_on: Day


class InvoiceRecovered(Event):
    """So much of what was given up is claimed again, since money came for it or a credit note took it back. That is told next."""

    TOPIC: ClassVar[str] = "invoice.recovered"
    SUBJECT: ClassVar[str] = "invoice_id"

    recovery_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    cause: Literal["payment", "credit"]
    amount: Money
    tax: Money
    recovered_on: Day


class InvoiceVoided(Event):
    """A document that nobody had seen is void: its number stays, all that it claimed (net + tax = gross) is claimed no longer."""

    TOPIC: ClassVar[str] = "invoice.voided"
    SUBJECT: ClassVar[str] = "invoice_id"

    invoice_id: UUID
    number: Code
    order_id: UUID
    net: Money
    tax: Money
    gross: Money
    reason: Text
    voided_on: Day


class PaymentUnapplied(Event):
    """So much of a payment settles the invoice no longer, and is credit on account again; `open_after` is what the invoice claims."""

    TOPIC: ClassVar[str] = "payment.unapplied"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "invoice_id"

    unapplication_id: UUID
    payment_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    amount: Money
    open_after: Money
    reason: Text
    received_on: Annotated[Day, Field(description="the day on which the money had come")]
    unapplied_on: Day
    # 1.1
    credit_id: Annotated[UUID | None, Field(description="of the credit note that took back what it had settled")] = None


class PaymentDeclined(Event):
    """A try to pay through a provider failed. `hard`: the same way of paying is never tried again (RULES 5).

    `invoice_id`, `number` and `order_id` where the try names an invoice of ours; only then it is on a flow.
    """

    TOPIC: ClassVar[str] = "payment.declined"
    SUBJECT: ClassVar[str] = "attempt_id"

    attempt_id: UUID
    provider: Code
    hard: bool
    reason: Annotated[Code, Field(description="the provider's code, such as stolen_card")]
    invoice_id: UUID | None
    number: Code | None
    order_id: UUID | None
    declined_on: Day
