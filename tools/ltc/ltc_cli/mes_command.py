"""`ltc mes`."""

import asyncio
import contextlib
import logging
import os
import signal
from typing import Annotated

import typer
from ltc_chassis.clock import parse_clock

from ltc_cli.mes.connector import Mes
from ltc_cli.mes.shop_floor import Shop
from ltc_cli.stack import Stack
from ltc_cli.stack_commands import plain_errors


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("mes")(plain_errors(run))


def run(
    seed: Annotated[int, typer.Option(help="what happens by chance; the same seed, the same luck")] = 1,
    work_centers: Annotated[int, typer.Option(min=1, max=100, help="a product is made by one of them")] = 3,
    parallel: Annotated[int, typer.Option(min=1, max=100, help="jobs at once per work center")] = 1,
    minutes: Annotated[float, typer.Option(min=0.001, help="minutes of business time per piece")] = 6.0,
    slips: Annotated[float, typer.Option(min=0, max=1, help="share of lots after which something breaks")] = 0.05,
    scrap: Annotated[float, typer.Option(min=0, max=1, help="share of lots of which a fifth is scrap")] = 0.05,
    spare: Annotated[int, typer.Option(min=0, max=1000, help="per cent of material to make up for scrap")] = 10,
) -> None:
    """A reference MES: makes what is ordered and tells of it, by Kafka alone, until Ctrl-C. See docs/mes.md.

    Works for the running stack, or by LTC_KAFKA_BOOTSTRAP, LTC_CLOCK and LTC_CLOCK_ANCHOR.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    logging.getLogger("aiokafka").setLevel(logging.ERROR)
    bootstrap = os.environ.get("LTC_KAFKA_BOOTSTRAP", "")
    spec, anchor = os.environ.get("LTC_CLOCK", ""), os.environ.get("LTC_CLOCK_ANCHOR", "")
    if not bootstrap:
        stack = Stack.running()
        bootstrap, spec, anchor = stack.kafka_bootstrap, stack.clock, stack.clock_anchor
    shop = Shop(
        seed=seed,
        work_centers=work_centers,
        parallel_jobs=parallel,
        minutes_per_piece=minutes,
        slip_rate=slips,
        scrap_rate=scrap,
        spare_percent=spare,
    )
    asyncio.run(_until_stopped(Mes(bootstrap, parse_clock(spec, anchor), shop)))


async def _until_stopped(mes: Mes) -> None:
    working = asyncio.create_task(mes.run())
    for stop in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(stop, working.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await working
