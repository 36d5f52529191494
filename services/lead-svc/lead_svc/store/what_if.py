"""Runs of a proposed scoring rule, and the leads for whom it would change something."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.lead import Lead
from lead_svc.domain.score import Rule
from lead_svc.domain.what_if import Change, WhatIf
from lead_svc.store.leads import lead_of


async def count_unfinished(conn: Connection) -> int:
    count: int = await conn.fetchval("SELECT count(*) FROM what_if WHERE state <> 'done'")
    return count


async def insert_run(conn: Connection, run: WhatIf) -> None:
    await conn.execute(
        """
        INSERT INTO what_if (id, rule, base_version, population, as_of, state, total, matrix, created_by, created_at, finished_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        """,
        *(run.id, dict(run.rule.body), run.base_version, dict(run.population), run.as_of, run.state, run.total, run.matrix),
        *(run.created_by, run.created_at, run.finished_at),
    )


async def get_run(conn: Connection, run_id: UUID) -> WhatIf:
    row = await conn.fetchrow(
        """
        SELECT id, rule, base_version, population, as_of, state, total, processed, matched, listed, last_lead_id, matrix, newly,
               no_longer, created_by, created_at, finished_at
        FROM what_if WHERE id = $1
        """,
        run_id,
    )
    if row is None:
        raise NotFound(f"no run {run_id}")
    return _run(row)


async def list_runs(conn: Connection, *, after: UUID | None, limit: int) -> list[WhatIf]:
    rows = await conn.fetch(
        """
        SELECT id, rule, base_version, population, as_of, state, total, processed, matched, listed, last_lead_id, matrix, newly,
               no_longer, created_by, created_at, finished_at
        FROM what_if WHERE $1::uuid IS NULL OR id > $1 ORDER BY id LIMIT $2
        """,
        *(after, limit),
    )
    return [_run(row) for row in rows]


async def claim_run(conn: Connection) -> WhatIf | None:
    """The oldest unfinished run that no other replica works on, locked until the transaction ends."""
    row = await conn.fetchrow(
        """
        SELECT id, rule, base_version, population, as_of, state, total, processed, matched, listed, last_lead_id, matrix, newly,
               no_longer, created_by, created_at, finished_at
        FROM what_if WHERE state <> 'done' ORDER BY id LIMIT 1 FOR UPDATE SKIP LOCKED
        """
    )
    return None if row is None else _run(row)


async def save_run(conn: Connection, run: WhatIf) -> None:
    await conn.execute(
        """
        UPDATE what_if SET state = $2, processed = $3, matched = $4, listed = $5, last_lead_id = $6, matrix = $7, newly = $8,
               no_longer = $9, finished_at = $10
        WHERE id = $1
        """,
        *(run.id, run.state, run.processed, run.matched, run.listed, run.last_lead_id, run.matrix, run.newly, run.no_longer),
        run.finished_at,
    )


async def count_population(conn: Connection, population: Mapping[str, Any], as_of: datetime) -> int:
    count: int = await conn.fetchval(
        """
        SELECT count(*) FROM lead
        WHERE created_at <= $1 AND ($2::timestamptz IS NULL OR created_at >= $2) AND ($3::timestamptz IS NULL OR created_at < $3)
          AND ($4::text[] IS NULL OR status = ANY($4)) AND ($5::text IS NULL OR channel = $5) AND ($6::text IS NULL OR source = $6)
          AND ($7::text IS NULL OR campaign = $7) AND ($8::text IS NULL OR country = $8) AND status <> 'merged'
        """,
        *_population(population, as_of),
    )
    return count


async def next_of_population(
    conn: Connection, population: Mapping[str, Any], as_of: datetime, *, after: UUID | None, limit: int
) -> list[tuple[Lead, bool]]:
    """The next leads in the order of their ids, each with whether it was qualified by then, by whomever."""
    rows = await conn.fetch(
        """
        SELECT l.id, flow_id, status, captured_via, channel, source, campaign, company, country, industry, company_size, website,
               external_ref, contact, attributes, amount, currency, owner, disqualified_reason, merged_into, duplicate_of, version,
               created_at, updated_at, region, channel_group, segments, classified, custom,
               coalesce(o.qualified_at, o.converted_at) <= $1 AS was_qualified
        FROM lead l LEFT JOIN lead_outcome o ON o.lead_id = l.id
        WHERE created_at <= $1 AND ($2::timestamptz IS NULL OR created_at >= $2) AND ($3::timestamptz IS NULL OR created_at < $3)
          AND ($4::text[] IS NULL OR status = ANY($4)) AND ($5::text IS NULL OR channel = $5) AND ($6::text IS NULL OR source = $6)
          AND ($7::text IS NULL OR campaign = $7) AND ($8::text IS NULL OR country = $8) AND status <> 'merged'
          AND ($9::uuid IS NULL OR l.id > $9)
        ORDER BY l.id LIMIT $10
        """,
        *(*_population(population, as_of), after, limit),
    )
    return [
        (lead_of({name: value for name, value in row.items() if name != "was_qualified"}), bool(row["was_qualified"]))
        for row in rows
    ]


async def insert_changes(conn: Connection, run_id: UUID, changes: Sequence[Change]) -> None:
    await conn.execute(
        """
        INSERT INTO what_if_lead (what_if_id, lead_id, from_band, to_band, from_total, to_total, newly, no_longer, qualifies_at)
        SELECT $1::uuid, * FROM unnest($2::uuid[], $3::text[], $4::text[], $5::numeric[], $6::numeric[], $7::boolean[], $8::boolean[],
                                 $9::timestamptz[])
        """,
        run_id,
        [change.lead_id for change in changes],
        [change.from_band for change in changes],
        [change.to_band for change in changes],
        [change.from_total for change in changes],
        [change.to_total for change in changes],
        [change.newly for change in changes],
        [change.no_longer for change in changes],
        [change.qualifies_at for change in changes],
    )


async def list_changes(
    conn: Connection,
    run_id: UUID,
    *,
    from_band: str | None,
    to_band: str | None,
    newly: bool | None,
    after: UUID | None,
    limit: int,
) -> list[Change]:
    rows = await conn.fetch(
        """
        SELECT lead_id, from_band, to_band, from_total, to_total, newly, no_longer, qualifies_at FROM what_if_lead
        WHERE what_if_id = $1 AND ($2::text IS NULL OR from_band = $2) AND ($3::text IS NULL OR to_band = $3)
          AND ($4::boolean IS NULL OR newly = $4) AND ($5::uuid IS NULL OR lead_id > $5)
        ORDER BY lead_id LIMIT $6
        """,
        *(run_id, from_band, to_band, newly, after, limit),
    )
    return [Change(**dict(row)) for row in rows]


async def forget_before(conn: Connection, moment: datetime, limit: int) -> int:
    """Old runs go, with their lines."""
    gone = await conn.fetch(
        """
        DELETE FROM what_if WHERE id IN (SELECT id FROM what_if WHERE finished_at < $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING 1
        """,
        *(moment, limit),
    )
    return len(gone)


def _population(population: Mapping[str, Any], as_of: datetime) -> tuple[Any, ...]:
    since, until = (
        datetime.fromisoformat(text) if (text := population.get(name)) else None for name in ("captured_from", "captured_until")
    )
    return (
        *(as_of, since, until, population.get("status"), population.get("channel"), population.get("source")),
        *(population.get("campaign"), population.get("country")),
    )


def _run(row: Any) -> WhatIf:
    fields = dict(row)
    return WhatIf(**{**fields, "rule": Rule("proposed", fields["rule"])})
