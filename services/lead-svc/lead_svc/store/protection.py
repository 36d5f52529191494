"""Leases and their policies.

Lock order: the rep, then leads in the order of their ids, then leases.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.lead import Lead
from lead_svc.domain.protection import Lease, Policy, Situation
from lead_svc.store.leads import lead_of


async def lock_rep(conn: Connection, rep: str) -> None:
    """One claim of a rep at a time, so that the number held is what it says. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('lead.rep:' || $1, 0))", rep)


async def lock_leads(conn: Connection, lead_ids: Iterable[UUID]) -> None:
    await conn.execute("SELECT 1 FROM lead WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE", sorted(lead_ids))


async def heads_of(conn: Connection, lead_ids: Sequence[UUID]) -> list[UUID]:
    """The leads with which the leases on these leads began."""
    rows = await conn.fetch(
        """
        SELECT l.lead_id FROM lease l
        WHERE l.ended_at IS NULL AND l.id IN (SELECT lease_id FROM lease_lead WHERE held AND lead_id = ANY($1::uuid[]))
        """,
        lead_ids,
    )
    return [row["lead_id"] for row in rows]


async def situation_of(conn: Connection, lead_ids: Sequence[UUID], *, rep: str, now: datetime) -> tuple[Situation, list[Lease]]:
    """What a claim of these (locked) leads meets, and the running or due leases on them."""
    leases = [
        _lease(row)
        for row in await conn.fetch(
            """
            SELECT l.id, l.lead_id, l.owner, l.policy, l.claimed_at, l.until, l.limit_at, l.ended_at, l.ended_by
            FROM lease l WHERE l.ended_at IS NULL
              AND l.id IN (SELECT lease_id FROM lease_lead WHERE held AND lead_id = ANY($1::uuid[])) ORDER BY l.id FOR UPDATE
            """,
            lead_ids,
        )
    ]
    row: Any = await conn.fetchrow(
        """
        SELECT (SELECT count(*) FROM lease WHERE owner = $2 AND ended_at IS NULL AND until >= $3) AS held,
               (SELECT array_agg(DISTINCT owner) FROM lead
                WHERE id = ANY($1::uuid[]) AND status IN ('qualified', 'converted') AND owner IS NOT NULL) AS busy,
               (SELECT max(least(coalesce(l.ended_at, l.until), l.until)) FROM lease l
                JOIN lease_lead m ON m.lease_id = l.id AND m.lead_id = ANY($1::uuid[])
                WHERE l.owner = $2 AND (l.ended_by IN ('expired', 'released') OR l.ended_at IS NULL AND l.until < $3)) AS left_at
        """,
        *(lead_ids, rep, now),
    )
    holders = {lease.owner for lease in leases if not lease.is_due(now)}
    return Situation(holders, set(row["busy"] or ()), row["held"], row["left_at"]), leases


async def insert_lease(conn: Connection, lease: Lease) -> None:
    await conn.execute(
        "INSERT INTO lease (id, lead_id, owner, policy, claimed_at, until, limit_at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        *(lease.id, lease.lead_id, lease.owner, lease.policy, lease.claimed_at, lease.until, lease.limit_at),
    )


async def cover(conn: Connection, lease_id: UUID, lead_ids: Iterable[UUID]) -> None:
    """Keep others away from these leads too; those that are held already stay as they are."""
    await conn.execute(
        """
        INSERT INTO lease_lead (lease_id, lead_id) SELECT $1, unnest($2::uuid[])
        ON CONFLICT DO NOTHING
        """,
        *(lease_id, sorted(lead_ids)),
    )


async def leads_covered(conn: Connection, lease_id: UUID) -> list[UUID]:
    """The leads that a lease keeps others away from."""
    return [row["lead_id"] for row in await conn.fetch("SELECT lead_id FROM lease_lead WHERE lease_id = $1 AND held", lease_id)]


async def cover_new(conn: Connection, lead_ids: Sequence[UUID]) -> None:
    """New leads that share a key with a protected one are protected with it (by likeness of name only when claimed)."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (n.lead_id) n.lead_id, h.lease_id
        FROM lead_key n JOIN lead_key k ON k.kind = n.kind AND k.value = n.value AND k.lead_id <> n.lead_id
        JOIN lease_lead h ON h.lead_id = k.lead_id AND h.held
        WHERE n.lead_id = ANY($1::uuid[]) AND n.kind <> 'name' ORDER BY n.lead_id, h.lease_id
        """,
        lead_ids,
    )
    if rows:
        # Shared locks: a lease that ends at this moment either is gone here, or lets go of the new leads as well.
        await conn.execute(
            """
            WITH alive AS (SELECT id FROM lease WHERE id = ANY($1::uuid[]) AND ended_at IS NULL ORDER BY id FOR SHARE)
            INSERT INTO lease_lead (lease_id, lead_id)
            SELECT w.lease_id, w.lead_id FROM unnest($1::uuid[], $2::uuid[]) AS w (lease_id, lead_id) JOIN alive a ON a.id = w.lease_id
            ON CONFLICT DO NOTHING
            """,
            *([row["lease_id"] for row in rows], [row["lead_id"] for row in rows]),
        )


async def find_running_lease(conn: Connection, lead_id: UUID) -> Lease | None:
    """The lease that keeps others away from a lead, on it or on a duplicate; locked. The caller has locked the lead."""
    row = await conn.fetchrow(
        """
        SELECT l.id, l.lead_id, l.owner, l.policy, l.claimed_at, l.until, l.limit_at, l.ended_at, l.ended_by
        FROM lease l JOIN lease_lead h ON h.lease_id = l.id
        WHERE h.lead_id = $1 AND h.held AND l.ended_at IS NULL FOR UPDATE OF l
        """,
        lead_id,
    )
    return None if row is None else _lease(row)


async def running_leases(conn: Connection, lead_ids: Sequence[UUID]) -> dict[UUID, Lease]:
    """`find_running_lease` of many leads, by lead; locked."""
    rows = await conn.fetch(
        """
        SELECT h.lead_id AS covered, l.id, l.lead_id, l.owner, l.policy, l.claimed_at, l.until, l.limit_at, l.ended_at, l.ended_by
        FROM lease l JOIN lease_lead h ON h.lease_id = l.id
        WHERE h.lead_id = ANY($1::uuid[]) AND h.held AND l.ended_at IS NULL ORDER BY l.id FOR UPDATE OF l
        """,
        lead_ids,
    )
    leases = [dict(row) for row in rows]
    return {lease.pop("covered"): Lease(**lease) for lease in leases}


async def save_lease(conn: Connection, lease: Lease) -> None:
    await conn.execute(
        "UPDATE lease SET until = $2, ended_at = $3, ended_by = $4 WHERE id = $1",
        *(lease.id, lease.until, lease.ended_at, lease.ended_by),
    )
    if lease.ended_at is not None:
        await conn.execute("UPDATE lease_lead SET held = false WHERE lease_id = $1 AND held", lease.id)


async def claim_due_leads(conn: Connection, now: datetime, limit: int) -> list[UUID]:
    """Leads whose lease is over, locked; those that another replica works on are passed by."""
    rows = await conn.fetch(
        """
        SELECT d.id FROM lead d JOIN lease l ON l.lead_id = d.id
        WHERE l.ended_at IS NULL AND l.until < $1 ORDER BY d.id LIMIT $2 FOR UPDATE OF d SKIP LOCKED
        """,
        *(now, limit),
    )
    return [row["id"] for row in rows]


async def list_leases(conn: Connection, lead_id: UUID) -> list[Lease]:
    """Every lease that kept or keeps others away from a lead, newest first; at most 200."""
    rows = await conn.fetch(
        """
        SELECT l.id, l.lead_id, l.owner, l.policy, l.claimed_at, l.until, l.limit_at, l.ended_at, l.ended_by
        FROM lease l JOIN lease_lead h ON h.lease_id = l.id WHERE h.lead_id = $1 ORDER BY l.id DESC LIMIT 200
        """,
        lead_id,
    )
    return [_lease(row) for row in rows]


async def list_leases_of(conn: Connection, owner: str, *, after: UUID | None, limit: int) -> list[Lease]:
    """A rep's running leases."""
    rows = await conn.fetch(
        """
        SELECT id, lead_id, owner, policy, claimed_at, until, limit_at, ended_at, ended_by FROM lease
        WHERE owner = $1 AND ended_at IS NULL AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(owner, after, limit),
    )
    return [_lease(row) for row in rows]


async def list_pool(conn: Connection, *, now: datetime, after: UUID | None, limit: int) -> list[Lead]:
    """Open leads that nobody holds and nobody owns."""
    rows = await conn.fetch(
        """
        SELECT id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom
        FROM lead d
        WHERE status IN ('new', 'contacted', 'nurturing') AND erased_at IS NULL AND ($2::uuid IS NULL OR id > $2)
          AND (owner IS NULL OR EXISTS (SELECT 1 FROM lease o WHERE o.lead_id = d.id AND o.ended_at IS NULL AND o.until < $1))
          AND NOT EXISTS (SELECT 1 FROM lease_lead h JOIN lease l ON l.id = h.lease_id
                          WHERE h.lead_id = d.id AND h.held AND l.until >= $1)
        ORDER BY id LIMIT $3
        """,
        *(now, after, limit),
    )
    return [lead_of(row) for row in rows]


async def get_policy(conn: Connection, now: datetime) -> Policy:
    """The policy in force."""
    row = await conn.fetchrow(
        """
        SELECT version, valid_from, protection_days, extension_days, limit_days, cooling_off_days, max_held, qualifying, created_by, created_at
        FROM protection_policy WHERE valid_from <= $1 ORDER BY valid_from DESC LIMIT 1
        """,
        now,
    )
    if row is None:
        raise NotFound(f"no protection policy is in force at {now}")
    return policy_of(row)


async def get_policy_version(conn: Connection, version: str) -> Policy:
    """The policy that a lease was made under."""
    row = await conn.fetchrow(
        """
        SELECT version, valid_from, protection_days, extension_days, limit_days, cooling_off_days, max_held, qualifying, created_by, created_at
        FROM protection_policy WHERE version = $1
        """,
        version,
    )
    if row is None:
        raise NotFound(f"no protection policy {version}")
    return policy_of(row)


async def list_policies(conn: Connection) -> list[Any]:
    return await conn.fetch(
        """
        SELECT version, valid_from, protection_days, extension_days, limit_days, cooling_off_days, max_held, qualifying, created_by, created_at
        FROM protection_policy ORDER BY valid_from DESC LIMIT 200
        """
    )


async def insert_policy(conn: Connection, policy: Policy, *, valid_from: datetime, created_by: str, now: datetime) -> bool:
    """False when the version or the beginning is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO protection_policy (version, valid_from, protection_days, extension_days, limit_days, cooling_off_days, max_held,
                                       qualifying, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(policy.version, valid_from, policy.protection_days, policy.extension_days, policy.limit_days),
        *(policy.cooling_off_days, policy.max_held, sorted(policy.qualifying), created_by, now),
    )
    return row is not None


def policy_of(row: Any) -> Policy:
    names = ("version", "protection_days", "extension_days", "limit_days", "cooling_off_days", "max_held")
    return Policy(**{name: row[name] for name in names}, qualifying=frozenset(row["qualifying"]))


def _lease(row: Any) -> Lease:
    return Lease(**dict(row))
