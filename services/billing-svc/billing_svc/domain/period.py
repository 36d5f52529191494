"""Months of the books: open, closing (only accountants book, by hand) or closed (nobody does)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Literal

from ltc_contracts.errors import DomainError, WrongTransition

PeriodState = Literal["open", "closing", "closed"]
Move = Literal["begin", "close", "reopen"]
TRANSITIONS: dict[tuple[PeriodState, Move], PeriodState] = {
    ("open", "begin"): "closing",
    ("open", "close"): "closed",
    ("closing", "close"): "closed",
    ("closing", "reopen"): "open",
    ("closed", "reopen"): "open",
}


class PeriodClosed(DomainError):
    """The books of that month are closed; it is booked on the first open day instead."""


class PeriodNotOver(DomainError):
    """A month is closed after its last day."""


class PeriodOutOfOrder(DomainError):
    """Months close one after the other, and open again from the last."""


class PeriodNotClean(DomainError):
    """The checks before closing found something."""

    def __init__(self, month: date, findings: Sequence[str]) -> None:
        super().__init__(f"{month:%Y-%m} cannot be closed: {'; '.join(findings[:5])}")
        self.findings = list(findings)

    def members(self) -> dict[str, Any]:
        return {"findings": self.findings[:100]}


@dataclass(frozen=True, slots=True)
class Books:
    """Which months are shut: everything up to `closed` is closed, and at most the one after it is `closing`. First days of months."""

    closed: date | None = None
    closing: date | None = None

    def state(self, month: date) -> PeriodState:
        """Of the month that begins on this day."""
        if self.closed is not None and month <= self.closed:
            return "closed"
        if self.closing is not None and month <= self.closing:
            return "closing"
        return "open"

    @property
    def first_open_day(self) -> date | None:
        """The first day on which everything may be booked; None when that is any."""
        shut = self.closing or self.closed
        return None if shut is None else next_month(shut)

    def require_open(self, day: date) -> None:
        """Raise `PeriodClosed` where not even an accountant may book."""
        if self.state(day.replace(day=1)) == "closed":
            assert self.closed is not None
            raise PeriodClosed(f"{day:%Y-%m} is closed; the first open day is {next_month(self.closed)}", field="booked_on")


def move(books: Books, month: date, to: Move, today: date) -> PeriodState:
    """What becomes of a month. Raises `WrongTransition`, `PeriodNotOver`, `PeriodOutOfOrder`."""
    state = books.state(month)
    after = TRANSITIONS.get((state, to))
    if after is None:
        raise WrongTransition(f"the month {month:%Y-%m}", state, to)
    if to == "reopen":
        last = books.closing or books.closed
        if month != last:
            raise PeriodOutOfOrder(f"{last:%Y-%m} is open again first")
        return after
    if next_month(month) > today:
        raise PeriodNotOver(f"{month:%Y-%m} ends on {next_month(month) - timedelta(days=1)}; today is {today}")
    turn = books.closing or (None if books.closed is None else next_month(books.closed))
    if turn is not None and month != turn:
        raise PeriodOutOfOrder(f"it is the turn of {turn:%Y-%m}")
    return after


def next_month(month: date) -> date:
    """The first day of the month after."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)
