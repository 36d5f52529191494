"""HTTP in: invoices, payments, ledger, receivables."""

from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_contracts.events import Customer, Line, TaxSubtotal
from ltc_contracts.events.model import Code, Name
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, model_validator

from billing_svc import handlers, store
from billing_svc.domain import Invoice, Payment

router = make_router(prefix="/v1", tags=["billing"])


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewAllocation(Body):
    """Which invoice, by id or number; without an amount as much as fits."""

    invoice_id: UUID | None = None
    number: Code | None = None
    amount: Annotated[str, Field(pattern=r"^[0-9]{1,15}(\.[0-9]{1,4})?$")] | None = None

    @model_validator(mode="after")
    def _one_name(self) -> "NewAllocation":
        if (self.invoice_id is None) == (self.number is None):
            raise ValueError("name the invoice by invoice_id or by number")
        return self


class NewPayment(Body):
    amount: Money
    method: Literal["bank_transfer", "card", "cash", "other"]
    reference: Name
    received_on: date | None = None
    allocations: Annotated[list[NewAllocation], Field(max_length=500)] = []


class NewAllocations(Body):
    allocations: Annotated[list[NewAllocation], Field(min_length=1, max_length=500)]


class InvoiceView(BaseModel):
    id: UUID
    flow_id: UUID
    number: str
    state: str
    payment_state: str
    overdue: bool
    order_id: UUID
    delivery_id: UUID
    customer: Customer
    lines: list[Line]
    taxes: list[TaxSubtotal]
    net: Money
    tax: Money
    gross: Money
    paid: Money
    open: Money
    issued_on: date
    due_on: date
    paid_on: date | None
    version: int

    @classmethod
    def of(cls, invoice: Invoice, today: date) -> "InvoiceView":
        given: dict[str, Any] = {name: getattr(invoice, name) for name in cls.model_fields if name != "overdue"}
        return cls(**given, overdue=invoice.is_overdue(today))


class AllocationView(BaseModel):
    invoice_id: UUID
    number: str
    amount: Money


class PaymentView(BaseModel):
    id: UUID
    amount: Money
    applied: Money
    unapplied: Money
    method: str
    reference: str
    received_on: date
    allocations: list[AllocationView]
    version: int

    @classmethod
    async def of(cls, conn: Connection, payment: Payment) -> "PaymentView":
        made = [
            AllocationView(invoice_id=each.invoice_id, number=each.number, amount=each.amount)
            for each in await store.list_allocations(conn, payment.id)
        ]
        given: dict[str, Any] = {name: getattr(payment, name) for name in cls.model_fields if name != "allocations"}
        return cls(**given, allocations=made)


class BalanceRow(BaseModel):
    account: str
    currency: str
    debit: str
    credit: str
    balance: str


class BalanceTotal(BaseModel):
    currency: str
    balance: str


class TrialBalance(BaseModel):
    as_of: date
    accounts: list[BalanceRow]
    totals: list[BalanceTotal]


class EntryView(BaseModel):
    id: UUID
    booked_on: date
    kind: str
    flow_id: UUID | None
    invoice_id: UUID | None
    payment_id: UUID | None
    lines: list[dict[str, str]]


class AgeingRow(BaseModel):
    currency: str
    invoices: int
    outstanding: str
    not_due: str
    days_1_30: str
    days_31_60: str
    days_61_90: str
    days_91_more: str


class Ageing(BaseModel):
    as_of: date
    currencies: list[AgeingRow]


@router.get("/invoices", dependencies=[scope("invoices:read")])
async def list_invoices(
    conn: Conn,
    now: Now,
    page: PageArgs,
    flow_id: UUID | None = None,
    number: str | None = None,
    order_id: UUID | None = None,
    payment_state: Literal["open", "partial", "paid"] | None = None,
    overdue: bool | None = None,
) -> Page[InvoiceView]:
    """Invoices in the order they were issued."""
    rows = await store.list_invoices(
        conn,
        flow_id=flow_id,
        number=number,
        order_id=order_id,
        payment_state=payment_state,
        overdue=overdue,
        today=now.date(),
        after=page.after,
        limit=page.limit + 1,
    )
    return page.of([InvoiceView.of(row, now.date()) for row in rows], key=lambda view: view.id)


@router.get("/invoices/{invoice_id}", dependencies=[scope("invoices:read")])
async def get_invoice(invoice_id: UUID, conn: Conn, now: Now) -> InvoiceView:
    """One invoice with what is open on it."""
    return InvoiceView.of(await store.get_invoice(conn, invoice_id), now.date())


@router.post("/payments", status_code=201, dependencies=[scope("payments:write")])
async def receive_payment(body: NewPayment, tx: Tx) -> PaymentView:
    """Book a payment and apply it: as said, else by invoice numbers in the reference; the rest stays on account."""
    payment = await handlers.receive_payment(
        tx,
        amount=body.amount,
        method=body.method,
        reference=body.reference,
        received_on=body.received_on,
        wanted=_wanted(body.allocations, body.amount.currency),
    )
    return await PaymentView.of(tx.conn, payment)


@router.post("/payments/{payment_id}/allocations", dependencies=[scope("payments:write")])
async def allocate_payment(payment_id: UUID, body: NewAllocations, tx: Tx) -> PaymentView:
    """Apply what is left of a payment."""
    currency = (await store.get_payment(tx.conn, payment_id)).amount.currency
    return await PaymentView.of(tx.conn, await handlers.allocate_payment(tx, payment_id, _wanted(body.allocations, currency)))


@router.get("/payments", dependencies=[scope("payments:read")])
async def list_payments(conn: Conn, page: PageArgs) -> Page[PaymentView]:
    """Payments in the order they were booked."""
    rows = await store.list_payments(conn, after=page.after, limit=page.limit + 1)
    return page.of([await PaymentView.of(conn, row) for row in rows], key=lambda view: view.id)


@router.get("/payments/{payment_id}", dependencies=[scope("payments:read")])
async def get_payment(payment_id: UUID, conn: Conn) -> PaymentView:
    """One payment with its allocations."""
    return await PaymentView.of(conn, await store.get_payment(conn, payment_id))


@router.get("/ledger/trial-balance", dependencies=[scope("ledger:read")])
async def trial_balance(conn: Conn, now: Now, as_of: date | None = None) -> TrialBalance:
    """Debit and credit per account up to a day; the totals are zero at every instant."""
    day = as_of or now.date()
    rows = await store.trial_balance_view(conn, day)
    accounts = [
        BalanceRow(
            account=row["account"],
            currency=row["currency"],
            debit=str(row["debit"]),
            credit=str(row["credit"]),
            balance=str(row["debit"] - row["credit"]),
        )
        for row in rows
    ]
    totals = []
    for currency in sorted({row["currency"] for row in rows}):
        balance = sum(row["debit"] - row["credit"] for row in rows if row["currency"] == currency)
        totals.append(BalanceTotal(currency=currency, balance=str(Money.of(balance, currency).amount)))
    return TrialBalance(as_of=day, accounts=accounts, totals=totals)


@router.get("/ledger/entries", dependencies=[scope("ledger:read")])
async def list_entries(
    conn: Conn, page: PageArgs, flow_id: UUID | None = None, invoice_id: UUID | None = None, payment_id: UUID | None = None
) -> Page[EntryView]:
    """Double entries in the order they were booked."""
    rows = await store.list_entries(
        conn, flow_id=flow_id, invoice_id=invoice_id, payment_id=payment_id, after=page.after, limit=page.limit + 1
    )
    return page.of([EntryView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/receivables/ageing", dependencies=[scope("invoices:read")])
async def ageing(conn: Conn, now: Now, as_of: date | None = None) -> Ageing:
    """What was open on a day, by days overdue; the buckets add up to the outstanding amount."""
    day = as_of or now.date()
    rows = await store.ageing_view(conn, day)
    return Ageing(
        as_of=day,
        currencies=[
            AgeingRow(**{name: value if name == "invoices" else str(value) for name, value in row.items()}) for row in rows
        ],
    )


def _wanted(allocations: list[NewAllocation], currency: str) -> list[handlers.Wanted]:
    return [
        handlers.Wanted(each.invoice_id, each.number, None if each.amount is None else Money.of(each.amount, currency))
        for each in allocations
    ]
