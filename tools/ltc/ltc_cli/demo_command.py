"""`ltc demo`."""

import asyncio
import contextlib
import logging
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ltc_cli import demo
from ltc_cli.stack import Stack, StackError
from ltc_cli.stack_commands import plain_errors, show_urls


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(plain_errors(run))


def run(
    data: Annotated[Path | None, typer.Option(help="a folder with leads.csv: real leads, through the importer")] = None,
    keep: Annotated[bool, typer.Option("--keep", help="leave the stack running for a look at the live page")] = False,
    short: Annotated[bool, typer.Option("--short", help="fewer deals, for CI")] = False,
) -> None:
    """Play a company at a day per second, and show its books."""
    if data is not None and not (data / "leads.csv").exists():
        raise StackError(f"{data / 'leads.csv'} does not exist; --data names the folder that holds it")
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # fresh topics have no leaders for a moment; it tries again
    # Where nobody watches (a pipe, CI) tables keep a width in which they can be read.
    console = Console() if sys.stdout.isatty() else Console(width=118)
    stack = Stack(clock=demo.CLOCK, say=lambda line: console.print(f"[dim]{line}[/dim]"))
    stack.start(owned=not keep)
    good = False
    try:
        good = asyncio.run(demo.play(stack, demo.Plan.of(data=data, short=short), console))
    finally:
        if not keep:
            with contextlib.suppress(KeyboardInterrupt):
                stack.stop()
    if keep:
        show_urls(stack)
        typer.echo("  `make down` stops it")
    else:
        typer.echo("The live page shows all this as it happens: make demo KEEP=1")
    if not good:
        raise typer.Exit(1)
