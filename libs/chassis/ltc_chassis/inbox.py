"""The inbox: an event id is marked in the transaction of its effect, so a redelivery finds the mark and has no second one."""

import operator
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.ids import drawn_at

# Ids that are not UUIDv7 (foreign systems) carry no day; they share one that lies in the default partition for ever.
_NO_DAY = date(1970, 1, 1)
_DAYS_AHEAD = 7


def day_of(event_id: UUID) -> date:
    """The partition of an id: the same on every redelivery, since it is read from the id itself."""
    moment = drawn_at(event_id)
    return moment.date() if moment else _NO_DAY


async def mark(conn: Connection, event_ids: Sequence[UUID]) -> set[UUID]:
    """Mark ids and return those that were new. Waits for a concurrent transaction that marks the same id."""
    unique = sorted(set(event_ids), key=operator.attrgetter("int"))
    rows = await conn.fetch(
        """
        INSERT INTO inbox (day, event_id) SELECT * FROM unnest($1::date[], $2::uuid[])
        ON CONFLICT DO NOTHING RETURNING event_id
        """,
        [day_of(event_id) for event_id in unique],
        unique,
    )
    return {row["event_id"] for row in rows}


async def maintain(conn: Connection, *, keep_days: int) -> None:
    """Create the partitions of the coming days and drop those older than `keep_days`. Wall clock; safe to run anywhere."""
    today = datetime.now(UTC).date()
    await conn.execute("SELECT pg_advisory_xact_lock(hashtext('ltc.inbox.maintain'))")
    existing = {
        row["relname"]: row["day"]
        for row in await conn.fetch(
            """
            SELECT c.relname, to_date(right(c.relname, 8), 'YYYYMMDD') AS day
            FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
            WHERE i.inhparent = 'inbox'::regclass AND c.relname ~ '^inbox_[0-9]{8}$'
            """
        )
    }
    for offset in range(-1, _DAYS_AHEAD):
        day = today + timedelta(days=offset)
        name = f"inbox_{day:%Y%m%d}"
        if name not in existing:
            # A row of that day may already lie in the default partition (a late start); it moves over first.
            await conn.execute(
                f"""
                CREATE TABLE {name} (LIKE inbox INCLUDING ALL);
                WITH moved AS (DELETE FROM inbox_default WHERE day = '{day}' RETURNING day, event_id)
                INSERT INTO {name} (day, event_id) SELECT day, event_id FROM moved;
                ALTER TABLE inbox ATTACH PARTITION {name} FOR VALUES FROM ('{day}') TO ('{day + timedelta(days=1)}');
                """  # noqa: S608 - DDL takes no parameters; both values are dates formatted here
            )
    for name, day in existing.items():
        if day < today - timedelta(days=keep_days):
            await conn.execute(f"DROP TABLE {name}")
    await conn.execute("DELETE FROM inbox_default WHERE day <> $1 AND day < $2", _NO_DAY, today - timedelta(days=keep_days))
