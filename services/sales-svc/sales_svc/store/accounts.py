"""Accounts."""

from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.account import account_key


async def upsert_account(conn: Connection, account_id: UUID, name: str, country: str, now: datetime) -> UUID:
    """The account of a company in a country; two at once make one."""
    found: UUID = await conn.fetchval(
        """
        INSERT INTO account (id, name, name_key, country, created_at) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (name_key, country) DO UPDATE SET name = account.name RETURNING id
        """,
        account_id,
        name,
        account_key(name),
        country,
        now,
    )
    return found


async def list_accounts(conn: Connection, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        "SELECT id, name, country, created_at FROM account WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2", after, limit
    )


async def get_account(conn: Connection, account_id: UUID) -> Any:
    row = await conn.fetchrow("SELECT id, name, country, created_at FROM account WHERE id = $1", account_id)
    if row is None:
        raise NotFound(f"no account {account_id}")
    return row
