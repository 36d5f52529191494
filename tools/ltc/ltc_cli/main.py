"""The `ltc` command: the dev stack, the demo, imports, the reference MES, parked records."""

import typer

from ltc_cli import demo_command, import_command, mes_command, parked, stack_commands

app = typer.Typer(help="The dev stack of LTC, and what a developer does with it.", no_args_is_help=True, add_completion=False)
stack_commands.register(app)
demo_command.register(app)
import_command.register(app)
mes_command.register(app)
app.add_typer(parked.app, name="parked")
