"""What an entry in another currency is worth in the reporting currency: balanced too, with realised differences and rounding apart.

What is open of a document is carried at the document's frozen rate: round(open x rate), so nothing is left of it when it is settled.
A difference between two rates is realised as money settles a claim; what only rounding leaves is on an account of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from ltc_contracts.money import Money

from billing_svc.domain.ledger import Posting, posting


@dataclass(frozen=True, slots=True)
class Kept:
    """Of an account that is kept per document: its balance after the line, and at what it was carried before. Debits are above zero."""

    balance: Decimal
    carried: Decimal


@dataclass(frozen=True, slots=True)
class Line:
    """A line of an entry at a rate; `amount` above zero is a debit."""

    account: str
    amount: Decimal
    rate: Decimal
    kept: Kept | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """A line in the reporting currency; differences have no rate."""

    posting: Posting
    rate: Decimal | None


def value(lines: Sequence[Line], currency: str) -> tuple[Value, ...]:
    """The lines of an entry in the reporting currency, then the realised difference and the rest of rounding; those of nothing left out."""
    total, exact = Money.zero(currency), Decimal(0)
    found: list[tuple[str, Money, Decimal | None]] = []
    for line in lines:
        worth = _worth(line, currency)
        total, exact = total + worth, exact + line.amount * line.rate
        found.append((line.account, worth, line.rate))
    difference = -rounded(exact, currency)
    # A credit is a gain.
    found.append(("fx_gain" if difference.amount < 0 else "fx_loss", difference, None))
    found.append(("rounding", -(total + difference), None))
    return tuple(Value(posting(account, amount), rate) for account, amount, rate in found if amount.amount)


def rounded(amount: Decimal, currency: str) -> Money:
    """Half away from zero, so that a debit and its credit are rounded alike."""
    return Money.rounded(amount, currency)


def _worth(line: Line, currency: str) -> Money:
    if line.kept is None:
        return rounded(line.amount * line.rate, currency)
    return rounded(line.kept.balance * line.rate, currency) - Money.of(line.kept.carried, currency)
