"""Commission plans, who sells under which, and what was agreed for one deal."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.commission_plan import Assignment, Plan, Share, Tier


async def lock_rep(conn: Connection, rep: str) -> None:
    """One signature of a rep at a time, so that what was attained before it is what it says. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.rep:' || $1, 0))", rep)


async def lock_plan(conn: Connection, code: str) -> None:
    """One new version of a plan at a time."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.plan:' || $1, 0))", code)


async def next_plan_version(conn: Connection, code: str) -> int:
    """Under the plan's lock."""
    number: int = await conn.fetchval("SELECT coalesce(max(version), 0) + 1 FROM commission_plan WHERE code = $1", code)
    return number


async def insert_plan(conn: Connection, plan_id: UUID, p: Plan, *, by: str, now: datetime) -> bool:
    """False when a version begins at that very moment already."""
    made = await conn.fetchval(
        """
        INSERT INTO commission_plan (id, code, version, name, rate, tiers, period, currency, products, pipelines, splits,
                                     valid_from, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) ON CONFLICT (code, valid_from) DO NOTHING RETURNING true
        """,
        *(plan_id, p.code, p.version, p.name, p.rate),
        [{"above": str(tier.above), "rate": str(tier.rate)} for tier in p.tiers],
        *(p.period, p.currency, sorted(p.products), sorted(p.pipelines), _json(p.splits), p.valid_from, by, now),
    )
    return bool(made)


async def list_plans(
    conn: Connection, *, code: str | None, after: UUID | None, limit: int
) -> list[tuple[UUID, Plan, str, datetime]]:
    """Versions in the order they were made, each with its id, who made it and when."""
    rows = await conn.fetch(
        """
        SELECT id, code, version, name, rate, tiers, period, currency, products, pipelines, splits, valid_from, created_by, created_at
        FROM commission_plan WHERE ($1::text IS NULL OR code = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(code, after, limit),
    )
    return [(row["id"], _plan(row), row["created_by"], row["created_at"]) for row in rows]


async def list_versions(conn: Connection, codes: Sequence[str]) -> list[Plan]:
    """Every version of these plans."""
    rows = await conn.fetch(
        """
        SELECT code, version, name, rate, tiers, period, currency, products, pipelines, splits, valid_from
        FROM commission_plan WHERE code = ANY($1::text[]) ORDER BY code, version
        """,
        codes,
    )
    return [_plan(row) for row in rows]


async def plans_of(conn: Connection, rep: str, moment: datetime) -> list[Plan]:
    """The plans a rep sells under at a moment, each in the version then in force."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (p.code) p.code, p.version, p.name, p.rate, p.tiers, p.period, p.currency, p.products, p.pipelines,
               p.splits, p.valid_from
        FROM commission_assignment a JOIN commission_plan p ON p.code = a.plan AND p.valid_from <= $2
        WHERE a.rep = $1 AND a.valid_from <= $2 AND (a.valid_until IS NULL OR a.valid_until > $2)
        ORDER BY p.code, p.valid_from DESC
        """,
        rep,
        moment,
    )
    return [_plan(row) for row in rows]


async def has_plan(conn: Connection, code: str) -> bool:
    return bool(await conn.fetchval("SELECT EXISTS (SELECT 1 FROM commission_plan WHERE code = $1)", code))


async def insert_assignment(conn: Connection, a: Assignment, *, now: datetime) -> None:
    await conn.execute(
        """
        INSERT INTO commission_assignment (id, rep, plan, valid_from, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        """,
        *(a.id, a.rep, a.plan, a.valid_from, a.created_by, now),
    )


async def overlaps(conn: Connection, rep: str, plan: str, valid_from: datetime) -> bool:
    """Whether the rep already sells under the plan at or after a moment. Under the rep's lock."""
    return bool(
        await conn.fetchval(
            """
            SELECT EXISTS (SELECT 1 FROM commission_assignment
                           WHERE rep = $1 AND plan = $2 AND (valid_until IS NULL OR valid_until > $3))
            """,
            *(rep, plan, valid_from),
        )
    )


async def get_assignment_for_update(conn: Connection, assignment_id: UUID) -> Assignment:
    row = await conn.fetchrow(
        """
        SELECT id, rep, plan, valid_from, valid_until, created_by, created_at, ended_by
        FROM commission_assignment WHERE id = $1 FOR UPDATE
        """,
        assignment_id,
    )
    if row is None:
        raise NotFound(f"no assignment {assignment_id}")
    return Assignment(**dict(row))


async def end_assignment(conn: Connection, assignment_id: UUID, valid_until: datetime, *, by: str, now: datetime) -> None:
    await conn.execute(
        "UPDATE commission_assignment SET valid_until = $2, ended_by = $3, ended_at = $4 WHERE id = $1",
        *(assignment_id, valid_until, by, now),
    )


async def list_assignments(
    conn: Connection, *, rep: str | None, plan: str | None, after: UUID | None, limit: int
) -> list[Assignment]:
    rows = await conn.fetch(
        """
        SELECT id, rep, plan, valid_from, valid_until, created_by, created_at, ended_by FROM commission_assignment
        WHERE ($1::text IS NULL OR rep = $1) AND ($2::text IS NULL OR plan = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(rep, plan, after, limit),
    )
    return [Assignment(**dict(row)) for row in rows]


async def insert_split(
    conn: Connection, split_id: UUID, opportunity_id: UUID, shares: Sequence[Share], *, by: str, now: datetime
) -> int:
    """The next version of what was agreed for a deal; under the opportunity's lock. Returns its number."""
    number: int = await conn.fetchval(
        """
        INSERT INTO commission_split (id, opportunity_id, version, shares, created_by, created_at)
        SELECT $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5 FROM commission_split WHERE opportunity_id = $2 RETURNING version
        """,
        *(split_id, opportunity_id, _json(shares), by, now),
    )
    return number


async def get_split(conn: Connection, opportunity_id: UUID) -> tuple[int, list[Share], str | None, datetime | None]:
    """Version, shares, by whom and when; version 0 and no shares where nothing was agreed."""
    row = await conn.fetchrow(
        """
        SELECT version, shares, created_by, created_at FROM commission_split WHERE opportunity_id = $1 ORDER BY version DESC LIMIT 1
        """,
        opportunity_id,
    )
    return (0, [], None, None) if row is None else (row["version"], _shares(row["shares"]), row["created_by"], row["created_at"])


async def splits_of(conn: Connection, opportunity_ids: Sequence[UUID]) -> dict[UUID, list[Share]]:
    """What was agreed for these deals, where something was."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (opportunity_id) opportunity_id, shares FROM commission_split WHERE opportunity_id = ANY($1::uuid[])
        ORDER BY opportunity_id, version DESC
        """,
        opportunity_ids,
    )
    return {row["opportunity_id"]: _shares(row["shares"]) for row in rows}


def _json(shares: Sequence[Share]) -> list[dict[str, str | None]]:
    return [{"rep": share.rep, "percent": str(share.percent)} for share in shares]


def _shares(rows: Sequence[Any]) -> list[Share]:
    return [Share(row["rep"], Decimal(row["percent"])) for row in rows]


def _plan(row: Any) -> Plan:
    return Plan(
        code=row["code"],
        version=row["version"],
        name=row["name"],
        rate=row["rate"],
        tiers=tuple(Tier(Decimal(tier["above"]), Decimal(tier["rate"])) for tier in row["tiers"]),
        period=row["period"],
        currency=row["currency"],
        products=frozenset(row["products"]),
        pipelines=frozenset(row["pipelines"]),
        splits=tuple(_shares(row["splits"])),
        valid_from=row["valid_from"],
    )
