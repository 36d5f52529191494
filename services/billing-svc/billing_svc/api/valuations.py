"""HTTP out: what the books, an entry, an invoice and an export are worth in the reporting currency."""

import csv
import io
from datetime import date
from decimal import Decimal
from uuid import UUID

from fastapi import Response
from ltc_chassis.api import Conn, Now, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.errors import NotFound
from ltc_contracts.money import minor_units, round_half_up
from ltc_rules.tables import inert
from pydantic import BaseModel

from billing_svc.store import exchange_rates, journal_exports
from billing_svc.store import ledger as entries
from billing_svc.store import valuations as store

router = make_router(prefix="/v1", tags=["currencies"])
COLUMNS = ("export", "position", "line", "entry_id", "booked_on", "account", "currency", "debit", "credit", "rate")


class ReportedAccount(BaseModel):
    """`balance` is debit less credit."""

    account: str
    debit: str
    credit: str
    balance: str


class ReportedBalance(BaseModel):
    """Everything in the reporting currency; `balance` over all accounts is zero at every instant."""

    as_of: date
    currency: str
    accounts: list[ReportedAccount]
    balance: str


class ValueLine(BaseModel):
    """`rate` is null for what the rates make differ."""

    account: str
    currency: str
    debit: str
    credit: str
    rate: str | None


class CarryingAmount(BaseModel):
    """carried = round(open x rate); `realised` is what was gained (or below zero lost) by paying it at other rates."""

    invoice_id: UUID
    number: str
    open: str
    currency: str
    rate: str
    source: str
    valid_on: date
    reporting_currency: str
    carried: str
    realised: str


@router.get("/ledger/reporting-balance", dependencies=[scope("ledger:read")])
async def reporting_balance(conn: Conn, now: Now, as_of: Day | None = None) -> ReportedBalance:
    """The trial balance in the reporting currency up to the end of a day (default today). 404: none is chosen."""
    reporting = await exchange_rates.get_reporting(conn)
    if reporting is None:
        raise NotFound("no reporting currency is chosen")
    day = as_of or now.date()
    rows = await store.reporting_balance_view(conn, reporting.currency, day)
    shown = [
        ReportedAccount(
            account=row["account"],
            debit=_text(row["debit"], reporting.currency),
            credit=_text(row["credit"], reporting.currency),
            balance=_text(row["debit"] - row["credit"], reporting.currency),
        )
        for row in rows
    ]
    total = sum((row["debit"] - row["credit"] for row in rows), Decimal(0))
    return ReportedBalance(as_of=day, currency=reporting.currency, accounts=shown, balance=_text(total, reporting.currency))


@router.get("/ledger/entries/{entry_id}/value", dependencies=[scope("ledger:read")])
async def entry_value(entry_id: UUID, conn: Conn) -> list[ValueLine]:
    """The lines of an entry in the reporting currency; none for one that is in it already."""
    await entries.entry_view(conn, entry_id)
    return [
        ValueLine(
            account=each.posting.account,
            currency=each.posting.debit.currency,
            debit=str(each.posting.debit.amount),
            credit=str(each.posting.credit.amount),
            rate=None if each.rate is None else f"{each.rate:f}",
        )
        for each in await store.list_values(conn, entry_id) or []
    ]


@router.get("/invoices/{invoice_id}/carrying-amount", dependencies=[scope("invoices:read")])
async def carrying_amount(invoice_id: UUID, conn: Conn) -> CarryingAmount:
    """What is open of an invoice, at the rate that was frozen on it. 404: it is in the currency of the books."""
    row = await store.carrying_view(conn, invoice_id)
    return CarryingAmount(
        invoice_id=row["id"],
        number=row["number"],
        open=_text(row["open"], row["currency"]),
        currency=row["currency"],
        rate=f"{row['rate']:f}",
        source=row["source"],
        valid_on=row["valid_on"],
        reporting_currency=row["reporting"],
        carried=_text(row["carried"], row["reporting"]),
        realised=_text(row["realised"], row["reporting"]),
    )


@router.get("/ledger/exports/{export_id}/values.csv", dependencies=[scope("ledger:read")])
async def get_values_csv(export_id: UUID, conn: Conn) -> Response:
    """Beside the lines of an export: what its entries in other currencies are worth in that of the books, the same for ever."""
    export = await journal_exports.get_export(conn, export_id)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in await store.export_values_view(conn, export_id):
        fields = {**dict(row), "export": export.number, "account": inert(row["account"])}
        writer.writerow(["" if fields[name] is None else fields[name] for name in COLUMNS])
    headers = {"Content-Disposition": f'attachment; filename="{export.number}-values.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def _text(amount: Decimal, currency: str) -> str:
    return str(round_half_up(amount, minor_units(currency)))
