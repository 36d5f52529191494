"""What accountants book by hand, and the accounts of the company's chart."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from billing_svc.domain import manual_entry as rules
from billing_svc.domain.ledger import Posting
from billing_svc.domain.manual_entry import AccountExists, AccountType, UnknownAccount
from billing_svc.handlers.journal import write
from billing_svc.store import accounts, ledger, periods
from billing_svc.store.ledger import Origin


async def book_by_hand(tx: Transaction, *, booked_on: date | None, postings: Sequence[Posting], reason: str, by: str) -> UUID:
    """Book a balanced entry on an open day (or one of a month that is closing); returns its id. Raises as `draw_up`, and `PeriodClosed`."""
    books = await periods.get_books_held(tx.conn)
    controls = await accounts.get_controls(tx.conn)
    today = tx.now.date()
    entry = rules.draw_up(booked_on or today, postings, controls, today)
    books.require_open(entry.booked_on)
    entry_id = new_id()
    await write(tx, [(entry_id, entry, Origin(made_by=by, reason=reason))])
    return entry_id


async def reverse_by_hand(tx: Transaction, entry_id: UUID, *, booked_on: date | None, reason: str, by: str) -> UUID:
    """Book the opposite of an entry by hand, once; returns the id of the reversal.

    Without a day it is that of the entry, or today where that month is closed. Raises as `reverse`, `NotFound` and `PeriodClosed`.
    """
    books = await periods.get_books_held(tx.conn)
    booked = await ledger.get_booked_for_update(tx.conn, entry_id)
    today = tx.now.date()
    if booked_on is None:
        closed = books.state(booked.booked_on.replace(day=1)) == "closed"
        booked_on = today if closed else booked.booked_on
    entry = rules.reverse(booked, booked_on, today)
    books.require_open(entry.booked_on)
    reversal_id = new_id()
    of = Origin(made_by=by, reason=reason, reverses=booked.id)
    await write(tx, [(reversal_id, replace(entry, booked_on=booked_on), of)])
    return reversal_id


async def open_account(tx: Transaction, *, code: str, type_: AccountType, number: str, name: str, by: str) -> None:
    """A further account of the company's own. Raises `AccountExists`."""
    if not await accounts.insert_account(tx.conn, code, type_, by, tx.now):
        raise AccountExists(f"the chart has an account '{code}'", field="code")
    await accounts.insert_name(
        tx.conn, code, country=None, number=number, name=name, valid_from=accounts.ALWAYS, by=by, now=tx.now
    )


async def name_account(
    tx: Transaction, code: str, *, country: str | None, number: str, name: str, valid_from: date | None, by: str
) -> None:
    """From a day on an account has this number and name, in one country or wherever none is said. Raises `UnknownAccount`."""
    if code not in await accounts.get_controls(tx.conn):
        raise UnknownAccount(f"the chart has no account '{code}'", field="code")
    day = valid_from or tx.now.date()
    await accounts.insert_name(tx.conn, code, country=country, number=number, name=name, valid_from=day, by=by, now=tx.now)
