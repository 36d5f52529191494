"""The clause library and contract templates."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.clause import Clause
from sales_svc.domain.contract_template import Item, Template, Terms


async def lock_series(conn: Connection, kind: str, code: str) -> None:
    """One new version of a clause or template at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.' || $1 || ':' || $2, 0))", kind, code)


async def next_clause_version(conn: Connection, code: str, language: str) -> int:
    """Under the clause's lock."""
    number: int = await conn.fetchval(
        "SELECT coalesce(max(version), 0) + 1 FROM clause WHERE code = $1 AND language = $2", code, language
    )
    return number


async def insert_clause(conn: Connection, c: Clause) -> None:
    await conn.execute(
        """
        INSERT INTO clause (id, code, language, version, title, text, valid_from, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        """,
        *(c.id, c.code, c.language, c.version, c.title, c.text, c.valid_from, c.created_by, c.created_at),
    )


async def approve_clause(conn: Connection, clause_id: UUID, *, by: str, now: datetime) -> None:
    await conn.execute("UPDATE clause SET approved_by = $2, approved_at = $3 WHERE id = $1", clause_id, by, now)


async def get_clause(conn: Connection, clause_id: UUID) -> Clause:
    """Raises `NotFound`."""
    row = await conn.fetchrow(
        """
        SELECT id, code, language, version, title, text, valid_from, created_by, created_at, approved_by, approved_at
        FROM clause WHERE id = $1
        """,
        clause_id,
    )
    if row is None:
        raise NotFound(f"no clause {clause_id}")
    return Clause(**dict(row))


async def get_clause_for_update(conn: Connection, clause_id: UUID) -> Clause:
    await conn.execute("SELECT 1 FROM clause WHERE id = $1 FOR UPDATE", clause_id)
    return await get_clause(conn, clause_id)


async def list_clauses(
    conn: Connection, *, code: str | None, language: str | None, after: UUID | None, limit: int
) -> list[Clause]:
    rows = await conn.fetch(
        """
        SELECT id, code, language, version, title, text, valid_from, created_by, created_at, approved_by, approved_at FROM clause
        WHERE ($1::text IS NULL OR code = $1) AND ($2::text IS NULL OR language = $2) AND ($3::uuid IS NULL OR id > $3)
        ORDER BY id LIMIT $4
        """,
        *(code, language, after, limit),
    )
    return [Clause(**dict(row)) for row in rows]


async def clauses_of(conn: Connection, codes: Sequence[str], language: str) -> list[Clause]:
    """Every version of these clauses in a language."""
    rows = await conn.fetch(
        """
        SELECT id, code, language, version, title, text, valid_from, created_by, created_at, approved_by, approved_at
        FROM clause WHERE code = ANY($1::text[]) AND language = $2
        """,
        *(codes, language),
    )
    return [Clause(**dict(row)) for row in rows]


async def next_template_version(conn: Connection, code: str) -> int:
    """Under the template's lock."""
    number: int = await conn.fetchval("SELECT coalesce(max(version), 0) + 1 FROM contract_template WHERE code = $1", code)
    return number


async def insert_template(conn: Connection, t: Template, *, by: str, now: datetime) -> bool:
    """False when a version begins at that very moment already."""
    made = await conn.fetchval(
        """
        INSERT INTO contract_template (id, code, version, name, language, automatic, priority, condition, clauses, months, auto_renew,
                                       renewal_months, notice_days, countersign, sign_within_days, valid_from, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
        ON CONFLICT (code, valid_from) DO NOTHING RETURNING true
        """,
        *(t.id, t.code, t.version, t.name, t.language, t.automatic, t.priority, t.condition),
        [{"code": item.code, "version": item.version, "condition": item.condition} for item in t.items],
        *(t.terms.months, t.terms.auto_renew, t.terms.renewal_months, t.terms.notice_days, t.countersign, t.sign_within_days),
        *(t.valid_from, by, now),
    )
    return bool(made)


async def list_templates(
    conn: Connection, *, code: str | None, after: UUID | None, limit: int
) -> list[tuple[Template, str, datetime]]:
    """Versions with who made them and when."""
    rows = await conn.fetch(
        """
        SELECT id, code, version, name, language, automatic, priority, condition, clauses, months, auto_renew, renewal_months,
               notice_days, countersign, sign_within_days, valid_from, created_by, created_at
        FROM contract_template WHERE ($1::text IS NULL OR code = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(code, after, limit),
    )
    return [(_template(row), row["created_by"], row["created_at"]) for row in rows]


async def templates_in_force(conn: Connection, moment: datetime) -> list[Template]:
    """Of each template the version that is valid at a moment."""
    rows = await conn.fetch(
        """
        SELECT DISTINCT ON (code) id, code, version, name, language, automatic, priority, condition, clauses, months, auto_renew,
               renewal_months, notice_days, countersign, sign_within_days, valid_from
        FROM contract_template WHERE valid_from <= $1 ORDER BY code, valid_from DESC
        """,
        moment,
    )
    return [_template(row) for row in rows]


def _template(row: Any) -> Template:
    return Template(
        id=row["id"],
        code=row["code"],
        version=row["version"],
        name=row["name"],
        language=row["language"],
        automatic=row["automatic"],
        priority=row["priority"],
        condition=row["condition"],
        items=tuple(Item(item["code"], item["version"], item["condition"]) for item in row["clauses"]),
        terms=Terms(row["months"], row["auto_renew"], row["renewal_months"], row["notice_days"]),
        countersign=row["countersign"],
        sign_within_days=row["sign_within_days"],
        valid_from=row["valid_from"],
    )
