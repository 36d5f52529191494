"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer

from sales_svc.handlers import contracts, forecasts, imports, quote_links, quotes, renewals


async def expire_quotes(tx: Transaction) -> int:
    """Quotes past their last day are no longer an offer."""
    return await quotes.expire_quotes(tx, limit=100)


async def remind_of_quotes(tx: Transaction) -> int:
    """Customers whose offer ends soon are reminded once."""
    return await quote_links.remind(tx, limit=100)


async def expire_contracts(tx: Transaction) -> int:
    """Contracts past their last day to sign are given up."""
    return await contracts.expire_contracts(tx, limit=100)


async def remind_of_renewals(tx: Transaction) -> int:
    """The days until notice come near: each reminder once, late if need be."""
    return await renewals.remind(tx, limit=100)


async def turn_terms(tx: Transaction) -> int:
    """Terms that are over renew or end."""
    return await renewals.turn_terms(tx, limit=100)


async def import_rows(tx: Transaction) -> int:
    """The next rows of an import; a transaction each, so that it goes on where it was after a stop."""
    return await imports.import_chunk(tx)


async def take_snapshot(tx: Transaction) -> int:
    """One snapshot of the pipeline for every day that is over."""
    return await forecasts.take_snapshot(tx)


TIMERS = [
    Timer("expire-quotes", expire_quotes, every=1.0),
    Timer("remind-of-quotes", remind_of_quotes, every=1.0),
    Timer("expire-contracts", expire_contracts, every=1.0),
    Timer("remind-of-renewals", remind_of_renewals, every=1.0),
    Timer("turn-terms", turn_terms, every=1.0),
    Timer("import-rows", import_rows),
    Timer("take-snapshot", take_snapshot, every=1.0),
]
