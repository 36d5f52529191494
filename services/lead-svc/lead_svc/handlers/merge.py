"""The verbs of merging: two leads become one, and two again within a day. Lock order: leads by id, then leases."""

from collections.abc import Collection
from typing import Any, NamedTuple
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id

from lead_svc.domain import lead as lead_rules
from lead_svc.domain import merge as rules
from lead_svc.domain import segments as places
from lead_svc.domain.lead import Lead
from lead_svc.domain.merge import Field, Leases, Merge
from lead_svc.domain.protection import Lease
from lead_svc.domain.score import score
from lead_svc.handlers import first_response, nurture_exit, protection, scores, segments
from lead_svc.store import leads, merge
from lead_svc.store import protection as protections

_LOST = ("disqualified", "junk")


class Done(NamedTuple):
    """A merge and the leads as they are now."""

    id: UUID
    survivor: Lead
    merged: Lead


async def merge_leads(tx: Transaction, merged_id: UUID, into: UUID, take: Collection[Field], by: str) -> Done:
    """The lead becomes part of another one, with all that hangs on it.

    Raises `NotFound`, `SameLead`, `LeadMergedAway`, `TwoRepsWork`.
    """
    pair = sorted({merged_id, into})
    await protections.lock_leads(tx.conn, pair)
    survivor, loser = await leads.get_lead(tx.conn, into), await leads.get_lead(tx.conn, merged_id)
    running = await protection.end_due(tx, pair)
    if running.ended:
        survivor, loser = await leads.get_lead(tx.conn, into), await leads.get_lead(tx.conn, merged_id)
    one, gone = rules.combine(survivor, loser, take, Leases(running.on.get(into), running.on.get(merged_id)), tx.now)
    await nurture_exit.leave(tx, [loser.id], "merged")
    if not one.is_open:
        await nurture_exit.leave(tx, [survivor.id], "not_open")
    one = places.classify(one, await segments.open_book(tx))
    before = await _around(tx, survivor, loser, await merge.running_leases(tx.conn, pair))
    known = [lease["id"] for lease in before["leases"]]

    await _join_leases(tx, running.on.get(into), running.on.get(merged_id), loser.id)
    await merge.join_covers(tx.conn, loser.id, survivor.id)
    lost = one.status in _LOST
    waits = await merge.end_waits(tx.conn, [loser.id] if lost and survivor.status in _LOST else pair, tx.now)
    moved, dropped = await merge.move_rows(tx.conn, loser.id, survivor.id)
    await merge.join_outcomes(tx.conn, loser.id, survivor.id, lost=lost)
    await merge.save_facts(tx.conn, one)
    await merge.save_facts(tx.conn, gone)
    clocks = await first_response.join(tx, survivor.id, by)
    if not one.is_open and not lost:
        await protection.settle(tx, survivor.id, "qualified")

    after = await _around(tx, one, gone, await merge.get_leases(tx.conn, known))
    done = Merge(new_id(), survivor.id, loser.id, before, after, {**moved, "waits": waits, "clocks": clocks}, dropped, by, tx.now)
    await merge.insert_merge(tx.conn, done)
    tx.emit(rules.merged_event(done.id, one, gone), flow_id=one.flow_id, sequence=one.version)
    [one] = await _score_again(tx, [one])
    return Done(done.id, one, gone)


async def join_new(tx: Transaction, lead_id: UUID, into: UUID) -> Lead:
    """A lead that just came in becomes part of the one with its address, as the policy says; the lead as it is then.

    Where two reps would become one it stays a lead of its own, for a person to decide: a capture never fails by that.
    """
    known = await leads.get_living_for_update(tx.conn, into)
    try:
        return (await merge_leads(tx, lead_id, known.id, (), "policy")).merged
    except (rules.TwoRepsWork, rules.SameLead):
        return await leads.get_lead(tx.conn, lead_id)


async def undo(tx: Transaction, merge_id: UUID, by: str) -> Done:
    """Both leads are as they were, with what came to the survivor since. Raises `NotFound`, `UndoTooLate`, `UndoPrevented`."""
    known = await merge.get_merge(tx.conn, merge_id)
    pair = sorted((known.survivor_id, known.merged_id))
    await protections.lock_leads(tx.conn, pair)
    done = await merge.get_merge_for_update(tx.conn, merge_id)
    survivor, loser = await leads.get_lead(tx.conn, done.survivor_id), await leads.get_lead(tx.conn, done.merged_id)
    leases = await merge.get_leases(tx.conn, [lease["id"] for lease in done.after.get("leases", ())])
    running = await merge.running_leases(tx.conn, pair)
    rules.may_undo(
        done,
        survivor,
        tx.now,
        later_merge=await merge.has_later_merge(tx.conn, done),
        protection_changed=rules.protection_changed(done, leases, running),
        outcome_changed=await merge.outcomes_of(tx.conn, pair) != done.after.get("outcomes"),
    )
    alive = {lease["id"]: lease for lease in leases}
    await merge.restore_leases(
        tx.conn, [rules.lease_before(one, done.after["leases"], alive[one["id"]]) for one in done.before["leases"]]
    )
    await merge.restore_covers(tx.conn, done.before["covers"], done.after["covers"])
    await merge.return_rows(tx.conn, done)
    await first_response.part(tx, done.moved.get("clocks", ()))
    await merge.restore_outcomes(tx.conn, pair, done.before["outcomes"])
    values = rules.part(rules.columns(survivor), done.before["survivor"], done.after["survivor"])
    one = rules.restored(survivor, values, tx.now)
    other = rules.restored(loser, done.before["merged"], tx.now)
    # A survivor that went on since does not wait again for what it waited for before.
    back = [other.id] if rules.went_on(rules.columns(survivor), done.after["survivor"]) else pair
    await merge.resume_waits(tx.conn, done.moved["waits"], back)
    await merge.save_facts(tx.conn, one)
    await merge.save_facts(tx.conn, other)
    # A lease that began since protects what is like its lead, as if the other had just come in.
    await protections.cover_new(tx.conn, [other.id])
    await merge.save_undone(tx.conn, done.id, by, tx.now)
    tx.emit(rules.unmerged_event(done.id, one, other), flow_id=one.flow_id, sequence=one.version)
    one, other = await _score_again(tx, [one, other])
    return Done(done.id, one, other)


async def _around(tx: Transaction, survivor: Lead, loser: Lead, leases: list[dict[str, Any]]) -> dict[str, Any]:
    """All that a merge changes beside what it moves."""
    pair = [survivor.id, loser.id]
    return {
        "survivor": rules.columns(survivor),
        "merged": rules.columns(loser),
        "leases": leases,
        "covers": await merge.covers_of(tx.conn, pair, [lease["id"] for lease in leases]),
        "outcomes": await merge.outcomes_of(tx.conn, pair),
    }


async def _join_leases(tx: Transaction, on_survivor: Lease | None, on_loser: Lease | None, loser_id: UUID) -> None:
    """Two leases of one rep become the survivor's; a single one simply moves with its lead."""
    if on_survivor is None or on_loser is None or on_survivor.id == on_loser.id or on_loser.lead_id != loser_id:
        return
    covered = await protections.leads_covered(tx.conn, on_loser.id)
    await protections.save_lease(tx.conn, rules.joined(on_survivor, on_loser))
    await protections.save_lease(tx.conn, rules.ended_by_merge(on_loser, tx.now))
    await protections.cover(tx.conn, on_survivor.id, covered)


async def _score_again(tx: Transaction, changed: list[Lead]) -> list[Lead]:
    """What the leads did is in other hands: their scores are told anew, and they are placed in segments; as they are then."""
    rule = await leads.get_rule(tx.conn, tx.now)
    done = await leads.activities_of(tx.conn, [lead.id for lead in changed])
    found = []
    for lead in changed:
        result = score(lead.facts, done[lead.id], rule, tx.now)
        tx.emit(lead_rules.scored(lead, result), flow_id=lead.flow_id, sequence=lead.version)
        found.append((lead.id, done[lead.id], result))
    await scores.remember(tx, found, rule)
    bands = {lead_id: result.band for lead_id, _, result in found}
    moved = await segments.refresh(tx, [(lead, bands[lead.id]) for lead in changed])
    return [moved.get(lead.id, lead) for lead in changed]
