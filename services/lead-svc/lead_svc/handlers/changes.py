"""A person corrects what is known of a lead: it is recognised, classified and scored anew, and the change is kept and told."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_contracts.errors import VersionConflict

from lead_svc.domain import changes, merge
from lead_svc.domain import lead as rules
from lead_svc.domain import segments as places
from lead_svc.domain.lead import Lead
from lead_svc.domain.score import score
from lead_svc.handlers import leads as handlers
from lead_svc.handlers import protection, scores, segments
from lead_svc.store import leads as store
from lead_svc.store import segments as segments_store

_RECOGNISED_BY = {"company", "website", "country", "contact.name", "contact.email", "contact.phone"}


async def change_lead(tx: Transaction, lead_id: UUID, given: Mapping[str, Any], *, version: int, by: str) -> Lead:
    """The facts that are named change. Raises `VersionConflict`, `LeadMergedAway`, `Invalid`."""
    lead = await store.get_lead_for_update(tx.conn, lead_id)
    if lead.version != version:
        raise VersionConflict("the lead", lead.version)
    merge.require_own(lead)
    rules.require_known(lead)
    book = await segments.open_book(tx)
    changed, _ = changes.change(lead, given, book.own, tx.now)
    if changed is lead:
        return lead
    rule = await store.get_rule(tx.conn, tx.now)
    done = await store.list_activities(tx.conn, lead_id)
    changed = places.classify(changed, book)
    result = score(changed.facts, done, rule, tx.now)
    changed = places.place(changed, result.band, book)
    what = changes.difference(lead, changed)
    await store.save_facts(tx.conn, changed)
    await segments_store.save_places(tx.conn, [changed])
    await store.insert_change(tx.conn, changed, changes.loggable(what, book.own), by=by)
    if what:
        tx.emit(changes.told(changed, what, book.own), flow_id=lead.flow_id, sequence=changed.version)
    if _RECOGNISED_BY & set(what):
        await protection.recognise_anew(tx, changed, rule)
    if result != score(lead.facts, done, rule, tx.now):
        tx.emit(rules.scored(changed, result), flow_id=lead.flow_id, sequence=changed.version)
        await scores.remember(tx, [(lead_id, done, result)], rule)
    return await handlers.qualify_by_rule(tx, changed, result, done, rule)
