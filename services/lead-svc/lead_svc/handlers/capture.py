"""A lead comes in: the one path of capture, whatever the way (API, bulk, CSV, form, webhook, trade show).

`capture_leads` is a table of contents. A step is a call by name, fills in its own field of `Arrival`, and takes the WHOLE batch: it costs
a statement or two per batch, never one per lead, since thousands of leads come in a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import Invalid
from ltc_contracts.events import LeadEngaged, Touch

from lead_svc.domain import lead as rules
from lead_svc.domain.lead import DuplicateLead, Lead
from lead_svc.domain.score import Activity, Rule, Score, qualifies, score
from lead_svc.domain.visit import told
from lead_svc.handlers import protection, scores, visits
from lead_svc.store import leads as store
from lead_svc.store import outcomes


@dataclass(slots=True)
class Arrival:
    """One lead on its way in, with what it did so far; `score` is there once it was scored.

    `visitor_id` names the browser it came with, whose touches and pages become the lead's; `touches` are those the caller kept.
    """

    lead: Lead
    activities: Sequence[Activity] = ()
    touches: Sequence[Touch] = ()
    visitor_id: UUID | None = None
    score: Score | None = None


async def capture_lead(tx: Transaction, arrival: Arrival) -> Lead:
    """A new lead is known, scored, and qualified if the rule says so. Raises `DuplicateLead` for a known external reference."""
    if any(activity.occurred_at > tx.now for activity in arrival.activities):
        raise Invalid("an activity cannot lie in the future", field="activities")
    visits.check_touches(arrival.touches, tx.now)
    if not await capture_leads(tx, [arrival]):
        existing = await store.find_lead_id(tx.conn, arrival.lead.external_ref or "")
        raise DuplicateLead(f"the lead {existing} has this external_ref already", field="external_ref")
    return arrival.lead


async def capture_leads(tx: Transaction, arrivals: Sequence[Arrival]) -> list[Arrival]:
    """Those of the leads that are new, captured; one whose external reference is known is left out. `arrival.lead` is as it is now."""
    rule = await store.get_rule(tx.conn, tx.now)
    new = await _keep(tx, arrivals)
    await visits.stitch(tx, new)
    await protection.recognise(tx, [arrival.lead for arrival in new], rule)
    _tell(tx, new)
    await _score(tx, new, rule)
    await _qualify(tx, new, rule)
    return new


async def _keep(tx: Transaction, arrivals: Sequence[Arrival]) -> list[Arrival]:
    inserted = set(await store.insert_leads(tx.conn, [arrival.lead for arrival in arrivals]))
    new = [arrival for arrival in arrivals if arrival.lead.id in inserted]
    await store.insert_activities(tx.conn, [(arrival.lead.id, activity) for arrival in new for activity in arrival.activities])
    return new


def _tell(tx: Transaction, new: Sequence[Arrival]) -> None:
    for arrival in new:
        lead = arrival.lead
        tx.emit(rules.captured(lead, told(arrival.touches)), flow_id=lead.flow_id, sequence=lead.version)
        for activity in arrival.activities:
            tx.emit(
                LeadEngaged(lead_id=lead.id, activity=activity.code),
                flow_id=lead.flow_id,
                sequence=lead.version,
                occurred_at=activity.occurred_at,
            )


async def _score(tx: Transaction, new: Sequence[Arrival], rule: Rule) -> None:
    for arrival in new:
        lead = arrival.lead
        arrival.score = score(lead.facts, arrival.activities, rule, tx.now)
        tx.emit(rules.scored(lead, arrival.score), flow_id=lead.flow_id, sequence=lead.version)
    scored = [(arrival.lead.id, arrival.activities, arrival.score) for arrival in new if arrival.score is not None]
    await scores.remember(tx, scored, rule)


async def _qualify(tx: Transaction, new: Sequence[Arrival], rule: Rule) -> None:
    ready = [
        (arrival, arrival.score, reason)
        for arrival in new
        if arrival.score is not None and (reason := qualifies(arrival.score, arrival.activities, rule)) is not None
    ]
    if not ready:
        return
    holders = await protection.holders_of(tx, [arrival.lead.id for arrival, _, _ in ready])
    for arrival, result, reason in ready:
        arrival.lead, events = rules.qualify(arrival.lead, result, reason, holders.get(arrival.lead.id), tx.now)
        for event in events:
            tx.emit(event, flow_id=arrival.lead.flow_id, sequence=arrival.lead.version)
    await store.save_leads(tx.conn, [arrival.lead for arrival, _, _ in ready])
    await outcomes.mark_qualified(tx.conn, [arrival.lead.id for arrival, _, _ in ready], tx.now)
