"""The verbs of the activity log: what people did with a lead is written down, counts where the rules say so, and may be the first response."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import ActivityLogged

from lead_svc.domain import activity_log as rules
from lead_svc.domain import lead as lead_rules
from lead_svc.domain.activity_log import Direction, Entry, Type
from lead_svc.domain.first_response import ANSWERS
from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Activity
from lead_svc.domain.task import Task
from lead_svc.handlers import first_response, protection
from lead_svc.handlers import leads as lead_handlers
from lead_svc.store import activity_log as store
from lead_svc.store import leads, outcomes


class Logged(NamedTuple):
    """What was written down, and the lead as it is then."""

    entry: Entry
    lead: Lead


async def log(
    tx: Transaction,
    lead_id: UUID,
    *,
    type: Type,
    direction: Direction | None,
    subject: str | None,
    note: str | None,
    outcome: str | None,
    occurred_at: datetime | None,
    by: str,
    task_id: UUID | None = None,
) -> Logged:
    """Something was done with a lead, now or before. What the lead did in it is scored; what we did protects as the policy says.

    Raises `NotFound`, `Invalid`, `LeadErased`.
    """
    lead = await leads.get_living_for_update(tx.conn, lead_id)
    lead_rules.require_known(lead)
    entry = Entry(
        id=new_id(),
        lead_id=lead.id,
        activity_id=None,
        task_id=task_id,
        type=type,
        direction=direction,
        subject=subject,
        note=note,
        outcome=outcome,
        occurred_at=occurred_at or tx.now,
        recorded_by=by,
        recorded_at=tx.now,
    )
    rules.check(entry)
    code = rules.engagement(entry)
    if code is not None:
        entry = entry.scored(new_id())
        lead = await lead_handlers.add_activity(
            tx, lead.id, Activity(code, entry.occurred_at), by=by, direction=direction, activity_id=entry.activity_id
        )
    elif type != "note":
        lead = await _contact(tx, lead, entry)
    await store.insert_entry(tx.conn, entry)
    return Logged(entry, lead)


async def log_task(tx: Transaction, task: Task, by: str) -> None:
    """A task was done: a call, mail or meeting is written down; that of a first response is one, whatever was done."""
    lead = await leads.get_lead(tx.conn, task.lead_id)
    if lead.erased_at is not None:
        return
    if task.clock_id is not None:
        await first_response.respond(tx, lead, "task", direction=None, by=by, occurred_at=tx.now)
    if task.type == "todo":
        return
    await log(
        tx,
        lead.id,
        type=task.type,
        direction=None if task.type == "meeting" else "outbound",
        subject=task.title,
        note=None,
        outcome=task.outcome,
        occurred_at=None,
        by=by,
        task_id=task.id,
    )


async def logged_in_sales(tx: Transaction, event: ActivityLogged, flow_id: UUID | None, at: datetime) -> None:
    """Sales called, wrote to or met somebody whose lead it was: that may be the first response."""
    if flow_id is None or event.type not in ANSWERS:
        return
    lead_id = await outcomes.find_lead_of_flow(tx.conn, flow_id)
    if lead_id is not None:
        lead = await leads.get_living_for_update(tx.conn, lead_id)
        await first_response.respond(tx, lead, event.type, direction="outbound", by=event.by, occurred_at=at)


async def _contact(tx: Transaction, lead: Lead, entry: Entry) -> Lead:
    """We did something: the lead is contacted, protected for longer where the policy counts this, and answered."""
    contacted = lead_rules.contact(lead, tx.now)
    if contacted is not lead:
        await leads.save_lead(tx.conn, contacted)
    await protection.extend(tx, lead.id, entry.type, entry.occurred_at)
    await first_response.respond(
        tx, contacted, entry.type, direction=entry.direction, by=entry.recorded_by, occurred_at=entry.occurred_at
    )
    return contacted
