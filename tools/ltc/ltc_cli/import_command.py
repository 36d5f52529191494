"""`ltc import`."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from ltc_cli.company import importing
from ltc_cli.company.suite import SERVICES, Refused, Suite
from ltc_cli.stack import Stack
from ltc_cli.stack_commands import plain_errors


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("import")(plain_errors(run))


def run(
    folder: Annotated[Path, typer.Argument(help="where the files lie")],
    mapping: Annotated[Path, typer.Argument(help="which column is which field; see docs/imports.md")],
) -> None:
    """Import files of another CRM or billing system into the running suite."""
    try:
        steps = importing.read_mapping(folder, mapping)
        taken = asyncio.run(_run(steps))
    except (importing.BadMapping, Refused) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from error
    table = Table("file", "taken", "known already", "refused")
    for each in taken:
        table.add_row(each.title, f"{each.imported:,}", f"{each.duplicates:,}", f"{each.refused:,}")
    console = Console()
    console.print(table)
    for each in taken:
        for refusal in each.refusals:
            console.print(f"{each.title}, line {refusal['line']}, {refusal['field']}: {refusal['reason']}")


async def _run(steps: list[importing.Step]) -> list[importing.Taken]:
    stack = Stack.running()
    columns = (TextColumn("{task.description:<40}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    async with Suite({name: stack.url(name) for name in SERVICES}, stack.token()) as suite:
        with Progress(*columns) as bar:
            tasks: dict[str, TaskID] = {}

            def show(title: str, done: int, total: int) -> None:
                if title not in tasks:
                    tasks[title] = bar.add_task(title, total=total)
                bar.update(tasks[title], completed=done)

            return await importing.run(suite, steps, show)
