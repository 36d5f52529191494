"""The clocks of first responses: started, answered, dropped; apart from the other verbs, since capture, merge and others call it."""

import logging
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError

from lead_svc.domain import first_response as rules
from lead_svc.domain import task as tasks_rules
from lead_svc.domain.first_response import Clock, Dropped, Policy, Why
from lead_svc.domain.lead import Lead
from lead_svc.domain.task import Task
from lead_svc.store import response as store
from lead_svc.store import tasks

logger = logging.getLogger(__name__)
BY = "policy"


async def start(tx: Transaction, leads: Sequence[Lead], bands: Mapping[UUID, str], why: Why = "captured") -> None:
    """(Locked or new) leads that a policy holds for wait for a response from now on, each with a task for its owner."""
    leads = [lead for lead in leads if lead.erased_at is None]
    policies = [policy for policy in await store.list_policies(tx.conn) if policy.active] if leads else []
    if not policies:
        return
    due: dict[str, tuple[datetime, ...] | None] = {}
    clocks: list[Clock] = []
    for lead in leads:
        for policy in rules.matching(policies, lead, bands.get(lead.id), why):
            if policy.code not in due:
                due[policy.code] = _moments(policy, tx.now)
            if (moments := due[policy.code]) is not None:
                clocks.append(rules.started(new_id(), lead.id, policy, moments, why, tx.now))
                break
    if clocks:
        await store.insert_clocks(tx.conn, clocks)
        await tasks.insert_tasks(tx.conn, [_task(clock) for clock in clocks])


async def respond(
    tx: Transaction, lead: Lead, activity: str, *, direction: str | None, by: str | None, occurred_at: datetime
) -> None:
    """Something was done with a (locked) lead: if it is the first response, its clocks stop and their tasks are done."""
    if by is None:
        return
    answered = [
        clock
        for clock in await store.list_running(tx.conn, [lead.id])
        if rules.answers(clock, activity, direction=direction, by=by, occurred_at=occurred_at)
    ]
    for clock in answered:
        policy = await store.get_policy(tx.conn, clock.policy, clock.policy_version)
        done, event = rules.respond(clock, policy, activity=activity, by=by, occurred_at=occurred_at, now=tx.now)
        await store.save_clock(tx.conn, done)
        tx.emit(event, flow_id=lead.flow_id, sequence=lead.version, occurred_at=occurred_at)
    for task in await _open_tasks(tx, answered):
        await tasks.save_task(tx.conn, tasks_rules.complete(task, activity, by, tx.now))


async def drop(tx: Transaction, lead_ids: Collection[UUID], why: Dropped, *, by: str = BY) -> None:
    """Nobody has to get back to these (locked) leads any more."""
    await _drop(tx, await store.list_running(tx.conn, lead_ids), why, by)


async def leave(tx: Transaction, lead_ids: Collection[UUID], why: Dropped, *, by: str) -> None:
    """These (locked) leads are not worked on any more: no response is awaited and nothing is to be done."""
    await drop(tx, lead_ids, why, by=by)
    for task in await tasks.list_open(tx.conn, lead_ids):
        await tasks.save_task(tx.conn, tasks_rules.cancel(task, why, by, tx.now))


async def join(tx: Transaction, survivor_id: UUID, by: str) -> list[str]:
    """Leads became one: of its clocks one runs on, unless the person was answered. The ids of those that ended, for `part`."""
    gone = rules.superfluous(await store.list_clocks(tx.conn, [survivor_id]))
    await _drop(tx, gone, "merged", by)
    return [str(clock.id) for clock in gone]


async def part(tx: Transaction, clock_ids: Sequence[str]) -> None:
    """A merge is undone: the clocks that it ended go on, and so do their tasks."""
    clocks = [
        clock for clock in await store.get_clocks(tx.conn, [UUID(each) for each in clock_ids]) if clock.dropped_by == "merged"
    ]
    for clock in clocks:
        await store.save_clock(tx.conn, rules.resume(clock))
    for task in await tasks.list_of_clocks(tx.conn, [clock.id for clock in clocks]):
        await tasks.save_task(tx.conn, tasks_rules.resume(task, tx.now))


async def _drop(tx: Transaction, clocks: Sequence[Clock], why: Dropped, by: str) -> None:
    for clock in clocks:
        await store.save_clock(tx.conn, rules.drop(clock, why, tx.now))
    for task in await _open_tasks(tx, clocks):
        await tasks.save_task(tx.conn, tasks_rules.cancel(task, why, by, tx.now))


async def _open_tasks(tx: Transaction, clocks: Sequence[Clock]) -> list[Task]:
    found = await tasks.list_of_clocks(tx.conn, [clock.id for clock in clocks]) if clocks else []
    return [task for task in found if task.state == "open"]


def _moments(policy: Policy, now: datetime) -> tuple[datetime, ...] | None:
    """None for a policy whose calendar is broken: it is passed over, since no capture fails by it."""
    try:
        return rules.moments(policy, now)
    except (DomainError, ArithmeticError, LookupError, TypeError, ValueError):
        logger.exception("the policy '%s' of version %d starts no clock", policy.code, policy.version)
        return None


def _task(clock: Clock) -> Task:
    return Task(
        id=new_id(),
        lead_id=clock.lead_id,
        clock_id=clock.id,
        type="call",
        priority="high",
        title="Get back to the lead",
        note=None,
        assignee=None,
        due_at=clock.due_at,
        state="open",
        outcome=None,
        cancel_reason=None,
        overdue_at=None,
        version=1,
        created_by=BY,
        created_at=clock.started_at,
        updated_at=clock.started_at,
        closed_by=None,
        closed_at=None,
    )
