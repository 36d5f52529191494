"""What a bank tells of an account: statements, entries and the payments in them, and when a statement is refused whole (RULES 5).

A reader of a format (`camt`, `mt940`) yields `Begins`, then its `BankEntry`s, then `Ends`, statement by statement; `Tally` judges.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid
from ltc_contracts.money import Money

# camt.053 and MT940 are statements with balances; camt.054 notifies of bookings, often with what a batch is made of.
Kind = Literal["camt.053", "camt.054", "mt940"]
LONGEST_TEXT = 2000
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class StatementUnreadable(Invalid):
    """A bank's file breaks its format; nothing of it is taken."""

    def __init__(self, reason: str, *, line: int, element: str) -> None:
        super().__init__(reason, field=element)
        self.line = line
        self.element = element

    def members(self) -> dict[str, Any]:
        return {"line": self.line, "element": self.element}


class StatementRefused(DomainError):
    """A statement can be read but does not add up; nothing of it is taken."""

    kind = "invalid"


@dataclass(frozen=True, slots=True)
class BankItem:
    """One payment of an entry. A batch has several, a single booking one; `detailed` False: a batch whose payments the bank tells
    elsewhere. Texts are the bank's, without control characters."""

    amount: Money
    detailed: bool = True
    party: str = ""
    party_account: str = ""
    end_to_end_id: str = ""
    references: tuple[str, ...] = ()
    text: str = ""
    charges: Money | None = None
    return_reason: str = ""


@dataclass(frozen=True, slots=True)
class BankEntry:
    """One booking. `credit` is the direction in which the money moved; `reversal` says that it undoes an earlier booking."""

    line: int
    amount: Money
    credit: bool
    booked_on: date
    valued_on: date
    items: tuple[BankItem, ...]
    reversal: bool = False
    bank_reference: str = ""
    code: str = ""

    @property
    def signed(self) -> Money:
        return self.amount if self.credit else -self.amount


@dataclass(frozen=True, slots=True)
class Begins:
    """A statement begins. `reference` and `sequence` are the bank's; `opening` None: this kind has no balances."""

    line: int
    kind: Kind
    account: str
    reference: str
    sequence: str
    opening: Money | None


@dataclass(frozen=True, slots=True)
class Ends:
    line: int
    closing: Money | None
    pending: int = 0


Told = Begins | BankEntry | Ends


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement as far as it was read; `fault` says why it is refused."""

    id: UUID
    position: int
    begins: Begins
    ends: Ends | None = None
    entries: int = 0
    moved: Money | None = None
    fault: str | None = None
    fault_line: int | None = None
    fault_element: str | None = None


@dataclass(slots=True)
class Tally:
    """Follows one file: adds up each statement, and gives each entry an identity that is the same when the file comes again."""

    statements: list[Statement] = field(default_factory=list)
    _same: Counter[bytes] = field(default_factory=Counter)

    def begin(self, begins: Begins, statement_id: UUID) -> None:
        self.statements.append(Statement(statement_id, len(self.statements), begins))
        self._same = Counter()

    def add(self, entry: BankEntry) -> bytes:
        """Count an entry in; returns its identity."""
        now = self.statements[-1]
        moved = entry.signed
        if now.moved is not None and now.fault is None:
            if now.moved.currency == moved.currency:
                moved = now.moved + moved
            else:
                reason = f"an entry is {moved.currency}, those before it are {now.moved.currency}"
                now = _at_fault(now, reason, entry.line, "Amt")
                moved = now.moved or moved
        self.statements[-1] = _with(now, entries=now.entries + 1, moved=moved)
        plain = _identity(now.begins, entry)
        self._same[plain] += 1
        return hashlib.sha256(plain + str(self._same[plain]).encode()).digest()

    def end(self, ends: Ends) -> None:
        now = _with(self.statements[-1], ends=ends)
        opening, closing = now.begins.opening, ends.closing
        if now.fault is None and opening is not None and closing is not None:
            now = _balanced(now, opening, closing, ends.line)
        self.statements[-1] = now


def _balanced(now: Statement, opening: Money, closing: Money, line: int) -> Statement:
    if opening.currency != closing.currency:
        return _at_fault(
            now, f"the opening balance is {opening.currency}, the closing balance {closing.currency}", line, "closing"
        )
    moved = now.moved or Money.zero(opening.currency)
    if moved.currency != opening.currency:
        return _at_fault(now, f"the entries are {moved.currency}, the balances {opening.currency}", line, "closing")
    if opening + moved != closing:
        reason = f"opening {opening} and entries of {moved} make {opening + moved}; the closing balance is {closing}"
        return _at_fault(now, reason, line, "closing")
    return now


def _at_fault(now: Statement, reason: str, line: int, element: str) -> Statement:
    return _with(now, fault=reason, fault_line=line, fault_element=element)


def _with(now: Statement, **changed: Any) -> Statement:
    given = {name: getattr(now, name) for name in Statement.__slots__}
    return Statement(**{**given, **changed})


def _identity(begins: Begins, entry: BankEntry) -> bytes:
    parts: list[object] = [begins.kind, begins.account, begins.reference, begins.sequence, entry.booked_on, entry.valued_on]
    parts += [entry.signed.amount, entry.amount.currency, entry.reversal, entry.bank_reference, entry.code]
    for item in entry.items:
        parts += [item.amount.amount, item.party, item.party_account, item.end_to_end_id, *item.references, item.text]
    return "\x1f".join(map(str, parts)).encode()


def mark_of(items: Sequence[BankItem]) -> str:
    """What the payments of an entry say of themselves, whoever tells of them: their end-to-end ids; empty when they have none."""
    return "\x1f".join(sorted(item.end_to_end_id for item in items if item.end_to_end_id))


@dataclass(frozen=True, slots=True)
class Booking:
    """An entry as it is paired with the same booking in a message of another kind."""

    entry_id: UUID
    kind: Kind
    account: str
    signed: Money
    booked_on: date
    bank_reference: str
    mark: str


def pairs(new: Iterable[Booking], known: Iterable[Booking]) -> list[tuple[UUID, UUID]]:
    """Entries that tell of a booking which a message of another kind told before, each with that one; none is taken twice.

    The same account, day and amount; then the bank's reference decides, else the end-to-end ids, and only where one of the two has
    neither, that. Two bookings that say of themselves that they differ are never paired.
    """
    open_new, open_known = list(new), list(known)
    found: list[tuple[UUID, UUID]] = []
    for rule in (_same_reference, _same_mark, _nothing_against):
        left: list[Booking] = []
        by_place: dict[tuple[object, ...], list[Booking]] = {}
        for old in open_known:
            by_place.setdefault(_place(old), []).append(old)
        for one in open_new:
            others = by_place.get(_place(one), [])
            other = next((each for each in others if each.kind != one.kind and rule(one, each)), None)
            if other is None:
                left.append(one)
                continue
            others.remove(other)
            open_known.remove(other)
            found.append((one.entry_id, other.entry_id))
        open_new = left
    return found


def _place(one: Booking) -> tuple[object, ...]:
    return (one.account, one.signed.currency, one.signed.amount, one.booked_on)


def _same_reference(one: Booking, other: Booking) -> bool:
    return bool(one.bank_reference) and one.bank_reference == other.bank_reference


def _same_mark(one: Booking, other: Booking) -> bool:
    return bool(one.mark) and one.mark == other.mark and not _differ(one.bank_reference, other.bank_reference)


def _nothing_against(one: Booking, other: Booking) -> bool:
    return not _differ(one.bank_reference, other.bank_reference) and not _differ(one.mark, other.mark)


def _differ(one: str, other: str) -> bool:
    return bool(one) and bool(other) and one != other


def clean(text: str | None, longest: int = LONGEST_TEXT) -> str:
    """A bank's text without control characters (NUL fits no text of the database), at most so long."""
    return _CONTROL.sub(" ", text or "").strip()[:longest]


def account_of(text: str) -> str:
    """An account number as it is compared: without blanks, in capital letters."""
    return "".join(clean(text, 100).split()).upper()[:40]
