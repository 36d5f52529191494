"""Versions of the scoring rule, and the band last told of each lead."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound
from ltc_rules.custom_fields import JSON

from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Band, Rule
from lead_svc.store.leads import lead_of


@dataclass(frozen=True, slots=True)
class Told:
    """The band last told of a lead. `ceiling` bounds fit + engagement until its next activity; `next_look_at` is None for never."""

    lead_id: UUID
    band: Band
    ceiling: Decimal
    rule_version: str
    next_look_at: datetime | None


async def insert_rule(conn: Connection, rule: Rule, *, valid_from: datetime, created_by: str, now: datetime) -> bool:
    """False when the version or the beginning is taken."""
    row = await conn.fetchrow(
        """
        INSERT INTO score_rule (version, valid_from, rule, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(rule.version, valid_from, dict(rule.body), created_by, now),
    )
    return row is not None


async def list_rules(conn: Connection) -> list[Any]:
    """The latest to begin first, at most 200."""
    return await conn.fetch(
        "SELECT version, valid_from, rule, created_by, created_at FROM score_rule ORDER BY valid_from DESC LIMIT 200"
    )


async def get_rule_version(conn: Connection, version: str) -> Any:
    row = await conn.fetchrow(
        "SELECT version, valid_from, rule, created_by, created_at FROM score_rule WHERE version = $1", version
    )
    if row is None:
        raise NotFound(f"no scoring rule {version}")
    return row


async def insert_told(conn: Connection, told: Sequence[Told]) -> None:
    """Of leads that were just inserted."""
    await conn.copy_records_to_table(
        "lead_score",
        records=[(each.lead_id, each.band, each.ceiling, each.rule_version, each.next_look_at) for each in told],
        columns=("lead_id", "band", "ceiling", "rule_version", "next_look_at"),
    )


async def save_told(conn: Connection, told: Sequence[Told]) -> None:
    """The caller has locked (or just inserted) the leads."""
    rows = sorted(told, key=lambda each: each.lead_id)
    await conn.execute(
        """
        INSERT INTO lead_score (lead_id, band, ceiling, rule_version, next_look_at)
        SELECT * FROM unnest($1::uuid[], $2::text[], $3::numeric[], $4::text[], $5::timestamptz[])
        ON CONFLICT (lead_id) DO UPDATE SET band = excluded.band, ceiling = excluded.ceiling, rule_version = excluded.rule_version,
                                            next_look_at = excluded.next_look_at
        """,
        [row.lead_id for row in rows],
        [row.band for row in rows],
        [row.ceiling for row in rows],
        [row.rule_version for row in rows],
        [row.next_look_at for row in rows],
    )


async def claim_due(conn: Connection, now: datetime, limit: int) -> dict[UUID, Band]:
    """Leads whose band may have changed by time or by a new rule, locked, with the band last told; those of others are passed by."""
    rows = await conn.fetch(
        """
        SELECT l.id, s.band FROM lead_score s JOIN lead l ON l.id = s.lead_id
        WHERE s.next_look_at <= $1 ORDER BY s.next_look_at LIMIT $2 FOR UPDATE OF l, s SKIP LOCKED
        """,
        *(now, limit),
    )
    if not rows:
        rows = await conn.fetch(
            """
            SELECT l.id, s.band FROM lead_score s JOIN lead l ON l.id = s.lead_id
            WHERE s.rule_version IN (
                SELECT version FROM score_rule
                WHERE version <> (SELECT version FROM score_rule WHERE valid_from <= $1 ORDER BY valid_from DESC LIMIT 1)
            )
            LIMIT $2 FOR UPDATE OF l, s SKIP LOCKED
            """,
            *(now, limit),
        )
    return {row["id"]: row["band"] for row in rows}


async def is_current(conn: Connection, rule_version: str) -> bool:
    """Whether every lead was scored by this version; while a new one spreads, what is kept of the others says nothing."""
    old: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM lead_score WHERE rule_version IN (SELECT version FROM score_rule WHERE version <> $1))
        """,
        rule_version,
    )
    return not old


async def list_in_band(
    conn: Connection,
    band: str,
    *,
    flow_id: UUID | None,
    status: str | None,
    source: str | None,
    external_ref: str | None,
    segment: str | None,
    custom: Mapping[str, JSON] | None,
    after: UUID | None,
    limit: int,
) -> list[Lead]:
    """Leads last told to be in a band, in the order of capture."""
    rows = await conn.fetch(
        """
        SELECT l.id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom, erased_at
        FROM lead_score s JOIN lead l ON l.id = s.lead_id
        WHERE s.band = $1 AND ($2::text IS NULL OR l.status = $2) AND ($3::text IS NULL OR l.source = $3)
          AND ($4::uuid IS NULL OR l.flow_id = $4) AND ($5::text IS NULL OR l.external_ref = $5)
          AND ($6::uuid IS NULL OR s.lead_id > $6)
          AND ($8::text IS NULL OR l.segments @> ARRAY[$8] AND l.segments <> '{}')
          AND ($9::jsonb IS NULL OR l.custom @> $9 AND l.custom <> '{}')
        ORDER BY s.lead_id LIMIT $7
        """,
        *(band, status, source, flow_id, external_ref, after, limit, segment, custom or None),
    )
    return [lead_of(row) for row in rows]


async def list_by_ceiling(
    conn: Connection, *, open_only: bool, after: tuple[Decimal, UUID] | None, limit: int
) -> list[tuple[Decimal, Lead]]:
    """Leads in the falling order of what their score can be, with that ceiling."""
    ceiling, lead_id = after or (None, None)
    rows = await conn.fetch(
        """
        SELECT s.ceiling, l.id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size,
               website, external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom, erased_at
        FROM lead_score s JOIN lead l ON l.id = s.lead_id
        WHERE (NOT $1::boolean OR l.status IN ('new', 'contacted', 'nurturing'))
          AND ($2::numeric IS NULL OR s.ceiling < $2 OR s.ceiling = $2 AND s.lead_id > $3)
        ORDER BY s.ceiling DESC, s.lead_id LIMIT $4
        """,
        *(open_only, ceiling, lead_id, limit),
    )
    return [(row["ceiling"], lead_of({name: value for name, value in row.items() if name != "ceiling"})) for row in rows]
