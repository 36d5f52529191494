"""Where in the database a word stands."""

from typing import Any

from ltc_chassis.db import Connection

from order_svc.store.personal import TABLES


async def traces(conn: Connection, word: str) -> list[str]:
    """Every column in which the word stands, whatever its case."""
    found: list[str] = []
    for name in TABLES:
        for row in await conn.fetch(f'SELECT * FROM "{name}"'):  # noqa: S608 - a name of our own registry
            found += [f"{name}.{column}" for column, value in row.items() if word in _text(value)]
    return sorted(set(found))


def _text(value: Any) -> str:
    return (value.decode(errors="replace") if isinstance(value, bytes) else str(value)).lower()
