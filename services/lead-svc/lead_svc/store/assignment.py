"""Reps, absences, territories, and who got which lead.

Lock order of an assignment: the rows of the members by subject, then what a claim locks (the rep, leads by id, leases).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.assignment import DAY, Absence, Rep, Standing, Territory
from lead_svc.domain.lead import Lead
from lead_svc.store.leads import lead_of


class Assigned(NamedTuple):
    """A lead that was given to somebody; `by` is rule, or the manager who did it."""

    id: UUID
    lead_id: UUID
    rep: str
    by: str
    territory: str | None
    territory_version: int | None
    candidates: list[dict[str, Any]]
    assigned_at: datetime


async def list_territories(conn: Connection) -> list[Territory]:
    """In the order in which they are asked, at most 500."""
    rows = await conn.fetch(
        """
        SELECT code, name, priority, condition, members, language, active, version FROM territory ORDER BY priority, code LIMIT 500
        """
    )
    return [_territory(row) for row in rows]


async def find_territory_for_update(conn: Connection, code: str) -> Territory | None:
    row = await conn.fetchrow(
        "SELECT code, name, priority, condition, members, language, active, version FROM territory WHERE code = $1 FOR UPDATE",
        code,
    )
    return None if row is None else _territory(row)


async def count_territories(conn: Connection) -> int:
    number: int = await conn.fetchval("SELECT count(*) FROM territory")
    return number


async def save_territory(conn: Connection, t: Territory) -> bool:
    """False when another one entered it at this moment."""
    row = await conn.fetchrow(
        """
        INSERT INTO territory (code, name, priority, condition, members, language, active, version)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (code) DO UPDATE SET name = excluded.name, priority = excluded.priority, condition = excluded.condition,
            members = excluded.members, language = excluded.language, active = excluded.active, version = excluded.version
        WHERE territory.version = excluded.version - 1 RETURNING code
        """,
        *(t.code, t.name, t.priority, dict(t.condition), list(t.members), t.language, t.active, t.version),
    )
    return row is not None


async def find_rep_for_update(conn: Connection, subject: str) -> Rep | None:
    row = await conn.fetchrow(
        "SELECT subject, name, team, max_per_30_days, languages, active, credit, version FROM rep WHERE subject = $1 FOR UPDATE",
        subject,
    )
    return None if row is None else _rep(row)


async def get_rep(conn: Connection, subject: str) -> Rep:
    row = await conn.fetchrow(
        "SELECT subject, name, team, max_per_30_days, languages, active, credit, version FROM rep WHERE subject = $1", subject
    )
    if row is None:
        raise NotFound(f"no rep '{subject}'")
    return _rep(row)


async def save_rep(conn: Connection, rep: Rep) -> bool:
    """Everything but the credit. False when another one entered him at this moment."""
    row = await conn.fetchrow(
        """
        INSERT INTO rep (subject, name, team, max_per_30_days, languages, active, version) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (subject) DO UPDATE SET name = excluded.name, team = excluded.team, max_per_30_days = excluded.max_per_30_days,
            languages = excluded.languages, active = excluded.active, version = excluded.version
        WHERE rep.version = excluded.version - 1 RETURNING subject
        """,
        *(rep.subject, rep.name, rep.team, rep.max_per_30_days, sorted(rep.languages), rep.active, rep.version),
    )
    return row is not None


async def list_reps(conn: Connection, *, after: str | None, limit: int) -> list[Rep]:
    """By subject."""
    rows = await conn.fetch(
        """
        SELECT subject, name, team, max_per_30_days, languages, active, credit, version FROM rep
        WHERE ($1::text IS NULL OR subject > $1) ORDER BY subject LIMIT $2
        """,
        *(after, limit),
    )
    return [_rep(row) for row in rows]


async def known_reps(conn: Connection, subjects: Sequence[str]) -> set[str]:
    rows = await conn.fetch("SELECT subject FROM rep WHERE subject = ANY($1::text[])", list(subjects))
    return {row["subject"] for row in rows}


async def insert_absence(conn: Connection, absence: Absence) -> None:
    await conn.execute(
        "INSERT INTO rep_absence (id, subject, since, until) VALUES ($1, $2, $3, $4)",
        *(absence.id, absence.subject, absence.since, absence.until),
    )


async def delete_absence(conn: Connection, subject: str, absence_id: UUID) -> bool:
    row = await conn.fetchrow("DELETE FROM rep_absence WHERE id = $1 AND subject = $2 RETURNING id", absence_id, subject)
    return row is not None


async def list_absences(conn: Connection, subject: str, *, since: datetime) -> list[Absence]:
    """Those that are not over, at most 500."""
    rows = await conn.fetch(
        "SELECT id, subject, since, until FROM rep_absence WHERE subject = $1 AND until > $2 ORDER BY since, id LIMIT 500",
        *(subject, since),
    )
    return [Absence(**dict(row)) for row in rows]


async def lock_reps(conn: Connection, subjects: Sequence[str]) -> None:
    """One assignment at a time among these members, so that quotas and credits are what they say."""
    await conn.execute("SELECT 1 FROM rep WHERE subject = ANY($1::text[]) ORDER BY subject FOR UPDATE", list(subjects))


async def standings(conn: Connection, subjects: Sequence[str], now: datetime, max_held: int) -> dict[str, Standing]:
    """How these reps stand at this moment."""
    rows = await conn.fetch(
        """
        SELECT r.subject, r.name, r.team, r.max_per_30_days, r.languages, r.active, r.credit, r.version,
               EXISTS (SELECT 1 FROM rep_absence a WHERE a.subject = r.subject AND a.since <= $2 AND a.until > $2) AS absent,
               (SELECT count(*) FROM assignment a WHERE a.rep = r.subject AND a.assigned_at > $3) AS assigned,
               (SELECT count(*) FROM lease l WHERE l.owner = r.subject AND l.ended_at IS NULL AND l.until >= $2) AS held
        FROM rep r WHERE r.subject = ANY($1::text[])
        """,
        *(list(subjects), now, now - DAY),
    )
    found = {}
    for row in rows:
        fields = dict(row)
        absent, assigned, held = fields.pop("absent"), fields.pop("assigned"), fields.pop("held")
        found[row["subject"]] = Standing(_rep(fields), absent, assigned, held, max_held)
    return found


async def save_credits(conn: Connection, owed: Mapping[str, Decimal]) -> None:
    await conn.execute(
        """
        UPDATE rep SET credit = w.credit FROM unnest($1::text[], $2::numeric[]) AS w (subject, credit) WHERE rep.subject = w.subject
        """,
        *(list(owed), list(owed.values())),
    )


async def insert_assignment(conn: Connection, a: Assigned) -> None:
    await conn.execute(
        """
        INSERT INTO assignment (id, lead_id, rep, by, territory, territory_version, candidates, assigned_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        *(a.id, a.lead_id, a.rep, a.by, a.territory, a.territory_version, a.candidates, a.assigned_at),
    )


async def list_assignments(conn: Connection, lead_id: UUID) -> list[Assigned]:
    """Of a lead, the newest first; at most 200."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, rep, by, territory, territory_version, candidates, assigned_at FROM assignment
        WHERE lead_id = $1 ORDER BY id DESC LIMIT 200
        """,
        lead_id,
    )
    return [Assigned(**dict(row)) for row in rows]


async def never_assigned(conn: Connection, lead_ids: Sequence[UUID]) -> set[UUID]:
    """Those of the leads that nobody was ever given and nobody ever claimed."""
    rows = await conn.fetch(
        """
        SELECT l.id FROM unnest($1::uuid[]) AS l (id)
        WHERE NOT EXISTS (SELECT 1 FROM assignment a WHERE a.lead_id = l.id)
          AND NOT EXISTS (SELECT 1 FROM lease s WHERE s.lead_id = l.id)
        """,
        list(lead_ids),
    )
    return {row["id"] for row in rows}


async def claim_sweep(conn: Connection, now: datetime) -> UUID | None:
    """The last lead that was looked at; begins anew when it is time. None while another replica searches."""
    row = await conn.fetchrow("SELECT at_lead, restart_at FROM assignment_sweep FOR UPDATE SKIP LOCKED")
    if row is None:
        return None
    at: UUID = row["at_lead"]
    return at if row["restart_at"] > now else UUID(int=0)


async def save_sweep(conn: Connection, at: UUID, *, restart_at: datetime | None) -> None:
    """`restart_at` None: as it was."""
    await conn.execute("UPDATE assignment_sweep SET at_lead = $1, restart_at = coalesce($2, restart_at)", at, restart_at)


async def restart_sweep(conn: Connection, now: datetime) -> None:
    """The rules changed: every lead that nobody has is looked at again."""
    await conn.execute("UPDATE assignment_sweep SET restart_at = $1", now)


async def list_ownerless(conn: Connection, after: UUID, limit: int) -> list[Lead]:
    """Open leads that nobody has and nobody was ever given, in the order of their ids."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom
        FROM lead d WHERE owner IS NULL AND erased_at IS NULL AND status IN ('new', 'contacted', 'nurturing') AND id > $1
          AND NOT EXISTS (SELECT 1 FROM assignment a WHERE a.lead_id = d.id) AND NOT EXISTS (SELECT 1 FROM lease s WHERE s.lead_id = d.id)
        ORDER BY id LIMIT $2
        """,
        *(after, limit),
    )
    return [lead_of(row) for row in rows]


async def insert_change(
    conn: Connection, change_id: UUID, entity: str, code: str, version: int, body: Mapping[str, Any], by: str, now: datetime
) -> None:
    await conn.execute(
        "INSERT INTO assignment_change (id, entity, code, version, body, by, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(change_id, entity, code, version, dict(body), by, now),
    )


async def list_changes(conn: Connection, entity: str, code: str, *, after: UUID | None, limit: int) -> list[Any]:
    return await conn.fetch(
        """
        SELECT id, version, body, by, at FROM assignment_change
        WHERE entity = $1 AND code = $2 AND ($3::uuid IS NULL OR id > $3) ORDER BY id LIMIT $4
        """,
        *(entity, code, after, limit),
    )


def _rep(row: Any) -> Rep:
    fields = dict(row)
    return Rep(**{**fields, "languages": frozenset(fields["languages"])})


def _territory(row: Any) -> Territory:
    fields = dict(row)
    return Territory(**{**fields, "members": tuple(fields["members"])})
