"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Errand, Timer

from billing_svc.handlers import bank_files, cash_application, dunning, imports, instalments, invoices, provider_events, usage


async def mark_overdue(tx: Transaction) -> int:
    """Invoices whose due day has passed with something open, each once."""
    return await invoices.mark_overdue(tx, limit=100)


async def import_rows(tx: Transaction) -> int:
    """The next rows of an import; a transaction each, so that it goes on where it was after a stop."""
    return await imports.import_chunk(tx)


async def take_dunning_steps(tx: Transaction) -> int:
    """Steps of dunning whose day has come, each once per invoice."""
    # One at a time: a letter is printed meanwhile, and who pays waits for the lock.
    return await dunning.take_steps(tx, limit=1)


async def call_in_rest(tx: Transaction) -> int:
    """Invoices of which an instalment was missed for longer than agreed: all the rest is due."""
    return await instalments.call_in(tx, limit=50)


async def bill_usage(tx: Transaction) -> int:
    """Periods of usage that are over become invoices, each once."""
    return await usage.close_due(tx, limit=20)


TIMERS = [
    Timer("mark-overdue", mark_overdue),
    Timer("import-rows", import_rows),
    Timer("bill-usage", bill_usage, every=1.0),
    Timer("call-in-rest", call_in_rest, every=1.0),
    Timer("dunning", take_dunning_steps, every=1.0),
]


async def apply_payments(tx: Transaction) -> int:
    """Payments of statements that are not booked yet."""
    return await cash_application.apply_due(tx, limit=50)


async def work_provider_events(tx: Transaction) -> int:
    """Events of payment providers that were kept and not worked on."""
    return await provider_events.work_due(tx)


CASH: list[Timer | Errand] = [
    Errand("import-bank-statements", bank_files.import_due),
    Timer("apply-payments", apply_payments),
    Timer("work-provider-events", work_provider_events),
]
