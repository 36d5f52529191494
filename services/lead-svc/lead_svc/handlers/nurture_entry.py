"""Leads enter journeys, by a rule or by hand, and are taken out by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.events import NurtureEnrolled
from ltc_rules import conditions

from lead_svc.domain import nurture as rules
from lead_svc.domain.lead import Lead, nurture
from lead_svc.domain.nurture import How, Plan, Refusal
from lead_svc.domain.score import Rule
from lead_svc.handlers import nurture_exit
from lead_svc.handlers.nurture_facts import refusals, values_now
from lead_svc.store import journeys, leads, protection
from lead_svc.store import nurture as store
from lead_svc.store.journeys import Version
from lead_svc.store.nurture import Enrolment

_SCAN_AGAIN = timedelta(hours=1)


async def enrol(tx: Transaction, version: Version, lead_ids: Sequence[UUID], how: How, by: str) -> dict[UUID, Refusal | UUID]:
    """Leads enter an active version; per lead the enrolment's id, or why it does not enter. The caller holds the version.

    Each lead is locked, in the order of the ids.
    """
    plan = rules.plan_of(version.body)
    wanted = sorted(set(lead_ids))
    await protection.lock_leads(tx.conn, wanted)
    known = {lead.id: lead for lead in await leads.get_leads(tx.conn, wanted)}
    refused = await refusals(tx, list(known.values()))
    past = await store.past_of(tx.conn, version.journey_id, wanted)
    answers: dict[UUID, Refusal | UUID] = {}
    made: list[Enrolment] = []
    for lead_id in wanted:
        lead = known.get(lead_id)
        refusal = "no_lead" if lead is None else refused.get(lead_id) or _again(plan, past.get(lead_id), tx.now)
        if lead is None or refusal is not None:
            answers[lead_id] = refusal or "no_lead"
            continue
        made.append(_enrolment(version, plan, lead, how, by, tx.now))
        answers[lead_id] = made[-1].id
    await store.insert_enrolments(tx.conn, made)
    await leads.save_leads(tx.conn, [nurture(known[each.lead_id], tx.now) for each in made])
    for each in made:
        event = NurtureEnrolled(enrolment_id=each.id, lead_id=each.lead_id, journey=each.code, version=each.version, how=how)
        tx.emit(event, flow_id=each.flow_id, sequence=1)
    return answers


async def enter_due(tx: Transaction, *, limit: int) -> int:
    """Leads whom an entry rule takes: new ones and those that did something at once, all others within an hour or so.

    What commits out of the order of its ids may be passed by at first; the look at all finds it. Returns how many were looked at.
    """
    looked = 0
    for scan in await journeys.claim_scans(tx.conn):
        version = await journeys.find_active(tx.conn, scan["id"])
        if version is None:
            continue
        new = await journeys.new_leads(tx.conn, scan["lead_cursor"], limit)
        active = await journeys.new_activities(tx.conn, scan["activity_cursor"], limit)
        full_is_due = tx.now >= scan["full_due_at"]
        full = await journeys.new_leads(tx.conn, scan["full_cursor"], limit) if full_is_due else []
        over = full_is_due and len(full) < limit
        if not (new or active or full_is_due):
            continue
        await journeys.save_scan(
            tx.conn,
            scan["id"],
            lead_cursor=new[-1] if new else scan["lead_cursor"],
            activity_cursor=active[-1][0] if active else scan["activity_cursor"],
            full_cursor=None if over else full[-1] if full else scan["full_cursor"],
            full_due_at=tx.now + _SCAN_AGAIN if over else scan["full_due_at"],
        )
        looked += len(new) + len(active) + len(full)
        fitting = await _fitting(tx, version, {*new, *full, *(lead_id for _, lead_id in active)})
        if fitting:
            await enrol(tx, version, fitting, "rule", "entry rule")
            # The locks of one journey are enough for a transaction: leads are locked in the order of their ids.
            break
    return looked


async def end(tx: Transaction, enrolment_id: UUID) -> Enrolment:
    """A person takes a lead out of a journey. Raises `NotFound`, `EnrolmentOver`."""
    known = await store.get_enrolment(tx.conn, enrolment_id)
    await leads.get_lead_for_update(tx.conn, known.lead_id)
    ended = await store.end_enrolments(tx.conn, "by_hand", tx.now, enrolment_id=enrolment_id)
    if not ended:
        raise rules.EnrolmentOver(f"it ended before: {known.ended_by}")
    await nurture_exit.settle(tx, ended)
    return ended[0]


async def _fitting(tx: Transaction, version: Version, lead_ids: set[UUID]) -> list[UUID]:
    """Those of the leads for whom the entry rule of a version holds, without those that cannot enter."""
    plan = rules.plan_of(version.body)
    if plan.entry is None or not lead_ids:
        return []
    some = [lead for lead in await leads.get_leads(tx.conn, sorted(lead_ids)) if lead.is_open]
    refused = await refusals(tx, some)
    past = await store.past_of(tx.conn, version.journey_id, [lead.id for lead in some])
    some = [lead for lead in some if lead.id not in refused and _again(plan, past.get(lead.id), tx.now) is None]
    rule: Rule = await leads.get_rule(tx.conn, tx.now)
    done = await leads.activities_of(tx.conn, [lead.id for lead in some])
    return [lead.id for lead in some if conditions.holds(plan.entry, values_now(lead, done[lead.id], rule, {}, tx.now))]


def _again(plan: Plan, past: tuple[bool, datetime | None] | None, now: datetime) -> Refusal | None:
    if past is None:
        return None
    running, ended_at = past
    if running:
        return "running"
    waited = plan.again_after is not None and ended_at is not None and now - ended_at >= plan.again_after
    return None if waited else "before"


def _enrolment(version: Version, plan: Plan, lead: Lead, how: How, by: str, now: datetime) -> Enrolment:
    return Enrolment(
        id=new_id(),
        journey_id=version.journey_id,
        code=version.code,
        version=version.version,
        lead_id=lead.id,
        flow_id=lead.flow_id,
        how=how,
        enrolled_by=by,
        enrolled_at=now,
        state="running",
        position=0,
        due_at=rules.due_at(plan, 0, now),
        held=False,
        mails=0,
        ended_by=None,
        ended_at=None,
    )
