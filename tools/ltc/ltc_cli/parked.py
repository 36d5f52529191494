"""`ltc parked`: what the services could not process, and what to do with it."""

import asyncio
import base64
from collections.abc import Coroutine
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ltc_cli.company.suite import SERVICES, Json, Refused, Suite
from ltc_cli.stack import Stack

app = typer.Typer(help="Parked records: list, show, redrive, discard.", no_args_is_help=True)
Service = Annotated[str, typer.Argument(help=f"one of {', '.join(SERVICES)}")]


@app.command("list")
def list_parked(
    service: Annotated[str, typer.Option(help="only this service")] = "",
    state: Annotated[str, typer.Option(help="waiting, dead or discarded")] = "",
    flow: Annotated[str, typer.Option(help="only this flow id")] = "",
) -> None:
    """What is parked, in every service."""

    async def work(suite: Suite) -> None:
        table = Table("service", "id", "topic", "state", "reason", "attempts", "flow", "error")
        for name in [service] if service else SERVICES:
            for item in await _all(suite, name, state, flow):
                cells = [item["id"], item["topic"], item["state"], item["reason"], item["attempts"], item["flow_id"] or "-"]
                table.add_row(name, *(str(cell) for cell in cells), item["error"][:80])
        Console().print(table if table.row_count else "nothing is parked")

    _run(work)


@app.command("show")
def show(service: Service, parked_id: int) -> None:
    """One record with its headers and its bytes."""

    async def work(suite: Suite) -> None:
        item = await suite.get(service, f"/v1/parked/{parked_id}")
        for name in ("topic", "partition", "offset", "state", "reason", "error", "attempts", "first_parked_at"):
            typer.echo(f"{name:>16}: {item[name]}")
        for name, value in item["headers"]:
            typer.echo(f"{name:>16}: {'null' if value is None else repr(base64.b64decode(value))[1:]}")
        value = base64.b64decode(item["value"])
        typer.echo(f"{'value':>16}: {value[:2000]!r}{' ...' if len(value) > 2000 else ''}")

    _run(work)


@app.command("redrive")
def redrive(
    service: Service,
    parked_id: Annotated[int | None, typer.Option("--id", help="one record; default: all dead ones")] = None,
    topic: Annotated[str | None, typer.Option(help="only those of a topic")] = None,
) -> None:
    """Try dead records again, with a new life of attempts."""

    async def work(suite: Suite) -> None:
        body = {name: value for name, value in {"id": parked_id, "topic": topic}.items() if value is not None}
        done = await suite.post(service, "/v1/parked/redrive", body)
        typer.echo(f"{done['redriven']} redriven; see `ltc parked list --service {service}`")

    _run(work)


@app.command("discard")
def discard(service: Service, parked_id: int) -> None:
    """Decide that a record shall have no effect; it stays readable, and what waits behind it goes on."""

    async def work(suite: Suite) -> None:
        await suite.post(service, f"/v1/parked/{parked_id}/discard")
        typer.echo("discarded")

    _run(work)


async def _all(suite: Suite, service: str, state: str, flow: str) -> list[Json]:
    found: list[Json] = []
    after: int | None = 0
    while after is not None:
        page = await suite.get(service, "/v1/parked", state=state or None, flow_id=flow or None, after=after, limit=500)
        found += page["items"]
        after = page["next"]
    return found


def _run(work: Any) -> None:
    stack = Stack.running()

    async def with_suite() -> None:
        async with Suite({name: stack.url(name) for name in SERVICES}, stack.token(), patience_s=5) as suite:
            task: Coroutine[Any, Any, None] = work(suite)
            await task

    try:
        asyncio.run(with_suite())
    except Refused as refused:
        typer.echo(str(refused), err=True)
        raise typer.Exit(1) from refused
