"""Productions of which nothing is heard."""

from datetime import timedelta

from ltc_chassis.db import Transaction

from delivery_svc.domain import silence as rules
from delivery_svc.handlers.production import save_production
from delivery_svc.settings import Settings
from delivery_svc.store import productions


async def tell_silent(tx: Transaction, *, limit: int) -> int:
    """Put those on the list of what waits for a person of which nothing was heard in time; returns how many were looked at."""
    grace = timedelta(hours=tx.settings_as(Settings).production_silence_hours)
    claimed = await productions.claim_silent(tx.conn, tx.now - grace, limit)
    for production_id in claimed:
        # Read under the lock: a report may have come in between.
        before = await productions.get_production(tx.conn, production_id)
        await save_production(tx, before, rules.fall_silent(before, tx.now, grace))
    return len(claimed)
