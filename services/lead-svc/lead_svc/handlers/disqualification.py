"""The verbs of leads that are not pursued: for good, as junk, or until they are nurtured again; and the list of reasons."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound, WrongTransition

from lead_svc.domain import disqualification as rules
from lead_svc.domain import lead as leads_rules
from lead_svc.domain.disqualification import Disqualification, OpportunityOpen, Reason, ReasonExists, StaleVersion
from lead_svc.domain.lead import Lead
from lead_svc.handlers import first_response, nurture_exit, protection
from lead_svc.store import disqualification as store
from lead_svc.store import leads, outcomes, segments

_MOST_REASONS = 500


async def disqualify(tx: Transaction, lead_id: UUID, code: str | None, text: str | None, by: str) -> Lead:
    """The lead is not pursued, by a reason of the list or in a person's words. Raises `Invalid`, `ReasonArchived`, `WrongTransition`."""
    reason = await _reason(tx, code, text)
    lead = await leads.get_lead_for_update(tx.conn, lead_id)
    leads_rules.require_known(lead)
    if not lead.is_open and reason.kind == "recycle":
        raise WrongTransition("the lead", lead.status, "disqualify")  # what sales has goes back by `recycle`
    return await decide(tx, lead, reason, text or reason.label, by, rules.return_of(reason, tx.now))


async def recycle(tx: Transaction, lead_id: UUID, code: str, text: str | None, wait_days: int | None, by: str) -> Lead:
    """Sales rejects the lead for now, or it was given up too early: after a wait it is nurtured again. Raises `OpportunityOpen`."""
    reason = await _reason(tx, code, None)
    rules.require_usable(reason, ("recycle",))
    lead = await leads.get_lead_for_update(tx.conn, lead_id)
    leads_rules.require_known(lead)
    if any(row["state"] == "open" for row in await outcomes.list_opportunities(tx.conn, lead_id)):
        raise OpportunityOpen("sales works on this lead; the opportunity is lost first, with a reason")
    return await decide(tx, lead, reason, text or reason.label, by, rules.return_of(reason, tx.now, wait_days))


async def decide(
    tx: Transaction,
    lead: Lead,
    reason: Reason,
    text: str,
    by: str,
    returns_at: datetime | None,
    opportunity_id: UUID | None = None,
) -> Lead:
    """A (locked) lead leaves the way to sales; one without a wait is back at once."""
    rules.require_usable(reason)
    gone, events = leads_rules.disqualify(lead, reason, text, returns_at, tx.now)
    made = Disqualification(
        id=new_id(),
        lead_id=lead.id,
        code=reason.code,
        kind=reason.kind,
        reason=text,
        from_status=lead.status,
        opportunity_id=opportunity_id,
        decided_by=by,
        decided_at=tx.now,
        returns_at=returns_at,
        ended_at=None,
    )
    await leads.save_lead(tx.conn, gone)
    await store.insert_disqualification(tx.conn, made)
    await outcomes.mark_lost(tx.conn, lead.id, tx.now)
    await protection.settle(tx, lead.id, "disqualified")
    await nurture_exit.leave(tx, [lead.id], "disqualified")
    await first_response.leave(tx, [lead.id], "disqualified", by=by)
    for event in events:
        tx.emit(event, flow_id=gone.flow_id, sequence=gone.version)
    return await _come_back(tx, gone, made) if returns_at is not None and returns_at <= tx.now else gone


async def return_due(tx: Transaction, *, limit: int) -> int:
    """Leads whose wait is over are nurtured again; returns how many."""
    due = await store.claim_due(tx.conn, tx.now, limit)
    for waited in due:
        await _come_back(tx, await leads.get_lead(tx.conn, waited.lead_id), waited)
    return len(due)


async def add_reason(tx: Transaction, reason: Reason, by: str) -> Reason:
    """One more reason to choose from. Raises `Invalid`, `ReasonExists`."""
    rules.check(reason)
    if await store.count_reasons(tx.conn) >= _MOST_REASONS:
        raise Invalid(f"at most {_MOST_REASONS} reasons", field="code")
    if not await store.insert_reason(tx.conn, reason, by=by, now=tx.now):
        raise ReasonExists(f"the reason '{reason.code}' exists", field="code")
    return reason


async def change_reason(tx: Transaction, code: str, version: int, change: dict[str, Any], by: str) -> Reason:
    """A reason is worded, waited for or met otherwise, or archived; decisions that were made keep theirs. Raises `StaleVersion`."""
    known = await store.find_reason_for_update(tx.conn, code)
    if known is None:
        raise NotFound(f"no reason '{code}'")
    if known.version != version:
        raise StaleVersion(f"it is at version {known.version} now", field="version")
    changed = replace(known, **change, version=version + 1)
    rules.check(changed)
    await store.save_reason(tx.conn, changed, by=by, now=tx.now)
    return changed


async def _reason(tx: Transaction, code: str | None, text: str | None) -> Reason:
    if code is None:
        reasons = await store.list_reasons(tx.conn)
        found = rules.meaning(reasons, text or "") or next((reason for reason in reasons if reason.code == rules.OTHER), None)
    else:
        found = await store.find_reason(tx.conn, code)
    if found is None:
        raise Invalid("there is no such reason; GET /v1/disqualification-reasons lists them", field="code")
    return found


async def _come_back(tx: Transaction, lead: Lead, waited: Disqualification) -> Lead:
    back, events = leads_rules.come_back(lead, waited, tx.now)
    await store.end_running(tx.conn, lead.id, tx.now)
    await outcomes.mark_open(tx.conn, lead.id)
    await leads.save_lead(tx.conn, back)
    for event in events:
        tx.emit(event, flow_id=back.flow_id, sequence=back.version)
    await first_response.start(tx, [back], await segments.bands_of(tx.conn, [back.id]), "returned")
    return back
