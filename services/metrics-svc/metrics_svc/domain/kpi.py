"""What a KPI is: its definition, and the facts that each of its numbers is made of. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

DIMENSIONS = ("channel", "source", "campaign", "rep", "owner", "team", "region", "product", "segment", "country")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Which facts make up a number, by their kind.

    Counted in the window by the moment that they happened (`events`), began (`begun`), by the day on which they were settled
    (`settled`) or fall due (`due`); of the flows of those whenever they happened (`beside`); of all flows, whenever (`ever`).
    `customers` are those of the same customers on whatever flow. `lines` are facts of order lines: of orders that are `due` in
    the window, or of the flows of what is counted.
    """

    events: tuple[str, ...] = ()
    begun: tuple[str, ...] = ()
    settled: tuple[str, ...] = ()
    due: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    ever: tuple[str, ...] = ()
    customers: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kpi:
    """One version of a definition. Parameters of `sql`: window from, to, as of, known at, dimension ('' for all).

    What is `at_end` is a state: it is measured at the end of the window, whatever happened in it.
    """

    name: str
    version: int
    unit: str
    definition: str
    sql: str
    dimensions: tuple[str, ...] = DIMENSIONS
    at_end: bool = False
    evidence: Evidence = field(default_factory=Evidence)


_NEEDED = {"name", "version", "unit", "definition"}
# How the head of a file calls what a field of `Evidence` holds.
_KINDS = {"with": "beside", "all": "ever"} | {name: name for name in ("events", "begun", "settled", "due", "customers", "lines")}


def kpi_of(head: Mapping[str, str], sql: str) -> Kpi:
    """By the head of its file. Raises ValueError when something is missing or nobody knows what is meant."""
    missing, unknown = _NEEDED - head.keys(), head.keys() - _NEEDED - _KINDS.keys() - {"dimensions", "measured"}
    if missing or unknown:
        raise ValueError(f"the head lacks {sorted(missing)}, and has {sorted(unknown)} that nothing reads")
    kinds = {_KINDS[name]: _listed(text) for name, text in head.items() if name in _KINDS}
    dimensions = _listed(head["dimensions"]) if "dimensions" in head else DIMENSIONS
    if not kinds or not set(dimensions) <= set(DIMENSIONS):
        raise ValueError("the head has to say of which events it is made, and dimensions that there are")
    return Kpi(
        name=head["name"],
        version=int(head["version"]),
        unit=head["unit"],
        definition=head["definition"],
        sql=sql,
        dimensions=dimensions,
        at_end=head.get("measured") == "at the end",
        evidence=Evidence(**kinds),
    )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(text.split(", "))
