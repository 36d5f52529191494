"""Tickets: what a customer wants, from the first word until it is closed. Which state a move leads to stands in `TRANSITIONS`."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from ltc_contracts.errors import DomainError, Invalid, NotFound, VersionConflict, WrongTransition

State = Literal["new", "open", "waiting", "on_hold", "resolved", "closed"]
Priority = Literal["urgent", "high", "normal", "low"]
Channel = Literal["api", "mail", "portal"]
Language = Literal["en", "zh"]
Author = Literal["customer", "agent", "other"]
# What one of us decides; the other moves follow from what happens.
Move = Literal["wait", "hold", "resume", "resolve", "reopen", "close"]
Happening = Literal["assign", "unassign", "answer", "reply", "solved", "merge"]
TRANSITIONS: dict[tuple[State, Move | Happening], State] = {
    ("new", "assign"): "open",
    ("open", "assign"): "open",
    ("waiting", "assign"): "waiting",
    ("on_hold", "assign"): "on_hold",
    ("resolved", "assign"): "resolved",
    ("open", "unassign"): "open",
    ("waiting", "unassign"): "waiting",
    ("on_hold", "unassign"): "on_hold",
    ("resolved", "unassign"): "resolved",
    ("new", "answer"): "open",
    ("open", "answer"): "open",
    ("waiting", "answer"): "waiting",
    ("on_hold", "answer"): "on_hold",
    ("resolved", "answer"): "resolved",
    # The customer said something: what waited for it goes on, what was done comes back.
    ("new", "reply"): "new",
    ("open", "reply"): "open",
    ("waiting", "reply"): "open",
    ("on_hold", "reply"): "open",
    ("resolved", "reply"): "open",
    ("open", "wait"): "waiting",
    ("on_hold", "wait"): "waiting",
    ("new", "hold"): "on_hold",
    ("open", "hold"): "on_hold",
    ("waiting", "hold"): "on_hold",
    ("waiting", "resume"): "open",
    ("on_hold", "resume"): "open",
    ("new", "resolve"): "resolved",
    ("open", "resolve"): "resolved",
    ("waiting", "resolve"): "resolved",
    ("on_hold", "resolve"): "resolved",
    ("new", "solved"): "resolved",
    ("open", "solved"): "resolved",
    ("waiting", "solved"): "resolved",
    ("on_hold", "solved"): "resolved",
    ("resolved", "reopen"): "open",
    ("resolved", "close"): "closed",
    # Nothing to answer (spam): it counts neither as answered nor as resolved.
    ("new", "close"): "closed",
    ("open", "close"): "closed",
    ("new", "merge"): "closed",
    ("open", "merge"): "closed",
    ("waiting", "merge"): "closed",
    ("on_hold", "merge"): "closed",
    ("resolved", "merge"): "closed",
}
# In these nobody of us has anything to do, so no time of ours passes.
RESTING: frozenset[State] = frozenset({"waiting", "resolved", "closed"})
WORKED_ON: tuple[State, ...] = ("new", "open", "waiting", "on_hold")


class TicketNotFound(NotFound):
    """There is no such ticket."""


class NotAnsweredYet(DomainError):
    """Nobody waits for a customer who was never answered, and nothing is resolved without a word: write to them first."""


class ReopenTooLate(DomainError):
    """The days in which it may be opened again are over; open another ticket that follows it."""


class CannotMerge(DomainError):
    """A ticket is merged into another one that is not closed."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """One ticket. `close_at` is when a resolved one is closed for good; `due_at` the next target of its clocks."""

    id: UUID
    flow_id: UUID
    version: int
    number: str
    state: State
    channel: Channel
    priority: Priority
    queue: str
    assignee: str | None
    subject: str
    requester_name: str | None
    requester_email: str | None
    language: Language
    customer_id: UUID | None
    order_id: UUID | None
    order_number: str | None
    external_ref: str | None
    parent_id: UUID | None
    merged_into: UUID | None
    reopened: int
    created_by: str
    created_at: datetime
    updated_at: datetime
    responded_at: datetime | None = None
    resolved_at: datetime | None = None
    close_at: datetime | None = None
    closed_at: datetime | None = None
    due_at: datetime | None = None

    @property
    def rests(self) -> bool:
        return self.state in RESTING


@dataclass(frozen=True, slots=True)
class Comment:
    """Something said in a ticket. `told_to` is where, if that ticket was merged into this one."""

    id: UUID
    ticket_id: UUID
    told_to: UUID | None
    author: Author
    by: str | None
    public: bool
    channel: Channel
    text: str
    message_id: str | None
    created_at: datetime


def number_of(year: int, drawn: int) -> str:
    """T-2026-000001."""
    return f"T-{year}-{drawn:06d}"


def expect(ticket: Ticket, version: int | None) -> None:
    """Raises `VersionConflict` when the ticket was changed since it was read."""
    if version is not None and version != ticket.version:
        raise VersionConflict(f"ticket {ticket.number}", ticket.version)


def moved(ticket: Ticket, move: Move | Happening, now: datetime, *, reopen_days: int = 0) -> Ticket:
    """The ticket after a move. Raises `WrongTransition`, `NotAnsweredYet`, `ReopenTooLate`."""
    state = TRANSITIONS.get((ticket.state, move))
    if state is None:
        raise WrongTransition(f"ticket {ticket.number}", ticket.state, move)
    if move in ("wait", "resolve") and ticket.responded_at is None:
        raise NotAnsweredYet("the customer was not answered yet; write to them first")
    back = ticket.state == "resolved" and state == "open"
    if back and is_over(ticket, now):
        raise ReopenTooLate("it was resolved too long ago to be opened again")
    done = move in ("resolve", "solved")
    return replace(
        ticket,
        version=ticket.version + 1,
        updated_at=now,
        state=state,
        reopened=ticket.reopened + back,
        resolved_at=now if done else None if back else ticket.resolved_at,
        close_at=now + timedelta(days=reopen_days) if done else ticket.close_at if state == "resolved" else None,
        closed_at=now if state == "closed" else None,
    )


def is_over(ticket: Ticket, now: datetime) -> bool:
    """Whether a reply comes too late to open it again, however late the timer is that closes it."""
    return ticket.state == "closed" or (ticket.close_at is not None and now >= ticket.close_at)


def assigned(ticket: Ticket, to: str | None, now: datetime) -> Ticket:
    """Given to one of us, or put back. Raises `WrongTransition`."""
    return replace(moved(ticket, "assign" if to is not None else "unassign", now), assignee=to)


def merged(ticket: Ticket, into: Ticket, now: datetime) -> Ticket:
    """The ticket that ends. Raises `CannotMerge`, `WrongTransition`."""
    if ticket.id == into.id:
        raise CannotMerge("a ticket cannot be merged into itself", field="into_id")
    if into.state == "closed":
        raise CannotMerge(f"ticket {into.number} is closed", field="into_id")
    return replace(moved(ticket, "merge", now), merged_into=into.id)


def shows_to_customer(ticket: Ticket, into: Ticket) -> bool:
    """What was said to one person must not be shown to another: only a ticket of the same address stays public when merged."""
    return ticket.requester_email is not None and _key(ticket.requester_email) == _key(into.requester_email or "")


def is_requester(ticket: Ticket, address: str) -> bool:
    return ticket.requester_email is not None and _key(ticket.requester_email) == _key(address)


def changed(ticket: Ticket, given: dict[str, Any], now: datetime) -> Ticket:
    """Other words, another queue, priority, person or order. Raises `Invalid`, `WrongTransition` for a closed one."""
    if ticket.state == "closed":
        raise WrongTransition(f"ticket {ticket.number}", ticket.state, "change")
    for name in ("subject", "priority", "queue", "language"):
        if name in given and given[name] is None:
            raise Invalid("cannot be cleared", field=name)
    after = replace(ticket, **given)
    return ticket if after == ticket else replace(after, version=ticket.version + 1, updated_at=now)


def _key(address: str) -> str:
    return address.strip().lower()
