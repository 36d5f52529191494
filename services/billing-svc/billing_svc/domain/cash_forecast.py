"""When what is open will be paid: the due day, and how late each payer pays by what they did before. Each day can be explained."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import floor
from statistics import median
from uuid import UUID

from ltc_contracts.money import Money

# A payer of whom so many invoices are known is judged half by them and half by all payers.
SHRINKAGE = 2
# Of whom nothing like it was seen pays this many days from now.
_UNSEEN_DAYS = 7


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Days between the due day and the day of payment (below zero: early), ascending; of each payer and of all."""

    of_payer: Mapping[UUID, Sequence[int]]
    of_all: Sequence[int]


@dataclass(frozen=True, slots=True)
class Expectation:
    """Paid on `day`: `lateness` days after it is due. (known x payer_median + 2 x all_median) / (known + 2), rounded.

    `known` counts the payer's invoices that were not paid by this lateness already: one that is open after the day on which the payer
    would have paid it is compared only with those that took longer. Medians are None where nothing is known.
    """

    day: date
    lateness: int
    known: int
    payer_median: float | None
    all_median: float | None


@dataclass(frozen=True, slots=True)
class OpenInvoice:
    """What is open on a day."""

    invoice_id: UUID
    number: str
    customer_id: UUID
    due_on: date
    open: Money


@dataclass(frozen=True, slots=True)
class Week:
    """Inflow expected from a Monday on; `by_due` is what it would be if everybody paid on the due day, what is overdue at once."""

    starts_on: date
    currency: str
    invoices: int
    expected: Money
    by_due: Money


def behaviour(payments: Iterable[tuple[UUID, int]]) -> Behaviour:
    """From each settled invoice: whose it was and how late it was paid."""
    of_payer: dict[UUID, list[int]] = defaultdict(list)
    for payer, lateness in payments:
        of_payer[payer].append(lateness)
    every = sorted(lateness for each in of_payer.values() for lateness in each)
    return Behaviour({payer: sorted(each) for payer, each in of_payer.items()}, every)


def expect(known: Behaviour, payer: UUID, due_on: date, today: date) -> Expectation:
    """When an invoice that is open at the end of `today` is paid; always later than today."""
    so_far = (today - due_on).days
    own, every = _beyond(known.of_payer.get(payer, ()), so_far), _beyond(known.of_all, so_far)
    if not every:
        lateness = max(0, so_far + _UNSEEN_DAYS) if so_far >= 0 else 0
        return Expectation(due_on + timedelta(days=lateness), lateness, 0, None, None)
    of_all = median(every)
    of_payer = median(own) if own else None
    weighed = (len(own) * (of_payer or 0) + SHRINKAGE * of_all) / (len(own) + SHRINKAGE)
    lateness = max(floor(weighed + 0.5), so_far + 1)
    return Expectation(due_on + timedelta(days=lateness), lateness, len(own), of_payer, of_all)


def by_week(invoices: Iterable[tuple[OpenInvoice, Expectation]], today: date) -> list[Week]:
    """Expected inflow per week and currency, in the order of weeks; the parts add up to what is open."""
    expected: dict[tuple[date, str], list[Money]] = defaultdict(list)
    due: dict[tuple[date, str], list[Money]] = defaultdict(list)
    for invoice, expectation in invoices:
        expected[monday(expectation.day), invoice.open.currency].append(invoice.open)
        due[monday(max(invoice.due_on, today + timedelta(days=1))), invoice.open.currency].append(invoice.open)
    return [
        Week(
            key[0],
            key[1],
            len(expected.get(key, ())),
            Money.total(expected.get(key, ()), key[1]),
            Money.total(due.get(key, ()), key[1]),
        )
        for key in sorted(expected.keys() | due.keys())
    ]


def monday(day: date) -> date:
    """Of the week that a day is in."""
    return day - timedelta(days=day.weekday())


def _beyond(ascending: Sequence[int], so_far: int) -> Sequence[int]:
    return ascending[bisect_right(ascending, so_far) :]
