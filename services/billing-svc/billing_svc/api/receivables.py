"""HTTP out: ageing by customer, and the cash that is expected."""

from datetime import date, timedelta
from itertools import groupby
from typing import Annotated
from uuid import UUID

from fastapi import Query
from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.inputs import Day
from ltc_contracts.errors import NotFound
from ltc_contracts.money import Money
from pydantic import BaseModel

from billing_svc.api.ledger import CurrencyAgeing, currency_ageing
from billing_svc.domain import cash_forecast as forecasts
from billing_svc.domain.cash_forecast import Expectation, OpenInvoice
from billing_svc.store import receivables as store

router = make_router(prefix="/v1", tags=["receivables"])
Weeks = Annotated[int, Query(ge=1, le=104)]


class CustomerAgeing(BaseModel):
    """What one customer owes, currency by currency."""

    customer_id: UUID
    currencies: list[CurrencyAgeing]


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
