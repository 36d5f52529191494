"""What happens to tickets: opened, answered, moved, given to somebody, merged. Lock order: tickets by id, then their clocks."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid
from ltc_contracts.events import (
    TicketAssigned,
    TicketMerged,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TicketResponded,
)

from delivery_svc.domain import ticket as rules
from delivery_svc.domain.service_desk import AgentNotFound, Queue, QueueNotFound
from delivery_svc.domain.ticket import Author, Channel, Comment, Happening, Language, Move, Priority, Ticket
from delivery_svc.domain.ticket_clock import Clock, Kind
from delivery_svc.handlers import survey_triggers, ticket_clocks, ticket_mails
from delivery_svc.store import service_desk
from delivery_svc.store import tickets as store

Clocks = Mapping[Kind, Clock]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A new ticket as it is asked for. The order by id or by number; without one the flow is a new one."""

    subject: str
    text: str
    channel: Channel
    queue: str = "default"
    priority: Priority = "normal"
    language: Language = "en"
    requester_name: str | None = None
    requester_email: str | None = None
    customer_id: UUID | None = None
    order_id: UUID | None = None
    order_number: str | None = None
    external_ref: str | None = None
    parent: Ticket | None = None
    message_id: str | None = None


async def open_ticket(tx: Transaction, wanted: Wanted, by: str) -> tuple[Ticket, Comment | None]:
    """A new ticket with its first comment; the one that is there, and no comment, for a reference that is known.

    Raises `Invalid` for an order that is not known here, `QueueNotFound`.
    """
    if wanted.external_ref is not None:
        known = await store.find_by_reference(tx.conn, wanted.external_ref)
        if known is not None:
            return await store.get_ticket(tx.conn, known), None
    await queue_of(tx, wanted.queue)
    order = await _order_of(tx, wanted.order_id, wanted.order_number)
    ticket = Ticket(
        id=new_id(),
        flow_id=order.flow_id if order else wanted.parent.flow_id if wanted.parent else new_id(),
        version=1,
        number=await store.draw_number(tx.conn, tx.now),
        state="new",
        channel=wanted.channel,
        priority=wanted.priority,
        queue=wanted.queue,
        assignee=None,
        subject=wanted.subject,
        requester_name=wanted.requester_name,
        requester_email=wanted.requester_email,
        language=wanted.language,
        customer_id=wanted.customer_id or (order.customer_id if order else None),
        order_id=order.order_id if order else None,
        order_number=order.order_number if order else None,
        external_ref=wanted.external_ref,
        parent_id=wanted.parent.id if wanted.parent else None,
        merged_into=None,
        reopened=0,
        created_by=by,
        created_at=tx.now,
        updated_at=tx.now,
    )
    if not await store.insert_ticket(tx.conn, ticket):
        # Somebody else opened it at this moment.
        known = await store.find_by_reference(tx.conn, wanted.external_ref or "")
        assert known is not None
        return await store.get_ticket(tx.conn, known), None
    ticket, clocks = await ticket_clocks.start(tx, ticket)
    await store.save_ticket(tx.conn, ticket)
    comment = await _say(
        tx, ticket, wanted.text, "customer", wanted.requester_email, wanted.channel, message_id=wanted.message_id
    )
    await store.insert_change(tx.conn, ticket, "open", by, tx.now, {"channel": ticket.channel, "queue": ticket.queue})
    tx.emit(
        TicketOpened(
            ticket_id=ticket.id,
            number=ticket.number,
            channel=ticket.channel,
            priority=ticket.priority,
            queue=ticket.queue,
            customer_id=ticket.customer_id,
            order_id=ticket.order_id,
            parent_id=ticket.parent_id,
            response_due_at=_due_of(clocks, "first_response"),
            resolution_due_at=_due_of(clocks, "resolution"),
        ),
        flow_id=ticket.flow_id,
        sequence=ticket.version,
    )
    return ticket, comment


async def answer(
    tx: Transaction, ticket_id: UUID, text: str, by: str, *, public: bool, then: Move | None = None, expected: int | None = None
) -> tuple[Ticket, Comment]:
    """One of us says something: to the customer, by mail where an address is known, or only to colleagues; and moves it on."""
    ticket = await lock(tx, ticket_id, expected)
    if ticket.state == "closed":
        rules.moved(ticket, "answer", tx.now)
    if public:
        first = ticket.responded_at is None
        after = replace(rules.moved(ticket, "answer", tx.now), responded_at=ticket.responded_at or tx.now)
        message_id = await ticket_mails.send_answer(tx, after, text, by)
        comment = await _say(tx, after, text, "agent", by, "api", message_id=message_id)
        ticket, clocks = await _advance(tx, ticket, after, "answer", by)
        if first:
            _tell_response(tx, ticket, clocks, by)
    else:
        comment = await _say(tx, ticket, text, "agent", by, "api", public=False)
    if then is not None:
        ticket = await _move(tx, ticket, then, by)
    return ticket, comment


async def reply(
    tx: Transaction, ticket_id: UUID, text: str, *, who: str | None, by: str, channel: Channel, message_id: str | None = None
) -> tuple[Ticket, Comment]:
    """The customer says something: what waited goes on, what was resolved comes back, and after too long another ticket follows,
    which takes what comes later, too."""
    ticket = await lock(tx, ticket_id)
    if rules.is_over(ticket, tx.now):
        following = await store.find_follow_up(tx.conn, ticket.id, tx.now)
        if following is not None:
            return await reply(tx, following, text, who=who, by=by, channel=channel, message_id=message_id)
        return await _follow_up(tx, ticket, text, by=by, channel=channel, message_id=message_id)
    after = rules.moved(ticket, "reply", tx.now)
    comment = await _say(tx, ticket, text, "customer", who or ticket.requester_email, channel, message_id=message_id)
    now, _ = await _advance(tx, ticket, after, "reply", by)
    if now.reopened > ticket.reopened:
        _tell_reopened(tx, now, None)
    return now, comment


async def overheard(
    tx: Transaction, ticket_id: UUID, text: str, *, who: str | None, channel: Channel, message_id: str | None
) -> tuple[Ticket, Comment]:
    """Somebody else than who asked says something: our people see it, and nothing moves by it."""
    ticket = await lock(tx, ticket_id)
    return ticket, await _say(tx, ticket, text, "other", who, channel, public=False, message_id=message_id)


async def move(tx: Transaction, ticket_id: UUID, what: Move, by: str, *, expected: int | None = None) -> Ticket:
    """One of us decides. Raises `WrongTransition`, `NotAnsweredYet`, `ReopenTooLate`."""
    return await _move(tx, await lock(tx, ticket_id, expected), what, by)


async def solved(tx: Transaction, ticket_id: UUID, by: str) -> Ticket:
    """The customer says that it is done; once more changes nothing."""
    ticket = await lock(tx, ticket_id)
    if ticket.state in ("resolved", "closed"):
        return ticket
    queue = await service_desk.find_queue(tx.conn, ticket.queue)
    after = rules.moved(ticket, "solved", tx.now, reopen_days=queue.reopen_days if queue else 0)
    now, clocks = await _advance(tx, ticket, after, "solved", by)
    _tell_resolved(tx, now, clocks, None)
    await survey_triggers.ticket_ended(tx, now, "ticket_resolved")
    return now


async def assign(
    tx: Transaction, ticket_id: UUID, to: str | None, by: str, *, expected: int | None = None, automatic: bool = False
) -> Ticket:
    """Given to an agent, or put back to its queue. Raises `AgentNotFound`."""
    ticket = await lock(tx, ticket_id, expected)
    if to is not None:
        agent = await service_desk.find_agent(tx.conn, to)
        if agent is None or not agent.active:
            raise AgentNotFound(f"there is no agent '{to}' who works on tickets", field="assignee")
    if to == ticket.assignee:
        return ticket
    now, _ = await _advance(tx, ticket, rules.assigned(ticket, to, tx.now), "assign" if to else "unassign", by, assignee=to)
    tx.emit(
        TicketAssigned(
            ticket_id=now.id, number=now.number, queue=now.queue, assignee=to, was=ticket.assignee, automatic=automatic
        ),
        flow_id=now.flow_id,
        sequence=now.version,
    )
    return now


async def change(tx: Transaction, ticket_id: UUID, given: dict[str, Any], by: str, *, expected: int) -> Ticket:
    """Other words, another queue or priority (its clocks follow), another person or order."""
    ticket = await lock(tx, ticket_id, expected)
    if given.get("queue") is not None:
        await queue_of(tx, given["queue"])
    if given.get("order_id") is not None:
        order = await _order_of(tx, given["order_id"], None)
        assert order is not None
        given = {"customer_id": order.customer_id, **given, "order_number": order.order_number}
    elif "order_id" in given:
        given = {**given, "order_number": None}
    after = rules.changed(ticket, given, tx.now)
    if after == ticket:
        return ticket
    # What is about a person is named, not kept a second time.
    now, _ = await _advance(
        tx, ticket, after, "change", by, **{name: getattr(after, name) for name in ("queue", "priority") if name in given},
        changed=sorted(given),
    )  # fmt: skip
    return now


async def merge(tx: Transaction, ticket_id: UUID, into_id: UUID, by: str, *, expected: int | None = None) -> Ticket:
    """Two tickets are about the same: the other goes on with what was said in both, and with its own clocks. Returns the other."""
    if ticket_id == into_id:
        raise rules.CannotMerge("a ticket cannot be merged into itself", field="into_id")
    both = await store.lock_tickets(tx.conn, [ticket_id, into_id])
    ticket, into = both[ticket_id], both[into_id]
    rules.expect(ticket, expected)
    after = rules.merged(ticket, into, tx.now)
    keep_public = rules.shows_to_customer(ticket, into)
    moved = await store.move_comments(tx.conn, ticket.id, into.id, keep_public=keep_public)
    gone, _ = await _advance(tx, ticket, after, "merge", by, into=into.number)
    survivor = replace(into, version=into.version + 1, updated_at=tx.now)
    survivor, _ = await _advance(tx, into, survivor, "took", by, number=ticket.number, comments=moved, public=keep_public)
    tx.emit(
        TicketMerged(ticket_id=gone.id, number=gone.number, into_id=survivor.id, into_number=survivor.number, by=by),
        flow_id=gone.flow_id,
        sequence=gone.version,
    )
    return survivor


async def close_due(tx: Transaction, *, limit: int) -> int:
    """Resolved tickets whose days are over are closed for good; returns how many."""
    over = await store.claim_over(tx.conn, tx.now, limit)
    for ticket in over:
        await _move(tx, ticket, "close", "timer")
    return len(over)


async def lock(tx: Transaction, ticket_id: UUID, expected: int | None = None) -> Ticket:
    """The ticket, locked. Raises `TicketNotFound`, `VersionConflict`."""
    ticket = (await store.lock_tickets(tx.conn, [ticket_id]))[ticket_id]
    rules.expect(ticket, expected)
    return ticket


async def queue_of(tx: Transaction, code: str) -> Queue:
    """Raises `QueueNotFound` for one that is not there or not used any more."""
    queue = await service_desk.find_queue(tx.conn, code)
    if queue is None or not queue.active:
        raise QueueNotFound(f"there is no queue '{code}'", field="queue")
    return queue


async def _move(tx: Transaction, ticket: Ticket, what: Move, by: str) -> Ticket:
    queue = await service_desk.find_queue(tx.conn, ticket.queue)
    after = rules.moved(ticket, what, tx.now, reopen_days=queue.reopen_days if queue else 0)
    now, clocks = await _advance(tx, ticket, after, what, by)
    if what == "resolve":
        _tell_resolved(tx, now, clocks, by)
        await survey_triggers.ticket_ended(tx, now, "ticket_resolved")
    elif what == "close" and ticket.state == "resolved":
        await survey_triggers.ticket_ended(tx, now, "ticket_closed")
    elif what == "reopen":
        _tell_reopened(tx, now, by)
    return now


async def _advance(
    tx: Transaction, before: Ticket, after: Ticket, what: Move | Happening | str, by: str, **detail: Any
) -> tuple[Ticket, Clocks]:
    """Save a ticket with its clocks and put on record who did what."""
    now, clocks = await ticket_clocks.follow(tx, before, after)
    await store.save_ticket(tx.conn, now)
    states = {"was": before.state, "became": now.state} if before.state != now.state else {}
    await store.insert_change(tx.conn, now, what, by, tx.now, {**states, **detail})
    return now, clocks


async def _follow_up(
    tx: Transaction, ticket: Ticket, text: str, *, by: str, channel: Channel, message_id: str | None
) -> tuple[Ticket, Comment]:
    queue = await service_desk.find_queue(tx.conn, ticket.queue)
    wanted = Wanted(
        subject=ticket.subject,
        text=text,
        channel=channel,
        queue=ticket.queue if queue is not None and queue.active else "default",
        priority=ticket.priority,
        language=ticket.language,
        requester_name=ticket.requester_name,
        requester_email=ticket.requester_email,
        customer_id=ticket.customer_id,
        order_id=ticket.order_id,
        parent=ticket,
        message_id=message_id,
    )
    opened, comment = await open_ticket(tx, wanted, by)
    assert comment is not None
    return opened, comment


async def _order_of(tx: Transaction, order_id: UUID | None, number: str | None) -> store.OrderOf | None:
    if order_id is None and number is None:
        return None
    order = await store.find_order(tx.conn, order_id=order_id, number=number)
    if order is None:
        raise Invalid("no confirmed order is known by this", field="order_id" if order_id else "order_number")
    return order


async def _say(
    tx: Transaction,
    ticket: Ticket,
    text: str,
    author: Author,
    by: str | None,
    channel: Channel,
    *,
    public: bool = True,
    message_id: str | None = None,
) -> Comment:
    comment = Comment(new_id(), ticket.id, None, author, by, public, channel, text, message_id, tx.now)
    await store.insert_comment(tx.conn, comment)
    return comment


def _tell_response(tx: Transaction, ticket: Ticket, clocks: Clocks, by: str) -> None:
    event = TicketResponded(
        ticket_id=ticket.id,
        number=ticket.number,
        priority=ticket.priority,
        queue=ticket.queue,
        by=by,
        **_measured(clocks.get("first_response")),
    )
    tx.emit(event, flow_id=ticket.flow_id, sequence=ticket.version)


def _tell_resolved(tx: Transaction, ticket: Ticket, clocks: Clocks, by: str | None) -> None:
    event = TicketResolved(
        ticket_id=ticket.id,
        number=ticket.number,
        priority=ticket.priority,
        queue=ticket.queue,
        by=by,
        customer_id=ticket.customer_id,
        order_id=ticket.order_id,
        reopened=ticket.reopened,
        **_measured(clocks.get("resolution")),
    )
    tx.emit(event, flow_id=ticket.flow_id, sequence=ticket.version)


def _tell_reopened(tx: Transaction, ticket: Ticket, by: str | None) -> None:
    event = TicketReopened(ticket_id=ticket.id, number=ticket.number, by=by, reopened=ticket.reopened)
    tx.emit(event, flow_id=ticket.flow_id, sequence=ticket.version)


def _measured(clock: Clock | None) -> dict[str, Any]:
    if clock is None or clock.state != "met":
        return {}
    return {
        "policy": clock.policy,
        "policy_version": clock.policy_version,
        "business_minutes": clock.business_minutes,
        "target_minutes": clock.target_minutes,
        "within_target": clock.within_target,
    }


def _due_of(clocks: Clocks, kind: Kind) -> datetime | None:
    clock = clocks.get(kind)
    return None if clock is None else clock.due_at
