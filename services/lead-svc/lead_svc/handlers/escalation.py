"""What comes due: warnings and breaches of first responses, and tasks that nobody did. Each is told once, late but never lost."""

import logging
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from ltc_chassis import mailroom
from ltc_chassis.db import Transaction, is_down, is_retryable
from ltc_chassis.mailroom import Mail
from ltc_contracts.errors import NotFound

from lead_svc.domain import first_response as rules
from lead_svc.domain.desk import QUEUE, Desk
from lead_svc.domain.first_response import Clock, Policy
from lead_svc.domain.lead import Lead
from lead_svc.handlers import protection
from lead_svc.store import desks, leads, response, tasks
from lead_svc.store.tasks import Owned

logger = logging.getLogger(__name__)
_AGAIN = timedelta(minutes=15)


async def tell_due(tx: Transaction, *, limit: int) -> int:
    """The next clocks of which something is due; one that fails is tried again later and stops no other. Returns how many."""
    due = await response.claim_due(tx.conn, tx.now, limit)
    for clock in due:
        try:
            async with tx.savepoint():
                await _tell(tx, clock)
        except Exception as error:
            if is_down(error) or is_retryable(error):
                raise
            logger.exception("a first response cannot be seen to; it is tried again later")
            # The kind only: what an error says may hold values of a lead.
            await response.postpone(tx.conn, clock.id, tx.now + _AGAIN, type(error).__name__)
    return len(due)


async def remind_overdue(tx: Transaction, *, limit: int) -> int:
    """Tasks whose moment has passed are overdue, and who should have done them is reminded once. Returns how many.

    Of a first response the policy says who is told, so its task is only marked.
    """
    due = await tasks.claim_overdue(tx.conn, tx.now, limit)
    for owned in due:
        if owned.task.clock_id is None:
            await _remind(tx, owned)
    await tasks.mark_overdue(tx.conn, [owned.task.id for owned in due], tx.now)
    return len(due)


async def _tell(tx: Transaction, clock: Clock) -> None:
    """Everything of a clock that is due, in order. A warning that comes after the target itself is kept, but mailed to nobody."""
    policy = await response.get_policy(tx.conn, clock.policy, clock.policy_version)
    while clock.next_at is not None and clock.moments[clock.position] <= tx.now:
        lead = await leads.get_lead(tx.conn, clock.lead_id)
        level, due_at = clock.level, clock.moments[clock.position]
        if level == 0:
            await _warn(tx, clock, lead, due_at)
        else:
            await _escalate(tx, clock, policy, lead, level, due_at)
        clock = rules.passed(clock)
    await response.save_clock(tx.conn, clock)


async def _warn(tx: Transaction, clock: Clock, lead: Lead, due_at: datetime) -> None:
    desk = await _desk(tx, *(("rep", lead.owner) if lead.owner else ("queue", QUEUE)))
    mailed = False
    if clock.due_at > tx.now:
        mailed = await _mail(tx, desk, f"{clock.id}/warning", f"Get back to a lead by {_when(clock.due_at, desk)}", clock, lead)
    await response.insert_notice(
        tx.conn,
        clock,
        level=0,
        due_at=due_at,
        now=tx.now,
        to=desk.called if desk else lead.owner,
        owner=lead.owner,
        mailed=mailed,
        to_pool=False,
    )


async def _escalate(tx: Transaction, clock: Clock, policy: Policy, lead: Lead, level: int, due_at: datetime) -> None:
    step = policy.steps[level - 1]
    whom = rules.desk_of(step, lead.owner, await desks.team_of(tx.conn, lead.owner) if step.to == "team" else None)
    desk = await _desk(tx, *whom) if whom is not None else None
    to = desk.called if desk is not None else whom[1] if whom is not None else None
    mailed = False
    if step.mail:
        mailed = await _mail(
            tx, desk, f"{clock.id}/{level}", f"Nobody got back to a lead by {_when(clock.due_at, desk)}", clock, lead
        )
    tx.emit(
        rules.breached(clock, policy, level, due_at, owner=lead.owner, to=to),
        flow_id=lead.flow_id,
        sequence=lead.version,
        occurred_at=due_at,
    )
    to_pool = step.to_pool and await _to_pool(tx, lead)
    await response.insert_notice(
        tx.conn, clock, level=level, due_at=due_at, now=tx.now, to=to, owner=lead.owner, mailed=mailed, to_pool=to_pool
    )


async def _to_pool(tx: Transaction, lead: Lead) -> bool:
    """Whether the lead was somebody's and is anybody's now; what sales has stays with sales."""
    if lead.owner is None or not lead.is_open:
        return False
    try:
        await protection.hand_back(tx, lead.id, lead.owner, for_others=True)
    except NotFound:
        return False  # its protection is on a duplicate, or ends at this moment anyway
    return True


async def _remind(tx: Transaction, owned: Owned) -> None:
    task, whose = owned.task, owned.task.assignee or owned.owner
    desk = await _desk(tx, *(("rep", whose) if whose else ("queue", QUEUE)))
    if desk is None or desk.email is None:
        return
    # What the task says may be about a person, and stays here.
    mail = Mail(
        to=desk.email,
        subject=f"A task is overdue since {_when(task.due_at, desk)}",
        text=f"A task ({task.type}, {task.priority}) for the lead {task.lead_id} was due {_when(task.due_at, desk)}.\n\n"
        f"Task {task.id}\n",
        kind="task",
        dedupe_key=f"task/{task.id}/{task.due_at.isoformat()}",
        about=f"task/{task.id}",
    )
    await mailroom.post(tx, mail)


async def _mail(tx: Transaction, desk: Desk | None, key: str, subject: str, clock: Clock, lead: Lead) -> bool:
    """Whether there is an address to write to. Nothing personal is in it, so an erasure need not look for it."""
    if desk is None or desk.email is None:
        return False
    mail = Mail(
        to=desk.email,
        subject=subject,
        text=f"The lead {lead.id} ({lead.source}) waits for a first response since {_when(clock.started_at, desk)}.\n"
        f"It is due {_when(clock.due_at, desk)} by the policy {clock.policy}.\n\n"
        f"Owner: {lead.owner or 'nobody; it is in the pool'}\n",
        kind="first-response",
        dedupe_key=f"first-response/{key}",
        about=f"first-response/{clock.id}",
    )
    await mailroom.post(tx, mail)
    return True


async def _desk(tx: Transaction, kind: rules.To, name: str) -> Desk | None:
    return await desks.find_desk(tx.conn, kind, name)


def _when(moment: datetime, desk: Desk | None) -> str:
    """In the time zone of who reads it."""
    zone = ZoneInfo(desk.calendar["timezone"]) if desk is not None and desk.calendar is not None else UTC
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M %Z}"
