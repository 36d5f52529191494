"""The journal is handed to other systems."""

from datetime import date

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from billing_svc.domain import journal_export as rules
from billing_svc.domain.invoice import document_number
from billing_svc.domain.journal_export import JournalExport, NothingToExport
from billing_svc.store import invoices
from billing_svc.store import journal_exports as store


async def export_journal(tx: Transaction, month: date, *, country: str | None, by: str) -> JournalExport:
    """Number what is booked in a month and was not exported yet, and tell it, in sums per day, currency and account.

    Raises `NothingToExport`. Exports wait for each other at their number.
    """
    year = tx.now.year
    number = document_number(rules.SERIES, year, await invoices.draw_number(tx.conn, rules.SERIES, year))
    export_id = new_id()
    entries = await store.list_unexported(tx.conn, month, rules.MOST_ENTRIES)
    if not entries:
        raise NothingToExport(f"everything that is booked in {month:%Y-%m} was exported", field="month")
    export = JournalExport(export_id, number, month, country, len(entries), by, tx.now)
    await store.insert_export(tx.conn, export, entries)
    sums = await store.sum_export(tx.conn, export)
    for event in rules.batches(export, sums, [new_id() for _ in sums]):
        tx.emit(event, flow_id=None, sequence=1)
    return export
