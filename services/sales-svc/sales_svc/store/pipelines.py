"""Pipelines and their versions."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from sales_svc.domain.pipeline import ActivityNeed, Item, Pipeline, Stage


@dataclass(frozen=True, slots=True)
class Listed:
    """A version of a pipeline, with who made it and how the pipeline stands."""

    pipeline: Pipeline
    is_default: bool
    archived: bool
    created_by: str
    created_at: datetime


async def get_default(conn: Connection) -> Pipeline:
    """The latest version of the pipeline that new deals run under where none is named."""
    row = await conn.fetchrow(
        """
        SELECT v.pipeline, v.version, v.name, v.stages FROM pipeline p
        JOIN pipeline_version v ON v.pipeline = p.code AND v.version = p.latest WHERE p.is_default
        """
    )
    return _pipeline(row, "default")


async def get_latest(conn: Connection, code: str) -> Pipeline:
    """The latest version. Raises `NotFound`."""
    row = await conn.fetchrow(
        """
        SELECT v.pipeline, v.version, v.name, v.stages FROM pipeline p
        JOIN pipeline_version v ON v.pipeline = p.code AND v.version = p.latest WHERE p.code = $1
        """,
        code,
    )
    return _pipeline(row, code)


async def get_version(conn: Connection, code: str, version: int) -> Pipeline:
    """One version. Raises `NotFound`."""
    row = await conn.fetchrow(
        "SELECT pipeline, version, name, stages FROM pipeline_version WHERE pipeline = $1 AND version = $2", code, version
    )
    return _pipeline(row, f"{code} {version}")


async def lock_pipeline(conn: Connection, code: str) -> tuple[int, bool, bool]:
    """Its latest version, whether it is the default, whether it is archived; locked until the transaction ends."""
    row = await conn.fetchrow("SELECT latest, is_default, archived FROM pipeline WHERE code = $1 FOR UPDATE", code)
    if row is None:
        raise NotFound(f"no pipeline '{code}'")
    return row["latest"], row["is_default"], row["archived"]


async def takes_deals(conn: Connection, code: str) -> bool:
    """Whether there is such a pipeline and it is not archived."""
    found: bool = await conn.fetchval("SELECT EXISTS (SELECT 1 FROM pipeline WHERE code = $1 AND NOT archived)", code)
    return found


async def lock_default(conn: Connection) -> None:
    """One change of the default at a time. Until the transaction ends."""
    await conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('sales.pipeline.default', 0))")


async def insert_pipeline(conn: Connection, code: str) -> bool:
    """False when there is one of this code."""
    row = await conn.fetchrow("INSERT INTO pipeline (code, latest) VALUES ($1, 1) ON CONFLICT DO NOTHING RETURNING code", code)
    return row is not None


async def insert_version(conn: Connection, pipeline: Pipeline, by: str, now: datetime) -> None:
    """The next version; it is the latest from now on."""
    await conn.execute(
        """
        WITH made AS (
            INSERT INTO pipeline_version (pipeline, version, name, stages, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)
        )
        UPDATE pipeline SET latest = $2 WHERE code = $1
        """,
        *(pipeline.code, pipeline.version, pipeline.name, [asdict(stage) for stage in pipeline.stages], by, now),
    )


async def set_default(conn: Connection, code: str) -> None:
    await conn.execute("UPDATE pipeline SET is_default = false WHERE is_default AND code <> $1", code)
    await conn.execute("UPDATE pipeline SET is_default = true WHERE code = $1", code)


async def set_archived(conn: Connection, code: str, archived: bool) -> None:
    await conn.execute("UPDATE pipeline SET archived = $2 WHERE code = $1", code, archived)


async def list_latest(conn: Connection) -> list[Listed]:
    """Every pipeline in its latest version, at most 200, by code."""
    rows = await conn.fetch(
        """
        SELECT v.pipeline, v.version, v.name, v.stages, p.is_default, p.archived, v.created_by, v.created_at
        FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.code AND v.version = p.latest ORDER BY p.code LIMIT 200
        """
    )
    return [_listed(row) for row in rows]


async def list_versions(conn: Connection, code: str) -> list[Listed]:
    """Every version of a pipeline, the latest first, at most 500."""
    rows = await conn.fetch(
        """
        SELECT v.pipeline, v.version, v.name, v.stages, p.is_default, p.archived, v.created_by, v.created_at
        FROM pipeline p JOIN pipeline_version v ON v.pipeline = p.code WHERE p.code = $1 ORDER BY v.version DESC LIMIT 500
        """,
        code,
    )
    if not rows:
        raise NotFound(f"no pipeline '{code}'")
    return [_listed(row) for row in rows]


def _listed(row: Any) -> Listed:
    return Listed(_pipeline(row, ""), row["is_default"], row["archived"], row["created_by"], row["created_at"])


def _pipeline(row: Any, wanted: str) -> Pipeline:
    if row is None:
        raise NotFound(f"no pipeline '{wanted}'")
    return Pipeline(row["pipeline"], row["version"], row["name"], tuple(_stage(each) for each in row["stages"]))


def _stage(kept: dict[str, Any]) -> Stage:
    return Stage(
        **{
            **kept,
            "activities": tuple(ActivityNeed(**each) for each in kept.get("activities", ())),
            "documents": tuple(kept.get("documents", ())),
            "checklist": tuple(Item(**each) for each in kept.get("checklist", ())),
        }
    )
