"""The parts of an order's page as they are shown."""

from datetime import date, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar
from uuid import UUID

from ltc_contracts.events import Line
from ltc_contracts.events.model import Exact
from ltc_contracts.money import Money
from pydantic import BaseModel, Field

from order_svc.domain.axes import Axes, Moved

T = TypeVar("T", bound=BaseModel)


class Latest(BaseModel, Generic[T]):
    """The latest of a list, in the order in which they happened, and how many there are in all."""

    total: int
    items: list[T]


class QuoteView(BaseModel):
    """The offer that became the order; null where its event has not come or is older than this view."""

    quote_id: UUID
    number: str
    quote_version: int
    net: Money
    valid_until: date | None = None
    sent_at: datetime | None = None
    accepted_at: datetime | None = None
    via: Annotated[str | None, Field(description="`link`: by the customer online, `api`: told to us")] = None


class ContractView(BaseModel):
    """What was signed, by whom and when; the hash is of the document."""

    contract_id: UUID
    number: str
    contract_version: int | None
    net: Money
    signed_by: str
    signed_at: datetime
    document_sha256: str
    pdf_sha256: str | None


class StepNow(BaseModel):
    """The step of the process that the order is at."""

    step: str
    waiting_for: Annotated[str | None, Field(description="a topic, or `person`; null at the end")]
    since: datetime
    deadline: datetime | None
    attempt: int
    compensating: bool


class LineProgress(BaseModel):
    """Quantities of a line over the order's life; `delivered` is what the customer has. Null where no hand-overs are told."""

    line_id: UUID
    sku: str
    ordered: Exact
    handed_over: Exact | None
    returned: Exact | None
    delivered: Exact | None

    @classmethod
    def of(cls, line: Line, axes: Axes) -> "LineProgress":
        moved = axes.moved.get(line.line_id, Moved()) if axes.moved else None
        return cls(
            line_id=line.line_id,
            sku=line.sku,
            ordered=line.quantity,
            handed_over=moved and moved.handed_over,
            returned=moved and moved.returned,
            delivered=moved and moved.delivered,
        )


class PromiseView(BaseModel):
    """A day that the customer was told, and why it was another one before."""

    delivery_id: UUID
    promise_version: int
    promised_on: date
    was: date | None
    reason: str | None
    told_at: datetime


class PieceView(BaseModel):
    """So much of a line."""

    line_id: UUID
    sku: str
    quantity: Exact
    treatment: Annotated[Literal["restock", "scrap"] | None, Field(description="of what came back")] = None


class HandOverView(BaseModel):
    """What the customer got at once; `proof_sha256` is of the file that proves it."""

    handover_id: UUID
    number: int
    lines: list[PieceView]
    net: Money
    promised_on: date
    handed_over_at: datetime
    last: bool
    proof_sha256: str | None


class FailureView(BaseModel):
    """Somebody was there and could not hand over."""

    attempt_id: UUID
    attempt: int
    code: str
    note: str | None
    failed_at: datetime
    next_attempt_on: date | None


class ProductionView(BaseModel):
    """Pieces that are made for the order. The promises say what a slip did to the day that the customer was told."""

    production_id: UUID
    number: str
    line_id: UUID
    sku: str
    quantity: Exact
    needed_by: date
    first_needed_by: Annotated[date, Field(description="as it was ordered first; a later `needed_by` is a slip")]
    reorder_of: UUID | None
    state: Literal["ordered", "completed", "failed", "cancelled"]
    late: Annotated[bool, Field(description="the day it is needed by passed before all pieces were good, or has passed now")]
    quantity_good: Annotated[Exact | None, Field(description="told when it ended")]
    quantity_scrap: Exact | None
    work_center: str | None
    code: Annotated[str | None, Field(description="how it failed")]
    reason: Annotated[str | None, Field(description="why it failed or was cancelled")]
    reordered: Annotated[bool | None, Field(description="the missing pieces are ordered anew; false: a person decides")]
    ordered_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class ReturnView(BaseModel):
    """What came back."""

    return_id: UUID
    lines: list[PieceView]
    net: Money
    reason: str
    returned_at: datetime


class ChangeSummary(BaseModel):
    """A change of the order that was confirmed: who wished it and why, and what became of it. Its assessment says it all."""

    change_id: UUID
    state: Literal["requested", "granted", "refused"]
    path: Annotated[str, Field(description="`at_once`, by delivery's answer to a `change`, or to a `cancellation`")]
    reason: str
    by: str | None
    requested_at: datetime | None
    decided_at: datetime | None
    decision: Annotated[str | None, Field(description="why it was refused")]
    lines_version: int | None


class ChangeDecisionView(BaseModel):
    """What delivery said to a wished change."""

    change_id: UUID
    granted: bool
    reason: str | None
    promised_on: date
    decided_at: datetime


class DeliveryView(BaseModel):
    """What delivery told: days promised, what is made, what the customer got when, what failed and what came back."""

    promises: Latest[PromiseView]
    productions: Latest[ProductionView]
    hand_overs: Latest[HandOverView]
    failures: Latest[FailureView]
    returns: Latest[ReturnView]
    change_decisions: Latest[ChangeDecisionView]
    completed_at: datetime | None
    on_time: bool | None
    cancelled_at: datetime | None


class InvoiceView(BaseModel):
    """A claim; `open` is what is owed of it now, `overdue` that its day has passed."""

    invoice_id: UUID
    number: str
    net: Money
    tax: Money
    gross: Money
    credited: Money
    open: Money
    issued_on: date
    due_on: date
    overdue: bool
    paid_on: date | None
    paid_on_time: bool | None
    handover_id: UUID | None
    change_id: UUID | None


class CreditNoteView(BaseModel):
    """What of an invoice was taken back."""

    credit_id: UUID
    number: str
    invoice_id: UUID
    invoice_number: str
    net: Money
    gross: Money
    reason: str
    cause: str | None
    credited_on: date


class AllocationView(BaseModel):
    """A part of a payment that settled a part of an invoice."""

    payment_id: UUID
    invoice_id: UUID
    number: Annotated[str, Field(description="of the invoice")]
    amount: Money
    open_after: Money
    received_on: date


class RefundView(BaseModel):
    """Money that went back."""

    refund_id: UUID
    payment_id: UUID
    invoice_id: UUID | None
    number: Annotated[str | None, Field(description="of the invoice")]
    amount: Money
    reason: str
    refunded_on: date


class TicketView(BaseModel):
    """Something the customer wanted about this order; what was said is in the ticket."""

    ticket_id: UUID
    number: str
    channel: str
    priority: str
    queue: str
    state: Literal["open", "resolved", "merged"]
    opened_at: datetime
    resolved_at: datetime | None
    into_number: str | None


class Happened(BaseModel):
    """Something that happened: `what` is a topic, or `order.` with the state that the order came to."""

    at: datetime
    what: str
    id: Annotated[UUID, Field(description="of what happened: the hand-over, the invoice, the event")]
    data: dict[str, Any]


class TimelineView(BaseModel):
    """In the order in which it happened; `next` is the cursor of the following page, null at the end."""

    items: list[Happened]
    next: str | None
