"""Numbers of documents, one series per kind and year."""

from ltc_chassis.db import Transaction

from sales_svc.store import numbers


async def next_number(tx: Transaction, prefix: str) -> str:
    """Such as `Q-2026-000001`; the series stays locked until the transaction ends."""
    series = f"{prefix}-{tx.now.year}"
    return f"{series}-{await numbers.next_number(tx.conn, series):06d}"
