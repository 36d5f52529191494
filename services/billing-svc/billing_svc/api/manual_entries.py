"""HTTP in: entries by hand and their reversal, and the chart of accounts."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import Path, Query
from ltc_chassis.api import Conn, Now, Principal, Tx, scope
from ltc_chassis.api import router as make_router
from ltc_chassis.inputs import Day
from ltc_contracts.errors import Invalid
from ltc_contracts.money import Money
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from billing_svc.api.ledger import EntryView
from billing_svc.api.periods import Reason
from billing_svc.domain.ledger import Posting, posting
from billing_svc.domain.manual_entry import AccountType
from billing_svc.handlers import manual_entries as handlers
from billing_svc.store import accounts, ledger

router = make_router(prefix="/v1/ledger", tags=["ledger"])
CODE = r"^[a-z][a-z0-9_]{0,39}$"
Code = Annotated[str, Field(pattern=CODE)]
Number = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=20, pattern=r"^[0-9A-Za-z./ -]*$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$")]
Bookkeeper = Annotated[Principal, scope("ledger:write")]


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NewLine(Body):
    """Either a debit or a credit, above zero."""

    account: Code
    debit: Money | None = None
    credit: Money | None = None

    @model_validator(mode="after")
    def _one_side(self) -> "NewLine":
        if (self.debit is None) == (self.credit is None):
            raise ValueError("say debit or credit")
        return self


class NewEntry(Body):
    booked_on: Day | None = None
    reason: Reason
    lines: Annotated[list[NewLine], Field(min_length=2, max_length=100)]


class NewReversal(Body):
    booked_on: Day | None = None
    reason: Reason


class NewAccount(Body):
    code: Code
    type: AccountType
    number: Number
    name: Name


class NewName(Body):
    """Without a country it holds wherever no other does; without a day from today on."""

    number: Number
    name: Name
    country: Country | None = None
    valid_from: Day | None = None


class AccountView(BaseModel):
    """`code` is what the program books on; a `control` account is kept by documents and payments."""

    code: str
    type: AccountType
    control: bool
    country: str | None
    number: str | None
    name: str | None
    valid_from: date | None


class Chart(BaseModel):
    as_of: date
    country: str | None
    accounts: list[AccountView]


@router.post("/entries", status_code=201, dependencies=[scope("ledger:write")])
async def book_by_hand(body: NewEntry, tx: Tx, caller: Bookkeeper) -> EntryView:
    """Book by hand, on an open day. 400: not balanced, no such account, or one that documents keep. 409: the month is closed."""
    entry_id = await handlers.book_by_hand(
        tx, booked_on=body.booked_on, postings=_postings(body.lines), reason=body.reason, by=caller.subject
    )
    return EntryView(**dict(await ledger.entry_view(tx.conn, entry_id)))


@router.post("/entries/{entry_id}/reversal", status_code=201, dependencies=[scope("ledger:write")])
async def reverse_by_hand(entry_id: UUID, body: NewReversal, tx: Tx, caller: Bookkeeper) -> EntryView:
    """Book the opposite of an entry by hand, once. 409: reversed already, made by a document, or the month is closed."""
    reversal_id = await handlers.reverse_by_hand(tx, entry_id, booked_on=body.booked_on, reason=body.reason, by=caller.subject)
    return EntryView(**dict(await ledger.entry_view(tx.conn, reversal_id)))


@router.get("/accounts", dependencies=[scope("ledger:read")])
async def get_chart(conn: Conn, now: Now, country: Annotated[Country | None, Query()] = None, as_of: Day | None = None) -> Chart:
    """The chart of accounts as it is on a day (default today), with the numbers and names of a country where it has its own."""
    day = as_of or now.date()
    rows = await accounts.chart_view(conn, country, day)
    return Chart(as_of=day, country=country, accounts=[AccountView(**dict(row)) for row in rows])


@router.post("/accounts", status_code=201, dependencies=[scope("ledger:write")])
async def open_account(body: NewAccount, tx: Tx, caller: Bookkeeper) -> Chart:
    """Add an account of your own, to book on by hand. 409: the code is taken."""
    await handlers.open_account(tx, code=body.code, type_=body.type, number=body.number, name=body.name, by=caller.subject)
    return await get_chart(tx.conn, tx.now)


@router.put("/accounts/{code}", dependencies=[scope("ledger:write")])
async def name_account(code: Annotated[str, Path(pattern=CODE)], body: NewName, tx: Tx, caller: Bookkeeper) -> Chart:
    """Give an account your own number and name from a day on. What was exported keeps what it had."""
    await handlers.name_account(
        tx, code, country=body.country, number=body.number, name=body.name, valid_from=body.valid_from, by=caller.subject
    )
    return await get_chart(tx.conn, tx.now, body.country)


def _postings(lines: list[NewLine]) -> list[Posting]:
    found = []
    for place, line in enumerate(lines):
        amount = line.debit or line.credit
        assert amount is not None
        if amount.amount <= Decimal(0):
            raise Invalid("an amount is above zero; which side it is on says the rest", field=f"lines.{place}")
        found.append(posting(line.account, amount if line.debit is not None else -amount))
    return found
