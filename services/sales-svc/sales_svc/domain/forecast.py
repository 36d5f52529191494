"""The rules of the forecast (RULES 2): the sum of value times probability over open deals only; currencies are never added up."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from ltc_contracts.money import Money

from sales_svc.domain.pipeline import Category

Kind = Literal["rep", "team"]
Grouping = Literal["owner", "team", "pipeline", "stage", "month", "category"]


@dataclass(frozen=True, slots=True)
class Part:
    """Deals of one group, category and currency (none: without a value). `weighted` is each deal's value times probability,
    rounded half up to the minor unit before it is summed, so that groups add up to the whole."""

    key: str | None
    category: Literal["pipeline", "best_case", "commit", "closed"]
    currency: str | None
    deals: int
    value: Decimal
    weighted: Decimal


@dataclass(frozen=True, slots=True)
class Call:
    """What a person says that a category will bring; no amount: the computed one counts again."""

    period: str
    kind: Kind
    name: str
    category: Category
    currency: str
    amount: Decimal | None
    note: str | None
    created_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a period brings in one currency: what is won, and the open deals weighted.

    `called` replaces `commit` where a person said so: `expected` = closed + (called or commit), both unweighted.
    """

    currency: str
    closed: Money
    weighted: Money
    commit: Money
    called: Money | None

    @property
    def expected(self) -> Money:
        return self.closed + (self.called if self.called is not None else self.commit)


def expectations(parts: Iterable[Part], calls: Iterable[Call]) -> list[Expectation]:
    """One per currency, in their order."""
    known = [part for part in parts if part.currency is not None]
    called = {call.currency: call.amount for call in calls if call.category == "commit" and call.amount is not None}
    made: list[Expectation] = []
    for currency in sorted({part.currency for part in known if part.currency} | called.keys()):
        mine = [part for part in known if part.currency == currency]
        open_ones = [part for part in mine if part.category != "closed"]
        made.append(
            Expectation(
                currency=currency,
                closed=_sum((part.value for part in mine if part.category == "closed"), currency),
                weighted=_sum((part.weighted for part in open_ones), currency),
                commit=_sum((part.value for part in open_ones if part.category == "commit"), currency),
                called=Money.of(called[currency], currency) if currency in called else None,
            )
        )
    return made


def percent(part: Decimal | int, whole: Decimal | int) -> Decimal | None:
    """`part` of `whole` in per cent, two places, half up; None of nothing."""
    if not whole:
        return None
    return (Decimal(part) * 100 / Decimal(whole)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)


def _sum(amounts: Iterable[Decimal], currency: str) -> Money:
    return Money.of(sum(amounts, Decimal(0)), currency)
