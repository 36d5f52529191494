"""Run by tests in processes of its own: eight writers that issue, one by one and by the batch, are paid and credit until killed (SIGKILL).

Prints the ids of the writers. Settings come from the environment.
"""

import asyncio
import os
from contextlib import nullcontext
from datetime import UTC, datetime

from ltc_chassis.clock import FixedClock
from ltc_chassis.ids import new_id
from ltc_contracts.money import Money

from billing_svc.app import create_app
from billing_svc.handlers import credits, invoices, payments
from billing_svc.tests.builders import completed, handed_over, line, part

MOST = 2000


async def write() -> None:
    """An invoice, money for a half of it, and at times a credit note, or a batch of hand-overs, in one transaction; again and again."""
    runtime = create_app().state.runtime
    runtime.clock = runtime.db.clock = FixedClock(datetime(2026, 1, 1, tzinfo=UTC))
    await runtime.db.open()
    for turn in range(MOST):
        async with runtime.db.transaction() as tx:
            made = await invoices.invoice_delivery(tx, completed(line("10.00", "2", "0", "20")), flow_id=new_id())
            assert made is not None
            half = Money.of("12.00", "EUR")
            await payments.receive_payment(tx, amount=half, method="cash", reference=made.number, received_on=None, wanted=[])
            if turn % 2:
                await credits.credit_by_hand(tx, made.id, reason="broken", wanted=None)
            else:
                parts = [handed_over(part(line("10.00", "2", "0", "20"), "2")) for _ in range(3)]
                await invoices.invoice_handovers(tx, [invoices.Told(each, new_id(), nullcontext) for each in parts])


def main() -> None:
    """Fork the writers, and wait until all of them were killed."""
    pids = []
    for _ in range(8):
        pid = os.fork()
        if not pid:
            asyncio.run(write())
            os._exit(0)
        pids.append(pid)
    print(*pids, flush=True)
    for pid in pids:
        os.waitpid(pid, 0)


if __name__ == "__main__":
    main()
