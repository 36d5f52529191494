"""Batches in which the journal is handed to other systems: each entry once, in sums per day, currency and account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from ltc_contracts.errors import DomainError
from ltc_contracts.events import JournalAccount, JournalPosted
from ltc_contracts.money import Money

SERIES = "JX"
MOST_ENTRIES = 10_000


class NothingToExport(DomainError):
    """Everything that is booked in the month was exported."""


@dataclass(frozen=True, slots=True)
class JournalExport:
    """An export; `country` says by whose chart accounts are numbered."""

    id: UUID
    number: str
    month: date
    country: str | None
    entries: int
    made_by: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DaySum:
    """What an export holds of a day, a currency and an account."""

    booked_on: date
    currency: str
    account: str
    number: str
    name: str
    debit: Decimal
    credit: Decimal
    entries: int


def batches(export: JournalExport, sums: Sequence[DaySum], ids: Sequence[UUID]) -> list[JournalPosted]:
    """A balanced event per day and currency. `ids` has one for each sum, of which as many are used as there are events."""
    grouped: dict[tuple[date, str], list[DaySum]] = {}
    for each in sums:
        grouped.setdefault((each.booked_on, each.currency), []).append(each)
    return [
        JournalPosted(
            batch_id=batch_id,
            export_id=export.id,
            number=export.number,
            booked_on=booked_on,
            accounts=tuple(
                JournalAccount(
                    account=each.account,
                    account_number=each.number,
                    account_name=each.name,
                    debit=Money.of(each.debit, currency),
                    credit=Money.of(each.credit, currency),
                    entries=each.entries,
                )
                for each in parts
            ),
            total=Money.of(sum((each.debit for each in parts), Decimal(0)), currency),
        )
        for ((booked_on, currency), parts), batch_id in zip(grouped.items(), ids, strict=False)
    ]
