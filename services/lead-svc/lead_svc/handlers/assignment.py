"""The verbs of assignment: give leads to reps by rule or by a manager, and keep the rules.

Lock order: the search's row, the members' rows by subject, the reps as a claim locks them, leads by id, leases.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from ltc_chassis import custom_fields
from ltc_chassis.connection import Connection
from ltc_chassis.db import Transaction
from ltc_chassis.ids import new_id
from ltc_contracts.errors import Invalid, NotFound, VersionConflict, WrongTransition
from ltc_rules import conditions

from lead_svc.domain import assignment as rules
from lead_svc.domain.assignment import Absence, Look, NoSuchRep, Rep, Territory
from lead_svc.domain.fields import fields, values_of
from lead_svc.domain.lead import Lead
from lead_svc.domain.protection import CoolingOff, LeadProtected, Lease, TooManyHeld
from lead_svc.handlers import protection
from lead_svc.store import assignment as store
from lead_svc.store import protection as protections
from lead_svc.store.assignment import Assigned

_MOST_TERRITORIES = 500
_FIRST = UUID(int=0)


async def assign(tx: Transaction, leads: Sequence[Lead]) -> dict[UUID, Assigned]:
    """Those of these open leads that a rule gives to somebody, each with its protection; others stay in the pool."""
    territories = await store.list_territories(tx.conn)
    wanted = {lead.id: rules.fitting(territories, values_of(lead)) for lead in leads}
    wanted = {lead_id: asked for lead_id, asked in wanted.items() if asked}
    if not wanted:
        return {}
    members = sorted({member for asked in wanted.values() for territory in asked for member in territory.members})
    await store.lock_reps(tx.conn, members)
    for member in members:
        await protections.lock_rep(tx.conn, member)
    fresh = await store.never_assigned(tx.conn, list(wanted))
    given: dict[UUID, Assigned] = {}
    for lead in leads:
        if lead.id in fresh and lead.owner is None:
            made = await _give_by_rule(tx, lead.id, wanted[lead.id])
            if made is not None:
                given[lead.id] = made
    return given


async def assign_due(tx: Transaction, *, limit: int) -> int:
    """The next leads that nobody has; returns how many were looked at. Begins anew every hour and whenever the rules change."""
    at = await store.claim_sweep(tx.conn, tx.now)
    if at is None or not await store.count_territories(tx.conn):
        return 0
    leads = await store.list_ownerless(tx.conn, at, limit)
    restart_at = tx.now + rules.SWEEP_EVERY if at == _FIRST else None
    await store.save_sweep(tx.conn, leads[-1].id if leads else max(at, UUID(int=1)), restart_at=restart_at)
    await assign(tx, leads)
    return len(leads)


async def give(tx: Transaction, lead_id: UUID, rep: str, by: str) -> Lease:
    """Somebody gives a lead to a rep. Raises as a claim does."""
    claimed = await protection.claim(tx, lead_id, rep, by="manager")
    if claimed.new:
        await store.insert_assignment(tx.conn, Assigned(new_id(), lead_id, rep, by, None, None, [], tx.now))
    return claimed.lease


async def looks(conn: Connection, lead: Lead, now: datetime) -> list[Look]:
    """What the rule would look at for this lead at this moment, the first territory first."""
    asked = rules.fitting(await store.list_territories(conn), values_of(lead))
    policy = await protections.get_policy(conn, now)
    members = sorted({member for territory in asked for member in territory.members})
    standings = await store.standings(conn, members, now, policy.max_held)
    return [rules.look(territory, standings) for territory in asked]


async def put_rep(tx: Transaction, rep: Rep, by: str, *, expected: int | None) -> Rep:
    """Enter a rep, or change one in the version that was read. Raises `VersionConflict`."""
    await store.restart_sweep(tx.conn, tx.now)
    known = await store.find_rep_for_update(tx.conn, rep.subject)
    made = replace(rep, version=_next(f"the rep '{rep.subject}'", known, expected), credit=known.credit if known else Decimal(0))
    if not await store.save_rep(tx.conn, made):
        raise VersionConflict(f"the rep '{rep.subject}'", made.version)
    body = {
        "name": made.name,
        "team": made.team,
        "max_per_30_days": made.max_per_30_days,
        "languages": sorted(made.languages),
        "active": made.active,
    }
    await store.insert_change(tx.conn, new_id(), "rep", made.subject, made.version, body, by, tx.now)
    return made


async def add_absence(tx: Transaction, subject: str, since: datetime, until: datetime, by: str) -> Absence:
    """The rep gets no lead in this time. Raises `NotFound`, `Invalid`."""
    if until <= since:
        raise Invalid("must be later than `since`", field="until")
    rep = await store.find_rep_for_update(tx.conn, subject)
    if rep is None:
        raise NotFound(f"no rep '{subject}'")
    absence = Absence(new_id(), subject, since, until)
    await store.insert_absence(tx.conn, absence)
    body = {"absence": str(absence.id), "since": since.isoformat(), "until": until.isoformat()}
    await store.insert_change(tx.conn, new_id(), "rep", subject, rep.version, body, by, tx.now)
    return absence


async def remove_absence(tx: Transaction, subject: str, absence_id: UUID, by: str) -> None:
    """The rep is here after all. Raises `NotFound`."""
    await store.restart_sweep(tx.conn, tx.now)
    rep = await store.find_rep_for_update(tx.conn, subject)
    if rep is None or not await store.delete_absence(tx.conn, subject, absence_id):
        raise NotFound(f"no absence {absence_id} of '{subject}'")
    body = {"absence": str(absence_id), "removed": True}
    await store.insert_change(tx.conn, new_id(), "rep", subject, rep.version, body, by, tx.now)


async def put_territory(tx: Transaction, territory: Territory, by: str, *, expected: int | None) -> Territory:
    """Enter a territory, or its next version. Raises `Invalid` for the condition, `NoSuchRep`, `VersionConflict`."""
    conditions.check(territory.condition, fields(await custom_fields.load(tx.conn, "lead")))
    unknown = set(territory.members) - await store.known_reps(tx.conn, territory.members)
    if unknown:
        raise NoSuchRep(f"no rep {', '.join(sorted(unknown))[:500]}", field="members")
    await store.restart_sweep(tx.conn, tx.now)
    known = await store.find_territory_for_update(tx.conn, territory.code)
    if known is None and await store.count_territories(tx.conn) >= _MOST_TERRITORIES:
        raise Invalid(f"there may be {_MOST_TERRITORIES} territories", field="code")
    made = replace(territory, version=_next(f"the territory '{territory.code}'", known, expected))
    if not await store.save_territory(tx.conn, made):
        raise VersionConflict(f"the territory '{territory.code}'", made.version)
    body = {
        "name": made.name,
        "priority": made.priority,
        "condition": made.condition,
        "members": list(made.members),
        "language": made.language,
        "active": made.active,
    }
    await store.insert_change(tx.conn, new_id(), "territory", made.code, made.version, body, by, tx.now)
    return made


async def _give_by_rule(tx: Transaction, lead_id: UUID, asked: Sequence[Territory]) -> Assigned | None:
    members = sorted({member for territory in asked for member in territory.members})
    policy = await protections.get_policy(tx.conn, tx.now)
    standings = await store.standings(tx.conn, members, tx.now, policy.max_held)
    choice = rules.choose([rules.look(territory, standings) for territory in asked])
    if choice is None:
        return None
    try:
        claimed = await protection.claim(tx, lead_id, choice.rep, by="rule", territory=choice.territory.code)
    except (LeadProtected, CoolingOff, TooManyHeld, WrongTransition):
        return None  # somebody works on a duplicate of it, or it was taken or closed at this moment: it stays where it is
    if not claimed.new:
        return None
    await store.save_credits(tx.conn, rules.credits(choice))
    made = Assigned(
        id=new_id(),
        lead_id=lead_id,
        rep=choice.rep,
        by="rule",
        territory=choice.territory.code,
        territory_version=choice.territory.version,
        candidates=rules.explain(choice.candidates),
        assigned_at=tx.now,
    )
    await store.insert_assignment(tx.conn, made)
    return made


def _next(what: str, known: Rep | Territory | None, expected: int | None) -> int:
    version = 0 if known is None else known.version
    if version != (expected or 0):
        raise VersionConflict(what, version)
    return version + 1
