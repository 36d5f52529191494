"""The clocks of tickets: started, paused, met; and what is told when a target passes, each level once, late but never lost."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import Mail
from ltc_contracts.events import TicketEscalated

from delivery_svc.domain import ticket_clock as rules
from delivery_svc.domain.ticket import Ticket
from delivery_svc.domain.ticket_clock import Clock, Kind, Policy
from delivery_svc.store import service_desk, tickets
from delivery_svc.store import ticket_clocks as store

logger = logging.getLogger(__name__)
_AGAIN = timedelta(minutes=15)


async def start(tx: Transaction, ticket: Ticket) -> tuple[Ticket, dict[Kind, Clock]]:
    """A new ticket is waited for from now on, by the first policy that holds for each target."""
    policies = await store.list_policies(tx.conn)
    clocks: dict[Kind, Clock] = {}
    for kind in rules.KINDS:
        policy = rules.holding(policies, kind, ticket.queue, ticket.priority)
        if policy is not None:
            clocks[kind] = rules.started(new_id(), ticket, kind, policy, tx.now)
            await store.insert_clock(tx.conn, clocks[kind])
    return _due(ticket, clocks), clocks


async def follow(tx: Transaction, before: Ticket, after: Ticket) -> tuple[Ticket, dict[Kind, Clock]]:
    """The clocks of a (locked) ticket after a move: they rest while nobody of us has to act, and go on when we have.

    What was due before the move is told first, so that no breach is lost by a late timer. `after.due_at` is set.
    """
    clocks: dict[Kind, Clock] = {}
    policies = await store.list_policies(tx.conn) if (before.queue, before.priority) != (after.queue, after.priority) else None
    for clock in await store.list_clocks(tx.conn, [before.id]):
        policy = await store.get_policy(tx.conn, clock.policy, clock.policy_version)
        told = await _tell(tx, clock, policy, before) if clock.state == "running" else clock
        turned = told
        if policies is not None and told.is_open:
            other = rules.holding(policies, told.kind, after.queue, after.priority)
            if other is not None and (other.code, other.version) != (policy.code, policy.version):
                turned, policy = rules.retargeted(told, policy, other, tx.now), other
        turned = _turned(turned, policy, before, after, tx.now)
        if turned != clock:
            await store.save_clock(tx.conn, turned)
        clocks[turned.kind] = turned
    return _due(after, clocks), clocks


async def tell_due(tx: Transaction, *, limit: int) -> int:
    """The next clocks of which something is due; one that fails is tried again later and stops no other. Returns how many."""
    due = await store.claim_due(tx.conn, tx.now, limit)
    for clock in due:
        try:
            async with tx.savepoint():
                ticket = await tickets.get_ticket(tx.conn, clock.ticket_id)
                policy = await store.get_policy(tx.conn, clock.policy, clock.policy_version)
                await store.save_clock(tx.conn, await _tell(tx, clock, policy, ticket))
        except Exception as error:
            if is_down(error) or is_retryable(error):
                raise
            logger.exception("a clock of a ticket cannot be seen to; it is tried again later")
            await store.postpone(tx.conn, clock.id, tx.now + _AGAIN, type(error).__name__)
    return len(due)


def _turned(clock: Clock, policy: Policy, before: Ticket, after: Ticket, now: datetime) -> Clock:
    """What the move of its ticket does to a clock."""
    if clock.kind == "first_response":
        if clock.is_open and after.responded_at is not None:
            return rules.met(clock, policy, now)
        # The customer says that it is solved, it is merged or was nothing: nobody is to be answered any more.
        return rules.dropped(clock, now) if clock.is_open and after.state in ("resolved", "closed") else clock
    if clock.is_open and after.state == "resolved":
        return rules.met(clock, policy, now)
    if clock.is_open and after.state == "closed":
        return rules.dropped(clock, now)
    if clock.state == "running" and after.state == "waiting":
        return rules.paused(clock, policy, now)
    if clock.state in ("paused", "met") and before.rests and not after.rests:
        return rules.resumed(clock, policy, now)
    return clock


def _due(ticket: Ticket, clocks: dict[Kind, Clock]) -> Ticket:
    return replace(ticket, due_at=min((clock.due_at for clock in clocks.values() if clock.due_at is not None), default=None))


async def _tell(tx: Transaction, clock: Clock, policy: Policy, ticket: Ticket) -> Clock:
    """Everything of a running clock that is due, in order, each level with its own moment."""
    clock = rules.set_again(clock, policy)
    while clock.next_at is not None and clock.next_at <= tx.now:
        level, due_at = clock.position, clock.next_at
        whom = "assignee" if level == 0 else policy.steps_of(clock.kind)[level - 1].to
        by_mail = level == 0 or policy.steps_of(clock.kind)[level - 1].mail
        to, address = await _desk(tx, ticket, whom) if whom is not None else (None, None)
        mailed = False
        # A warning that comes after the target itself is kept, but mailed to nobody.
        if by_mail and address is not None and not (level == 0 and clock.due_at is not None and clock.due_at <= tx.now):
            await mailroom.post(tx, _letter(clock, policy, ticket, level, address))
            mailed = True
        if level:
            tx.emit(
                TicketEscalated(
                    ticket_id=ticket.id,
                    number=ticket.number,
                    clock=clock.kind,
                    level=level,
                    due_at=due_at,
                    priority=ticket.priority,
                    queue=ticket.queue,
                    assignee=ticket.assignee,
                    escalate_to=to,
                    policy=policy.code,
                    policy_version=policy.version,
                    target_minutes=clock.target_minutes,
                ),
                flow_id=ticket.flow_id,
                sequence=ticket.version,
                occurred_at=due_at,
            )
        await store.insert_notice(tx.conn, clock, level=level, due_at=due_at, now=tx.now, to=to, mailed=mailed)
        clock = rules.passed(clock, policy)
    return clock


async def _desk(tx: Transaction, ticket: Ticket, whom: rules.To | str) -> tuple[str | None, str | None]:
    """Who is told, and their address. What nobody has is told to the queue's lead, and without one to its team."""
    queue = await service_desk.find_queue(tx.conn, ticket.queue)
    subject = ticket.assignee if whom == "assignee" else None
    if subject is None and whom in ("assignee", "lead") and queue is not None:
        subject = queue.lead
    if subject is not None:
        agent = await service_desk.find_agent(tx.conn, subject)
        return subject, agent.email if agent is not None and agent.active else None
    return ticket.queue, None if queue is None else queue.alerts_to


def _letter(clock: Clock, policy: Policy, ticket: Ticket, level: int, address: str) -> Mail:
    """Nothing that the customer said is in it."""
    what = "first response" if clock.kind == "first_response" else "resolution"
    due = clock.due_at or clock.started_at
    when = f"{due.astimezone(ZoneInfo(policy.calendar['timezone'])):%Y-%m-%d %H:%M %Z}"
    said = "is due" if level == 0 else "was due"
    return Mail(
        to=address,
        subject=f"Ticket {ticket.number}: the {what} {said} {when}",
        text=f"Ticket {ticket.number} ({ticket.priority}, queue {ticket.queue}): the {what} {said} {when} by the policy "
        f"{policy.code}.\n\nAssignee: {ticket.assignee or 'nobody yet'}\n",
        kind="ticket-escalation",
        headers={"Auto-Submitted": "auto-generated"},
        dedupe_key=f"ticket-clock/{clock.id}/{level}",
        about=f"ticket/{ticket.id}",
    )
