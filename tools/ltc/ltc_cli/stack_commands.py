"""`ltc up`, `down`, `status`, `logs`, `token`."""

import functools
import subprocess
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from ltc_cli.stack import Stack, StackError, processes
from ltc_cli.stack.stack import SERVICES

_console = Console(stderr=True)


def plain_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """A problem of the machine is one line and exit code 1; only a defect of ours is a traceback."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except StackError as error:
            typer.secho(f"ltc: {error}", fg="red", err=True)
            raise typer.Exit(1) from error

    return wrapped


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, status, logs, token, mails):
        app.command()(plain_errors(command))


def up(
    clock: Annotated[str, typer.Option(help="business time, e.g. 2026-01-01T00:00Z@86400 for a day per second")] = "",
) -> None:
    """Start PostgreSQL, Kafka and the six services, and wait until all are ready."""
    stack = Stack(clock=clock, say=lambda line: _console.print(f"  {line}"))
    stack.start()
    show_urls(stack)


def show_urls(stack: Stack) -> None:
    """Where to look now."""
    for service in SERVICES:
        typer.echo(f"  {service + '-svc':<13} {stack.url(service)}")
    typer.echo(f"  live page     {stack.url('metrics')}/login?token={stack.token()}")


def down(keep: Annotated[bool, typer.Option("--keep", help="keep the data for the next `ltc up`")] = False) -> None:
    """Stop everything that `ltc up` started; its data goes too, unless kept."""
    Stack().stop(keep=keep)
    typer.echo("stopped" + (", data kept" if keep else ""))


def status() -> None:
    """What runs, since when, with how much memory."""
    stack = Stack.running()
    table = Table("process", "pid", "state", "memory", "address")
    for name, identity in stack.processes.items():
        process = processes.find(identity)
        memory = f"{process.memory_info().rss / 2**20:.0f} MB" if process else "-"
        servers = {
            "postgres": stack.admin_dsn.rpartition("@")[2],
            "kafka": stack.kafka_bootstrap,
            "smtp": str(stack.mailbox.folder),
        }
        address = servers.get(name) or stack.url(name)
        table.add_row(name, str(identity["pid"]), "running" if process else "ended", memory, address)
    Console().print(table)


def logs(
    name: Annotated[str, typer.Argument(help="a service, postgres, kafka or smtp; default: all services")] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow")] = False,
) -> None:
    """Log lines (JSON, with flow and trace ids)."""
    stack = Stack.running()
    files = [str(stack.log(each)) for each in ([name] if name else SERVICES)]
    sys.exit(subprocess.call(["tail", "-n", "200", *(["-F"] if follow else []), *files]))


def token(
    scope: Annotated[str, typer.Option(help="space separated, e.g. 'leads:read leads:write'; * allows everything")] = "*",
    ttl: Annotated[int, typer.Option(help="seconds")] = 24 * 3600,
) -> None:
    """A bearer token for the running stack."""
    typer.echo(Stack.running().token(scope, ttl_s=ttl))


def mails(
    show: Annotated[int, typer.Option(help="the number of a mail to read, as listed")] = 0,
    last: Annotated[int, typer.Option(help="how many to list")] = 20,
) -> None:
    """What the services have sent by mail; the files lie where `ltc status` says."""
    found = Stack.running().mailbox.mails()
    if show:
        if not 0 < show <= len(found):
            raise StackError(f"there are {len(found)} mails")
        body = found[show - 1].get_body(("plain",))
        typer.echo(f"Subject: {found[show - 1]['Subject']}\n\n{body.get_content() if body else ''}")
        return
    table = Table("number", "to", "subject")
    for number, mail in list(enumerate(found, 1))[-last:]:
        table.add_row(str(number), str(mail["To"]), str(mail["Subject"]))
    Console().print(table)
