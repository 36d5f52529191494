"""Endpoints of ad platforms, their versions, and settings."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from ltc_chassis.connection import Connection
from ltc_contracts.errors import NotFound

from lead_svc.domain.hook import ConsentRule, Endpoint, Setting, body_of


async def insert_endpoint(conn: Connection, e: Endpoint) -> None:
    await conn.execute(
        """
        INSERT INTO capture_endpoint (id, kind, key, name, secret, verify_secret, fetch_secret, fetch_url, fetch_version, channel,
                                      source, campaign, campaigns, mapping, consent, skew_s, active, version, created_by,
                                      created_at, updated_by, updated_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)
        """,
        *(e.id, e.kind, e.key, *_facts(e), e.version, e.created_by, e.created_at, e.updated_by, e.updated_at),
    )
    await _insert_version(conn, e)


async def save_endpoint(conn: Connection, e: Endpoint) -> None:
    await conn.execute(
        """
        UPDATE capture_endpoint SET name = $2, secret = $3, verify_secret = $4, fetch_secret = $5, fetch_url = $6, fetch_version = $7,
               channel = $8, source = $9, campaign = $10, campaigns = $11, mapping = $12, consent = $13, skew_s = $14, active = $15,
               version = $16, updated_by = $17, updated_at = $18, retired_by = $19, retired_at = $20
        WHERE id = $1
        """,
        *(e.id, *_facts(e), e.version, e.updated_by, e.updated_at, e.retired_by, e.retired_at),
    )
    await _insert_version(conn, e)


async def find_endpoint(conn: Connection, kind: str, key: str) -> Endpoint | None:
    """The one that is reached by this address, whether it takes something or not."""
    row = await conn.fetchrow(
        """
        SELECT id, kind, key, name, secret, verify_secret, fetch_secret, fetch_url, fetch_version, channel, source, campaign,
               campaigns, mapping, consent, skew_s, active, version, created_by, created_at, updated_by, updated_at, retired_by,
               retired_at
        FROM capture_endpoint WHERE key = $2 AND kind = $1
        """,
        *(kind, key),
    )
    return None if row is None else _endpoint(row)


async def get_endpoint(conn: Connection, endpoint_id: UUID) -> Endpoint:
    row = await conn.fetchrow(
        """
        SELECT id, kind, key, name, secret, verify_secret, fetch_secret, fetch_url, fetch_version, channel, source, campaign,
               campaigns, mapping, consent, skew_s, active, version, created_by, created_at, updated_by, updated_at, retired_by,
               retired_at
        FROM capture_endpoint WHERE id = $1
        """,
        endpoint_id,
    )
    if row is None:
        raise NotFound(f"no endpoint {endpoint_id}")
    return _endpoint(row)


async def get_endpoint_for_update(conn: Connection, endpoint_id: UUID) -> Endpoint:
    await conn.execute("SELECT 1 FROM capture_endpoint WHERE id = $1 FOR UPDATE", endpoint_id)
    return await get_endpoint(conn, endpoint_id)


async def list_endpoints(conn: Connection, *, kind: str | None, after: UUID | None, limit: int) -> list[Endpoint]:
    rows = await conn.fetch(
        """
        SELECT id, kind, key, name, secret, verify_secret, fetch_secret, fetch_url, fetch_version, channel, source, campaign,
               campaigns, mapping, consent, skew_s, active, version, created_by, created_at, updated_by, updated_at, retired_by,
               retired_at
        FROM capture_endpoint WHERE ($1::text IS NULL OR kind = $1) AND ($2::uuid IS NULL OR id > $2) ORDER BY id LIMIT $3
        """,
        *(kind, after, limit),
    )
    return [_endpoint(row) for row in rows]


async def list_versions(conn: Connection, endpoint_id: UUID) -> list[Any]:
    """The newest first, at most 200."""
    return await conn.fetch(
        """
        SELECT version, body, changed_by, changed_at FROM capture_endpoint_version WHERE endpoint_id = $1
        ORDER BY version DESC LIMIT 200
        """,
        endpoint_id,
    )


async def known_campaigns(conn: Connection, codes: Sequence[str]) -> set[str]:
    """Those of the codes that a campaign has."""
    rows = await conn.fetch("SELECT code FROM campaign WHERE code = ANY($1::text[])", list(codes))
    return {row["code"] for row in rows}


async def get_setting(conn: Connection) -> Setting:
    """The latest version."""
    row = await conn.fetchrow(
        "SELECT version, keep_days, bad_per_hour, bad_bytes, created_by, created_at FROM capture_setting ORDER BY version DESC LIMIT 1"
    )
    assert row is not None
    return Setting(**dict(row))


async def list_settings(conn: Connection) -> list[Setting]:
    """The newest first, at most 200."""
    rows = await conn.fetch(
        "SELECT version, keep_days, bad_per_hour, bad_bytes, created_by, created_at FROM capture_setting ORDER BY version DESC LIMIT 200"
    )
    return [Setting(**dict(row)) for row in rows]


async def insert_setting(conn: Connection, s: Setting) -> bool:
    """False when somebody else made this version."""
    row = await conn.fetchrow(
        """
        INSERT INTO capture_setting (version, keep_days, bad_per_hour, bad_bytes, created_by, created_at)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING version
        """,
        *(s.version, s.keep_days, s.bad_per_hour, s.bad_bytes, s.created_by, s.created_at),
    )
    return row is not None


async def _insert_version(conn: Connection, e: Endpoint) -> None:
    await conn.execute(
        "INSERT INTO capture_endpoint_version (endpoint_id, version, body, changed_by, changed_at) VALUES ($1, $2, $3, $4, $5)",
        *(e.id, e.version, body_of(e), e.updated_by, e.updated_at),
    )


def _facts(e: Endpoint) -> tuple[Any, ...]:
    body = body_of(e)
    return (
        *(e.name, e.secret, e.verify_secret, e.fetch_secret, e.fetch_url, e.fetch_version, e.channel, e.source, e.campaign),
        *(body["campaigns"], body["mapping"], body["consent"], e.skew_s, e.active),
    )


def _endpoint(row: Any) -> Endpoint:
    fields = dict(row)
    consent = fields.pop("consent")
    return Endpoint(**fields, consent=None if consent is None else ConsentRule(**consent))
