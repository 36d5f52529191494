"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer

from sales_svc.handlers import quotes


async def expire_quotes(tx: Transaction) -> int:
    """Quotes past their last day are no longer an offer."""
    return await quotes.expire_quotes(tx, limit=100)


TIMERS = [Timer("expire-quotes", expire_quotes, every=1.0)]
