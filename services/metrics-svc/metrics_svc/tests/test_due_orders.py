"""Which orders are due in a window: found by their days, without reading the rest of history, and as always."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_chassis.db import Database

import metrics_svc

YEAR = datetime(2026, 1, 1, tzinfo=UTC)
COLUMNS = ["event_id", "flow_id", "order_id", "kind", "occurred_at", "recorded_at", "line_id", "quantity", "day", "version"]


def histories(random: Random, orders: int) -> list[tuple[Any, ...]]:
    """Facts of orders in sixty days: wishes, promises and new ones, changes, parts, returns, ends; some are written down late."""
    facts: list[tuple[Any, ...]] = []

    def tell(order: UUID, kind: str, after: float, lines: Any = ((None, None),), **more: Any) -> None:
        at, event = YEAR + timedelta(days=after), UUID(int=random.getrandbits(128))
        known = at + timedelta(days=random.choice([0, 0, 0, 5]))
        for line, quantity in lines:
            facts.append((event, order, order, kind, at, known, line, quantity, more.get("day"), more.get("version")))

    def day(of: float) -> Any:
        return (YEAR + timedelta(days=of)).date()

    for _ in range(orders):
        order, lines = UUID(int=random.getrandbits(128)), [UUID(int=random.getrandbits(128)) for _ in range(2)]
        begun = random.uniform(0, 30)
        tell(order, "ordered", begun, [(line, random.randint(1, 4)) for line in lines])
        if random.random() < 0.4:
            tell(order, "requested", begun, day=day(begun + random.randint(-3, 20)))
        for version in range(random.randint(1, 4)):
            tell(
                order, "promised", begun + version * random.uniform(0, 9), day=day(begun + random.randint(0, 30)), version=version
            )
        if random.random() < 0.3:
            tell(order, "ordered", begun + random.uniform(0, 20), [(line, random.randint(1, 4)) for line in lines])
        for _ in range(random.randint(0, 4)):
            tell(order, "handed_over", begun + random.uniform(0, 30), [(random.choice(lines), random.randint(1, 4))])
        if random.random() < 0.3:
            tell(order, "returned", begun + random.uniform(0, 30), [(random.choice(lines), 1)])
        if random.random() < 0.5:
            tell(order, random.choice(["ended", "cancelled"]), begun + random.uniform(5, 30))
    return facts


async def insert(conn: Connection, facts: list[tuple[Any, ...]]) -> None:
    await conn.copy_records_to_table("fulfilment", records=facts, columns=COLUMNS)
    await conn.execute("ANALYZE fulfilment")


async def test_what_is_due_is_found_as_when_all_of_history_was_read(db: Database) -> None:
    random = Random(4)
    [path] = (Path(metrics_svc.__file__).parent / "migrations").glob("0006_*.sql")
    [whole] = re.findall(r"CREATE FUNCTION due_orders.*?\$\$;", path.read_text(), re.DOTALL)
    asked = "SELECT order_id, flow_id, version, due_on, on_time, in_full FROM {}($1, $2, $3, $4) ORDER BY order_id, version"
    async with db.connection() as conn:
        await conn.execute(whole.replace("due_orders", "due_orders_of_all"))
        await insert(conn, histories(random, 150))
        found = 0
        for _ in range(60):
            since = YEAR + timedelta(days=random.randint(-5, 50))
            until = since + timedelta(days=random.choice([1, 7, 30]))
            as_of = until + timedelta(days=random.uniform(-10, 20))
            window = (since, until, as_of, as_of + timedelta(days=random.choice([0, 3, 30])))
            now = await conn.fetch(asked.format("due_orders"), *window)
            assert now == await conn.fetch(asked.format("due_orders_of_all"), *window), window
            found += len(now)
        assert found > 500


async def test_what_is_due_on_other_days_is_not_read(db: Database) -> None:
    """Three thousand orders of sixty days; of the day in question there are about as many as on any other."""
    async with db.connection() as conn:
        await insert(conn, histories(Random(5), 3000))
        all_of_it = await conn.fetchval("SELECT count(*) FROM fulfilment")
        read = """SELECT seq_scan, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS rows
                  FROM pg_stat_xact_user_tables WHERE relname = 'fulfilment'"""
        day = YEAR + timedelta(days=50)
        async with conn.transaction():
            before = await conn.fetchrow(read)
            due = await conn.fetch("SELECT * FROM due_orders($1, $2, $3, $3)", day, day + timedelta(days=1), YEAR + timedelta(90))
            after = await conn.fetchrow(read)
        assert due
        assert before is not None
        assert after is not None
        assert after["seq_scan"] == before["seq_scan"], "found by its indexes"
        assert after["rows"] - before["rows"] < all_of_it / 10
