"""A lead's band changes by nothing but time, or by a new version of the rule."""

from ltc_chassis.db import Transaction

from lead_svc.domain import lead as rules
from lead_svc.domain.score import score
from lead_svc.handlers import leads as handlers
from lead_svc.handlers import scores, segments
from lead_svc.store import leads as store
from lead_svc.store import scores as scores_store


async def score_due(tx: Transaction, *, limit: int) -> int:
    """Score again what may have changed: a new band is told, a lead that a new rule qualifies is qualified. Returns how many."""
    due = await scores_store.claim_due(tx.conn, tx.now, limit)
    if not due:
        return 0
    rule = await store.get_rule(tx.conn, tx.now)
    done = await store.activities_of(tx.conn, list(due))
    found = []
    leads = await store.get_leads(tx.conn, list(due))
    results = {lead.id: score(lead.facts, done[lead.id], rule, tx.now) for lead in leads}
    moved = await segments.refresh(tx, [(lead, band) for lead in leads if (band := results[lead.id].band) != due[lead.id]])
    for was in leads:
        lead, result = moved.get(was.id, was), results[was.id]
        found.append((lead.id, done[lead.id], result))
        if result.band != due[lead.id] and lead.erased_at is None:
            tx.emit(rules.scored(lead, result), flow_id=lead.flow_id, sequence=lead.version)
        await handlers.qualify_by_rule(tx, lead, result, done[lead.id], rule)
    await scores.remember(tx, found, rule)
    return len(due)
