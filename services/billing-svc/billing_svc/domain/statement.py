"""The statement of account: what a customer owed, what was added and paid in a period, and what they owe at its end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from ltc_contracts.money import Money


@dataclass(frozen=True, slots=True)
class Movement:
    """One entry on the customer's receivables. Above zero the customer owes more. `kind` is the ledger's, `number` the document's."""

    day: date
    kind: str
    number: str
    reference: str | None
    due_on: date | None
    amount: Money
    invoice_id: UUID


@dataclass(frozen=True, slots=True)
class Line:
    """A movement and what was owed after it."""

    movement: Movement
    balance: Money


@dataclass(frozen=True, slots=True)
class Account:
    """Of one currency. opening + charged - settled = closing = the sum of the ageing's buckets."""

    opening: Money
    lines: tuple[Line, ...]
    charged: Money
    settled: Money
    closing: Money


def account_of(opening: Money, movements: Sequence[Movement]) -> Account:
    """The account of one currency, its movements in their order."""
    currency = opening.currency
    charged = settled = Money.zero(currency)
    balance, lines = opening, []
    for movement in movements:
        balance = balance + movement.amount
        lines.append(Line(movement, balance))
        if movement.amount.amount > 0:
            charged = charged + movement.amount
        else:
            settled = settled - movement.amount
    return Account(opening, tuple(lines), charged, settled, balance)
