"""What is printed: each path with what was measured, what it is compared with, and the target of the design."""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Row:
    """`compared` is measured in the same run; `reached` None where there is no target."""

    path: str
    measured: str
    compared: str = ""
    target: str = ""
    reached: bool | None = None


def percentile(values: list[float], part: float) -> float:
    """The nearest rank; `part` 0 to 1."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)]


def show(rows: list[Row], console: Console) -> None:
    """All rows as one table."""
    table = Table("path", "measured", "side by side", "target", "", title="make bench")
    for row in rows:
        verdict = "" if row.reached is None else "reached" if row.reached else "missed"
        table.add_row(row.path, row.measured, row.compared, row.target, verdict)
    console.print(table)
