"""Examples of the journal; see golden."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_contracts import events as e
from ltc_contracts.money import Money

Steps = list[tuple[e.Event, str, float, UUID | None, int, str | None]]


def steps(uid: Any, start: datetime) -> Steps:
    """The invoice of the golden journey, as it is told to the ERP."""
    sums = (
        ("receivable", "1200", "Trade receivables", "6527.81", "0.00"),
        ("revenue", "4000", "Revenue", "0.00", "5350.66"),
        ("tax", "2200", "Tax on sales", "0.00", "1177.15"),
    )
    accounts = tuple(
        e.JournalAccount(
            account=code,
            account_number=number,
            account_name=name,
            debit=Money.of(debit, "EUR"),
            credit=Money.of(credit, "EUR"),
            entries=1,
        )
        for code, number, name, debit, credit in sums
    )
    return [
        (
            e.JournalPosted(
                batch_id=uid(10, 1),
                export_id=uid(10, 2),
                number="JX-2026-000001",
                booked_on=start.date(),
                accounts=accounts,
                total=Money.of("6527.81", "EUR"),
            ),
            *("billing", 45, None, 1, None),
        )
    ]
