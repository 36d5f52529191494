"""The generated part of docs/contracts.md: the table of topics, so that the page is always true."""

from pathlib import Path

from ltc_contracts.topics import TOPICS

_BEGIN = "<!-- topics: made by `python -m ltc_contracts.schema docs` -->"
_END = "<!-- end of topics -->"


def table() -> str:
    """All topics as Markdown."""
    lines = ["| topic | owner | read by | key | meaning |", "|---|---|---|---|---|"]
    for topic in TOPICS:
        meaning = (topic.event.__doc__ or "").strip().split("\n")[0]
        readers = ", ".join(topic.readers) or "-"
        key = "flow" if topic.event.OF_A_FLOW else "subject"
        lines.append(f"| `{topic.name}` | {topic.owner} | {readers} | {key} | {meaning} |")
    return "\n".join(lines)


def write(page: Path) -> None:
    """Put the present table into the page."""
    before, _, rest = page.read_text().partition(_BEGIN)
    _, _, after = rest.partition(_END)
    page.write_text(f"{before}{_BEGIN}\n{table()}\n{_END}{after}")


def problems_of(page: Path) -> list[str]:
    """Whether the page shows another table than the present one."""
    if f"{_BEGIN}\n{table()}\n{_END}" in page.read_text():
        return []
    return [f"docs/{page.name}: the table of topics is not the present one; run `python -m ltc_contracts.schema docs`"]
