"""SQL of the chart of accounts: codes, and the dated numbers and names that a company gives them."""

from datetime import date, datetime
from typing import Any

from ltc_chassis.connection import Connection

ALWAYS = date(1970, 1, 1)


async def get_controls(conn: Connection) -> dict[str, bool]:
    """Every account of the chart, and whether documents and payments keep it."""
    return {row["code"]: row["control"] for row in await conn.fetch("SELECT code, control FROM ledger_account")}


async def insert_account(conn: Connection, code: str, type_: str, by: str, now: datetime) -> bool:
    """An account of the company's own; False when the code is taken."""
    status = await conn.execute(
        """
        INSERT INTO ledger_account (code, type, control, made_by, created_at) VALUES ($1, $2, false, $3, $4)
        ON CONFLICT (code) DO NOTHING
        """,
        *(code, type_, by, now),
    )
    return status == "INSERT 0 1"


async def insert_name(
    conn: Connection, account: str, *, country: str | None, number: str, name: str, valid_from: date, by: str, now: datetime
) -> None:
    await conn.execute(
        """
        INSERT INTO account_name (account, country, number, name, valid_from, made_by, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7)
        """,
        *(account, country, number, name, valid_from, by, now),
    )


async def chart_view(conn: Connection, country: str | None, day: date) -> list[Any]:
    """Every account with the number and name that it has on a day: its own of the country, else that of all."""
    return await conn.fetch(
        """
        SELECT a.code, a.type, a.control, n.country, n.number, n.name, n.valid_from
        FROM ledger_account a
        LEFT JOIN LATERAL (
            SELECT country, number, name, valid_from FROM account_name
            WHERE account = a.code AND valid_from <= $2 AND (country IS NULL OR country = $1)
            ORDER BY country NULLS LAST, valid_from DESC, seq DESC LIMIT 1) n ON true
        ORDER BY n.number, a.code
        """,
        *(country, day),
    )
