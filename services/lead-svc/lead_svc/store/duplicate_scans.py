"""Scans for duplicates and the groups they find."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.duplicate_scan import Member, Position, Scan
from lead_svc.domain.identity import Kind


async def count_keys(conn: Connection, kinds: Sequence[Kind]) -> int:
    number: int = await conn.fetchval("SELECT count(*) FROM lead_key WHERE kind = ANY($1::text[])", list(kinds))
    return number


async def insert_scan(conn: Connection, scan: Scan) -> bool:
    """False while another one runs."""
    row = await conn.fetchrow(
        """
        INSERT INTO duplicate_scan (id, kinds, likeness, state, at_kind, at_value, at_lead, total, processed, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING RETURNING id
        """,
        *(scan.id, list(scan.kinds), scan.likeness, scan.state, scan.at.kind, scan.at.value, scan.at.lead_id, scan.total),
        *(scan.processed, scan.created_by, scan.created_at),
    )
    return row is not None


async def claim_scan(conn: Connection) -> Scan | None:
    """The scan that runs, unless another replica works on it at this moment."""
    row = await conn.fetchrow(
        """
        SELECT id, kinds, likeness, state, at_kind, at_value, at_lead, total, processed, created_by, created_at, finished_at
        FROM duplicate_scan WHERE state = 'running' LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return None if row is None else _scan(row)


async def get_scan(conn: Connection, scan_id: UUID) -> Scan:
    row = await conn.fetchrow(
        """
        SELECT id, kinds, likeness, state, at_kind, at_value, at_lead, total, processed, created_by, created_at, finished_at
        FROM duplicate_scan WHERE id = $1
        """,
        scan_id,
    )
    if row is None:
        raise NotFound(f"no scan {scan_id}")
    return _scan(row)


async def get_scan_for_update(conn: Connection, scan_id: UUID) -> Scan:
    await conn.execute("SELECT 1 FROM duplicate_scan WHERE id = $1 FOR UPDATE", scan_id)
    return await get_scan(conn, scan_id)


async def save_scan(conn: Connection, scan: Scan) -> None:
    await conn.execute(
        """
        UPDATE duplicate_scan SET state = $2, at_kind = $3, at_value = $4, at_lead = $5, processed = $6, finished_at = $7 WHERE id = $1
        """,
        *(scan.id, scan.state, scan.at.kind, scan.at.value, scan.at.lead_id, scan.processed, scan.finished_at),
    )


async def list_scans(conn: Connection, *, after: UUID | None, limit: int) -> list[Scan]:
    rows = await conn.fetch(
        """
        SELECT id, kinds, likeness, state, at_kind, at_value, at_lead, total, processed, created_by, created_at, finished_at
        FROM duplicate_scan WHERE ($1::uuid IS NULL OR id > $1) ORDER BY id LIMIT $2
        """,
        *(after, limit),
    )
    return [_scan(row) for row in rows]


async def next_keys(conn: Connection, at: Position, limit: int) -> list[Any]:
    """The keys of this kind after a position, each with the first lead that has the same one."""
    return await conn.fetch(
        """
        SELECT k.value, k.lead_id,
               (SELECT f.lead_id FROM lead_key f WHERE f.kind = k.kind AND f.value = k.value ORDER BY f.lead_id LIMIT 1) AS first_id
        FROM lead_key k WHERE k.kind = $1 AND (k.value, k.lead_id) > ($2, $3) ORDER BY k.value, k.lead_id LIMIT $4
        """,
        *(at.kind, at.value, at.lead_id, limit),
    )


async def members_among(conn: Connection, scan_id: UUID, lead_ids: Sequence[UUID]) -> dict[UUID, Member]:
    rows = await conn.fetch(
        """
        SELECT lead_id, group_id, matched_on, likeness FROM duplicate_member WHERE scan_id = $1 AND lead_id = ANY($2::uuid[])
        """,
        *(scan_id, list(lead_ids)),
    )
    return {row["lead_id"]: _member(row) for row in rows}


async def save_members(conn: Connection, scan_id: UUID, members: Sequence[Member]) -> None:
    await conn.executemany(
        """
        INSERT INTO duplicate_member (scan_id, lead_id, group_id, matched_on, likeness) VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (scan_id, lead_id) DO UPDATE
        SET group_id = excluded.group_id, matched_on = excluded.matched_on, likeness = excluded.likeness
        """,
        [(scan_id, each.lead_id, each.group_id, sorted(each.matched_on), each.likeness) for each in members],
    )


async def join_groups(conn: Connection, scan_id: UUID, joined: Mapping[UUID, UUID]) -> None:
    await conn.execute(
        """
        UPDATE duplicate_member m SET group_id = j.new FROM unnest($2::uuid[], $3::uuid[]) AS j (old, new)
        WHERE m.scan_id = $1 AND m.group_id = j.old
        """,
        *(scan_id, list(joined), list(joined.values())),
    )


async def list_groups(conn: Connection, scan_id: UUID, *, after: UUID | None, limit: int) -> list[Any]:
    """Groups in which at least two leads are left that were not merged since, by name."""
    return await conn.fetch(
        """
        SELECT m.group_id AS id, count(*) AS size, min(m.likeness) AS likeness
        FROM duplicate_member m JOIN lead l ON l.id = m.lead_id AND l.merged_into IS NULL
        WHERE m.scan_id = $1 AND ($2::uuid IS NULL OR m.group_id > $2)
        GROUP BY m.group_id HAVING count(*) > 1 ORDER BY m.group_id LIMIT $3
        """,
        *(scan_id, after, limit),
    )


async def members_of(conn: Connection, scan_id: UUID, group_ids: Sequence[UUID], most: int) -> dict[UUID, list[Member]]:
    """The first leads of each group, the surest first."""
    rows = await conn.fetch(
        """
        SELECT m.lead_id, m.group_id, m.matched_on, m.likeness FROM unnest($2::uuid[]) AS g (id), LATERAL (
            SELECT d.lead_id, d.group_id, d.matched_on, d.likeness
            FROM duplicate_member d JOIN lead l ON l.id = d.lead_id AND l.merged_into IS NULL
            WHERE d.scan_id = $1 AND d.group_id = g.id ORDER BY d.likeness DESC, d.lead_id LIMIT $3) AS m
        """,
        *(scan_id, list(group_ids), most),
    )
    found: dict[UUID, list[Member]] = {group_id: [] for group_id in group_ids}
    for row in rows:
        found[row["group_id"]].append(_member(row))
    return found


async def delete_old(conn: Connection, before: datetime) -> int:
    rows = await conn.fetch(
        """
        DELETE FROM duplicate_scan WHERE id IN (
            SELECT id FROM duplicate_scan WHERE created_at < $1 AND state <> 'running' LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING id
        """,
        before,
    )
    return len(rows)


def _scan(row: Any) -> Scan:
    fields = dict(row)
    at = Position(fields.pop("at_kind"), fields.pop("at_value"), fields.pop("at_lead"))
    return Scan(**{**fields, "kinds": tuple(fields["kinds"])}, at=at)


def _member(row: Any) -> Member:
    return Member(row["lead_id"], row["group_id"], frozenset(row["matched_on"]), row["likeness"])
