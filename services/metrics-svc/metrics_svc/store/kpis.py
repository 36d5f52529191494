"""The KPI registry, one SQL file each with its definition in the head, and what a KPI answers.

`kpis/win_rate.sql` is the version that answers when none is asked for; earlier ones lie beside it as `win_rate.v1.sql`.
"""

import functools
import importlib.resources
import re
from datetime import datetime
from typing import Any

from ltc_chassis.connection import Connection

from metrics_svc.domain.kpi import Kpi, kpi_of


@functools.cache
def registry() -> dict[str, Kpi]:
    """Every KPI by name, in its latest version."""
    return {name: of_it[max(of_it)] for name, of_it in versions().items()}


@functools.cache
def versions() -> dict[str, dict[int, Kpi]]:
    """Every version of every KPI; raises ValueError for a file without its head, or with a name that does not fit it."""
    found: dict[str, dict[int, Kpi]] = {}
    files = {entry.name: entry.read_text() for entry in (importlib.resources.files("metrics_svc") / "kpis").iterdir()}
    for file, text in sorted(files.items()):
        try:
            kpi = kpi_of(dict(re.findall(r"^-- (\w+): (.+)$", text, re.MULTILINE)), text)
        except ValueError as error:
            raise ValueError(f"kpis/{file}: {error}") from error
        if file not in (f"{kpi.name}.sql", f"{kpi.name}.v{kpi.version}.sql"):
            raise ValueError(f"kpis/{file}: its head says {kpi.name}, version {kpi.version}")
        found.setdefault(kpi.name, {})[kpi.version] = kpi
    wrong = [name for name, of_it in found.items() if files.get(f"{name}.sql") != of_it[max(of_it)].sql]
    if wrong:
        raise ValueError(f"kpis/{', '.join(wrong)}: the latest version has no number in the name of its file")
    return found


async def kpi_view(
    conn: Connection, sql: str, *, start: datetime, end: datetime, as_of: datetime, known_at: datetime, by: str
) -> list[Any]:
    """Run a KPI's own statement: rows of key, name, value."""
    return await conn.fetch(sql, start, end, as_of, known_at, by)
