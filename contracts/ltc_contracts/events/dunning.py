"""Facts of dunning, published by billing-svc."""

from typing import Annotated, ClassVar, Literal
from uuid import UUID

from pydantic import Field

from ltc_contracts.events.model import Code, Day, Event
from ltc_contracts.money import Money


class DunningStepTaken(Event):
    """The customer was reminded of `open`, or it was passed on. Fee and interest are claimed beside it, by invoices of their own.

    `days_overdue` is below zero before the due day. `hold_orders`: further orders of the customer wait until `dunning.ended`.
    """

    TOPIC: ClassVar[str] = "dunning.step_taken"
    VERSION: ClassVar[str] = "1.1"
    SUBJECT: ClassVar[str] = "invoice_id"

    invoice_id: UUID
    number: Code
    order_id: UUID
    customer_id: UUID
    step: Code
    kind: Literal["reminder", "formal", "final", "agency"]
    policy: Code
    policy_version: Annotated[int, Field(ge=0)]
    open: Money
    fee: Money
    interest: Money
    days_overdue: int
    hold_orders: bool
    taken_on: Day
    # 1.1
    charges: Annotated[tuple[UUID, ...], Field(max_length=2, description="the invoices of what is new of fee and interest")] = ()


class DunningEnded(Event):
    """After at least one step nothing is owed any more on the invoice; `held_orders`: one of the steps held the customer's orders."""

    TOPIC: ClassVar[str] = "dunning.ended"
    SUBJECT: ClassVar[str] = "invoice_id"

    invoice_id: UUID
    number: Code
    order_id: UUID
    customer_id: UUID
    held_orders: bool
    ended_on: Day


class PaymentPromised(Event):
    """The customer promised to pay what is open by a day; until then no step is taken."""

    TOPIC: ClassVar[str] = "payment.promised"
    SUBJECT: ClassVar[str] = "promise_id"

    promise_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    open: Money
    promised_on: Day


class PaymentPromiseBroken(Event):
    """The promised day passed with `open` still owed; dunning goes on."""

    TOPIC: ClassVar[str] = "payment.promise_broken"
    SUBJECT: ClassVar[str] = "promise_id"

    promise_id: UUID
    invoice_id: UUID
    number: Code
    order_id: UUID
    open: Money
    promised_on: Day
