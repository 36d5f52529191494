"""The verbs of protection: claim, extend, hand back, return to the pool. Lock order: the rep, then leads by id, then leases."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Literal, NamedTuple
from uuid import UUID

from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import DomainError, Invalid, NotFound, WrongTransition
from ltc_contracts.events import Event

from lead_svc.domain import protection as rules
from lead_svc.domain.identity import FREE_MAIL, Key, keys_of
from lead_svc.domain.lead import Lead
from lead_svc.domain.protection import Ending, LeadProtected, Lease, Policy
from lead_svc.domain.score import Rule
from lead_svc.store import duplicates, leads, protection


class PolicyExists(DomainError):
    """A version is never edited; a change is a new version with a beginning of its own."""


async def recognise(
    tx: Transaction, new: Sequence[Lead], rule: Rule, known: Mapping[UUID, frozenset[Key]] | None = None
) -> dict[UUID, frozenset[Key]]:
    """Keep what new leads are recognised by, and return it; duplicates of protected leads are protected with them.

    Keys that were found before are `known`.
    """
    shared, known = shared_domains(rule), known or {}
    keys = {lead.id: known[lead.id] if lead.id in known else keys_of_lead(lead, shared) for lead in new}
    await duplicates.insert_keys(tx.conn, keys)
    if any(keys.values()):
        await protection.cover_new(tx.conn, [lead_id for lead_id, some in keys.items() if some])
    return keys


async def recognise_anew(tx: Transaction, lead: Lead, rule: Rule) -> None:
    """What a (locked) lead is recognised by has changed."""
    await duplicates.delete_keys(tx.conn, lead.id)
    await recognise(tx, [lead], rule)


def shared_domains(rule: Rule) -> frozenset[str]:
    """Domains of free mail, which say nothing about a company."""
    return frozenset(rule.body["free_mail"]["domains"]) | FREE_MAIL


def keys_of_lead(lead: Lead, shared: frozenset[str]) -> frozenset[Key]:
    return keys_of(company=lead.company, website=lead.website, country=lead.country, contact=lead.contact, shared_domains=shared)


class Claimed(NamedTuple):
    """The rep's lease; `new` is false when he had it already."""

    lease: Lease
    new: bool


async def claim(tx: Transaction, lead_id: UUID, rep: str, *, by: rules.By = "rep", territory: str | None = None) -> Claimed:
    """The lead and its duplicates are the rep's for a while; claimed again by its owner, nothing changes.

    Raises `LeadProtected`, `CoolingOff`, `TooManyHeld`, `WrongTransition` for a lead that is not open.
    """
    await protection.lock_rep(tx.conn, rep)
    likeness = float((await duplicates.get_policy(tx.conn, tx.now)).likeness)
    group = [lead_id, *await duplicates.duplicates_of(tx.conn, lead_id, likeness=likeness)]
    # A lease that is over is ended here, so the leads such leases began with are locked too.
    await protection.lock_leads(tx.conn, {*group, *await protection.heads_of(tx.conn, group)})
    lead = await leads.get_lead(tx.conn, lead_id)
    if not lead.is_open:
        raise WrongTransition("the lead", lead.status, "claim")
    situation, found = await protection.situation_of(tx.conn, group, rep=rep, now=tx.now)
    mine = [lease for lease in rules.running(found, tx.now) if lease.owner == rep]
    if mine and len(mine) == len(rules.running(found, tx.now)) and set(situation.busy) <= {rep}:
        await protection.cover(tx.conn, mine[0].id, group)
        return Claimed(mine[0], new=False)
    policy = await protection.get_policy(tx.conn, tx.now)
    lease = rules.claim(lease_id=new_id(), lead_id=lead_id, rep=rep, situation=situation, policy=policy, now=tx.now)
    for due in found:
        await _end(tx, due, "expired")
    await protection.insert_lease(tx.conn, lease)
    await protection.cover(tx.conn, lease.id, group)
    await _own(tx, lead_id, rep, rules.assigned(lease, "claimed", by=by, territory=territory))
    return Claimed(lease, new=True)


async def extend(tx: Transaction, lead_id: UUID, activity: str, occurred_at: datetime) -> None:
    """A qualifying activity of a (locked) lead protects it for longer."""
    lease = await protection.find_running_lease(tx.conn, lead_id)
    if lease is None or lease.is_due(tx.now):
        return
    longer = rules.extend(lease, activity, await protection.get_policy_version(tx.conn, lease.policy), occurred_at)
    if longer != lease:
        await protection.save_lease(tx.conn, longer)
        flow = await leads.get_lead(tx.conn, lease.lead_id)
        tx.emit(rules.assigned(longer, "extended"), flow_id=flow.flow_id, sequence=flow.version)


async def hand_back(tx: Transaction, lead_id: UUID, rep: str, *, for_others: bool) -> Lease:
    """To the pool before its time. Raises `NotFound` when it is not held, `NotTheOwner`."""
    await protection.lock_leads(tx.conn, [lead_id])
    lease = await protection.find_running_lease(tx.conn, lead_id)
    if lease is None or lease.lead_id != lead_id or lease.is_due(tx.now):
        raise NotFound(f"nobody holds the lead {lead_id}")
    rules.may_hand_back(lease, rep, for_others=for_others)
    return await _end(tx, lease, "released")


async def holder_of(tx: Transaction, lead_id: UUID, wanted: str | None) -> str | None:
    """Who holds a (locked) lead, or a duplicate of it. Raises `LeadProtected` when that is not who is wanted."""
    lease = await protection.find_running_lease(tx.conn, lead_id)
    if lease is None or lease.is_due(tx.now):
        return None
    if wanted is not None and wanted != lease.owner:
        raise LeadProtected("somebody else works on this lead or on a duplicate of it", field="owner")
    return lease.owner


async def holders_of(tx: Transaction, lead_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Who holds these (locked) leads, or duplicates of them; one that nobody holds is left out."""
    leases = await protection.running_leases(tx.conn, lead_ids)
    return {lead_id: lease.owner for lead_id, lease in leases.items() if not lease.is_due(tx.now)}


async def settle(tx: Transaction, lead_id: UUID, by: Ending) -> None:
    """A (locked) lead left the pool for good: its own lease is over, one on a duplicate goes on."""
    lease = await protection.find_running_lease(tx.conn, lead_id)
    if lease is not None and lease.lead_id == lead_id:
        await protection.save_lease(tx.conn, rules.end(lease, by, tx.now))


async def settle_many(tx: Transaction, lead_ids: Sequence[UUID]) -> None:
    """These (locked or new) leads went to sales with the rep who has them."""
    for lead_id in lead_ids:
        await settle(tx, lead_id, "qualified")


class Running(NamedTuple):
    """Leases that protect at this moment, by the lead they keep others away from; whether one that was due was ended."""

    on: dict[UUID, Lease]
    ended: bool


async def end_due(tx: Transaction, lead_ids: Sequence[UUID]) -> Running:
    """What protects these (locked) leads. A lease of one of them that is over is ended here."""
    found = await protection.running_leases(tx.conn, lead_ids)
    due = {lease.id: lease for lease in found.values() if lease.is_due(tx.now)}
    ended = [lease for lease in due.values() if lease.lead_id in lead_ids]
    for lease in ended:
        await _end(tx, lease, "expired")
    return Running({lead_id: lease for lead_id, lease in found.items() if lease.id not in due}, bool(ended))


async def return_due(tx: Transaction, *, limit: int) -> int:
    """Leads whose time is up return to the pool; returns how many."""
    due = await protection.claim_due_leads(tx.conn, tx.now, limit)
    for lead_id in due:
        lease = await protection.find_running_lease(tx.conn, lead_id)
        if lease is not None and lease.lead_id == lead_id and lease.is_due(tx.now):
            await _end(tx, lease, "expired")
    return len(due)


async def add_policy(tx: Transaction, policy: Policy, valid_from: datetime, by: str) -> None:
    """A new version of the rule, from a moment on; leases that run keep theirs. Raises `Invalid`, `PolicyExists`."""
    if valid_from < tx.now:
        raise Invalid("a policy cannot begin in the past", field="valid_from")
    if policy.limit_days < policy.protection_days:
        raise Invalid("the limit cannot be shorter than the protection", field="limit_days")
    if not await protection.insert_policy(tx.conn, policy, valid_from=valid_from, created_by=by, now=tx.now):
        raise PolicyExists("this version, or one that begins at that moment, exists", field="version")


async def _end(tx: Transaction, lease: Lease, by: Literal["expired", "released"]) -> Lease:
    ended = rules.end(lease, by, tx.now)
    await protection.save_lease(tx.conn, ended)
    await _own(tx, ended.lead_id, None, rules.released(ended, by))
    return ended


async def _own(tx: Transaction, lead_id: UUID, owner: str | None, event: Event) -> None:
    lead = await leads.get_lead(tx.conn, lead_id)
    owned = replace(lead, owner=owner, version=lead.version + 1, updated_at=tx.now)
    await leads.save_lead(tx.conn, owned)
    tx.emit(event, flow_id=lead.flow_id, sequence=owned.version)
