"""Facts published by billing-svc."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from ltc_contracts.events.model import Code, Customer, Day, Event, Name, TaxSubtotal, Text
from ltc_contracts.money import Money


class InvoiceIssued(Event):
    """A final, numbered document claims `gross` by `due_on`. net + tax = gross, exactly (EN 16931)."""

    TOPIC: ClassVar[str] = "invoice.issued"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "invoice_id"

    invoice_id: UUID
    number: Code
    order_id: UUID
    delivery_id: UUID
    customer: Customer
    net: Money
    tax: Money
    gross: Money
    taxes: Annotated[tuple[TaxSubtotal, ...], Field(min_length=1)]
    issued_on: Day
    due_on: Day
    # 1.1
    handover_id: Annotated[
        UUID | None, Field(description="the hand-over that it invoices; none: the order, as it was confirmed")
    ] = None
    change_id: Annotated[UUID | None, Field(description="the change of the order that made it dearer")] = None


class InvoiceOverdue(Event):
    """The due day has passed and `open` is still owed."""

    TOPIC: ClassVar[str] = "invoice.overdue"
    SUBJECT: ClassVar[str] = "invoice_id"

    invoice_id: UUID
    number: Code
    order_id: UUID
    due_on: Day
    days_overdue: Annotated[int, Field(ge=1)]
    open: Money


class InvoicePaid(Event):
    """Nothing is open on the invoice any more."""

    TOPIC: ClassVar[str] = "invoice.paid"
    VERSION: ClassVar[str] = "1.2"
    SUBJECT: ClassVar[str] = "invoice_id"

    invoice_id: UUID
    number: Code
    order_id: UUID
    gross: Money
    due_on: Day
    paid_on: Day
    on_time: bool
    # 1.1
    credited: Annotated[
        Money | None, Field(description="how much of it was taken back until then, so that the rest was paid")
    ] = None
    # 1.2
    written_off: Annotated[Money | None, Field(description="how much of it was given up until then, and so not paid")] = None


class PaymentReceived(Event):
    """Money arrived. It belongs to no single flow: one payment may settle several invoices."""

    TOPIC: ClassVar[str] = "payment.received"
    SUBJECT: ClassVar[str] = "payment_id"
    OF_A_FLOW: ClassVar[bool] = False

    payment_id: UUID
    amount: Money
    method: Literal["bank_transfer", "card", "cash", "other"]
    reference: Name
    received_on: Day


class PaymentAllocated(Event):
    """A part of a payment settles a part of an invoice; `open_after` is what the invoice still claims."""

    TOPIC: ClassVar[str] = "payment.allocated"
    SUBJECT: ClassVar[str] = "invoice_id"

    payment_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    amount: Money
    open_after: Money
    received_on: Day


class PaymentRefunded(Event):
    """Money went back to the payer. With an invoice, `amount` no longer settles it and `net` is its part without tax.

    Without one, the money had settled nothing (cash on account) and no invoice changes.
    """

    TOPIC: ClassVar[str] = "payment.refunded"
    SUBJECT: ClassVar[str] = "refund_id"

    refund_id: UUID
    payment_id: UUID
    amount: Money
    net: Money | None = None
    invoice_id: UUID | None = None
    number: Code | None = None
    order_id: UUID | None = None
    reason: Text
    refunded_on: Day


class InvoiceCredited(Event):
    """A credit note takes back a part of an invoice, or all of it. net + tax = gross; `open_after` is what the invoice still claims."""

    TOPIC: ClassVar[str] = "invoice.credited"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "invoice_id"

    credit_id: UUID
    number: Code
    invoice_id: UUID
    invoice_number: Code
    order_id: UUID
    net: Money
    tax: Money
    gross: Money
    taxes: Annotated[tuple[TaxSubtotal, ...], Field(min_length=1)]
    open_after: Money
    reason: Text
    credited_on: Day
    # 1.1
    cause: Annotated[Literal["return", "change", "cancellation", "manual"] | None, Field(description="what made it")] = None
    cause_id: Annotated[UUID | None, Field(description="of the return, the change, or the cancelled order")] = None
