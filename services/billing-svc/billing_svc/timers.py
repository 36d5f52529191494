"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer

from billing_svc.handlers import invoices


async def mark_overdue(tx: Transaction) -> int:
    """Invoices whose due day has passed with something open, each once."""
    return await invoices.mark_overdue(tx, limit=100)


TIMERS = [Timer("mark-overdue", mark_overdue)]
