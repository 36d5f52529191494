"""HTTP out: trial balance, entries, ageing. Amounts are strings in the minor units of the currency beside them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.api import Conn, Now, Page, PageArgs, scope
from ltc_chassis.api import router as make_router
from ltc_contracts.money import minor_units, round_half_up
from pydantic import BaseModel

from billing_svc.domain.ledger import Kind
from billing_svc.store import ledger as store

router = make_router(prefix="/v1", tags=["ledger"])
_BUCKETS = {
    "not_due": "not_due",
    "1-30": "days_1_30",
    "31-60": "days_31_60",
    "61-90": "days_61_90",
    "91+": "days_91_more",
}


class AccountBalance(BaseModel):
    """`balance` is debit less credit."""

    account: str
    currency: str
    debit: str
    credit: str
    balance: str


class Total(BaseModel):
    """Of one currency over all accounts; `balance` is zero at every instant."""

    currency: str
    debit: str
    credit: str
    balance: str


class TrialBalance(BaseModel):
    as_of: date
    accounts: list[AccountBalance]
    totals: list[Total]


class EntryLine(BaseModel):
    account: str
    currency: str
    debit: str
    credit: str


class EntryView(BaseModel):
    """`occurred_on` is the day it counts for, `booked_on` that in whose month it is booked: later where its own was closed.

    `created_at` is when it was written down; `made_by` and `reason` are of an entry by hand.
    """

    id: UUID
    booked_on: date
    occurred_on: date
    kind: Kind
    flow_id: UUID | None
    invoice_id: UUID | None
    payment_id: UUID | None
    credit_id: UUID | None
    made_by: str | None
    reason: str | None
    reverses: UUID | None
    reversed_by: UUID | None
    lines: list[EntryLine]
    created_at: datetime


class CurrencyAgeing(BaseModel):
    """`buckets` by days overdue (`not_due`, `1-30`, `31-60`, `61-90`, `91+`) add up to `outstanding`."""

    currency: str
    invoices: int
    outstanding: str
    buckets: dict[str, str]


class Ageing(BaseModel):
    as_of: date
    currencies: list[CurrencyAgeing]


@router.get("/ledger/trial-balance", dependencies=[scope("ledger:read")])
async def trial_balance(conn: Conn, now: Now, as_of: date | None = None) -> TrialBalance:
    """Debit and credit per account and currency up to the end of a day (default today)."""
    day = as_of or now.date()
    rows = await store.trial_balance_view(conn, day)
    accounts = [
        AccountBalance(account=row["account"], currency=row["currency"], **_columns(row["debit"], row["credit"], row["currency"]))
        for row in rows
    ]
    totals = []
    for currency in dict.fromkeys(row["currency"] for row in rows):
        same = [row for row in rows if row["currency"] == currency]
        debit, credit = (sum((row[side] for row in same), Decimal(0)) for side in ("debit", "credit"))
        totals.append(Total(currency=currency, **_columns(debit, credit, currency)))
    return TrialBalance(as_of=day, accounts=accounts, totals=totals)


@router.get("/ledger/entries", dependencies=[scope("ledger:read")])
async def list_entries(
    conn: Conn,
    page: PageArgs,
    flow_id: UUID | None = None,
    invoice_id: UUID | None = None,
    payment_id: UUID | None = None,
    kind: Kind | None = None,
) -> Page[EntryView]:
    """Double entries in the order they were written."""
    rows = await store.list_entries(
        conn, flow_id=flow_id, invoice_id=invoice_id, payment_id=payment_id, kind=kind, after=page.after, limit=page.limit + 1
    )
    return page.of([EntryView(**dict(row)) for row in rows], key=lambda view: view.id)


@router.get("/receivables/ageing", dependencies=[scope("invoices:read")])
async def ageing(conn: Conn, now: Now, as_of: date | None = None) -> Ageing:
    """What was open at the end of a day (default today), by days overdue then; equals the account `receivable` on that day."""
    day = as_of or now.date()
    shown = [currency_ageing(row) for row in await store.ageing_view(conn, day)]
    return Ageing(as_of=day, currencies=shown)


def currency_ageing(row: Any) -> CurrencyAgeing:
    """A row of the ageing: what is outstanding in one currency, and its buckets."""
    return CurrencyAgeing(
        currency=row["currency"],
        invoices=row["invoices"],
        outstanding=_text(row["outstanding"], row["currency"]),
        buckets={bucket: _text(row[column], row["currency"]) for bucket, column in _BUCKETS.items()},
    )


def _columns(debit: Decimal, credit: Decimal, currency: str) -> dict[str, str]:
    return {
        "debit": _text(debit, currency),
        "credit": _text(credit, currency),
        "balance": _text(debit - credit, currency),
    }


def _text(amount: Decimal, currency: str) -> str:
    """Sums may exceed what one Money holds; only the form is set here, the amounts are whole minor units already."""
    return str(round_half_up(amount, minor_units(currency)))
