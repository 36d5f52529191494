"""What a customer does on the page of a ticket: read, answer, say that it is solved."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from ltc_chassis.db import Transaction

from delivery_svc.domain import ticket as rules
from delivery_svc.domain.ticket import Comment, Ticket
from delivery_svc.handlers import tickets
from delivery_svc.store import service_desk
from delivery_svc.store import tickets as store

MOST_SHOWN = 200
_TWICE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows; of a ticket that went into somebody else's only that it did."""

    ticket: Ticket
    thread: list[Comment]
    team: str
    hidden: bool


async def look(tx: Transaction, ticket_id: UUID) -> Shown:
    """What was said in public, the latest 200, in the ticket or in the one of the same customer that it became part of."""
    ticket, hidden = await _going_on(tx, ticket_id)
    queue = await service_desk.find_queue(tx.conn, ticket.queue)
    thread = [] if hidden else await store.list_latest(tx.conn, ticket.id, MOST_SHOWN + 1)
    return Shown(ticket, thread, queue.name if queue else ticket.queue, hidden)


async def reply(tx: Transaction, ticket_id: UUID, text: str) -> Ticket:
    """The customer answers; the same words twice within ten minutes are a double click. Raises `CannotMerge` for a hidden ticket."""
    ticket, hidden = await _going_on(tx, ticket_id)
    if hidden:
        raise rules.CannotMerge("this request became part of another one")
    await store.lock_tickets(tx.conn, [ticket.id])
    twin = await store.find_twin(tx.conn, ticket.id, text, tx.now - _TWICE)
    if twin is not None:
        return await store.get_ticket(tx.conn, twin)
    return (await tickets.reply(tx, ticket.id, text, who=None, by="customer", channel="portal"))[0]


async def solved(tx: Transaction, ticket_id: UUID) -> Ticket:
    """The customer says that it is done."""
    ticket, hidden = await _going_on(tx, ticket_id)
    return ticket if hidden else await tickets.solved(tx, ticket.id, "customer")


async def _going_on(tx: Transaction, ticket_id: UUID) -> tuple[Ticket, bool]:
    ticket = await store.get_ticket(tx.conn, ticket_id)
    if ticket.merged_into is None:
        return ticket, False
    survivor = await store.get_ticket(tx.conn, ticket.merged_into)
    return (survivor, False) if rules.shows_to_customer(ticket, survivor) else (ticket, True)
