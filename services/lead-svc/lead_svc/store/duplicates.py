"""What leads are recognised by, who shares it, and the policy for duplicates at capture."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.duplicates import DuplicatePolicy, Match
from lead_svc.domain.identity import Key, probes

# Of names with common words no more than so many are compared per probe: the check stays quick, and nobody reads more.
_MOST_NAMESAKES = 500


async def insert_keys(conn: Connection, keys: Mapping[UUID, Iterable[Key]]) -> None:
    rows = [(key.kind, key.value, lead_id) for lead_id, some in keys.items() for key in some]
    if rows:
        await conn.copy_records_to_table("lead_key", records=rows, columns=("kind", "value", "lead_id"))


async def delete_keys(conn: Connection, lead_id: UUID) -> None:
    await conn.execute("DELETE FROM lead_key WHERE lead_id = $1", lead_id)


async def duplicates_of(conn: Connection, lead_id: UUID, *, likeness: float, per_key: int | None = None) -> dict[UUID, list[str]]:
    """The other leads that share a key with it or are nearly of its name, with the kinds that match.

    `per_key` bounds how many are looked at for each key; None is all, which a claim needs.
    """
    mine = await conn.fetch("SELECT kind, value FROM lead_key WHERE lead_id = $1", lead_id)
    found: dict[UUID, set[str]] = {}
    for row in await conn.fetch(
        """
        SELECT k.lead_id, m.kind FROM unnest($1::text[], $2::text[]) AS m (kind, value),
               LATERAL (SELECT lead_id FROM lead_key WHERE kind = m.kind AND value = m.value LIMIT $3) AS k
        """,
        *([row["kind"] for row in mine], [row["value"] for row in mine], per_key),
    ):
        found.setdefault(row["lead_id"], set()).add(row["kind"])
    for row in mine:
        if row["kind"] == "name":
            for other in await named_like(conn, row["value"], likeness):
                found.setdefault(other, set()).add("name")
    found.pop(lead_id, None)
    return {other: sorted(found[other]) for other in sorted(found)}


async def named_like(conn: Connection, name: str, likeness: float) -> dict[UUID, float]:
    """Leads whose name is nearly this one, with the share of trigrams that both have (0 to 1)."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT lead_id, similarity(value, $2) AS likeness FROM (
            SELECT k.lead_id, k.value FROM unnest($1::text[]) AS p (tokens), LATERAL (
                SELECT lead_id, value FROM lead_key
                WHERE kind = 'name' AND name_tokens(value) @> string_to_array(p.tokens, ' ') LIMIT $4) AS k) AS near
        WHERE similarity(value, $2) >= $3
        """,
        *([" ".join(probe) for probe in probes(name)], name, likeness, _MOST_NAMESAKES),
    )
    return {row["lead_id"]: float(row["likeness"]) for row in rows}


async def lock_keys(conn: Connection, keys: Iterable[Key]) -> None:
    """One capture at a time per key (in 1,024 buckets), so that of two alike at once the second sees the first."""
    texts = sorted({f"{key.kind}:{key.value}" for key in keys})
    await conn.execute(
        """
        SELECT pg_advisory_xact_lock(hashtext('lead.key'), bucket) FROM (
            SELECT DISTINCT hashtext(text) & 1023 AS bucket FROM unnest($1::text[]) AS text ORDER BY bucket) AS buckets
        """,
        texts,
    )


async def matches_of(conn: Connection, lead_ids: Sequence[UUID], kinds: Sequence[str]) -> list[Match]:
    """For new leads: earlier ones with an equal key of these kinds, the oldest five per key. Those of the same batch count as well."""
    rows = await conn.fetch(
        """
        SELECT n.lead_id, n.kind, o.lead_id AS other_id
        FROM lead_key n, LATERAL (
            SELECT k.lead_id FROM lead_key k
            WHERE k.kind = n.kind AND k.value = n.value AND k.lead_id <> n.lead_id AND
                  (NOT k.lead_id = ANY($1::uuid[]) OR array_position($1::uuid[], k.lead_id) < array_position($1::uuid[], n.lead_id))
            ORDER BY k.lead_id LIMIT 5) AS o
        WHERE n.lead_id = ANY($1::uuid[]) AND n.kind = ANY($2::text[])
        """,
        *(list(lead_ids), list(kinds)),
    )
    return [Match(row["lead_id"], row["kind"], row["other_id"]) for row in rows]


async def link(conn: Connection, links: Mapping[UUID, UUID]) -> None:
    """Keep of which lead each new one is a duplicate."""
    await conn.execute(
        """
        UPDATE lead SET duplicate_of = n.other FROM unnest($1::uuid[], $2::uuid[]) AS n (id, other) WHERE lead.id = n.id
        """,
        *(list(links), list(links.values())),
    )


async def delete_new(conn: Connection, lead_ids: Sequence[UUID]) -> None:
    """New leads that the policy refuses, inserted in this transaction, leave no trace."""
    await conn.execute("DELETE FROM lease_lead WHERE lead_id = ANY($1::uuid[])", list(lead_ids))
    await conn.execute("DELETE FROM lead_key WHERE lead_id = ANY($1::uuid[])", list(lead_ids))
    await conn.execute("DELETE FROM lead WHERE id = ANY($1::uuid[])", list(lead_ids))


async def get_policy(conn: Connection, now: datetime) -> DuplicatePolicy:
    """The policy in force."""
    row = await conn.fetchrow(
        """
        SELECT version, email, phone, domain, name, likeness FROM duplicate_policy
        WHERE valid_from <= $1 ORDER BY valid_from DESC LIMIT 1
        """,
        now,
    )
    if row is None:
        raise NotFound(f"no policy for duplicates is in force at {now}")
    return DuplicatePolicy(**dict(row))


async def list_policies(conn: Connection) -> list[Any]:
    """The latest to begin first, at most 200."""
    return await conn.fetch(
        """
        SELECT version, valid_from, email, phone, domain, name, likeness, created_by, created_at FROM duplicate_policy
        ORDER BY valid_from DESC LIMIT 200
        """
    )


async def insert_policy(
    conn: Connection, policy: DuplicatePolicy, *, valid_from: datetime, created_by: str, now: datetime
) -> bool:
    """False when the version or the beginning is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO duplicate_policy (version, valid_from, email, phone, domain, name, likeness, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(policy.version, valid_from, policy.email, policy.phone, policy.domain, policy.name, policy.likeness, created_by, now),
    )
    return row is not None
