"""The business verbs of leads: load, decide, save, emit."""

from collections.abc import Sequence
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotYet
from ltc_contracts.events import Event

from lead_svc.domain import lead as rules
from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Activity, Rule, Score, qualifies, score
from lead_svc.handlers import first_response, nurture_exit, predictive, protection, scores, segments
from lead_svc.store import disqualification, outcomes
from lead_svc.store import leads as store


async def add_activity(
    tx: Transaction,
    lead_id: UUID,
    activity: Activity,
    *,
    by: str | None = None,
    direction: str | None = None,
    activity_id: UUID | None = None,
) -> Lead:
    """The lead did something: it is told, scored again, and perhaps qualified. `by` is who of us says so, none for what machines saw."""
    if activity.occurred_at > tx.now:
        raise Invalid("an activity cannot lie in the future", field="occurred_at")
    lead = await store.get_living_for_update(tx.conn, lead_id)
    rules.require_known(lead)
    lead_id = lead.id
    rule = await store.get_rule(tx.conn, tx.now)
    before = await store.list_activities(tx.conn, lead_id)
    engaged, events = rules.engage(lead, activity.code, tx.now)
    await store.insert_activity(tx.conn, activity_id or new_id(), lead_id, activity, by=by, now=tx.now)
    await store.save_lead(tx.conn, engaged)
    for event in events:
        tx.emit(event, flow_id=lead.flow_id, sequence=engaged.version, occurred_at=activity.occurred_at)
    await protection.extend(tx, lead_id, activity.code, activity.occurred_at)
    await first_response.respond(tx, engaged, activity.code, direction=direction, by=by, occurred_at=activity.occurred_at)
    if activity.code in ("reply", "meeting"):
        await nurture_exit.leave(tx, [lead_id], "reply" if activity.code == "reply" else "meeting")
    result, was = score(engaged.facts, [*before, activity], rule, tx.now), score(engaged.facts, before, rule, tx.now)
    if result != was:
        _emit(tx, engaged, [rules.scored(engaged, result)])
        await scores.remember(tx, [(lead_id, [*before, activity], result)], rule)
    if result.band != was.band:
        engaged = (await segments.refresh(tx, [(engaged, result.band)])).get(lead_id, engaged)
    return await qualify_by_rule(tx, engaged, result, [*before, activity], rule)


async def qualify(tx: Transaction, lead_id: UUID, owner: str | None) -> Lead:
    """A person says that the lead is worth a seller's time; it goes to who protects it. Raises `LeadProtected`."""
    lead = await store.get_lead_for_update(tx.conn, lead_id)
    rules.require_known(lead)
    owner = await protection.holder_of(tx, lead_id, owner) or owner
    done = await store.list_activities(tx.conn, lead_id)
    result = score(lead.facts, done, await store.get_rule(tx.conn, tx.now), tx.now)
    chance = (await predictive.expected(tx.conn, [(lead, done)], tx.now)).get(lead_id)
    qualified, events = rules.qualify(lead, result, "person", owner, tx.now, await custom_fields.load(tx.conn, "lead"), chance)
    await store.save_lead(tx.conn, qualified)
    await outcomes.mark_qualified(tx.conn, [qualified.id], tx.now)
    await nurture_exit.leave(tx, [qualified.id], "qualified")
    await protection.settle(tx, lead_id, "qualified")
    _emit(tx, qualified, events)
    return qualified


async def convert(tx: Transaction, lead_id: UUID) -> Lead:
    """Sales opened an opportunity for it; told again, nothing changes."""
    lead = await store.find_living_for_update(tx.conn, lead_id)
    if lead is None:
        raise NotYet(f"no lead {lead_id}")
    converted = rules.convert(lead, tx.now)
    if converted is not None:
        await store.save_lead(tx.conn, converted)
        await nurture_exit.leave(tx, [lead_id], "converted")
    return converted or lead


async def qualify_by_rule(tx: Transaction, lead: Lead, result: Score, activities: Sequence[Activity], rule: Rule) -> Lead:
    """A (locked) lead that is ready by its score or by what it did goes to sales; any other stays as it is.

    One that came back from sales counts by what it did since then, lest it be sent there again at once.
    """
    if not lead.is_open or qualifies(result, activities, rule) is None:
        return lead
    back = await disqualification.find_return(tx.conn, lead.id)
    since = [activity for activity in activities if back is None or activity.occurred_at >= back]
    reason = qualifies(result if back is None else score(lead.facts, since, rule, tx.now), since, rule)
    if reason is None:
        return lead
    owner = await protection.holder_of(tx, lead.id, None)
    chance = (await predictive.expected(tx.conn, [(lead, activities)], tx.now)).get(lead.id)
    qualified, events = rules.qualify(lead, result, reason, owner, tx.now, await custom_fields.load(tx.conn, "lead"), chance)
    await store.save_lead(tx.conn, qualified)
    await outcomes.mark_qualified(tx.conn, [qualified.id], tx.now)
    await nurture_exit.leave(tx, [qualified.id], "qualified")
    await protection.settle(tx, lead.id, "qualified")
    _emit(tx, qualified, events)
    return qualified


def _emit(tx: Transaction, lead: Lead, events: Sequence[Event]) -> None:
    for event in events:
        tx.emit(event, flow_id=lead.flow_id, sequence=lead.version)
