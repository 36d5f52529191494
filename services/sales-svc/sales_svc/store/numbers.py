"""Series of numbers without gaps."""

from ltc_chassis.connection import Connection


async def next_number(conn: Connection, series: str) -> int:
    """The next number of a series; its row stays locked until the transaction ends."""
    number: int = await conn.fetchval(
        """
        INSERT INTO number_series (name, last) VALUES ($1, 1)
        ON CONFLICT (name) DO UPDATE SET last = number_series.last + 1 RETURNING last
        """,
        series,
    )
    return number
