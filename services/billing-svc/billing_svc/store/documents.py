"""SQL of what documents look like."""

from datetime import datetime

from ltc_chassis.connection import Connection


async def get_letterhead_version(conn: Connection, made_at: datetime) -> int | None:
    """The letterhead of a document made then: the one in force, or the first where none was yet; None where there is none."""
    version: int | None = await conn.fetchval(
        """
        SELECT coalesce((SELECT max(version) FROM letterhead WHERE set_at <= $1), (SELECT min(version) FROM letterhead))
        """,
        made_at,
    )
    return version
