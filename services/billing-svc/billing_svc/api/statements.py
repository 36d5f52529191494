"""HTTP out: statements of account, as data and on paper."""

from datetime import date, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import Query, Response
from ltc_chassis import letterhead
from ltc_chassis.api import Conn, Now, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.connection import Connection
from ltc_chassis.inputs import Day
from ltc_chassis.paper import print_pdf
from ltc_contracts.errors import Invalid, NotFound
from ltc_contracts.money import Money
from pydantic import BaseModel

from billing_svc.api.ledger import CurrencyAgeing, currency_ageing
from billing_svc.domain.statement import Account, Movement, account_of
from billing_svc.store import instalments
from billing_svc.store import receivables as store

router = make_router(prefix="/v1", tags=["receivables"])
_MOST_LINES = 5000
_LONGEST_DAYS = 3660
_ENTRIES = {
    "invoice": "Invoice",
    "allocation": "Payment",
    "credit": "Credit note",
    "release": "Payment released",
}
Begin = Annotated[Day | None, Query(alias="from", description="default: 30 days before the end")]
End = Annotated[Day | None, Query(alias="to", description="default: today")]


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


class OpenInstalment(BaseModel):
    """A part of an invoice (`number`) with a day of its own."""

    invoice_id: UUID
    number: str
    instalment: int
    due_on: date
    amount: Money
    open: Money


class StatementAccount(BaseModel):
    """opening + charged - settled = closing; the buckets of `ageing` add up to closing."""

    currency: str
    opening: Money
    charged: Money
    settled: Money
    closing: Money
    lines: list[StatementLine]
    ageing: CurrencyAgeing | None
    instalments: list[OpenInstalment]


class Statement(BaseModel):
    """From the begin of `begin` to the end of `end`."""

    customer_id: UUID
    name: str
    country: str
    begin: date
    end: date
    accounts: list[StatementAccount]


@router.get("/customers/{customer_id}/statement", dependencies=[scope("invoices:read")])
async def get_statement(
    customer_id: UUID,
    conn: Conn,
    now: Now,
    begin: Begin = None,
    end: End = None,
) -> Statement:
    """What a customer owed, what was added and settled from one day to another (default: the last 30 days), and what is owed then.

    404: nothing was ever invoiced to them. 400: the days are the wrong way round, or there are more than 5,000 lines between them.
    """
    return await _statement(conn, customer_id, begin, end or now.date())


@router.get("/customers/{customer_id}/statement.pdf", dependencies=[scope("invoices:read")])
async def get_statement_pdf(customer_id: UUID, conn: Conn, now: Now, begin: Begin = None, end: End = None) -> Response:
    """The same on paper, to send to the customer."""
    statement = await _statement(conn, customer_id, begin, end or now.date())
    pdf = await print_pdf(
        "billing_svc", "statement", _printable(statement), letterhead=await letterhead.load(conn), created_at=now
    )
    headers = {
        "Content-Disposition": f'inline; filename="statement-{statement.end}.pdf"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(pdf, media_type="application/pdf", headers=headers)


async def _statement(conn: Connection, customer_id: UUID, begin: date | None, last: date) -> Statement:
    first = begin or last - timedelta(days=30)
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
    parts = [_open_instalment(each) for each in await instalments.list_open_view(conn, customer_id, last)]
    accounts = []
    for row in await store.opening_view(conn, customer_id, first):
        currency = row["currency"]
        moved = [_movement(each) for each in rows if each["currency"] == currency]
        account = account_of(Money.of(row["opening"], currency), moved)
        if moved or account.opening.amount:
            theirs = [part for part in parts if part.open.currency == currency]
            accounts.append(_account(account, ageing.get(currency), theirs))
    return Statement(
        customer_id=customer_id, name=customer["name"], country=customer["country"], begin=first, end=last, accounts=accounts
    )


def _movement(row: Any) -> Movement:
    fields = dict(row)
    fields["amount"] = Money.of(fields["amount"], fields.pop("currency"))
    return Movement(**fields)


def _open_instalment(row: Any) -> OpenInstalment:
    fields = dict(row)
    currency = fields.pop("currency")
    for name in ("amount", "open"):
        fields[name] = Money.of(fields[name], currency)
    return OpenInstalment(**fields)


def _account(account: Account, ageing: CurrencyAgeing | None, instalments: list[OpenInstalment]) -> StatementAccount:
    lines = [
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
        lines=lines,
        ageing=ageing,
        instalments=instalments,
    )


def _printable(statement: Statement) -> dict[str, Any]:
    """As the template takes it: texts only."""
    accounts = []
    for each in statement.accounts:
        lines = [
            {
                "day": line.day,
                "entry": _ENTRIES.get(line.kind, line.kind.replace("_", " ").capitalize()),
                "number": line.number,
                "reference": line.reference or "",
                "due_on": line.due_on or "",
                "amount": _figure(line.amount),
                "balance": _figure(line.balance),
            }
            for line in each.lines
        ]
        amounts = {name: _figure(getattr(each, name)) for name in ("opening", "charged", "settled", "closing")}
        parts = [
            {"number": part.number, "part": str(part.instalment), "due_on": part.due_on, "open": _figure(part.open)}
            for part in each.instalments
        ]
        buckets = each.ageing.buckets if each.ageing else {}
        accounts.append(
            {"currency": each.currency, **amounts, "lines": lines, "ageing": list(buckets.items()), "instalments": parts}
        )
    return {
        "name": statement.name,
        "country": statement.country,
        "first": statement.begin,
        "last": statement.end,
        "accounts": accounts,
    }


def _figure(money: Money) -> str:
    return f"{money.amount:,}"
