"""HTTP in: rates of tax, which tax applies to a supply and why, and what is owed for a month."""

import csv
import io
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from ltc_chassis.api import Conn, Now, Page, PageArgs, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.money import minor_units, round_half_up
from ltc_rules.tables import inert
from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from billing_svc.api.periods import MONTH, first_day
from billing_svc.domain.tax import Category, Parties, Supply, is_vat_id
from billing_svc.handlers import taxes as handlers
from billing_svc.store import taxes as store

router = make_router(prefix="/v1/taxes", tags=["taxes"])
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Class = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
Told = Annotated[str, StringConstraints(strip_whitespace=True, min_length=3, max_length=300, pattern=r"^[^\x00]*$")]
VatId = Annotated[str, Field(max_length=20, pattern=r"^[^\x00]*$")]
Percent = Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4)]
Month = Annotated[str, Query(pattern=MONTH)]
Writer = Annotated[Principal, scope("taxes:write")]
COLUMNS = ("country", "category", "rate", "currency", "base", "tax")


class NewTaxRate(BaseModel):
    """In percent. `source`: where it was read, as the law or the publication."""

    model_config = ConfigDict(extra="forbid")
    country: Country
    product_class: Class = "standard"
    valid_from: Day
    rate: Percent
    source: Told


class TaxRateView(BaseModel):
    id: UUID
    country: str
    product_class: str
    valid_from: date
    rate: str
    source: str
    made_by: str
    created_at: datetime


class Question(BaseModel):
    """`business` where the buyer is none without a VAT number of valid form, or is one. `on` is the day of supply, today without one."""

    model_config = ConfigDict(extra="forbid")
    seller_country: Country
    seller_vat_id: VatId | None = None
    buyer_country: Country
    buyer_vat_id: VatId | None = None
    business: bool | None = None
    supplies: Annotated[list["SupplyLine"], Field(min_length=1, max_length=200)]
    on: Day | None = None


class SupplyLine(BaseModel):
    model_config = ConfigDict(extra="forbid")
    supply: Supply
    product_class: Class = "standard"


class Answer(BaseModel):
    """`reason` explains it; where no tax is charged it is what the document says (BT-120)."""

    category: Category
    rate: str
    reason: str


class Answers(BaseModel):
    on: date
    supplies: list[Answer]


class ReportRow(BaseModel):
    country: str
    category: str
    rate: str
    currency: str
    base: str
    tax: str


class AccountRow(BaseModel):
    """tax = ledger + relief - by_hand + difference; `relief` was given back on bad debts. `difference` is nothing in health."""

    currency: str
    tax: str
    ledger: str
    relief: str
    by_hand: str
    difference: str


class TaxReport(BaseModel):
    month: str
    rows: list[ReportRow]
    account: list[AccountRow]


@router.post("/rates", status_code=201, dependencies=[scope("taxes:write")])
async def enter_tax_rate(body: NewTaxRate, tx: Tx, caller: Writer) -> None:
    """Enter the rate of a country and class of products from a day on; the last one entered for a day counts."""
    await handlers.enter_tax_rate(
        tx,
        country=body.country,
        class_=body.product_class,
        valid_from=body.valid_from,
        rate=body.rate,
        source=body.source,
        by=caller.subject,
    )


@router.get("/rates", dependencies=[scope("taxes:read")])
async def list_tax_rates(conn: Conn, page: PageArgs, country: Annotated[Country | None, Query()] = None) -> Page[TaxRateView]:
    """Rates in the order in which they were entered."""
    rows = await store.list_tax_rates(conn, country=country, after=page.after, limit=page.limit + 1)
    shown = [
        TaxRateView(**{**dict(row), "product_class": row["class"], "rate": str(row["rate"])})  # `class` is a word of the language
        for row in rows
    ]
    return page.of(shown, key=lambda view: view.id)


@router.post("/determine", dependencies=[scope("taxes:read")])
async def determine(body: Question, conn: Conn, now: Now) -> Answers:
    """Which tax applies to each supply and why. 409: no rate is entered, or it is not decided here."""
    day = body.on or now.date()
    business = body.business
    if business is None:
        business = body.buyer_vat_id is not None and is_vat_id(body.buyer_vat_id, body.buyer_country)
    parties = Parties(body.seller_country, body.seller_vat_id, body.buyer_country, body.buyer_vat_id, business)
    answers = []
    for each in body.supplies:
        found = await handlers.determine(conn, parties, each.supply, each.product_class, day)
        answers.append(Answer(category=found.category, rate=str(found.rate), reason=found.reason))
    return Answers(on=day, supplies=answers)


@router.get("/report", dependencies=[scope("taxes:read")])
async def tax_report(conn: Conn, month: Month) -> TaxReport:
    """Base and tax of a month by country, category and rate, credit notes deducted, beside what the account of tax says."""
    rows = [_row(row) for row in await store.tax_report_view(conn, first_day(month))]
    taxes: dict[str, Decimal] = {}
    for row in rows:
        taxes[row.currency] = taxes.get(row.currency, Decimal(0)) + Decimal(row.tax)
    booked = {row["currency"]: row for row in await store.tax_account_view(conn, first_day(month))}
    account = []
    for currency in sorted({*taxes, *booked}):
        tax = taxes.get(currency, Decimal(0))
        ledger, relief, by_hand = (
            (booked[currency][name] if currency in booked else Decimal(0)) for name in ("ledger", "relief", "by_hand")
        )
        sums = {"tax": tax, "ledger": ledger, "relief": relief, "by_hand": by_hand, "difference": tax - ledger - relief + by_hand}
        account.append(AccountRow(currency=currency, **{name: _text(amount, currency) for name, amount in sums.items()}))
    return TaxReport(month=month, rows=rows, account=account)


@router.get("/report.csv", dependencies=[scope("taxes:read")])
async def tax_report_csv(conn: Conn, month: Month) -> Response:
    """The rows of the report as a file."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in await store.tax_report_view(conn, first_day(month)):
        shown = _row(row).model_dump()
        writer.writerow([inert(shown[name]) if name in ("country", "category") else shown[name] for name in COLUMNS])
    headers = {"Content-Disposition": f'attachment; filename="taxes-{month}.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _row(row: dict[str, Decimal | str]) -> ReportRow:
    currency = str(row["currency"])
    return ReportRow(
        country=str(row["country"]),
        category=str(row["category"]),
        rate=str(row["rate"]),
        currency=currency,
        base=_text(Decimal(row["base"]), currency),
        tax=_text(Decimal(row["tax"]), currency),
    )


def _text(amount: Decimal, currency: str) -> str:
    return str(round_half_up(amount, minor_units(currency)))
