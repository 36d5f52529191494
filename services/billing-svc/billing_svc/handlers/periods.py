"""Months of the books are closed and opened again, each move written down with who made it and why."""

from datetime import date, timedelta

from ltc_chassis.db import Transaction

from billing_svc.domain import period as rules
from billing_svc.domain.period import Move, PeriodNotClean
from billing_svc.store import periods
from billing_svc.store.audit import audit


async def move_period(tx: Transaction, month: date, to: Move, *, reason: str, by: str) -> None:
    """Begin to close a month, close it, or open it again.

    While it is decided nobody books. Closing looks for everything that the audit lists as of the last day.
    Raises `WrongTransition`, `PeriodNotOver`, `PeriodOutOfOrder`, `PeriodNotClean`.
    """
    await periods.lock_periods(tx.conn)
    books = await periods.get_books(tx.conn)
    before, after = books.state(month), rules.move(books, month, to, tx.now.date())
    if to == "close":
        found = await audit(tx.conn, rules.next_month(month) - timedelta(days=1), tx.now.date())
        if found.findings():
            raise PeriodNotClean(month, found.findings())
    await periods.save_period(tx.conn, month, before, after, reason=reason, by=by, now=tx.now)
