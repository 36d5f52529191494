"""Time in."""

from ltc_chassis.db import Transaction
from ltc_chassis.timers import Timer

from delivery_svc.handlers import (
    handovers,
    inbound_mails,
    notices,
    service_desk,
    silences,
    survey_asks,
    survey_triggers,
    ticket_clocks,
    tickets,
)
from delivery_svc.settings import Settings


async def tell_tickets(tx: Transaction) -> int:
    """Tickets to warn of, or whose target has passed."""
    return await ticket_clocks.tell_due(tx, limit=50)


async def close_tickets(tx: Transaction) -> int:
    """Resolved tickets that cannot be opened again any more."""
    return await tickets.close_due(tx, limit=100)


async def assign_tickets(tx: Transaction) -> int:
    """New tickets of queues that assign by themselves."""
    return await service_desk.assign_due(tx, limit=100)


async def empty_inbound(tx: Transaction) -> int:
    """Bytes of mails that are older than they are kept."""
    return await inbound_mails.empty_old(tx, keep_days=tx.settings_as(Settings).inbound_keep_days, limit=200)


async def tell_deliveries(tx: Transaction) -> int:
    """What customers are to be told of their deliveries."""
    most = tx.settings_as(Settings).notices_per_s
    told = await notices.tell_waiting(tx, limit=most)
    # As many as a second has: what is left waits for the next poll, so that a backlog never takes the whole service.
    return 0 if told == most else told


async def ask_surveys(tx: Transaction) -> int:
    """People to ask, to remind, or whose time to answer is over."""
    return await survey_asks.work_due(tx, limit=50)


async def survey_rounds(tx: Transaction) -> int:
    """Customers whose turn it is by schedule."""
    return await survey_triggers.work_rounds(tx)


async def end_periods(tx: Transaction) -> int:
    """Services for a period whose last day is over."""
    return await handovers.end_periods(tx, limit=20)


async def watch_productions(tx: Transaction) -> int:
    """Productions of which nothing was heard in time."""
    return await silences.tell_silent(tx, limit=50)


TIMERS = [
    Timer("end-periods", end_periods, every=1.0),
    Timer("watch-productions", watch_productions, every=5.0),
    Timer("tell-tickets", tell_tickets, every=1.0),
    Timer("close-tickets", close_tickets, every=5.0),
    Timer("assign-tickets", assign_tickets, every=1.0),
    Timer("tell-deliveries", tell_deliveries, every=1.0),
    Timer("ask-surveys", ask_surveys, every=1.0),
    Timer("survey-rounds", survey_rounds, every=60.0),
    Timer("empty-inbound", empty_inbound, every=60.0),
]
