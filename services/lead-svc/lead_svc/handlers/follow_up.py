"""The verbs of follow-up: desks, policies of the first response, tasks. Lock order: the lead, then its clocks and tasks."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_chassis.mailroom import check_address
from ltc_contracts.errors import Invalid, VersionConflict
from ltc_rules.calendar import Calendar, calendar_of

from lead_svc.domain import desk as desk_rules
from lead_svc.domain import first_response as policy_rules
from lead_svc.domain import lead as lead_rules
from lead_svc.domain import task as rules
from lead_svc.domain.desk import Desk
from lead_svc.domain.first_response import Policy
from lead_svc.domain.task import Priority, Task, Type
from lead_svc.handlers import activity_log
from lead_svc.store import desks, leads, response, tasks
from lead_svc.store.tasks import Owned


async def put_desk(tx: Transaction, desk: Desk, *, expected: int | None) -> Desk:
    """Enter a desk, or its next version; `desk.version` is not read. Raises `Invalid`, `BadAddress`, `VersionConflict`."""
    desk_rules.check(desk)
    if desk.email is not None:
        check_address(desk.email, field="email")
    known = await desks.find_desk(tx.conn, desk.kind, desk.name)
    made = replace(desk, version=_next("the desk", known.version if known else 0, expected))
    if not await desks.insert_desk(tx.conn, made):
        raise VersionConflict("the desk", made.version)
    return made


async def put_policy(tx: Transaction, policy: Policy, by: str, *, expected: int | None) -> Policy:
    """Enter a policy, or its next version, for clocks that start from now on; `policy.version` is not read.

    Raises `Invalid`, `VersionConflict`.
    """
    policy = replace(policy, steps=policy_rules.whole(policy.steps))
    policy_rules.check(policy, await custom_fields.load(tx.conn, "lead"), tx.now)
    await response.lock_policies(tx.conn)
    known = await response.find_policy(tx.conn, policy.code)
    if known is None and len(await response.list_policies(tx.conn)) >= policy_rules.MOST_POLICIES:
        raise Invalid(f"at most {policy_rules.MOST_POLICIES} policies", field="code")
    made = replace(policy, version=_next("the policy", known.version if known else 0, expected))
    await response.insert_policy(tx.conn, made, by=by, now=tx.now)
    return made


async def add_task(
    tx: Transaction,
    lead_id: UUID,
    *,
    type: Type,
    priority: Priority,
    title: str,
    note: str | None,
    assignee: str | None,
    due_at: datetime | None,
    business_minutes: int | None,
    by: str,
) -> Owned:
    """Something is to be done for a lead; without an assignee by its owner. Raises `NotFound`, `Invalid`, `LeadErased`."""
    lead = await leads.get_living_for_update(tx.conn, lead_id)
    lead_rules.require_known(lead)
    hours = await _hours(tx, assignee or lead.owner)
    task = Task(
        id=new_id(),
        lead_id=lead.id,
        clock_id=None,
        type=type,
        priority=priority,
        title=title,
        note=note,
        assignee=assignee,
        due_at=desk_rules.due(hours, tx.now, due_at=due_at, business_minutes=business_minutes),
        state="open",
        outcome=None,
        cancel_reason=None,
        overdue_at=None,
        version=1,
        created_by=by,
        created_at=tx.now,
        updated_at=tx.now,
        closed_by=None,
        closed_at=None,
    )
    await tasks.insert_tasks(tx.conn, [task])
    return Owned(task, lead.owner)


async def change_task(
    tx: Transaction,
    task_id: UUID,
    given: Mapping[str, Any],
    *,
    due_at: datetime | None,
    business_minutes: int | None,
    expected: int,
) -> Owned:
    """What is named changes, of the version that was read; a new due moment is one at which the assignee is there."""
    task, owner = await _task(tx, task_id, expected)
    if due_at is not None or business_minutes is not None:
        hours = await _hours(tx, given.get("assignee", task.assignee) or owner)
        given = {**given, "due_at": desk_rules.due(hours, tx.now, due_at=due_at, business_minutes=business_minutes)}
    changed = rules.change(task, given, tx.now)
    if changed is not task:
        await tasks.save_task(tx.conn, changed)
    return Owned(changed, owner)


async def complete_task(tx: Transaction, task_id: UUID, outcome: str | None, by: str, *, expected: int | None) -> Owned:
    """Done. A call, mail or meeting is one of the lead's activities by that, and may be the first response."""
    task, _ = await _task(tx, task_id, expected)
    done = rules.complete(task, outcome, by, tx.now)
    await tasks.save_task(tx.conn, done)
    await activity_log.log_task(tx, done, by)
    return await tasks.get_task(tx.conn, task_id)


async def cancel_task(tx: Transaction, task_id: UUID, reason: str, by: str, *, expected: int | None) -> Owned:
    """Not to be done any more. That of a first response is awaited as long as its clock runs, and cannot be cancelled."""
    task, owner = await _task(tx, task_id, expected)
    if task.clock_id is not None and task.state == "open":
        raise rules.OwnersTask("a first response is awaited; respond, or disqualify the lead")
    cancelled = rules.cancel(task, reason, by, tx.now)
    await tasks.save_task(tx.conn, cancelled)
    return Owned(cancelled, owner)


async def _task(tx: Transaction, task_id: UUID, expected: int | None) -> Owned:
    owned = await tasks.get_task_for_update(tx.conn, task_id)
    if expected is not None and owned.task.version != expected:
        raise VersionConflict("the task", owned.task.version)
    return owned


async def _hours(tx: Transaction, whose: str | None) -> Calendar | None:
    """When who does it is there; None where nobody said."""
    desk = await desks.find_desk(tx.conn, "rep", whose) if whose else None
    if desk is None or desk.calendar is None:
        desk = await desks.find_desk(tx.conn, "queue", desk_rules.QUEUE)
    return calendar_of(desk.calendar) if desk is not None and desk.calendar is not None else None


def _next(what: str, version: int, expected: int | None) -> int:
    if version != (expected or 0):
        raise VersionConflict(what, version)
    return version + 1
