"""What an audit of numbers, sub-ledgers and ledger found as of a day; everything is empty in health."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Literal
from uuid import UUID

# unbalanced: debit and credit differ. lines: other lines than it was written with. value: none in the
# reporting currency, or one that does not balance. headless: lines without their entry. account: not
# in the chart. document: what it comes from is not there. late: written into a month after that was closed.
EntryProblem = Literal["unbalanced", "lines", "value", "headless", "account", "document", "late"]


@dataclass(frozen=True, slots=True)
class Gap:
    """Numbers `first` to `last` of a series and year are not there."""

    series: str
    year: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Doubled:
    """Several documents have one number, or the counter is behind the highest, so that the next number would be one that exists."""

    number: str
    reason: Literal["several documents", "above the counter"]


@dataclass(frozen=True, slots=True)
class Difference:
    """Of an account: `sub_ledger` is what documents and payments add up to, `ledger` what is booked up to the day.

    `booked_later` counts for the day too, but its month was closed: sub_ledger = ledger + booked_later + difference.
    """

    account: str
    currency: str
    sub_ledger: Decimal
    ledger: Decimal
    booked_later: Decimal

    @property
    def difference(self) -> Decimal:
        return self.sub_ledger - self.ledger - self.booked_later


@dataclass(frozen=True, slots=True)
class WrongAmount:
    """What is kept on an invoice or payment differs from the facts that it follows from."""

    kind: str
    id: UUID
    number: str | None
    what: str
    currency: str
    kept: Decimal
    facts: Decimal


@dataclass(frozen=True, slots=True)
class WrongEntry:
    entry_id: UUID
    problem: EntryProblem
    detail: str


@dataclass(frozen=True, slots=True)
class Unbooked:
    """A document or payment without the entry that books it."""

    kind: str
    id: UUID
    number: str | None


@dataclass(frozen=True, slots=True)
class Audit:
    """Findings as of a day. `compared` are all control accounts, with and without a difference. Long lists are cut at `MOST`."""

    as_of: date
    compared: tuple[Difference, ...] = ()
    gaps: tuple[Gap, ...] = ()
    doubled: tuple[Doubled, ...] = ()
    amounts: tuple[WrongAmount, ...] = ()
    entries: tuple[WrongEntry, ...] = ()
    unbooked: tuple[Unbooked, ...] = ()
    differences: tuple[Difference, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "differences", tuple(each for each in self.compared if each.difference))

    def findings(self) -> list[str]:
        """In a line each; nothing in health."""
        return list(self._findings())

    def _findings(self) -> Iterator[str]:
        for gap in self.gaps:
            yield f"numbers {gap.first} to {gap.last} of {gap.series}-{gap.year} are missing"
        for each in self.doubled:
            yield f"number {each.number}: {each.reason}"
        for sum_ in self.differences:
            yield f"{sum_.account} in {sum_.currency} differs by {sum_.difference} from what documents add up to"
        for amount in self.amounts:
            yield f"{amount.kind} {amount.number or amount.id}: {amount.what} is {amount.kept}, the facts say {amount.facts}"
        for entry in self.entries:
            yield f"entry {entry.entry_id}: {entry.problem} ({entry.detail})"
        for document in self.unbooked:
            yield f"{document.kind} {document.number or document.id} is not booked"


MOST = 100
