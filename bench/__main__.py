"""`python -m bench [--short] [name ...]`: flow, checkout, start, create, visible, drain, domain, metrics, leads, statements,
invoices; all of them without a name.

`--short` measures `leads` among 50,000 instead of a million, and `checkout` for a few seconds: for a quick look, and for CI.
"""

import asyncio
import functools
import logging
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from ltc_cli.stack import Stack
from rich.console import Console

from bench import cashing, leading, ordering, reading, whole, writing
from bench.report import Row, show

MEASUREMENTS: dict[str, Callable[[Stack], Awaitable[list[Row]]]] = {
    "flow": whole.flow,
    "checkout": ordering.checkout,
    "start": whole.start,
    "create": writing.create,
    "visible": writing.visible,
    "drain": writing.drain,
    "domain": reading.domain,
    "metrics": reading.metrics,
    "leads": leading.leads,
    "statements": cashing.statements,
    "invoices": cashing.invoices,
}


SHORT: dict[str, Callable[[Stack], Awaitable[list[Row]]]] = {
    "leads": functools.partial(leading.leads, size=leading.SHORT),
    "checkout": ordering.SHORT,
}
# These need all six services, so they come before those that stop them.
_TOGETHER = ("flow", "checkout")


async def measure(stack: Stack, names: list[str], console: Console, *, short: bool) -> list[Row]:
    """Each measurement alone on the machine."""
    rows: list[Row] = []
    for name in names:
        began = time.perf_counter()
        if name not in _TOGETHER:
            for service in stack.services:
                stack.stop_service(service)
        work = SHORT.get(name, MEASUREMENTS[name]) if short else MEASUREMENTS[name]
        rows += await work(stack)
        console.print(f"[dim]{name}: {time.perf_counter() - began:.0f} s[/dim]")
    return rows


def main() -> int:
    """0 when everything was measured, whether or not a target is reached."""
    console = Console() if sys.stdout.isatty() else Console(width=130)
    short = "--short" in sys.argv[1:]
    asked = [name for name in sys.argv[1:] if name != "--short"]
    unknown = [name for name in asked if name not in MEASUREMENTS]
    if unknown:
        console.print(f"bench: no measurement {', '.join(unknown)}; there are {', '.join(MEASUREMENTS)}")
        return 2
    names = [name for name in MEASUREMENTS if name in (asked or MEASUREMENTS)]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # fresh topics have no leaders for a moment; it tries again
    say = functools.partial(console.print, style="dim")
    with tempfile.TemporaryDirectory() as folder, Stack(Path(folder), ports="free", say=say) as stack:
        rows = asyncio.run(measure(stack, names, console, short=short))
    show(rows, console)
    return 0


if __name__ == "__main__":
    sys.exit(main())
