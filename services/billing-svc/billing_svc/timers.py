"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer

from billing_svc import handlers


async def mark_overdue(tx: Transaction) -> int:
    """Invoices whose due day has passed with something open, each once."""
    return await handlers.mark_overdue(tx, limit=100)


TIMERS = [Timer("mark-overdue", mark_overdue)]
