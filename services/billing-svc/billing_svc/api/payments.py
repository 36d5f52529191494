"""HTTP in: payments and cash application."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

from ltc_chassis.api import Conn, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from billing_svc.api.invoices import NUMBER
from billing_svc.domain.payment import Allocation, Method, Payment
from billing_svc.handlers import payments as handlers
from billing_svc.store import payments as store

router = make_router(prefix="/v1", tags=["payments"])
# NUL is the one character that PostgreSQL's text cannot hold.
Reference = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00]*$")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewAllocation(Body):
    """Which invoice, by id or by number; without an amount as much as fits."""

    invoice_id: UUID | None = None
    number: Annotated[str, Field(pattern=NUMBER)] | None = None
    # In the payment's currency; a string, since a JSON number may have been a float on its way.
    amount: Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$")] | None = None

    @model_validator(mode="after")
    def _one_name(self) -> "NewAllocation":
        if (self.invoice_id is None) == (self.number is None):
            raise ValueError("name the invoice by invoice_id or by number")
        return self


class NewPayment(Body):
    amount: Money
    method: Method
    reference: Reference
    received_on: date | None = None
    allocations: Annotated[list[NewAllocation], Field(max_length=500)] = []


class NewAllocations(Body):
    allocations: Annotated[list[NewAllocation], Field(min_length=1, max_length=500)]


class AllocationView(BaseModel):
    invoice_id: UUID
    number: str
    amount: Money


class PaymentView(BaseModel):
    """allocated + unapplied + refunded = amount, always; `unapplied` is credit on account."""

    id: UUID
    amount: Money
    method: Method
    reference: str
    received_on: date
    allocated: Money
    unapplied: Money
    refunded: Money
    allocations: list[AllocationView]
    version: int

    @classmethod
    def of(cls, payment: Payment, made: Sequence[Allocation]) -> "PaymentView":
        shown = [AllocationView(invoice_id=each.invoice_id, number=each.number, amount=each.amount) for each in made]
        same = ("id", "amount", "method", "reference", "received_on", "unapplied", "refunded", "version")
        given: dict[str, Any] = {name: getattr(payment, name) for name in same}
        return cls(**given, allocated=payment.applied, allocations=shown)


@router.post("/payments", status_code=201, dependencies=[scope("payments:write")])
async def receive_payment(body: NewPayment, tx: Tx) -> PaymentView:
    """Book a payment and apply it: as said, else by the invoice numbers in the reference; the rest stays on account.

    400: above what the invoice claims or the payment has, another currency, not above zero, received in the future. 404: no
    such invoice. 409: the invoice is paid. A refusal books nothing.
    """
    payment = await handlers.receive_payment(
        tx,
        amount=body.amount,
        method=body.method,
        reference=body.reference,
        received_on=body.received_on,
        wanted=wanted_of(body.allocations),
    )
    return (await payment_views(tx.conn, [payment]))[0]


@router.post("/payments/{payment_id}/allocations", dependencies=[scope("payments:write")])
async def allocate_payment(payment_id: UUID, body: NewAllocations, tx: Tx) -> PaymentView:
    """Apply what is left of a payment. 409 when nothing is left or the invoice is paid; 400 and 404 as for a new payment."""
    payment = await handlers.allocate_payment(tx, payment_id, wanted_of(body.allocations))
    return (await payment_views(tx.conn, [payment]))[0]


@router.get("/payments", dependencies=[scope("payments:read")])
async def list_payments(conn: Conn, page: PageArgs) -> Page[PaymentView]:
    """Payments in the order they were booked."""
    rows = await store.list_payments(conn, after=page.after, limit=page.limit + 1)
    return page.of(await payment_views(conn, rows), key=lambda view: view.id)


@router.get("/payments/{payment_id}", dependencies=[scope("payments:read")])
async def get_payment(payment_id: UUID, conn: Conn) -> PaymentView:
    """One payment with its allocations."""
    return (await payment_views(conn, [await store.get_payment(conn, payment_id)]))[0]


async def payment_views(conn: Connection, payments: Sequence[Payment]) -> list[PaymentView]:
    """Each with what it settles now."""
    made = await store.list_allocations(conn, [payment.id for payment in payments])
    return [PaymentView.of(payment, made.get(payment.id, [])) for payment in payments]


def wanted_of(allocations: Sequence[NewAllocation]) -> list[handlers.Wanted]:
    """As the handlers take it."""
    return [
        handlers.Wanted(each.invoice_id, each.number, None if each.amount is None else Decimal(each.amount))
        for each in allocations
    ]
