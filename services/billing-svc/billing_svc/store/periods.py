"""SQL of the months of the books."""

from datetime import date, datetime
from typing import Any

from ltc_chassis.connection import Connection

from billing_svc.domain.period import Books, PeriodState


async def lock_periods(conn: Connection) -> None:
    """From here on to the end of the transaction nobody else books; waits for those who do."""
    await conn.execute("SELECT hold_periods_alone()")


async def get_books_held(conn: Connection) -> Books:
    """Which months are shut, and they stay as they are until this transaction ends."""
    await conn.execute("SELECT hold_periods()")
    return await get_books(conn)


async def get_books(conn: Connection) -> Books:
    row = await conn.fetchrow(
        """
        SELECT max(month) FILTER (WHERE state = 'closed') AS closed, max(month) FILTER (WHERE state = 'closing') AS closing
        FROM accounting_period
        """
    )
    assert row is not None
    return Books(row["closed"], row["closing"])


async def save_period(
    conn: Connection, month: date, before: PeriodState, after: PeriodState, *, reason: str, by: str, now: datetime
) -> None:
    """The state of a month, and who changed it and why."""
    await conn.execute(
        """
        INSERT INTO accounting_period (month, state, updated_at) VALUES ($1, $2, $3)
        ON CONFLICT (month) DO UPDATE SET state = $2, updated_at = $3
        """,
        *(month, after, now),
    )
    await conn.execute(
        "INSERT INTO period_change (month, state_before, state, reason, made_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        *(month, before, after, reason, by, now),
    )


async def list_periods(conn: Connection, limit: int) -> list[Any]:
    """Months that were ever moved, the latest first, each with its latest moves (fifty at most)."""
    return await conn.fetch(
        """
        SELECT p.month, p.state,
               (SELECT jsonb_agg(to_jsonb(c) ORDER BY c.seq)
                FROM (SELECT seq, state_before, state, reason, made_by, created_at FROM period_change
                      WHERE month = p.month ORDER BY seq DESC LIMIT 50) c) AS changes
        FROM accounting_period p ORDER BY p.month DESC LIMIT $1
        """,
        limit,
    )
