"""A rep's statement: what was open at the beginning of a period, every entry in it, what is open at its end. It balances."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from ltc_contracts.money import Money

from sales_svc.domain.commission import CauseKind, Kind, Part


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the commission ledger. Entries are added, never changed."""

    id: UUID
    position_id: UUID
    contract_id: UUID
    contract_number: str
    customer: str
    rep: str
    plan: str
    kind: Kind
    part: Part
    amount: Money
    cause: CauseKind
    booked_on: date

    @property
    def open_change(self) -> Money:
        """By how much it moves what is accrued and not vested yet."""
        if self.kind == "accrued" or (self.kind, self.part) == ("clawed_back", "vested"):
            return self.amount
        return -self.amount

    @property
    def earned_change(self) -> Money:
        """By how much it moves what is earned, which is what payroll pays or takes back."""
        if self.kind == "vested":
            return self.amount
        return -self.amount if self.part == "vested" else Money.zero(self.amount.currency)


@dataclass(frozen=True, slots=True)
class Statement:
    """Of one rep and currency. `earned` is payable for the period; it is negative when more was taken back than vested."""

    rep: str
    currency: str
    first: date
    last: date
    opening: Money
    accrued: Money
    vested: Money
    clawed_back_vested: Money
    clawed_back_accrued: Money
    closing: Money
    earned: Money
    entries: tuple[Entry, ...]


def draw_up(rep: str, currency: str, first: date, last: date, *, opening: Money, entries: Sequence[Entry]) -> Statement:
    """`opening` is what was accrued and not vested before `first`; `entries` are all of the period in this currency.

    opening + accrued - vested + clawed back of what was vested - clawed back of what was accrued = closing.
    """

    def total(kind: Kind, part: Part) -> Money:
        return Money.total((each.amount for each in entries if (each.kind, each.part) == (kind, part)), currency)

    closing = opening + Money.total((each.open_change for each in entries), currency)
    earned = Money.total((each.earned_change for each in entries), currency)
    return Statement(
        rep=rep,
        currency=currency,
        first=first,
        last=last,
        opening=opening,
        accrued=total("accrued", "accrued"),
        vested=total("vested", "vested"),
        clawed_back_vested=total("clawed_back", "vested"),
        clawed_back_accrued=total("clawed_back", "accrued"),
        closing=closing,
        earned=earned,
        entries=tuple(entries),
    )


def printable(rep: str, first: date, last: date, statements: Sequence[Statement]) -> dict[str, Any]:
    """Statements ready for the printer, with amounts as people write them."""
    names = ("opening", "accrued", "vested", "clawed_back_vested", "clawed_back_accrued", "closing", "earned")
    return {
        "rep": rep,
        "first": first.isoformat(),
        "last": last.isoformat(),
        "statements": [
            {
                "currency": each.currency,
                **{name: f"{getattr(each, name).amount:,}" for name in names},
                "entries": [
                    {
                        "day": entry.booked_on.isoformat(),
                        "contract": entry.contract_number,
                        "customer": entry.customer,
                        "plan": entry.plan,
                        "entry": _ENTRY[entry.kind, entry.part],
                        "amount": f"{entry.amount.amount:,}",
                        "earned": f"{entry.earned_change.amount:,}",
                    }
                    for entry in each.entries
                ],
            }
            for each in statements
        ],
    }


_ENTRY: dict[tuple[Kind, Part], str] = {
    ("accrued", "accrued"): "accrued",
    ("vested", "vested"): "earned",
    ("clawed_back", "vested"): "taken back, earned",
    ("clawed_back", "accrued"): "taken back, accrued",
}
