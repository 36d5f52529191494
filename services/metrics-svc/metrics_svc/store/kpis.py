"""The KPI registry, one SQL file each with name, version, unit and definition in its head, and what it answers."""

import functools
import importlib.resources
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from metrics_svc.domain.kpi import KINDS, Kpi


@functools.cache
def registry() -> dict[str, Kpi]:
    """Every KPI by name; raises ValueError for a file without its head."""
    found: dict[str, Kpi] = {}
    for entry in sorted((importlib.resources.files("metrics_svc") / "kpis").iterdir(), key=lambda each: each.name):
        text = entry.read_text()
        head = dict(re.findall(r"^-- (\w+): (.+)$", text, re.MULTILINE))
        if not {"name", "version", "unit", "definition"} <= head.keys() or entry.name != f"{head['name']}.sql":
            raise ValueError(f"kpis/{entry.name}: needs name, version, unit and definition in its head")
        name = head["name"]
        found[name] = Kpi(name, int(head["version"]), head["unit"], head["definition"], text, KINDS[name])
    return found


async def kpi_view(
    conn: Connection, sql: str, *, start: datetime, end: datetime, as_of: datetime, known_at: datetime, by: str
) -> list[Any]:
    """Run a KPI's own statement: rows of key, name, value."""
    return await conn.fetch(sql, start, end, as_of, known_at, by)


async def kpi_events_view(
    conn: Connection, kinds: Sequence[str], *, start: datetime, end: datetime, known_at: datetime, after: UUID | None, limit: int
) -> list[Any]:
    """The events behind a number."""
    return await conn.fetch(
        """
        SELECT e.id, e.topic, e.flow_id, e.subject, e.occurred_at, e.recorded_at, m.kind, m.net, m.gross, m.currency
        FROM milestone m JOIN event e ON e.id = m.event_id
        WHERE m.kind = ANY($1::text[]) AND m.occurred_at BETWEEN $2 AND $3 AND m.recorded_at <= $4
          AND ($5::uuid IS NULL OR e.id > $5)
        ORDER BY e.id LIMIT $6
        """,
        *(list(kinds), start, end, known_at, after, limit),
    )
