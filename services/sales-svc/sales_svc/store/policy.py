"""The sales policy: numbers that a company sets."""

from dataclasses import dataclass
from datetime import datetime

from ltc_chassis.connection import Connection

from sales_svc.domain.light import LightPolicy


@dataclass(frozen=True, slots=True)
class Policy:
    """Numbers that a company sets: see `LightPolicy`; reports warn below `small_sample` deals."""

    version: int
    due_days: int
    young_days: int
    small_sample: int
    created_by: str
    created_at: datetime

    @property
    def light(self) -> LightPolicy:
        return LightPolicy(self.due_days, self.young_days)


async def get_policy(conn: Connection) -> Policy:
    """The one that counts now."""
    return (await list_policies(conn, 1))[0]


async def list_policies(conn: Connection, limit: int = 200) -> list[Policy]:
    """The latest first."""
    rows = await conn.fetch(
        """
        SELECT version, due_days, young_days, small_sample, created_by, created_at
        FROM sales_policy ORDER BY version DESC LIMIT $1
        """,
        limit,
    )
    return [Policy(**dict(row)) for row in rows]


async def insert_policy(conn: Connection, p: Policy) -> bool:
    """False when there is a version of this number."""
    row = await conn.fetchrow(
        """
        INSERT INTO sales_policy (version, due_days, young_days, small_sample, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(p.version, p.due_days, p.young_days, p.small_sample, p.created_by, p.created_at),
    )
    return row is not None
