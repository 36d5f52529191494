"""Double entry: every money event is a balanced entry, dated by the day on which it counts."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from ltc_contracts.money import Money

# What the program books on. A company's chart has further accounts of its own, on which its accountants book.
Account = Literal["receivable", "revenue", "late_charges", "tax", "cash", "unapplied_cash", "bad_debt", "refund"]
# `credit`: a credit note. `release`: money that had settled what was taken back is on account again. `unapply`: money that was applied
# to the wrong invoice is. `recovery`: what was written off is claimed after all. `manual`: by an accountant.
Kind = Literal[
    "invoice",
    "payment",
    "allocation",
    "credit",
    "release",
    "write_off",
    "recovery",
    "unapply",
    "refund",
    "void",
    "manual",
    "reversal",
]


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of an entry; exactly one of debit and credit is above zero. `account` is a code of the chart."""

    account: str
    debit: Money
    credit: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """A double entry. `booked_on` is the day it counts for; when it was written down is the store's `created_at`."""

    kind: Kind
    booked_on: date
    postings: tuple[Posting, ...]


def entry(kind: Kind, booked_on: date, *lines: tuple[Account, Money]) -> Entry:
    """Amounts above zero are debits, below zero credits; lines of nothing are left out."""
    return Entry(kind, booked_on, tuple(posting(account, amount) for account, amount in lines if amount.amount))


def posting(account: str, amount: Money) -> Posting:
    """A debit, or below zero a credit."""
    nothing = Money.zero(amount.currency)
    if amount.amount > 0:
        return Posting(account, debit=amount, credit=nothing)
    return Posting(account, debit=nothing, credit=-amount)
