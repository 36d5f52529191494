"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer

from lead_svc import importing


async def import_rows(tx: Transaction) -> int:
    """The next rows of an import; a transaction each, so that it goes on where it was after a stop."""
    return await importing.import_chunk(tx, limit=1000)


TIMERS = [Timer("import-rows", import_rows)]
