"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer

from billing_svc.handlers import imports, invoices


async def mark_overdue(tx: Transaction) -> int:
    """Invoices whose due day has passed with something open, each once."""
    return await invoices.mark_overdue(tx, limit=100)


async def import_rows(tx: Transaction) -> int:
    """The next rows of an import; a transaction each, so that it goes on where it was after a stop."""
    return await imports.import_chunk(tx)


TIMERS = [Timer("mark-overdue", mark_overdue), Timer("import-rows", import_rows)]
