"""Run by a test in a process of its own, to be killed: a reference MES on topics of the test. Arguments: bootstrap, prefix, clock, anchor."""

import asyncio
import sys

from ltc_chassis.clock import parse_clock

from ltc_cli.mes.connector import Mes
from ltc_cli.mes.shop_floor import Shop


async def main() -> None:
    """Work until killed; something breaks now and then."""
    bootstrap, prefix, spec, anchor = sys.argv[1:]
    shop = Shop(seed=7, slip_rate=0.2, slip_hours=(1, 2), scrap_rate=0.2, spare_percent=100)
    await Mes(bootstrap, parse_clock(spec, anchor), shop, prefix=prefix, beat_s=0.02).run()


if __name__ == "__main__":
    asyncio.run(main())
