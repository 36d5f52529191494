"""Rules of segments and classifications, and the runs that look at every lead again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection

from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Band
from lead_svc.domain.segments import RuleKind, SegmentRule
from lead_svc.store.leads import lead_of


@dataclass(frozen=True, slots=True)
class Run:
    """One look at every lead; `after` is the last one seen."""

    id: UUID
    due_at: datetime
    after: UUID | None
    looked_at: int
    changed: int
    done_at: datetime | None


async def list_rules_in_force(conn: Connection, now: datetime) -> list[SegmentRule]:
    """The version in force of each code; those that ended are among them, as not active."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (kind, code) kind, code, version, label, condition, sets, priority, active, valid_from
        FROM segment_rule WHERE valid_from <= $1 ORDER BY kind, code, valid_from DESC, version DESC
        """,
        now,
    )
    return [_rule(row) for row in rows]


async def lock_rules(conn: Connection) -> None:
    """One new version at a time; readers do not wait."""
    await conn.execute("LOCK TABLE segment_rule IN SHARE ROW EXCLUSIVE MODE")


async def find_latest(conn: Connection, kind: RuleKind, code: str) -> SegmentRule | None:
    row = await conn.fetchrow(
        """
        SELECT kind, code, version, label, condition, sets, priority, active, valid_from FROM segment_rule
        WHERE kind = $1 AND code = $2 ORDER BY version DESC LIMIT 1
        """,
        *(kind, code),
    )
    return None if row is None else _rule(row)


async def count_codes(conn: Connection, kind: RuleKind) -> int:
    """Codes whose latest version is active."""
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM (
            SELECT DISTINCT ON (code) active FROM segment_rule WHERE kind = $1 ORDER BY code, version DESC
        ) AS latest WHERE active
        """,
        kind,
    )
    return count


async def insert_rule(conn: Connection, rule: SegmentRule, *, created_by: str, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO segment_rule (kind, code, version, label, condition, sets, priority, active, valid_from, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(rule.kind, rule.code, rule.version, rule.label, dict(rule.condition), dict(rule.sets), rule.priority, rule.active),
        *(rule.valid_from, created_by, now),
    )


async def list_versions(conn: Connection, kind: RuleKind, code: str | None) -> list[Any]:
    """Every version of a code, or the latest of each code where none is named; at most 1000."""
    return await conn.fetch(
        """
        SELECT kind, code, version, label, condition, sets, priority, active, valid_from, created_by, created_at
        FROM segment_rule r
        WHERE kind = $1 AND CASE WHEN $2::text IS NOT NULL THEN code = $2
              ELSE version = (SELECT max(version) FROM segment_rule m WHERE m.kind = r.kind AND m.code = r.code) END
        ORDER BY priority, code, version DESC LIMIT 1000
        """,
        *(kind, code),
    )


async def insert_run(conn: Connection, run_id: UUID, due_at: datetime) -> None:
    await conn.execute("INSERT INTO segment_run (id, due_at) VALUES ($1, $2)", run_id, due_at)


async def claim_run(conn: Connection, now: datetime) -> Run | None:
    """The next run that is due and that no other replica works on, locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT id, due_at, after, looked_at, changed, done_at FROM segment_run
        WHERE done_at IS NULL AND due_at <= $1 ORDER BY due_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
        """,
        now,
    )
    return None if row is None else Run(**dict(row))


async def save_run(conn: Connection, run: Run) -> None:
    await conn.execute(
        "UPDATE segment_run SET after = $2, looked_at = $3, changed = $4, done_at = $5 WHERE id = $1",
        *(run.id, run.after, run.looked_at, run.changed, run.done_at),
    )


async def list_runs(conn: Connection) -> list[Run]:
    """The latest 100."""
    rows = await conn.fetch("SELECT id, due_at, after, looked_at, changed, done_at FROM segment_run ORDER BY id DESC LIMIT 100")
    return [Run(**dict(row)) for row in rows]


async def lock_next_leads(conn: Connection, after: UUID | None, limit: int) -> list[UUID]:
    """The next leads in the order of capture, locked."""
    rows = await conn.fetch("SELECT id FROM lead WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2 FOR UPDATE", after, limit)
    return [row["id"] for row in rows]


async def bands_of(conn: Connection, lead_ids: Sequence[UUID]) -> dict[UUID, Band]:
    """The band last told of each."""
    rows = await conn.fetch("SELECT lead_id, band FROM lead_score WHERE lead_id = ANY($1::uuid[])", list(lead_ids))
    return {row["lead_id"]: row["band"] for row in rows}


async def save_places(conn: Connection, leads: Sequence[Lead]) -> None:
    """Where (locked or new) leads belong by rule."""
    await conn.execute(
        """
        UPDATE lead SET industry = n.industry, region = n.region, channel_group = n.channel_group, version = n.version,
               updated_at = n.updated_at, segments = ARRAY(SELECT jsonb_array_elements_text(n.lists -> 'segments')),
               classified = ARRAY(SELECT jsonb_array_elements_text(n.lists -> 'classified'))
        FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::integer[], $6::timestamptz[], $7::jsonb[])
             AS n (id, industry, region, channel_group, version, updated_at, lists)
        WHERE lead.id = n.id
        """,
        [lead.id for lead in leads],
        [lead.industry for lead in leads],
        [lead.region for lead in leads],
        [lead.channel_group for lead in leads],
        [lead.version for lead in leads],
        [lead.updated_at for lead in leads],
        # A list of lists would be taken for an array of two dimensions.
        [{"segments": lead.segments, "classified": sorted(lead.classified)} for lead in leads],
    )


async def count_leads(conn: Connection) -> int:
    count: int = await conn.fetchval("SELECT count(*) FROM lead WHERE status <> 'merged'")
    return count


async def list_before(conn: Connection, before: UUID | None, limit: int) -> list[tuple[Lead, Band]]:
    """Leads with the band last told, the latest captured first."""
    rows = await conn.fetch(
        """
        SELECT l.id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom, coalesce(s.band, 'cold') AS band
        FROM lead l LEFT JOIN lead_score s ON s.lead_id = l.id
        WHERE ($1::uuid IS NULL OR l.id < $1) AND l.status <> 'merged' ORDER BY l.id DESC LIMIT $2
        """,
        *(before, limit),
    )
    return [(lead_of({name: value for name, value in row.items() if name != "band"}), row["band"]) for row in rows]


def _rule(row: Any) -> SegmentRule:
    return SegmentRule(**dict(row))
