"""HTTP in: dated exchange rates, singly and as a table, and the currency in which the books are reported."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query, UploadFile
from ltc_chassis.api import MB, Conn, Now, Page, PageArgs, Principal, Tx, body_up_to, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.errors import DomainError, NotFound
from pydantic import BaseModel, ConfigDict, Field

from billing_svc.domain.exchange_rate import Reporting, rate_of
from billing_svc.handlers import exchange_rates as handlers
from billing_svc.store import exchange_rates as store

router = make_router(prefix="/v1", tags=["currencies"])
_LARGEST_FILE = 2 * MB
_SHOWN = 100
Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Source = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}$")]
Writer = Annotated[Principal, scope("rates:write")]


class RateTableTooLarge(DomainError):
    """A table of rates is limited to 2 MB."""

    kind = "too_large"


class NewRate(BaseModel):
    """One `base` is `rate` of `quote` from `valid_on` until the next. `correction`: the day has another one, which was wrong."""

    model_config = ConfigDict(extra="forbid")
    source: Source
    base: Currency
    quote: Currency
    valid_on: Day
    rate: Annotated[Decimal, Field(gt=0, max_digits=22, decimal_places=12)]
    correction: bool = False


class Entered(BaseModel):
    """`taken` is false when the same was entered before."""

    taken: bool


class RateView(BaseModel):
    id: UUID
    source: str
    base: str
    quote: str
    valid_on: date
    rate: str
    made_by: str
    created_at: datetime


class RefusedView(BaseModel):
    line: int
    field: str
    reason: str


class TableView(BaseModel):
    """taken + unchanged + refused = rows; `refusals` are the first hundred."""

    taken: int
    unchanged: int
    refused: int
    refusals: list[RefusedView]


class RateOfDay(BaseModel):
    """`valid_on` is the day whose rate it is: the last one on or before `on`."""

    source: str
    base: str
    quote: str
    on: date
    valid_on: date
    rate: str


class ReportingCurrency(BaseModel):
    model_config = ConfigDict(extra="forbid")
    currency: Currency
    source: Source


@router.post("/exchange-rates", status_code=201, dependencies=[scope("rates:write")])
async def enter_rate(body: NewRate, tx: Tx, caller: Writer) -> Entered:
    """Enter the rate of a day; the same again changes nothing. 409: the day has another one, and this is not called its correction."""
    rate = rate_of(body.source, body.base, body.quote, body.valid_on, body.rate)
    return Entered(taken=await handlers.enter_rate(tx, rate, correction=body.correction, by=caller.subject))


@router.post("/exchange-rates/table", dependencies=[scope("rates:write"), body_up_to(3 * MB)])
async def enter_table(
    tx: Tx, caller: Writer, file: UploadFile, correction: Annotated[bool, Query(description="what differs is corrected")] = False
) -> TableView:
    """Enter a CSV with the columns source, base, quote, valid_on, rate (20,000 rows at most); rows that cannot be taken are refused singly."""
    content = await file.read(_LARGEST_FILE + 1)
    if len(content) > _LARGEST_FILE:
        raise RateTableTooLarge("a table may have 2 MB", field="file")
    done = await handlers.enter_table(tx, content, correction=correction, by=caller.subject)
    shown = [RefusedView(line=each.line, field=each.field, reason=each.reason) for each in done.refused[:_SHOWN]]
    return TableView(taken=done.taken, unchanged=done.unchanged, refused=len(done.refused), refusals=shown)


@router.get("/exchange-rates", dependencies=[scope("rates:read")])
async def list_rates(
    conn: Conn,
    page: PageArgs,
    source: Annotated[Source | None, Query()] = None,
    base: Annotated[Currency | None, Query()] = None,
    quote: Annotated[Currency | None, Query()] = None,
) -> Page[RateView]:
    """Rates in the order in which they were entered; of several for a day the last one counts."""
    rows = await store.list_rates(conn, source=source, base=base, quote=quote, after=page.after, limit=page.limit + 1)
    return page.of([RateView(**{**dict(row), "rate": str(row["rate"])}) for row in rows], key=lambda view: view.id)


@router.get("/exchange-rates/of-day", dependencies=[scope("rates:read")])
async def rate_of_day(
    conn: Conn,
    now: Now,
    source: Annotated[Source, Query()],
    base: Annotated[Currency, Query()],
    quote: Annotated[Currency, Query()],
    on: Day | None = None,
) -> RateOfDay:
    """What one `base` is worth on a day (default today), told either way round. 404: no rate on or before it."""
    day = on or now.date()
    found = await store.get_rate(conn, source, base, quote, day)
    if found is None:
        raise NotFound(f"{source} has no rate of {base} in {quote} on or before {day}")
    return RateOfDay(source=source, base=base, quote=quote, on=day, valid_on=found.valid_on, rate=f"{found.rate:f}")


@router.put("/reporting-currency", dependencies=[scope("ledger:write")])
async def choose_reporting(
    body: ReportingCurrency, tx: Tx, caller: Annotated[Principal, scope("ledger:write")]
) -> ReportingCurrency:
    """Report the books in a currency, by the rates of a source. 409: something is booked that would have no value in it."""
    done = await handlers.choose_reporting(tx, Reporting(body.currency, body.source), by=caller.subject)
    return ReportingCurrency(currency=done.currency, source=done.source)


@router.get("/reporting-currency", dependencies=[scope("ledger:read")])
async def get_reporting(conn: Conn) -> ReportingCurrency | None:
    """The currency in which the books are reported; null while none is chosen."""
    found = await store.get_reporting(conn)
    return None if found is None else ReportingCurrency(currency=found.currency, source=found.source)
