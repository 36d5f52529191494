"""HTTP out: ageing by customer, statements of account, and the cash that is expected."""

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.inputs import Day
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.money import Money
from pydantic import BaseModel

from billing_svc.api.ledger import CurrencyAgeing, currency_ageing
from billing_svc.domain import cash_forecast as forecasts
from billing_svc.domain.cash_forecast import Expectation, OpenInvoice
from billing_svc.domain.statement import Account, Movement, account_of
from billing_svc.store import receivables as store

router = make_router(prefix="/v1", tags=["receivables"])
_MOST_LINES = 5000
_LONGEST_DAYS = 3660
Weeks = Annotated[int, Query(ge=1, le=104)]


class CustomerAgeing(BaseModel):
    """What one customer owes, currency by currency."""

    customer_id: UUID
    currencies: list[CurrencyAgeing]


class StatementLine(BaseModel):
    """Above zero the customer owes more; `balance` is what is owed after it. `kind` is the ledger's."""

    day: date
    kind: str
    number: str
    reference: str | None
    due_on: date | None
    amount: Money
    balance: Money
    invoice_id: UUID


class StatementAccount(BaseModel):
    """opening + charged - settled = closing; the buckets of `ageing` add up to closing."""

    currency: str
    opening: Money
    charged: Money
    settled: Money
    closing: Money
    lines: list[StatementLine]
    ageing: CurrencyAgeing | None


class Statement(BaseModel):
    """From the begin of `begin` to the end of `end`."""

    customer_id: UUID
    name: str
    country: str
    begin: date
    end: date
    accounts: list[StatementAccount]


class ForecastWeek(BaseModel):
    """`expected` comes in the seven days from `starts_on`, a Monday; `by_due` would, if everybody paid on the due day."""

    starts_on: date
    currency: str
    invoices: int
    expected: Money
    by_due: Money


class Later(BaseModel):
    """What is expected after the last week."""

    currency: str
    expected: Money


class Forecast(BaseModel):
    as_of: date
    weeks: list[ForecastWeek]
    later: list[Later]


class ExpectedInvoice(BaseModel):
    """When and why: (known x payer_median + 2 x all_median) / (known + 2) days after the due day, but not before tomorrow."""

    invoice_id: UUID
    number: str
    due_on: date
    open: Money
    expected_on: date
    lateness: int
    known: int
    payer_median: float | None
    all_median: float | None


class CustomerForecast(BaseModel):
    customer_id: UUID
    as_of: date
    invoices: list[ExpectedInvoice]


@router.get("/receivables/ageing/customers", dependencies=[scope("invoices:read")])
async def ageing_by_customer(conn: Conn, now: Now, page: PageArgs, as_of: Day | None = None) -> Page[CustomerAgeing]:
    """Who owed what at the end of a day (default today), by days overdue then; all customers add up to the ageing."""
    rows = await store.list_customer_ageing_view(
        conn, as_of or now.date(), customer_id=None, after=page.after, limit=page.limit + 1
    )
    found = [
        CustomerAgeing(customer_id=customer_id, currencies=[currency_ageing(row) for row in each])
        for customer_id, each in groupby(rows, key=lambda row: row["customer_id"])
    ]
    return page.of(found, key=lambda view: view.customer_id)


@router.get("/customers/{customer_id}/statement", dependencies=[scope("invoices:read")])
async def get_statement(
    customer_id: UUID,
    conn: Conn,
    now: Now,
    begin: Annotated[Day | None, Query(alias="from")] = None,
    end: Annotated[Day | None, Query(alias="to")] = None,
) -> Statement:
    """What a customer owed, what was added and settled from one day to another (default: the last 30 days), and what is owed then.

    404: nothing was ever invoiced to them. 400: the days are the wrong way round, or there are more than 5,000 lines between them.
    """
    last = end or now.date()
    first = begin or last - timedelta(days=30)
    return await _statement(conn, customer_id, first, last)


@router.get("/receivables/forecast", dependencies=[scope("invoices:read")])
async def get_forecast(conn: Conn, now: Now, as_of: Day | None = None, weeks: Weeks = 13) -> Forecast:
    """Cash expected per week and currency, from due days and how each payer paid before, as it was known on a day (default today)."""
    day = as_of or now.date()
    found = forecasts.by_week(await _expected(conn, day, None), day)
    limit = forecasts.monday(day) + timedelta(weeks=weeks)
    later: dict[str, Money] = {}
    for week in found:
        if week.starts_on >= limit:
            later[week.currency] = later.get(week.currency, Money.zero(week.currency)) + week.expected
    return Forecast(
        as_of=day,
        weeks=[
            ForecastWeek(
                starts_on=week.starts_on,
                currency=week.currency,
                invoices=week.invoices,
                expected=week.expected,
                by_due=week.by_due,
            )
            for week in found
            if week.starts_on < limit
        ],
        later=[Later(currency=currency, expected=amount) for currency, amount in sorted(later.items())],
    )


@router.get("/customers/{customer_id}/forecast", dependencies=[scope("invoices:read")])
async def get_customer_forecast(customer_id: UUID, conn: Conn, now: Now, as_of: Day | None = None) -> CustomerForecast:
    """When each open invoice of a customer is expected to be paid, and why. 404: nothing was ever invoiced to them."""
    day = as_of or now.date()
    if await store.get_customer_view(conn, customer_id) is None:
        raise NotFound(f"nothing was invoiced to customer {customer_id}")
    shown = [
        ExpectedInvoice(
            invoice_id=invoice.invoice_id,
            number=invoice.number,
            due_on=invoice.due_on,
            open=invoice.open,
            expected_on=expected.day,
            lateness=expected.lateness,
            known=expected.known,
            payer_median=expected.payer_median,
            all_median=expected.all_median,
        )
        for invoice, expected in await _expected(conn, day, customer_id)
    ]
    return CustomerForecast(customer_id=customer_id, as_of=day, invoices=shown)


async def _expected(conn: Connection, day: date, customer_id: UUID | None) -> list[tuple[OpenInvoice, Expectation]]:
    known = forecasts.behaviour((row["customer_id"], row["lateness"]) for row in await store.list_lateness_view(conn, day))
    found = []
    for row in await store.list_open_view(conn, day, customer_id):
        fields = dict(row)
        fields["open"] = Money.of(fields["open"], fields.pop("currency"))
        invoice = OpenInvoice(**fields)
        found.append((invoice, forecasts.expect(known, invoice.customer_id, invoice.due_on, day)))
    return found


async def _statement(conn: Connection, customer_id: UUID, first: date, last: date) -> Statement:
    if last < first:
        raise Invalid("ends before it begins", field="to")
    if (last - first).days > _LONGEST_DAYS:
        raise Invalid(f"a statement is of at most {_LONGEST_DAYS} days", field="from")
    customer = await store.get_customer_view(conn, customer_id)
    if customer is None:
        raise NotFound(f"nothing was invoiced to customer {customer_id}")
    rows = await store.list_movements_view(conn, customer_id, first, last, _MOST_LINES + 1)
    if len(rows) > _MOST_LINES:
        raise Invalid(f"there are more than {_MOST_LINES} lines; ask for fewer days", field="from")
    ages = await store.list_customer_ageing_view(conn, last, customer_id=customer_id, after=None, limit=1)
    ageing = {row["currency"]: currency_ageing(row) for row in ages}
    accounts = []
    for row in await store.opening_view(conn, customer_id, first):
        currency = row["currency"]
        moved = [_movement(each) for each in rows if each["currency"] == currency]
        account = account_of(Money.of(row["opening"], currency), moved)
        if moved or account.opening.amount:
            accounts.append(_account(account, ageing.get(currency)))
    return Statement(
        customer_id=customer_id, name=customer["name"], country=customer["country"], begin=first, end=last, accounts=accounts
    )


def _movement(row: Any) -> Movement:
    fields = dict(row)
    fields["amount"] = Money.of(fields["amount"], fields.pop("currency"))
    return Movement(**fields)


def _account(account: Account, ageing: CurrencyAgeing | None) -> StatementAccount:
    lines: Sequence[StatementLine] = [
        StatementLine(
            day=line.movement.day,
            kind=line.movement.kind,
            number=line.movement.number,
            reference=line.movement.reference,
            due_on=line.movement.due_on,
            amount=line.movement.amount,
            balance=line.balance,
            invoice_id=line.movement.invoice_id,
        )
        for line in account.lines
    ]
    return StatementAccount(
        currency=account.opening.currency,
        opening=account.opening,
        charged=account.charged,
        settled=account.settled,
        closing=account.closing,
        lines=list(lines),
        ageing=ageing,
    )
